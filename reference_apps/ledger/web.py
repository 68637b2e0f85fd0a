"""The ledger's HTTP door: validates, hands the work to the desk, answers."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import islice
from typing import Annotated, Any

from fastapi import Body, FastAPI, Header, Query
from fastapi.responses import JSONResponse

from ctl.kit.fastapi_problems import answer_problems
from ctl.kit.problem import Problem
from reference_apps.ledger import chart, core, journal, lending, quoting, reply, views
from reference_apps.ledger.bodies import AccountBody, LoanBody, QuoteBody, RepaymentBody, TransferBody
from reference_apps.ledger.books import Books
from reference_apps.ledger.desk import Answer, Command, Desk
from reference_apps.ledger.loan import Loan
from reference_apps.ledger.model import Account, Transfer
from reference_apps.ledger.record import Broken
from reference_apps.ledger.reply import Key

MOST_EVENTS = 1000
BUSINESS_HOURS = timedelta(hours=8)
"""The business day is China's, all year round."""

IdempotencyKey = Annotated[str, Header(min_length=1, max_length=200, pattern="^[!-~]+$")]
Accounts = Annotated[list[AccountBody], Body(min_length=1, max_length=MOST_EVENTS)]
Transfers = Annotated[list[TransferBody], Body(min_length=1, max_length=MOST_EVENTS)]
Limit = Annotated[int, Query(ge=1, le=1000)]


def today() -> date:
    return (datetime.now(UTC) + BUSINESS_HOURS).date()


def build(desk: Desk, today: Callable[[], date] = today) -> FastAPI:
    """Return the app over an open desk."""
    app = FastAPI(title="ledger", version="1", docs_url=None, redoc_url=None)
    answer_problems(app)
    _quotes(app, today)
    _loans(app, desk, today)
    _accounts(app, desk)
    _control(app, desk)
    return app


def _quotes(app: FastAPI, today: Callable[[], date]) -> None:
    @app.post("/v1/quotes")
    async def quote(body: QuoteBody) -> dict[str, Any]:
        asked = body.to_model(today())
        return views.quote(asked, *quoting.price(asked))


def _loans(app: FastAPI, desk: Desk, today: Callable[[], date]) -> None:
    @app.post("/v1/loans", status_code=201)
    async def disburse(body: LoanBody, idempotency_key: IdempotencyKey) -> JSONResponse:
        key = reply.key(body.tenant, "POST /v1/loans", idempotency_key, body.asked())
        return await _keyed(desk, _disbursing(key, body, today()), key)

    @app.get("/v1/loans")
    async def list_loans(limit: Limit = 100, after: str = "") -> dict[str, Any]:
        begin = _loan(desk.books, after).number if after else 0
        found = list(islice(desk.books.loans.own.values(), begin, begin + limit))
        return {"items": [views.loan(each) for each in found], "next": found[-1].id if len(found) == limit else None}

    @app.get("/v1/loans/{loan_id}")
    async def get_loan(loan_id: str) -> dict[str, Any]:
        return views.loan(_loan(desk.books, loan_id))

    @app.get("/v1/loans/{loan_id}/schedule")
    async def get_schedule(loan_id: str) -> dict[str, Any]:
        return views.schedule(_loan(desk.books, loan_id))

    @app.get("/v1/loans/{loan_id}/repayments")
    async def list_repayments(loan_id: str, limit: Limit = 100, after: Annotated[int, Query(ge=0)] = 0) -> dict[str, Any]:
        loan = _loan(desk.books, loan_id)
        found = loan.repayments[after : after + limit]
        return {"items": [views.repayment(loan, each) for each in found], "next": found[-1].number if len(found) == limit else None}

    @app.post("/v1/loans/{loan_id}/repayments", status_code=201)
    async def repay(loan_id: str, body: RepaymentBody, idempotency_key: IdempotencyKey) -> JSONResponse:
        key = reply.key(body.tenant, f"POST /v1/loans/{loan_id}/repayments", idempotency_key, body.model_dump(mode="json"))
        return await _keyed(desk, _repaying(loan_id, body, today()), key)


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
        number = _loan(desk.books, loan_id).number if loan_id else None
        every = (each for each in desk.books.transfers.own.values() if each.timestamp > after and number in (None, each.user_data_64))
        found = list(islice(every, limit))
        return {"items": [views.transfer(desk.books, each) for each in found], "next": found[-1].timestamp if len(found) == limit else None}


def _control(app: FastAPI, desk: Desk) -> None:
    @app.get("/v1/trial-balance")
    async def trial_balance() -> dict[str, Any]:
        return views.trial_balance(desk.books)

    @app.get("/v1/journal/verify")
    async def verify() -> JSONResponse:
        try:
            count, newest = await asyncio.to_thread(journal.verify, desk.path)
        except Broken as error:
            remedy = "stop posting and keep the file as evidence; records before this one are sound"
            raise Problem(409, "journal_broken", str(error), remedy=remedy) from error
        return JSONResponse({"verified": True, "records": count, "head": newest})


async def _keyed(desk: Desk, command: Command, key: Key) -> JSONResponse:
    status, body = await desk.submit(command, key)
    return JSONResponse(body, status_code=status)


def _disbursing(key: Key, body: LoanBody, day: date) -> Command:
    def disburse(books: Books, now_ns: int) -> Answer:
        return 201, views.loan(lending.disburse(books, lending.loan_id(key.scope), body.to_model(day), now_ns))

    return disburse


def _repaying(loan_id: str, body: RepaymentBody, day: date) -> Command:
    def repay(books: Books, now_ns: int) -> Answer:
        repayment = lending.repay(books, _loan(books, loan_id), body.amount_fen, body.day(day), now_ns)
        return 201, views.repayment(_loan(books, loan_id), repayment)

    return repay


def _opening(accounts: Sequence[Account]) -> Command:
    def open_accounts(books: Books, now_ns: int) -> tuple[int, Mapping[str, Any]]:
        return 200, views.results(core.create_accounts(books, accounts, now_ns))

    return open_accounts


def _posting(transfers: Sequence[Transfer]) -> Command:
    def post(books: Books, now_ns: int) -> tuple[int, Mapping[str, Any]]:
        return 200, views.results(core.create_transfers(books, transfers, now_ns))

    return post


def _loan(books: Books, loan_id: str) -> Loan:
    loan = books.loans.get(loan_id)
    if loan is None:
        raise Problem(404, "loan_not_found", f"there is no loan {loan_id}", remedy="GET /v1/loans lists them")
    return loan


def _refuse_control_accounts(transfers: Sequence[Transfer]) -> None:
    """The loans' control accounts move with a loan or not at all, else the loans would no longer add up to them."""
    for index, transfer in enumerate(transfers):
        for account_id in (transfer.debit_account_id, transfer.credit_account_id):
            if name := chart.name(account_id):
                detail = f"{index}: account {account_id} ({name}) is a control account of the loans"
                raise Problem(422, "control_account", detail, remedy="use POST /v1/loans or /v1/loans/{id}/repayments")
