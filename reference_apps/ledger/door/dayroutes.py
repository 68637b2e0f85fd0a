"""The routes of closing: ends of days, and reconciliation with a bank's file."""

import asyncio
from collections.abc import Callable
from datetime import date
from typing import Annotated, Any, Literal

from fastapi import FastAPI, Query, Request
from fastapi.responses import JSONResponse, Response
from pydantic import Field

from ctl.kit.problem import Problem
from reference_apps.ledger.closing import bankaccount, bankfile, breaklist, dayreport
from reference_apps.ledger.closing.dayrun import DayRun
from reference_apps.ledger.closing.daystep import DayEnd, Stage
from reference_apps.ledger.door.bodies import Body
from reference_apps.ledger.door.loanroutes import IdempotencyKey, Limit, On
from reference_apps.ledger.door.statements import Accept, From
from reference_apps.ledger.keeping import reply
from reference_apps.ledger.keeping.desk import Desk

MOST_BYTES = 64 * 2**20
FileShape = Annotated[Literal["json", "csv", "text"] | None, Query(alias="format")]
Tolerance = Annotated[int, Query(ge=0, le=31)]


class DayEndBody(Body):
    """Which day is to end; days before it that never ended are caught up first."""

    day: date = Field(ge=date(2000, 1, 1))
    tenant: str = Field(default="default", pattern="^[a-z0-9_]{1,32}$")


def add(app: FastAPI, desk: Desk, today: Callable[[], date]) -> None:
    """Add the ends of days, and reconciliations."""
    run = DayRun(desk, today)
    app.state.day_run = run

    @app.post("/v1/day-ends", status_code=202)
    async def end_day(body: DayEndBody, idempotency_key: IdempotencyKey) -> JSONResponse:
        """Begin, or go on; 200 with the report once the day is done."""
        key = reply.key(body.tenant, "POST /v1/day-ends", idempotency_key, body.model_dump(mode="json"))
        known = await run.start(body.day, key)
        is_done = known.day == body.day and known.stage is Stage.DONE
        return JSONResponse(_shown(known, run), status_code=200 if is_done else 202)

    @app.get("/v1/day-ends")
    async def list_days(limit: Limit = 100, after: On = None) -> dict[str, Any]:
        """Oldest first; `after` is the last day seen."""
        begin = after.toordinal() if after else 0
        found = [desk.books.dayends.own[day] for day in sorted(desk.books.dayends.own) if day > begin][:limit]
        return {"items": [_shown(each, run) for each in found], "next": found[-1].day.isoformat() if len(found) == limit else None}

    @app.get("/v1/day-ends/{day}")
    async def get_day(day: date) -> dict[str, Any]:
        known = desk.books.dayends.get(day.toordinal())
        if known is None:
            raise Problem(404, "day_end_not_found", f"the end of {day} never began", remedy="POST /v1/day-ends begins it")
        return _shown(known, run)

    @app.post("/v1/reconciliations")
    async def reconcile(
        request: Request, begin: From = None, to: On = None, tolerance_days: Tolerance = 1, shape: FileShape = None, accept: Accept = ""
    ) -> Response:
        """Hold the bank's file (CSV) against the bank account and the loans, for the file's days or those named."""
        lines = bankfile.read(await _text(request))
        period = bankaccount.period_of(lines, begin, to)
        if period is None:
            raise Problem(422, "bad_input", "from: the file has no lines, so it does not say its days", remedy="name them with from and to")
        items = await asyncio.to_thread(bankaccount.reconciled, desk.books, lines, period, tolerance_days)
        if shape == "csv" or (shape is None and "text/csv" in accept):
            return Response(breaklist.to_csv(items), media_type="text/csv; charset=utf-8")
        report = breaklist.to_json(items, period)
        return Response(breaklist.text(report), media_type="text/plain; charset=utf-8") if shape == "text" else JSONResponse(report)


def _shown(known: DayEnd, run: DayRun) -> dict[str, Any]:
    return dayreport.progress(known, run.is_running, run.why)


async def _text(request: Request) -> str:
    content = await request.body()
    if len(content) > MOST_BYTES:
        raise Problem(413, "file_too_large", f"the file has {len(content)} bytes, more than {MOST_BYTES}", remedy="send a file for fewer days")
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        detail = f"the file is no UTF-8: byte {error.start} is {content[error.start]:#x}"
        raise Problem(422, "bad_bank_file", detail, remedy="save it as UTF-8 and send it again") from error
