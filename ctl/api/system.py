"""Tokens, doctor, shutdown, and what probes and scrapers of the daemon itself ask."""

from collections.abc import Mapping
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import JSONResponse, PlainTextResponse
from pydantic import BaseModel, ConfigDict

from ctl.api.backing import Backing
from ctl.api.identity import allowed
from ctl.control.plane import ControlPlane
from ctl.model.access import Role

router = APIRouter(tags=["system"])
Viewer = Annotated[ControlPlane, Depends(allowed(Role.VIEWER))]
Admin = Annotated[ControlPlane, Depends(allowed(Role.ADMIN))]


class NewToken(BaseModel):
    """`ttl_s` null: it does not expire."""

    model_config = ConfigDict(extra="forbid")
    name: str
    role: str
    ttl_s: float | None = None


class Shutdown(BaseModel):
    """`instances` false leaves instances and gateway running."""

    model_config = ConfigDict(extra="forbid")
    instances: bool = False


@router.get("/v1/tokens")
def tokens(plane: Admin) -> JSONResponse:
    """List tokens, without their secrets."""
    return JSONResponse({"items": plane.tokens(), "next": None})


@router.post("/v1/tokens", status_code=201)
def create_token(plane: Admin, body: NewToken) -> JSONResponse:
    """Make a token; its secret is in this answer and nowhere else."""
    return JSONResponse(plane.create_token(body.name, body.role, ttl_s=body.ttl_s), status_code=201)


@router.delete("/v1/tokens/{name}", status_code=204)
def remove_token(plane: Admin, name: str) -> Response:
    """Take a token away at once."""
    plane.remove_token(name)
    return Response(status_code=204)


@router.get("/v1/doctor")
def doctor(plane: Viewer) -> JSONResponse:
    """Check everything that msxfctl stands on."""
    return JSONResponse({"items": plane.doctor(), "next": None})


@router.post("/v1/shutdown", status_code=202)
def shutdown(plane: Admin, body: Shutdown) -> JSONResponse:
    """Stop the daemon."""
    plane.shutdown(instances=body.instances)
    return JSONResponse({"stopping": True}, status_code=202)


@router.get("/healthz")
def healthz() -> JSONResponse:
    """Say that the process is alive."""
    return JSONResponse({"status": "ok"})


@router.get("/readyz")
def readyz(request: Request) -> JSONResponse:
    """Say whether the loop has looked at the world at least once."""
    backing: Backing = request.app.state.backing
    ready = backing.is_ready()
    return JSONResponse({"status": "ready" if ready else "starting"}, status_code=200 if ready else 503)


@router.get("/metrics", response_class=PlainTextResponse)
def metrics(_: Viewer, request: Request) -> str:
    """Return the daemon's own figures as Prometheus text."""
    backing: Backing = request.app.state.backing
    return exposition(backing.figures())


def exposition(figures: Mapping[str, float]) -> str:
    """Write gauges as Prometheus text; a name may carry labels."""
    lines, typed = [], set()
    for name, value in figures.items():
        family = name.partition("{")[0]
        if family not in typed:
            lines.append(f"# TYPE {family} gauge")
            typed.add(family)
        lines.append(f"{name} {value:g}")
    return "\n".join(lines) + "\n"
