"""What the pages show, as plain values for the templates: words, amounts, and times relative to now with the exact one beside. Pure."""

from collections.abc import Mapping
from typing import Any

from ctl.kit.desk.moments import MINUTE, ago, iso, left, length
from reference_apps.approval.desk import tasks, words
from reference_apps.approval.desk.casefile import CaseFile
from reference_apps.approval.desk.people import Reviewer, Role
from reference_apps.approval.desk.store import Line
from reference_apps.approval.desk.tasks import Outcome, State, Task
from reference_apps.approval.desk.work import Folder, Queue

Screen = dict[str, Any]

MARKS = {"good": "✔", "care": "▲", "bad": "✖", "open": "○"}


def due(task: Task, now_ms: int) -> Screen:
    """Say when a task is due, in words that need no colour."""
    late = now_ms - task.due_ms
    text = f"▲ {length(late)} overdue" if late >= MINUTE else "▲ due now" if late >= 0 else f"due {ago(task.due_ms, now_ms).text}"
    return {"text": text, "exact": iso(task.due_ms), "is_late": late >= 0}


def standing(task: Task, person: Reviewer, now_ms: int) -> Screen:
    """Say where a task stands, seen by one person."""
    if task.decision is not None:
        done = f"✔ {words.DONE[task.decision.outcome]} by {'you' if task.decision.person == person.id else task.decision.name}"
        return {"kind": "decided", "text": done}
    if task.state is State.WITHDRAWN:
        return {"kind": "withdrawn", "text": "○ withdrawn"}
    if task.state is State.OPEN:
        return {"kind": "open", "text": "○ open"}
    is_mine = task.claimant == person.id
    still = left(max(1, (task.lease_until_ms or now_ms) - now_ms))
    return {"kind": "mine" if is_mine else "held", "text": f"{'● yours' if is_mine else f'◐ {task.claimant_name}'}, {still} left"}


def queue(found: Queue, files: Mapping[str, CaseFile], person: Reviewer, now_ms: int) -> Screen:
    """Return the queue: a line that answers what is waiting, and a row a task."""
    return {"headline": _headline(found, now_ms), "rows": [_row(task, files[task.case_id], person, now_ms) for task in found.items], "after": found.after}


def _headline(found: Queue, now_ms: int) -> str:
    if not found.items:
        return "Nothing waits for you"
    first = min(found.items, key=lambda task: task.due_ms)
    late = f", {found.overdue} overdue" if found.overdue else ""
    return f"{found.total} {'task' if found.total == 1 else 'tasks'}{late}; the most urgent is {due(first, now_ms)['text'].removeprefix('▲ ')}"


def _row(task: Task, case: CaseFile, person: Reviewer, now_ms: int) -> Screen:
    en, zh = words.stage(task.stage)
    return {
        "id": task.id,
        "case_id": task.case_id,
        "customer": case.customer,
        "amount": tasks.yuan(task.amount_fen) if task.amount_fen else "not priced yet",
        "stage": en,
        "stage_zh": zh,
        "why": case.why[-1] if case.why else ("", ""),
        "due": due(task, now_ms),
        "level": task.level,
        "standing": standing(task, person, now_ms),
        "may_claim": task.state is State.OPEN and tasks.barred(task, person) is None,
    }


def case(found: Folder, file: CaseFile, person: Reviewer, now_ms: int) -> Screen:
    """Return a case with everything on it, and what this person may do."""
    task = found.task
    refused = tasks.barred(task, person)
    is_over = task.state in (State.DECIDED, State.WITHDRAWN)
    is_mine = task.state is State.CLAIMED and task.claimant == person.id
    is_supervisor = person.role is Role.SUPERVISOR
    others = [each for each in found.candidates if each.id not in (person.id, task.claimant)]
    return {
        "task": task,
        "file": file,
        "stage": words.stage(task.stage),
        "due": due(task, now_ms),
        "standing": standing(task, person, now_ms),
        "eyes": _eyes(found, person, now_ms),
        "may": _may(task, person, is_over),
        "can_claim": refused is None and task.state is State.OPEN,
        "can_decide": is_mine and refused is None,
        "can_release": task.state is State.CLAIMED and (is_mine or is_supervisor),
        "can_delegate": refused is None and not is_over and bool(others) and (is_mine or task.state is State.OPEN or is_supervisor),
        "others": others,
        "outcomes": _outcomes(task),
        "checks": [_check(each, found, now_ms) for each in file.checks],
        "notes": [{"by": _name(found, note.person), "at": ago(note.at_ms, now_ms), "text": note.text} for note in found.notes],
        "papers": [{"paper": paper, "by": _name(found, paper.person), "at": ago(paper.at_ms, now_ms)} for paper in found.attachments],
        "history": [_line(line, found, now_ms) for line in reversed(found.lines)],
        "decision": _decision(task, now_ms),
    }


