"""The parts of one instance, opened and closed in their order: the desk that judges, cases, people and their pages, trials of rules."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from fastapi import FastAPI

from ctl.kit.straight import Straight
from reference_apps.fraud.cases import web as casesweb
from reference_apps.fraud.cases.desk import CaseDesk
from reference_apps.fraud.door import callers, web
from reference_apps.fraud.keeping.people import People
from reference_apps.fraud.page import web as pageweb
from reference_apps.fraud.page.sessions import Sessions
from reference_apps.fraud.policy.policy import Policy
from reference_apps.fraud.serving.desk import Desk
from reference_apps.fraud.trying import web as tryingweb
from reference_apps.fraud.trying.bench import Bench


class App:
    """One instance of fraud. Use it from one event loop."""

    def __init__(self, folder: Path, instance: str, policy: Policy, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self.desk = Desk(folder, instance, policy)
        self.people = People(folder)
        self.cases = CaseDesk(self.desk, folder, now)
        self.bench = Bench(self.cases, folder)
        self.sessions = Sessions(folder, self.people, self.cases.now_ms)
        self._now = now
        self.door: Straight = web.build(self.desk, now, self._rooms)

    def _rooms(self, app: FastAPI) -> None:
        knock = callers.knock(self.people)
        web.add_lists(app, self.desk, self._now, knock)
        casesweb.add_routes(app, self.cases, knock)
        tryingweb.add_routes(app, self.bench, knock)
        pageweb.add_pages(app, self.cases, self.sessions)

    async def open(self) -> None:
        await self.desk.open()
        await self.cases.open()

    async def close(self) -> None:
        await self.bench.close()
        await self.cases.close()
        await self.desk.close()
        self.sessions.close()
        self.people.close()
