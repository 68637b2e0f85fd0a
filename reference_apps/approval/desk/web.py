"""The desk's HTTP door for programs: a reviewer's bearer token on every request, one verb a route, refusals that say who holds the task and until when."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Protocol, TypeVar

from fastapi import Depends, FastAPI, Header, Query
from fastapi.responses import JSONResponse

from reference_apps.approval.desk import views
from reference_apps.approval.desk.bodies import AttachmentBody, DecideBody, DelegateBody, NoteBody
from reference_apps.approval.desk.casefile import CaseFile
from reference_apps.approval.desk.people import Reviewer
from reference_apps.approval.desk.refusals import NotSignedIn
from reference_apps.approval.desk.store import Wish
from reference_apps.approval.desk.tasks import Ruling
from reference_apps.approval.desk.work import Desk, Ruled

Result = TypeVar("Result")
Scope = Literal["open", "mine", "all"]


class Cases(Protocol):
    """What the doors need of the engine: threads for the store, a case as reviewers see it, and a push for a case that was decided."""

    async def stored(self, work: Callable[[], Result]) -> Result: ...

    async def read(self, work: Callable[[], Result]) -> Result: ...

    async def case_file(self, case_id: str) -> CaseFile: ...

    async def go_on(self, case_id: str) -> None: ...


@dataclass(frozen=True, slots=True)
class Room:
    """The desk and the cases, as both doors (for programs and for browsers) need them."""

    desk: Desk
    cases: Cases

    async def do(self, work: Callable[[], Result]) -> Result:
        """Do what writes."""
        return await self.cases.stored(work)

    async def look(self, work: Callable[[], Result]) -> Result:
        """Do what only reads."""
        return await self.cases.read(work)

    async def decide(self, person: Reviewer, task_id: str, ruling: Ruling) -> Ruled:
        """Decide, and let the case go on at once; what was decided stands whatever comes of that."""
        ruled = await self.do(lambda: self.desk.decide(person, task_id, ruling))
        if ruled.applied:
            await self.cases.go_on(ruled.task.case_id)
        return ruled


Authorization = Annotated[str, Header(max_length=300)]
Knock = Callable[[Authorization], Awaitable[Reviewer]]


def knock(room: Room) -> Knock:
    """Return what finds out who asks. Raises Problem (401)."""

    async def reviewer(authorization: Authorization = "") -> Reviewer:
        scheme, _, token = authorization.partition(" ")
        person = await room.look(lambda: room.desk.by_token(token.strip())) if scheme.lower() == "bearer" else None
        if person is None:
            raise NotSignedIn
        return person

    return reviewer


def add_routes(app: FastAPI, room: Room) -> None:
    """Give the app the desk's routes."""
    who = knock(room)
    _looking(app, room, who)
    _working(app, room, who)
    _writing(app, room, who)


def _looking(app: FastAPI, room: Room, who: Knock) -> None:
    desk = room.desk

    @app.get("/v1/tasks")
    async def list_tasks(
        person: Annotated[Reviewer, Depends(who)],
        scope: Scope = "open",
        skill: Annotated[str, Query(max_length=64)] = "",
        limit: Annotated[int, Query(ge=1, le=500)] = 50,
        after: Annotated[str, Query(max_length=200)] = "",
    ) -> dict[str, Any]:
        """Most urgent first. `open`: yours and those you may take; `mine`; `all`: also those that others hold."""
        return views.queue(await room.look(lambda: desk.queue(person, Wish(scope=scope, skill=skill, after=after, limit=limit))))

    @app.get("/v1/tasks/{task_id}")
    async def get_task(task_id: str, person: Annotated[Reviewer, Depends(who)]) -> dict[str, Any]:
        found = await room.look(lambda: desk.folder(task_id))
        return views.folder(found, person) | {"case": dict((await room.cases.case_file(found.task.case_id)).raw)}

    @app.get("/v1/tasks/{task_id}/history")
    async def get_history(task_id: str, person: Annotated[Reviewer, Depends(who)]) -> dict[str, Any]:
        return {"items": [views.line(line) for line in (await room.look(lambda: desk.folder(task_id))).lines]}


def _working(app: FastAPI, room: Room, who: Knock) -> None:
    desk = room.desk

    @app.post("/v1/tasks/{task_id}/claim")
    async def claim(task_id: str, person: Annotated[Reviewer, Depends(who)]) -> dict[str, Any]:
        return views.task(await room.do(lambda: desk.claim(person, task_id)))

    @app.post("/v1/tasks/{task_id}/release")
    async def release(task_id: str, person: Annotated[Reviewer, Depends(who)]) -> dict[str, Any]:
        return views.task(await room.do(lambda: desk.release(person, task_id)))

    @app.post("/v1/tasks/{task_id}/delegate")
    async def delegate(task_id: str, body: DelegateBody, person: Annotated[Reviewer, Depends(who)]) -> dict[str, Any]:
        return views.task(await room.do(lambda: desk.delegate(person, task_id, body.to)))

    @app.post("/v1/tasks/{task_id}/decide")
    async def decide(task_id: str, body: DecideBody, person: Annotated[Reviewer, Depends(who)]) -> dict[str, Any]:
        """The same decision again is answered again (`applied` is false); another one is refused with what was decided."""
        ruled = await room.decide(person, task_id, body.to_model())
        return views.task(ruled.task) | {"applied": ruled.applied}


def _writing(app: FastAPI, room: Room, who: Knock) -> None:
    desk = room.desk

    @app.post("/v1/tasks/{task_id}/notes", status_code=201)
    async def note(task_id: str, body: NoteBody, person: Annotated[Reviewer, Depends(who)]) -> JSONResponse:
        await room.do(lambda: desk.note(person, task_id, body.text))
        return await _written(task_id, person)

    @app.post("/v1/tasks/{task_id}/attachments", status_code=201)
    async def attach(task_id: str, body: AttachmentBody, person: Annotated[Reviewer, Depends(who)]) -> JSONResponse:
        await room.do(lambda: desk.attach(task_id, body.to_model(person.id, desk.now_ms())))
        return await _written(task_id, person)

    async def _written(task_id: str, person: Reviewer) -> JSONResponse:
        found = views.folder(await room.look(lambda: desk.folder(task_id)), person)
        return JSONResponse({"notes": found["notes"], "attachments": found["attachments"]}, status_code=201)
