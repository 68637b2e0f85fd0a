"""Settings -> backends -> ControlPlane. The only importer of backends; each is imported when it is chosen."""

import getpass
import logging
import os
import socket
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
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
from ctl.decide import catalog_rules
from ctl.model.access import Caller, Role
from ctl.model.finding import Asks
from ctl.model.fleet import Instance
from ctl.model.service import CatalogSnapshot
from ctl.model.view import MistakeView
from ctl.ports import Answers, Clock, Plane, Runtime
from ctl.settings import Settings

if TYPE_CHECKING:
    from ctl.backends.runtimes.local.runtime import LocalRuntime
    from ctl.backends.traffic.gateway import Gateway

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Machinery:
    """What one home stands on: the doors, and the parts of them that have a life of their own."""

    doors: Doors
    answers: Answers
    runtime: "LocalRuntime"
    gateway: "Gateway"
    close: Callable[[], None]


class Station:
    """Everything of one process over one home: the doors, the loop, planes for callers. It begins to act with start(), or with the first change."""

    def __init__(self, settings: Settings, *, supervise: bool = False) -> None:
        self._parts = _machinery(settings, supervise=supervise)
        self.doors, self.answers = self._parts.doors, self._parts.answers
        self._desired = Desired(self.doors)
        self._fences = Fences(self.doors, is_gone)
        self.ticker = Ticker(self.doors, self._desired, self._fences)
        self.loop = Loop(self.ticker)
        self._turn = threading.Lock()
        self._is_started = False
        self._stop_instances = False
        self._ends: Callable[[], None] = lambda: None

    def start(self) -> None:
        """Begin to act: the gateway, an outcome for every open intent, then the loop. Again: nothing happens."""
        with self._turn:
            if self._is_started:
                return
            self._parts.gateway.start()
            for part in (self._parts.runtime, self._parts.gateway):
                part.on_change(self.loop.wake)
            closed = recover.close_open_intents(self.doors, self.ticker.look()[1])
            if closed:
                log.info("%d intents had no outcome; each has one now", closed)
            self.loop.start()
            self._is_started = True

    def plane(self, caller: Caller) -> ControlPlane:
        """Return the plane, acting as `caller`."""
        signals = Signals(wake=self._wake, stop=self._stop, why=self.ticker.why)
        return ControlPlane(self.doors, self._desired, self._fences, signals, caller)

    def on_stop(self, ends: Callable[[], None]) -> None:
        """Call `ends` when somebody asks this process to stop."""
        self._ends = ends

    def close(self) -> None:
        """End the loop, then instances and gateway if that was asked for; what is left running goes on without us."""
        self.loop.stop()
        self._fences.release_all()
        self._parts.runtime.close(stop_instances=self._stop_instances)
        self._parts.gateway.close(stop=self._stop_instances)
        self._parts.close()

    def figures(self) -> Mapping[str, float]:
        """Return this process's own gauges by their Prometheus names."""
        wanted, fleet = self.ticker.look()
        phases: dict[str, int] = {}
        for one in (one for groups in fleet.groups.values() for group in groups for one in group.instances):
            phases[one.phase.value] = phases.get(one.phase.value, 0) + 1
        gauges = {f'msxfctl_instances{{phase="{phase}"}}': count for phase, count in sorted(phases.items())}
        gauges |= {"msxfctl_services": len(wanted.catalog.services), "msxfctl_rollouts_active": len(wanted.current)}
        standing = [one for concerns in wanted.concerns.values() for one in concerns.standing if one.release == wanted.stable.get(concerns.service)]
        gauges |= {f'msxfctl_findings{{asks="{asks}"}}': sum(one.finding.asks is asks for one in standing) for asks in Asks}
        gauges |= {"msxfctl_loop_rounds": self.loop.rounds, "msxfctl_loop_ticks": self.loop.ticks}
        return {name: float(value) for name, value in gauges.items()}

    def _wake(self, service: str) -> None:
        self.start()
        self.loop.wake(service)

    def _stop(self, instances: bool) -> None:
        self._stop_instances = instances
        self._ends()


@contextmanager
def open_plane(settings: Settings, *, local: bool = False) -> Iterator[Plane]:
    """Give the daemon's plane where one answers, else one of this process, which ticks as soon as something is changed."""
    remote = RemotePlane(settings.socket)
    if not local and remote.is_there():
        yield remote
        return
    station = Station(settings)
    try:
        yield station.plane(Caller(name=getpass.getuser(), role=Role.ADMIN))
    finally:
        station.close()


def catalog_mistakes(settings: Settings) -> list[MistakeView]:
    """Return every mistake of the catalog's files; nothing else is opened."""
    from ctl.backends.catalog import folder

    return folder.mistakes(settings.catalog, judge=catalog_rules.judge)


def read_catalog(settings: Settings) -> CatalogSnapshot:
    """Return the catalog of the files as this environment sees it; nothing else is opened. Raises CatalogMistakes, BadInput."""
    from ctl.backends.catalog.folder import YamlCatalog

    return YamlCatalog(settings.catalog, settings.environment, judge=catalog_rules.judge).snapshot()


