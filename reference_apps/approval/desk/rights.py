"""Who may move a case other than by deciding its task. Asked inside the transaction that moves it, of people as they stand there."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from sqlite3 import Connection

from reference_apps.approval.desk import accounts, store, tasks
from reference_apps.approval.desk.people import Reviewer, Role
from reference_apps.approval.desk.refusals import NotDone
from reference_apps.approval.desk.tasks import Refused, Task, Why
from reference_apps.approval.model import Case, Status

Permit = Callable[[Connection, Case], Mapping[str, str]]
"""Returns who it was, for the case's history. Raises NotDone."""


def to_resume(person: Reviewer, now_ms: int) -> Permit:
    """Let any reviewer have a silent service asked again; a case that is with people, only whoever could take its task now."""

    def permit(connection: Connection, case: Case) -> Mapping[str, str]:
        asks = _at_work(connection, person)
        if case.status is Status.MANUAL and isinstance(refused := _taken(connection, asks, case, now_ms), Refused):
            raise NotDone(refused)
        return {"person": asks.id}

    return permit


def to_migrate(person: Reviewer) -> Permit:
    """Let supervisors change the rules that a case is under."""

    def permit(connection: Connection, case: Case) -> Mapping[str, str]:
        asks = _at_work(connection, person)
        if asks.role is not Role.SUPERVISOR:
            said = f"{asks.name} is no supervisor; application {case.id} keeps its flow"
            raise NotDone(Refused(why=Why.FORBIDDEN, code="not_supervisor", said=said, remedy="ask a supervisor to move it"))
        return {"person": asks.id}

    return permit


def _taken(connection: Connection, person: Reviewer, case: Case, now_ms: int) -> Task | Refused:
    """Return the case's task as if this person had claimed it, or why they cannot. A case of an older release gets its task within a minute."""
    task = store.find(connection, tasks.task_id(case.id, case.stage, case.entered))
    if task is None:
        said = f"application {case.id} is with people, and its task is not open yet"
        return Refused(why=Why.CONFLICT, code="no_task", said=said, remedy="try again in a minute")
    return tasks.claim(task, person, now_ms)


def _at_work(connection: Connection, person: Reviewer) -> Reviewer:
    """Return somebody as they stand in this transaction. Raises NotDone: access was taken away since they knocked."""
    found = accounts.find(connection, person.id) or replace(person, active=False)
    if not found.active:
        said = f"{person.name} no longer works at this desk"
        raise NotDone(Refused(why=Why.FORBIDDEN, code="not_active", said=said, remedy="ask a supervisor for access"))
    return found