def _eyes(found: Folder, person: Reviewer, now_ms: int) -> list[Screen]:
    """Say who has acted on the case: decisions with their outcome, whatever else as it was noted."""
    made = [task for task in found.siblings if task.decision is not None]
    lines = []
    for task in made:
        assert task.decision is not None
        who = "you" if task.decision.person == person.id else task.decision.name
        lines.append({"text": f"{words.stage(task.stage)[0]}: {words.DONE[task.decision.outcome]} by {who}", "at": ago(task.decision.at_ms, now_ms)})
    deciders = {task.decision.person for task in made if task.decision}
    acted = [(who, did) for who, did in found.task.acted.items() if who not in deciders]
    return lines + [{"text": f"{'you' if who == person.id else _name(found, who)}: {did}", "at": None} for who, did in acted]


def _may(task: Task, person: Reviewer, is_over: bool) -> Screen:
    if is_over:
        return {"yes": False, "text": "This task is over; there is nothing to decide."}
    refused = tasks.barred(task, person)
    if refused is None:
        return {"yes": True, "text": "You may decide: you have not acted on this case."}
    if refused.code == "four_eyes":
        return {"yes": False, "text": f"You may not decide, because you have acted on this case: {task.acted[person.id].replace('_', ' ')}."}
    return {"yes": False, "text": f"You may not decide: {refused.said}."}


def _outcomes(task: Task) -> list[Screen]:
    """Return the choices that the stage allows; trying a failed step again goes by its own words."""
    keys = {Outcome.APPROVE: "a", Outcome.REJECT: "r", Outcome.RETURN: "s"}
    named = {Outcome.APPROVE: ("Try it again", "重试")} if not task.judges else {}
    found = []
    for outcome in (each for each in Outcome if each in task.choices):
        en, zh = named.get(outcome, words.OUTCOMES[outcome])
        found.append({"value": str(outcome), "en": en, "zh": zh, "key": keys[outcome], "codes": list(words.codes(outcome).items())})
    return found


def _check(check: Any, found: Folder, now_ms: int) -> Screen:
    en, zh = words.stage(check.stage)
    kind, text = words.CAME_TO.get(check.outcome, ("open", check.outcome))
    by = _name(found, check.by) if check.by else ""
    return {"stage": en, "stage_zh": zh, "kind": kind, "mark": MARKS[kind], "text": text, "by": by, "at": ago(check.at_ms, now_ms), "reasons": check.reasons}


def _line(line: Line, found: Folder, now_ms: int) -> Screen:
    said = words.KINDS.get(line.kind, line.kind)
    stage = next((words.stage(task.stage)[0] for task in found.siblings if task.id == line.task_id), "")
    more = {"delegated": lambda: f"to {_name(found, str(line.body.get('to', '')))}", "decided": lambda: _ruled(line)}.get(line.kind, lambda: "")()
    return {"at": ago(line.at_ms, now_ms), "stage": stage, "by": _name(found, line.person) if line.person else "", "text": f"{said} {more}".strip()}


def _ruled(line: Line) -> str:
    outcome = Outcome(line.body["outcome"])
    en, _ = words.reason(outcome, line.body["code"]) if line.body.get("code") else ("", "")
    parts = [words.DONE[outcome], en, f"“{line.body['text']}”" if line.body.get("text") else ""]
    return "– " + "; ".join(part for part in parts if part)


def _decision(task: Task, now_ms: int) -> Screen | None:
    made = task.decision
    if made is None:
        return None
    reason = words.reason(made.outcome, made.code) if made.code else ("", "")
    return {"text": f"{words.DONE[made.outcome].capitalize()} by {made.name}", "at": ago(made.at_ms, now_ms), "reason": reason, "words": made.text}


def _name(found: Folder, person_id: str) -> str:
    return found.names.get(person_id, person_id)
