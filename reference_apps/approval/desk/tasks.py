"""A piece of work for one person, and what may happen to it: claim, release, delegate, decide, escalate, expire. Pure: the time is an argument.

A task is decided at most once, and by nobody who has judged or edited its case before. Time moves a task on to others; it never decides.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from reference_apps.approval.desk.people import Reviewer, Role

LEASE_MS = 30 * 60_000
MOST_LEVELS = 2


class State(StrEnum):
    """Where a task stands. DECIDED and WITHDRAWN (the case left the stage without a decision) are final."""

    OPEN = "open"
    CLAIMED = "claimed"
    DECIDED = "decided"
    WITHDRAWN = "withdrawn"


class Outcome(StrEnum):
    """What a person can decide. RETURN sends the case back: to the applicant for a supplement, or to the stage before, as the flow says."""

    APPROVE = "approve"
    REJECT = "reject"
    RETURN = "return"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ruling:
    """What somebody wants decided, on the task as they saw it (`version`). A rejection or return has a reason code and a text."""

    outcome: Outcome
    version: int
    code: str = ""
    text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What was decided, by whom and when."""

    outcome: Outcome
    person: str
    name: str
    at_ms: int
    code: str = ""
    text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One visit of a case to a manual stage.

    It `judges` the case, or only has a failed step tried again: that, the same person may do more than once, but nobody who has judged or edited the case.
    `choices` are the outcomes that its stage knows. `acted` is everybody who may not take it, with what they did: it belongs to the
    case, so it goes along with delegation and escalation.
    `version` grows with every change of what is to be decided or by whom. `due_ms` never moves; `escalate_ms` is when the level rises next.
    """

    id: str
    case_id: str
    stage: str
    visit: int
    skill: str
    amount_fen: int
    flow_version: str
    opened_ms: int
    due_ms: int
    escalate_ms: int | None
    sla_ms: int
    judges: bool = True
    choices: tuple[Outcome, ...] = tuple(Outcome)
    version: int = 1
    level: int = 0
    state: State = State.OPEN
    claimant: str | None = None
    claimant_name: str = ""
    lease_until_ms: int | None = None
    acted: Mapping[str, str] = field(default_factory=dict)
    decision: Decision | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Stay:
    """A visit of a case to a manual stage: what a task is opened for. `amount_fen` is the most that the case may come to; `sla_ms` the time it should take."""

    case_id: str
    stage: str
    visit: int
    skill: str
    amount_fen: int
    flow_version: str
    sla_ms: int
    judges: bool = True
    choices: tuple[Outcome, ...] = tuple(Outcome)


class Why(StrEnum):
    """Kinds of refusal: who you are (FORBIDDEN), where the task stands (CONFLICT), what you said (INVALID)."""

    FORBIDDEN = "forbidden"
    CONFLICT = "conflict"
    INVALID = "invalid"


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """Why nothing was changed, in one sentence, and what to do. `holder` and `until_ms`: who holds the task, and how long."""

    why: Why
    code: str
    said: str
    remedy: str
    holder: str | None = None
    until_ms: int | None = None


def task_id(case_id: str, stage: str, visit: int) -> str:
    """Return the id of a case's task: the same visit of the same stage is the same task, however often it is opened."""
    return f"{case_id}~{stage}~{visit}"


def opened(stay: Stay, now_ms: int) -> Task:
    """Return the task of a case that has come to a manual stage."""
    due_ms = now_ms + stay.sla_ms
    return Task(
        id=task_id(stay.case_id, stay.stage, stay.visit),
        case_id=stay.case_id,
        stage=stay.stage,
        visit=stay.visit,
        skill=stay.skill,
        amount_fen=stay.amount_fen,
        flow_version=stay.flow_version,
        sla_ms=stay.sla_ms,
        judges=stay.judges,
        choices=stay.choices,
        opened_ms=now_ms,
        due_ms=due_ms,
        escalate_ms=due_ms,
    )


def settled(task: Task, now_ms: int) -> Task:
    """Return the task as it stands now: a claim whose lease has run out is open again."""
    if task.state is State.CLAIMED and (task.lease_until_ms or 0) <= now_ms:
        return _given_back(task)
    return task


def barred(task: Task, person: Reviewer) -> Refused | None:
    """Say why this person may never take this task; None when they may."""
    if not person.active:
        return _forbidden("not_active", f"{person.name} no longer works at this desk", "ask a supervisor for access")
    if done := task.acted.get(person.id):
        return _forbidden("four_eyes", f"{person.name} has acted on this case already: {done}", "somebody else must decide it")
    if task.amount_fen > person.ceiling_fen:
        limits = f"{yuan(task.amount_fen)} is above the limit of {person.name}, {yuan(person.ceiling_fen)}"
        return _forbidden("above_ceiling", limits, "a reviewer with a higher limit must decide it")
    if task.skill not in person.skills and not (task.level > 0 and person.role is Role.SUPERVISOR):
        return _forbidden("no_skill", f"{person.name} does not have the skill {task.skill}", "a reviewer with that skill must decide it")
    return None


def claim(task: Task, person: Reviewer, now_ms: int) -> Task | Refused:
    """Take a task for half an hour; claiming it again while holding it lengthens the lease and changes nothing else."""
    task = settled(task, now_ms)
    if refused := _final(task) or barred(task, person) or _held_by_other(task, person):
        return refused
    if task.claimant == person.id:
        return replace(task, lease_until_ms=now_ms + LEASE_MS)
    return _held(task, person, now_ms)


