"""The reviewer's pages as answers: who visits, and a case rendered for them."""

from pathlib import Path
from typing import Any

from fastapi.responses import HTMLResponse

from ctl.kit.desk import pages
from ctl.kit.desk.pages import Form, Kept
from reference_apps.approval.desk import screens
from reference_apps.approval.desk.people import Reviewer
from reference_apps.approval.desk.web import Room

LOOK = pages.Look(
    folder=Path(__file__).parent,
    name="Approval desk",
    name_zh="审批台",
    cookie="approval_desk",
    thing="task",
    token_for="You got it once, when you were added as a reviewer.",
    nobody="No reviewer has this token, or it was revoked. Check it, or ask a supervisor for a new one.",
    styles=("review.css",),
)

Visit = pages.Visit[Reviewer]


class Signed:
    """The reviewers who have signed in, as the store knows them."""

    def __init__(self, room: Room) -> None:
        self._room = room

    async def begin(self, token: str) -> str | None:
        return await self._room.do(lambda: self._room.desk.sign_in(token))

    async def who(self, session: str) -> Reviewer | None:
        return await self._room.look(lambda: self._room.desk.by_session(session))

    async def end(self, session: str) -> None:
        await self._room.do(lambda: self._room.desk.sign_out(session))


class Pages(pages.Pages[Reviewer]):
    """What the routes share."""

    def __init__(self, room: Room) -> None:
        super().__init__(LOOK, Signed(room))
        self.room = room

    async def case(self, visit: Visit, root: str, task_id: str, *, status: int = 200, banner: Any = None, form: Form | None = None) -> HTMLResponse:
        """Render a task's page, with what was typed before still in its form."""
        desk = self.room.desk
        found = await self.room.look(lambda: desk.folder(task_id))
        file = await self.room.cases.case_file(found.task.case_id)
        screen = screens.case(found, file, visit.person, desk.now_ms())
        return self.show("case.html", root, visit, status=status, banner=banner, form=Kept(form or {}), **screen)
