"""A control plane over memory: the real application layer, backends of memory, and a clock that is moved by hand."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from ctl.backends.artifacts.memory import MemoryArtifacts
from ctl.backends.catalog.memory import MemoryCatalog
from ctl.backends.clock import ManualClock
from ctl.backends.registry.memory import MemoryRegistry
from ctl.backends.runtimes.memory import MemoryRuntime
from ctl.backends.store.memory import MemoryFindings, MemoryJournal, MemoryLeases, MemoryReleases, MemoryRollouts, MemoryTargets, MemoryTokens
from ctl.backends.traffic.memory import MemoryTraffic
from ctl.control import recover
from ctl.control.desired import Desired
from ctl.control.doors import Doors, Signals
from ctl.control.fences import Fences
from ctl.control.plane import ControlPlane
from ctl.control.tick import Ticker
from ctl.model.access import Caller, Role
from ctl.model.event import Event
from ctl.model.fleet import Reading
from ctl.model.rollout import Rollout
from ctl.model.service import ArtifactSource, CanaryStep, Gate, Handover, Kind, RolloutPolicy, Service, Share, Strategy
from ctl.ports import Clock, Traffic

EPOCH = datetime(2030, 1, 1, tzinfo=UTC)
BRISK = RolloutPolicy(
    surge=Share(value=1),
    unavailable=Share(value=0),
    min_ready_s=0.5,
    healthy_deadline_s=10.0,
    progress_deadline_s=20.0,
    drain_s=5.0,
    bake_s=2.0,
    abort_scale_down_delay_s=1.0,
    scale_down_delay_s=1.0,
    gate=Gate(window_s=1.0),
    steps=(CanaryStep(weight_pct=50, step_s=2.0),),
)


def a_service(name: str = "risk", *, replicas: int = 2, policy: RolloutPolicy = BRISK, handover: Handover = Handover.NONE) -> Service:
    source = ArtifactSource(include=("app",), command=("python", "-m", "app"))
    return Service(
        name=name, domain="middle", owner="risk-team", tier=1, kind=Kind.HTTP, artifact=source, replicas=replicas, rollout=policy, handover=handover
    )


class Figures:
    """Traffic as the gateway's routes would spread it: every version fails as often as `error_pct` says."""

    def __init__(self, traffic: Traffic, clock: Clock) -> None:
        self.error_pct: dict[str, int] = {}
        self.is_quiet = False
        self._traffic = traffic
        self._clock = clock

    def read(self, services: Iterable[str], window_s: float, now: datetime) -> Mapping[str, tuple[Reading, ...]]:
        return {} if self.is_quiet else {service: self._of(service, window_s, now) for service in services}

    def _of(self, service: str, window_s: float, now: datetime) -> tuple[Reading, ...]:
        routes = self._traffic.routes().get(service)
        found = []
        for entry in routes.entries if routes else ():
            errors = self.error_pct.get(entry.release.rsplit("-", 1)[0], 0)
            figures = {"requests": 100, "errors": errors, "p99_ms": 10.0, "window_s": window_s, "at": now}
            found += [Reading(service=service, release=entry.release, instance=id, **figures) for id in entry.instances]
        return tuple(found)


def memory_doors(services: Iterable[Service], *, lag_s: float = 0.0, drain_s: float = 0.2, holder: str = "first") -> Doors:
    clock, journal = ManualClock(EPOCH), MemoryJournal()
    rollouts = MemoryRollouts(journal)
    traffic = MemoryTraffic(clock, lag_s=lag_s)
    return Doors(
        runtime=MemoryRuntime(clock, start_s=1.0, drain_s=drain_s),
        traffic=traffic,
        registry=MemoryRegistry(),
        metrics=Figures(traffic, clock),
        catalog=MemoryCatalog(services),
        artifacts=MemoryArtifacts(clock),
        releases=MemoryReleases(),
        rollouts=rollouts,
        findings=MemoryFindings(journal, rollouts),
        targets=MemoryTargets(),
        journal=journal,
        leases=MemoryLeases(),
        tokens=MemoryTokens(),
        clock=clock,
        holder=holder,
        root=Path("/nowhere"),
    )


class Stage:
    """One process over the doors: its plane, and its ticks, made by hand. `is_gone` names the holders that are known to be dead."""

    def __init__(self, doors: Doors, *, is_gone: Callable[[str], bool] = lambda holder: False) -> None:
        self.doors = doors
        self.desired = Desired(doors)
        self.fences = Fences(doors, is_gone)
        self.ticker = Ticker(doors, self.desired, self.fences)
        self.woken: list[str] = []
        self.stopped: list[bool] = []
        signals = Signals(wake=self.woken.append, stop=self.stopped.append, why=self.ticker.why)
        self.plane = ControlPlane(doors, self.desired, self.fences, signals, Caller(name="ann", role=Role.ADMIN))

    def tick(self, service: str = "risk") -> float:
        wanted, fleet = self.ticker.look()
        return self.ticker.tick(service, wanted, fleet)

    def go(self, *, until: Callable[[], bool] | None = None, service: str = "risk", longest_s: float = 200.0) -> None:
        """Tick until nothing of the service is active any more (or until `until` holds)."""
        clock = self.doors.clock
        assert isinstance(clock, ManualClock)
        began = clock.now()
        while not (until() if until else not self.active(service)):
            clock.advance(min(self.tick(service), 1.0))
            assert (clock.now() - began).total_seconds() < longest_s, f"it takes too long: {self.ticker.why(service)}"

    def settle(self, service: str = "risk", for_s: float = 4.0) -> None:
        """Tick on for a while: what is left goes."""
        clock = self.doors.clock
        assert isinstance(clock, ManualClock)
        began = clock.now()
        self.go(service=service, until=lambda: (clock.now() - began).total_seconds() > for_s)

    def recover(self) -> int:
        return recover.close_open_intents(self.doors, self.ticker.look()[1])

    def live(self, version: str, service: str = "risk") -> Rollout:
        """Build and deploy a version to its end."""
        self.build(version, service)
        started = self.plane.deploy(service, version)
        self.go(service=service)
        return self.doors.rollouts.load(started["id"])

    def build(self, version: str, service: str = "risk") -> None:
        artifacts = self.doors.artifacts
        assert isinstance(artifacts, MemoryArtifacts)
        artifacts.seed(service, version)

    def active(self, service: str = "risk") -> list[Rollout]:
        return [one for one in self.doors.rollouts.active() if one.service == service]

    def last(self, service: str = "risk") -> Rollout:
        return self.doors.rollouts.history(service, 1)[0]

    def sizes(self, service: str = "risk") -> dict[str, int]:
        """Return how many instances of each version there are."""
        groups = self.doors.runtime.observe().get(service, ())
        return {group.release.rsplit("-", 1)[0]: len(group.instances) for group in groups if group.instances}

    def weights(self, service: str = "risk") -> dict[str, int]:
        routes = self.doors.traffic.routes().get(service)
        return {entry.release.rsplit("-", 1)[0]: entry.weight_pct for entry in routes.entries} if routes else {}

    def events(self, kind: str = "") -> list[Event]:
        return list(self.doors.journal.read(0, 100_000, kind=kind))

    def phases(self, rollout: str) -> list[str]:
        return [str(event.body["to"]) for event in self.events("rollout.phase") if event.rollout == rollout]


def rolled_by(strategy: Strategy, **fields: object) -> RolloutPolicy:
    return replace(BRISK, strategy=strategy, **fields)