def release(task: Task, person: Reviewer, now_ms: int) -> Task | Refused:
    """Give a claim back. A supervisor may take it from somebody else. A task that nobody holds stays as it is."""
    task = settled(task, now_ms)
    if refused := _final(task):
        return refused
    if task.state is State.OPEN:
        return task
    if person.role is not Role.SUPERVISOR and (refused := _held_by_other(task, person)):
        return refused
    return _given_back(task)


def delegate(task: Task, person: Reviewer, to: Reviewer, now_ms: int) -> Task | Refused:
    """Hand a task to a named person, who then holds it; it must be the holder's own, or anybody's whom the task is open to. Both must be allowed to take it."""
    task = settled(task, now_ms)
    if person.id == to.id:
        return _forbidden("to_oneself", f"{person.name} cannot delegate to themselves", "claim it instead")
    if refused := _final(task) or barred(task, person) or barred(task, to):
        return refused
    if person.role is not Role.SUPERVISOR and (refused := _held_by_other(task, person)):
        return refused
    if task.claimant == to.id:
        return task
    return _held(task, to, now_ms)


def decide(task: Task, person: Reviewer, ruling: Ruling, now_ms: int) -> Task | Refused:
    """Decide, once: the holder, on the version they saw. A task that was decided is returned as it is, with what was decided then."""
    if task.state is State.DECIDED:
        return task
    task = settled(task, now_ms)
    if refused := _final(task) or barred(task, person) or _held_by_other(task, person):
        return refused
    if task.claimant != person.id:
        return _conflict("not_claimed", f"{person.name} does not hold this task (the claim may have run out)", "claim it, look again, then decide")
    if task.version != ruling.version:
        seen = f"the task is at version {task.version}, the decision was made on version {ruling.version}"
        return _conflict("changed_meanwhile", seen, "look at the case again, then decide")
    if ruling.outcome not in task.choices:
        known = ", ".join(task.choices)
        return Refused(why=Why.INVALID, code="no_such_choice", said=f"at {task.stage} there is no way to {ruling.outcome}", remedy=f"choose one of {known}")
    if ruling.outcome is not Outcome.APPROVE and not (ruling.code and ruling.text.strip()):
        return Refused(why=Why.INVALID, code="reason_missing", said=f"to {ruling.outcome} needs a reason code and a text", remedy="say why")
    made = Decision(outcome=ruling.outcome, person=person.id, name=person.name, at_ms=now_ms, code=ruling.code, text=ruling.text.strip())
    acted = {**task.acted, person.id: f"decided {task.stage}"}
    return replace(task, state=State.DECIDED, decision=made, acted=acted, lease_until_ms=None, escalate_ms=None, version=task.version + 1)


def escalate(task: Task, now_ms: int) -> Task:
    """Raise the level of a task whose time has come: one level a call, until there is none above. Whoever holds it goes on holding it."""
    if _is_final(task) or task.escalate_ms is None or now_ms < task.escalate_ms:
        return task
    level = task.level + 1
    following = task.escalate_ms + task.sla_ms if level < MOST_LEVELS else None
    return replace(task, level=level, escalate_ms=following)


def withdraw(task: Task) -> Task:
    """Take back a task that its case no longer needs; a decided one stays decided."""
    return task if _is_final(task) else replace(_given_back(task), state=State.WITHDRAWN, escalate_ms=None)


def bar(task: Task, person: str, did: str) -> Task:
    """Note that somebody has acted on the case; if they hold the task, they hold it no longer. What they did first stays noted."""
    if _is_final(task) or person in task.acted:
        return task
    acted = {**task.acted, person: did}
    return replace(_given_back(task) if task.claimant == person else task, acted=acted)


def late(task: Task) -> Refused:
    """Say that a task is over, and how it ended."""
    if task.decision is None:
        return _conflict("withdrawn", "the case went on without this task", "look at the case")
    said = f"the task was decided already: {task.decision.outcome} by {task.decision.name}; nothing was changed"
    return _conflict("already_decided", said, "look at its history")


def yuan(fen: int) -> str:
    """Write fen as yuan: 200000 is "2,000.00"."""
    return f"{fen // 100:,}.{fen % 100:02d}"


def _held(task: Task, person: Reviewer, now_ms: int) -> Task:
    held = replace(task, state=State.CLAIMED, claimant=person.id, claimant_name=person.name, version=task.version + 1)
    return replace(held, lease_until_ms=now_ms + LEASE_MS)


def _given_back(task: Task) -> Task:
    return replace(task, state=State.OPEN, claimant=None, claimant_name="", lease_until_ms=None, version=task.version + 1)


def _is_final(task: Task) -> bool:
    return task.state in (State.DECIDED, State.WITHDRAWN)


def _final(task: Task) -> Refused | None:
    return late(task) if _is_final(task) else None


def _held_by_other(task: Task, person: Reviewer) -> Refused | None:
    if task.state is not State.CLAIMED or task.claimant == person.id:
        return None
    said = f"{task.claimant_name} holds this task"
    remedy = "wait until it is released, or ask a supervisor"
    return Refused(why=Why.CONFLICT, code="held", said=said, remedy=remedy, holder=task.claimant_name, until_ms=task.lease_until_ms)


def _forbidden(code: str, said: str, remedy: str) -> Refused:
    return Refused(why=Why.FORBIDDEN, code=code, said=said, remedy=remedy)


def _conflict(code: str, said: str, remedy: str) -> Refused:
    return Refused(why=Why.CONFLICT, code=code, said=said, remedy=remedy)
