"""A bureau's HTTP door. It knows only people who do not exist, and keeps nothing: every instance gives the same answer."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from fastapi import FastAPI
from starlette.responses import JSONResponse, Response

from ctl.kit.fastapi_problems import answer_problems
from ctl.kit.identity import Identity
from ctl.kit.problem import Problem
from reference_apps.bureau import people
from reference_apps.bureau.rehearsal import Fate, Rehearsal, lied

GARBAGE = b'{"customer_id": "...", "score": <html><body>Bad Gateway</body></html>'


class BureauDown(Exception):
    """Raised for customers whose requests are to fail on purpose."""


def now() -> datetime:
    return datetime.now(UTC)


def kind_of(service: str, configured: str) -> str:
    """Return which bureau this service is: the one configured, else the one it is named after. Raises ValueError."""
    kind = configured or service.removesuffix("-adapter")
    if kind not in people.KINDS:
        raise ValueError(f"bureau.kind is {kind!r}; write one of {', '.join(people.KINDS)}")
    return kind


def build(identity: Identity, kind: str, rehearsal: Rehearsal, now: Callable[[], datetime] = now) -> FastAPI:
    """Return the app of one bureau."""
    app = FastAPI(title=f"bureau {kind}", version="1", docs_url=None, redoc_url=None)
    answer_problems(app)
    who = {"service": identity.service, "release": identity.release, "instance": identity.instance, "bureau": kind}

    async def about(customer_id: str) -> Response:
        if rehearsal.latency_s:
            await asyncio.sleep(rehearsal.latency_s)
        fate = rehearsal.fate(customer_id)
        if fate is Fate.HANG:
            await asyncio.sleep(rehearsal.hang_s)
        if fate is Fate.ERROR:
            raise BureauDown(f"{kind} fails for {customer_id} on purpose (rehearsal.error_pct)")
        if fate is Fate.GARBAGE:
            return Response(GARBAGE, media_type="application/json")
        report = people.report(kind, customer_id, now())
        if report is None:
            raise Problem(404, "customer_unknown", f"{kind} knows no customer {customer_id}", remedy="decide without it")
        return JSONResponse(lied(report) if fate is Fate.LIE else report)

    app.add_api_route(f"/v1/customers/{{customer_id:path}}/{people.KINDS[kind].path}", about, methods=["GET"])

    @app.get("/")
    @app.get("/work")
    @app.post("/work")
    async def work() -> dict[str, Any]:
        return who

    return app
