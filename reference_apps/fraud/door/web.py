"""Fraud's HTTP door: validates, has the event logged and judged, answers. Any instance may be asked. The check itself takes a way past the framework."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated, Any

import msgspec
from fastapi import FastAPI, Query
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from ctl.kit.database import DatabaseFailed
from ctl.kit.fastapi_problems import answer_problems, problem_answer
from ctl.kit.problem import MEDIA_TYPE, Problem
from reference_apps.fraud.door import bodies, views
from reference_apps.fraud.door.bodies import ListingBody
from reference_apps.fraud.keeping import record
from reference_apps.fraud.model import Event
from reference_apps.fraud.serving.desk import Desk

Limit = Annotated[int, Query(ge=1, le=1000)]
After = Annotated[int, Query(ge=0, lt=2**63)]
CHECKS = "/v1/checks"
LARGEST = 256 * 1024
JSON = msgspec.json.Encoder()


def now() -> datetime:
    return datetime.now(UTC)


class Door:
    """The whole app: POST of a check, and everything else by FastAPI."""

    def __init__(self, desk: Desk, rest: FastAPI, now: Callable[[], datetime]) -> None:
        self._desk, self._rest, self._now = desk, rest, now

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] == "POST" and scope["path"] == CHECKS:
            scope["route"] = CHECKS
            status, content, kind = await self._check(receive)
            headers = [(b"content-type", kind), (b"content-length", str(len(content)).encode())]
            headers += [(b"retry-after", b"1")] if status == 503 else []
            await send({"type": "http.response.start", "status": status, "headers": headers})
            await send({"type": "http.response.body", "body": content})
        else:
            await self._rest(scope, receive, send)

    async def _check(self, receive: Receive) -> tuple[int, bytes, bytes]:
        try:
            event = bodies.check(await _body(receive), self._now())
            position, judged = await self._desk.check(event)
            return 200, JSON.encode(views.judgement(position, await self._as_logged(event, position), record.read(judged))), b"application/json"
        except Problem as problem:
            return problem.status, JSON.encode(problem.body()), MEDIA_TYPE.encode()

    async def _as_logged(self, event: Event, position: int) -> Event:
        """Return the event as it stands in the log: sent again, it has its first time."""
        known = self._desk.follower.known.get(position)
        return known.event if known is not None else (await self._desk.logged(event))


async def _body(receive: Receive) -> bytes:
    content = bytearray()
    while True:
        message = await receive()
        content += message.get("body", b"")
        if len(content) > LARGEST:
            raise Problem(413, "too_large", f"body: more than {LARGEST} bytes", remedy="send one event, without attachments")
        if not message.get("more_body"):
            return bytes(content)


def build(desk: Desk, now: Callable[[], datetime] = now) -> Door:
    """Return the app over an open desk."""
    app = FastAPI(title="fraud", version="1", docs_url=None, redoc_url=None)
    answer_problems(app)

    @app.exception_handler(DatabaseFailed)
    async def unlogged(_: Request, error: DatabaseFailed) -> JSONResponse:
        return problem_answer(Problem(503, "log_unreadable", f"the log could not be read: {error}", remedy="try again"))

    @app.post(CHECKS, openapi_extra={"requestBody": {"required": True, "content": {"application/json": {"schema": bodies.schema()}}}})
    async def check() -> None:
        """Log an event and judge it. Sent again under the same event_id, it keeps its judgement."""

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

    @app.post("/v1/lists", status_code=201)
    async def enlist(body: ListingBody) -> dict[str, Any]:
        entry = body.to_listing(now())
        return views.listing(await desk.enlist(entry), entry)

    @app.get("/v1/lists")
    def list_entries(limit: Limit = 100, after: After = 0) -> dict[str, Any]:
        found = desk.log.page_of_lists(after, limit)
        return {"items": [views.listing(*each) for each in found], "next": found[-1][0] if len(found) == limit else None}

    return Door(desk, app, now)


def _answer(body: dict[str, Any]) -> Response:
    return Response(JSON.encode(body), media_type="application/json")
