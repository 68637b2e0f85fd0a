"""What the supervisor knows: groups and their slots. Owned by the supervisor's thread; everybody else sees Group and Instance values made from them."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime

from ctl.backends.runtimes.local.processes import Process
from ctl.backends.runtimes.local.readiness import Standing
from ctl.model.fleet import Group, Instance, InstancePhase
from ctl.model.release import Release

START_OF_TIME = datetime.fromtimestamp(0, UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class SlotRecord:
    """A slot as it is kept across supervisors. `generation` 0 has had no process yet; `streak` counts its crashes in a row."""

    number: int
    port: int
    generation: int = 0
    streak: int = 0
    phase: InstancePhase = InstancePhase.STARTING
    since: datetime
    created_at: datetime
    reason: str = ""
    drain_by: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupRecord:
    """A group as run/groups/<service>@<release>.json keeps it; the slots that are not draining are its desired size."""

    release: Release
    next_number: int
    slots: tuple[SlotRecord, ...] = ()


@dataclass(slots=True, eq=False)
class Slot:
    """One instance: its place in the group, and the process in it, if there is one.

    `timer` is its next restart or its drain deadline, `hurried_until` is until when it is asked often (in the loop's time), `is_launching` that an
    order for its next process is on its way, `is_dropped` that it has left its group, `verdict` why we end its process ourselves.
    """

    cohort: "Cohort"
    number: int
    port: int
    generation: int = 0
    streak: int = 0
    phase: InstancePhase = InstancePhase.STARTING
    since: datetime = START_OF_TIME
    created_at: datetime = START_OF_TIME
    reason: str = ""
    drain_by: datetime | None = None
    process: Process | None = None
    pidfd: int | None = None
    standing: Standing = field(default_factory=Standing)
    timer: asyncio.TimerHandle | None = None
    hurried_until: float = 0.0
    is_launching: bool = False
    is_dropped: bool = False
    verdict: str = ""

    @property
    def id(self) -> str:
        return f"{self.cohort.release.service}-{self.cohort.release.id}-{self.number}"

    @property
    def is_draining(self) -> bool:
        return self.phase is InstancePhase.DRAINING

    def instance(self, zone: str) -> Instance:
        return Instance(
            id=self.id,
            service=self.cohort.release.service,
            release=self.cohort.release.id,
            generation=max(1, self.generation),
            address=f"127.0.0.1:{self.port}",
            zone=zone,
            phase=self.phase,
            since=self.since,
            created_at=self.created_at,
            restarts=max(0, self.generation - 1),
            reason=self.reason,
            pid=self.process.pid if self.process else None,
            drain_by=self.drain_by,
            findings=self.standing.findings,
        )

    def record(self) -> SlotRecord:
        return SlotRecord(
            number=self.number,
            port=self.port,
            generation=self.generation,
            streak=self.streak,
            phase=self.phase,
            since=self.since,
            created_at=self.created_at,
            reason=self.reason,
            drain_by=self.drain_by,
        )

    def stop_timer(self) -> None:
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None


@dataclass(slots=True, eq=False)
class Cohort:
    """A group in the supervisor's hands. `turn` keeps those apart that start or end its processes; `is_closing` while it is removed."""

    release: Release
    next_number: int = 1
    slots: dict[int, Slot] = field(default_factory=dict)
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    is_closing: bool = False

    @property
    def key(self) -> tuple[str, str]:
        return self.release.service, self.release.id

    @property
    def members(self) -> Iterator[Slot]:
        """The slots that count to its size."""
        return (slot for slot in self.slots.values() if not slot.is_draining)

    def add(self, port: int, now: datetime) -> Slot:
        slot = self.slots[self.next_number] = Slot(self, self.next_number, port, since=now, created_at=now)
        self.next_number += 1
        return slot

    def group(self, zone: str) -> Group:
        instances = tuple(slot.instance(zone) for slot in self.slots.values())
        desired = sum(one.is_counted for one in instances)
        return Group(service=self.release.service, release=self.release.id, desired=desired, instances=instances)

    def record(self) -> GroupRecord:
        return GroupRecord(release=self.release, next_number=self.next_number, slots=tuple(slot.record() for slot in self.slots.values()))
