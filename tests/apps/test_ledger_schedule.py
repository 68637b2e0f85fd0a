"""Schedules and allocation: the worked examples to the fen, then what must hold for every loan and every payment."""

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reference_apps.ledger import allocation, schedule
from reference_apps.ledger.allocation import ORDER, Component, Debt, Part

DAY = date(2025, 1, 31)
RATES = st.decimals(0, 1, places=4)


def test_the_worked_example() -> None:
    lines = schedule.annuity(1_000_000, Decimal("0.12"), 6, DAY)
    assert [(line.principal_fen, line.interest_fen, line.amount_fen) for line in lines] == [
        (162_548, 10_000, 172_548),
        (164_173, 8_375, 172_548),
        (165_815, 6_733, 172_548),
        (167_473, 5_075, 172_548),
        (169_148, 3_400, 172_548),
        (170_843, 1_708, 172_551),
    ]
    assert sum(line.interest_fen for line in lines) == 35_291


def test_due_dates_are_clamped_to_the_month_and_that_is_not_carried_on() -> None:
    due = [line.due_on for line in schedule.annuity(100_000, Decimal("0.12"), 13, DAY)]
    assert due[:4] == [date(2025, 2, 28), date(2025, 3, 31), date(2025, 4, 30), date(2025, 5, 31)]
    assert due[11:] == [date(2026, 1, 31), date(2026, 2, 28)]
    assert schedule.months_after(date(2027, 12, 31), 2) == date(2028, 2, 29)


def test_without_interest_the_last_one_takes_the_rest() -> None:
    assert [line.amount_fen for line in schedule.annuity(100_000, Decimal(0), 3, DAY)] == [33_333, 33_333, 33_334]


def test_a_principal_that_cannot_be_split_is_refused() -> None:
    with pytest.raises(ValueError, match="6 fen cannot be repaid in 12 equal instalments"):
        schedule.annuity(6, Decimal(0), 12, DAY)


@settings(deadline=None, max_examples=200)
@given(st.integers(10_000, 10**12), RATES, st.integers(1, 60))
def test_every_schedule_closes_exactly(principal: int, rate: Decimal, periods: int) -> None:
    lines = schedule.annuity(principal, rate, periods, DAY)
    left = principal
    for line in lines:
        exact = Decimal(left) * rate / 12
        assert abs(line.interest_fen - exact) <= Decimal("0.5"), "interest is the balance's, rounded once"
        left -= line.principal_fen
    assert left == 0
    assert all(line.principal_fen >= 0 and line.interest_fen >= 0 for line in lines)
    assert len({line.amount_fen for line in lines[:-1]}) <= 1, "all equal but the last"
    assert [line.due_on for line in lines] == sorted({line.due_on for line in lines})


OWED = (12, 30, 100, 300), (0, 30, 90, 310)
DEBTS = tuple(Debt(number, dict(zip(ORDER, owed, strict=True))) for number, owed in enumerate(OWED, 1))


def test_horizontal_allocation_finishes_the_oldest_instalment_first() -> None:
    split = allocation.horizontal(DEBTS, 500)
    assert split.parts == (
        Part(1, Component.PENALTY, 12),
        Part(1, Component.FEE, 30),
        Part(1, Component.INTEREST, 100),
        Part(1, Component.PRINCIPAL, 300),
        Part(2, Component.FEE, 30),
        Part(2, Component.INTEREST, 28),
    )
    assert split.rest_fen == 0
    assert split.of(Component.INTEREST) == 128


@settings(deadline=None, max_examples=200)
@given(st.lists(st.tuples(*[st.integers(0, 500)] * 4), max_size=6), st.integers(1, 12_000), st.permutations(ORDER))
def test_parts_sum_to_the_payment_in_the_order_given(rows: list[tuple[int, ...]], amount: int, order: list[Component]) -> None:
    debts = [Debt(number, dict(zip(ORDER, owed, strict=True))) for number, owed in enumerate(rows)]
    split = allocation.horizontal(debts, amount, order)
    assert sum(part.amount_fen for part in split.parts) + split.rest_fen == amount
    assert all(0 < part.amount_fen <= debts[part.number].owed[part.component] for part in split.parts)
    places = [(part.number, order.index(part.component)) for part in split.parts]
    assert places == sorted(set(places))
    whole = sum(sum(owed) for owed in rows)
    assert split.rest_fen == max(0, amount - whole), "overpayment only when nothing is owed any more"
    for debt in debts[: split.parts[-1].number] if split.parts else []:
        assert sum(debt.owed.values()) == sum(part.amount_fen for part in split.parts if part.number == debt.number), "an older one is finished first"
