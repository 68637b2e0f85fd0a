"""Is the rollout going well? Deadlines, crash loops, measured windows and the high-water mark of progress. Pure."""

import math
from dataclasses import replace
from datetime import datetime

from ctl.decide import groups as reading
from ctl.decide import transitions, verdict, view
from ctl.decide.effects import SOON_S
from ctl.decide.view import View
from ctl.model.plan import Decision
from ctl.model.rollout import Phase, Progress, Rollout, Verdict
from ctl.model.service import OnDeadline
from ctl.model.situation import Situation

LONGEST_QUIET_S = 10.0
TIMED = frozenset({Phase.STEPPING, Phase.PROMOTING})


def failing(rollout: Rollout, situation: Situation, seen: View) -> Decision | None:
    """Return the decision to give up, if the target crashes in circles, is unhealthy where none may be, or makes no progress in time."""
    if reading.crash_loops(seen.target, seen.stable):
        reason = next((one.reason for one in seen.target.members if one.reason), "its log says why")
        return transitions.abort(rollout, situation, f"every instance of {rollout.to_release} crashes again and again ({reason})")
    policy = rollout.policy
    if policy.progress_deadline_s == 0 and reading.unhealthy_since(seen.target, policy.healthy_deadline_s, situation.now):
        return transitions.abort(rollout, situation, f"an instance of {rollout.to_release} was not healthy within {policy.healthy_deadline_s:g} s")
    since = _idle_since(progressed(rollout, situation, seen))
    idle = (situation.now - since).total_seconds() if since else 0.0
    if idle <= _patience_s(rollout):
        return None
    why = f"no progress for {idle:.0f} s (limit {_patience_s(rollout):g} s): {view.unready(seen)}"
    return transitions.abort(rollout, situation, why) if policy.on_deadline is OnDeadline.ABORT else transitions.pause(rollout, situation, why, ())


def measured(rollout: Rollout, situation: Situation) -> Rollout:
    """Judge the newest window if one is due, and count it; a release without traffic is not judged, one without traffic is no measure for another."""
    since = rollout.step_since or rollout.phase_since
    if not _is_judged(rollout, situation) or verdict.due_in_s(rollout, since, situation.now) > 0:
        return rollout
    before = rollout.from_release if rollout.from_release and situation.routes.weight_of(rollout.from_release) else None
    target, stable = verdict.side(situation.readings, rollout.to_release), verdict.side(situation.readings, before) if before else None
    found = verdict.doubted(verdict.measure(target, stable, rollout.policy.gate, situation.now), _silent(rollout, situation))
    kept, failures = verdict.counted(rollout, found)
    return replace(rollout, measurements=kept, failures=failures)


def _silent(rollout: Rollout, situation: Situation) -> int:
    """Count the instances on both sides of the comparison that have traffic and say nothing about it."""
    sides, heard = (rollout.to_release, rollout.from_release), {reading.instance for reading in situation.readings}
    return sum(1 for entry in situation.routes.entries if entry.release in sides for id in entry.instances if id not in heard)


def baking(rollout: Rollout, situation: Situation, seen: View) -> Rollout:
    """Keep since when a baking target is no longer whole: only that time counts against it."""
    is_whole = seen.target.size == len(seen.target.available) == rollout.desired
    return replace(rollout, unwell_since=None if is_whole else rollout.unwell_since or situation.now)


def progressed(rollout: Rollout, situation: Situation, seen: View) -> Rollout:
    """Move the high-water mark; getting better in any way is progress, and its time is kept."""
    best = rollout.progress
    now = Progress(
        target_size=max(best.target_size, seen.target.size),
        old_size=min(best.old_size, sum(old.size for old in seen.olds)),
        ready=max(best.ready, seen.target.ready),
        available=max(best.available, len(seen.target.available)),
        weight_pct=max(best.weight_pct, situation.routes.weight_of(rollout.to_release)),
        step=max(best.step, rollout.step),
    )
    allowed = rollout.desired + view.bounds(rollout, situation)[0]
    if now == best:
        return rollout if allowed == rollout.last_allowed else replace(rollout, last_allowed=allowed)
    return replace(rollout, progress=now, last_progress_at=situation.now, last_allowed=allowed)


def quiet_s(rollout: Rollout, situation: Situation, over_in_s: float) -> float:
    """Return how long a rollout that only collects evidence may be left alone: until the next window, or until its time is over.

    Whatever happens to an instance wakes it before; LONGEST_QUIET_S keeps those who collect the figures at it.
    """
    since = rollout.step_since or rollout.phase_since
    window_in_s = verdict.due_in_s(rollout, since, situation.now) if _is_judged(rollout, situation) else LONGEST_QUIET_S
    return max(SOON_S, min(LONGEST_QUIET_S, over_in_s, window_in_s))


def has_looked(rollout: Rollout, situation: Situation, step_s: float) -> bool:
    """Whether enough windows have been measured since the step began to say that there is too little: time in which nobody measured is no evidence."""
    since = rollout.step_since or rollout.phase_since
    if not _is_judged(rollout, situation):
        return True
    wanted = min(verdict.KEPT, math.ceil(step_s / rollout.policy.gate.window_s) + 1)
    return sum(one.at > since for one in rollout.measurements) >= wanted


def _is_judged(rollout: Rollout, situation: Situation) -> bool:
    """Whether windows are judged now: a release without traffic is not, and a known-good one need not be."""
    return situation.routes.weight_of(rollout.to_release) > 0 and not rollout.skip_gates


def harm(rollout: Rollout) -> str:
    worst = next((one for one in reversed(rollout.measurements) if one.verdict is Verdict.HARM), None)
    return f"{rollout.to_release} does harm: {worst.why if worst else 'limits broken'}"


def _patience_s(rollout: Rollout) -> float:
    """Without a progress deadline (0: the first unhealthy instance fails the rollout) whatever does not move fails when an instance would."""
    return rollout.policy.progress_deadline_s or rollout.policy.healthy_deadline_s


def _idle_since(rollout: Rollout) -> datetime | None:
    """Return since when the clock runs against the rollout; None where it waits for time, a gate or a person."""
    if rollout.phase is Phase.BAKING:
        return rollout.unwell_since
    return rollout.last_progress_at if rollout.phase in TIMED else None
