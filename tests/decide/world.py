"""An imagined service that obeys every action, with the troubles of the real world: slow starts, crashes, lost instances, slow drains, lagging routes."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from ctl.decide import routing
from ctl.model.fleet import Group, Instance, InstancePhase, Reading, RegistryEntry, RouteEntry, Routes
from ctl.model.plan import Action, Deregister, DrainInstances, EnsureGroup, Register, RemoveGroup, SetRoutes
from ctl.model.rollout import Rollout
from ctl.model.service import Handover, RolloutPolicy
from ctl.model.situation import Situation

EPOCH = datetime(2030, 1, 1, tzinfo=UTC)
SERVICE = "risk"
REQUESTS = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class Nature:
    """How instances of one release behave. `start_s` None: never ready; `crash_after_s`: how long each process lives (None: for good)."""

    start_s: float | None = 1.0
    crash_after_s: float | None = None
    error_pct: int = 0
    p99_ms: float = 10.0


GOOD, NEVER_READY, CRASHING, FAILING = Nature(), Nature(start_s=None), Nature(start_s=None, crash_after_s=1.0), Nature(error_pct=30)


@dataclass(frozen=True, slots=True, kw_only=True)
class Terrain:
    """What surrounds the instances: how long drains and the gateway take, whether there is traffic, how a single writer hands over."""

    drain_s: float = 0.0
    lag_s: float = 0.0
    traffic: bool = True
    handover: Handover = Handover.NONE


class World:
    """One service: instances, group records, routes in force and registry. Time passes only in advance()."""

    def __init__(self, policy: RolloutPolicy, desired: int, natures: Mapping[str, Nature], terrain: Terrain = Terrain()) -> None:
        self.policy, self.desired, self.natures, self.terrain = policy, desired, dict(natures), terrain
        self.now = EPOCH
        self.stable: str | None = None
        self.queued = False
        self.held = ""
        self.members: dict[str, Instance] = {}
        self.asked: dict[str, int] = {}
        self.in_force = Routes(service=SERVICE)
        self.registered: dict[str, RegistryEntry] = {}
        self.starts: list[str] = []
        self.pending: Routes | None = None
        self._applies_at = EPOCH
        self._gone_at: dict[str, datetime] = {}
        self._made = 0
        self._writer = ""

    # --- what decisions see ---

    def situation(self, rollout: Rollout | None = None) -> Situation:
        releases = sorted({*self.asked, *(one.release for one in self.members.values())})
        return Situation(
            service=SERVICE,
            policy=rollout.policy if rollout else self.policy,
            handover=self.terrain.handover,
            desired=self.desired,
            stable=self.stable,
            groups=tuple(self._group(release) for release in releases),
            routes=self.in_force,
            registered=tuple(sorted(self.registered.values(), key=lambda entry: entry.id)),
            readings=self._readings(),
            queued=self.queued,
            held=self.held,
            now=self.now,
        )

    def size(self, release: str | None) -> int:
        return sum(1 for one in self.members.values() if one.release == release and one.is_counted)

    def is_settled(self) -> bool:
        """Whether nothing is on its way: no drain, no pending routes."""
        return self.pending is None and all(one.is_counted for one in self.members.values())

    # --- what actions do ---

    def apply(self, action: Action) -> None:
        match action:
            case EnsureGroup():
                self._ensure(action.release, action.count)
            case SetRoutes():
                if routing.differs(action.routes, self.pending or self.in_force):
                    self.pending, self._applies_at = action.routes, self.now + timedelta(seconds=self.terrain.lag_s)
                self._settle_routes()
            case DrainInstances():
                self._drain(action)
            case RemoveGroup():
                self.members = {id: one for id, one in self.members.items() if one.release != action.release}
                self.asked.pop(action.release, None)
            case Register():
                self.registered.update({entry.id: entry for entry in action.entries})
            case Deregister():
                self.registered = {id: entry for id, entry in self.registered.items() if id not in action.ids}

    def begin(self, release: str, count: int) -> None:
        """Have `count` instances of a certified release live since long ago."""
        self.stable = release
        self._ensure(release, count)
        long_ago = self.now - timedelta(days=1)
        for id, one in self.members.items():
            ready = self.natures[release].start_s is not None
            phase = InstancePhase.READY if ready else InstancePhase.UNREADY
            self.members[id] = replace(one, phase=phase, since=long_ago, created_at=long_ago)
        self._hand_over()
        live = [one for one in self.members.values() if self.terrain.handover is Handover.NONE or one.id == self._writer]
        if live:
            entry = RouteEntry(release=release, weight_pct=100, instances=tuple(one.id for one in live), addresses=tuple(one.address for one in live))
            self.in_force = Routes(service=SERVICE, entries=(entry,))
        self.registered = {one.id: RegistryEntry(id=one.id, service=SERVICE, release=release, address=one.address) for one in live}

    def _ensure(self, release: str, count: int) -> None:
        missing = count - self.size(release)
        self.asked[release] = max(count, self.size(release))
        for _ in range(missing):
            self._made += 1
            name = f"{SERVICE}-{release}-{self._made:03}"
            address = f"127.0.0.1:{18000 + self._made}"
            born = {"phase": InstancePhase.STARTING, "since": self.now, "created_at": self.now}
            self.members[name] = Instance(id=name, service=SERVICE, release=release, address=address, **born)
            self.starts.append(name)

    def _drain(self, action: DrainInstances) -> None:
        for id in action.ids:
            one = self.members.get(id)
            if one is None or not one.is_counted:
                continue
            self.asked[one.release] -= 1
            self.members[id] = replace(one, phase=InstancePhase.DRAINING, since=self.now, drain_by=action.deadline)
            self._gone_at[id] = min(action.deadline, self.now + timedelta(seconds=self.terrain.drain_s))
        self._age()

    # --- what time and trouble do ---

    def advance(self, seconds: float) -> None:
        self.now += timedelta(seconds=max(seconds, 0.001))
        self._settle_routes()
        self._age()

    def crash(self, id: str) -> None:
        """Its process dies; the runtime starts it again in its slot."""
        one = self.members.get(id)
        if one is not None and one.is_counted:
            reborn = {"phase": InstancePhase.STARTING, "since": self.now, "created_at": self.now, "reason": "exit status 1"}
            self.members[id] = replace(one, generation=one.generation + 1, restarts=one.restarts + 1, **reborn)
            self._writer = "" if self._writer == id else self._writer
            self._hand_over()

    def lose(self, id: str) -> None:
        """The runtime no longer knows it; what was asked of its group stays."""
        self.members.pop(id, None)
        self._hand_over()

    def lose_group(self, release: str) -> None:
        """Instances and record of a group are gone together, as when a host is."""
        self.members = {id: one for id, one in self.members.items() if one.release != release}
        self.asked.pop(release, None)
        self._hand_over()

    def _settle_routes(self) -> None:
        if self.pending is not None and self.now >= self._applies_at:
            self.in_force, self.pending = self.pending, None

    def _age(self) -> None:
        for id, one in list(self.members.items()):
            nature = self.natures[one.release]
            if one.phase is InstancePhase.DRAINING:
                if self.now >= self._gone_at[id]:
                    del self.members[id]
            elif nature.crash_after_s is not None and self.now >= one.created_at + timedelta(seconds=nature.crash_after_s):
                self.crash(id)
            elif one.phase is InstancePhase.STARTING and nature.start_s is not None:
                ready_at = one.created_at + timedelta(seconds=nature.start_s)
                if self.now >= ready_at:
                    self.members[id] = replace(one, phase=self._risen(), since=ready_at, reason="")
        self._hand_over()

    def _risen(self) -> InstancePhase:
        return InstancePhase.STANDBY if self.terrain.handover is Handover.STANDBY else InstancePhase.READY

    def _hand_over(self) -> None:
        """The writer lock goes to the oldest standby once its holder has gone."""
        if self.terrain.handover is not Handover.STANDBY:
            return
        if self._writer not in self.members:
            waiting = [one for one in self.members.values() if one.phase in (InstancePhase.STANDBY, InstancePhase.READY)]
            self._writer = waiting[0].id if waiting else ""
        for id, one in self.members.items():
            if one.phase is InstancePhase.STANDBY and id == self._writer:
                self.members[id] = replace(one, phase=InstancePhase.READY, since=self.now)
            elif one.phase is InstancePhase.READY and id != self._writer:
                self.members[id] = replace(one, phase=InstancePhase.STANDBY)

    def _group(self, release: str) -> Group:
        members = tuple(one for one in self.members.values() if one.release == release)
        return Group(service=SERVICE, release=release, desired=self.asked.get(release, 0), instances=members)

    def _readings(self) -> tuple[Reading, ...]:
        if not self.terrain.traffic:
            return ()
        return tuple(
            self._reading(self.members[id], REQUESTS * entry.weight_pct // (100 * len(entry.instances)))
            for entry in self.in_force.entries
            for id in entry.instances
            if id in self.members and self.members[id].phase is InstancePhase.READY
        )

    def _reading(self, one: Instance, requests: int) -> Reading:
        nature = self.natures[one.release]
        errors = requests * nature.error_pct // 100
        figures = {"requests": requests, "errors": errors, "p99_ms": nature.p99_ms}
        return Reading(service=SERVICE, release=one.release, instance=one.id, window_s=self.policy.gate.window_s, at=self.now, **figures)
