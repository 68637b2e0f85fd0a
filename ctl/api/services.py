"""/v1/services and /v1/status: looking at services, building them, setting their target."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from ctl.api import identity
from ctl.api.identity import allowed
from ctl.api.paging import page
from ctl.control.plane import ControlPlane
from ctl.errors import Forbidden
from ctl.model.access import Role

router = APIRouter(prefix="/v1", tags=["services"])
Viewer = Annotated[ControlPlane, Depends(allowed(Role.VIEWER))]
Releaser = Annotated[ControlPlane, Depends(allowed(Role.RELEASER))]
Operator = Annotated[ControlPlane, Depends(allowed(Role.OPERATOR))]
Limit = Annotated[int, Query(ge=1, le=10_000)]


class Build(BaseModel):
    """`source` is a folder on the daemon's machine (empty: its project root); only callers on its socket may name one."""

    model_config = ConfigDict(extra="forbid")
    version: str
    source: str = ""
    reason: str = Field("", max_length=500)


class Target(BaseModel):
    """`count` null gives the number back to the catalog."""

    model_config = ConfigDict(extra="forbid")
    count: int | None
    reason: str = Field("", max_length=500)


@router.get("/status")
def status(plane: Viewer) -> JSONResponse:
    """Say how everything stands, what needs a person first."""
    return JSONResponse(plane.status())


@router.get("/services")
def services(plane: Viewer, domain: str = "", match: str = "", state: str = "", limit: Limit = 100, after: str = "") -> JSONResponse:
    """List services by name; `match` is a part of the name, `after` the last name of the page before."""
    rows = [row for row in plane.services(domain=domain, match=match) if not state or row["state"] == state]
    return JSONResponse(page(sorted(rows, key=lambda row: row["name"]), lambda row: row["name"], after, limit))


@router.get("/services/{service}")
def service(plane: Viewer, service: str) -> JSONResponse:
    """Say everything about one service."""
    return JSONResponse(plane.service(service))


@router.get("/services/{service}/instances")
def instances(plane: Viewer, service: str, phase: str = "", limit: Limit = 1000, after: str = "") -> JSONResponse:
    """List the instances of a service by id."""
    rows = [row for row in plane.instances(service) if not phase or row["phase"] == phase]
    return JSONResponse(page(sorted(rows, key=lambda row: row["id"]), lambda row: row["id"], after, limit))


@router.get("/services/{service}/logs")
def logs(plane: Viewer, service: str, instance: str = "", release: str = "", level: str = "", last: Limit = 100) -> JSONResponse:
    """Return the last lines that the service's instances wrote."""
    return JSONResponse({"items": plane.logs(service, instance=instance, release=release, level=level, last=last), "next": None})


@router.get("/services/{service}/artifacts")
def artifacts(plane: Viewer, service: str) -> JSONResponse:
    """List what has been built of a service, newest first."""
    return JSONResponse({"items": plane.artifacts(service), "next": None})


@router.post("/services/{service}/artifacts", status_code=201)
def build(plane: Releaser, request: Request, service: str, body: Build) -> JSONResponse:
    """Pack an immutable artifact. The same content under the same version again is the same artifact."""
    if body.source and identity.peer(request.scope) is None:
        raise Forbidden("a source folder cannot be named over the network", remedy="leave source out, or build on the daemon's machine")
    return JSONResponse(plane.build(service, body.version, source=body.source, reason=body.reason), status_code=201)


@router.put("/services/{service}/target")
def scale(plane: Operator, service: str, body: Target) -> JSONResponse:
    """Set how many instances the service should have; the next tick applies it."""
    return JSONResponse(plane.scale(service, body.count, reason=body.reason))
