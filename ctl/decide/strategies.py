"""What each strategy wishes of the groups: rolling, a canary ladder, two groups side by side. Pure; rules in docs/rollout-rules.md."""

from collections.abc import Mapping

from ctl.decide import sizing, view
from ctl.decide.view import View, Wish
from ctl.model.rollout import Phase, Rollout
from ctl.model.service import Handover, Strategy
from ctl.model.situation import Situation


def roll(rollout: Rollout, situation: Situation, seen: View) -> tuple[Wish, bool, str]:
    """Roll by section 2 of the rules; reached when only the target is left, whole and available."""
    desired, (surge, unavailable) = rollout.desired, view.bounds(rollout, situation)
    target, olds = seen.target, seen.olds
    larger = _scaled_up(rollout, seen, surge)
    if larger:
        return Wish(larger, {}), False, f"scaled up to {desired} in the middle of the roll"
    size = sizing.grown(target.size, sum(group.size for group in seen.all), desired, surge)
    if size > target.size:
        return Wish({target.release: size}, {}), False, f"start {size - target.size} of {target.release} ({view.sizes(seen)})"
    take = sizing.shrunk(target.as_size, [old.as_size for old in olds], desired, unavailable)
    if size < target.size:
        take[target.release] = target.size - size
    writers = min(1, desired) if situation.handover is Handover.STANDBY else desired
    done = target.size == len(target.available) == desired and target.ready >= writers and not any(old.size for old in olds)
    return Wish({}, take), done and not target.leaving, _roll_why(take, seen)


def _scaled_up(rollout: Rollout, seen: View, surge: int) -> Mapping[str, int]:
    """Return the larger sizes of target and stable after a scale-up in the middle: in proportion, at most desired; what is left of others never grows."""
    if sum(1 for group in seen.all if group.size) < 2 or not 0 < rollout.last_allowed < rollout.desired + surge:
        return {}
    sizes = sizing.resized([(group.release, group.size) for group in seen.all], rollout.desired, surge, rollout.last_allowed)
    larger = {group: min(sizes[group.release], rollout.desired) for group in (seen.stable, seen.target) if group.size}
    return {group.release: size for group, size in larger.items() if size > group.size}


def ladder(rollout: Rollout, situation: Situation, seen: View) -> tuple[Wish, bool, str]:
    """Stand on one step of a canary with a traffic split: stable whole, the canary large enough for its share, then the weight."""
    step, target = rollout.policy.steps[rollout.step], seen.target
    size = sizing.canary_with_split(rollout.desired, step.weight_pct)
    whole = len(target.available) >= size
    weight = step.weight_pct if whole else min(step.weight_pct, situation.routes.weight_of(target.release))
    grow, take = _beside_stable(rollout, seen, size)
    wish = Wish(grow, take, view.split(seen, weight))
    if grow:
        return wish, False, f"start {_more(grow, seen)} for {step.weight_pct} % of the traffic"
    if not whole:
        return wish, False, f"wait until {size} of {target.release} are available ({len(target.available)} are)"
    return wish, target.size >= size, f"give {target.release} {weight} % of the traffic"


def beside(rollout: Rollout, situation: Situation, seen: View) -> tuple[Wish, bool, str]:
    """Stand a whole second group beside the first, without traffic."""
    desired, target = rollout.desired, seen.target
    grow, take = _beside_stable(rollout, seen, desired)
    wish = Wish(grow, take, view.split(seen, 0))
    if grow:
        return wish, False, f"start {_more(grow, seen)}, for two whole groups side by side"
    return wish, len(target.available) >= desired, f"wait until all {desired} of {target.release} are available ({len(target.available)} are)"


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
        Wish({}, take, view.split(seen, 100)),
        moved and not any(take.values()),
        f"give {target.release} all of the traffic" if not moved else "let the old instances finish and go",
    )


def keep(rollout: Rollout, situation: Situation, seen: View) -> Wish:
    """Stay: replace the instances that are lost, within the bounds of the strategy, and move nothing; traffic follows who can carry it."""
    is_rolling = view.effective_strategy(rollout, situation) is Strategy.ROLLING
    room = rollout.desired + (view.bounds(rollout, situation)[0] if is_rolling else rollout.desired) - sum(group.size for group in seen.all)
    grow: dict[str, int] = {}
    for release, least in _least(rollout, situation, seen).items():
        more = min(least - view.size_of(seen, release), room) if release else 0
        if more > 0:
            grow[release] = view.size_of(seen, release) + more
            room -= more
    return Wish(grow, {}, view.weights_now(rollout, situation, seen))


def _least(rollout: Rollout, situation: Situation, seen: View) -> Mapping[str, int]:
    """Return the sizes that belong to where the rollout stands, as far as they can be known."""
    strategy, phase, desired = view.effective_strategy(rollout, situation), rollout.paused_from or rollout.phase, rollout.desired
    stable, target = seen.stable, seen.target
    if strategy is Strategy.ROLLING:
        return _least_of_a_roll(rollout, situation, seen)
    if phase is Phase.BAKING:
        return {target.release: desired}
    if strategy is Strategy.BLUE_GREEN:
        return {stable.release: desired, target.release: target.asked if phase is Phase.STEPPING else desired}
    if phase is Phase.PROMOTING:
        return {stable.release: stable.asked, target.release: target.asked}
    canary = sizing.canary_with_split(desired, rollout.policy.steps[rollout.step].weight_pct)
    return {stable.release: desired, target.release: canary if phase is Phase.JUDGING else min(target.asked, canary)}


def _least_of_a_roll(rollout: Rollout, situation: Situation, seen: View) -> Mapping[str, int]:
    """Return what was asked of each group; where even that is forgotten, enough of the older one for desired - unavailable."""
    least = {group.release: max(group.asked, group.size) for group in (seen.stable, seen.target)}
    missing = rollout.desired - view.bounds(rollout, situation)[1] - sum(least.values()) - sum(stray.size for stray in seen.strays)
    home = seen.stable.release or seen.target.release
    return least | {home: least[home] + max(0, missing)}


def _beside_stable(rollout: Rollout, seen: View, size: int) -> tuple[dict[str, int], dict[str, int]]:
    """Return who grows and who goes so that stable has its size and the target `size`: stable first, then others make room, then the target.

    What is left of other releases goes once stable is whole, or where it cannot carry anything; until then it carries what stable cannot.
    """
    if seen.stable.size < rollout.desired:
        return {seen.stable.release: rollout.desired}, {}
    is_whole = len(seen.stable.available) >= rollout.desired
    take = {stray.release: stray.size for stray in seen.strays if stray.size and (is_whole or not stray.available)}
    if seen.stable.size > rollout.desired:
        take[seen.stable.release] = seen.stable.size - rollout.desired
    return ({seen.target.release: size}, {}) if seen.target.size < size and not take else ({}, take)


def _more(grow: Mapping[str, int], seen: View) -> str:
    return ", ".join(f"{count - view.size_of(seen, release)} of {release}" for release, count in grow.items())


def _roll_why(take: Mapping[str, int], seen: View) -> str:
    if any(take.values()):
        return "drain " + ", ".join(f"{count} of {release}" for release, count in take.items() if count) + f" ({view.sizes(seen)})"
    waiting = seen.target.size - len(seen.target.available)
    return f"wait for {waiting} of {seen.target.release} to be available ({view.unready(seen)})" if waiting else "wait until the old instances are gone"
