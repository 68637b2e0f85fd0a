"""Loans on the books: what each operation posts, and that money is conserved over random lives."""

from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from functools import partial
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ctl.kit.problem import Problem
from reference_apps.ledger.algebra import core
from reference_apps.ledger.books import Books
from reference_apps.ledger.door import loanviews, views
from reference_apps.ledger.keeping import body, entry
from reference_apps.ledger.loans import chart, lending
from reference_apps.ledger.loans.allocation import ORDER
from reference_apps.ledger.loans.chart import Control
from reference_apps.ledger.loans.daycount import DayCount
from reference_apps.ledger.loans.loan import Loan, Terms
from reference_apps.ledger.loans.product import STANDARD, LoanProduct, Method
from reference_apps.ledger.loans.rounding import Rounding

DAY = date(2025, 1, 15)
NOW = 1_000_000


PRODUCTS = (
    STANDARD,
    LoanProduct(method=Method.EQUAL_PRINCIPAL, day_count=DayCount.ACT_365F, order=ORDER[::-1]),
    LoanProduct(method=Method.FLAT, rounding=Rounding.HALF_EVEN),
)


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
    assert loanviews.loan(loan)["instalment_fen"] == 172_548
    assert loanviews.loan(loan)["next_due"] == {"number": 1, "due_on": "2025-02-15", "amount_fen": 172_548}
    with pytest.raises(Problem, match="exists"):
        disbursed(books)
    assert balance(books, Control.PRINCIPAL) == 1_000_000, "the same loan cannot be paid out twice, key or no key"


def test_a_first_repayment_recognises_its_interest_and_pays_it_first() -> None:
    books = opened()
    loan = disbursed(books)
    repayment = lending.repay(books, loan, 172_548, date(2025, 2, 15), NOW)
    assert (repayment.accrued_fen, repayment.rest_fen) == (10_000, 0)
    assert balance(books, Control.INTEREST_INCOME) == -10_000
    assert balance(books, Control.INTEREST_RECEIVABLE) == 0
    assert balance(books, Control.PRINCIPAL) == 1_000_000 - 162_548
    assert balance(books, Control.BANK) == -1_000_000 + 172_548
    chain = list(books.transfers.own.values())[1:]
    assert [transfer.flags for transfer in chain] == [1, 1, 0], "accrual, interest and principal are one linked chain"


def test_interest_that_fell_due_is_recognised_even_when_the_payment_does_not_reach_it() -> None:
    books = opened()
    lending.repay(books, disbursed(books), 1_000, date(2025, 4, 20), NOW)
    assert balance(books, Control.INTEREST_INCOME) == -(10_000 + 8_375 + 6_733)
    assert balance(books, Control.INTEREST_RECEIVABLE) == 10_000 + 8_375 + 6_733 - 1_000


def test_paying_everything_closes_the_loan_and_the_rest_is_overpayment() -> None:
    books = opened()
    loan = disbursed(books)
    lending.repay(books, loan, 1_040_000, date(2025, 2, 1), NOW)
    closed = books.loans.get(loan.id)
    assert closed is not None
    assert (loanviews.loan(closed)["status"], loanviews.loan(closed)["overpaid_fen"], loanviews.loan(closed)["next_due"]) == ("closed", 4_709, None)
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


payments = st.lists(st.tuples(st.integers(1, 3_000_000), st.integers(0, 900)), max_size=6)
lives = st.lists(st.tuples(st.integers(10_000, 10_000_000), st.decimals(0, "0.36", places=2), st.integers(1, 24), payments), min_size=1, max_size=4)


@settings(deadline=None, max_examples=80)
@given(lives)
def test_money_is_conserved_over_random_lives(several: list[tuple[int, Decimal, int, list[tuple[int, int]]]]) -> None:
    books, replayed = opened(), Books()
    entry.fold(replayed, entry.of_draft(books, Books()))
    for number, (principal, rate, periods, paid) in enumerate(several):
        agreed = terms(principal_fen=principal, annual_rate=rate, periods=periods, product=PRODUCTS[number % len(PRODUCTS)])
        loan_id = lending.loan_id(f"loan-{number}")
        _keep(books, replayed, partial(lending.disburse, new_id=loan_id, terms=agreed, now_ns=NOW))
        for amount, day in paid:
            _keep(books, replayed, partial(_pay, loan_id, amount, DAY + timedelta(days=day)))
            _conserved(books)
    assert (books.accounts.own, books.loans.own, books.last_loan) == (replayed.accounts.own, replayed.loans.own, replayed.last_loan)
    assert views.trial_balance(books)["balanced"]


def _pay(loan_id: str, amount: int, day: date, books: Books) -> None:
    loan = books.loans.get(loan_id)
    assert loan is not None
    lending.repay(books, loan, amount, day, NOW)


def _keep(books: Books, replayed: Books, operation: Callable[[Books], object]) -> None:
    """Run an operation on a draft, keep it, and replay what the journal would hold of it."""
    draft = books.draft()
    operation(draft)
    facts = entry.of_draft(draft, books)
    draft.keep()
    entry.fold(replayed, body.read(body.write([facts]))[0])


def _conserved(books: Books) -> None:
    loans = list(books.loans.own.values())
    paid = sum(repayment.amount_fen for loan in loans for repayment in loan.repayments)
    owed = sum(loan.outstanding()[component] for loan in loans for component in loan.outstanding() if component == "principal")
    assert balance(books, Control.PRINCIPAL) == owed
    assert balance(books, Control.BANK) == paid - sum(loan.terms.principal_fen for loan in loans)
    assert sum(balance(books, control) for control in Control) == 0
    assert balance(books, Control.INTEREST_RECEIVABLE) >= 0
    for loan in loans:
        assert all(amount >= 0 for debt in loan.debts() for amount in debt.owed.values())
        assert loan.overpaid_fen() == 0 or sum(loan.outstanding().values()) == 0
