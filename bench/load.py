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
LOOK_S = 0.02
IDLE_S = 10.0
"""A connection that has been idle for longer is not used again: the other side may be closing it."""


@dataclass(frozen=True, slots=True)
class Call:
    """One request: method, path below the gateway, JSON body (None: none; bytes: written already) and headers."""

    method: str
    path: str
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)

    def encode(self, host: str, below: str = "") -> bytes:
        """Return the request as it goes over the wire, its path below another one."""
        lines = [f"{self.method} {below}{self.path} HTTP/1.1", f"host: {host}", *(f"{name}: {value}" for name, value in self.headers.items())]
        content = b"" if self.body is None else self.body if isinstance(self.body, bytes) else json.dumps(self.body, separators=(",", ":")).encode()
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
        self._pools, self._make, self._rate = [_Pool(each, self.tally) for each in bases], make, rate
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
        sweeping = asyncio.create_task(self._sweep())
        began, number = monotonic(), 0
        while not self._ends.is_set():
            self._pools[number % len(self._pools)].send(self._make(number), began + number / self._rate)
            number += 1
            await asyncio.sleep(max(0.0, began + number / self._rate - monotonic()))
        while self.tally.in_flight:
            await asyncio.sleep(LOOK_S)
        sweeping.cancel()
        for pool in self._pools:
            pool.close()

    async def _sweep(self) -> None:
        """Give up on what is not answered in time: one look at all of them costs less than a timer for each."""
        while True:
            await asyncio.sleep(LOOK_S)
            for pool in self._pools:
                pool.give_up(monotonic() - TIMEOUT_S)


@dataclass(frozen=True, slots=True)
class _Asked:
    """A request under way: when it was due (monotonic seconds), and what it says."""

    due: float
    call: Call


class _Pool:
    """The connections to one server; a request takes one that is free, or a new one: it never waits for another request."""

    def __init__(self, base: str, tally: Tally) -> None:
        parts = urlsplit(base)
        self._address, self._host, self._below = (parts.hostname or "", parts.port or 80), parts.netloc, parts.path.rstrip("/")
        self._free: deque[_Line] = deque()
        self._busy: set[_Line] = set()
        self._opening: set[asyncio.Task[None]] = set()
        self._tally = tally

    def send(self, call: Call, due: float) -> None:
        self._tally.sent += 1
        line = self._kept()
        if line is not None:
            self._ask(line, _Asked(due, call))
        else:
            task = asyncio.create_task(self._ask_anew(_Asked(due, call)))
            self._opening.add(task)
            task.add_done_callback(self._opening.discard)

    def give_up(self, before: float) -> None:
        """Close the lines of requests that were due before then: that fails them."""
        for line in [line for line in self._busy if line.asked is not None and line.asked.due < before]:
            line.fail(TimeoutError(f"no answer in {TIMEOUT_S:g} s"))

    def close(self) -> None:
        while self._free:
            self._free.pop().close()

    def answered(self, line: "_Line", asked: _Asked, status: int, body: bytes) -> None:
        self._busy.discard(line)
        if line.is_open:
            self._free.append(line)
        self._tally.statuses[status] += 1
        if status >= 500:
            self._tally.failures.append((monotonic(), f"{asked.call.method} {asked.call.path}: {status} {body[:200]!r}"))
        self._done(asked)

    def failed(self, line: "_Line | None", asked: _Asked, error: Exception) -> None:
        if line is not None:
            self._busy.discard(line)
        self._tally.failures.append((monotonic(), f"{asked.call.method} {asked.call.path}: {type(error).__name__} {error}"))
        self._done(asked)

    def _done(self, asked: _Asked) -> None:
        self._tally.answered += 1
        self._tally.latencies_s.append(monotonic() - asked.due)

    def _ask(self, line: "_Line", asked: _Asked) -> None:
        self._busy.add(line)
        line.ask(asked, asked.call.encode(self._host, self._below))

    async def _ask_anew(self, asked: _Asked) -> None:
        try:
            async with asyncio.timeout(TIMEOUT_S):
                _, line = await asyncio.get_running_loop().create_connection(lambda: _Line(self), *self._address)
        except OSError as error:  # TimeoutError is one
            self.failed(None, asked, error)
        else:
            self._ask(line, asked)

    def _kept(self) -> "_Line | None":
        """Take the line used last, so that those beyond what is needed grow old and go."""
        while self._free:
            line = self._free.pop()
            if line.is_open and monotonic() - line.used_at < IDLE_S:
                return line
            line.close()
        return None


class _Line(asyncio.Protocol):
    """One connection, with one request on it at a time; httptools calls `on_body` and `on_message_complete`."""

    def __init__(self, pool: _Pool) -> None:
        self.used_at = monotonic()
        self.is_open = True
        self.asked: _Asked | None = None
        self._pool = pool
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._body = bytearray()

    def ask(self, asked: _Asked, content: bytes) -> None:
        self.asked = asked
        if self._transport is None or not self.is_open:
            self.fail(ConnectionError("the connection is closed"))
        else:
            self._transport.write(content)

    def fail(self, error: Exception) -> None:
        asked, self.asked = self.asked, None
        self.close()
        if asked is not None:
            self._pool.failed(self, asked, error)

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
            self.fail(error)

    def connection_lost(self, error: Exception | None) -> None:
        self.fail(error or ConnectionResetError("the server closed the connection without an answer"))

    def on_body(self, body: bytes) -> None:
        self._body += body

    def on_message_complete(self) -> None:
        asked, self.asked, self.used_at = self.asked, None, monotonic()
        self.is_open = self.is_open and self._parser.should_keep_alive()
        body, self._body = bytes(self._body), bytearray()
        if asked is not None:
            self._pool.answered(self, asked, self._parser.get_status_code(), body)
