"""The proxy's connections to instances: one request at a time each, kept open for the next one while they are fresh."""

import asyncio
from collections.abc import Callable, Collection
from time import monotonic
from typing import Protocol, cast

import httptools

from ctl.backends.traffic.proxy.message import Head, Headers

CONNECT_S = 1.0
FRESH_S = 4.0  # shorter than any common server keeps an idle connection
MOST_IDLE = 64


class Lost(Exception):
    """The connection ended before the answer was whole."""


class Sink(Protocol):
    """Where an answer's body goes."""

    def write_body(self, data: bytes) -> None: ...


class Upstream(asyncio.Protocol):
    """One connection to an instance."""

    def __init__(self) -> None:
        self.idle_since = 0.0
        self.is_open = False
        self.is_used = False
        self._transport: asyncio.Transport
        self._loop = asyncio.get_running_loop()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport, self.is_open = cast(asyncio.Transport, transport), True

    def ask(self, data: bytes, *, is_head: bool) -> "asyncio.Future[Head]":
        """Send a request; the future gives the head of its answer, or raises Lost."""
        self._parser = httptools.HttpResponseParser(self)
        self._is_head = is_head
        self._reason, self._headers = b"", Headers()
        self._answer: Head | None = None
        self._early: list[bytes] = []
        self._sink: Sink | None = None
        self._head: asyncio.Future[Head] = self._loop.create_future()
        self._whole: asyncio.Future[bool] = self._loop.create_future()
        self.is_used = True
        if self.is_open:
            self._transport.write(data)
        else:
            self._fail("it was closed")
        return self._head

    async def pour(self, sink: Sink) -> None:
        """Write the body into `sink` as it comes, to its end. Raises Lost."""
        early, self._early, self._sink = self._early, [], sink
        if early:
            sink.write_body(b"".join(early))
        await self._whole

    def hold(self) -> None:
        """Read no more for now: the caller takes no more."""
        if self.is_open:
            self._transport.pause_reading()

    def go_on(self) -> None:
        if self.is_open:
            self._transport.resume_reading()

    def close(self) -> None:
        if self.is_open:
            self.is_open = False
            self._transport.abort()

    @property
    def is_reusable(self) -> bool:
        return self.is_open and self._whole.done() and not self._whole.cancelled() and self._whole.exception() is None and self._whole.result()

    def data_received(self, data: bytes) -> None:
        if not self.is_used or self._whole.done():  # a word that nobody asked for
            self.close()
            return
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self.close()
            self._fail("it sent no HTTP")

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_open = False
        if not self.is_used:
            return
        if self._answer and not self._whole.done() and not self._answer.has_length and not self._answer.is_chunked:
            self._whole.set_result(False)
        else:
            self._fail(str(exc or "it was closed"))

    def on_status(self, reason: bytes) -> None:
        self._reason = reason

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers.append((name, value))

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        if status < 200:
            self._headers = Headers()
            return
        self._answer = Head(status=status, reason=self._reason, headers=self._headers)
        if not self._head.done():
            self._head.set_result(self._answer)
        if self._is_head:
            self._end(stays=False)  # the parser would wait for a body that never comes

    def on_body(self, data: bytes) -> None:
        if self._sink:
            self._sink.write_body(data)
        else:
            self._early.append(data)

    def on_message_complete(self) -> None:
        if self._answer:
            self._end(stays=self._parser.should_keep_alive())

    def _end(self, *, stays: bool) -> None:
        if not self._whole.done():
            self._whole.set_result(stays)

    def _fail(self, why: str) -> None:
        for future in (self._head, self._whole):
            if not future.done():
                future.set_exception(Lost(why))
                future.exception()  # seen: nobody has to wait for both


async def connect(address: str) -> Upstream:
    """Return a new connection. Raises Lost."""
    host, _, number = address.rpartition(":")
    make: Callable[[], Upstream] = Upstream
    try:
        async with asyncio.timeout(CONNECT_S):
            _, connection = await asyncio.get_running_loop().create_connection(make, host, int(number))
    except (OSError, TimeoutError) as error:
        raise Lost(str(error)) from error
    return connection


class Pool:
    """Idle connections by address."""

    def __init__(self) -> None:
        self._idle: dict[str, list[Upstream]] = {}

    def take(self, address: str) -> Upstream | None:
        """Return an idle connection that is fresh."""
        kept = self._idle.get(address, [])
        while kept:
            connection = kept.pop()
            if connection.is_open and monotonic() - connection.idle_since < FRESH_S:
                return connection
            connection.close()
        return None

    def give_back(self, address: str, connection: Upstream) -> None:
        """Keep a connection for the next request, if it is good for one."""
        kept = self._idle.setdefault(address, [])
        if connection.is_reusable and len(kept) < MOST_IDLE:
            connection.idle_since = monotonic()
            kept.append(connection)
        else:
            connection.close()

    def keep_only(self, addresses: Collection[str]) -> None:
        """Close what is idle to any other address; what is under way goes on."""
        for address in self._idle.keys() - addresses:
            for connection in self._idle.pop(address):
                connection.close()
