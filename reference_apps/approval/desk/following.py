"""Tasks follow the stages of people: opened and taken back in the very commit with which a case comes and goes."""

from sqlite3 import Connection

from reference_apps.approval.desk import reading, store, tasks
from reference_apps.approval.desk.store import Line
from reference_apps.approval.desk.tasks import Outcome, Stay
from reference_apps.approval.flow import model as flows
from reference_apps.approval.model import Case
from reference_apps.approval.store import Store


def follow(cases: Store) -> None:
    """Have tasks follow the cases of a store."""
    cases.on_manual, cases.on_left = opened, left


def opened(connection: Connection, case: Case, stage: flows.Stage, now_ms: int) -> None:
    """Open the task of a case that has come to a stage of people; whoever brought the case in or edited it may not decide it."""
    for person, did in _agents(case):
        store.bar(connection, case.id, person, did, now_ms)
    store.open_task(connection, tasks.opened(_stay(case, stage), now_ms))


def left(connection: Connection, case: Case, stage: str, entered: int, now_ms: int) -> None:
    """Take back the task of a visit that is over; if a decision ended it, the task is decided and stays so."""
    before = store.find(connection, tasks.task_id(case.id, stage, entered))
    if before is not None and (after := tasks.withdraw(before)) is not before:
        store.write(connection, before, after, Line(task_id=before.id, at_ms=now_ms, kind="withdrawn", body={}))


def _stay(case: Case, stage: flows.Stage) -> Stay:
    """Return what a task is opened for. A visit is named by the version with which the case came in."""
    return Stay(
        case_id=case.id,
        stage=stage.name,
        visit=case.entered,
        skill=stage.skill,
        amount_fen=reading.amount_fen(case),
        flow_version=str(case.flow),
        sla_ms=stage.sla_s * 1_000,
        judges=stage.kind is flows.Kind.REVIEW,
        choices=tuple(outcome for outcome in Outcome if flows.Outcome(outcome) in stage.edges),
    )


def _agents(case: Case) -> list[tuple[str, str]]:
    """Return who brought the case in and who supplemented it for the applicant, with what they did."""
    agent = case.application.get("agent")
    brought = [(agent, "brought the application in")] if agent else []
    return brought + [(editor, "supplemented the application") for editor in case.application.get("editors", ())]
