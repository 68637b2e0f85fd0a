"""When which instance is asked: one probe for each that runs, each at the pace that its standing asks for."""

import asyncio
import math
import random
from collections.abc import Callable
from functools import partial

from ctl.backends.runtimes.local.probe import Probe
from ctl.backends.runtimes.local.readiness import Heard
from ctl.backends.runtimes.local.slots import Slot

GRID_S = 0.25


class Prober:
    """Owned by the supervisor's thread. `heard` is told every answer; `wait_s` says how long to wait before the next question."""

    def __init__(self, loop: asyncio.AbstractEventLoop, heard: Callable[[Slot, Heard], None], wait_s: Callable[[Slot], float]) -> None:
        self._loop = loop
        self._heard = heard
        self._wait_s = wait_s
        self._probes: dict[Slot, Probe] = {}
        self._timers: dict[Slot, asyncio.Handle] = {}
        self._unheard: set[Slot] = set()

    @property
    def is_settled(self) -> bool:
        """Whether every instance that is watched has been heard at least once."""
        return not self._unheard

    def watch(self, slot: Slot) -> None:
        """Ask this instance from now on."""
        self.forget(slot)
        self._probes[slot] = Probe(self._loop, slot.id, slot.port, slot.cohort.release.health)
        self._unheard.add(slot)
        self._timers[slot] = self._loop.call_soon(self._ask, slot)

    def hurry(self, slot: Slot) -> None:
        """Ask a watched instance now, unless it is being asked."""
        probe, timer = self._probes.get(slot), self._timers.get(slot)
        if probe is not None and timer is not None and not probe.is_asking:
            timer.cancel()
            self._timers[slot] = self._loop.call_soon(self._ask, slot)

    def forget(self, slot: Slot) -> None:
        """Ask it no more; what it has been asked already is not heard."""
        self._unheard.discard(slot)
        timer, probe = self._timers.pop(slot, None), self._probes.pop(slot, None)
        if timer is not None:
            timer.cancel()
        if probe is not None:
            probe.close()

    def _ask(self, slot: Slot) -> None:
        probe = self._probes.get(slot)
        if probe is not None:
            probe.ask(partial(self._answered, slot, probe))

    def _answered(self, slot: Slot, probe: Probe, heard: Heard) -> None:
        self._unheard.discard(slot)
        self._heard(slot, heard)
        if self._probes.get(slot) is probe:
            self._timers[slot] = self._loop.call_at(self._due(self._wait_s(slot)), self._ask, slot)

    def _due(self, wait_s: float) -> float:
        """Long waits end a little early, at random, so that nobody is asked in step, but on a grid: one wake-up of the loop serves many."""
        due = self._loop.time() + wait_s
        if wait_s < 4 * GRID_S:
            return due
        return math.floor((due - random.uniform(0, 0.15) * wait_s) / GRID_S + 1) * GRID_S
