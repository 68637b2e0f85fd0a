"""Approval's HTTP door: validates, lets the engine carry the case, answers with where it stands."""

import hashlib
import json
import re
from typing import Annotated, Any

import msgspec
from fastapi import Depends, FastAPI, Header, Query
from fastapi.responses import JSONResponse
from pydantic import ValidationError
from starlette.requests import Request

from ctl.kit.answer import Answer
from ctl.kit.database import DatabaseFailed
from ctl.kit.fastapi_problems import answer_problems, problem_answer
from ctl.kit.problem import Problem
from ctl.kit.straight import Handler, Headers, Straight, header
from reference_apps.approval import applicant, views
from reference_apps.approval.bodies import ApplicationBody, MigrationBody, SupplementBody
from reference_apps.approval.desk import page, rights, seat
from reference_apps.approval.desk import web as desk
from reference_apps.approval.desk.people import Reviewer
from reference_apps.approval.engine import Engine
from reference_apps.approval.model import FINAL, Case, Status
from reference_apps.approval.store import Store

KEY = re.compile("[A-Za-z0-9._:-]{1,64}")
ApplicationId = Annotated[str, Header(alias="idempotency-key", pattern=f"^{KEY.pattern}$")]
Limit = Annotated[int, Query(ge=1, le=1000)]


def build(engine: Engine, store: Store) -> Straight:
    """Return the app over an engine and its store, with the desk seated at them."""
    app = FastAPI(title="approval", version="1", docs_url=None, redoc_url=None)
    answer_problems(app)
    room = seat.take(engine, store)
    desk.add_routes(app, room)
    page.add_pages(app, room)
    who = desk.knock(room)

    @app.exception_handler(DatabaseFailed)
    async def unstored(_: Request, error: DatabaseFailed) -> JSONResponse:
        return problem_answer(_not_stored(error))

    @app.post("/v1/applications", status_code=201)
    async def apply(body: ApplicationBody, application_id: ApplicationId) -> JSONResponse:
        """201: the case has ended (disbursed or rejected); 202: it goes on, by itself or with a person."""
        asked = body.asked()
        return _answer(await engine.submit(application_id, asked, _hash(asked)))

    @app.post("/v1/applications/{application_id}/resume")
    async def resume(application_id: str, person: Annotated[Reviewer, Depends(who)]) -> JSONResponse:
        return _answer(await engine.resume(application_id, rights.to_resume(person, engine.now_ms())))

    @app.post("/v1/applications/{application_id}/migrate")
    async def migrate(application_id: str, body: MigrationBody, person: Annotated[Reviewer, Depends(who)]) -> JSONResponse:
        return _answer(await engine.migrate(application_id, body.version, rights.to_migrate(person)))

    @app.get("/v1/applications/{application_id}/applicant")
    async def get_applicant_view(application_id: str) -> dict[str, Any]:
        case = await engine.find(application_id)
        return applicant.view(case, await engine.read(lambda: engine.flows.of(case.flow)))

    @app.post("/v1/applications/{application_id}/supplements")
    async def supplement(application_id: str, body: SupplementBody, key: ApplicationId) -> JSONResponse:
        """Bring what the applicant's view asks for; the case goes on then. The same key again changes nothing."""
        brought = body.model_dump(mode="json", exclude_none=True)
        case = await engine.supply(application_id, lambda stands: applicant.supplemented(stands, brought, key))
        return JSONResponse(applicant.view(case, engine.flows.of(case.flow)), status_code=_status(case))

    @app.get("/v1/flows")
    async def list_flows() -> dict[str, Any]:
        found = await engine.read(store.flows)
        return {"items": [views.flow(flow_id, at_ms) for flow_id, at_ms in found], "newest": views.flow_name(engine.flows.newest.id)}

    @app.get("/v1/applications/{application_id}")
    async def get_application(application_id: str) -> dict[str, Any]:
        case = await engine.find(application_id)
        return views.with_history(case, await engine.read(lambda: store.history(application_id)))

    @app.get("/v1/applications")
    async def list_applications(status: Status | None = None, limit: Limit = 100, after: str = "") -> dict[str, Any]:
        found = await engine.read(lambda: store.page(status, after, limit))
        return {"items": [views.application(case) for case in found], "next": found[-1].id if len(found) == limit else None}

    @app.get("/v1/summary")
    async def summary() -> dict[str, Any]:
        return views.summary(await engine.read(store.counts))

    return Straight(app, {("POST", "/v1/applications"): _straight(engine)})


def _straight(engine: Engine) -> Handler:
    """Return the taking of an application past the framework; what is not in order is left to it."""

    async def apply(headers: Headers, content: bytes) -> Answer | None:
        application_id = header(headers, b"idempotency-key").decode("latin-1")
        if not KEY.fullmatch(application_id):
            return None
        try:
            asked = ApplicationBody.model_validate_json(content).asked()
        except ValidationError:
            return None
        try:
            case = await engine.submit(application_id, asked, _hash(asked))
        except DatabaseFailed as error:
            raise _not_stored(error) from error
        return Answer(_status(case), msgspec.json.encode(views.application(case)), headers=((b"location", _place(case).encode()),))

    return apply


def _answer(case: Case) -> JSONResponse:
    return JSONResponse(views.application(case), status_code=_status(case), headers={"location": _place(case)})


def _status(case: Case) -> int:
    return 201 if case.status in FINAL else 202


def _place(case: Case) -> str:
    return f"/v1/applications/{case.id}"


def _not_stored(error: DatabaseFailed) -> Problem:
    return Problem(503, "not_stored", f"the cases cannot be reached: {error}", remedy="send it again with the same key")


def _hash(asked: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(asked, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
