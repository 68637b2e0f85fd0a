"""Statements: opening, every line with its running balance, closing; whatever the period and the page, they join without a gap."""

import asyncio
import csv
import io
from collections.abc import Awaitable, Callable
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from reference_apps.ledger import businessday
from reference_apps.ledger.algebra import core
from reference_apps.ledger.algebra.model import Account, Transfer, TransferFlag
from reference_apps.ledger.books import Books
from reference_apps.ledger.closing import accountstatement, loanstatement
from reference_apps.ledger.closing.accountstatement import Balance, Page
from reference_apps.ledger.door import web
from reference_apps.ledger.keeping.desk import Desk
from reference_apps.ledger.loans import happened
from reference_apps.ledger.loans.chart import Control
from reference_apps.ledger.loans.happening import Kind
from reference_apps.ledger.loans.product import LoanProduct, Method
from tests.apps.conftest import ask_asgi
from tests.apps.ledger_lives import DAY, Plan, Step, balance, live, opened, plans

Ask = Callable[..., Awaitable[Any]]
SECOND = 1_000_000_000
FOREVER = Page(limit=10**6)
EVENTS = st.lists(
    st.tuples(st.integers(1, 3), st.integers(1, 3), st.integers(0, 50), st.sampled_from(["plain", "pending", "post", "void"]), st.integers(0, 3)), max_size=25
)


def booked(events: list[tuple[int, int, int, str, int]]) -> Books:
    """Book transfers over four days; whatever is refused changes nothing."""
    books = Books()
    core.create_accounts(books, [Account(id=number, ledger=156, code=1) for number in (1, 2, 3)], businessday.begin_ns(DAY))
    for number, (debit, credit, amount, kind, day) in enumerate(sorted(events, key=lambda event: event[4]), 1):
        flags = {"plain": 0, "pending": TransferFlag.PENDING, "post": TransferFlag.POST_PENDING_TRANSFER, "void": TransferFlag.VOID_PENDING_TRANSFER}[kind]
        if kind in ("post", "void"):
            waiting = [each.id for each in books.transfers.own.values() if each.flags == TransferFlag.PENDING and books.pendings.get(each.id) == "pending"]
            event = Transfer(
                id=number, debit_account_id=0, credit_account_id=0, amount=0, ledger=0, code=0, flags=int(flags), pending_id=waiting[0] if waiting else 999
            )
        else:
            event = Transfer(id=number, debit_account_id=debit, credit_account_id=credit, amount=amount, ledger=156, code=1, flags=int(flags))
        core.create_transfers(books, [event], businessday.begin_ns(DAY + timedelta(days=day)) + number * SECOND)
    return books


def statement(books: Books, account: int, begin: int, end: int, page: Page = FOREVER) -> accountstatement.Statement:
    return accountstatement.of(account, books.transfers.own.values(), DAY + timedelta(days=begin), DAY + timedelta(days=end), page)


@settings(max_examples=150, deadline=None)
@given(EVENTS, st.integers(0, 3), st.integers(1, 4))
def test_periods_join_without_a_gap_and_end_at_the_accounts_balance(events: list[tuple[int, int, int, str, int]], cut: int, limit: int) -> None:
    books = booked(events)
    for account in books.accounts.own.values():
        first, second, whole = statement(books, account.id, 0, cut), statement(books, account.id, cut + 1, 9), statement(books, account.id, 0, 9)
        assert first.closing == second.opening
        assert first.lines + second.lines == whole.lines
        assert whole.opening == Balance()
        assert whole.closing == Balance(debits_fen=account.debits_posted, credits_fen=account.credits_posted)
        assert accountstatement.turnover(whole) == accountstatement.total(whole.lines) == whole.closing
        after, pages = 0, []
        while True:
            page = statement(books, account.id, 0, 9, Page(limit=limit, after=after))
            assert page.brought == (pages[-1].balance if pages else Balance())
            pages += page.lines
            if not page.more:
                break
            after = page.lines[-1].transfer.timestamp
        assert tuple(pages) == whole.lines


