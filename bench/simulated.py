"""A fleet in memory at any size, driven through the real control layer: the same ticks, decisions, store rules and journal as on real machines."""

import heapq
import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from time import perf_counter

from ctl.backends.artifacts.memory import MemoryArtifacts
from ctl.backends.clock import ManualClock
from ctl.backends.runtimes.memory import MemoryRuntime
from ctl.control.desired import Desired, Wanted
from ctl.control.doors import Doors, Signals
from ctl.control.fences import Fences
from ctl.control.plane import ControlPlane
from ctl.control.releasing import pin
from ctl.control.tick import Ticker
from ctl.decide.effects import IDLE_S
from ctl.model.access import Caller, Role
from ctl.model.fleet import Fleet, Group, Instance, InstancePhase, Reading
from ctl.model.service import ArtifactSource, CanaryStep, CatalogSnapshot, Gate, Kind, RolloutPolicy, Service, Share, Strategy
from ctl.wiring import memory_doors

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
START_S = 20.0
STRATEGIES = (Strategy.ROLLING, Strategy.CANARY, Strategy.BLUE_GREEN)


def catalog_of(services: int, *, replicas: int) -> CatalogSnapshot:
    """Return a catalog of so many services, a third of each strategy."""
    known = [_service(number, replicas) for number in range(services)]
    return CatalogSnapshot(services={one.name: one for one in known}, revision="simulated", environment="simulated")


def _service(number: int, replicas: int) -> Service:
    strategy = STRATEGIES[number % len(STRATEGIES)]
    steps = (CanaryStep(weight_pct=10, step_s=60), CanaryStep(weight_pct=50, step_s=60)) if strategy is Strategy.CANARY else ()
    gate = Gate(window_s=20, min_requests=20, max_error_pct=1.0)
    policy = RolloutPolicy(strategy=strategy, surge=Share(value=25, percent=True), unavailable=Share(value=0), steps=steps, gate=gate, bake_s=120)
    source = ArtifactSource(include=("app",), command=("app",))
    return Service(
        name=f"service-{number:03}", domain="simulated", owner="nobody", tier=number % 4, kind=Kind.HTTP, artifact=source, replicas=replicas, rollout=policy
    )


@dataclass(slots=True)
class Traffic:
    """What the instances of each release say about their traffic: `error_pct` by release, 0 where nothing is said."""

    runtime: MemoryRuntime
    error_pct: dict[str, int]
    requests: int = 200

    def read(self, services: Iterable[str], window_s: float, now: datetime) -> Mapping[str, tuple[Reading, ...]]:
        groups = self.runtime.observe()
        return {service: tuple(self._reading(one, window_s, now) for one in _ready(groups.get(service, ()))) for service in services}

    def _reading(self, one: Instance, window_s: float, now: datetime) -> Reading:
        errors = self.requests * self.error_pct.get(one.release, 0) // 100
        return Reading(
            service=one.service, release=one.release, instance=one.id, requests=self.requests, errors=errors, p99_ms=20.0, window_s=window_s, at=now
        )


def _ready(groups: Sequence[Group]) -> list[Instance]:
    return [one for group in groups for one in group.instances if one.phase is InstancePhase.READY]


class Simulation:
    """A control plane over memory backends whose time moves only when nothing is due before."""

    def __init__(self, catalog: CatalogSnapshot, *, start_s: float = START_S) -> None:
        self.clock = ManualClock(EPOCH)
        self.runtime = MemoryRuntime(self.clock, start_s=start_s, hosts=2000)
        self.traffic = Traffic(self.runtime, {})
        self._artifacts = MemoryArtifacts(self.clock)
        self.doors: Doors = replace(memory_doors(catalog, self.clock), runtime=self.runtime, metrics=self.traffic, artifacts=self._artifacts)
        self.desired = Desired(self.doors)
        fences = Fences(self.doors)
        self.ticker = Ticker(self.doors, self.desired, fences)
        signals = Signals(wake=lambda service: self._schedule(service, 0.0), stop=lambda instances: None, why=self.ticker.why)
        self.plane = ControlPlane(self.doors, self.desired, fences, signals, Caller(name="simulation", role=Role.ADMIN))
        self.decision_s: list[float] = []
        self._due: list[tuple[float, int, str]] = []
        self._pending: dict[str, int] = {}
        self._numbers = itertools.count()
        self._catalog = catalog

    @property
    def now_s(self) -> float:
        """Seconds since the simulation began."""
        return (self.clock.now() - EPOCH).total_seconds()

    def build(self, service: str, version: str) -> str:
        """Build a version and return the id of the release it will be."""
        self._artifacts.seed(service, version)
        return pin(self._catalog.services[service], self.doors.artifacts.resolve(service, version), self.clock.now()).id

    def release_everything(self, version: str = "1.0.0") -> None:
        """Build and roll out the first release of every service, to the end."""
        for service in self._catalog.services:
            self.build(service, version)
            self.plane.deploy(service, version)
        self.run_until(lambda: not self.doors.rollouts.active())

    def run_until(self, over: Callable[[], bool], *, within_s: float = 7 * 86400.0) -> None:
        """Tick what is due, moving the clock from one due moment to the next, until `over` or nothing is due within the time."""
        limit = self.now_s + within_s
        while self._due and not over():
            moment = self._due[0][0]
            if moment > limit:
                return
            self.clock.advance(moment - self.now_s)
            self._round(self._take(moment))

    def run_to(self, moment_s: float) -> None:
        """Tick all that is due before `moment_s`, then move the clock there."""
        while self._due and self._due[0][0] <= moment_s:
            self.clock.advance(self._due[0][0] - self.now_s)
            self._round(self._take(self._due[0][0]))
        self.clock.advance(moment_s - self.now_s)

    def tick_everything(self) -> None:
        """Tick every service once, due or not: one round of the loop."""
        self._round(list(self._catalog.services))

    def _round(self, services: Sequence[str]) -> None:
        wanted, fleet = self.ticker.look()
        for service in services:
            again_in_s = self._tick(service, wanted, fleet)
            if service in wanted.current or again_in_s < IDLE_S:
                self._schedule(service, again_in_s)

    def _tick(self, service: str, wanted: Wanted, fleet: Fleet) -> float:
        began = perf_counter()
        again_in_s = self.ticker.tick(service, wanted, fleet)
        self.decision_s.append(perf_counter() - began)
        return again_in_s

    def _schedule(self, service: str, in_s: float) -> None:
        """Have the service ticked in so many seconds; the last wish counts. Services that are as they should be are left alone."""
        number = next(self._numbers)
        self._pending[service] = number
        heapq.heappush(self._due, (self.now_s + in_s, number, service))

    def _take(self, moment: float) -> list[str]:
        due: list[str] = []
        while self._due and self._due[0][0] <= moment:
            _, number, service = heapq.heappop(self._due)
            if self._pending.get(service) == number:
                due.append(service)
        return due
