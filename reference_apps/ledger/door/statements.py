"""The routes of statements: a period of an account or a loan, as JSON or CSV, page by page."""

import asyncio
from collections.abc import Callable
from datetime import date
from typing import Annotated, Any, Literal

from fastapi import FastAPI, Header, Query
from fastapi.responses import JSONResponse, Response

from ctl.kit.problem import Problem
from reference_apps.ledger.books import Books
from reference_apps.ledger.closing import accountstatement, ledgerrows, loanstatement
from reference_apps.ledger.closing.accountstatement import Page
from reference_apps.ledger.door import statementviews
from reference_apps.ledger.door.loanroutes import On, find
from reference_apps.ledger.door.views import Json
from reference_apps.ledger.keeping.desk import Desk

Lines = Annotated[int, Query(ge=1, le=10_000)]
After = Annotated[int, Query(ge=0)]
From = Annotated[date | None, Query(alias="from", ge=date(2000, 1, 1), le=date(2200, 12, 31))]
Shape = Annotated[Literal["json", "csv"] | None, Query(alias="format")]
Accept = Annotated[str, Header()]


def add(app: FastAPI, desk: Desk, today: Callable[[], date]) -> None:
    """Add the statements of accounts and of loans."""

    @app.get("/v1/accounts/{account_id}/statement")
    async def of_account(
        account_id: int, begin: From = None, to: On = None, limit: Lines = 100, after: After = 0, shape: Shape = None, accept: Accept = ""
    ) -> Response:
        """Every posting of a period; `from` is the first of the month and `to` is today where they are left out."""
        account = desk.books.accounts.get(account_id)
        if account is None:
            raise Problem(404, "account_not_found", f"there is no account {account_id}", remedy="GET /v1/accounts lists them")
        first, last = period(begin, to, today())
        statement = await asyncio.to_thread(_statement, desk.books, account_id, (first, last), Page(limit=limit, after=after))
        return _answer(statementviews.account(account, statement), statementviews.account_csv, shape, accept)

    @app.get("/v1/loans/{loan_id}/statement")
    async def of_loan(
        loan_id: str, begin: From = None, to: On = None, limit: Lines = 100, after: After = 0, shape: Shape = None, accept: Accept = ""
    ) -> Response:
        """What was charged and paid in a period; `from` is the day of disbursement and `to` is today where they are left out."""
        loan = find(desk.books, loan_id)
        first, last = period(begin or loan.terms.disbursed_on, to, today())
        page = statementviews.loan(loan, loanstatement.of(loan, first, last), after, limit)
        return _answer(page, statementviews.loan_csv, shape, accept)


def _statement(books: Books, account_id: int, days: tuple[date, date], page: Page) -> accountstatement.Statement:
    return accountstatement.of(account_id, (transfer for _, transfer in ledgerrows.touching(books, account_id)), *days, page)


def period(begin: date | None, end: date | None, today: date) -> tuple[date, date]:
    """Return the days asked for. Raises Problem when the first is after the last."""
    last = end or today
    first = begin or last.replace(day=1)
    if first > last:
        raise Problem(422, "bad_input", f"from: {first} is after to: {last}", remedy="swap them, or leave one out")
    return first, last


def _answer(page: Json, to_csv: Callable[[Json], str], shape: str | None, accept: str) -> Response:
    """Answer in the shape asked for: `format` counts before the Accept header."""
    if shape == "csv" or (shape is None and "text/csv" in accept):
        more: dict[str, Any] = {"x-next": str(page["next"])} if page["next"] else {}
        return Response(to_csv(page), media_type="text/csv; charset=utf-8", headers=more)
    return JSONResponse(page)
