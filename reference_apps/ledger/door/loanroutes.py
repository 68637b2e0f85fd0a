"""The routes of loans: each validates, hands the work to the desk under its Idempotency-Key, answers."""

from collections.abc import Callable
from datetime import date
from itertools import islice
from typing import Annotated, Any

from fastapi import FastAPI, Header, Query
from fastapi.responses import JSONResponse

from ctl.kit.problem import Problem
from reference_apps.ledger.books import Books
from reference_apps.ledger.door import loanviews
from reference_apps.ledger.door.loanbodies import LoanBody, QuoteBody, RepaymentBody
from reference_apps.ledger.keeping import reply
from reference_apps.ledger.keeping.desk import Answer, Command, Desk
from reference_apps.ledger.keeping.reply import Key
from reference_apps.ledger.loans import lending, quoting
from reference_apps.ledger.loans.loan import Loan

IdempotencyKey = Annotated[str, Header(min_length=1, max_length=200, pattern="^[!-~]+$")]
Limit = Annotated[int, Query(ge=1, le=1000)]


def add_quotes(app: FastAPI, today: Callable[[], date]) -> None:
    """Add what a loan would cost."""

    @app.post("/v1/quotes")
    async def quote(body: QuoteBody) -> dict[str, Any]:
        asked = body.to_model(today())
        return loanviews.quote(asked, *quoting.price(asked))


def add_loans(app: FastAPI, desk: Desk, today: Callable[[], date]) -> None:
    """Add loans, their schedules and their repayments."""

    @app.post("/v1/loans", status_code=201)
    async def disburse(body: LoanBody, idempotency_key: IdempotencyKey) -> JSONResponse:
        key = reply.key(body.tenant, "POST /v1/loans", idempotency_key, body.asked())
        return await _keyed(desk, _disbursing(key, body, today()), key)

    @app.get("/v1/loans")
    async def list_loans(limit: Limit = 100, after: str = "") -> dict[str, Any]:
        begin = find(desk.books, after).number if after else 0
        found = list(islice(desk.books.loans.own.values(), begin, begin + limit))
        return {"items": [loanviews.loan(each) for each in found], "next": found[-1].id if len(found) == limit else None}

    @app.get("/v1/loans/{loan_id}")
    async def get_loan(loan_id: str) -> dict[str, Any]:
        return loanviews.loan(find(desk.books, loan_id))

    @app.get("/v1/loans/{loan_id}/schedule")
    async def get_schedule(loan_id: str) -> dict[str, Any]:
        return loanviews.schedule(find(desk.books, loan_id))

    @app.get("/v1/loans/{loan_id}/repayments")
    async def list_repayments(loan_id: str, limit: Limit = 100, after: Annotated[int, Query(ge=0)] = 0) -> dict[str, Any]:
        loan = find(desk.books, loan_id)
        found = loan.repayments[after : after + limit]
        return {"items": [loanviews.repayment(loan, each) for each in found], "next": found[-1].number if len(found) == limit else None}

    @app.post("/v1/loans/{loan_id}/repayments", status_code=201)
    async def repay(loan_id: str, body: RepaymentBody, idempotency_key: IdempotencyKey) -> JSONResponse:
        key = reply.key(body.tenant, f"POST /v1/loans/{loan_id}/repayments", idempotency_key, body.model_dump(mode="json"))
        return await _keyed(desk, _repaying(loan_id, body, today()), key)


async def _keyed(desk: Desk, command: Command, key: Key) -> JSONResponse:
    status, body = await desk.submit(command, key)
    return JSONResponse(body, status_code=status)


def _disbursing(key: Key, body: LoanBody, day: date) -> Command:
    def disburse(books: Books, now_ns: int) -> Answer:
        return 201, loanviews.loan(lending.disburse(books, lending.loan_id(key.scope), body.to_model(day), now_ns))

    return disburse


def _repaying(loan_id: str, body: RepaymentBody, day: date) -> Command:
    def repay(books: Books, now_ns: int) -> Answer:
        repayment = lending.repay(books, find(books, loan_id), body.amount_fen, body.day(day), now_ns)
        return 201, loanviews.repayment(find(books, loan_id), repayment)

    return repay


def find(books: Books, loan_id: str) -> Loan:
    """Return a loan. Raises Problem (404)."""
    loan = books.loans.get(loan_id)
    if loan is None:
        raise Problem(404, "loan_not_found", f"there is no loan {loan_id}", remedy="GET /v1/loans lists them")
    return loan
