"""Steady open-loop traffic: requests leave at their time whatever the answers do, and every one is accounted for.

It shares two cores with what it measures, so a request costs it little: plain HTTP/1.1 on connections that are kept, read by the parser the servers use.
"""

import asyncio
import json
import threading
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from time import monotonic
from typing import Any, cast
from urllib.parse import urlsplit

import httptools
import uvloop

TIMEOUT_S = 30.0
IDLE_S = 10.0
"""A connection that has been idle for longer is not used again: the other side may be closing it."""


@dataclass(frozen=True, slots=True)
class Call:
    """One request: method, path below the gateway, JSON body (None: none) and headers."""

    method: str
    path: str
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)

    def encode(self, host: str) -> bytes:
        """Return the request as it goes over the wire."""
        lines = [f"{self.method} {self.path} HTTP/1.1", f"host: {host}", *(f"{name}: {value}" for name, value in self.headers.items())]
        content = b"" if self.body is None else json.dumps(self.body, separators=(",", ":")).encode()
        if self.body is not None:
            lines += ["content-type: application/json", f"content-length: {len(content)}"]
        return "\r\n".join((*lines, "", "")).encode() + content


@dataclass(slots=True)
class Tally:
    """What happened to the calls. A failure is an answer of 500 or more, or no answer; `failures` keeps when (monotonic seconds) and why.

    Latencies count from the moment a request was due: one that left late because the machine was busy has waited already.
    """

    sent: int = 0
    answered: int = 0
    statuses: Counter[int] = field(default_factory=Counter)
    failures: list[tuple[float, str]] = field(default_factory=list)
    latencies_s: list[float] = field(default_factory=list)

    @property
    def in_flight(self) -> int:
        return self.sent - self.answered


class Load:
    """Calls `make(n)` for the n-th call, `rate` times a second, from a thread of its own; with several bases, each in turn."""

    def __init__(self, base: str | Sequence[str], make: Callable[[int], Call], rate: float) -> None:
        self.tally = Tally()
        bases = [base] if isinstance(base, str) else base
        self._pools, self._make, self._rate = [_Pool(each) for each in bases], make, rate
        self._ends = threading.Event()
        self._thread = threading.Thread(target=lambda: uvloop.run(self._run()), name="load", daemon=True)

    def start(self) -> "Load":
        self._thread.start()
        return self

    def stop(self) -> Tally:
        """Send no more, wait for what is under way, and return the tally."""
        self._ends.set()
        self._thread.join(TIMEOUT_S + 5)
        return self.tally

    async def _run(self) -> None:
        tasks: set[asyncio.Task[None]] = set()
        began, number = monotonic(), 0
        while not self._ends.is_set():
            task = asyncio.create_task(self._one(self._pools[number % len(self._pools)], self._make(number), began + number / self._rate))
            tasks.add(task)
            task.add_done_callback(tasks.discard)
            number += 1
            await asyncio.sleep(max(0.0, began + number / self._rate - monotonic()))
        await asyncio.gather(*tasks)
        for pool in self._pools:
            pool.close()

    async def _one(self, pool: "_Pool", call: Call, due: float) -> None:
        tally = self.tally
        tally.sent += 1
        try:
            async with asyncio.timeout(TIMEOUT_S):
                status, body = await pool.ask(call)
            tally.statuses[status] += 1
            if status >= 500:
                tally.failures.append((monotonic(), f"{call.method} {call.path}: {status} {body[:200]!r}"))
        except (TimeoutError, OSError, httptools.HttpParserError) as error:
            tally.failures.append((monotonic(), f"{call.method} {call.path}: {type(error).__name__} {error}"))
        tally.answered += 1
        tally.latencies_s.append(monotonic() - due)


class _Pool:
    """The connections to one server; a request takes one that is free, or a new one: it never waits for another request."""

    def __init__(self, base: str) -> None:
        parts = urlsplit(base)
        self._host, self._port, self._below = parts.hostname or "", parts.port or 80, parts.path.rstrip("/")
        self._free: deque[_Line] = deque()

    async def ask(self, call: Call) -> tuple[int, bytes]:
        """Return an answer's status and body. Raises OSError when there is none."""
        line = self._kept() or await self._opened()
        call = call if not self._below else Call(call.method, self._below + call.path, call.body, call.headers)
        try:
            answer = await line.ask(call.encode(f"{self._host}:{self._port}"))
        except BaseException:
            line.close()
            raise
        self._free.append(line)
        return answer

    def close(self) -> None:
        while self._free:
            self._free.pop().close()

    def _kept(self) -> "_Line | None":
        """Take the line used last, so that those beyond what is needed grow old and go."""
        while self._free:
            line = self._free.pop()
            if line.is_open and monotonic() - line.used_at < IDLE_S:
                return line
            line.close()
        return None

    async def _opened(self) -> "_Line":
        _, line = await asyncio.get_running_loop().create_connection(_Line, self._host, self._port)
        return line


class _Line(asyncio.Protocol):
    """One connection, with one request on it at a time; httptools calls the methods that have no underscore."""

    def __init__(self) -> None:
        self.used_at = monotonic()
        self.is_open = True
        self._transport: asyncio.Transport | None = None
        self._answer: asyncio.Future[tuple[int, bytes]] | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._body = bytearray()

    async def ask(self, content: bytes) -> tuple[int, bytes]:
        if self._transport is None or not self.is_open:
            raise ConnectionError("the connection is closed")
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(content)
        return await self._answer

    def close(self) -> None:
        self.is_open = False
        if self._transport is not None:
            self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's has the methods, not the class

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            self._fail(error)

    def connection_lost(self, error: Exception | None) -> None:
        self.is_open = False
        self._fail(error or ConnectionResetError("the server closed the connection without an answer"))

    def on_body(self, body: bytes) -> None:
        self._body += body

    def on_message_complete(self) -> None:
        status, self.used_at = self._parser.get_status_code(), monotonic()
        self.is_open = self.is_open and self._parser.should_keep_alive()
        body, self._body = bytes(self._body), bytearray()
        if self._answer is not None and not self._answer.done():
            self._answer.set_result((status, body))

    def _fail(self, error: Exception) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(error)
