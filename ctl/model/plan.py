"""Actions, decisions and plans: every change msxfctl can make to the world, as values."""

from dataclasses import dataclass
from datetime import datetime

from ctl.model.fleet import RegistryEntry, Routes
from ctl.model.rollout import Rollout


@dataclass(frozen=True, slots=True, kw_only=True)
class EnsureGroup:
    """Have `count` instances of the release that are not draining. Only ever grows or replaces: shrinking is DrainInstances."""

    service: str
    release: str
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SetRoutes:
    """Send the service's traffic exactly so."""

    service: str
    routes: Routes


@dataclass(frozen=True, slots=True, kw_only=True)
class DrainInstances:
    """Let these instances finish what they do until `deadline`, then be gone; their group is smaller by their number at once."""

    service: str
    release: str
    ids: tuple[str, ...]
    deadline: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoveGroup:
    """Forget an empty group."""

    service: str
    release: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Register:
    """Make these instances findable."""

    service: str
    entries: tuple[RegistryEntry, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Deregister:
    """Make these instances unfindable."""

    service: str
    ids: tuple[str, ...]


Action = EnsureGroup | SetRoutes | DrainInstances | RemoveGroup | Register | Deregister


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What to do now, the rollout as it stands afterwards (None: there is none), when to look again, and the sentence a person would say about it."""

    actions: tuple[Action, ...] = ()
    next_state: Rollout | None = None
    again_in_s: float
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanStep:
    """One line of a plan: what happens, why, and the sizes of the groups after it (release, size), oldest first."""

    at_s: float
    does: str
    why: str
    sizes: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a rollout will do if nothing disturbs it. `checksum` covers the desired and the observed state it was made from."""

    service: str
    from_release: str | None
    to_release: str
    steps: tuple[PlanStep, ...]
    lowest_available: int
    highest_total: int
    expected_s: float
    desired: int
    checksum: str
