"""A runtime in memory, moved by the clock it is given: for tests, plans and simulations with thousands of instances. It fails on purpose when told to."""

import heapq
import itertools
import threading
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import IntEnum
from types import MappingProxyType

from ctl.backends.runtimes import backoff
from ctl.errors import BackendError, NotFound
from ctl.model.finding import Finding
from ctl.model.fleet import Group, Instance, InstancePhase
from ctl.model.release import Release
from ctl.model.service import Handover
from ctl.ports import Clock, Wake

KEPT_LOGS, KEPT_LINES = 20, 200
SERVING = (InstancePhase.READY, InstancePhase.STANDBY)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What is wrong with a release on purpose: `crash_after_s` ends every process that long after its start, `never_ready` keeps it starting."""

    never_ready: bool = False
    crash_after_s: float | None = None


class _Due(IntEnum):
    START = 1
    UP = 2
    CRASH = 3
    GONE = 4


@dataclass(slots=True)
class _Slot:
    release: Release
    instance: Instance
    streak: int = 0
    lines: deque[str] = field(default_factory=lambda: deque(maxlen=KEPT_LINES))


@dataclass(slots=True)
class _Group:
    release: Release
    slots: dict[str, _Slot] = field(default_factory=dict)
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))


class MemoryRuntime:
    """Instances are up `start_s` after their start and gone `drain_s` after they were told to drain, at their deadline at the latest.

    Whatever the clock has made due happens at the next call. `reachable = False` makes every call fail.
    """

    def __init__(self, clock: Clock, *, start_s: float = 1.0, drain_s: float = 1.0, hosts: int = 1) -> None:
        self.reachable = True
        self._clock = clock
        self._start_s, self._drain_s, self._hosts = start_s, drain_s, max(1, hosts)
        self._lock = threading.RLock()
        self._groups: dict[str, dict[str, _Group]] = {}
        self._slots: dict[str, _Slot] = {}
        self._holding: dict[str, set[str]] = {}
        self._due: list[tuple[datetime, int, _Due, str, int]] = []
        self._places, self._orders = itertools.count(), itertools.count()
        self._faults: dict[tuple[str, str], Fault] = {}
        self._gone: dict[str, deque[str]] = {}
        self._lines: dict[str, deque[str]] = {}
        self._changed: set[str] = set()
        self._seen: dict[str, tuple[Group, ...]] = {}
        self._wakes: list[Wake] = []

    def observe(self) -> Mapping[str, tuple[Group, ...]]:
        with self._moment("observe the instances"):
            return MappingProxyType(self._seen)

    def ensure(self, release: Release, count: int) -> None:
        with self._moment(f"start instances of {release.service} {release.id}") as now:
            group = self._groups.setdefault(release.service, {}).setdefault(release.id, _Group(release))
            missing = count - sum(slot.instance.is_counted for slot in group.slots.values())
            for _ in range(missing):
                self._add(group, now)
            self._changed.add(release.service)

    def drain(self, ids: Sequence[str], deadline: datetime) -> None:
        with self._moment("drain instances") as now:
            for slot in [self._slots[each] for each in ids if each in self._slots]:
                if slot.instance.is_counted:
                    self._drain(slot, deadline, now)

    def remove(self, service: str, release: str) -> None:
        with self._moment(f"remove {service} {release}") as now:
            group = self._groups.get(service, {}).get(release)
            for slot in list(group.slots.values()) if group else ():
                self._end(slot, now)
            if group:
                del self._groups[service][release]
                self._changed.add(service)

    def logs(self, instance: str, last: int) -> Sequence[str]:
        with self._moment(f"read the output of {instance}"):
            lines = self._lines.get(instance)
            if lines is None:
                raise NotFound(f"there is no output of an instance {instance!r}", remedy="see `msxfctl status SERVICE` for the instances there are")
            return tuple(lines)[-last:] if last > 0 else ()

    def on_change(self, wake: Wake) -> None:
        self._wakes.append(wake)

    def break_release(self, service: str, release: str, fault: Fault) -> None:
        """Have every process of the release that starts from now on suffer this; Fault() mends it."""
        self._faults[service, release] = fault

    def drains_in(self, seconds: float) -> None:
        """Have every instance that is told to drain from now on take so long."""
        self._drain_s = seconds

    def crash(self, instance: str) -> None:
        """End an instance's process as if it had been killed; it starts again in its slot. Raises NotFound."""
        with self._moment(f"crash {instance}") as now:
            slot = self._slots.get(instance)
            if slot is None:
                raise NotFound(f"there is no instance {instance!r}")
            self._ended(slot, now, "killed by SIGKILL")

    def finds(self, instance: str, findings: tuple[Finding, ...] | None) -> None:
        """Have an instance say that it has found this, until its process ends. Raises NotFound."""
        with self._moment(f"have {instance} find something"):
            slot = self._slots.get(instance)
            if slot is None:
                raise NotFound(f"there is no instance {instance!r}")
            slot.instance = replace(slot.instance, findings=findings)
            self._changed.add(slot.instance.service)

    def next_change(self) -> datetime | None:
        """Return when something happens by itself next; None: nothing will. For simulations that jump from change to change."""
        with self._lock:
            while self._due and not self._is_current(self._due[0]):
                heapq.heappop(self._due)
            return self._due[0][0] if self._due else None

    @contextmanager
    def _moment(self, what: str) -> Iterator[datetime]:
        """Let happen what is due, give the time to act at, publish what changed, and then wake whoever asked for it."""
        if not self.reachable:
            raise BackendError(f"could not {what}", found="the memory runtime is switched off")
        with self._lock:
            now = self._clock.now()
            self._catch_up(now)
            woken = self._publish()
            yield now
            self._catch_up(now)
            woken |= self._publish()
        for service in sorted(woken) if self._wakes else ():
            for wake in self._wakes:
                wake(service)

    def _catch_up(self, now: datetime) -> None:
        while self._due and self._due[0][0] <= now:
            row = heapq.heappop(self._due)
            if self._is_current(row):
                self._happen(self._slots[row[3]], row[2], row[0])

    def _is_current(self, row: tuple[datetime, int, _Due, str, int]) -> bool:
        slot = self._slots.get(row[3])
        return slot is not None and slot.instance.generation == row[4] and (slot.instance.is_counted or row[2] is _Due.GONE)

    def _happen(self, slot: _Slot, due: _Due, at: datetime) -> None:
        match due:
            case _Due.START:
                self._start(slot, at)
            case _Due.UP:
                self._up(slot, at)
            case _Due.CRASH:
                self._ended(slot, at, f"exit status 1 after {(at - slot.instance.created_at).total_seconds():.1f} s: broken on purpose")
            case _Due.GONE:
                self._end(slot, at)

    def _add(self, group: _Group, now: datetime) -> None:
        release, place = group.release, next(self._places)
        instance = Instance(
            id=f"{release.service}-{release.id}-{next(group.numbers)}",
            service=release.service,
            release=release.id,
            generation=0,
            address=f"10.{place >> 16 & 255}.{place >> 8 & 255}.{place & 255}:8080",
            host="localhost" if self._hosts == 1 else f"host-{place % self._hosts + 1:04}",
            phase=InstancePhase.STARTING,
            since=now,
            created_at=now,
            restarts=-1,
        )
        slot = self._slots[instance.id] = group.slots[instance.id] = _Slot(release, instance)
        self._lines[instance.id] = slot.lines
        self._start(slot, now)

    def _start(self, slot: _Slot, at: datetime) -> None:
        before = slot.instance
        slot.instance = replace(before, generation=before.generation + 1, restarts=before.restarts + 1, created_at=at, findings=None)
        self._enter(slot, InstancePhase.STARTING, at, before.reason)
        fault = self._faults.get((before.service, before.release), Fault())
        if not fault.never_ready:
            self._later(slot, _Due.UP, at + timedelta(seconds=self._start_s))
        if fault.crash_after_s is not None:
            self._later(slot, _Due.CRASH, at + timedelta(seconds=fault.crash_after_s))

    def _up(self, slot: _Slot, at: datetime) -> None:
        if slot.instance.phase in SERVING:
            return
        waits = slot.release.handover is Handover.STANDBY and self._holding.get(slot.instance.service)
        self._enter(slot, InstancePhase.STANDBY if waits else InstancePhase.READY, at, "waits for the writer lock" if waits else "")

    def _ended(self, slot: _Slot, at: datetime, reason: str) -> None:
        """A process ended unasked: it starts again after its back-off, unless it was leaving anyway."""
        one = slot.instance
        if not one.is_counted:
            self._end(slot, at)
            return
        slot.streak = backoff.streak_after(slot.streak, (at - one.since).total_seconds() if one.phase in SERVING else 0.0)
        self._enter(slot, InstancePhase.UNREADY, at, reason)
        self._later(slot, _Due.START, at + timedelta(seconds=backoff.delay_s(slot.streak)))
        self._let_go(slot, at)

    def _drain(self, slot: _Slot, deadline: datetime, now: datetime) -> None:
        slot.instance = replace(slot.instance, drain_by=deadline)
        self._enter(slot, InstancePhase.DRAINING, now, "")
        self._later(slot, _Due.GONE, max(now, min(deadline, now + timedelta(seconds=self._drain_s))))

    def _end(self, slot: _Slot, at: datetime) -> None:
        one = slot.instance
        del self._slots[one.id], self._groups[one.service][one.release].slots[one.id]
        slot.lines.append(f"{at.isoformat()} gone")
        self._changed.add(one.service)
        gone = self._gone.setdefault(one.service, deque())
        gone.append(one.id)
        if len(gone) > KEPT_LOGS and (oldest := gone.popleft()) not in self._slots:
            self._lines.pop(oldest, None)
        self._let_go(slot, at)

    def _enter(self, slot: _Slot, phase: InstancePhase, at: datetime, reason: str) -> None:
        slot.instance = replace(slot.instance, phase=phase, since=at, reason=reason)
        slot.lines.append(f"{at.isoformat()} {phase.value}{': ' if reason else ''}{reason}")
        self._changed.add(slot.instance.service)
        if phase is InstancePhase.READY:
            self._holding.setdefault(slot.instance.service, set()).add(slot.instance.id)

    def _let_go(self, slot: _Slot, at: datetime) -> None:
        """The process is gone; when it was the last that could hold the writer lock, the standby that has waited longest takes it."""
        holding = self._holding.get(slot.instance.service, set())
        if slot.instance.id not in holding:
            return
        holding.discard(slot.instance.id)
        groups = self._groups.get(slot.instance.service, {}).values()
        waiting = [each for group in groups for each in group.slots.values() if each.instance.phase is InstancePhase.STANDBY]
        if waiting and not holding:
            self._enter(min(waiting, key=lambda each: (each.instance.since, each.instance.id)), InstancePhase.READY, at, "")

    def _later(self, slot: _Slot, due: _Due, at: datetime) -> None:
        heapq.heappush(self._due, (at, next(self._orders), due, slot.instance.id, slot.instance.generation))

    def _publish(self) -> set[str]:
        changed, self._changed = self._changed, set()
        if changed:
            self._seen = {**self._seen, **{service: self._look(service) for service in changed}}
        for service in [each for each in changed if not self._groups.get(each)]:
            del self._seen[service]
            self._groups.pop(service, None)
        return changed

    def _look(self, service: str) -> tuple[Group, ...]:
        return tuple(self._group(group) for group in self._groups.get(service, {}).values())

    def _group(self, group: _Group) -> Group:
        instances = tuple(slot.instance for slot in group.slots.values())
        desired = sum(one.is_counted for one in instances)
        return Group(service=group.release.service, release=group.release.id, desired=desired, instances=instances)
