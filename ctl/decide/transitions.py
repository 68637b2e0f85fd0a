"""From phase to phase: each makes the Decision that enters it. Pure."""

from dataclasses import replace

from ctl.decide.effects import LOOK_S
from ctl.model.plan import Action, Decision
from ctl.model.rollout import Phase, Rollout
from ctl.model.situation import Situation


def enter(rollout: Rollout, situation: Situation, phase: Phase, why: str, actions: tuple[Action, ...] = ()) -> Decision:
    moved = replace(rollout, phase=phase, phase_since=situation.now, last_progress_at=situation.now)
    return Decision(actions=actions, next_state=moved, again_in_s=0.0, why=why)


def step_on(rollout: Rollout, situation: Situation, why: str, upkeep: tuple[Action, ...]) -> Decision:
    if rollout.step + 1 >= len(rollout.policy.steps):
        return enter(rollout, situation, Phase.PROMOTING, why, upkeep)
    return enter(replace(rollout, step=rollout.step + 1, step_since=None), situation, Phase.STEPPING, why, upkeep)


def pause(rollout: Rollout, situation: Situation, why: str, actions: tuple[Action, ...]) -> Decision:
    paused = replace(rollout, paused_from=rollout.phase, paused_why=why)
    return replace(enter(paused, situation, Phase.PAUSED, f"paused: {why}", actions), again_in_s=LOOK_S)


def abort(rollout: Rollout, situation: Situation, why: str) -> Decision:
    return enter(replace(rollout, abort_why=why, weight_zero_since=None), situation, Phase.ABORTING, f"{rollout.to_release} is taken back: {why}")


def end(rollout: Rollout, situation: Situation, phase: Phase, why: str) -> Decision:
    return replace(enter(replace(rollout, outcome=why, finished_at=situation.now), situation, phase, why), again_in_s=LOOK_S)
