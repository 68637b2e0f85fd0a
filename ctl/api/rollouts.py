"""/v1/plans and /v1/rollouts: seeing what a release would do, starting it, and what a person may do to it."""

import asyncio
from time import monotonic
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool

from ctl.api.identity import allowed
from ctl.control.plane import ControlPlane
from ctl.errors import Refused
from ctl.model.access import Role
from ctl.model.view import RolloutView

router = APIRouter(prefix="/v1", tags=["rollouts"])
Viewer = Annotated[ControlPlane, Depends(allowed(Role.VIEWER))]
Releaser = Annotated[ControlPlane, Depends(allowed(Role.RELEASER))]
Wait = Annotated[float, Query(ge=0, le=600, description="seconds to wait for the end; the answer then tells how far it is")]
POLL_S = 0.2


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")
    reason: str = Field("", max_length=500)


class PlanBody(BaseModel):
    model_config = ConfigDict(extra="forbid")
    service: str
    version: str
    strategy: str = ""


class Deploy(_Body):
    """`approve` is the checksum of the plan that was agreed to (8 or more characters of it)."""

    service: str
    version: str
    strategy: str = ""
    approve: str = ""


class Rollback(_Body):
    """`to` is a version or a release; empty: the last certified one."""

    to: str = ""


class Promote(_Body):
    """`full` skips all steps that remain, not only this one's gate."""

    full: bool = False


@router.post("/plans")
def plan(plane: Viewer, body: PlanBody) -> JSONResponse:
    """Say everything that a deploy would do, before anything moves."""
    return JSONResponse(plane.plan(body.service, body.version, strategy=body.strategy))


@router.post("/rollouts", status_code=202)
async def deploy(plane: Releaser, body: Deploy, wait: Wait = 0) -> JSONResponse:
    """Start a rollout."""
    started = await run_in_threadpool(
        plane.deploy, body.service, body.version, reason=body.reason, strategy=body.strategy, approve=body.approve
    )
    return JSONResponse(await _ended(plane, started, wait), status_code=202)


@router.get("/rollouts")
def rollouts(plane: Viewer, service: str = "", limit: Annotated[int, Query(ge=1, le=1000)] = 20) -> JSONResponse:
    """List a service's rollouts, newest first; without a service those that are active."""
    return JSONResponse({"items": plane.rollouts(service=service, limit=limit), "next": None})


@router.get("/rollouts/{rollout}")
def rollout(plane: Viewer, rollout: str) -> JSONResponse:
    """Say how a rollout stands."""
    return JSONResponse(plane.rollout(rollout))


@router.post("/rollouts/{rollout}/pause")
def pause_rollout(plane: Releaser, rollout: str, body: _Body) -> JSONResponse:
    """Take no new step until it is resumed."""
    return JSONResponse(plane.pause(_service_of(plane, rollout), reason=body.reason))


@router.post("/rollouts/{rollout}/resume")
def resume_rollout(plane: Releaser, rollout: str, body: _Body) -> JSONResponse:
    """Go on where it was paused."""
    return JSONResponse(plane.resume(_service_of(plane, rollout), reason=body.reason))


@router.post("/rollouts/{rollout}/promote")
def promote_rollout(plane: Releaser, rollout: str, body: Promote) -> JSONResponse:
    """Pass the gate it stands at."""
    return JSONResponse(plane.promote(_service_of(plane, rollout), full=body.full, reason=body.reason))


@router.post("/rollouts/{rollout}/abort")
def abort_rollout(plane: Releaser, rollout: str, body: _Body) -> JSONResponse:
    """Take it back."""
    return JSONResponse(plane.abort(_service_of(plane, rollout), reason=body.reason))


@router.post("/services/{service}/pause")
def pause(plane: Releaser, service: str, body: _Body) -> JSONResponse:
    """Pause the service's active rollout."""
    return JSONResponse(plane.pause(service, reason=body.reason))


@router.post("/services/{service}/resume")
def resume(plane: Releaser, service: str, body: _Body) -> JSONResponse:
    """Resume the service's active rollout."""
    return JSONResponse(plane.resume(service, reason=body.reason))


@router.post("/services/{service}/promote")
def promote(plane: Releaser, service: str, body: Promote) -> JSONResponse:
    """Promote the service's active rollout."""
    return JSONResponse(plane.promote(service, full=body.full, reason=body.reason))


@router.post("/services/{service}/abort")
def abort(plane: Releaser, service: str, body: _Body) -> JSONResponse:
    """Abort the service's active rollout."""
    return JSONResponse(plane.abort(service, reason=body.reason))


@router.post("/services/{service}/rollback", status_code=202)
async def rollback(plane: Releaser, service: str, body: Rollback, wait: Wait = 0) -> JSONResponse:
    """Abort the active rollout, or roll out the last certified release again."""
    started = await run_in_threadpool(plane.rollback, service, to=body.to, reason=body.reason)
    return JSONResponse(await _ended(plane, started, wait), status_code=202)


def _service_of(plane: ControlPlane, rollout: str) -> str:
    """Return the service whose present rollout this is. Raises NotFound, Refused for one that has been followed by another."""
    service = plane.rollout(rollout)["service"]
    newest = plane.rollouts(service=service, limit=2)
    if rollout not in (one["id"] for one in newest if one["active"] or one is newest[0]):
        raise Refused(f"{rollout} is over", found=f"the newest rollout of {service} is {newest[0]['id']}", remedy=f"msxfctl history {service}")
    return service


async def _ended(plane: ControlPlane, started: RolloutView, wait: float) -> RolloutView:
    deadline = monotonic() + wait
    view = started
    while view["active"] and view["phase"] != "paused" and monotonic() < deadline:
        await asyncio.sleep(POLL_S)
        view = await run_in_threadpool(plane.rollout, started["id"])
    return view
