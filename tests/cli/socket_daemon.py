"""A daemon made of a plane in memory: HTTP over a unix socket, with the paths that RemotePlane asks for. Also runs as a process of its own."""

import json
import os
import socketserver
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from ctl.errors import CtlError, problem
from tests.cli import stories
from tests.cli.memory_plane import MemoryPlane, group, service


def fleet(size: int) -> MemoryPlane:
    """Return a plane with so many services; risk is half way in a rollout that never ends."""
    plane = MemoryPlane()
    for number in range(size - len(plane.known)):
        name = f"service-{number:03d}"
        plane.known[name] = service(name, groups=[group(name, "1.4.2-9b1c3fa2", ["ready"] * 3)])
    plane.story("risk", stories.halfway())
    return plane


class Handler(BaseHTTPRequestHandler):
    """Answers one request from the server's plane."""

    server: "Daemon"

    def address_string(self) -> str:
        return "a unix socket"

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        query = {key: values[0] for key, values in parse_qs(url.query).items()}
        self._answer(lambda: self._read([unquote(part) for part in url.path.split("/")[2:]], query) if url.path != "/readyz" else {"status": "ready"})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))) or b"{}")
        self._answer(lambda: self._write(self.path.split("/")[2:], body))

    def _read(self, parts: list[str], query: dict[str, str]) -> Any:
        plane = self.server.plane
        match parts:
            case ["services"]:
                return {"items": plane.services(domain=query.get("domain", ""), match=query.get("match", ""))}
            case ["services", name]:
                return plane.service(name)
            case ["services", name, "artifacts"]:
                return {"items": plane.artifacts(name)}
            case ["status"]:
                return plane.status()
            case ["rollouts", name]:
                return plane.rollout(name)
        raise CtlError(f"this daemon does not know {self.path}")

    def _write(self, parts: list[str], body: dict[str, Any]) -> Any:
        match parts:
            case ["plans"]:
                return self.server.plane.plan(body["service"], body["version"])
            case ["rollouts"]:
                return self.server.plane.deploy(body["service"], body["version"], reason=body["reason"])
            case ["shutdown"]:
                threading.Thread(target=self.server.shutdown).start()
                return {"stopping": True}
        raise CtlError(f"this daemon does not know {self.path}")

    def _answer(self, make: Any) -> None:
        try:
            status, body = 200, make()
        except CtlError as error:
            status, body = error.http_status, problem(error)
        payload = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(payload)))
        self.end_headers()
        self.wfile.write(payload)


class Daemon(socketserver.ThreadingUnixStreamServer):
    """Serves `plane` at `path`."""

    request_queue_size = 64

    def __init__(self, path: Path, plane: MemoryPlane) -> None:
        self.plane = plane
        super().__init__(str(path), Handler)


@contextmanager
def serving(home: Path, plane: MemoryPlane) -> Iterator[Daemon]:
    """Run a daemon for this home in a thread."""
    home.mkdir(parents=True, exist_ok=True)
    with Daemon(home / "msxfctl.sock", plane) as daemon:
        thread = threading.Thread(target=daemon.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield daemon
        finally:
            daemon.shutdown()
            thread.join(5)


def main(home: Path) -> None:
    """Serve until asked to stop, with a pid file, as the real daemon does."""
    (home / "run").mkdir(parents=True, exist_ok=True)
    pid, path = home / "run" / "daemon.pid", home / "msxfctl.sock"
    path.unlink(missing_ok=True)
    with Daemon(path, fleet(312)) as daemon:
        pid.write_text(str(os.getpid()))
        print("it serves", flush=True)
        daemon.serve_forever(0.02)
    pid.unlink()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
