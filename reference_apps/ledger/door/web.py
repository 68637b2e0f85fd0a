"""The ledger's HTTP door: validates, hands the work to the desk, answers."""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from itertools import islice
from typing import Annotated, Any

from fastapi import Body, FastAPI, Query
from fastapi.responses import JSONResponse

from ctl.kit.fastapi_problems import answer_problems
from ctl.kit.problem import Problem
from reference_apps.ledger import businessday
from reference_apps.ledger.algebra import core
from reference_apps.ledger.algebra.model import Account, Transfer
from reference_apps.ledger.books import Books
from reference_apps.ledger.closing import dayrun
from reference_apps.ledger.door import dayroutes, liferoutes, loanroutes, statements, views
from reference_apps.ledger.door.bodies import AccountBody, TransferBody
from reference_apps.ledger.door.loanroutes import Limit
from reference_apps.ledger.door.policy import NO_POLICY, Policy
from reference_apps.ledger.keeping import journals
from reference_apps.ledger.keeping.desk import Command, Desk
from reference_apps.ledger.keeping.record import Broken
from reference_apps.ledger.loans import chart

MOST_EVENTS = 1000

Accounts = Annotated[list[AccountBody], Body(min_length=1, max_length=MOST_EVENTS)]
Transfers = Annotated[list[TransferBody], Body(min_length=1, max_length=MOST_EVENTS)]


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
    _accounts(app, desk)
    _control(app, desk)
    return app


def _accounts(app: FastAPI, desk: Desk) -> None:
    @app.post("/v1/accounts")
    async def create_accounts(events: Accounts) -> JSONResponse:
        accounts = [event.to_model() for event in events]
        _, body = await desk.submit(_opening(accounts))
        return JSONResponse(body)

    @app.get("/v1/accounts")
    async def list_accounts(limit: Limit = 100, after: Annotated[int, Query(ge=0)] = 0) -> dict[str, Any]:
        wanted = sorted(account_id for account_id in desk.books.accounts.own if account_id > after)[:limit]
        items = [views.account(desk.books.accounts.own[account_id]) for account_id in wanted]
        return {"items": items, "next": items[-1]["id"] if len(items) == limit else None}

    @app.get("/v1/accounts/{account_id}")
    async def get_account(account_id: int) -> dict[str, Any]:
        found = desk.books.accounts.get(account_id)
        if found is None:
            raise Problem(404, "account_not_found", f"there is no account {account_id}", remedy="GET /v1/accounts lists them")
        return views.account(found)

    @app.post("/v1/transfers")
    async def create_transfers(events: Transfers) -> JSONResponse:
        transfers = [event.to_model() for event in events]
        _refuse_control_accounts(transfers)
        _, body = await desk.submit(_posting(transfers))
        return JSONResponse(body)

    @app.get("/v1/transfers")
    async def list_transfers(limit: Limit = 100, after: Annotated[int, Query(ge=0)] = 0, loan_id: str = "") -> dict[str, Any]:
        """Oldest first; `after` is the timestamp of the last one seen."""
        number = loanroutes.find(desk.books, loan_id).number if loan_id else None
        every = (each for each in desk.books.transfers.own.values() if each.timestamp > after and number in (None, each.user_data_64))
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


def _opening(accounts: Sequence[Account]) -> Command:
    def open_accounts(books: Books, now_ns: int) -> tuple[int, Mapping[str, Any]]:
        return 200, views.results(core.create_accounts(books, accounts, now_ns))

    return open_accounts


def _posting(transfers: Sequence[Transfer]) -> Command:
    def post(books: Books, now_ns: int) -> tuple[int, Mapping[str, Any]]:
        return 200, views.results(core.create_transfers(books, transfers, now_ns))

    return post


def _refuse_control_accounts(transfers: Sequence[Transfer]) -> None:
    """The loans' control accounts move with a loan or not at all, else the loans would no longer add up to them."""
    for index, transfer in enumerate(transfers):
        for account_id in (transfer.debit_account_id, transfer.credit_account_id):
            if name := chart.name(account_id):
                detail = f"{index}: account {account_id} ({name}) is a control account of the loans"
                raise Problem(422, "control_account", detail, remedy="use POST /v1/loans, or what can happen to a loan, such as /v1/loans/{id}/repayments")
