"""The ledger's HTTP door: validates, hands the work to the desk, answers."""

import asyncio
import time
from collections.abc import Callable
from datetime import date
from itertools import islice
from typing import Annotated, Any

from fastapi import FastAPI, Query
from fastapi.responses import JSONResponse

from ctl.kit.fastapi_problems import answer_problems
from ctl.kit.problem import Problem
from reference_apps.ledger import businessday
from reference_apps.ledger.closing import dayrun
from reference_apps.ledger.door import batchroutes, dayroutes, liferoutes, loanroutes, statements, views
from reference_apps.ledger.door.loanroutes import Limit
from reference_apps.ledger.door.policy import NO_POLICY, Policy
from reference_apps.ledger.keeping import journals
from reference_apps.ledger.keeping.desk import Desk
from reference_apps.ledger.keeping.record import Broken


def today() -> date:
    return businessday.day_of(time.time_ns())


def build(desk: Desk, today: Callable[[], date] = today, policy: Policy = NO_POLICY) -> FastAPI:
    """Return the app over an open desk."""
    app = FastAPI(title="ledger", version="1", docs_url=None, redoc_url=None)
    answer_problems(app)
    loanroutes.add_quotes(app, today, policy)
    loanroutes.add_loans(app, desk, today, policy)
    liferoutes.add(app, desk, today)
    statements.add(app, desk, today)
    dayroutes.add(app, desk, today)
    batchroutes.add_batches(app, desk)
    _accounts(app, desk)
    _control(app, desk)
    return app


def _accounts(app: FastAPI, desk: Desk) -> None:
    @app.get("/v1/accounts")
    async def list_accounts(limit: Limit = 100, after: Annotated[int, Query(ge=0)] = 0) -> dict[str, Any]:
        items = [views.account(each) for each in desk.books.tables.accounts.page(after, limit)]
        return {"items": items, "next": items[-1]["id"] if len(items) == limit else None}

    @app.get("/v1/accounts/{account_id}")
    async def get_account(account_id: int) -> dict[str, Any]:
        found = desk.books.accounts.get(account_id)
        if found is None:
            raise Problem(404, "account_not_found", f"there is no account {account_id}", remedy="GET /v1/accounts lists them")
        return views.account(found)

    @app.get("/v1/transfers")
    async def list_transfers(limit: Limit = 100, after: Annotated[int, Query(ge=0)] = 0, loan_id: str = "") -> dict[str, Any]:
        """Oldest first; `after` is the timestamp of the last one seen."""
        number = loanroutes.find(desk.books, loan_id).number if loan_id else None
        every = (each for each in desk.books.tables.transfers.values() if each.timestamp > after and number in (None, each.user_data_64))
        found = list(islice(every, limit))
        return {"items": [views.transfer(desk.books, each) for each in found], "next": found[-1].timestamp if len(found) == limit else None}


def _control(app: FastAPI, desk: Desk) -> None:
    @app.get("/v1/trial-balance")
    async def trial_balance() -> dict[str, Any]:
        await dayrun.learn(desk.books)
        return views.trial_balance(desk.books)

    @app.get("/v1/journal/verify")
    async def verify() -> JSONResponse:
        try:
            count, newest = await asyncio.to_thread(journals.verify, desk.place)
        except Broken as error:
            remedy = "stop posting and keep the file as evidence; records before this one are sound"
            raise Problem(409, "journal_broken", str(error), remedy=remedy) from error
        return JSONResponse({"verified": True, "records": count, "head": newest})