def catalog_schema() -> str:
    """Return the JSON Schema of a service's file."""
    from ctl.backends.catalog import jsonschema

    return jsonschema.service_schema()


def memory_doors(catalog: CatalogSnapshot, clock: Clock, *, start_s: float = 1.0) -> Doors:
    """Return doors that all lead to memory: for simulations and tests."""
    from ctl.backends.artifacts.memory import MemoryArtifacts
    from ctl.backends.catalog.memory import MemoryCatalog
    from ctl.backends.metrics.memory import MemoryMetrics
    from ctl.backends.registry.memory import MemoryRegistry
    from ctl.backends.runtimes.memory import MemoryRuntime
    from ctl.backends.store import memory
    from ctl.backends.traffic.memory import MemoryTraffic

    journal = memory.MemoryJournal()
    rollouts = memory.MemoryRollouts(journal)
    return Doors(
        runtime=MemoryRuntime(clock, start_s=start_s),
        traffic=MemoryTraffic(clock),
        registry=MemoryRegistry(),
        metrics=MemoryMetrics(),
        catalog=MemoryCatalog(catalog.services.values(), environment=catalog.environment),
        artifacts=MemoryArtifacts(clock),
        releases=memory.MemoryReleases(),
        rollouts=rollouts,
        findings=memory.MemoryFindings(journal, rollouts),
        targets=memory.MemoryTargets(),
        journal=journal,
        leases=memory.MemoryLeases(),
        tokens=memory.MemoryTokens(),
        clock=clock,
        holder="memory",
        root=Path.cwd(),
    )


def is_gone(holder: str) -> bool:
    """Whether the process that a lease names has provably ended: it was on this machine, and nobody has its id and start time any more."""
    from ctl.backends.runtimes.local import processes

    host, _, process = holder.partition(":")
    pid, _, started = process.partition("@")
    if host != socket.gethostname() or not (pid.isdecimal() and started.isdecimal()):
        return False
    return not processes.is_alive(processes.Process(int(pid), int(started)))


def _holder() -> str:
    from ctl.backends.runtimes.local import processes

    here = processes.identify(os.getpid())
    return f"{socket.gethostname()}:{os.getpid()}@{here.started if here else 0}"


def _machinery(settings: Settings, *, supervise: bool) -> Machinery:
    from ctl.backends.artifacts.folder import FolderArtifacts
    from ctl.backends.catalog.folder import YamlCatalog
    from ctl.backends.clock import SystemClock
    from ctl.backends.metrics.scrape import ScrapedMetrics
    from ctl.backends.runtimes.local.runtime import LocalRuntime
    from ctl.backends.runtimes.local.site import Site
    from ctl.backends.runtimes.local.starting import Supplies
    from ctl.backends.store.access import SqlAnswers, SqlTokens
    from ctl.backends.store.engine import open_engine
    from ctl.backends.store.findings import SqlFindings
    from ctl.backends.store.fleet import SqlRegistry, SqlTargets
    from ctl.backends.store.journal import SqlJournal
    from ctl.backends.store.leases import SqlLeases
    from ctl.backends.store.rollouts import SqlReleases, SqlRollouts

    clock, database = SystemClock(), open_engine(settings.database)
    artifacts, gateway = FolderArtifacts(settings.home / "artifacts", clock), _gateway(settings)
    site = Site(home=settings.home, environment=settings.environment, ports=(settings.ports_from, settings.ports_to))
    supplies = Supplies(fetch=lambda digest: _unpacked(settings, artifacts.fetch, digest), gateway=gateway.address)
    runtime = LocalRuntime(site, supplies, clock, supervise=supervise)
    metrics = ScrapedMetrics(lambda: _instances(runtime), clock)
    doors = Doors(
        runtime=runtime,
        traffic=gateway,
        registry=SqlRegistry(database),
        metrics=metrics,
        catalog=YamlCatalog(settings.catalog, settings.environment, judge=catalog_rules.judge),
        artifacts=artifacts,
        releases=SqlReleases(database),
        rollouts=SqlRollouts(database),
        findings=SqlFindings(database),
        targets=SqlTargets(database),
        journal=SqlJournal(database),
        leases=SqlLeases(database),
        tokens=SqlTokens(database),
        clock=clock,
        holder=_holder(),
        root=settings.root,
    )

    def close() -> None:
        metrics.close()
        database.close()

    return Machinery(doors=doors, answers=SqlAnswers(database), runtime=runtime, gateway=gateway, close=close)


def _gateway(settings: Settings) -> "Gateway":
    from ctl.backends.traffic import envoy, localproxy

    if settings.gateway == "envoy" or (settings.gateway == "auto" and envoy.runs()):
        return envoy.gateway(settings.home, settings.templates, port=settings.gateway_port)
    return localproxy.gateway(settings.home, port=settings.gateway_port)


def _unpacked(settings: Settings, fetch: Callable[[str, Path], None], digest: str) -> Path:
    folder = settings.home / "unpacked" / digest.removeprefix("sha256:")
    fetch(digest, folder)
    return folder


def _instances(runtime: Runtime) -> Iterable[Instance]:
    return (one for groups in runtime.observe().values() for group in groups for one in group.instances)
