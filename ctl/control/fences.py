"""Leases on services, kept and renewed by this process: who holds one may act on the service, and carries its fence in every state write."""

import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from ctl.control.doors import Doors
from ctl.errors import LeaseHeld

TTL_S = 15.0


class Fences:
    """Takes a service's lease when it is first needed and renews it when a third of its time is over. Safe from any thread.

    `is_gone` says whether a holder is proven dead: its lease is then taken at once, under a higher fence, instead of waited out.
    """

    def __init__(self, doors: Doors, is_gone: Callable[[str], bool] = lambda holder: False) -> None:
        self._doors = doors
        self._is_gone = is_gone
        self._lock = threading.Lock()
        self._held: dict[str, tuple[int, datetime]] = {}
        self._turns: defaultdict[str, threading.RLock] = defaultdict(threading.RLock)

    @contextmanager
    def turn(self, service: str) -> Iterator[int]:
        """Give our fence for the service to one thread at a time, for as long as it acts: a tick and a person's verb never cross. Raises LeaseHeld."""
        with self._turns[service]:
            yield self.fence(service)

    def fence(self, service: str) -> int:
        """Return our fence for the service. Raises LeaseHeld, naming who has it."""
        now = self._doors.clock.now()
        held = self._held.get(service)
        if held and now < held[1]:
            return held[0]
        with self._lock:
            fence = self._acquire(_name(service), now)
            if fence is None:
                self._held.pop(service, None)
                holder = self._doors.leases.holder(_name(service), now) or "somebody"
                raise LeaseHeld(f"{service} is not changed: {holder} is acting on it now", remedy=f"try again, or look: msxfctl status {service}")
            self._held[service] = (fence, now + timedelta(seconds=TTL_S / 3))
            return fence

    def _acquire(self, name: str, now: datetime) -> int | None:
        fence = self._doors.leases.acquire(name, self._doors.holder, TTL_S, now)
        holder = self._doors.leases.holder(name, now) if fence is None else None
        if holder is None or not self._is_gone(holder):
            return fence
        self._doors.leases.release(name, holder)
        return self._doors.leases.acquire(name, self._doors.holder, TTL_S, now)

    def release_all(self) -> None:
        """Give every lease back, so that the next process need not wait."""
        with self._lock:
            for service in self._held:
                self._doors.leases.release(_name(service), self._doors.holder)
            self._held.clear()


def _name(service: str) -> str:
    return f"service/{service}"
