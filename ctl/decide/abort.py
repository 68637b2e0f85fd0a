"""Taking a release back: stable up, traffic back, drain, target away. Never waits for anybody; traffic moves only to who can carry it. Pure."""

from collections.abc import Mapping
from dataclasses import replace

from ctl.decide import effects, routing, sizing, transitions, view
from ctl.decide import groups as reading
from ctl.decide.effects import LOOK_S, SOON_S
from ctl.decide.view import View, Wish
from ctl.model.plan import Decision
from ctl.model.rollout import Phase, Rollout
from ctl.model.service import Handover, Strategy
from ctl.model.situation import Situation

REST_S = LOOK_S


def take_back(rollout: Rollout, situation: Situation, seen: View) -> Decision:
    """Bring stable up, the traffic back, then let the target go; traffic moves only to instances that can carry it."""
    stable, desired = seen.stable, rollout.desired
    if not stable.release:
        return _withdraw(rollout, situation, seen)
    if _is_back(rollout, situation, seen):
        return _leave_target(rollout, situation, seen)
    room = view.bounds(rollout, situation)[0] if view.effective_strategy(rollout, situation) is Strategy.ROLLING else desired
    size = sizing.grown(stable.size, sum(group.size for group in seen.all), desired, room)
    take = _room_for_stable(rollout, situation, seen)
    if size > stable.size:
        return _on_the_way(rollout, situation, seen, Wish({stable.release: size}, take), f"start {size - stable.size} of {stable.release} again")
    if not any(take.values()) and situation.queued and _is_given_up(rollout, situation, seen):
        why = f"{stable.release} does not come back ({len(stable.available)} of {desired}); the next release takes over"
        return transitions.end(rollout, situation, Phase.ROLLED_BACK, f"{why}: {rollout.abort_why}")
    why = f"wait until {stable.release} is whole again ({len(stable.available)} of {desired})"
    if not stable.available:
        why = f"{stable.release} has no available instance to go back to; the traffic stays where it is"
    return _on_the_way(rollout, situation, seen, Wish({}, take), why)


def _room_for_stable(rollout: Rollout, situation: Situation, seen: View) -> dict[str, int]:
    """Return who may go so that stable has room to come back, of the target first; until it can carry traffic, somebody of each release that does stays."""
    unavailable = view.bounds(rollout, situation)[1]
    take = sizing.shrunk(seen.stable.as_size, [group.as_size for group in (seen.target, *seen.strays)], rollout.desired, unavailable)
    if (seen.stable.available and situation.handover is not Handover.STANDBY) or rollout.desired <= unavailable:
        return take
    carrying = [group for group in seen.all if take.get(group.release) and situation.routes.weight_of(group.release)]
    return take | {group.release: min(take[group.release], group.size - 1) for group in carrying}


def _is_back(rollout: Rollout, situation: Situation, seen: View) -> bool:
    """Whether stable can carry everything: it is whole, or has as many as may do and nobody else is to be expected or needed to write."""
    stable, least = seen.stable, rollout.desired - view.bounds(rollout, situation)[1]
    if len(stable.available) >= rollout.desired:
        return True
    enough = len(stable.available) >= max(1, least)
    is_all = stable.size >= rollout.desired and _is_given_up(rollout, situation, seen)
    return enough and (is_all or situation.handover is Handover.STANDBY)


def _is_given_up(rollout: Rollout, situation: Situation, seen: View) -> bool:
    """Whether every instance of stable that is not available has had its time to become so."""
    lost = reading.lost_for_good(seen.stable, rollout.policy.healthy_deadline_s, situation.now)
    return len(seen.stable.available) + len(lost) >= seen.stable.size


def _on_the_way(rollout: Rollout, situation: Situation, seen: View, wish: Wish, why: str) -> Decision:
    """Carry a wish out while stable is not back; with nobody but the target to carry traffic, its weights stay as they are."""
    grow = effects.within(situation, seen.all, wish.grow)
    weights = _weights_meanwhile(situation, seen, {} if grow else wish.take)
    actions = effects.carry_out(situation, seen.all, replace(wish, weights=weights, hold=weights is None))
    return Decision(actions=actions, next_state=rollout, again_in_s=SOON_S if actions else effects.patience(situation, seen), why=why)


def _weights_meanwhile(situation: Situation, seen: View, take: Mapping[str, int]) -> dict[str, int] | None:
    """Share the traffic by count, but never give the target more than it has; None where the others have nobody to carry it."""
    target, had = seen.target.release, situation.routes.weight_of(seen.target.release)
    by_count = routing.by_count(seen.all, effects.ids_of(effects.leaves(situation, seen.all, take)))
    others = {release: share for release, share in by_count.items() if release != target}
    if by_count.get(target, 0) <= had:
        return by_count or None
    if not others:
        return None
    return {release: share * (100 - had) for release, share in routing.shares(others).items()} | {target: had * 100}


def _leave_target(rollout: Rollout, situation: Situation, seen: View) -> Decision:
    """Stable is back: traffic back in one write, then the target goes after its delay (0 keeps it for inspection)."""
    stable, target, desired = seen.stable, seen.target, rollout.desired
    off = situation.routes.weight_of(target.release) == 0 and (situation.routes.weight_of(stable.release) > 0 or desired == 0)
    since = rollout.weight_zero_since or situation.now
    rollout, rested = replace(rollout, weight_zero_since=since if off else None), (situation.now - since).total_seconds() if off else 0.0
    delay, keeps = _delay(rollout, situation, seen)
    go = off and rested >= delay and not keeps
    take = {group.release: group.size for group in (*seen.strays, target) if group.size and (go or group is not target)}
    if stable.size > desired:
        take[stable.release] = stable.size - desired
    actions = effects.carry_out(situation, seen.all, Wish({}, take, {stable.release: 100}))
    is_left = keeps or (target.size == 0 and not (situation.handover is Handover.STANDBY and target.leaving))
    if off and rested >= min(delay, REST_S) and is_left and not actions and not any(take.values()):
        why = f"{stable.release} is live again, {stable.ready} of {desired} ready: {rollout.abort_why}"
        return transitions.end(rollout, situation, Phase.ROLLED_BACK, why)
    left_s = max(0.0, delay - rested)
    why = f"the traffic is back on {stable.release}; {target.release} goes in {left_s:.0f} s" if off else f"give {stable.release} all of the traffic back"
    return Decision(actions=actions, next_state=rollout, again_in_s=SOON_S if actions else min(LOOK_S, max(SOON_S, left_s)), why=why)


def _delay(rollout: Rollout, situation: Situation, seen: View) -> tuple[float, bool]:
    """Return for how long the target must have been without traffic before it goes, and whether it is kept.

    Never at once: a write of weights that was under way when the abort came may still get in force. Only a target that writes goes at once, so that
    stable can.
    """
    if situation.handover is Handover.STANDBY:
        return (0.0 if seen.target.ready else REST_S), False
    delay = rollout.policy.abort_scale_down_delay_s
    return max(delay, REST_S), delay == 0


def _withdraw(rollout: Rollout, situation: Situation, seen: View) -> Decision:
    """There is nothing to go back to: the target leaves the traffic and goes."""
    take = {group.release: group.size for group in seen.all if group.size}
    actions = effects.carry_out(situation, seen.all, Wish({}, take, {}))
    if not actions and not take:
        return transitions.end(rollout, situation, Phase.ROLLED_BACK, f"{rollout.to_release} is withdrawn; nothing ran before it: {rollout.abort_why}")
    return Decision(actions=actions, next_state=rollout, again_in_s=SOON_S, why=f"let {rollout.to_release} finish and go")
