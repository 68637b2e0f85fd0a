"""Steady open-loop traffic: requests leave at their time whatever the answers do, and every one is accounted for."""

import asyncio
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

import aiohttp

TIMEOUT_S = 30.0


@dataclass(frozen=True, slots=True)
class Call:
    """One request: method, path below the gateway, JSON body (None: none) and headers."""

    method: str
    path: str
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Tally:
    """What happened to the calls. A failure is an answer of 500 or more, or no answer; `failures` keeps when (monotonic seconds) and why."""

    sent: int = 0
    answered: int = 0
    statuses: Counter[int] = field(default_factory=Counter)
    failures: list[tuple[float, str]] = field(default_factory=list)
    latencies_s: list[float] = field(default_factory=list)

    @property
    def in_flight(self) -> int:
        return self.sent - self.answered


class Load:
    """Calls `make(n)` for the n-th call, `rate` times a second, from a thread of its own."""

    def __init__(self, base: str, make: Callable[[int], Call], rate: float) -> None:
        self.tally = Tally()
        self._base, self._make, self._rate = base, make, rate
        self._ends = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), name="load", daemon=True)

    def start(self) -> "Load":
        self._thread.start()
        return self

    def stop(self) -> Tally:
        """Send no more, wait for what is under way, and return the tally."""
        self._ends.set()
        self._thread.join(TIMEOUT_S + 5)
        return self.tally

    async def _run(self) -> None:
        connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=10)
        async with aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=TIMEOUT_S)) as session:
            tasks: set[asyncio.Task[None]] = set()
            began, number = monotonic(), 0
            while not self._ends.is_set():
                task = asyncio.create_task(self._one(session, self._make(number)))
                tasks.add(task)
                task.add_done_callback(tasks.discard)
                number += 1
                await asyncio.sleep(max(0.0, began + number / self._rate - monotonic()))
            await asyncio.gather(*tasks)

    async def _one(self, session: aiohttp.ClientSession, call: Call) -> None:
        tally, began = self.tally, monotonic()
        tally.sent += 1
        try:
            async with session.request(call.method, self._base + call.path, json=call.body, headers=dict(call.headers)) as answer:
                body = await answer.read()
                tally.statuses[answer.status] += 1
                if answer.status >= 500:
                    tally.failures.append((monotonic(), f"{call.method} {call.path}: {answer.status} {body[:200]!r}"))
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            tally.failures.append((monotonic(), f"{call.method} {call.path}: {type(error).__name__} {error}"))
        tally.answered += 1
        tally.latencies_s.append(monotonic() - began)
