"""Asking one instance over HTTP whether it is ready, on a connection that is kept: the cheapest thing an event loop can do, because it is done so often."""

import asyncio
import socket
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import cast

import httptools

from ctl.backends.runtimes.local import readiness
from ctl.backends.runtimes.local.readiness import Heard
from ctl.model.service import Health

MOST_BODY = 64 * 1024
HOST = "127.0.0.1"
WHO = b"x-msxf-instance"


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer; status 0 is one that is no HTTP. `instance` is who gave it, where it says so."""

    status: int
    body: bytes = b""
    instance: str = ""


Tell = Callable[[Reply | None], None]
Then = Callable[[Reply | None, str], None]


class Line(asyncio.Protocol):
    """One kept connection; one request at a time. `tell` hears the reply, or None when there will be none."""

    def __init__(self, request: bytes, tell: Tell) -> None:
        self._transport: asyncio.Transport | None = None
        self._tell: Tell | None = None
        self.is_fresh = True
        self._begin(request, tell)

    def ask(self, request: bytes, tell: Tell) -> None:
        """Ask again on a connection that has been used before."""
        self.is_fresh = False
        self._begin(request, tell)
        assert self._transport is not None
        self._transport.write(request)

    @property
    def is_open(self) -> bool:
        return self._transport is not None and not self._transport.is_closing()

    def drop(self) -> None:
        """Close at once; nobody is told."""
        self._tell = None
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # a stream's always is, though uvloop's does not say so by its class
        if self._tell is None:
            self._transport.abort()
        else:
            self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        if self._tell is None:
            self.drop()
            return
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self._end(Reply(0))
            self.drop()

    def on_header(self, name: bytes, value: bytes) -> None:
        if name.lower() == WHO:
            self._instance = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        self._status = self._parser.get_status_code()

    def on_body(self, body: bytes) -> None:
        if len(self._body) < MOST_BODY:
            self._body += body

    def on_message_complete(self) -> None:
        stays = self._parser.should_keep_alive()
        self._end(Reply(self._status, self._body, self._instance))
        if not stays:
            self.drop()

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._end(Reply(self._status, self._body, self._instance) if self._status else None)

    def _begin(self, request: bytes, tell: Tell) -> None:
        self._request = request
        self._tell = tell
        self._parser = httptools.HttpResponseParser(self)
        self._status, self._body, self._instance = 0, b"", ""

    def _end(self, reply: Reply | None) -> None:
        tell, self._tell = self._tell, None
        if tell is not None:
            tell(reply)


class Probe:
    """Asks one port for one instance. One question at a time; whoever asked is told exactly once, unless the probe is closed before."""

    def __init__(self, loop: asyncio.AbstractEventLoop, instance: str, port: int, health: Health) -> None:
        self._loop = loop
        self._instance = instance
        self._port = port
        self._timeout_s = health.timeout_s
        self._ready, self._live = (_request(path, port) for path in (health.ready_path, health.live_path))
        self._line: Line | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._opening: asyncio.Task[None] | None = None
        self._tell: Callable[[Heard], None] | None = None

    @property
    def is_asking(self) -> bool:
        return self._tell is not None

    def ask(self, tell: Callable[[Heard], None]) -> None:
        """Ask the readiness path; where that brings no answer, ask the liveness path too."""
        self._tell = tell
        self._send(self._ready, self._readiness)

    def close(self) -> None:
        self._tell = None
        self._drop_line()

    def _readiness(self, reply: Reply | None, trouble: str = "") -> None:
        if reply is not None and reply.instance not in ("", self._instance):
            self._drop_line()
            self._conclude(readiness.heard(None, b"", alive=False, trouble=f"{reply.instance} answers on port {self._port}"))
        elif reply is not None:
            self._conclude(readiness.heard(reply.status, reply.body))
        elif trouble:
            self._conclude(readiness.heard(None, b"", alive=False, trouble=trouble))
        else:
            self._send(self._live, self._liveness)

    def _liveness(self, reply: Reply | None, trouble: str = "") -> None:
        said = f"does not say within {self._timeout_s:g} s whether it is ready"
        self._conclude(readiness.heard(None, b"", alive=reply is not None, trouble=said if reply is not None else "does not answer"))

    def _conclude(self, heard: Heard) -> None:
        tell, self._tell = self._tell, None
        if tell is not None:
            tell(heard)

    def _send(self, request: bytes, then: Then) -> None:
        self._timer = self._loop.call_later(self._timeout_s, self._timed_out, then)
        if self._line is not None and self._line.is_open:
            self._line.ask(request, partial(self._replied, request, then))
        else:
            self._connect(request, then)

    def _replied(self, request: bytes, then: Then, reply: Reply | None) -> None:
        line = self._line
        if reply is None and line is not None and not line.is_fresh:  # closed by the other side while it was not used: no answer of the instance
            self._connect(request, then)
            return
        self._stop_timer()
        then(reply, "")

    def _timed_out(self, then: Then) -> None:
        self._drop_line()
        then(None, "")

    def _connect(self, request: bytes, then: Then) -> None:
        """Connect, without the loop's help: on this machine a connection stands or is refused before connect() returns."""
        self._line = None
        connection = socket.socket()
        connection.setblocking(False)
        connection.connect_ex((HOST, self._port))
        if connection.connect_ex((HOST, self._port)):
            connection.close()
            self._stop_timer()
            then(None, f"nothing listens on port {self._port}")
            return
        self._line = Line(request, partial(self._replied, request, then))
        self._opening = self._loop.create_task(_adopt(self._loop, self._line, connection))

    def _drop_line(self) -> None:
        self._stop_timer()
        if self._opening is not None:
            self._opening.cancel()
            self._opening = None
        if self._line is not None:
            self._line.drop()
            self._line = None

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


async def _adopt(loop: asyncio.AbstractEventLoop, line: Line, connection: socket.socket) -> None:
    try:
        await loop.create_connection(lambda: line, sock=connection)
    except OSError:
        connection.close()
        line.connection_lost(None)


def _request(path: str, port: int) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: {HOST}:{port}\r\nUser-Agent: msxfctl-probe\r\nAccept: */*\r\n\r\n".encode()
