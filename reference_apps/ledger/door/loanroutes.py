"""The routes that lend and look at loans: each validates, hands the work to the desk under its Idempotency-Key, answers."""

import re
from collections.abc import Callable
from datetime import date
from itertools import islice
from typing import Annotated, Any

import msgspec
from fastapi import FastAPI, Header, Query
from fastapi.responses import JSONResponse
from pydantic import ValidationError

from ctl.kit.answer import Answer as Said
from ctl.kit.problem import Problem
from ctl.kit.straight import Handler, Headers, header
from reference_apps.ledger.books import Books
from reference_apps.ledger.door import loanviews
from reference_apps.ledger.door.loanbodies import LoanBody, QuoteBody
from reference_apps.ledger.door.policy import NO_POLICY, BadPolicy, Policy
from reference_apps.ledger.keeping import reply
from reference_apps.ledger.keeping.desk import Answer, Command, Desk
from reference_apps.ledger.keeping.reply import Key
from reference_apps.ledger.loans import cap, lending, quoting
from reference_apps.ledger.loans.loan import Loan, Terms

KEY = re.compile(r"[!-~]{1,200}")
IdempotencyKey = Annotated[str, Header(pattern=f"^{KEY.pattern}$")]
Limit = Annotated[int, Query(ge=1, le=1000)]
Number = Annotated[int, Query(ge=0)]
On = Annotated[date | None, Query(ge=date(2000, 1, 1), le=date(2200, 12, 31))]


def add_quotes(app: FastAPI, today: Callable[[], date], policy: Policy) -> None:
    """Add what a loan would cost."""

    @app.post("/v1/quotes")
    async def quote(body: QuoteBody) -> dict[str, Any]:
        asked = body.to_model(today())
        return loanviews.quote(asked, *quoting.price(asked, policy.closed(asked.product)))


def add_loans(app: FastAPI, desk: Desk, today: Callable[[], date], policy: Policy) -> None:
    """Add loans, and how they stand on a day."""

    @app.post("/v1/loans", status_code=201)
    async def disburse(body: LoanBody, idempotency_key: IdempotencyKey) -> JSONResponse:
        key = reply.key(body.tenant, "POST /v1/loans", idempotency_key, body.asked())
        return await keyed(desk, _disbursing(key, body, today(), policy), key)

    @app.get("/v1/loans")
    async def list_loans(limit: Limit = 100, after: str = "", on: On = None) -> dict[str, Any]:
        begin = find(desk.books, after).number if after else 0
        found = list(islice(desk.books.loans.own.values(), begin, begin + limit))
        return {"items": [loanviews.loan(each, on or today()) for each in found], "next": found[-1].id if len(found) == limit else None}

    @app.get("/v1/loans/{loan_id}")
    async def get_loan(loan_id: str, on: On = None) -> dict[str, Any]:
        loan = find(desk.books, loan_id)
        return loanviews.loan(loan, within(loan, on or today()))

    @app.get("/v1/loans/{loan_id}/schedule")
    async def get_schedule(loan_id: str, on: On = None) -> dict[str, Any]:
        loan = find(desk.books, loan_id)
        return loanviews.schedule(loan, within(loan, on or today()))

    @app.get("/v1/loans/{loan_id}/payoff")
    async def payoff(loan_id: str, on: On = None) -> dict[str, Any]:
        loan = find(desk.books, loan_id)
        return loanviews.payoff(loan, within(loan, on or today()))

    @app.get("/v1/loans/{loan_id}/repayments")
    async def list_repayments(loan_id: str, limit: Limit = 100, after: Number = 0) -> dict[str, Any]:
        return _page(loanviews.repayments(find(desk.books, loan_id), today(), after, limit), limit)

    @app.get("/v1/loans/{loan_id}/history")
    async def history(loan_id: str, limit: Limit = 100, after: Number = 0) -> dict[str, Any]:
        return _page(loanviews.history(find(desk.books, loan_id), after, limit), limit)


def straight(desk: Desk, today: Callable[[], date], policy: Policy) -> Handler:
    """Return the lending of a loan past the framework; what is not in order is left to it."""

    async def disburse(headers: Headers, content: bytes) -> Said | None:
        value = header(headers, b"idempotency-key").decode("latin-1")
        if not KEY.fullmatch(value):
            return None
        try:
            body = LoanBody.model_validate_json(content)
        except ValidationError:
            return None
        key = reply.key(body.tenant, "POST /v1/loans", value, body.asked())
        status, answer = await desk.submit(_disbursing(key, body, today(), policy), key)
        return Said(status, msgspec.json.encode(answer))

    return disburse


def _page(items: list[dict[str, Any]], limit: int) -> dict[str, Any]:
    return {"items": items, "next": items[-1]["number"] if len(items) == limit else None}


async def keyed(desk: Desk, command: Command, key: Key) -> JSONResponse:
    """Have the desk run a command under its key, and answer."""
    status, body = await desk.submit(command, key)
    return JSONResponse(body, status_code=status)


def _disbursing(key: Key, body: LoanBody, day: date, policy: Policy = NO_POLICY) -> Command:
    def disburse(books: Books, now_ns: int) -> Answer:
        terms = body.to_model(day)
        closed = policy.closed(terms.product)
        warned = _capped(body.tenant, terms, closed, policy)
        return 201, loanviews.loan(lending.disburse(books, lending.loan_id(key.scope), terms, now_ns, closed), terms.disbursed_on) | warned

    return disburse


def _capped(tenant: str, terms: Terms, closed: frozenset[date], policy: Policy) -> dict[str, Any]:
    """Return the warning an answer carries, if any. Raises Problem when the tenant's cap refuses the loan."""
    try:
        limit = policy.cap(tenant)
    except BadPolicy as error:
        raise Problem(503, "bad_policy", f"no loan is lent by a cap that cannot be read: {error}", remedy="have the config key corrected") from error
    warning = cap.check(limit, terms, lending.agreed(terms, closed)) if limit else ""
    return {"warnings": [warning]} if warning else {}


def find(books: Books, loan_id: str) -> Loan:
    """Return a loan. Raises Problem (404)."""
    loan = books.loans.get(loan_id)
    if loan is None:
        raise Problem(404, "loan_not_found", f"there is no loan {loan_id}", remedy="GET /v1/loans lists them")
    return loan


def within(loan: Loan, on: date) -> date:
    """Return the day. Raises Problem (422) when the loan was not there yet."""
    if on < loan.terms.disbursed_on:
        detail = f"on: {on} is before loan {loan.id} was disbursed ({loan.terms.disbursed_on})"
        raise Problem(422, "before_disbursed", detail, remedy="ask for a later day")
    return on
