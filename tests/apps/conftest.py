"""What the tests of the apps stand on: an app called in process, and the four apps as real processes behind a small router."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

START_S, STOP_S = 20.0, 10.0


@dataclass(frozen=True)
class Reply:
    """What was answered."""

    status: int
    body: Any
    headers: Mapping[str, str]


@pytest.fixture
def ask() -> Callable[..., Awaitable[Reply]]:
    """Return `await ask(app, "POST", "/path", body, headers)`: one request to an ASGI app, without a network."""
    return ask_asgi


async def ask_asgi(app: Any, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None) -> Reply:
    content = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
    path, _, query = path.partition("?")
    sent = {"content-type": "application/json", **{name.lower(): value for name, value in (headers or {}).items()}}
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method, "path": path, "raw_path": path.encode(), "root_path": "",
        "query_string": query.encode(), "scheme": "http", "server": ("test", 80), "client": ("test", 1),
        "headers": [(name.encode(), value.encode()) for name, value in sent.items()],
    }  # fmt: skip
    messages: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request", "body": content, "more_body": False}

    async def send(message: Any) -> None:
        messages.append(message)

    await app(scope, receive, send)
    raw = b"".join(message.get("body", b"") for message in messages[1:])
    given = {name.decode(): value.decode() for name, value in messages[0]["headers"]}
    read = json.loads(raw) if raw and "json" in given.get("content-type", "json") else raw.decode() or None
    return Reply(messages[0]["status"], read, given)


class Router:
    """In the gateway's place: strips /<service>, spreads over its instances, and tries the next one when a connection breaks or nothing was begun."""

    def __init__(self) -> None:
        self.ports: dict[str, list[int]] = {}
        self.port = 0
        self._turn = 0
        self._up = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> "Router":
        self._thread.start()
        assert self._up.wait(START_S)
        return self

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(STOP_S)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._serve())
        self._loop.run_forever()
        self._loop.run_until_complete(self._close())

    async def _serve(self) -> None:
        self._session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0), timeout=aiohttp.ClientTimeout(total=15))
        app = web.Application()
        app.router.add_route("*", "/{service}/{rest:.*}", self._pass_on)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.port = self._runner.addresses[0][1]
        self._up.set()

    async def _close(self) -> None:
        await self._session.close()
        await self._runner.cleanup()

    async def _pass_on(self, request: web.Request) -> web.Response:
        body = await request.read()
        deadline = time.monotonic() + 12
        while time.monotonic() < deadline:
            ports = self.ports.get(request.match_info["service"], [])
            for _ in ports:
                self._turn += 1
                url = f"http://127.0.0.1:{ports[self._turn % len(ports)]}/{request.match_info['rest']}"
                try:
                    async with self._session.request(request.method, url, params=request.query, data=body, headers=_passed(request)) as answer:
                        if answer.headers.get("x-msxf-unprocessed") == "1":
                            continue
                        return web.Response(status=answer.status, body=await answer.read(), headers={"content-type": answer.headers["content-type"]})
                except (aiohttp.ClientError, OSError):
                    continue
            await asyncio.sleep(0.05)
        return web.Response(status=503, text="no instance answers")


def _passed(request: web.Request) -> dict[str, str]:
    return {name: value for name, value in request.headers.items() if name.lower() not in ("host", "content-length")}


@dataclass
class Process:
    """One instance."""

    name: str
    service: str
    port: int
    popen: "subprocess.Popen[bytes]"

    def kill(self, how: signal.Signals = signal.SIGTERM) -> None:
        self.popen.send_signal(how)
        self.popen.wait(STOP_S)


@dataclass
class Fleet:
    """The apps as processes: their data lie in `home`, and they reach one another through the router."""

    home: Path
    router: Router
    processes: dict[str, Process] = field(default_factory=dict)

    def begin(self, service: str, number: int = 1, **config: str) -> Process:
        """Start an instance and do not wait for it."""
        name, port = f"{service}-{number}", free_port()
        environ = {
            "PATH": os.environ["PATH"], "PYTHONPATH": str(Path(__file__).parents[2]),
            "MSXF_SERVICE": service, "MSXF_RELEASE": "1-test", "MSXF_INSTANCE": name, "MSXF_PORT": str(port), "MSXF_DATA_DIR": str(self.home / service),
            "MSXF_GATEWAY": f"http://127.0.0.1:{self.router.port}",
            **{f"MSXF_CONFIG_{key}": value for key, value in config.items()},
        }  # fmt: skip
        with (self.home / f"{name}.log").open("ab") as log:
            popen = subprocess.Popen([sys.executable, "-m", f"reference_apps.{service}"], env=environ, stdout=log, stderr=log, cwd=self.home)
        self.processes[name] = Process(name, service, port, popen)
        return self.processes[name]

    def ready(self, *processes: Process) -> None:
        """Wait until these take traffic, and send them some."""
        deadline = time.monotonic() + START_S
        for process in processes:
            while not is_ready(process.port):
                assert process.popen.poll() is None, f"{process.name} ended: {(self.home / f'{process.name}.log').read_text()[-2000:]}"
                assert time.monotonic() < deadline, f"{process.name} is not ready: {(self.home / f'{process.name}.log').read_text()[-2000:]}"
                time.sleep(0.02)
            self.router.ports.setdefault(process.service, []).append(process.port)

    def listening(self, process: Process) -> None:
        """Wait until it takes connections, ready or standing by."""
        deadline = time.monotonic() + START_S
        while not is_listening(process.port):
            assert process.popen.poll() is None, f"{process.name} ended: {(self.home / f'{process.name}.log').read_text()[-2000:]}"
            assert time.monotonic() < deadline, f"{process.name} does not listen"
            time.sleep(0.02)

    def end(self, process: Process, how: signal.Signals = signal.SIGTERM) -> None:
        if how is not signal.SIGKILL and process.port in self.router.ports.get(process.service, []):
            self.router.ports[process.service].remove(process.port)
        process.kill(how)
        if process.port in self.router.ports.get(process.service, []):
            self.router.ports[process.service].remove(process.port)
        del self.processes[process.name]

    def end_all(self) -> None:
        for process in list(self.processes.values()):
            self.end(process)

    def ask(self, method: str, path: str, body: Any = None, key: str = "", timeout_s: float = 15.0) -> Reply:
        """Send one request through the router."""
        headers = {"content-type": "application/json"} | ({"idempotency-key": key} if key else {})
        content = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"http://127.0.0.1:{self.router.port}{path}", content, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=timeout_s) as answer:
                return Reply(answer.status, json.loads(answer.read()), dict(answer.headers))
        except urllib.error.HTTPError as error:
            return Reply(error.code, json.loads(error.read()), dict(error.headers))


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Fleet]:
    router = Router().start()
    fleet = Fleet(tmp_path, router)
    yield fleet
    for process in fleet.processes.values():
        process.kill(signal.SIGKILL)
    router.stop()


def is_listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def is_ready(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=1) as answer:
            return bool(answer.status == 200)
    except (OSError, urllib.error.URLError):
        return False


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
