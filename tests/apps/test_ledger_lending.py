"""Loans on the books: what paying out and paying back post."""

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from ctl.kit.problem import Problem
from reference_apps.ledger.algebra import core
from reference_apps.ledger.books import Books
from reference_apps.ledger.door import loanviews
from reference_apps.ledger.loans import chart, lending
from reference_apps.ledger.loans.chart import Control
from reference_apps.ledger.loans.loan import Loan, Terms

DAY = date(2025, 1, 15)
NOW = 1_000_000


def opened() -> Books:
    books = Books()
    core.create_accounts(books, chart.accounts(), NOW)
    return books


def terms(**fields: Any) -> Terms:
    given = {"reference": "case-1", "customer": "mike", "currency": "CNY", "principal_fen": 1_000_000, "annual_rate": Decimal("0.12"), "periods": 6}
    return Terms(**(given | {"disbursed_on": DAY} | fields))


def disbursed(books: Books, scope: str = "s", **fields: Any) -> Loan:
    return lending.disburse(books, lending.loan_id(scope), terms(**fields), NOW)


def balance(books: Books, control: Control) -> int:
    """Debits minus credits."""
    account = books.accounts.get(int(control))
    assert account is not None
    return account.debits_posted - account.credits_posted


def test_disbursing_debits_principal_and_credits_the_bank() -> None:
    books = opened()
    loan = disbursed(books)
    assert (balance(books, Control.PRINCIPAL), balance(books, Control.BANK)) == (1_000_000, -1_000_000)
    assert loanviews.loan(loan, DAY)["instalment_fen"] == 172_548
    assert loanviews.loan(loan, DAY)["next_due"] == {"number": 1, "due_on": "2025-02-15", "amount_fen": 172_548}
    with pytest.raises(Problem, match="exists"):
        disbursed(books)
    assert balance(books, Control.PRINCIPAL) == 1_000_000, "the same loan cannot be paid out twice, key or no key"


def test_a_repayment_on_its_due_date_posts_the_interest_that_has_run_and_pays_it_first() -> None:
    books = opened()
    lending.repay(books, disbursed(books), 172_548, date(2025, 2, 15), NOW)
    assert balance(books, Control.INTEREST_INCOME) == -10_000
    assert balance(books, Control.INTEREST_RECEIVABLE) == 0
    assert balance(books, Control.PRINCIPAL) == 1_000_000 - 162_548
    assert balance(books, Control.BANK) == -1_000_000 + 172_548
    chain = list(books.transfers.own.values())[1:]
    assert [transfer.flags for transfer in chain] == [1, 1, 0], "accrual, interest and principal are one linked chain"
    assert {transfer.user_data_32 for transfer in chain} == {20250215}, "the business day stands on every transfer"


def test_interest_is_posted_through_the_day_of_the_payment() -> None:
    books = opened()
    lending.repay(books, disbursed(books), 1_000, date(2025, 4, 20), NOW)
    run = 10_000 + 8_375 + 6_733 + round(5_075 * 5 / 30)
    assert balance(books, Control.INTEREST_INCOME) == -run
    assert balance(books, Control.INTEREST_RECEIVABLE) == run - 1_000


def test_a_payment_in_advance_pays_the_next_instalment_with_its_interest() -> None:
    books = opened()
    lending.repay(books, disbursed(books), 172_548, DAY, NOW)
    assert balance(books, Control.INTEREST_INCOME) == -10_000, "what is paid has been earned, though its time has not come"
    assert balance(books, Control.PRINCIPAL) == 1_000_000 - 162_548


def test_paying_everything_closes_the_loan_and_the_rest_is_overpayment() -> None:
    books = opened()
    loan = disbursed(books)
    lending.repay(books, loan, 1_040_000, date(2025, 2, 1), NOW)
    closed = books.loans.get(loan.id)
    assert closed is not None
    assert (
        loanviews.loan(closed, date(2025, 2, 1))["status"],
        loanviews.loan(closed, date(2025, 2, 1))["overpaid_fen"],
        loanviews.loan(closed, date(2025, 2, 1))["next_due"],
    ) == ("closed", 4_709, None)
    assert balance(books, Control.OVERPAYMENT) == -4_709
    lending.repay(books, closed, 500, date(2025, 3, 1), NOW)
    assert balance(books, Control.OVERPAYMENT) == -5_209, "money that came is never refused"


@pytest.mark.parametrize(
    "fields, code", [({"currency": "USD"}, "unknown_currency"), ({"principal_fen": 6, "periods": 12}, "principal_too_small")], ids=["currency", "too small"]
)
def test_a_loan_that_cannot_be_is_refused(fields: dict[str, Any], code: str) -> None:
    with pytest.raises(Problem) as refused:
        disbursed(opened(), **fields)
    assert refused.value.code == code


def test_a_payment_before_the_loan_is_refused() -> None:
    books = opened()
    with pytest.raises(Problem, match="before loan"):
        lending.repay(books, disbursed(books), 1, DAY - timedelta(days=1), NOW)
