"""The pages at which people work on cases: rendered here, working without scripts, below /desk/."""

import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from fastapi import FastAPI
from fastapi.responses import Response
from pydantic import ValidationError
from starlette.requests import Request

from ctl.kit.desk import browsers
from ctl.kit.desk.pages import Form, good, to
from ctl.kit.problem import Problem
from reference_apps.fraud.cases import queue, views, work
from reference_apps.fraud.cases.desk import CaseDesk
from reference_apps.fraud.cases.model import Case, State
from reference_apps.fraud.cases.queue import Wish
from reference_apps.fraud.cases.web import DecideBody, model_number
from reference_apps.fraud.cases.work import Asked
from reference_apps.fraud.keeping.people import Person
from reference_apps.fraud.page import words
from reference_apps.fraud.page.rendering import BELOW_CASE, BELOW_CASES, QUEUE, Pages, Shown, Visit
from reference_apps.fraud.page.sessions import Sessions

A_PAGE = 50
NAME = re.compile(r"case-[1-9][0-9]{0,17}", re.ASCII)
REQUEST = re.compile(r"[0-9a-f]{32}", re.ASCII)
CHOICES: Mapping[str, tuple[str, ...]] = {"state": ("open", "decided", "merged", "all"), "order": ("severe", "oldest"), "holder": ("", "me", "nobody")}
"""What the queue's form may ask; the first counts where it asks something else."""
MISFIT = "Nothing was recorded: choose what the case came to; a note has 2,000 characters at most"

Act = Callable[[Asked, Form], Awaitable[Case]]


def add_pages(app: FastAPI, cases: CaseDesk, sessions: Sessions) -> None:
    """Give the app the pages, all below /desk/."""
    pages = Pages(cases, sessions)
    pages.add_routes(app)
    _reading(app, pages)
    _acting(app, pages)


def _reading(app: FastAPI, pages: Pages) -> None:
    @app.get("/desk/", include_in_schema=False)
    async def show_queue(request: Request) -> Response:
        async def do() -> Response:
            visit = await pages.visit(request, QUEUE)
            sent = request.query_params
            asked = {name: sent.get(name, "") if sent.get(name, "") in choices else choices[0] for name, choices in CHOICES.items()}
            asked["model"] = sent.get("model", "")
            wish = _wish(asked, sent.get("after", ""), visit.person, pages.cases.now_ms())
            return await pages.queue(visit, wish, asked, await _done(pages, visit, sent.get("done", "")))

        return await pages.safely(QUEUE, do)

    @app.get("/desk/cases/{name}", include_in_schema=False)
    async def show_case(request: Request, name: str) -> Response:
        async def do() -> Response:
            visit = await pages.visit(request, BELOW_CASES, name)
            found = await _found(pages, name)
            if views.name(found.id) != name:
                return to(f"./{views.name(found.id)}?was={browsers.place(name)}")
            was, begin = request.query_params.get("was", ""), request.query_params.get("begin", "")
            banner = good(f"{was} is part of {name} now") if NAME.fullmatch(was) else None
            shown = Shown(banner=banner, begin=int(begin) if begin.isascii() and begin.isdecimal() and len(begin) < 10 else 0)
            return await pages.case(visit, BELOW_CASES, found, shown)

        return await pages.safely(BELOW_CASES, do)


def _acting(app: FastAPI, pages: Pages) -> None:
    acts = _acts(pages.cases)

    @app.get("/desk/cases/{name}/{verb}", include_in_schema=False)
    async def again(name: str, verb: str) -> Response:
        """A refusal's page has an action's address; asked for again, it is the case."""
        return to(f"../{browsers.place(name)}")

    @app.post("/desk/cases/{name}/{verb}", include_in_schema=False)
    async def act(request: Request, name: str, verb: str) -> Response:
        async def do() -> Response:
            visit = await pages.visit(request, BELOW_CASE, name)
            sent = browsers.form(await request.body())
            if verb not in acts:
                raise Problem(404, "not_found", f"nothing on this page is called {verb}")
            browsers.must_be_marked(visit.session, verb, name, sent)
            found = await _found(pages, name)
            try:
                await acts[verb](Asked(person=visit.person, case=found.id, request_id=_request_id(verb, name, sent)), sent)
            except ValidationError:
                return await pages.refused(visit, found, sent, Problem(422, "bad_input", MISFIT))
            except Problem as problem:
                if problem.status not in (403, 409, 422):
                    raise
                return await pages.refused(visit, await pages.cases.case(found.id), sent, problem)
            return to(f"{BELOW_CASE}?done={browsers.place(name)}" if verb == "decide" else f"../{browsers.place(name)}")

        return await pages.safely(BELOW_CASE, do)


def _acts(cases: CaseDesk) -> Mapping[str, Act]:
    """Return what the forms of a case do, by name."""

    async def claim(asked: Asked, _: Form) -> Case:
        return await work.claim(cases, asked)

    async def take_over(asked: Asked, _: Form) -> Case:
        return await work.claim(cases, asked, over=True)

    async def release(asked: Asked, _: Form) -> Case:
        return await work.release(cases, asked)

    async def decide(asked: Asked, sent: Form) -> Case:
        version = sent.get("version", "")
        number = int(version) if version.isascii() and version.isdecimal() and len(version) < 16 else 0
        body = DecideBody.model_validate({"version": number, "outcome": sent.get("outcome", ""), "note": sent.get("note", "").strip()})
        return await work.decide(cases, asked, body.version, body.outcome, body.note)

    return {"claim": claim, "take-over": take_over, "release": release, "decide": decide}


async def _found(pages: Pages, name: str) -> Case:
    """Return the case of this name. Raises Problem (404)."""
    if not NAME.fullmatch(name):
        raise Problem(404, "case_not_found", f"there is no case called {name[:60]}", remedy="the queue lists them")
    return await pages.cases.case(work.number_of(name))


async def _done(pages: Pages, visit: Visit, name: str) -> Any:
    """Say what the visitor has just decided; nothing for what they have not."""
    found = pages.cases.book.find(work.number_of(name)) if NAME.fullmatch(name) else None
    if found is None or found.outcome is None or found.holder != visit.person.id:
        return None
    return good(f"{views.name(found.id)}: {words.OUTCOMES[found.outcome][0].lower()}. It is recorded; {words.MEANS[found.outcome]}.")


def _wish(asked: Mapping[str, str], after: str, person: Person, at_ms: int) -> Wish:
    """Read the queue's form. Raises Problem (422)."""
    severe = asked["order"] == "severe"
    return Wish(
        state=None if asked["state"] == "all" else State(asked["state"]),
        model=model_number(asked["model"] or None),
        holder={"": None, "me": person.id, "nobody": ""}[asked["holder"]],
        at_ms=at_ms,
        severe=severe,
        after=queue.read(after, severe),
        limit=A_PAGE,
    )


def _request_id(verb: str, name: str, sent: Form) -> str:
    """Return the form's own id: all forms of a page have one between them. A form without one counts each time that it is sent."""
    given = sent.get("request_id", "")
    return f"{verb}-{name}-{given}" if REQUEST.fullmatch(given) else ""