PAID_AHEAD = Plan(LoanProduct(method=Method.FLAT), 3000, Decimal("0.01"), 3, 0, [Step(Kind.PAID, 0, {"amount_fen": 1}), Step(Kind.SETTLED, 0)])
"""Interest is paid before it is due, and taken back by a settlement on the same day."""


@settings(max_examples=100, deadline=None)
@example([PAID_AHEAD], 0, 0)
@given(st.lists(plans, min_size=1, max_size=1), st.integers(0, 300), st.integers(0, 300))
def test_a_loans_statement_ends_at_what_it_owes_in_the_books(several: list[Any], one: int, other: int) -> None:
    books = opened()
    live(books, several)
    cut, end = sorted((DAY + timedelta(days=one), DAY + timedelta(days=other)))
    for loan in books.loans.own.values():
        whole = loanstatement.of(loan, DAY, end)
        assert whole.closing == (loanstatement.owed(happened.fold(loan, end)) if end >= loan.terms.disbursed_on else loanstatement.Owed())
        running = whole.opening.balance_fen
        for line in whole.lines:
            running += line.debit_fen - line.credit_fen
            assert running == line.owed.balance_fen
            assert min(line.debit_fen, line.credit_fen) >= 0, "an amount stands on one side, and is never negative"
        assert running == whole.closing.balance_fen
        assert loanstatement.of(loan, DAY, cut).closing == loanstatement.of(loan, cut + timedelta(days=1), end + timedelta(days=1)).opening
        assert {line.number for line in loanstatement.of(loan, DAY, date(2027, 1, 1)).lines} - {0} == {
            each.number for each in loan.happenings if each.kind != "reversed"
        }


def test_the_loans_statement_and_the_control_accounts_say_the_same() -> None:
    async def story(ask: Ask, desk: Desk) -> None:
        loan = (await ask("POST", "/v1/loans", LOAN, key="k")).body["loan_id"]
        await ask("POST", f"/v1/loans/{loan}/repayments", {"amount_fen": 172_548}, key="p")
        page = (await ask("GET", f"/v1/loans/{loan}/statement")).body
        kinds = [(line["on"], line["what"], line["debit_fen"], line["credit_fen"], line["balance_fen"]) for line in page["lines"]]
        assert kinds == [
            ("2025-01-31", "disbursed", 1_000_000, 0, 1_000_000),
            ("2025-02-28", "interest", 10_000, 0, 1_010_000),
            ("2025-02-28", "paid", 0, 172_548, 837_452),
        ]
        assert (page["currency"], page["opening"]["balance_fen"], page["closing"]["balance_fen"], page["next"]) == ("CNY", 0, 837_452, None)
        assert page["closing"]["principal_fen"] == balance(desk.books, Control.PRINCIPAL)
        first = (await ask("GET", f"/v1/loans/{loan}/statement?limit=1")).body
        second = (await ask("GET", f"/v1/loans/{loan}/statement?limit=2&after={first['next']}")).body
        assert (first["next"], second["next"], second["brought_forward"]["balance_fen"]) == (1, None, 1_000_000)
        assert first["lines"] + second["lines"] == page["lines"]

    asyncio.run(told(story))


