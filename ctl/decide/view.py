"""How a rollout sees its groups, and what a phase may wish of them. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

from ctl.decide import groups as reading
from ctl.decide import routing, sizing
from ctl.decide.groups import Standing
from ctl.model.rollout import Rollout
from ctl.model.service import Handover, Strategy
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
    """What a phase wants of the groups: `grow` to these sizes, or else take `take` instances away, with the traffic shared by `weights` (None: by count)."""

    grow: Mapping[str, int]
    take: Mapping[str, int]
    weights: Mapping[str, int] | None = None


def view_of(rollout: Rollout, situation: Situation) -> View:
    target = reading.standing(situation, rollout.to_release)
    stable = reading.standing(situation, rollout.from_release)
    return View(target, stable, reading.others(situation, rollout.to_release, rollout.from_release))


def effective_strategy(rollout: Rollout, situation: Situation) -> Strategy:
    """Return how this rollout really goes: a first release, an undo and a single writer roll; the rest follow their policy."""
    if rollout.from_release is None or rollout.skip_gates or situation.handover is Handover.STANDBY:
        return Strategy.ROLLING
    if rollout.policy.strategy is Strategy.CANARY and not rollout.policy.steps:
        return Strategy.ROLLING
    return rollout.policy.strategy


def bounds(rollout: Rollout, situation: Situation) -> tuple[int, int]:
    """Return (surge, unavailable) in instances; a single writer always hands over with one more and none missing."""
    desired = rollout.desired or situation.desired
    if situation.handover is Handover.STANDBY:
        return (1, 0) if desired else (0, 0)
    surge, unavailable = sizing.resolve(rollout.policy.surge, rollout.policy.unavailable, desired)
    return sizing.capped(surge, unavailable, desired, rollout.policy.max_total)


def size_of(seen: View, release: str) -> int:
    return next((group.size for group in seen.all if group.release == release), 0)


def sizes(seen: View) -> str:
    return ", ".join(f"{group.release}: {group.size}" for group in seen.all if group.size or group is seen.target)


def unready(seen: View) -> str:
    good = {instance.id for instance in seen.target.available}
    rest = [one for one in seen.target.members if one.id not in good]
    return "; ".join(f"{one.id} is {one.phase}" + (f", {one.reason}" if one.reason else "") for one in rest[:3]) or "the target is available"


def weights_now(rollout: Rollout, situation: Situation, seen: View) -> Mapping[str, int] | None:
    """Return the weights to keep: those of a reached canary step, else those in force; None (by count) where they follow the instances."""
    strategy = effective_strategy(rollout, situation)
    if strategy is Strategy.ROLLING:
        return None
    if strategy is Strategy.CANARY and rollout.step_since is not None and not rollout.full:
        weight = rollout.policy.steps[rollout.step].weight_pct
        return {seen.target.release: weight, seen.stable.release: 100 - weight}
    weights = {group.release: situation.routes.weight_of(group.release) for group in seen.all}
    return weights if any(weights.values()) else {seen.stable.release: 100}


def fallback_weights(rollout: Rollout, situation: Situation, seen: View) -> Mapping[str, int] | None:
    """While stable comes back: by count, but the target's share never rises above what it has, and a whole canary's stable takes all at once."""
    if len(seen.stable.available) >= rollout.desired:
        return {seen.stable.release: 100}
    had = situation.routes.weight_of(seen.target.release)
    by_count = routing.by_count(seen.all, frozenset())
    share = by_count.get(seen.target.release, 0)
    if not seen.stable.available or share <= had:
        return by_count or None
    return {seen.target.release: had, seen.stable.release: 100 - had}


def journey(rollout: Rollout) -> str:
    return f"{rollout.service} {rollout.from_release or 'nothing'} → {rollout.to_release}"
