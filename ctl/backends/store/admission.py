"""What must hold before a rollout's new state may be stored. Pure: the same rules for every kind of store."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from ctl.errors import Refused, StaleRevision
from ctl.model.finding import Concerns
from ctl.model.rollout import TERMINAL, Phase, Rollout

AGAIN = "read the rollout again and decide anew"


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What is stored of a rollout now, as far as saving it again depends on it."""

    service: str
    version: int
    phase: Phase


def place(rollout: Rollout) -> str:
    """Name the place a rollout takes among those of its service: "planned", "moving", or "" when it is terminal."""
    if not rollout.is_active:
        return ""
    return "planned" if rollout.phase is Phase.PLANNED else "moving"


def check(rollout: Rollout, stored: Standing | None, *, fence: int, highest: int) -> None:
    """Refuse a state that was decided on something old. Raises StaleRevision."""
    what = f"cannot save rollout {rollout.id} of {rollout.service}"
    if fence < highest:
        found = f"our fence {fence}, highest seen {highest}"
        raise StaleRevision(f"{what}: somebody else acts on the service now", found=found, remedy="let the new holder go on")
    if stored is None and rollout.version == 0:
        return
    if stored is None:
        raise StaleRevision(f"{what}: it is not stored", found=f"version {rollout.version} asked for, none stored", remedy=AGAIN)
    if stored.service != rollout.service:
        raise StaleRevision(f"{what}: the id belongs to {stored.service}", found=stored.service, remedy=AGAIN)
    if stored.phase in TERMINAL:
        raise StaleRevision(f"{what}: it has ended", found=f"phase {stored.phase.value}", remedy="start a new rollout")
    if stored.version != rollout.version:
        raise StaleRevision(f"{what}: it has changed since it was read", found=f"version {stored.version}, ours {rollout.version}", remedy=AGAIN)


def check_concerns(concerns: Concerns, stored: int, *, fence: int, highest: int) -> None:
    """Refuse findings that were settled on something old; `stored` is the version there is (0: none). Raises StaleRevision."""
    what = f"cannot save the findings of {concerns.service}"
    if fence < highest:
        found = f"our fence {fence}, highest seen {highest}"
        raise StaleRevision(f"{what}: somebody else acts on the service now", found=found, remedy="let the new holder go on")
    if stored != concerns.version:
        raise StaleRevision(f"{what}: they have changed since they were read", found=f"version {stored}, ours {concerns.version}", remedy=AGAIN)


def check_new(rollout: Rollout, taken: Iterable[int]) -> None:
    """Refuse a new rollout under a revision that exists. Raises StaleRevision."""
    if rollout.revision in taken:
        what = f"cannot save rollout {rollout.id} of {rollout.service}: revision {rollout.revision} exists"
        raise StaleRevision(what, found=f"revision {rollout.revision}", remedy=AGAIN)


def check_place(rollout: Rollout, other: str | None) -> None:
    """Refuse a second rollout in the same place of a service; `other` is the one that has it. Raises Refused."""
    if other is None or other == rollout.id:
        return
    raise Refused(
        f"cannot save rollout {rollout.id} of {rollout.service} as {rollout.phase.value}: one is {place(rollout)} already",
        found=other,
        remedy=f"let {other} end, or abort it",
    )


def grown(rollout: Rollout) -> Rollout:
    """Return the rollout as it is stored: one version on."""
    return replace(rollout, version=rollout.version + 1)