def test_an_account_reads_as_json_and_as_csv_with_its_currency() -> None:
    async def story(ask: Ask, desk: Desk) -> None:
        loan = (await ask("POST", "/v1/loans", LOAN, key="k")).body["loan_id"]
        await ask("POST", f"/v1/loans/{loan}/repayments", {"amount_fen": 172_548}, key="p")
        page = (await ask("GET", f"/v1/accounts/{int(Control.BANK)}/statement?from=2025-02-01&to=2025-02-28")).body
        assert (page["name"], page["currency"], page["turnover"]["postings"]) == ("bank", "CNY", 3)
        assert [(line["what"], line["other_account"], line["debit_fen"], line["credit_fen"], line["balance_fen"], line["side"]) for line in page["lines"]] == [
            ("disburse", "principal", 0, 1_000_000, 1_000_000, "credit"),
            ("repay", "interest_receivable", 10_000, 0, 990_000, "credit"),
            ("repay", "principal", 162_548, 0, 827_452, "credit"),
        ]
        assert page["closing"] == {"debits_fen": 172_548, "credits_fen": 1_000_000, "balance_fen": 827_452, "side": "credit"}
        for path, headers in (("?format=csv&limit=2", {}), ("?limit=2", {"accept": "text/csv"})):
            answer = await ask("GET", f"/v1/accounts/{int(Control.BANK)}/statement{path}", headers=headers)
            assert answer.headers["content-type"] == "text/csv; charset=utf-8"
            rows = list(csv.DictReader(io.StringIO(answer.body)))
            assert [(row["what"], row["balance_fen"], row["currency"]) for row in rows] == [
                ("brought forward", "0", "CNY"), ("disburse", "1000000", "CNY"), ("repay", "990000", "CNY"), ("carried forward", "990000", "CNY"),
            ]  # fmt: skip
            rest = await ask("GET", f"/v1/accounts/{int(Control.BANK)}/statement?format=csv&after={answer.headers['x-next']}")
            assert [row["what"] for row in csv.DictReader(io.StringIO(rest.body))] == ["brought forward", "repay", "closing balance"]
        rows = list(csv.DictReader(io.StringIO((await ask("GET", f"/v1/loans/{loan}/statement?format=csv")).body)))
        assert [row["what"] for row in rows] == ["brought forward", "disbursed", "interest", "paid", "closing balance"]

    asyncio.run(told(story))


def test_what_cannot_be_shown_is_refused_by_name() -> None:
    async def story(ask: Ask, desk: Desk) -> None:
        for path, status, said in (
            ("/v1/accounts/77/statement", 404, "there is no account 77"),
            ("/v1/loans/LN1/statement", 404, "there is no loan LN1"),
            ("/v1/accounts/1001/statement?from=2025-03-01&to=2025-02-01", 422, "from: 2025-03-01 is after to: 2025-02-01"),
            ("/v1/accounts/1001/statement?format=xml", 422, "format"),
            ("/v1/accounts/1001/statement?limit=0", 422, "limit"),
            ("/v1/accounts/1001/statement?from=yesterday", 422, "from"),
        ):
            answer = await ask("GET", path)
            assert (answer.status, said in answer.body["detail"]) == (status, True), answer.body

    asyncio.run(told(story))


def test_a_moment_belongs_to_the_day_in_china() -> None:
    midnight = businessday.begin_ns(date(2025, 2, 1))
    assert businessday.moment(midnight) == "2025-01-31T16:00:00.000000Z"
    assert (businessday.day_of(midnight), businessday.day_of(midnight - 1)) == (date(2025, 2, 1), date(2025, 1, 31))


LOAN = {"reference": "case-1", "customer": "mike", "principal_fen": 1_000_000, "annual_rate": "0.12", "periods": 6, "disbursed_on": "2025-01-31"}


async def told(story: Callable[[Ask, Desk], Awaitable[None]]) -> None:
    """Tell a story against an app over fresh books; today is 2025-02-28."""
    with TemporaryDirectory() as folder:
        desk = Desk(Path(folder) / "ledger.db", on_fenced=lambda: None, clock_ns=lambda: businessday.begin_ns(date(2025, 2, 28)) + SECOND)
        await desk.open()
        app = web.build(desk, lambda: date(2025, 2, 28))

        async def send(method: str, path: str, body: Any = None, key: str = "", headers: dict[str, str] | None = None) -> Any:
            return await ask_asgi(app, method, path, body, ({"idempotency-key": key} if key else {}) | (headers or {}))

        try:
            await story(send, desk)
        finally:
            await desk.close()
