"""The proxy's side towards callers: reads whole requests, has them answered one after the other, and writes the answers."""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from typing import cast

import httptools

from ctl.backends.traffic.proxy import message
from ctl.backends.traffic.proxy.message import Head, Headers, Request
from ctl.backends.traffic.proxy.outbound import Upstream

log = logging.getLogger(__name__)
MOST_BODY = 16 << 20
MOST_HEADERS = 64 << 10
MOST_WAITING = 8

Serve = Callable[[Request, "Inbound"], Awaitable[None]]


class Inbound(asyncio.Protocol):
    """One caller's connection. It is a Sink for the bodies of its answers."""

    def __init__(self, serve: Serve) -> None:
        self._serve = serve
        self._parser = httptools.HttpRequestParser(self)
        self._transport: asyncio.Transport
        self._waiting: deque[Request] = deque()
        self._task: asyncio.Task[None] | None = None
        self._source: Upstream | None = None
        self._head = b""
        self._in_chunks = False
        self._stays = True
        self._is_full = False
        self.has_begun = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._task:
            self._task.cancel()

    def pause_writing(self) -> None:
        if self._source:
            self._source.hold()

    def resume_writing(self) -> None:
        if self._source:
            self._source.go_on()

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._refuse(501, "this gateway does not change protocols")
        except httptools.HttpParserError as error:
            self._refuse(413 if self._is_full else 400, "the request is too large" if self._is_full else f"this is no HTTP request: {error}")

    def on_message_begin(self) -> None:
        self._target, self._headers, self._body, self._size = b"", Headers(), list[bytes](), 0

    def on_url(self, url: bytes) -> None:
        self._target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers.append((name, value))
        self._grow(len(name) + len(value), MOST_HEADERS)

    def on_headers_complete(self) -> None:
        self._size = 0
        if any(name.lower() == b"expect" and value.lower() == b"100-continue" for name, value in self._headers):
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_body(self, data: bytes) -> None:
        self._body.append(data)
        self._grow(len(data), MOST_BODY)

    def on_message_complete(self) -> None:
        is_old = self._parser.get_http_version() == "1.0"
        request = Request(self._parser.get_method(), self._target, self._headers, b"".join(self._body), self._parser.should_keep_alive(), is_old)
        self._waiting.append(request)
        if len(self._waiting) > MOST_WAITING:
            self._transport.pause_reading()
        if not self._task:
            self._start()

    def begin(self, head: Head, request: Request, source: Upstream | None) -> None:
        """Begin the answer; its head goes out with the first of its body, or at end()."""
        self._head, self._in_chunks, stays = message.framed(head, request)
        self._stays = self._stays and stays
        self._source, self.has_begun = source, True

    def write_body(self, data: bytes) -> None:
        head, self._head = self._head, b""
        self._transport.write(head + (message.chunk(data) if self._in_chunks else data))

    def end(self) -> None:
        """End the answer."""
        rest = self._head + (b"0\r\n\r\n" if self._in_chunks else b"")
        if rest:
            self._transport.write(rest)
        self._head, self._source, self.has_begun = b"", None, False

    def break_off(self) -> None:
        """Close in the middle of an answer: the caller must see that it is not whole."""
        self._stays = False
        self._transport.abort()

    def _start(self) -> None:
        self._task = asyncio.get_running_loop().create_task(self._answer_all())
        self._task.add_done_callback(self._answered)

    async def _answer_all(self) -> None:
        while self._waiting and self._stays:
            await self._serve(self._waiting.popleft(), self)
            if len(self._waiting) == MOST_WAITING:
                self._transport.resume_reading()

    def _answered(self, task: "asyncio.Task[None]") -> None:
        self._task = None
        if task.cancelled():
            self._transport.abort()
        elif task.exception():
            log.error("a request could not be answered", exc_info=task.exception())
            self._transport.abort()
        elif not self._stays:
            self._transport.close()
        elif self._waiting:  # it came when the last answer was out, but before we knew
            self._start()

    def _grow(self, size: int, most: int) -> None:
        self._size += size
        if self._size > most:
            self._is_full = True
            raise ValueError("too large")

    def _refuse(self, status: int, detail: str) -> None:
        head, body = message.answer(status, {"error": detail})
        request = Request(b"GET", b"", Headers(), b"", keeps_open=False, is_old=False)
        self._transport.write(message.framed(head, request)[0] + body)
        self._transport.close()
