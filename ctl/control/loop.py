"""The loop: ticks every service when it is due or woken, one tick a service at a time, with one observation a round."""

import logging
import math
import threading
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from time import monotonic

from ctl.control.tick import Ticker
from ctl.errors import CtlError, LeaseHeld, StaleRevision

log = logging.getLogger(__name__)
ROUND_S = 0.02
BACK_OFF_S, MOST_BACK_OFF_S = 0.5, 30.0
PATIENT_S = 5.0  # who waits longer is looked at on a whole second, so that idle services share one observation


class Loop:
    """Runs ticks in a few threads. A service whose tick fails backs off alone; the others are not delayed by it."""

    def __init__(self, ticker: Ticker, *, workers: int = 4) -> None:
        self._ticker = ticker
        self._workers = workers
        self._changed = threading.Condition()
        self._due: dict[str, float] = {}
        self._busy: set[str] = set()
        self._again: set[str] = set()
        self._failures: dict[str, int] = {}
        self._stopping = False
        self._thread: threading.Thread | None = None
        self._pool: ThreadPoolExecutor | None = None
        self.rounds = 0
        self.ticks = 0

    def start(self) -> None:
        """Begin: every service of the catalog is due at once."""
        self._pool = ThreadPoolExecutor(self._workers, thread_name_prefix="tick")
        self._thread = threading.Thread(target=self._run, name="loop", daemon=True)
        self._thread.start()

    def stop(self, timeout_s: float = 10.0) -> None:
        """End after the ticks under way; state is in the store, so nothing is lost."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        if self._thread:
            self._thread.join(timeout_s)
        if self._pool:
            self._pool.shutdown(wait=True, cancel_futures=True)

    def wake(self, service: str) -> None:
        """Have the service looked at in the next round; empty wakes every service."""
        with self._changed:
            names = {service} if service else {*self._due, *self._busy}
            self._again.update(names & self._busy)
            self._due.update(dict.fromkeys(names, 0.0))
            self._changed.notify_all()

    def _run(self) -> None:
        while self._wait():
            self._round()

    def _wait(self) -> bool:
        """Sleep until somebody is due; False when it is time to end."""
        with self._changed:
            self._changed.wait_for(lambda: self._stopping, ROUND_S)
            while not self._stopping:
                waiting = [due for name, due in self._due.items() if name not in self._busy]
                idle_s = min(waiting, default=monotonic() + 1.0 if self._due else 0.0) - monotonic()
                if idle_s <= 0:
                    return True
                self._changed.wait(min(idle_s, 1.0))
            return False

    def _round(self) -> None:
        """Observe once and tick who is due. Whoever is woken from here on is looked at again: this observation may have missed why."""
        with self._changed:
            now = monotonic()
            ready = [name for name, due in self._due.items() if due <= now and name not in self._busy]
            self._busy.update(ready)
        try:
            wanted, fleet = self._ticker.look()
        except Exception as error:  # whatever it is, the loop must live: a thread that has died quietly would tick nobody ever again
            log.warning("nothing can be observed, nothing is changed: %s", error, exc_info=None if isinstance(error, CtlError) else error)
            self._postpone_all(ready)
            return
        self.rounds += 1
        with self._changed:
            for name in wanted.catalog.services:
                self._due.setdefault(name, 0.0)
        for name in ready:
            assert self._pool is not None
            self._pool.submit(self._ticker.tick, name, wanted, fleet).add_done_callback(partial(self._done, name))

    def _done(self, name: str, future: "Future[float]") -> None:
        with self._changed:
            self._busy.discard(name)
            self.ticks += 1
            wait_s = self._next_wait(name, future)
            self._due[name] = 0.0 if name in self._again else _moment(monotonic() + wait_s, wait_s)
            self._again.discard(name)
            self._changed.notify_all()

    def _next_wait(self, name: str, future: "Future[float]") -> float:
        if future.cancelled():
            return BACK_OFF_S
        error = future.exception()
        if error is None:
            self._failures.pop(name, None)
            return future.result()
        if isinstance(error, StaleRevision | LeaseHeld):
            log.debug("%s: %s", name, error)
            return ROUND_S if isinstance(error, StaleRevision) else BACK_OFF_S
        failures = self._failures[name] = self._failures.get(name, 0) + 1
        wait_s: float = min(MOST_BACK_OFF_S, BACK_OFF_S * 2 ** (failures - 1))
        unexpected = None if isinstance(error, CtlError) else error
        log.warning("%s: the tick failed, next try in %.1f s: %s", name, wait_s, error, exc_info=unexpected)
        return wait_s

    def _postpone_all(self, ready: Sequence[str]) -> None:
        with self._changed:
            self._busy.difference_update(ready)
            self._again.difference_update(ready)
            later = monotonic() + BACK_OFF_S
            self._due = {name: max(due, later) for name, due in self._due.items()} or {"": later}


def _moment(due: float, wait_s: float) -> float:
    return float(math.ceil(due)) if wait_s >= PATIENT_S else due
