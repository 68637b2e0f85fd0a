"""Fraud's HTTP door: validates, logs and judges in one commit, answers. Any instance may be asked."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import FastAPI, Query
from starlette.requests import Request
from starlette.responses import JSONResponse

from ctl.kit.database import DatabaseFailed
from ctl.kit.fastapi_problems import answer_problems, problem_answer
from ctl.kit.problem import Problem
from reference_apps.fraud import views, windows
from reference_apps.fraud.bodies import CheckBody, ListingBody
from reference_apps.fraud.judge import judge
from reference_apps.fraud.log import EventLog
from reference_apps.fraud.model import Event, Listing
from reference_apps.fraud.models import Traits

Limit = Annotated[int, Query(ge=1, le=1000)]
After = Annotated[int, Query(ge=0, lt=2**63)]


def now() -> datetime:
    return datetime.now(UTC)


def build(log: EventLog, now: Callable[[], datetime] = now) -> FastAPI:
    """Return the app over an open log."""
    app = FastAPI(title="fraud", version="1", docs_url=None, redoc_url=None)
    answer_problems(app)

    @app.exception_handler(DatabaseFailed)
    async def unlogged(_: Request, error: DatabaseFailed) -> JSONResponse:
        return problem_answer(Problem(503, "not_logged", f"the event could not be logged: {error}", remedy="send it again with the same event_id"))

    @app.post("/v1/checks")
    def check(body: CheckBody) -> dict[str, Any]:
        return log.check(body.to_event(now()), judged)

    @app.get("/v1/checks")
    def list_checks(limit: Limit = 100, after: After = 0) -> dict[str, Any]:
        found = log.page(after, limit)
        return {"items": [each for _, each in found], "next": found[-1][0] if len(found) == limit else None}

    @app.get("/v1/checks/{event_id}")
    def get_check(event_id: str) -> dict[str, Any]:
        found = log.find(event_id)
        if found is None:
            raise Problem(404, "event_not_found", f"there is no event {event_id}", remedy="GET /v1/checks lists them")
        return found

    @app.post("/v1/lists", status_code=201)
    def enlist(body: ListingBody) -> dict[str, Any]:
        entry = body.to_listing(now())
        return views.listing(log.enlist(entry), entry)

    @app.get("/v1/lists")
    def list_entries(limit: Limit = 100, after: After = 0) -> dict[str, Any]:
        found = log.lists(after, limit)
        return {"items": [views.listing(*each) for each in found], "next": found[-1][0] if len(found) == limit else None}

    return app


def judged(event: Event, before: Sequence[Event], listings: Sequence[Listing]) -> dict[str, Any]:
    """Judge an event by what the log holds of it, and say it as JSON."""
    traits = Traits(event, windows.measure(event, before), windows.sharing(event, before))
    return views.judgement(event, judge(traits, listings), traits.windows, traits.sharing)
