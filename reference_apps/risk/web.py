"""Risk's HTTP door: validates, has it decided and logged, answers with the logged bytes. Any instance may be asked."""

import json
from collections.abc import Callable
from typing import Annotated, Any

from fastapi import FastAPI, Query
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from ctl.kit.answer import Answer
from ctl.kit.database import DatabaseFailed
from ctl.kit.fastapi_problems import answer_problems, from_validation, problem_answer
from ctl.kit.problem import Problem
from ctl.kit.straight import Headers, Straight
from reference_apps.risk import views
from reference_apps.risk.bodies import DecisionBody
from reference_apps.risk.desk import Desk
from reference_apps.risk.keeping.log import Entry
from reference_apps.risk.rehearsal import Rehearsal

Limit = Annotated[int, Query(ge=1, le=1000)]
After = Annotated[int, Query(ge=0, lt=2**63)]


def build(desk: Desk, rehearsal: Rehearsal, more: Callable[[FastAPI], None] = lambda _: None) -> Straight:
    """Return the app over a desk; `more` adds further routes."""
    app = FastAPI(title="risk", version="2", docs_url=None, redoc_url=None)
    answer_problems(app)

    @app.exception_handler(DatabaseFailed)
    async def unreadable(_: Request, error: DatabaseFailed) -> JSONResponse:
        return problem_answer(Problem(503, "log_unavailable", f"the decision log cannot be read: {error}", remedy="ask again"))

    @app.post("/v1/decisions")
    async def make(body: DecisionBody) -> None:
        """Decide, log the decision durably, and answer with the logged bytes."""

    async def make_straight(_: Headers, content: bytes) -> Answer:
        body = _body(content)
        await rehearsal.play()
        return Answer(200, (await desk.decide(body)).output)

    @app.get("/v1/decisions")
    def list_decisions(limit: Limit = 100, after: After = 0) -> dict[str, Any]:
        found = desk.page(after, limit)
        return {"items": [_row(each) for each in found], "next": found[-1].position if len(found) == limit else None}

    @app.get("/v1/decisions/{decision_id}")
    def get_decision(decision_id: str) -> Response:
        found = desk.find(decision_id)
        if found is None:
            raise Problem(404, "decision_not_found", f"there is no decision {decision_id}", remedy="GET /v1/decisions lists them")
        entry, shadows = found
        logged = {"position": entry.position, "at_ms": entry.at_ms, "package": entry.package, "shadows": shadows}
        return _answer(views.canonical({"decision": json.loads(entry.output), "frozen": json.loads(entry.frozen), "logged": logged}))

    @app.get("/v1/package")
    async def in_force() -> dict[str, Any]:
        held = desk.in_force
        return views.package(held.decider.package, desk.policy.table, held.challenger.package if held.challenger else None)

    more(app)
    return Straight(app, {("POST", "/v1/decisions"): make_straight})


def _body(content: bytes) -> DecisionBody:
    """Read a body. Raises Problem (422)."""
    try:
        return DecisionBody.model_validate_json(content)
    except ValidationError as error:
        raise from_validation(RequestValidationError(error.errors())) from error


def _answer(content: bytes) -> Response:
    return Response(content, media_type="application/json")


def _row(each: Entry) -> dict[str, Any]:
    names = ("position", "decision_id", "at_ms", "application_id", "customer_id", "tenant", "scene", "segment", "package", "outcome", "grade", "score")
    return {name: getattr(each, name) for name in names}
