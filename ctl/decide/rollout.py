"""The next step of a rollout: one pure function per phase over the same arithmetic. The only place that sizes groups.

Rules: docs/rollout-rules.md. Order of effects: raise capacity, wait until available, move traffic, drain, lower capacity; one direction of size a tick.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from ctl.decide import abort, effects, evidence, routing, sizing, strategies, transitions, view
from ctl.decide import groups as reading
from ctl.decide.effects import IDLE_S, LOOK_S, SOON_S
from ctl.decide.groups import Standing
from ctl.decide.view import View, Wish
from ctl.model.plan import Action, Decision
from ctl.model.rollout import Phase, Rollout, Verdict
from ctl.model.service import Strategy
from ctl.model.situation import Situation


def next_step(rollout: Rollout, situation: Situation) -> Decision:
    """Return what to do now for an active rollout. A terminal one has nothing to do."""
    seen = view.view_of(rollout, situation)
    match rollout.phase:
        case Phase.PLANNED:
            return _begin(rollout, situation)
        case Phase.PREPARING:
            return transitions.enter(_sized(rollout, situation, seen), situation, Phase.STEPPING, "the artifact is verified; the first step begins")
        case Phase.STEPPING:
            return _stepping(_sized(rollout, situation, seen), situation, seen)
        case Phase.JUDGING:
            return _judging(_sized(rollout, situation, seen), situation, seen)
        case Phase.PROMOTING:
            return _promoting(_sized(rollout, situation, seen), situation, seen)
        case Phase.BAKING:
            return _baking(_sized(rollout, situation, seen), situation, seen)
        case Phase.PAUSED:
            return _paused(rollout, situation, seen)
        case Phase.ABORTING:
            return abort.take_back(_sized(rollout, situation, seen), situation, seen)
        case _:
            return Decision(next_state=rollout, again_in_s=LOOK_S, why=f"the rollout is over: {rollout.phase}")


def steady(situation: Situation) -> Decision:
    """Keep a service without a rollout as it should be: its stable group at the desired size, the traffic on whoever can carry it, and nobody else.

    What an ended rollout left behind goes once stable can do without it; where a policy keeps aborted instances for inspection, it stays without traffic.
    """
    stable, strays = reading.standing(situation, situation.stable), reading.others(situation, situation.stable)
    desired = view.at_most(situation.desired, situation.policy) if situation.stable else 0
    leave = _leftovers(situation, stable, strays, desired)
    is_whole = len(stable.available) >= desired
    carrying = (*(stray for stray in strays if situation.routes.weight_of(stray.release) and not is_whole), stable)
    grow = effects.within(situation, (*strays, stable), {stable.release: desired})
    take = leave | {stable.release: max(0, stable.size - desired)}
    out = effects.ids_of(effects.leaves(situation, carrying, {} if grow else take))
    weights = {group.release: 0 for group in carrying} | routing.by_count(carrying, out)
    actions = effects.carry_out(situation, (*strays, stable), Wish(grow, take, weights))
    again_in_s = SOON_S if actions else max(SOON_S, min(IDLE_S if is_whole else LOOK_S, effects.coming(situation, (stable,))))
    return Decision(actions=actions, again_in_s=again_in_s, why=_steady_why(situation, stable, desired, leave) if actions else _quiet_why(situation))


def _leftovers(situation: Situation, stable: Standing, strays: Sequence[Standing], desired: int) -> dict[str, int]:
    """Return what may go of what ended rollouts have left: what stable can do without, but where it is kept for inspection only to make room."""
    most = situation.policy.max_total
    is_crowded = most is not None and desired + sum(stray.size for stray in strays) > most
    if situation.policy.abort_scale_down_delay_s == 0 and not is_crowded:
        return {}
    unavailable = view.bounds_of(situation.policy, situation, desired)[1]
    return sizing.shrunk(stable.as_size, [stray.as_size for stray in strays], desired, unavailable)


def _steady_why(situation: Situation, stable: Standing, desired: int, leave: Mapping[str, int]) -> str:
    if stable.size != desired:
        return f"{situation.service} should have {desired} instances and has {stable.size}"
    if any(leave.values()):
        return f"let what is left of {', '.join(leave)} go"
    return "the traffic follows the instances"


def _quiet_why(situation: Situation) -> str:
    return "all is as it should be" if situation.stable else "nothing has been released yet"


def _begin(rollout: Rollout, situation: Situation) -> Decision:
    """Begin, from the release that is stable by now: a rollout that has waited for another was planned from an older one."""
    if situation.stable == rollout.to_release:
        return transitions.end(rollout, situation, Phase.CANCELLED, f"{rollout.to_release} is live already")
    rollout = replace(rollout, from_release=situation.stable)
    return transitions.enter(rollout, situation, Phase.PREPARING, f"{view.journey(rollout)} begins")


def _stepping(rollout: Rollout, situation: Situation, seen: View) -> Decision:
    failed = evidence.failing(rollout, situation, seen)
    if failed:
        return failed
    rollout = evidence.measured(rollout, situation)
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
    failed = evidence.failing(rollout, situation, seen)
    if failed:
        return failed
    rollout = evidence.measured(rollout, situation)
    if rollout.failures > rollout.policy.gate.failure_limit:
        return transitions.abort(rollout, situation, evidence.harm(rollout))
    upkeep = effects.carry_out(situation, seen.all, strategies.keep(rollout, situation, seen))
    if situation.held:
        return Decision(actions=upkeep, next_state=rollout, again_in_s=SOON_S if upkeep else LOOK_S, why=f"held: {situation.held}")
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
            again_in_s=SOON_S if upkeep else evidence.quiet_s(rollout, situation, step.step_s - spent),
            why=f"{step.weight_pct} % of the traffic for {spent:.0f} of {step.step_s:g} s",
        )
    passed = [one for one in rollout.measurements if one.at > since and one.verdict is Verdict.OK]
    if passed:
        return transitions.step_on(rollout, situation, f"{step.weight_pct} % held for {spent:.0f} s: {passed[-1].why}", upkeep)
    last = rollout.measurements[-1].why if rollout.measurements else "no traffic was seen"
    if spent < 3 * step.step_s or not evidence.has_looked(rollout, situation, step.step_s):
        wait = SOON_S if upkeep else evidence.quiet_s(rollout, situation, 3 * step.step_s - spent)
        return Decision(actions=upkeep, next_state=rollout, again_in_s=wait, why=f"not enough evidence yet: {last}")
    return transitions.pause(rollout, situation, f"not enough evidence after {spent:.0f} s at {step.weight_pct} %: {last}", upkeep)


def _promoting(rollout: Rollout, situation: Situation, seen: View) -> Decision:
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
    """Have all of the traffic on the target for a while; what it replaced goes as far as the target can do without it."""
    rollout = evidence.baking(rollout, situation, seen)
    failed = evidence.failing(rollout, situation, seen)
    if failed:
        return failed
    rollout = evidence.measured(rollout, situation)
    if rollout.failures > rollout.policy.gate.failure_limit:
        return transitions.abort(rollout, situation, evidence.harm(rollout))
    policy, target, desired = rollout.policy, seen.target, rollout.desired
    baked = (situation.now - rollout.phase_since).total_seconds()
    is_whole = rollout.unwell_since is None
    keep_old = view.effective_strategy(rollout, situation) is Strategy.BLUE_GREEN and (baked < policy.scale_down_delay_s or not is_whole)
    take = {} if keep_old else sizing.shrunk(target.as_size, [old.as_size for old in seen.olds], desired, view.bounds(rollout, situation)[1])
    take |= {target.release: max(0, target.size - desired)}
    grow = {target.release: desired} if target.size < desired else {}
    actions = effects.carry_out(situation, seen.all, Wish(grow, take, view.split(seen, 100)))
    if is_whole and not actions and not any(old.size for old in seen.olds) and baked >= policy.bake_s and not situation.held:
        return transitions.end(rollout, situation, Phase.CERTIFIED, f"{rollout.to_release} is live: {target.ready} of {desired} ready")
    over_in_s = (policy.scale_down_delay_s if keep_old else policy.bake_s) - baked
    wait = SOON_S if actions else evidence.quiet_s(rollout, situation, over_in_s) if is_whole and over_in_s > 0 else LOOK_S
    why = f"all of the traffic for {baked:.0f} of {policy.bake_s:g} s" if is_whole else f"wait until {target.release} is whole again: {view.unready(seen)}"
    why = f"held: {situation.held}" if situation.held and is_whole else why
    return Decision(actions=actions, next_state=rollout, again_in_s=wait, why=why)


def _paused(rollout: Rollout, situation: Situation, seen: View) -> Decision:
    """Keep weights and sizes as they are and replace what is lost; who crashed is restarted by the runtime, and traffic follows who can carry it."""
    if rollout.paused_from in (Phase.PLANNED, Phase.PREPARING):
        return replace(steady(situation), next_state=rollout, again_in_s=LOOK_S, why=f"paused before it began: {rollout.paused_why}")
    actions = effects.carry_out(situation, seen.all, strategies.keep(rollout, situation, seen))
    return Decision(actions=actions, next_state=rollout, again_in_s=LOOK_S, why=f"paused: {rollout.paused_why}")


def _sized(rollout: Rollout, situation: Situation, seen: View) -> Rollout:
    """Take over a new desired size, as far as it fits: growing at once, shrinking only once the steps are over."""
    desired = view.fitting(rollout, situation, seen)
    may_shrink = rollout.phase not in (Phase.STEPPING, Phase.JUDGING)
    return replace(rollout, desired=desired) if desired > rollout.desired or may_shrink else rollout


def _reached(rollout: Rollout, situation: Situation, seen: View) -> str:
    if view.effective_strategy(rollout, situation) is Strategy.CANARY:
        return (
            f"{rollout.to_release} carries {rollout.policy.steps[rollout.step].weight_pct} % with {len(seen.target.available)} instances; evidence is collected"
        )
    return f"all {rollout.desired} of {rollout.to_release} are available"
