"""What each strategy wishes of the groups: rolling, a canary ladder, two groups side by side. Pure; rules in docs/rollout-rules.md."""

from collections.abc import Mapping

from ctl.decide import sizing, view
from ctl.decide.view import View, Wish
from ctl.model.rollout import Rollout
from ctl.model.situation import Situation


def roll(rollout: Rollout, situation: Situation, seen: View) -> tuple[Wish, bool, str]:
    """Roll by sections 2 of the rules; reached when only the target is left, whole and available."""
    desired, (surge, unavailable) = rollout.desired, view.bounds(rollout, situation)
    target, olds = seen.target, seen.olds
    total = sum(group.size for group in seen.all)
    several = sum(1 for group in seen.all if group.size) >= 2
    if several and rollout.last_allowed and desired + surge > rollout.last_allowed:
        sizes = sizing.resized([(group.release, group.size) for group in seen.all], desired, surge, rollout.last_allowed)
        larger = {release: size for release, size in sizes.items() if size > next(group.size for group in seen.all if group.release == release)}
        return Wish(larger, {}), False, f"scaled up to {desired} in the middle of the roll"
    size = sizing.grown(target.size, total, desired, surge)
    if size > target.size:
        return Wish({target.release: size}, {}), False, f"start {size - target.size} of {target.release} ({view.sizes(seen)})"
    take = sizing.shrunk(target.as_size, [old.as_size for old in olds], desired, unavailable)
    if size < target.size:
        take[target.release] = target.size - size
    done = target.size == len(target.available) == desired and not any(old.size for old in olds) and (target.ready == desired)
    return Wish({}, take), done and not target.leaving, _roll_why(take, seen, situation)


def ladder(rollout: Rollout, situation: Situation, seen: View) -> tuple[Wish, bool, str]:
    """Stand on one step of a canary with a traffic split: stable whole, the canary large enough for its share, then the weight."""
    step = rollout.policy.steps[rollout.step]
    size = sizing.canary_with_split(rollout.desired, step.weight_pct)
    grow = {
        release: count
        for release, count, has in ((seen.stable.release, rollout.desired, seen.stable.size), (seen.target.release, size, seen.target.size))
        if has < count
    }
    take = {group.release: group.size for group in seen.strays if len(seen.stable.available) >= rollout.desired or not group.available}
    whole = len(seen.target.available) >= size
    weight = step.weight_pct if whole else min(step.weight_pct, situation.routes.weight_of(seen.target.release))
    weights = {seen.target.release: weight, seen.stable.release: 100 - weight}
    if grow:
        return (
            Wish(grow, {}, weights),
            False,
            f"start {sum(grow.values()) - sum(view.size_of(seen, release) for release in grow)} for {step.weight_pct} % of the traffic",
        )
    waiting = (
        f"wait until {size} of {seen.target.release} are available ({len(seen.target.available)} are)"
        if not whole
        else f"give {seen.target.release} {weight} % of the traffic"
    )
    return Wish({}, take, weights), whole and not any(group.size for group in seen.strays), waiting


def beside(rollout: Rollout, situation: Situation, seen: View) -> tuple[Wish, bool, str]:
    """Stand a whole second group beside the first, without traffic."""
    weights = {seen.stable.release: 100}
    take = {group.release: group.size for group in seen.strays if len(seen.stable.available) >= rollout.desired or not group.available}
    if seen.target.size < rollout.desired:
        return Wish({seen.target.release: rollout.desired}, {}, weights), False, f"start all {rollout.desired} of {seen.target.release} beside the live ones"
    whole = len(seen.target.available) >= rollout.desired
    return Wish({}, take, weights), whole, f"wait until all {rollout.desired} of {seen.target.release} are available ({len(seen.target.available)} are)"


def take_over(rollout: Rollout, situation: Situation, seen: View, *, keep_old: bool) -> tuple[Wish, bool, str]:
    """Give the target everything: grow it whole, move the traffic in one write, then let the others go (blue-green keeps them while it bakes)."""
    desired, target = rollout.desired, seen.target
    now_weights = view.weights_now(rollout, situation, seen)
    if target.size < desired:
        return Wish({target.release: desired}, {}, now_weights), False, f"start {desired - target.size} more of {target.release}"
    if len(target.available) < desired:
        return Wish({}, {}, now_weights), False, f"wait until all {desired} of {target.release} are available ({len(target.available)} are)"
    take = {} if keep_old else {old.release: old.size for old in seen.olds if old.size}
    moved = situation.routes.weight_of(target.release) == 100 or desired == 0
    return (
        Wish({}, take, {target.release: 100}),
        moved and not any(take.values()),
        f"give {target.release} all of the traffic" if not moved else "let the old instances finish and go",
    )


def _roll_why(take: Mapping[str, int], seen: View, situation: Situation) -> str:
    if any(take.values()):
        return "drain " + ", ".join(f"{count} of {release}" for release, count in take.items() if count) + f" ({view.sizes(seen)})"
    waiting = seen.target.size - len(seen.target.available)
    return f"wait for {waiting} of {seen.target.release} to be available ({view.unready(seen)})" if waiting else "wait until the old instances are gone"
