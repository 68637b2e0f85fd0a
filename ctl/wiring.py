"""Settings -> backends -> ControlPlane. The only importer of backends; each is imported when it is chosen."""

import getpass
import logging
import os
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from ctl.client import RemotePlane
from ctl.control import recover
from ctl.control.desired import Desired
from ctl.control.doors import Doors, Signals
from ctl.control.fences import Fences
from ctl.control.loop import Loop
from ctl.control.plane import ControlPlane
from ctl.control.tick import Ticker
from ctl.errors import CtlError
from ctl.model.access import Caller, Role
from ctl.model.fleet import Instance
from ctl.model.service import CatalogSnapshot
from ctl.model.view import MistakeView
from ctl.ports import Answers, Clock, Plane
from ctl.settings import Settings

if TYPE_CHECKING:
    from ctl.backends.runtimes.local.runtime import LocalRuntime
    from ctl.backends.traffic.gateway import Gateway

log = logging.getLogger(__name__)


class Station:
    """Everything of one process over one home: the doors, the loop, and planes for callers. The loop starts with start(), or with the first change."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._runtime, self._gateway, self.doors, self.answers = _local_doors(settings)
        self.desired = Desired(self.doors)
        self._fences = Fences(self.doors, _is_gone)
        self.ticker = Ticker(self.doors, self.desired, self._fences)
        self.loop = Loop(self.ticker)
        self._turn = threading.Lock()
        self._started = False
        self._stop_instances = False
        self._ends: Callable[[], None] = lambda: None

    def start(self) -> None:
        """Begin to act: gateway, supervision of instances, open intents, then the loop. Again: nothing happens."""
        with self._turn:
            if self._started:
                return
            self._runtime.supervise()
            self._gateway.start()
            self._runtime.on_change(self.loop.wake)
            self._gateway.on_change(self.loop.wake)
            _, fleet = self.ticker.look()
            closed = recover.close_open_intents(self.doors, fleet)
            if closed:
                log.info("%d intents were open after a restart; each has an outcome now", closed)
            self.loop.start()
            self._started = True

    def plane(self, caller: Caller) -> ControlPlane:
        signals = Signals(wake=self._wake, stop=self._stop, why=self.ticker.why)
        return ControlPlane(self.doors, self.desired, self._fences, signals, caller)

    def on_stop(self, ends: Callable[[], None]) -> None:
        """Call `ends` when somebody asks this process to stop."""
        self._ends = ends

    def close(self) -> None:
        """End: the loop, then instances and gateway if that was asked for; what is left running goes on without us."""
        self.loop.stop()
        self._fences.release_all()
        self._runtime.close(stop_instances=self._stop_instances)
        self._gateway.close(stop=self._stop_instances)

    def figures(self) -> Mapping[str, float]:
        """Return this process's own gauges by Prometheus name."""
        wanted, fleet = self.ticker.look()
        phases: dict[str, int] = {}
        for groups in fleet.groups.values():
            for one in (one for group in groups for one in group.instances):
                phases[one.phase.value] = phases.get(one.phase.value, 0) + 1
        by_phase = {f'msxfctl_instances{{phase="{phase}"}}': float(count) for phase, count in sorted(phases.items())}
        counts = {"msxfctl_loop_rounds": self.loop.rounds, "msxfctl_loop_ticks": self.loop.ticks, "msxfctl_services": len(wanted.catalog.services)}
        return by_phase | {name: float(count) for name, count in counts.items()} | {"msxfctl_rollouts_active": float(len(wanted.current))}

    def _wake(self, service: str) -> None:
        self.start()
        self.loop.wake(service)

    def _stop(self, instances: bool) -> None:
        self._stop_instances = instances
        self._ends()


@contextmanager
def open_plane(settings: Settings, *, local: bool = False) -> Iterator[Plane]:
    """Give the daemon's plane where one answers, else one of this process that ticks as soon as something is changed."""
    remote = RemotePlane(settings.socket)
    if not local and remote.is_there():
        yield remote
        return
    station = Station(settings)
    try:
        yield station.plane(Caller(name=getpass.getuser(), role=Role.ADMIN))
    finally:
        station.close()
