"""The reviewer's pages: rendered here, working without scripts, with addresses relative to the page so that any prefix may stand before them."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from fastapi import FastAPI
from fastapi.responses import Response
from pydantic import ValidationError
from starlette.requests import Request

from ctl.kit.desk import browsers
from ctl.kit.desk.pages import Form, bad, good, to
from ctl.kit.problem import Problem
from reference_apps.approval.desk import refusals, screens, words
from reference_apps.approval.desk.bodies import AttachmentBody, DecideBody, DelegateBody, NoteBody
from reference_apps.approval.desk.people import Reviewer
from reference_apps.approval.desk.rendering import Pages, Visit
from reference_apps.approval.desk.store import Wish
from reference_apps.approval.desk.web import Room

SCOPES = ("open", "mine", "all")
A_PAGE = 50

QUEUE, BELOW_TASKS, BELOW_TASK = "./", "../", "../../"
"""Where the queue is, seen from the queue's own page, a task's page, and an action of a task."""

Act = Callable[[Reviewer, str, Form], Awaitable[str]]
"""Does what a form asks for and returns where to go next, relative to the action's address."""


def add_pages(app: FastAPI, room: Room) -> None:
    """Give the app the reviewer's pages, all below /desk/."""
    pages = Pages(room)
    pages.add_routes(app)
    _reading(app, pages)
    _acting(app, pages)


def _reading(app: FastAPI, pages: Pages) -> None:
    desk = pages.room.desk

    @app.get("/desk/", include_in_schema=False)
    async def queue(request: Request, scope: str = "open", after: str = "", done: str = "") -> Response:
        async def work() -> Response:
            visit = await pages.visit(request, QUEUE)
            wish = Wish(scope=scope if scope in SCOPES else "open", after=after, limit=A_PAGE)
            found = await pages.room.look(lambda: desk.queue(visit.person, wish))
            files = {task.case_id: await pages.room.cases.case_file(task.case_id) for task in found.items}
            screen = screens.queue(found, files, visit.person, desk.now_ms())
            return pages.show("queue.html", QUEUE, visit, scope=wish.scope, banner=await _done(pages, visit, done), **screen)

        return await pages.safely(QUEUE, work)

    @app.get("/desk/tasks/{task_id}", include_in_schema=False)
    async def case(request: Request, task_id: str) -> Response:
        async def work() -> Response:
            visit = await pages.visit(request, BELOW_TASKS, task_id)
            return await pages.case(visit, BELOW_TASKS, task_id)

        return await pages.safely(BELOW_TASKS, work)


def _acting(app: FastAPI, pages: Pages) -> None:
    acts = _acts(pages.room)

    @app.post("/desk/tasks/{task_id}/{verb}", include_in_schema=False)
    async def act(request: Request, task_id: str, verb: str) -> Response:
        async def work() -> Response:
            visit = await pages.visit(request, BELOW_TASK, task_id)
            sent = browsers.form(await request.body())
            if verb not in acts:
                raise Problem(404, "not_found", f"nothing on this page is called {verb}")
            browsers.must_be_marked(visit.session, verb, task_id, sent)
            try:
                return to(await acts[verb](visit.person, task_id, sent))
            except ValidationError as error:
                return await pages.case(visit, BELOW_TASK, task_id, status=422, banner=bad(_misfit(verb, error)), form={**sent, "verb": verb})
            except refusals.NotDone as problem:
                return await pages.case(visit, BELOW_TASK, task_id, status=problem.status, banner=bad(problem.detail), form={**sent, "verb": verb})

        return await pages.safely(BELOW_TASK, work)


def _acts(room: Room) -> Mapping[str, Act]:
    """Return what the forms of a task's page do, by name. `again` is the task's page, as seen from an action's address."""
    desk = room.desk

    async def claim(person: Reviewer, task_id: str, _: Form) -> str:
        await room.do(lambda: desk.claim(person, task_id))
        return _again(task_id)

    async def release(person: Reviewer, task_id: str, _: Form) -> str:
        await room.do(lambda: desk.release(person, task_id))
        return _again(task_id)

    async def delegate(person: Reviewer, task_id: str, sent: Form) -> str:
        body = DelegateBody(to=sent.get("to", ""))
        await room.do(lambda: desk.delegate(person, task_id, body.to))
        return _again(task_id)

    async def decide(person: Reviewer, task_id: str, sent: Form) -> str:
        await room.decide(person, task_id, _decision(sent).to_model())
        return f"{BELOW_TASK}?done={browsers.place(task_id)}"

    async def notes(person: Reviewer, task_id: str, sent: Form) -> str:
        body = NoteBody(text=sent.get("text", ""))
        await room.do(lambda: desk.note(person, task_id, body.text))
        return _again(task_id) + "#notes"

    async def attachments(person: Reviewer, task_id: str, sent: Form) -> str:
        paper = _filled(AttachmentBody, sent).to_model(person.id, desk.now_ms())
        await room.do(lambda: desk.attach(task_id, paper))
        return _again(task_id) + "#papers"

    return {"claim": claim, "release": release, "delegate": delegate, "decide": decide, "notes": notes, "attachments": attachments}


def _decision(sent: Form) -> DecideBody:
    """Read the form of a decision; of its two lists of reasons, the one of the chosen outcome counts."""
    outcome, version = sent.get("outcome", ""), sent.get("version", "")
    number = int(version) if version.isascii() and version.isdecimal() and len(version) < 10 else 0
    return DecideBody.model_validate({"outcome": outcome, "version": number, "code": sent.get(f"code_{outcome}", ""), "text": sent.get("text", "")})


def _filled(model: type[AttachmentBody], sent: Form) -> AttachmentBody:
    return model.model_validate({name: sent.get(name, "") for name in model.model_fields})


async def _done(pages: Pages, visit: Visit, task_id: str) -> Any:
    """Say what the visitor has just decided; nothing for what they have not."""
    if not task_id:
        return None
    try:
        task = (await pages.room.look(lambda: pages.room.desk.folder(task_id))).task
    except Problem:
        return None
    if task.decision is None or task.decision.person != visit.person.id:
        return None
    stage = words.stage(task.stage)[0]
    return good(f"{stage} of {task.case_id}: {words.DONE[task.decision.outcome]}. It is recorded, and the case goes on.")


def _misfit(verb: str, error: ValidationError) -> str:
    """Say what is wrong with a form; what a decision lacks is said in the words of the page."""
    if verb == "decide":
        return "Choose what you decide; to reject or return, choose a reason and say why in your words. Nothing was recorded"
    return "; ".join(f"{' '.join(map(str, row['loc']))}: {str(row['msg']).removeprefix('Value error, ')}" for row in error.errors())


def _again(task_id: str) -> str:
    return f"../{browsers.place(task_id)}"

