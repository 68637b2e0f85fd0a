"""Reading a group: who counts, who is available, who goes first. Pure."""

from collections.abc import Sequence, Set
from dataclasses import dataclass
from datetime import datetime

from ctl.decide.sizing import Size
from ctl.model.fleet import Group, Instance, InstancePhase
from ctl.model.service import Handover
from ctl.model.situation import Situation


@dataclass(frozen=True, slots=True)
class Standing:
    """One group at one moment: `members` are the instances that count to its size, `available` those of them that may carry traffic.

    `asked` is the size last asked of the runtime: more than `size` where instances are lost that nobody will restart.
    """

    release: str
    members: tuple[Instance, ...] = ()
    available: tuple[Instance, ...] = ()
    ready: int = 0
    leaving: int = 0
    asked: int = 0

    @property
    def size(self) -> int:
        return len(self.members)

    @property
    def as_size(self) -> Size:
        return Size(self.release, self.size, len(self.available))


def is_available(instance: Instance, situation: Situation) -> bool:
    """Whether it has been ready for min_ready_s; of a single writer, a standby for so long, and the one that writes at once: there is no other."""
    if situation.handover is Handover.STANDBY and instance.phase is InstancePhase.READY:
        return True
    ready = instance.phase is InstancePhase.READY or (instance.phase is InstancePhase.STANDBY and situation.handover is Handover.STANDBY)
    return ready and (situation.now - instance.since).total_seconds() >= situation.policy.min_ready_s


def standing(situation: Situation, release: str | None) -> Standing:
    """Return how the group of `release` stands; a release without a group has an empty one."""
    group = next((group for group in situation.groups if group.release == release), None)
    return _standing(situation, group) if group else Standing(release or "")


def _standing(situation: Situation, group: Group) -> Standing:
    members = tuple(instance for instance in group.instances if instance.is_counted)
    available = tuple(instance for instance in members if is_available(instance, situation))
    ready = sum(1 for instance in members if instance.phase is InstancePhase.READY)
    return Standing(group.release, members, available, ready, len(group.instances) - len(members), group.desired)


def others(situation: Situation, *releases: str | None) -> tuple[Standing, ...]:
    """Return every group but those of `releases`, oldest first (by its oldest instance)."""
    rest = [group for group in situation.groups if group.release not in releases]
    return tuple(_standing(situation, group) for group in sorted(rest, key=_born))


def leaves_first(group: Standing, count: int, routed: Set[str]) -> tuple[Instance, ...]:
    """Choose who goes: unhealthy before healthy, already out of the traffic before routed, then the youngest."""
    if count <= 0:
        return ()
    good = {instance.id for instance in group.available}
    by_rank = sorted(group.members, key=lambda instance: (instance.id in good, instance.id in routed, -instance.created_at.timestamp(), instance.id))
    return tuple(by_rank[:count])


def crash_loops(target: Standing, stable: Standing) -> bool:
    """Whether every instance of the target has restarted at least twice, and more often than any of stable's."""
    usual = max((instance.restarts for instance in stable.members), default=0)
    return bool(target.members) and all(instance.restarts >= 2 and instance.restarts > usual for instance in target.members)


def unhealthy_since(target: Standing, deadline_s: float, now: datetime) -> Sequence[Instance]:
    """Return the members that have had longer than `deadline_s` since their start and are not available."""
    good = {instance.id for instance in target.available}
    return [one for one in target.members if one.id not in good and (now - one.created_at).total_seconds() > deadline_s]


def lost_for_good(group: Standing, patience_s: float, now: datetime) -> Sequence[Instance]:
    """Return the members that nobody should wait for: not available, and either crashing again and again or not ready for longer than `patience_s`."""
    good = {instance.id for instance in group.available}
    return [one for one in group.members if one.id not in good and (one.restarts >= 2 or (now - one.since).total_seconds() > patience_s)]


def _born(group: Group) -> tuple[float, str]:
    return min((instance.created_at.timestamp() for instance in group.instances), default=0.0), group.release
