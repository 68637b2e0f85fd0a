"""What the desks of apps share: rendering, signing in and out, their look, and a page for whatever goes wrong.

Pages work without scripts. Their addresses are relative to the page, so that any prefix may stand before them.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar
from urllib.parse import quote

import jinja2
from fastapi import FastAPI
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from markupsafe import Markup
from starlette.requests import Request

from ctl.kit.database import DatabaseFailed
from ctl.kit.desk import browsers
from ctl.kit.problem import Problem

HERE = Path(__file__).parent
KINDS = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
TITLES = {403: "Not allowed", 404: "Not found", 503: "Not now"}
MOST_NAME = 200

Form = Mapping[str, str]
Person = TypeVar("Person")
Who = TypeVar("Who", covariant=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What tells one app's desk from another's: its `templates` and `static` in `folder`, its name, what its pages are about (one `thing` each, at
    `things/NAME`), who gets a token, and the style sheets besides the common one."""

    folder: Path
    name: str
    name_zh: str
    cookie: str
    thing: str
    token_for: str
    nobody: str
    styles: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Visit(Generic[Person]):
    """A browser that has signed in."""

    person: Person
    session: str


class Sessions(Protocol[Who]):
    """Who has signed in with which browser. A session is a secret that only the browser keeps."""

    async def begin(self, token: str) -> str | None:
        """Begin a session for whoever has this token; None when nobody has."""
        ...

    async def who(self, session: str) -> Who | None:
        """Return whose session this is; None when it has ended."""
        ...

    async def end(self, session: str) -> None: ...


class Elsewhere(Exception):
    """The browser should go to another page first."""

    def __init__(self, where: str) -> None:
        super().__init__(where)
        self.where = where


class Pages(Generic[Person]):
    """One app's desk, as its routes need it."""

    def __init__(self, look: Look, sessions: Sessions[Person]) -> None:
        self.look, self._sessions = look, sessions
        loader = jinja2.FileSystemLoader([look.folder / "templates", HERE / "templates"])
        self._templates = jinja2.Environment(loader=loader, autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True)
        self._templates.filters["place"] = browsers.place

    def add_routes(self, app: FastAPI) -> None:
        """Give the app the routes that every desk has: signing in and out, and what belongs to its look."""
        self._add_sign_in(app)
        self._add_sign_out(app)
        self._add_static(app)

    async def visit(self, request: Request, root: str, name: str = "") -> Visit[Person]:
        """Return who visits. Raises Elsewhere (to sign in, and then come back to the thing of this name)."""
        session = request.cookies.get(self.look.cookie, "")
        person = await self._sessions.who(session) if session else None
        if person is None:
            raise Elsewhere(f"{root}sign-in" + (f"?{self.look.thing}={quote(name, safe='~')}" if name else ""))
        return Visit(person, session)

    def show(self, template: str, root: str, visit: Visit[Person] | None, *, status: int = 200, **more: Any) -> HTMLResponse:
        """Render a page. Every form on it carries the mark of this session."""

        def csrf(verb: str, name: str = "") -> Markup:
            mark = browsers.mark(visit.session, verb, name) if visit else ""
            return Markup('<input type="hidden" name="csrf" value="{}">').format(mark)

        screen = {"banner": None, "look": self.look, **more}
        html = self._templates.get_template(template).render(root=root, person=visit.person if visit else None, csrf=csrf, **screen)
        return HTMLResponse(html, status_code=status, headers=browsers.HEADERS)

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
        title = TITLES.get(problem.status, "That did not work")
        return self.show("wrong.html", root, None, status=problem.status, title=title, detail=problem.detail, remedy=problem.remedy)

    def _add_sign_in(self, app: FastAPI) -> None:
        thing = self.look.thing

        @app.get("/desk/sign-in", include_in_schema=False)
        async def ask(request: Request) -> Response:
            return self.show("sign_in.html", "./", None, name=request.query_params.get(thing, "")[:MOST_NAME])

        @app.post("/desk/sign-in", include_in_schema=False)
        async def sign_in(request: Request) -> Response:
            async def work() -> Response:
                browsers.must_be_from_here(request.headers)
                sent = browsers.form(await request.body())
                session, name = await self._sessions.begin(sent.get("token", "").strip()), sent.get(thing, "")
                if session is None:
                    return self.show("sign_in.html", "./", None, status=401, name=name[:MOST_NAME], banner=bad(self.look.nobody))
                answer = to(f"./{thing}s/{browsers.place(name)}" if name else "./")
                is_secure = request.headers.get("x-forwarded-proto", request.url.scheme) == "https"
                answer.headers["set-cookie"] = browsers.cookie(self.look.cookie, session, is_secure=is_secure)
                return answer

            return await self.safely("./", work)

    def _add_sign_out(self, app: FastAPI) -> None:
        @app.post("/desk/sign-out", include_in_schema=False)
        async def sign_out(request: Request) -> Response:
            async def work() -> Response:
                visit = await self.visit(request, "./")
                browsers.must_be_marked(visit.session, "sign-out", "", browsers.form(await request.body()))
                await self._sessions.end(visit.session)
                answer = to("./sign-in")
                answer.headers["set-cookie"] = browsers.no_cookie(self.look.cookie)
                return answer

            return await self.safely("./", work)

    def _add_static(self, app: FastAPI) -> None:
        files = {path.name: path.read_bytes() for folder in (HERE, self.look.folder) for path in sorted((folder / "static").iterdir())}

        @app.get("/desk", include_in_schema=False)
        async def to_the_queue() -> Response:
            return to("desk/")

        @app.get("/desk/static/{name}", include_in_schema=False)
        async def static(name: str) -> Response:
            if name not in files:
                return self.wrong("../", Problem(404, "not_found", f"there is no {name}"))
            kept = browsers.HEADERS | {"cache-control": "max-age=300"}
            return Response(files[name], media_type=KINDS[Path(name).suffix], headers=kept)


class Kept(dict[str, str]):
    """What was typed into a form; a field that was not is empty."""

    def __missing__(self, name: str) -> str:
        return ""


def good(text: str) -> Mapping[str, str]:
    """Return the banner of something done."""
    return {"kind": "good", "mark": "✔", "text": text}


def bad(text: str) -> Mapping[str, str]:
    """Return the banner of a refusal."""
    return {"kind": "bad", "mark": "✖", "text": f"{text[:1].upper()}{text[1:].rstrip('.')}."}


def to(where: str) -> RedirectResponse:
    """Send the browser on, by an address relative to the one it asked for."""
    return RedirectResponse(where, status_code=303, headers=browsers.HEADERS)
