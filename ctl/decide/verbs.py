"""What a person may do to a rollout, and when: pause, resume, promote, abort, supersede, undo. Pure; refuses with the reason and the way on."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from ctl.errors import NotFound, Refused
from ctl.model.rollout import BEFORE_PROMOTING, TERMINAL, Phase, Rollout

KNOWN_GOOD_REVISIONS = 3
KNOWN_GOOD_FOR = timedelta(days=7)


def pause(rollout: Rollout, now: datetime, why: str) -> Rollout:
    """Stop taking steps; paused already is a no-op. Raises Refused while aborting or after the end."""
    if rollout.phase is Phase.PAUSED:
        return rollout
    _require_running(rollout, "paused")
    if rollout.phase is Phase.ABORTING:
        raise Refused(f"{_name(rollout)} is being taken back and cannot be paused", remedy=f"msxfctl status {rollout.service}")
    return _to(replace(rollout, paused_from=rollout.phase, paused_why=why or "an operator asked for it"), Phase.PAUSED, now)


def resume(rollout: Rollout, now: datetime) -> Rollout:
    """Go on where it paused, with the remaining deadline; not paused is a no-op. Raises Refused where a gate needs promote."""
    if rollout.phase is not Phase.PAUSED or rollout.paused_from is None:
        _require_running(rollout, "resumed")
        return rollout
    step = rollout.policy.steps[rollout.step] if rollout.step < len(rollout.policy.steps) else None
    if rollout.paused_from is Phase.JUDGING and step is not None and step.pause and rollout.promoted_step < rollout.step:
        raise Refused(
            f"{_name(rollout)} waits for a person at {step.weight_pct} %", remedy=f"msxfctl promote {rollout.service}   or   msxfctl abort {rollout.service}"
        )
    away = now - rollout.phase_since
    return replace(
        rollout,
        phase=rollout.paused_from,
        phase_since=now,
        last_progress_at=min(now, rollout.last_progress_at + away),
        unwell_since=rollout.unwell_since and rollout.unwell_since + away,
        step_since=now if rollout.step_since else None,
        paused_s=rollout.paused_s + away.total_seconds(),
        paused_from=None,
        paused_why="",
    )


def promote(rollout: Rollout, now: datetime, *, full: bool, held: str = "") -> Rollout:
    """Pass the gate the rollout stands at (`full`: all that remain); past it already is a no-op.

    Raises Refused where there is no gate, or while the promotion is `held`.
    """
    _require_running(rollout, "promoted")
    if rollout.phase in (Phase.PROMOTING, Phase.BAKING):
        return rollout
    if rollout.phase is Phase.ABORTING:
        raise Refused(f"{_name(rollout)} is being taken back and cannot be promoted", remedy=f"msxfctl status {rollout.service}")
    if held:
        raise Refused(f"{_name(rollout)} is not promoted", found=held, remedy=f"msxfctl abort {rollout.service}; it goes on by itself when that is over")
    if full and rollout.paused_from not in (Phase.PROMOTING, Phase.BAKING):
        last = len(rollout.policy.steps) - 1
        passed = replace(rollout, full=True, promoted_step=max(last, rollout.promoted_step))
        return _unpaused(passed, now) if rollout.phase is Phase.PAUSED else passed
    if rollout.phase is Phase.JUDGING or (rollout.phase is Phase.PAUSED and rollout.paused_from is Phase.JUDGING):
        return _unpaused(replace(rollout, promoted_step=rollout.step), now)
    raise Refused(
        f"{_name(rollout)} stands at no gate: it is {rollout.phase}",
        remedy=f"wait for the gate, msxfctl resume {rollout.service}, or promote --full to skip all steps",
    )


def abort(rollout: Rollout, now: datetime, why: str) -> Rollout:
    """Begin to take it back; taken back already is a no-op. A rollout that has not begun is cancelled."""
    if rollout.phase in (Phase.ABORTING, Phase.ROLLED_BACK, Phase.CANCELLED):
        return rollout
    _require_running(rollout, "aborted")
    if Phase.PLANNED in (rollout.phase, rollout.paused_from):
        return replace(_to(rollout, Phase.CANCELLED, now), finished_at=now, outcome=why or "cancelled before it began")
    return _to(replace(rollout, abort_why=why or "an operator asked for it", paused_from=None, paused_why="", weight_zero_since=None), Phase.ABORTING, now)


def may_supersede(rollout: Rollout) -> bool:
    """Whether a newer release may end this one now; from promotion on the newer one waits."""
    return rollout.phase in BEFORE_PROMOTING or (rollout.phase is Phase.PAUSED and rollout.paused_from in BEFORE_PROMOTING)


def supersede(rollout: Rollout, now: datetime, by: str) -> Rollout:
    """End this rollout in favour of a newer release; its group becomes an old one."""
    return replace(_to(rollout, Phase.SUPERSEDED, now), finished_at=now, outcome=f"superseded by {by}")


def undo_target(history: Sequence[Rollout], current: str | None) -> Rollout:
    """Return the last certified rollout of another release than the current one; `history` is newest first. Raises NotFound."""
    for one in history:
        if one.phase is Phase.CERTIFIED and one.to_release != current:
            return one
    raise NotFound(f"there is no certified release before {current or 'the first one'}", remedy="msxfctl history SERVICE shows what has run")


def is_known_good(certified: Rollout, newest_revision: int, now: datetime) -> bool:
    """Whether an undo to it may skip the steps and the judge: certified within the last 3 revisions and 7 days."""
    recent = certified.finished_at is not None and now - certified.finished_at <= KNOWN_GOOD_FOR
    return recent and newest_revision - certified.revision <= KNOWN_GOOD_REVISIONS


def _unpaused(rollout: Rollout, now: datetime) -> Rollout:
    if rollout.phase is not Phase.PAUSED:
        return rollout
    back, away = rollout.paused_from or Phase.STEPPING, now - rollout.phase_since
    paused_s = rollout.paused_s + away.total_seconds()
    return replace(rollout, phase=back, phase_since=now, last_progress_at=now, paused_s=paused_s, paused_from=None, paused_why="")


def _to(rollout: Rollout, phase: Phase, now: datetime) -> Rollout:
    return replace(rollout, phase=phase, phase_since=now)


def _require_running(rollout: Rollout, done: str) -> None:
    if rollout.phase in TERMINAL:
        raise Refused(f"{_name(rollout)} cannot be {done}: it is over ({rollout.phase})", remedy=f"msxfctl history {rollout.service}")


def _name(rollout: Rollout) -> str:
    return f"the rollout of {rollout.service} to {rollout.to_release}"
