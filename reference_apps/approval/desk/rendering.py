"""Pages as answers: who visits, what is rendered for them, and a page for whatever goes wrong."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import jinja2
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from markupsafe import Markup
from starlette.requests import Request

from ctl.kit.database import DatabaseFailed
from ctl.kit.problem import Problem
from reference_apps.approval.desk import browsers, screens
from reference_apps.approval.desk.people import Reviewer
from reference_apps.approval.desk.web import Room

HERE = Path(__file__).parent

Form = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Visit:
    """A browser that has signed in."""

    person: Reviewer
    session: str


class Elsewhere(Exception):
    """The browser should go to another page first."""

    def __init__(self, where: str) -> None:
        super().__init__(where)
        self.where = where


class Pages:
    """What the routes share: who visits, rendering, and a page for whatever goes wrong."""

    def __init__(self, room: Room) -> None:
        self.room = room
        loader = jinja2.FileSystemLoader(HERE / "templates")
        self._templates = jinja2.Environment(loader=loader, autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True)
        self._templates.filters["place"] = browsers.place

    async def visit(self, request: Request, root: str, task_id: str = "") -> Visit:
        """Return who visits. Raises Elsewhere (to sign in, and then come back to the task)."""
        session = request.cookies.get(browsers.COOKIE, "")
        person = await self.room.look(lambda: self.room.desk.by_session(session)) if session else None
        if person is None:
            raise Elsewhere(f"{root}sign-in" + (f"?task={quote(task_id, safe='~')}" if task_id else ""))
        return Visit(person, session)

    def show(self, template: str, root: str, visit: Visit | None, *, status: int = 200, **more: Any) -> HTMLResponse:
        """Render a page. Every form on it carries the mark of this session."""

        def csrf(verb: str, task_id: str = "") -> Markup:
            mark = browsers.mark(visit.session, verb, task_id) if visit else ""
            return Markup('<input type="hidden" name="csrf" value="{}">').format(mark)

        screen = {"banner": None, **more}
        html = self._templates.get_template(template).render(root=root, person=visit.person if visit else None, csrf=csrf, **screen)
        return HTMLResponse(html, status_code=status, headers=browsers.HEADERS)

    async def case(self, visit: Visit, root: str, task_id: str, *, status: int = 200, banner: Any = None, form: Form | None = None) -> HTMLResponse:
        """Render a task's page, with what was typed before still in its form."""
        desk = self.room.desk
        found = await self.room.look(lambda: desk.folder(task_id))
        file = await self.room.cases.case_file(found.task.case_id)
        screen = screens.case(found, file, visit.person, desk.now_ms())
        return self.show("case.html", root, visit, status=status, banner=banner, form=_Kept(form or {}), **screen)

    async def safely(self, root: str, work: Callable[[], Awaitable[Response]]) -> Response:
        """Do the work of a page; what goes wrong becomes a page, too."""
        try:
            return await work()
        except Elsewhere as away:
            return to(away.where)
        except Problem as problem:
            return self.wrong(root, problem)
        except DatabaseFailed as error:
            return self.wrong(root, Problem(503, "not_stored", f"the cases cannot be reached: {error}", remedy="load the page again in a moment"))

    def wrong(self, root: str, problem: Problem) -> HTMLResponse:
        title = {403: "Not allowed", 404: "Not found", 503: "Not now"}.get(problem.status, "That did not work")
        return self.show("wrong.html", root, None, status=problem.status, title=title, detail=problem.detail, remedy=problem.remedy)


class _Kept(dict[str, str]):
    """What was typed into a form; a field that was not is empty."""

    def __missing__(self, name: str) -> str:
        return ""


def to(where: str) -> RedirectResponse:
    """Send the browser on, by an address relative to the one it asked for."""
    return RedirectResponse(where, status_code=303, headers=browsers.HEADERS)
