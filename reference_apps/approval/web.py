"""Approval's HTTP door: validates, lets the engine carry the case, answers with where it stands."""

import hashlib
import json
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Header, Query
from fastapi.responses import JSONResponse
from starlette.requests import Request

from ctl.kit.database import DatabaseFailed
from ctl.kit.fastapi_problems import answer_problems, problem_answer
from ctl.kit.problem import Problem
from reference_apps.approval import applicant, views
from reference_apps.approval.bodies import ApplicationBody, MigrationBody, SupplementBody
from reference_apps.approval.desk import page, rights, seat
from reference_apps.approval.desk import web as desk
from reference_apps.approval.desk.people import Reviewer
from reference_apps.approval.engine import Engine
from reference_apps.approval.model import FINAL, Case, Status
from reference_apps.approval.store import Store

ApplicationId = Annotated[str, Header(alias="idempotency-key", pattern="^[A-Za-z0-9._:-]{1,64}$")]
Limit = Annotated[int, Query(ge=1, le=1000)]


def build(engine: Engine, store: Store) -> FastAPI:
    """Return the app over an engine and its store, with the desk seated at them."""
    app = FastAPI(title="approval", version="1", docs_url=None, redoc_url=None)
    answer_problems(app)
    room = seat.take(engine, store)
    desk.add_routes(app, room)
    page.add_pages(app, room)
    who = desk.knock(room)

    @app.exception_handler(DatabaseFailed)
    async def unstored(_: Request, error: DatabaseFailed) -> JSONResponse:
        return problem_answer(Problem(503, "not_stored", f"the cases cannot be reached: {error}", remedy="send it again with the same key"))

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
        return JSONResponse(applicant.view(case, engine.flows.of(case.flow)), status_code=201 if case.status in FINAL else 202)

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

    return app


def _answer(case: Case) -> JSONResponse:
    headers = {"location": f"/v1/applications/{case.id}"}
    return JSONResponse(views.application(case), status_code=201 if case.status in FINAL else 202, headers=headers)


def _hash(asked: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(asked, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
