"""Services as real processes, callers that account for every request, and a gateway small enough to look into."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from time import monotonic, sleep
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
APPS = Path(__file__).parent / "apps"
SAMPLE = ("-m", "reference_apps.sample")
REFUSED, TURNED_AWAY = "refused", "turned away"


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer; header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def is_unprocessed(self) -> bool:
        return self.status == 503 and self.headers.get("x-msxf-unprocessed") == "1"


class Caller:
    """One connection to one port, kept open between requests and opened again when it was closed."""

    def __init__(self, port: int, *, timeout_s: float = 15.0) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout_s)

    def ask(self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None) -> Reply:
        try:
            self._connection.request(method, path, body, dict(headers or {}))
            answer = self._connection.getresponse()
            return Reply(answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read())
        except (OSError, http.client.HTTPException):
            self._connection.close()
            raise

    def close(self) -> None:
        self._connection.close()


@dataclass(slots=True)
class Instance:
    """One service process, its port and its log file."""

    process: "subprocess.Popen[bytes]"
    port: int
    log: Path
    errors: Path

    def ask(self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None) -> Reply:
        caller = Caller(self.port)
        try:
            return caller.ask(method, path, body, headers)
        finally:
            caller.close()

    def get(self, path: str, headers: Mapping[str, str] | None = None) -> Reply:
        return self.ask("GET", path, headers=headers)

    def state(self) -> str:
        """What a readiness probe sees: "ready", the state in a 503, or "" when nobody answers."""
        try:
            reply = self.get("/readyz")
        except (OSError, http.client.HTTPException):
            return ""
        return "ready" if reply.status == 200 else str(reply.json["state"])

    def wait_for(self, state: str, *, within_s: float = 15.0) -> "Instance":
        def reached() -> bool:
            assert self.process.poll() is None, f"ended with {self.process.returncode}: {self.errors.read_text()}{self.log.read_text()}"
            return self.state() == state

        wait_until(reached, within_s=within_s, what=f"state {state}")
        return self

    def tell_to_go(self) -> None:
        self.process.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(5)

    def exit_code(self, *, within_s: float = 15.0) -> int:
        return self.process.wait(within_s)

    def lines(self) -> list[dict[str, Any]]:
        """What it logged; a line that is no JSON object is an error."""
        found = [json.loads(line) for line in self.log.read_text().splitlines()]
        assert all(isinstance(line, dict) for line in found)
        return found

    def close(self) -> None:
        """End it and what it forked."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(5)


