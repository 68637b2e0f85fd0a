"""The next step of a rollout: one pure function per phase over the same arithmetic. The only place that sizes groups.

Rules: docs/rollout-rules.md. Order of effects: raise capacity, wait until available, move traffic, drain, lower capacity; one direction of size a tick.
"""

from dataclasses import replace

from ctl.decide import abort, effects, evidence, routing, strategies, transitions, view
from ctl.decide import groups as reading
from ctl.decide.effects import IDLE_S, LOOK_S, SOON_S
from ctl.decide.view import View, Wish
from ctl.model.fleet import Routes
from ctl.model.plan import Action, Decision
from ctl.model.rollout import Phase, Rollout, Verdict
from ctl.model.service import Strategy
from ctl.model.situation import Situation


def next_step(rollout: Rollout, situation: Situation) -> Decision:
    """Return what to do now for an active rollout. A terminal one has nothing to do."""
    seen = view.view_of(rollout, situation)
    match rollout.phase:
        case Phase.PLANNED:
            return transitions.enter(rollout, situation, Phase.PREPARING, f"{view.journey(rollout)} begins")
        case Phase.PREPARING:
            return transitions.enter(_sized(rollout, situation), situation, Phase.STEPPING, "the artifact is verified; the first step begins")
        case Phase.STEPPING:
            return _stepping(rollout, situation, seen)
        case Phase.JUDGING:
            return _judging(rollout, situation, seen)
        case Phase.PROMOTING:
            return _promoting(rollout, situation, seen)
        case Phase.BAKING:
            return _baking(rollout, situation, seen)
        case Phase.PAUSED:
            return _paused(rollout, situation, seen)
        case Phase.ABORTING:
            return abort.take_back(rollout, situation, seen)
        case _:
            return Decision(next_state=rollout, again_in_s=LOOK_S, why=f"the rollout is over: {rollout.phase}")


def steady(situation: Situation) -> Decision:
    """Keep a service without a rollout as it should be: its stable group at the desired size, the traffic on whoever can carry it."""
    stable = reading.standing(situation, situation.stable)
    if situation.stable is None:
        return Decision(actions=tuple(routing.moves(situation, Routes(service=situation.service), ())), again_in_s=IDLE_S, why="nothing has been released yet")
    take = {stable.release: max(0, stable.size - situation.desired)}
    grow = {stable.release: situation.desired} if stable.size < situation.desired else {}
    actions = effects.carry_out(situation, (stable,), Wish(grow, take))
    why = (
        f"{situation.service} should have {situation.desired} instances and has {stable.size}"
        if grow or take[stable.release]
        else "the traffic follows the instances"
    )
    again_in_s = SOON_S if actions else max(SOON_S, min(IDLE_S, effects.coming(situation, (stable,))))
    return Decision(actions=actions, again_in_s=again_in_s, why=why if actions else "all is as it should be")


def _stepping(rollout: Rollout, situation: Situation, seen: View) -> Decision:
    rollout = _sized(rollout, situation)
    failed = evidence.failing(rollout, situation, seen)
    if failed:
        return failed
    rollout = evidence.measured(rollout, situation, seen)
    if rollout.failures > rollout.policy.gate.failure_limit:
        return transitions.abort(rollout, situation, evidence.harm(rollout))
    wish, reached, waiting = _step_wish(rollout, situation, seen)
    actions = effects.carry_out(situation, seen.all, wish)
    rollout = evidence.progressed(rollout, situation, seen)
    if reached and not actions:
        return transitions.enter(replace(rollout, step_since=situation.now), situation, Phase.JUDGING, _reached(rollout, situation, seen))
    return Decision(actions=actions, next_state=rollout, again_in_s=SOON_S if actions else effects.patience(situation, seen), why=waiting)


def _step_wish(rollout: Rollout, situation: Situation, seen: View) -> tuple[Wish, bool, str]:
    match view.effective_strategy(rollout, situation):
        case Strategy.ROLLING:
            return strategies.roll(rollout, situation, seen)
        case Strategy.CANARY:
            return strategies.ladder(rollout, situation, seen)
        case Strategy.BLUE_GREEN:
            return strategies.beside(rollout, situation, seen)


def _judging(rollout: Rollout, situation: Situation, seen: View) -> Decision:
    rollout = evidence.measured(rollout, situation, seen)
    failed = evidence.failing(rollout, situation, seen)
    if failed:
        return failed
    if rollout.failures > rollout.policy.gate.failure_limit:
        return transitions.abort(rollout, situation, evidence.harm(rollout))
    upkeep = effects.carry_out(situation, seen.all, Wish({}, {}, view.weights_now(rollout, situation, seen)))
    if view.effective_strategy(rollout, situation) is not Strategy.CANARY or rollout.full:
        return transitions.enter(rollout, situation, Phase.PROMOTING, "every gate of this release is passed", upkeep)
    return _gate(rollout, situation, upkeep)


