"""Loan products: a product is whole or refused, survives the journal, and governs the loan it is lent under."""

from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from reference_apps.ledger.algebra import core
from reference_apps.ledger.books import Books
from reference_apps.ledger.keeping import entry
from reference_apps.ledger.keeping.entry import Entry
from reference_apps.ledger.loans import chart, happened, lending, product, standing
from reference_apps.ledger.loans.allocation import ORDER, Component, Style
from reference_apps.ledger.loans.daycount import DayCount
from reference_apps.ledger.loans.duedate import Shift
from reference_apps.ledger.loans.loan import Loan, Terms
from reference_apps.ledger.loans.product import STANDARD, Family, LoanProduct, Method, Prepayment
from reference_apps.ledger.loans.rounding import Rounding

DAY = date(2025, 1, 31)
NOW = 1_000_000
SPECIAL = LoanProduct(
    method=Method.EQUAL_PRINCIPAL,
    day_count=DayCount.ACT_ACT,
    rounding=Rounding.HALF_EVEN,
    principal_grace=1,
    interest_grace=2,
    interest_free=1,
    down_payment=Decimal("0.2"),
    shift=Shift.NEXT,
    shifted_interest=True,
    order=ORDER[::-1],
    style=Style.VERTICAL,
    prepayment=Prepayment.SHORTEN,
    late_fee_fen=500,
    late_fee_rate=Decimal("0.01"),
    penalty_daily_rate=Decimal("0.0005"),
    penalty_grace_days=3,
    charge_off_days=90,
    accrues_after_charge_off=True,
)


@pytest.mark.parametrize(
    "fields, refusal",
    [
        ({"principal_grace": -1}, "principal_grace: -1 is less than 0"),
        ({"interest_grace": -1}, "interest_grace"),
        ({"interest_free": -1}, "interest_free"),
        ({"multiple_fen": 0}, "multiple_fen: 0 is less than 1"),
        ({"down_payment": Decimal(1)}, "down_payment: 1 is not a fraction"),
        ({"down_payment": Decimal("-0.1")}, "down_payment"),
        ({"late_fee_fen": -1}, "late_fee_fen: -1 is less than 0"),
        ({"penalty_grace_days": -1}, "penalty_grace_days"),
        ({"charge_off_days": -1}, "charge_off_days"),
        ({"penalty_daily_rate": Decimal(2)}, "penalty_daily_rate: 2 is not a fraction"),
        ({"late_fee_rate": Decimal(-1)}, "late_fee_rate: -1 is not a fraction"),
        ({"order": ORDER[:3]}, "order: each of penalty, fee, interest, principal"),
        ({"order": (*ORDER, Component.FEE)}, "order"),
        ({"order": ()}, "order: .* found none"),
        ({"method": Method.FLAT, "family": Family.PROGRESSIVE}, "family: progressive is a family of annuities, the method is flat"),
        ({"family": Family.CLASSIC_DAILY}, "day_count: classic_daily counts act/365f, found 30/360"),
        ({"method": Method.FLAT, "day_count": DayCount.ACT_360}, "day_count: flat interest is a twelfth"),
        ({"method": Method.EQUAL_PRINCIPAL, "multiple_fen": 100}, "multiple_fen: equal principal is rounded to the fen, found 100"),
    ],
)
def test_a_product_that_contradicts_itself_is_refused(fields: dict[str, Any], refusal: str) -> None:
    with pytest.raises(ValueError, match=refusal):
        LoanProduct(**fields)


def test_a_product_survives_its_row_and_the_standard_one_leaves_none() -> None:
    assert product.from_row(product.to_row(SPECIAL)) == SPECIAL
    assert product.to_row(STANDARD) == {}
    assert product.from_row({}) is STANDARD
    assert product.to_row(LoanProduct(principal_grace=2)) == {"principal_grace": 2}


def lent(rules: LoanProduct) -> tuple[Books, Loan]:
    books = Books()
    core.create_accounts(books, chart.accounts(), NOW)
    terms = Terms(
        reference="c", customer="mike", currency="CNY", principal_fen=1_000_000, annual_rate=Decimal("0.12"), periods=6, disbursed_on=DAY, product=rules
    )
    return books, lending.disburse(books, lending.loan_id("s"), terms, NOW)


def test_a_loan_keeps_its_product_in_the_journal() -> None:
    _, loan = lent(replace(SPECIAL, down_payment=Decimal(0)))
    assert entry.from_json(entry.to_json(Entry(opened=loan))).opened == loan
    _, plain = lent(STANDARD)
    written = entry.to_json(Entry(opened=plain))
    assert "product" not in written["opened"]["terms"], "as before there were products"
    assert entry.from_json(written).opened == plain


def test_a_payment_pays_in_the_products_order() -> None:
    books, loan = lent(LoanProduct(order=ORDER[::-1]))
    lending.repay(books, loan, 165_000, date(2025, 2, 28), NOW)
    parts = happened.fold(books.loans.own[loan.id], date(2025, 2, 28)).allocations[1].parts
    assert [(part.component, part.amount_fen) for part in parts] == [(Component.PRINCIPAL, 162_548), (Component.INTEREST, 2_452)]


def test_terms_with_more_grace_than_periods_are_refused() -> None:
    with pytest.raises(ValueError, match="principal_grace: 6 periods of grace leave none of 6"):
        lent(LoanProduct(principal_grace=6))


def test_a_down_payment_is_due_on_the_day_of_disbursement() -> None:
    _, loan = lent(LoanProduct(down_payment=Decimal("0.2")))
    assert [(line.number, line.due_on, line.amount_fen) for line in loan.schedule[:2]] == [(0, DAY, 200_000), (1, date(2025, 2, 28), 138_039)]
    assert standing.standing(loan, DAY).due_fen == 200_000
    assert entry.from_json(entry.to_json(Entry(opened=loan))).opened == loan, "the journal keeps that the first line is a down payment"
