"""Fraud's HTTP door: validates, has the event logged and judged, answers. Any instance may be asked. The check itself goes past the framework."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated, Any

import msgspec
from fastapi import Depends, FastAPI, Query
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from ctl.kit.answer import Answer
from ctl.kit.database import DatabaseFailed
from ctl.kit.fastapi_problems import answer_problems, problem_answer
from ctl.kit.problem import Problem
from ctl.kit.straight import Handler, Headers, Straight
from reference_apps.fraud.door import bodies, views
from reference_apps.fraud.door.bodies import ListingBody
from reference_apps.fraud.door.callers import Knock
from reference_apps.fraud.keeping import record
from reference_apps.fraud.keeping.people import Person
from reference_apps.fraud.model import Event
from reference_apps.fraud.serving.desk import Desk

Limit = Annotated[int, Query(ge=1, le=1000)]
After = Annotated[int, Query(ge=0, lt=2**63)]
CHECKS = "/v1/checks"
JSON = msgspec.json.Encoder()


def now() -> datetime:
    return datetime.now(UTC)


def _straight(desk: Desk, now: Callable[[], datetime]) -> Handler:
    async def check(_: Headers, content: bytes) -> Answer:
        event = bodies.check(content, now())
        position, judged = await desk.check(event)
        return Answer(200, JSON.encode(views.answer(position, await _as_logged(desk, event, position), record.read(judged))))

    return check


async def _as_logged(desk: Desk, event: Event, position: int) -> Event:
    """Return the event as it stands in the log: sent again, it has its first time."""
    known = desk.follower.known.get(position)
    return known.event if known is not None else (await desk.logged(event))


def no_rooms(_: FastAPI) -> None:
    """Add nothing."""


def build(desk: Desk, now: Callable[[], datetime] = now, rooms: Callable[[FastAPI], None] = no_rooms) -> Straight:
    """Return the app over an open desk. `rooms` adds the routes of what else there is."""
    app = FastAPI(title="fraud", version="1", docs_url=None, redoc_url=None)
    answer_problems(app)

    @app.exception_handler(DatabaseFailed)
    async def unlogged(_: Request, error: DatabaseFailed) -> JSONResponse:
        return problem_answer(Problem(503, "log_unreadable", f"the log could not be read: {error}", remedy="try again"))

    @app.post(CHECKS, openapi_extra={"requestBody": {"required": True, "content": {"application/json": {"schema": bodies.schema()}}}})
    async def check() -> None:
        """Log an event and judge it. Sent again under the same event_id, it keeps its judgement; GET says what that was made of."""

    @app.get(CHECKS)
    async def list_checks(limit: Limit = 100, after: After = 0) -> Response:
        found = desk.log.page(after, limit)
        items = [views.judgement(position, event, record.read(await desk.judged(position, judged))) for position, event, judged in found]
        return _answer({"items": items, "next": found[-1][0] if len(found) == limit else None})

    @app.get("/v1/checks/{event_id}")
    async def get_check(event_id: str) -> Response:
        found = desk.log.find(event_id)
        if found is None:
            raise Problem(404, "event_not_found", f"there is no event {event_id}", remedy="GET /v1/checks lists them")
        position, event, judged = found
        return _answer(views.judgement(position, event, record.read(await desk.judged(position, judged))))

    rooms(app)
    return Straight(app, {("POST", CHECKS): _straight(desk, now)})


def add_lists(app: FastAPI, desk: Desk, now: Callable[[], datetime], knock: Knock) -> None:
    """Give the app the routes of the lists: only people enter and read them, and an entry's reason says who it was."""

    @app.post("/v1/lists", status_code=201)
    async def enlist(body: ListingBody, person: Annotated[Person, Depends(knock)]) -> dict[str, Any]:
        entry = body.to_listing(now(), person.id)
        return views.listing(await desk.enlist(entry), entry)

    @app.get("/v1/lists", dependencies=[Depends(knock)])
    def list_entries(limit: Limit = 100, after: After = 0) -> dict[str, Any]:
        found = desk.log.page_of_lists(after, limit)
        return {"items": [views.listing(*each) for each in found], "next": found[-1][0] if len(found) == limit else None}


def _answer(body: dict[str, Any]) -> Response:
    return Response(JSON.encode(body), media_type="application/json")
