"""The standing of a loan against a second, slow one that goes day by day, and against what must hold whatever is prepaid."""

from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from reference_apps.ledger.loans import allocation, schedule, standing
from reference_apps.ledger.loans.allocation import ORDER, Component, Debt, Style
from reference_apps.ledger.loans.happening import Happening, Kind
from reference_apps.ledger.loans.loan import Loan, Terms
from reference_apps.ledger.loans.product import LoanProduct, Method, Prepayment
from reference_apps.ledger.loans.standing import Status

DAY, ONE = date(2025, 1, 31), timedelta(days=1)


def lent(product: LoanProduct, principal: int = 1_000_000, rate: str = "0.24", periods: int = 4) -> Loan:
    terms = Terms(
        reference="c", customer="mike", currency="CNY", principal_fen=principal, annual_rate=Decimal(rate), periods=periods, disbursed_on=DAY, product=product
    )
    return Loan(id="LN1", number=1, terms=terms, schedule=schedule.build(product, terms.credit()))


def paid(loan: Loan, *payments: tuple[date, int]) -> Loan:
    for on, amount in payments:
        loan = loan.having(Happening(number=len(loan.happenings) + 1, kind=Kind.PAID, on=on, booked_on=on, amount_fen=amount))
    return loan


def half_up(value: Fraction) -> int:
    return int(value * 2 + 1) // 2


def day_by_day(loan: Loan, payments: Sequence[tuple[date, int]], until: date) -> list[list[int]]:
    """Return what each instalment owes (penalty, fee, interest, principal): every evening the penalty grows, every morning fees fall due, then money comes."""
    product = loan.terms.product
    rate, fee_rate = Fraction(product.penalty_daily_rate), Fraction(product.late_fee_rate)
    owed = [[0, 0, line.interest_fen, line.principal_fen] for line in loan.schedule]
    exact, charged, day = [Fraction(0)] * len(owed), [0] * len(owed), DAY
    while True:
        for place, line in enumerate(loan.schedule):
            if day == line.due_on + timedelta(days=product.penalty_grace_days + 1) and owed[place][2] + owed[place][3]:
                owed[place][1] += product.late_fee_fen + half_up((owed[place][2] + owed[place][3]) * fee_rate)
        for on, amount in payments:
            if on == day:
                _pay(owed, amount)
        if day == until:
            return owed
        for place, line in enumerate(loan.schedule):
            if day >= line.due_on + timedelta(days=product.penalty_grace_days):
                exact[place] += (owed[place][2] + owed[place][3]) * rate
                grown = half_up(Fraction(int(exact[place] * 10**6), 10**6))
                owed[place][0] += grown - charged[place]
                charged[place] = grown
        day += ONE


def _pay(owed: list[list[int]], amount: int) -> None:
    for line in owed:
        for place in range(4):
            taken = min(amount, line[place])
            line[place] -= taken
            amount -= taken


late_products = st.builds(
    LoanProduct,
    late_fee_fen=st.sampled_from([0, 500]),
    late_fee_rate=st.sampled_from([Decimal(0), Decimal("0.015")]),
    penalty_daily_rate=st.sampled_from([Decimal(0), Decimal("0.0005"), Decimal("0.00073")]),
    penalty_grace_days=st.integers(0, 6),
)
payments = st.lists(st.tuples(st.integers(0, 250).map(lambda days: DAY + timedelta(days=days)), st.integers(1, 500_000)), max_size=5)


@settings(deadline=None, max_examples=150)
@given(late_products, payments, st.integers(0, 260))
def test_what_is_owed_is_what_a_clerk_would_write_down_day_by_day(product: LoanProduct, payments: list[tuple[date, int]], days: int) -> None:
    loan, until = lent(product), DAY + timedelta(days=days)
    stands = standing.standing(paid(loan, *payments), until)
    assert [list(line.owed) for line in stands.lines] == day_by_day(loan, sorted(payments, key=lambda each: each[0]), until)


any_products = st.builds(
    LoanProduct,
    method=st.sampled_from(Method),
    prepayment=st.sampled_from(Prepayment),
    principal_grace=st.integers(0, 2),
    interest_grace=st.integers(0, 2),
    interest_free=st.integers(0, 2),
)


@settings(deadline=None, max_examples=200)
@given(any_products, st.integers(5_000, 3_000_000), st.sampled_from(["0", "0.0999", "0.24", "0.36"]), st.integers(3, 12), payments)
def test_whatever_is_prepaid_paying_what_is_due_ends_the_loan_at_nothing(
    product: LoanProduct, principal: int, rate: str, periods: int, prepaid: list[tuple[date, int]]
) -> None:
    loan = lent(product, principal, rate, periods)
    agreed, events = (
        sum(line.interest_fen for line in loan.schedule),
        sorted([*((on, fen) for on, fen in prepaid), *((line.due_on, 0) for line in loan.schedule)]),
    )
    for on, amount in events:
        loan = paid(loan, (on, amount)) if amount else loan
        due = standing.standing(loan, on).due_fen
        loan = paid(loan, (on, due)) if due else loan
    end = standing.standing(loan, events[-1][0])
    assert (end.status, end.owed_fen, end.principal_fen) == (Status.CLOSED, 0, 0)
    assert end.paid.principal == principal == sum(line.asked.principal for line in end.lines)
    assert end.earned.interest_fen == end.paid.interest == sum(line.asked.interest for line in end.lines) <= agreed + len(prepaid) * (periods + 1)
    assert all(line.asked.principal >= 0 and line.asked.interest >= 0 for line in end.lines)
    received = sum(each.amount_fen for each in loan.happenings)
    assert received == end.overpaid_fen + principal + end.paid.interest


owed_amounts = st.lists(st.tuples(*[st.integers(0, 500)] * 4), max_size=5)


@given(st.lists(owed_amounts, max_size=3), st.integers(0, 5_000), st.permutations(ORDER), st.sampled_from(Style))
def test_an_allocation_finishes_each_place_before_the_next(buckets: list[list[tuple[int, ...]]], amount: int, order: list[Component], style: Style) -> None:
    debts, number = [], 0
    for bucket in buckets:
        debts.append([Debt(number + place, dict(zip(ORDER, each, strict=True))) for place, each in enumerate(bucket, 1)])
        number += len(bucket)
    split = allocation.over_buckets(debts, amount, order, style)
    places: list[tuple[int, Any, int]] = []
    for bucket_debts in debts:
        walk = (
            [(debt, each) for debt in bucket_debts for each in order]
            if style is Style.HORIZONTAL
            else [(debt, each) for each in order for debt in bucket_debts]
        )
        places += [(debt.number, each, debt.owed[each]) for debt, each in walk if debt.owed[each]]
    assert sum(part.amount_fen for part in split.parts) + split.rest_fen == amount
    got = [tuple(part) for part in split.parts]
    assert got[:-1] == places[: len(got)][:-1], "all but the last are finished, in the order of the places"
    assert all(0 < part[2] <= place[2] and part[:2] == place[:2] for part, place in zip(got, places, strict=False))
    assert split.rest_fen == 0 or len(got) == len(places)
