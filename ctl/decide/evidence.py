"""Is the rollout going well? Deadlines, crash loops, measured windows and the high-water mark of progress. Pure."""

from dataclasses import replace
from datetime import datetime, timedelta

from ctl.decide import groups as reading
from ctl.decide import transitions, verdict, view
from ctl.decide.view import View
from ctl.model.plan import Decision
from ctl.model.rollout import Phase, Progress, Rollout, Verdict
from ctl.model.service import OnDeadline
from ctl.model.situation import Situation

TIMED = frozenset({Phase.STEPPING, Phase.PROMOTING})


def failing(rollout: Rollout, situation: Situation, seen: View) -> Decision | None:
    """Return the decision to give up, if the target crashes in circles, is unhealthy where none may be, or makes no progress in time."""
    if reading.crash_loops(seen.target, seen.stable):
        reason = next((one.reason for one in seen.target.members if one.reason), "no reason is known")
        return transitions.abort(rollout, situation, f"every instance of {rollout.to_release} crashes again and again ({reason})")
    policy = rollout.policy
    if policy.progress_deadline_s == 0 and reading.unhealthy_since(seen.target, policy.healthy_deadline_s, situation.now):
        return transitions.abort(rollout, situation, f"an instance of {rollout.to_release} was not healthy within {policy.healthy_deadline_s:g} s")
    rollout = progressed(rollout, situation, seen)
    idle = (situation.now - rollout.last_progress_at).total_seconds()
    if rollout.phase not in TIMED or policy.progress_deadline_s == 0 or idle <= policy.progress_deadline_s:
        return None
    why = f"no progress for {idle:.0f} s (limit {policy.progress_deadline_s:g} s): {view.unready(seen)}"
    return transitions.abort(rollout, situation, why) if policy.on_deadline is OnDeadline.ABORT else transitions.pause(rollout, situation, why, ())


def measured(rollout: Rollout, situation: Situation, seen: View) -> Rollout:
    """Judge the newest window if one is due, and count it; a release without traffic is not judged."""
    since = rollout.step_since or rollout.phase_since
    if situation.routes.weight_of(rollout.to_release) == 0 or rollout.skip_gates or not verdict.is_due(rollout, since, situation.now):
        return rollout
    target, stable = verdict.side(situation.readings, rollout.to_release), verdict.side(situation.readings, rollout.from_release)
    kept, failures = verdict.counted(rollout, verdict.measure(target, stable, rollout.policy.gate, situation.now))
    return replace(rollout, measurements=kept, failures=failures)


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


def harm(rollout: Rollout) -> str:
    worst = next((one for one in reversed(rollout.measurements) if one.verdict is Verdict.HARM), None)
    return f"{rollout.to_release} does harm: {worst.why if worst else 'limits broken'}"


def deadline_of(rollout: Rollout) -> datetime | None:
    """Return when the rollout gives up unless it makes progress; None where nothing is timed."""
    if rollout.phase not in TIMED or rollout.policy.progress_deadline_s == 0:
        return None
    return rollout.last_progress_at + timedelta(seconds=rollout.policy.progress_deadline_s)
