"""HTTP/1.1 to one place, the gateway: a request at a time on each connection, which is kept open for the next one while it is fresh."""

import asyncio
import os
from collections.abc import Mapping
from dataclasses import dataclass
from time import monotonic
from typing import cast
from urllib.parse import quote, urlsplit

import httptools

FRESH_S = 15.0
MOST_CONNECTIONS = 256
SAFE = "/%?&=+:;,@!$'()*-._~[]"
"""What a path may contain as it is; whatever else comes in is quoted."""
REPEATABLE = frozenset({"GET", "HEAD", "OPTIONS"})


class Lost(Exception):
    """The connection ended before the answer was whole: the other side may have done the work."""


class Unreachable(Exception):
    """There is no connection: nothing was sent."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back; header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    content: bytes


@dataclass(frozen=True, slots=True)
class Asked:
    """A request; `path` begins with a slash. Headers have neither content-length nor host: they are ours."""

    method: str
    path: str
    headers: Mapping[str, str]
    content: bytes | None


class Wire:
    """The connections to `place` ("http://host:port"), at most so many at once; used from one event loop."""

    def __init__(self, place: str, most: int = MOST_CONNECTIONS) -> None:
        parts = urlsplit(place)
        self._host, self._is_secure = parts.hostname or "", parts.scheme == "https"
        self._port = parts.port or (443 if self._is_secure else 80)
        self._netloc, self._below = parts.netloc.rpartition("@")[2], parts.path.rstrip("/")
        self._room = asyncio.Semaphore(most)
        self._idle: list[_Connection] = []

    async def ask(self, asked: Asked) -> Reply:
        """Send and wait for the whole answer; whoever goes away meanwhile has the connection closed. Raises Unreachable, Lost.

        A connection that was idle may be closed just as it is used: what may be repeated is then sent once more, on a new one.
        """
        request = self._written(asked)
        async with self._room:
            kept = self._kept()
            if kept is not None:
                try:
                    return await self._answered(kept, request)
                except Lost:
                    if asked.method not in REPEATABLE:
                        raise
            return await self._answered(await self._connected(), request)

    def close(self) -> None:
        """Close what is idle."""
        while self._idle:
            self._idle.pop().close()

    async def _answered(self, connection: "_Connection", request: bytes) -> Reply:
        try:
            return await connection.send(request)
        finally:
            if connection.is_reusable:
                connection.idle_since_s = monotonic()
                self._idle.append(connection)
            else:
                connection.close()

    def _kept(self) -> "_Connection | None":
        """Return the idle connection that was used last, if it is fresh; the others are then no fresher."""
        while self._idle:
            connection = self._idle.pop()
            if connection.is_open and monotonic() - connection.idle_since_s < FRESH_S:
                return connection
            connection.close()
        return None

    async def _connected(self) -> "_Connection":
        try:
            loop = asyncio.get_running_loop()
            _, connection = await loop.create_connection(_Connection, self._host, self._port, ssl=True if self._is_secure else None)
        except OSError as error:
            raise Unreachable(os.strerror(error.errno) if error.errno else str(error)) from error
        return connection

    def _written(self, asked: Asked) -> bytes:
        """Return a request as it goes over the wire. Raises ValueError for a header with a line break in it."""
        content = asked.content or b""
        lines = [f"{asked.method} {self._below}{quote(asked.path, safe=SAFE)} HTTP/1.1", f"host: {self._netloc}"]
        lines += [f"{name}: {value}" for name, value in asked.headers.items()]
        if asked.content is not None or asked.method not in REPEATABLE:
            lines.append(f"content-length: {len(content)}")
        if any("\r" in line or "\n" in line for line in lines):
            raise ValueError(f"a header of {asked.method} {asked.path} has a line break in it; take it out")
        return "\r\n".join([*lines, "", ""]).encode() + content


class _Connection(asyncio.Protocol):
    """One connection; its parser tells it what comes back."""

    def __init__(self) -> None:
        self.is_open = self._stays = False
        self.idle_since_s = 0.0
        self._loop = asyncio.get_running_loop()
        self._reply: asyncio.Future[Reply] | None = None
        self._transport: asyncio.Transport

    def send(self, request: bytes) -> "asyncio.Future[Reply]":
        """Send a request; the future gives its answer, or raises Lost."""
        self._parser = httptools.HttpResponseParser(self)
        self._headers: dict[str, str] = {}
        self._parts: list[bytes] = []
        self._stays = self._has_head = False
        self._reply = self._loop.create_future()
        if self.is_open:
            self._transport.write(request)
        else:
            self._fail("it was closed")
        return self._reply

    @property
    def is_reusable(self) -> bool:
        return self.is_open and self._stays

    def close(self) -> None:
        if self.is_open:
            self.is_open = False
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport, self.is_open = cast(asyncio.Transport, transport), True

    def data_received(self, data: bytes) -> None:
        if self._reply is None or self._reply.done():  # a word that nobody asked for
            self.close()
            return
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self.close()
            self._fail(f"what came back is no HTTP ({type(error).__name__})")

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_open = False
        if self._ends_with_connection():
            self._done()
        else:
            self._fail(str(exc or "the connection was closed"))

    def on_message_begin(self) -> None:
        if self._reply is not None and self._reply.done():  # more than one answer to one question: whose is it?
            self.close()

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers[name.decode("latin-1").lower()] = value.decode("utf-8", "replace")

    def on_headers_complete(self) -> None:
        self._has_head = self._parser.get_status_code() >= 200
        if not self._has_head:
            self._headers = {}

    def on_body(self, data: bytes) -> None:
        self._parts.append(data)

    def on_message_complete(self) -> None:
        if self._has_head:
            self._stays = self._parser.should_keep_alive()
            self._done()

    def _ends_with_connection(self) -> bool:
        """Whether what has come is the whole answer once the connection ends: it said neither how long it is nor that it comes in pieces."""
        said = self._headers if self._reply is not None and self._has_head else {"content-length": ""}
        return "content-length" not in said and "transfer-encoding" not in said

    def _done(self) -> None:
        if self._reply is not None and not self._reply.done():
            self._reply.set_result(Reply(self._parser.get_status_code(), self._headers, b"".join(self._parts)))

    def _fail(self, why: str) -> None:
        if self._reply is not None and not self._reply.done():
            self._reply.set_exception(Lost(why))
