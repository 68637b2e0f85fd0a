"""The desk at the engine: tasks come and go with the stages of people, a decision moves its case in the same commit, time is swept along with the cases."""

from collections.abc import Callable
from sqlite3 import Connection
from typing import TypeVar

from reference_apps.approval.desk import reading, refusals, store, tasks
from reference_apps.approval.desk.casefile import CaseFile
from reference_apps.approval.desk.refusals import NotDone
from reference_apps.approval.desk.store import Line
from reference_apps.approval.desk.tasks import Outcome, Stay, Task, Why
from reference_apps.approval.desk.web import Room
from reference_apps.approval.desk.work import Desk
from reference_apps.approval.engine import Engine
from reference_apps.approval.flow import model as flows
from reference_apps.approval.flow.advance import Refused
from reference_apps.approval.model import Case, Judgement, Status
from reference_apps.approval.store import Store, known

ADOPT_MS = 60_000
A_PAGE = 500

ORPHANS = """
SELECT id FROM cases WHERE status = 'manual'
    AND NOT EXISTS (SELECT 1 FROM tasks WHERE case_id = cases.id AND state IN ('open', 'claimed')) ORDER BY number LIMIT ?
"""

Result = TypeVar("Result")


def take(engine: Engine, cases: Store) -> Room:
    """Seat the desk at an engine that is not started yet, and return what the doors need."""
    seat = Seat(engine, cases)
    cases.on_manual, cases.on_left, engine.on_sweep = seat.opened, seat.left, seat.sweep
    return Room(seat.desk, seat)


class Seat:
    """Both ways between desk and engine; what takes a connection runs inside somebody's transaction."""

    def __init__(self, engine: Engine, cases: Store) -> None:
        self._engine, self._cases = engine, cases
        self._adopted_ms = -ADOPT_MS
        self.desk = Desk(cases, self, engine.now_ms)

    def opened(self, connection: Connection, case: Case, stage: flows.Stage, now_ms: int) -> None:
        """Open the task of a case that has come to a stage of people; whoever brought the case in may not decide it."""
        for agent, did in _agents(case):
            store.bar(connection, case.id, agent, did, now_ms)
        store.open_task(connection, tasks.opened(_stay(case, stage), now_ms))

    def left(self, connection: Connection, case: Case, stage: str, entered: int, now_ms: int) -> None:
        """Take back the task of a visit that is over; if a decision ended it, the task is decided and stays so."""
        before = store.find(connection, tasks.task_id(case.id, stage, entered))
        if before is not None and (after := tasks.withdraw(before)) is not before:
            store.write(connection, before, after, Line(task_id=before.id, at_ms=now_ms, kind="withdrawn", body={}))

    def decided(self, connection: Connection, task: Task, now_ms: int) -> None:
        """Move a decided task's case on. Raises NotDone when the flow refuses, or the case is not where the task says."""
        made, counted = task.decision, list[bool]()
        if made is None:
            raise ValueError(f"task {task.id} is not decided")
        codes = (made.code,) if made.code else ()
        judgement = Judgement(person=made.person, outcome=flows.Outcome(made.outcome), reasons=codes, note=made.text)
        try:
            self._engine.judge(connection, task.case_id, task.stage, judgement, entered=task.visit, also=lambda *_: counted.append(True))
        except Refused as error:
            why = Why.FORBIDDEN if error.code == "four_eyes" else Why.CONFLICT
            raise NotDone(tasks.Refused(why=why, code=error.code, said=str(error), remedy="look at the case again")) from error
        if not counted:
            raise NotDone(tasks.Refused(why=Why.CONFLICT, code="withdrawn", said="the case went on without this task", remedy="look at the case"))

    def sweep(self) -> None:
        """Let time do its part; once a minute, open tasks for cases that wait for a person without one (a release without a desk left them so)."""
        self.desk.sweep()
        now = self._engine.now_ms()
        if abs(now - self._adopted_ms) >= ADOPT_MS:
            self._adopted_ms = now
            self._adopt(now)

    async def stored(self, work: Callable[[], Result]) -> Result:
        """Do work with the store in the thread that writes."""
        return await self._engine.stored(work)

    async def case_file(self, case_id: str) -> CaseFile:
        """Return a case as reviewers see it. Raises Problem (404)."""
        case = await self._engine.find(case_id)
        return reading.case_file(case, await self._engine.read(lambda: self._cases.history(case_id)))

    async def go_on(self, case_id: str) -> None:
        """Carry a decided case on now instead of with the next sweep."""
        await self._engine.pick_up(case_id)

    def _adopt(self, now_ms: int) -> None:
        with self._cases.read() as connection:
            orphans = [row[0] for row in connection.execute(ORPHANS, (A_PAGE,))]
        if not orphans:
            return
        with self._cases.write() as connection:
            for case_id in orphans:
                found = known(connection, case_id)
                stage = self._engine.flows.of(found.case.flow).stages.get(found.case.stage) if found else None
                if found is not None and stage is not None and stage.is_manual and found.case.status is Status.MANUAL:
                    self.opened(connection, found.case, stage, now_ms)


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
    """Return who brought the case in or edited it, with what they did."""
    agent = case.application.get("agent")
    return [(agent, "brought the application in")] if agent else []