class Launcher:
    """Starts instances in one folder, which the instances of one service share their data in, and ends those that are left."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._running: list[Instance] = []

    def start(self, *argv: str, service: str = "a", release: str = "1.0.0-00000001", **environ: str) -> Instance:
        """Start `python <argv>` as a managed service; return before it is ready. `environ` adds to MSXF_* or changes it."""
        number = len(self._running) + 1
        instance = f"{service}-{release}-{number}"
        port = free_port()
        told = {
            "MSXF_SERVICE": service,
            "MSXF_RELEASE": release,
            "MSXF_INSTANCE": instance,
            "MSXF_ENV": "local",
            "MSXF_ZONE": "z1",
            "MSXF_PORT": str(port),
            "MSXF_DATA_DIR": str(self.folder / "data" / service),
            "MSXF_GATEWAY": "http://127.0.0.1:9",
            "MSXF_DEPENDS_ON": "",
            "PYTHONPATH": str(ROOT),
            "PATH": os.environ["PATH"],
        }
        log, errors = self.folder / f"{instance}.log", self.folder / f"{instance}.err"
        with log.open("wb") as out, errors.open("wb") as err:
            process = subprocess.Popen([sys.executable, *argv], env={**told, **environ}, cwd=self.folder, stdout=out, stderr=err, process_group=0)
        self._running.append(Instance(process, port, log, errors))
        return self._running[-1]

    def app(self, name: str, **options: str) -> Instance:
        """Start one of the apps beside these tests."""
        return self.start(str(APPS / f"{name}.py"), **options)

    def close(self) -> None:
        for instance in self._running:
            instance.close()


@dataclass(slots=True)
class Load:
    """Callers that never pause, each on a connection of its own. What was certainly not processed is sent again, to where `port()` then points.

    `outcomes` counts final answers by status; `lost` has what got no answer although it may have been processed.
    """

    port: Callable[[], int]
    method: str = "GET"
    path: str = "/work"
    callers: int = 4
    outcomes: Counter[int] = field(default_factory=Counter)
    again: Counter[str] = field(default_factory=Counter)
    lost: list[str] = field(default_factory=list)
    slowest_s: float = 0.0
    _ends: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __enter__(self) -> "Load":
        self._threads = [threading.Thread(target=self._run, args=(number,), daemon=True) for number in range(self.callers)]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def answered(self) -> int:
        return self.outcomes.total()

    def stop(self) -> None:
        self._ends.set()
        for thread in self._threads:
            thread.join(30)
            assert not thread.is_alive(), "a caller still waits for its answer"

    def _run(self, caller: int) -> None:
        port, connection, number = self.port(), Caller(self.port()), 0
        while not self._ends.is_set():
            number, began, deadline = number + 1, monotonic(), monotonic() + 20
            while monotonic() < deadline:
                if port != self.port():
                    connection.close()
                    port, connection = self.port(), Caller(self.port())
                if self._is_done(connection, f"{caller}-{number}"):
                    break
                if self._ends.is_set() and monotonic() - began > 12:
                    break
                sleep(0.01)
            with self._lock:
                self.slowest_s = max(self.slowest_s, monotonic() - began)
        connection.close()

    def _is_done(self, connection: Caller, name: str) -> bool:
        try:
            reply = connection.ask(self.method, self.path, name.encode() if self.method == "POST" else None)
        except ConnectionRefusedError:
            with self._lock:
                self.again[REFUSED] += 1
            return self._ends.is_set()
        except (OSError, http.client.HTTPException) as error:
            with self._lock:
                self.lost.append(f"{name}: {type(error).__name__} {error}")
            return True
        with self._lock:
            if reply.is_unprocessed:
                self.again[TURNED_AWAY] += 1
            else:
                self.outcomes[reply.status] += 1
        return not reply.is_unprocessed or self._ends.is_set()


class Gateway:
    """Sends /<service>/<path> to the port of that service, and remembers the headers it saw. Services without a port are answered 503."""

    def __init__(self) -> None:
        self.ports: dict[str, int] = {}
        self.seen: list[tuple[str, dict[str, str]]] = []
        gateway = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version, wbufsize = "HTTP/1.1", -1

            def do_GET(self) -> None:
                _, service, path = self.path.split("/", 2)
                headers = {name.lower(): value for name, value in self.headers.items()}
                body = self.rfile.read(int(headers.get("content-length", "0")))
                gateway.seen.append((service, headers))
                reply = gateway.forward(service, Reply(0, headers, body), f"{self.command} /{path}")
                self.send_response(reply.status)
                for name in ("content-type", "x-msxf-unprocessed"):
                    if name in reply.headers:
                        self.send_header(name, reply.headers[name])
                self.send_header("content-length", str(len(reply.body)))
                self.end_headers()
                self.wfile.write(reply.body)

            do_POST = do_GET

            def log_message(self, *_: object) -> None: ...

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def forward(self, service: str, request: Reply, line: str) -> Reply:
        if service not in self.ports:
            return Reply(503, {}, b"no healthy upstream")
        method, path = line.split(" ", 1)
        caller = Caller(self.ports[service])
        passed = {name: value for name, value in request.headers.items() if name not in ("host", "connection", "content-length")}
        try:
            return caller.ask(method, path, request.body or None, passed)
        except OSError as error:
            return Reply(503, {}, str(error).encode())
        finally:
            caller.close()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until(check: Callable[[], bool], *, within_s: float = 10.0, what: str = "it") -> None:
    deadline = monotonic() + within_s
    while not check():
        assert monotonic() < deadline, f"{what}: not within {within_s:g} s"
        sleep(0.005)


def is_listening(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False
