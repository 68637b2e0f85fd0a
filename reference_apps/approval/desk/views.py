"""Tasks as JSON, for reviewers' programs. Pure."""

from typing import Any

from ctl.kit.desk.moments import iso
from reference_apps.approval.desk import tasks, words
from reference_apps.approval.desk.papers import Attachment
from reference_apps.approval.desk.people import Reviewer
from reference_apps.approval.desk.store import Line
from reference_apps.approval.desk.tasks import Decision, Task
from reference_apps.approval.desk.work import Folder, Queue

Json = dict[str, Any]


def task(one: Task) -> Json:
    return {
        "task_id": one.id,
        "case_id": one.case_id,
        "stage": one.stage,
        "skill": one.skill,
        "amount_fen": one.amount_fen,
        "flow_version": one.flow_version,
        "version": one.version,
        "choices": list(one.choices),
        "state": str(one.state),
        "level": one.level,
        "opened_at": iso(one.opened_ms),
        "due_at": iso(one.due_ms),
        "claimed_by": one.claimant,
        "claimed_until": iso(one.lease_until_ms) if one.lease_until_ms is not None else None,
        "acted": dict(one.acted),
        "decision": decision(one.decision) if one.decision else None,
    }


def decision(made: Decision) -> Json:
    en, zh = words.reason(made.outcome, made.code) if made.code else ("", "")
    reason = {"code": made.code, "en": en, "zh": zh} if made.code else None
    return {"outcome": str(made.outcome), "by": made.person, "name": made.name, "at": iso(made.at_ms), "reason": reason, "text": made.text}


def queue(found: Queue) -> Json:
    return {"items": [task(each) for each in found.items], "total": found.total, "overdue": found.overdue, "next": found.after}


def folder(found: Folder, person: Reviewer) -> Json:
    """Return all there is about a task; `you` says whether the asking person may decide it, and if not, why."""
    refused = tasks.barred(found.task, person)
    you = {"id": person.id, "may_decide": refused is None, "because": refused.said if refused else None}
    return task(found.task) | {
        "you": you,
        "may_take": [each.id for each in found.candidates],
        "notes": [{"at": iso(note.at_ms), "by": note.person, "text": note.text} for note in found.notes],
        "attachments": [_attachment(paper) for paper in found.attachments],
        "history": [line(each) for each in found.lines],
        "tasks": [task(each) for each in found.siblings],
    }


def line(one: Line) -> Json:
    return {"at": iso(one.at_ms), "task_id": one.task_id, "kind": one.kind, "by": one.person or None} | {"body": dict(one.body)}


def _attachment(paper: Attachment) -> Json:
    named = {"name": paper.name, "media_type": paper.media_type, "sha256": paper.sha256, "reference": paper.reference}
    return {"at": iso(paper.at_ms), "by": paper.person} | named
