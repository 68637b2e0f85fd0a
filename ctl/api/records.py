"""/v1/journal, /v1/events and /v1/catalog: the record and the map."""

from typing import Annotated

from fastapi import APIRouter, Depends, Header, Query, Request
from fastapi.responses import JSONResponse, StreamingResponse

from ctl.api.following import Follower
from ctl.api.identity import allowed
from ctl.control.plane import ControlPlane
from ctl.errors import BadInput
from ctl.model.access import Role

router = APIRouter(prefix="/v1", tags=["records"])
Viewer = Annotated[ControlPlane, Depends(allowed(Role.VIEWER))]


@router.get("/journal")
def journal(
    plane: Viewer,
    after: Annotated[int, Query(ge=0)] = 0,
    limit: Annotated[int, Query(ge=1, le=10_000)] = 100,
    service: str = "",
    kind: str = "",
    newest: bool = False,
) -> JSONResponse:
    """List events, oldest first; `kind` is a prefix, `newest` the end of the journal instead of what follows `after`."""
    items = plane.journal(after=after, limit=limit, service=service, kind=kind, newest=newest)
    return JSONResponse({"items": items, "next": items[-1]["seq"] if len(items) == limit and not newest else None})


@router.get("/journal/verify")
def verify(plane: Viewer) -> JSONResponse:
    """Check every link of the chain."""
    return JSONResponse(plane.verify_journal())


@router.get("/events", response_class=StreamingResponse)
def events(
    plane: Viewer, request: Request, service: str = "", after: int = -1, last_event_id: Annotated[str, Header()] = ""
) -> StreamingResponse:
    """Follow the journal by server-sent events. Resumes after `Last-Event-ID` (or `after`); without either it begins with what comes now."""
    if last_event_id and not last_event_id.isdecimal():
        raise BadInput(f"Last-Event-ID {last_event_id!r} is no event number", remedy="send the id of the last event received")
    newest = plane.journal(limit=1, newest=True)
    begin = int(last_event_id) if last_event_id else after if after >= 0 else newest[-1]["seq"] if newest else 0
    follower: Follower = request.app.state.follower
    return StreamingResponse(follower.stream(begin, service), media_type="text/event-stream", headers={"cache-control": "no-store"})


@router.get("/catalog")
def catalog(plane: Viewer) -> JSONResponse:
    """Return the whole catalog as it is in force."""
    return JSONResponse(plane.catalog())


@router.get("/catalog/graph")
def graph(plane: Viewer, service: str = "") -> JSONResponse:
    """Return who depends on whom; with a service only what it stands on."""
    return JSONResponse(plane.graph(service))


@router.get("/catalog/impact/{service}")
def impact(plane: Viewer, service: str) -> JSONResponse:
    """Return who suffers when the service is down."""
    return JSONResponse(plane.impact(service))
