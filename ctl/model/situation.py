"""What one tick knows about one service: the desired state and one observation, side by side."""

from dataclasses import dataclass
from datetime import datetime

from ctl.model.fleet import Group, Reading, RegistryEntry, Routes
from ctl.model.service import Handover, RolloutPolicy


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """Everything a decision about one service may depend on, beside the rollout itself.

    `stable` is the release of the last certified rollout (None: there has been none). `desired` is the target an operator set, or else the catalog's
    number. `queued` says that a newer rollout waits for this one to end. `registered` None: the registry could not be asked.
    `held` says why the rollout may not be promoted now; empty: it may.
    """

    service: str
    policy: RolloutPolicy
    handover: Handover = Handover.NONE
    desired: int
    stable: str | None
    groups: tuple[Group, ...] = ()
    routes: Routes
    registered: tuple[RegistryEntry, ...] | None = ()
    readings: tuple[Reading, ...] = ()
    queued: bool = False
    held: str = ""
    now: datetime
