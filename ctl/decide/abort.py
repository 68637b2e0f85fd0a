"""Taking a release back: stable up, traffic back, drain, target away. Never waits for anybody; traffic moves only to who can carry it. Pure."""

from dataclasses import replace

from ctl.decide import effects, sizing, transitions, view
from ctl.decide import groups as reading
from ctl.decide.effects import LOOK_S, SOON_S
from ctl.decide.view import View, Wish
from ctl.model.plan import Decision
from ctl.model.rollout import Phase, Rollout
from ctl.model.service import Handover, Strategy
from ctl.model.situation import Situation


def take_back(rollout: Rollout, situation: Situation, seen: View) -> Decision:
    """Bring stable up, the traffic back, then let the target go; traffic moves only to instances that can carry it."""
    stable, target = seen.stable, seen.target
    if not stable.release:
        return _withdraw(rollout, situation, seen)
    room = view.bounds(rollout, situation)[0] if view.effective_strategy(rollout, situation) is Strategy.ROLLING else rollout.desired
    back = len(stable.available) >= rollout.desired
    if stable.size < rollout.desired:
        size = sizing.grown(stable.size, sum(group.size for group in seen.all), rollout.desired, room)
        if size > stable.size:
            return _abort_step(
                rollout,
                situation,
                seen,
                Wish({stable.release: size}, {}, view.fallback_weights(rollout, situation, seen)),
                f"start {size - stable.size} of {stable.release} again",
            )
    if not stable.available:
        return _no_way_back(rollout, situation, seen)
    if back:
        return _leave_target(rollout, situation, seen)
    least = sizing.shrunk(stable.as_size, [old.as_size for old in (*seen.strays, target)], rollout.desired, view.bounds(rollout, situation)[1])
    return _abort_step(
        rollout,
        situation,
        seen,
        Wish({}, least, view.fallback_weights(rollout, situation, seen)),
        f"wait until {stable.release} is whole again ({len(stable.available)} of {rollout.desired})",
    )


def _leave_target(rollout: Rollout, situation: Situation, seen: View) -> Decision:
    """Stable is whole: traffic back in one write, then the target goes after its delay (0 keeps it for inspection)."""
    delay, target = rollout.policy.abort_scale_down_delay_s, seen.target
    off = situation.routes.weight_of(target.release) == 0 and situation.routes.weight_of(seen.stable.release) > 0
    rollout = replace(rollout, weight_zero_since=rollout.weight_zero_since or (situation.now if off or rollout.desired == 0 else None))
    rested = (situation.now - rollout.weight_zero_since).total_seconds() if rollout.weight_zero_since else 0.0
    single_writer = situation.handover is Handover.STANDBY
    go = rollout.weight_zero_since is not None and (single_writer or (delay > 0 and rested >= delay))
    take = {group.release: group.size for group in (*seen.strays, target) if group.size and (go or group is not target)}
    excess = seen.stable.size - rollout.desired
    if excess > 0:
        take[seen.stable.release] = excess
    actions = effects.carry_out(situation, seen.all, Wish({}, take, {seen.stable.release: 100}))
    kept = delay == 0 and not single_writer and rollout.weight_zero_since is not None
    if not actions and (kept or (rollout.weight_zero_since is not None and target.size == 0)):
        return transitions.end(
            rollout, situation, Phase.ROLLED_BACK, f"{rollout.from_release} is live again, {seen.stable.ready} of {rollout.desired} ready: {rollout.abort_why}"
        )
    why = (
        f"the traffic is back on {seen.stable.release}; {target.release} goes in {max(0.0, delay - rested):.0f} s"
        if off
        else f"give {seen.stable.release} all of the traffic back"
    )
    return Decision(actions=actions, next_state=rollout, again_in_s=SOON_S if actions else min(LOOK_S, max(SOON_S, delay - rested)), why=why)


def _withdraw(rollout: Rollout, situation: Situation, seen: View) -> Decision:
    """There is nothing to go back to: the target leaves the traffic and goes."""
    take = {group.release: group.size for group in seen.all if group.size}
    actions = effects.carry_out(situation, seen.all, Wish({}, take, {}), empty=True)
    if not actions and not take:
        return transitions.end(rollout, situation, Phase.ROLLED_BACK, f"{rollout.to_release} is withdrawn; nothing ran before it: {rollout.abort_why}")
    return Decision(actions=actions, next_state=rollout, again_in_s=SOON_S, why=f"let {rollout.to_release} finish and go")


def _no_way_back(rollout: Rollout, situation: Situation, seen: View) -> Decision:
    """Stable cannot carry anything: traffic stays where it is; a newer rollout that waits may take over, for a broken stable never blocks the fix."""
    why = f"{seen.stable.release} has no available instance to go back to; the traffic stays where it is"
    if situation.queued and _is_broken(rollout, situation, seen):
        return transitions.end(rollout, situation, Phase.ROLLED_BACK, f"{why}; the next release takes over: {rollout.abort_why}")
    actions = effects.carry_out(situation, seen.all, Wish({}, {}, view.weights_now(rollout, situation, seen)))
    return Decision(actions=actions, next_state=rollout, again_in_s=LOOK_S, why=why)


def _abort_step(rollout: Rollout, situation: Situation, seen: View, wish: Wish, why: str) -> Decision:
    actions = effects.carry_out(situation, seen.all, wish)
    return Decision(actions=actions, next_state=rollout, again_in_s=SOON_S if actions else effects.patience(situation, seen), why=why)


def _is_broken(rollout: Rollout, situation: Situation, seen: View) -> bool:
    """Whether stable has had its time to become healthy and did not: every instance crashes again and again, or is past the healthy deadline."""
    late = reading.unhealthy_since(seen.stable, rollout.policy.healthy_deadline_s, situation.now)
    return all(one in late or one.restarts >= 2 for one in seen.stable.members)
