"""The desk at the engine: a decision moves its case on in the same commit, and time is swept along with the cases."""

import asyncio
from collections.abc import Callable
from sqlite3 import Connection
from typing import TypeVar

from reference_apps.approval.desk import following, reading, tasks
from reference_apps.approval.desk.casefile import CaseFile
from reference_apps.approval.desk.refusals import NotDone
from reference_apps.approval.desk.tasks import Task, Why
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
    following.follow(cases)
    engine.on_sweep = seat.sweep
    return Room(seat.desk, seat)


class Seat:
    """Both ways between desk and engine; what takes a connection runs inside somebody's transaction."""

    def __init__(self, engine: Engine, cases: Store) -> None:
        self._engine, self._cases = engine, cases
        self._adopted_ms = -ADOPT_MS
        self._pushing: set[asyncio.Task[Case]] = set()
        self.desk = Desk(cases, self, engine.now_ms)

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

    async def read(self, work: Callable[[], Result]) -> Result:
        """Do work with the store in the thread that reads."""
        return await self._engine.read(work)

    async def case_file(self, case_id: str) -> CaseFile:
        """Return a case as reviewers see it. Raises Problem (404)."""
        case = await self._engine.find(case_id)
        return reading.case_file(case, await self._engine.read(lambda: self._cases.history(case_id)))

    async def go_on(self, case_id: str) -> None:
        """Begin to carry a decided case on now instead of with the next sweep. Nobody waits for it: the decision is made."""
        pushing = asyncio.create_task(self._engine.pick_up(case_id), name=f"after the decision on {case_id}")
        self._pushing.add(pushing)
        pushing.add_done_callback(self._pushed)

    def _pushed(self, pushing: "asyncio.Task[Case]") -> None:
        """What goes wrong now stands in the engine's log, and the next sweep tries again."""
        self._pushing.discard(pushing)
        if not pushing.cancelled():
            pushing.exception()

    def _adopt(self, now_ms: int) -> None:
        with self._cases.read() as connection:
            orphans = [row[0] for row in connection.execute(ORPHANS, (A_PAGE,))]
        if not orphans:
            return
        with self._cases.write() as connection:
            for case_id in orphans:
                self._engine.send_to_repair(connection, case_id)
                found = known(connection, case_id)
                stage = self._engine.flows.of(found.case.flow).stages.get(found.case.stage) if found else None
                if found is not None and stage is not None and stage.is_manual and found.case.status is Status.MANUAL:
                    following.opened(connection, found.case, stage, now_ms)
