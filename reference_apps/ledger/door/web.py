"""The ledger's HTTP door: validates, hands the work to the desk, answers."""

import asyncio
import time
from collections.abc import Callable
from datetime import date
from typing import Annotated, Any

from fastapi import FastAPI, Query
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

from ctl.kit.fastapi_problems import answer_problems
from ctl.kit.problem import Problem
from ctl.kit.straight import Straight
from reference_apps.ledger import businessday
from reference_apps.ledger.algebra import asof
from reference_apps.ledger.algebra.model import LAST_NS, U128, Account
from reference_apps.ledger.algebra.transfertable import Wanted
from reference_apps.ledger.closing import dayrun
from reference_apps.ledger.closing.trialbalance import TrialBalance
from reference_apps.ledger.door import batchroutes, dayroutes, liferoutes, loanroutes, moments, statements, views
from reference_apps.ledger.door.batches import MOST_BYTES, MOST_EVENTS
from reference_apps.ledger.door.loanroutes import Limit
from reference_apps.ledger.door.policy import NO_POLICY, Policy
from reference_apps.ledger.keeping import journals
from reference_apps.ledger.keeping.desk import Desk
from reference_apps.ledger.keeping.record import Broken

After = Annotated[int, Query(ge=0, le=U128)]
LEARNT_AT_ONCE = 500
"""Loans that a trial balance learns before others have their turn: some 2 ms."""


def today() -> date:
    return businessday.day_of(time.time_ns())


class Search(BaseModel):
    """What a list of transfers can be narrowed by; `since` is the first moment, `until` the first one after."""

    limit: Annotated[int, Field(ge=1, le=1000)] = 100
    after: Annotated[int, Field(ge=0, lt=LAST_NS)] = 0
    account: Annotated[int, Field(ge=0, le=U128)] | None = None
    code: Annotated[int, Field(ge=0, lt=2**16)] | None = None
    user_data_64: Annotated[int, Field(ge=0, lt=2**64)] | None = None
    since: str = "0"
    until: str = str(LAST_NS)


def build(desk: Desk, today: Callable[[], date] = today, policy: Policy = NO_POLICY) -> Straight:
    """Return the app over an open desk."""
    app = FastAPI(title="ledger", version="1", docs_url=None, redoc_url=None)
    answer_problems(app)
    batchroutes.add_batches(app, desk)
    loanroutes.add_quotes(app, today, policy)
    loanroutes.add_loans(app, desk, today, policy)
    liferoutes.add(app, desk, today)
    statements.add(app, desk, today)
    dayroutes.add(app, desk, today)
    _accounts(app, desk)
    _transfers(app, desk)
    _control(app, desk)
    hot = batchroutes.straight(desk) | {("POST", "/v1/loans"): loanroutes.straight(desk, today, policy)}
    return Straight(app, hot, most_bytes=MOST_BYTES, remedy=f"send at most {MOST_EVENTS} events at once; nothing was changed")


def _accounts(app: FastAPI, desk: Desk) -> None:
    @app.get("/v1/accounts")
    async def list_accounts(limit: Limit = 100, after: After = 0) -> dict[str, Any]:
        items = [views.account(each) for each in await _page(desk, after, limit)]
        return {"items": items, "next": items[-1]["id"] if len(items) == limit else None}

    @app.get("/v1/accounts/{account_id}")
    async def get_account(account_id: int, as_of: str = "") -> dict[str, Any]:
        """Return an account, as it is or as it was at a time."""
        row, found = _row(desk, account_id)
        if not as_of:
            return views.account(found)
        at_ns = moments.read("as_of", as_of)
        if at_ns > time.time_ns():
            raise Problem(422, "bad_input", f"as_of: {as_of} has not come yet", remedy="leave it out for the account as it is now")
        then = await asyncio.to_thread(asof.account, desk.books.tables.transfers, found, row, at_ns)
        if then is None:
            detail = f"account {account_id} was opened at {found.timestamp} ns, after {as_of}"
            raise Problem(404, "account_not_found", detail, remedy="ask for a later moment")
        return views.account(then) | {"as_of": at_ns}


def _transfers(app: FastAPI, desk: Desk) -> None:
    @app.get("/v1/transfers")
    async def list_transfers(wanted: Annotated[Search, Query()], loan_id: str = "") -> dict[str, Any]:
        """Return transfers that fit all that is asked, oldest first; `after` is the timestamp of the last one seen."""
        number = loanroutes.find(desk.books, loan_id).number if loan_id else wanted.user_data_64
        account = _row(desk, wanted.account)[0] if wanted.account is not None else None
        since_ns = max(wanted.after + 1, moments.read("since", wanted.since))
        asked = Wanted(account=account, code=wanted.code, user_data_64=number, since_ns=since_ns, until_ns=moments.read("until", wanted.until))
        rows = await asyncio.to_thread(desk.books.tables.transfers.rows, asked, wanted.limit)
        found = [desk.books.tables.transfers.at(row) for row in rows.tolist()]
        return {"items": [views.transfer(desk.books, each) for each in found], "next": found[-1].timestamp if len(found) == wanted.limit else None}

    @app.get("/v1/transfers/{transfer_id}")
    async def get_transfer(transfer_id: int) -> dict[str, Any]:
        found = desk.books.transfers.get(transfer_id)
        if found is None:
            raise Problem(404, "transfer_not_found", f"there is no transfer {transfer_id}", remedy="GET /v1/transfers lists them")
        return views.transfer(desk.books, found)


async def _page(desk: Desk, after: int, limit: int) -> list[Account]:
    """Return the next accounts by id; many ids are looked through beside the loop."""
    accounts = desk.books.tables.accounts
    return [accounts.at(row) for row in await asyncio.to_thread(accounts.page_rows, after, limit)]


def _row(desk: Desk, account_id: int) -> tuple[int, Account]:
    """Return an account and its row number. Raises Problem (404)."""
    accounts = desk.books.tables.accounts
    row = accounts.ids.find_one(account_id) if 0 <= account_id <= U128 else -1
    if row < 0:
        raise Problem(404, "account_not_found", f"there is no account {account_id}", remedy="GET /v1/accounts lists them")
    return row, accounts.at(row)


def _control(app: FastAPI, desk: Desk) -> None:
    @app.get("/v1/trial-balance")
    async def trial_balance(limit: Limit = views.MOST_ACCOUNTS, after: After = 0) -> dict[str, Any]:
        """Return all accounts added up by ledger and code as of one moment, the loans beside their control accounts, and a page of the accounts by id."""
        await dayrun.learn(desk.books, LEARNT_AT_ONCE)
        made = TrialBalance(desk.books)
        try:
            while (stretch := made.take()) is not None:
                await asyncio.to_thread(made.add, stretch)
        finally:
            made.close()
        return views.balance_page(made, await _page(desk, after, limit), limit)

    @app.get("/v1/journal/verify")
    async def verify() -> JSONResponse:
        try:
            count, newest = await asyncio.to_thread(journals.verify, desk.place)
        except Broken as error:
            remedy = "stop posting and keep the file as evidence; records before this one are sound"
            raise Problem(409, "journal_broken", str(error), remedy=remedy) from error
        return JSONResponse({"verified": True, "records": count, "head": newest})