def _gate(rollout: Rollout, situation: Situation, upkeep: tuple[Action, ...]) -> Decision:
    """Decide whether the canary's step is over: by a person, or by time with enough evidence."""
    step, since = rollout.policy.steps[rollout.step], rollout.step_since or situation.now
    spent = (situation.now - since).total_seconds()
    if rollout.promoted_step >= rollout.step:
        return transitions.step_on(rollout, situation, f"step {rollout.step + 1} was passed by a person", upkeep)
    if step.pause:
        return transitions.pause(rollout, situation, f"step {rollout.step + 1} at {step.weight_pct} % waits for a person", upkeep)
    if spent < step.step_s:
        return Decision(
            actions=upkeep,
            next_state=rollout,
            again_in_s=min(LOOK_S, step.step_s - spent),
            why=f"{step.weight_pct} % of the traffic for {spent:.0f} of {step.step_s:g} s",
        )
    passed = [one for one in rollout.measurements if one.at > since and one.verdict is Verdict.OK]
    if passed:
        return transitions.step_on(rollout, situation, f"{step.weight_pct} % held for {spent:.0f} s: {passed[-1].why}", upkeep)
    last = rollout.measurements[-1].why if rollout.measurements else "no traffic was seen"
    if spent < 3 * step.step_s:
        return Decision(actions=upkeep, next_state=rollout, again_in_s=min(LOOK_S, 3 * step.step_s - spent), why=f"not enough evidence yet: {last}")
    return transitions.pause(rollout, situation, f"not enough evidence after {spent:.0f} s at {step.weight_pct} %: {last}", upkeep)


def _promoting(rollout: Rollout, situation: Situation, seen: View) -> Decision:
    rollout = _sized(rollout, situation)
    failed = evidence.failing(rollout, situation, seen)
    if failed:
        return failed
    strategy = view.effective_strategy(rollout, situation)
    if strategy is Strategy.ROLLING:
        wish, reached, waiting = strategies.roll(rollout, situation, seen)
    else:
        wish, reached, waiting = strategies.take_over(rollout, situation, seen, keep_old=strategy is Strategy.BLUE_GREEN)
    actions = effects.carry_out(situation, seen.all, wish)
    rollout = evidence.progressed(rollout, situation, seen)
    if reached and not actions:
        return transitions.enter(rollout, situation, Phase.BAKING, f"{rollout.to_release} has all of the traffic")
    return Decision(actions=actions, next_state=rollout, again_in_s=SOON_S if actions else effects.patience(situation, seen), why=waiting)


def _baking(rollout: Rollout, situation: Situation, seen: View) -> Decision:
    rollout = evidence.measured(replace(rollout, desired=situation.desired), situation, seen)
    baked = (situation.now - rollout.phase_since).total_seconds()
    if rollout.failures > rollout.policy.gate.failure_limit:
        return transitions.abort(rollout, situation, evidence.harm(rollout))
    if reading.crash_loops(seen.target, seen.stable):
        return transitions.abort(rollout, situation, f"every instance of {rollout.to_release} crashes again and again")
    keep_old = view.effective_strategy(rollout, situation) is Strategy.BLUE_GREEN and baked < rollout.policy.scale_down_delay_s
    take = {old.release: old.size for old in seen.olds if old.size and not keep_old}
    if seen.target.size > rollout.desired:
        take[seen.target.release] = seen.target.size - rollout.desired
    grow = {rollout.to_release: rollout.desired} if seen.target.size < rollout.desired else {}
    actions = effects.carry_out(situation, seen.all, Wish(grow, take, {rollout.to_release: 100}))
    if not actions and not keep_old and not any(old.size for old in seen.olds) and baked >= rollout.policy.bake_s:
        return transitions.end(rollout, situation, Phase.CERTIFIED, f"{rollout.to_release} is live: {seen.target.ready} of {rollout.desired} ready")
    wait = SOON_S if actions else min(LOOK_S, max(SOON_S, rollout.policy.bake_s - baked))
    return Decision(actions=actions, next_state=rollout, again_in_s=wait, why=f"all of the traffic for {baked:.0f} of {rollout.policy.bake_s:g} s")


def _paused(rollout: Rollout, situation: Situation, seen: View) -> Decision:
    """Keep weights and sizes as they are; who crashed is restarted by the runtime, and traffic follows who can carry it."""
    actions = effects.carry_out(situation, seen.all, Wish({}, {}, view.weights_now(rollout, situation, seen)))
    return Decision(actions=actions, next_state=rollout, again_in_s=LOOK_S, why=f"paused: {rollout.paused_why}")


def _sized(rollout: Rollout, situation: Situation) -> Rollout:
    """Take over a new desired size: growing at once, shrinking only once the step is over (promotion or baking)."""
    may_shrink = rollout.phase not in (Phase.STEPPING, Phase.JUDGING)
    desired = situation.desired if may_shrink or situation.desired > rollout.desired else rollout.desired
    return rollout if desired == rollout.desired else replace(rollout, desired=desired)


def _reached(rollout: Rollout, situation: Situation, seen: View) -> str:
    if view.effective_strategy(rollout, situation) is Strategy.CANARY:
        return (
            f"{rollout.to_release} carries {rollout.policy.steps[rollout.step].weight_pct} % with {len(seen.target.available)} instances; evidence is collected"
        )
    return f"all {rollout.desired} of {rollout.to_release} are available"
