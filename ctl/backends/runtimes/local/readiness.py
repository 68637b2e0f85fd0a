"""What a process's answers to its probes mean for its phase, and when to ask again. Pure: answers in, standing out."""

import json
from dataclasses import dataclass, replace

from ctl.backends.runtimes import findings
from ctl.backends.runtimes.local.site import Pace
from ctl.model.finding import Finding
from ctl.model.fleet import InstancePhase
from ctl.model.service import Health

OK, UNAVAILABLE = 200, 503
UP = (InstancePhase.READY, InstancePhase.STANDBY, InstancePhase.UNREADY)
MOST_REASON = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """What one probe brought: the status of the readiness path, or None when nothing answered there; then `alive` says whether the liveness path did."""

    status: int | None
    state: str = ""
    reason: str = ""
    alive: bool = True
    findings: tuple[Finding, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What all answers so far make of one process. `failures` and `silent` count the failed and the unanswered probes in a row up to now.

    `findings` is what the last ready answer had of them; None: nothing was said.
    """

    phase: InstancePhase = InstancePhase.STARTING
    reason: str = ""
    failures: int = 0
    silent: int = 0
    has_answered: bool = False
    has_been_up: bool = False
    findings: tuple[Finding, ...] | None = None


def adopted(phase: InstancePhase, reason: str) -> Standing:
    """Return the standing of a process that others have watched: it was up unless it was starting."""
    return Standing(phase=phase, reason=reason, has_answered=phase in UP, has_been_up=phase in UP)


def heard(status: int | None, body: bytes, *, alive: bool = True, trouble: str = "") -> Heard:
    """Read an answer to the readiness path: a 503 may say its state and reason in JSON, a 200 what was found."""
    if status == OK:
        return Heard(status=status, reason=trouble, alive=alive, findings=findings.read(body))
    if status != UNAVAILABLE:
        return Heard(status=status, reason=trouble, alive=alive)
    try:
        said = json.loads(body)
    except ValueError:
        said = None
    said = said if isinstance(said, dict) else {}
    return Heard(status=status, state=str(said.get("state", "")), reason=str(said.get("reason", ""))[:MOST_REASON])


def after(before: Standing, answer: Heard, pace: Pace) -> Standing:
    """Return the standing after one more answer: ready and standby at once, unready at once when it says so and else after some failures in a row."""
    if answer.status == OK:
        return Standing(phase=InstancePhase.READY, has_answered=True, has_been_up=True, findings=answer.findings)
    if answer.status == UNAVAILABLE:
        return _said_no(before, answer)
    silent = before.silent + 1 if answer.status is None and not answer.alive else 0
    now = replace(before, failures=before.failures + 1, silent=silent, has_answered=before.has_answered or not silent)
    if now.failures < pace.unready_after and before.phase is not InstancePhase.STARTING:
        return now
    phase = InstancePhase.UNREADY if before.has_been_up else InstancePhase.STARTING
    return replace(now, phase=phase, reason=_trouble(answer) if now.has_answered else before.reason)


def is_dead(standing: Standing, age_s: float, pace: Pace) -> bool:
    """Whether a running process is to be ended because nothing at all answers any more."""
    patient = not standing.has_answered and age_s < pace.start_allowance_s
    return standing.silent >= pace.silent_limit and not patient


def wait_s(standing: Standing, health: Health, pace: Pace, *, age_s: float, in_phase_s: float, starting: int) -> float:
    """Seconds until the next probe; `starting` is how many instances of the whole home are starting now."""
    if standing.phase is InstancePhase.STARTING and age_s < pace.quick_for_s:
        return max(pace.quick_s, starting / pace.most_quick_rps)
    is_steady = standing.phase is InstancePhase.READY and not standing.failures and in_phase_s >= pace.young_for_s
    return health.interval_s * (pace.steady_factor if is_steady else 1.0)


def _said_no(before: Standing, answer: Heard) -> Standing:
    if answer.state == "standby":
        return Standing(phase=InstancePhase.STANDBY, reason=answer.reason or "waits for the writer lock", has_answered=True, has_been_up=True)
    phase = InstancePhase.UNREADY if before.has_been_up else InstancePhase.STARTING
    return Standing(phase=phase, reason=answer.reason or answer.state or "answers 503", has_answered=True, has_been_up=before.has_been_up)


def _trouble(answer: Heard) -> str:
    if answer.status is None:
        return answer.reason or "does not answer"
    return f"answers {answer.status}" if answer.status else "does not speak HTTP"
