"""How a rollout sees its groups, and what a phase may wish of them. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

from ctl.decide import groups as reading
from ctl.decide import routing, sizing
from ctl.decide.groups import Standing
from ctl.model.rollout import Phase, Rollout
from ctl.model.service import Handover, RolloutPolicy, Strategy
from ctl.model.situation import Situation


@dataclass(frozen=True, slots=True)
class View:
    """The groups as this rollout sees them: its target, the stable group it came from, and what is left of others (oldest first)."""

    target: Standing
    stable: Standing
    strays: tuple[Standing, ...]

    @property
    def olds(self) -> tuple[Standing, ...]:
        return (*self.strays, self.stable) if self.stable.release else self.strays

    @property
    def all(self) -> tuple[Standing, ...]:
        return (*self.olds, self.target)


@dataclass(frozen=True, slots=True)
class Wish:
    """What a phase wants of the groups: `grow` to these sizes, or where nothing can grow take `take` instances away.

    The traffic is shared by `weights` (None: by count, so that each instance gets the same), or with `hold` stays as it is in force.
    """

    grow: Mapping[str, int]
    take: Mapping[str, int]
    weights: Mapping[str, int] | None = None
    hold: bool = False


def view_of(rollout: Rollout, situation: Situation) -> View:
    target = reading.standing(situation, rollout.to_release)
    stable = reading.standing(situation, rollout.from_release)
    return View(target, stable, reading.others(situation, rollout.to_release, rollout.from_release))


def effective_strategy(rollout: Rollout, situation: Situation) -> Strategy:
    """Return how this rollout really goes: a first release, an undo, a single writer and a size of 0 roll; the rest follow their policy."""
    if situation.handover is Handover.STANDBY or not (rollout.desired or situation.desired):
        return Strategy.ROLLING
    return strategy_of(rollout)


def strategy_of(rollout: Rollout) -> Strategy:
    """Return how a rollout goes as far as it alone decides it: a first release, an undo to a known-good one and a canary without steps roll."""
    if rollout.from_release is None or rollout.skip_gates or (rollout.policy.strategy is Strategy.CANARY and not rollout.policy.steps):
        return Strategy.ROLLING
    return rollout.policy.strategy


def bounds(rollout: Rollout, situation: Situation) -> tuple[int, int]:
    """Return (surge, unavailable) in instances; a single writer hands over with one more and none missing, where `max_total` has room for it."""
    return bounds_of(rollout.policy, situation, rollout.desired or situation.desired)


def bounds_of(policy: RolloutPolicy, situation: Situation, desired: int) -> tuple[int, int]:
    if desired == 0:
        return 0, 0
    more, less = (1, 0) if situation.handover is Handover.STANDBY else sizing.resolve(policy.surge, policy.unavailable, desired)
    return sizing.capped(more, less, desired, policy.max_total)


def size_of(seen: View, release: str) -> int:
    return next((group.size for group in seen.all if group.release == release), 0)


def sizes(seen: View) -> str:
    return ", ".join(f"{group.release}: {group.size}" for group in seen.all if group.size or group is seen.target)


def unready(seen: View) -> str:
    good = {instance.id for instance in seen.target.available}
    rest = [one for one in seen.target.members if one.id not in good]
    return "; ".join(f"{one.id} is {one.phase}" + (f", {one.reason}" if one.reason else "") for one in rest[:3]) or "the target is available"


def fitting(rollout: Rollout, situation: Situation, seen: View) -> int:
    """Return how much of what is wanted fits `max_total`: two whole groups while they stand side by side, else one beside what is left of others."""
    most = at_most(situation.desired, rollout.policy)
    if rollout.policy.max_total is None:
        return most
    if rollout.phase is Phase.BAKING:
        return min(most, max(0, rollout.policy.max_total - sum(old.size for old in seen.olds)))
    if rollout.phase is Phase.ABORTING or effective_strategy(rollout, situation) is Strategy.ROLLING:
        return most
    return min(most, rollout.policy.max_total // 2)


def at_most(desired: int, policy: RolloutPolicy) -> int:
    return desired if policy.max_total is None else min(desired, policy.max_total)


def weights_now(rollout: Rollout, situation: Situation, seen: View) -> Mapping[str, int] | None:
    """Return the weights that belong to where the rollout stands; None (by count) where traffic follows the instances."""
    strategy, phase = effective_strategy(rollout, situation), rollout.paused_from or rollout.phase
    if strategy is Strategy.ROLLING:
        return None
    in_force = situation.routes.weight_of(seen.target.release)
    if phase is Phase.BAKING:
        return split(seen, 100)
    if strategy is Strategy.BLUE_GREEN:
        return split(seen, in_force if phase is Phase.PROMOTING else 0)
    step = rollout.policy.steps[rollout.step].weight_pct
    if phase is Phase.PROMOTING:
        moved = in_force == 100 and len(seen.target.available) >= len(seen.stable.available)
        return split(seen, 100 if moved else step)
    return split(seen, step if phase is Phase.JUDGING else min(in_force, step))


def split(seen: View, weight: int) -> Mapping[str, int]:
    """Give the target its weight and the rest to stable; where stable has nobody to carry it, to what is left of other releases."""
    rest = {old.release: len(old.available) for old in seen.strays if old.available}
    if seen.stable.available or not rest:
        return {seen.target.release: weight, seen.stable.release: 100 - weight}
    before = {release: share * (100 - weight) for release, share in routing.shares(rest).items()}
    return {seen.target.release: weight * 100, seen.stable.release: 0} | before


def journey(rollout: Rollout) -> str:
    return f"{rollout.service} {rollout.from_release or 'nothing'} → {rollout.to_release}"
