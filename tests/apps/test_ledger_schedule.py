"""Schedules and allocation: the worked examples to the fen, then what must hold for every loan and every payment."""

from collections.abc import Sequence
from datetime import date
from decimal import ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal, localcontext
from fractions import Fraction
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reference_apps.ledger.loans import allocation, duedate, schedule
from reference_apps.ledger.loans.allocation import ORDER, Component, Debt, Part
from reference_apps.ledger.loans.daycount import DayCount, year_fraction
from reference_apps.ledger.loans.duedate import Shift
from reference_apps.ledger.loans.product import Family, LoanProduct, Method
from reference_apps.ledger.loans.rounding import Rounding, rounded
from reference_apps.ledger.loans.schedule import Credit, Instalment

DAY = date(2025, 1, 31)
RATES = st.decimals(0, 1, places=4)


def credit(principal_fen: int = 1_000_000, annual_rate: str | Decimal = "0.12", periods: int = 6, **days: date) -> Credit:
    return Credit(principal_fen=principal_fen, annual_rate=Decimal(annual_rate), periods=periods, **({"disbursed_on": DAY} | days))


def built(asked: Credit | None = None, /, **product: Any) -> tuple[Instalment, ...]:
    return schedule.build(LoanProduct(**product), asked or credit())


def dues(lines: Sequence[Instalment]) -> list[int]:
    return [line.amount_fen for line in lines]


def interest(lines: Sequence[Instalment]) -> int:
    return sum(line.interest_fen for line in lines)


@pytest.mark.parametrize("family", [Family.CLASSIC, Family.PROGRESSIVE])
def test_annuity_as_in_the_worked_example(family: Family) -> None:
    lines = built(family=family)
    assert [(line.principal_fen, line.interest_fen, line.amount_fen) for line in lines] == [
        (162_548, 10_000, 172_548),
        (164_173, 8_375, 172_548),
        (165_815, 6_733, 172_548),
        (167_473, 5_075, 172_548),
        (169_148, 3_400, 172_548),
        (170_843, 1_708, 172_551),
    ]
    assert interest(lines) == 35_291


def test_equal_principal_as_in_the_worked_example() -> None:
    lines = built(method=Method.EQUAL_PRINCIPAL)
    assert [(line.principal_fen, line.interest_fen, line.amount_fen) for line in lines] == [
        (166_667, 10_000, 176_667),
        (166_667, 8_333, 175_000),
        (166_667, 6_667, 173_334),
        (166_667, 5_000, 171_667),
        (166_667, 3_333, 170_000),
        (166_665, 1_667, 168_332),
    ]
    assert interest(lines) == 35_000


def test_flat_as_in_the_worked_example() -> None:
    lines = built(method=Method.FLAT)
    assert [(line.principal_fen, line.interest_fen) for line in lines] == [(166_667, 10_000)] * 5 + [(166_665, 10_000)]
    assert interest(lines) == 60_000
    assert [line.principal_fen for line in built(method=Method.FLAT, multiple_fen=1000)] == [167_000] * 5 + [165_000]


@pytest.mark.parametrize("family", [Family.CLASSIC, Family.PROGRESSIVE])
def test_actual_365_as_in_the_worked_example(family: Family) -> None:
    lines = built(day_count=DayCount.ACT_365F, family=family)
    assert dues(lines) == [172_438] * 6
    assert interest(lines) == 34_628


def test_classic_daily_as_in_the_worked_example() -> None:
    lines = built(day_count=DayCount.ACT_365F, family=Family.CLASSIC_DAILY)
    assert dues(lines) == [172_548] * 5 + [171_871]
    assert interest(lines) == 34_611


@pytest.mark.parametrize("family", [Family.CLASSIC, Family.PROGRESSIVE])
def test_grace_on_principal_as_in_the_worked_example(family: Family) -> None:
    lines = built(principal_grace=2, family=family)
    assert dues(lines) == [10_000] * 2 + [256_281] * 4
    assert [line.principal_fen for line in lines[:2]] == [0, 0]
    assert interest(lines) == 45_124


@pytest.mark.parametrize("family", [Family.CLASSIC, Family.PROGRESSIVE])
def test_instalments_to_a_multiple_as_in_the_worked_example(family: Family) -> None:
    assert dues(built(multiple_fen=1000, family=family)) == [173_000] * 5 + [170_222]


@pytest.mark.parametrize("family", [Family.CLASSIC, Family.PROGRESSIVE])
def test_down_payment_as_in_the_worked_example(family: Family) -> None:
    lines = built(down_payment=Decimal("0.2"), family=family)
    assert lines[0] == Instalment(0, DAY, 200_000, 0)
    assert dues(lines[1:]) == [138_039] * 5 + [138_038]
    assert [line.number for line in lines] == [0, 1, 2, 3, 4, 5, 6]


def test_interest_that_is_deferred_falls_due_in_one_sum_and_bears_none_itself() -> None:
    plain, deferred = built(), built(interest_grace=2)
    assert [line.principal_fen for line in deferred] == [line.principal_fen for line in plain]
    assert [line.interest_fen for line in deferred] == [0, 0, 10_000 + 8_375 + 6_733, 5_075, 3_400, 1_708]


def test_no_interest_accrues_in_free_periods() -> None:
    lines = built(interest_free=2, method=Method.EQUAL_PRINCIPAL)
    assert [line.interest_fen for line in lines] == [0, 0, 6_667, 5_000, 3_333, 1_667]
    annuity = built(interest_free=2)
    assert [line.interest_fen for line in annuity[:2]] == [0, 0]
    assert len(set(dues(annuity[:-1]))) == 1
    assert abs(annuity[-1].amount_fen - annuity[0].amount_fen) <= 3, "the equal instalment knows of the free periods"
    assert interest(built(interest_free=6, method=Method.FLAT)) == 0


def test_all_graces_together() -> None:
    lines = built(principal_grace=2, interest_free=1, interest_grace=3, method=Method.EQUAL_PRINCIPAL)
    assert [(line.principal_fen, line.interest_fen) for line in lines] == [(0, 0), (0, 0), (250_000, 0), (250_000, 27_500), (250_000, 5_000), (250_000, 2_500)]


def test_the_progressive_family_evens_out_the_last_instalment_and_the_classic_does_not() -> None:
    asked = credit(100_185, "0.05", 12)
    classic, progressive = built(asked), built(asked, family=Family.PROGRESSIVE)

    def off(lines: Sequence[Instalment]) -> int:
        return lines[-1].amount_fen - lines[0].amount_fen

    assert (off(classic), off(progressive)) == (-7, 5)
    assert sum(line.principal_fen for line in progressive) == 100_185
    as_far_off = built(credit(1_801_130, "0.6", 24), day_count=DayCount.ACT_365F, family=Family.PROGRESSIVE)
    assert (as_far_off[0].amount_fen, off(as_far_off)) == (130_226, -23), "another instalment is taken only when it comes closer"


def test_the_rounding_mode_is_the_products() -> None:
    half = credit(60, "0.1", 1)
    assert built(half)[0].interest_fen == 1, "60 fen at 10 % owe exactly half a fen after a month"
    assert built(half, rounding=Rounding.HALF_EVEN)[0].interest_fen == 0
    assert [rounded(2125, 10, mode) for mode in Rounding] == [213, 212]
    assert [rounded(-2125, 10, mode) for mode in Rounding] == [-213, -212]
    assert [rounded(1005, 10, mode) for mode in Rounding] == [101, 100]


def test_due_dates_are_clamped_to_the_month_and_that_is_not_carried_on() -> None:
    due = [line.due_on for line in built(credit(100_000, "0.12", 13))]
    assert due[:4] == [date(2025, 2, 28), date(2025, 3, 31), date(2025, 4, 30), date(2025, 5, 31)]
    assert due[11:] == [date(2026, 1, 31), date(2026, 2, 28)]
    assert duedate.months_after(date(2027, 12, 31), 2) == date(2028, 2, 29)


def test_the_first_due_date_is_the_anchor() -> None:
    asked = credit(disbursed_on=date(2025, 1, 10), first_due_on=date(2025, 1, 31))
    assert [line.due_on.day for line in built(asked)] == [31, 28, 31, 30, 31, 30]
    assert [line.interest_fen for line in built(asked, method=Method.EQUAL_PRINCIPAL)[:2]] == [7_000, 8_333], "21 of 30 days, then months"
    later = credit(disbursed_on=date(2025, 1, 10), first_due_on=date(2025, 4, 10))
    assert [line.interest_fen for line in built(later, method=Method.EQUAL_PRINCIPAL)[:2]] == [30_000, 8_333]
    assert {line.interest_fen for line in built(later, method=Method.FLAT)} == {10_000}, "flat interest is a twelfth in every period"
    by_days = built(asked, day_count=DayCount.ACT_365F)
    assert by_days[0].interest_fen == round(1_000_000 * 0.12 * 21 / 365), "the first period is shorter"
    with pytest.raises(ValueError, match="first_due_on: 2025-01-31 is not after the disbursement"):
        built(credit(first_due_on=DAY))


WEEKEND = frozenset({date(2025, 3, 29), date(2025, 3, 30), date(2025, 3, 31)})


@pytest.mark.parametrize("shift, due", [(Shift.NONE, date(2025, 3, 31)), (Shift.NEXT, date(2025, 4, 1)), (Shift.PREVIOUS, date(2025, 3, 28))])
def test_a_due_date_moves_off_days_nobody_works(shift: Shift, due: date) -> None:
    plain = built(day_count=DayCount.ACT_365F)
    moved = schedule.build(LoanProduct(day_count=DayCount.ACT_365F, shift=shift), credit(), WEEKEND)
    assert [line.due_on for line in moved] == [plain[0].due_on, due, *(line.due_on for line in plain[2:])]
    assert [line.interest_fen for line in moved] == [line.interest_fen for line in plain], "interest days are unchanged"


def test_interest_may_follow_the_shift() -> None:
    product = LoanProduct(method=Method.EQUAL_PRINCIPAL, day_count=DayCount.ACT_365F, shift=Shift.NEXT, shifted_interest=True)
    moved = schedule.build(product, credit(), WEEKEND)
    plain = built(method=Method.EQUAL_PRINCIPAL, day_count=DayCount.ACT_365F)
    a_day = [round(balance * 0.12 / 365) for balance in (833_333, 666_666)]
    assert [line.interest_fen - was.interest_fen for line, was in zip(moved, plain, strict=True)] == [0, a_day[0], -a_day[1], 0, 0, 0]


def test_a_calendar_without_working_days_is_refused() -> None:
    closed = frozenset(date.fromordinal(DAY.toordinal() + days) for days in range(400))
    with pytest.raises(ValueError, match="the calendar has no working day within 31 days of 2025-02-28"):
        schedule.build(LoanProduct(shift=Shift.NEXT), credit(), closed)


CUSTOMERS = {"mike": (500_000, "0.10", 43_958, 43_959), "john": (400_000, "0.18", 36_672, 36_673), "jane": (200_000, "0.25", 19_009, 19_008)}


@pytest.mark.parametrize("principal, rate, equal, last", CUSTOMERS.values(), ids=CUSTOMERS)
def test_the_three_customers(principal: int, rate: str, equal: int, last: int) -> None:
    assert dues(built(credit(principal, rate, 12))) == [equal] * 11 + [last]


def test_without_interest_the_last_one_takes_the_rest() -> None:
    assert dues(built(credit(100_000, "0", 3))) == [33_333, 33_333, 33_334]


@pytest.mark.parametrize(
    "asked, product, refusal",
    [
        (credit(6, "0", 12), {}, "6 fen cannot be repaid in 12 equal instalments"),
        (credit(6, "0", 4), {"method": Method.EQUAL_PRINCIPAL, "rounding": Rounding.HALF_UP}, None),
        (credit(10, "0", 6), {"method": Method.FLAT, "multiple_fen": 5}, None),
        (credit(100_000, "0.1", 60), {"multiple_fen": 5_000}, "cannot be repaid in 60 equal instalments to multiples of 5000 fen"),
        (credit(0), {}, "principal_fen: 0 fen at 0.12 a year is no loan"),
        (credit(100, "-0.1"), {}, "principal_fen: 100 fen at -0.1 a year is no loan"),
        (credit(periods=0), {}, "periods: 0 is less than 1"),
        (credit(), {"principal_grace": 6}, "principal_grace: 6 periods of grace leave none of 6"),
        (credit(), {"interest_grace": 6}, "interest_grace: 6 periods"),
        (credit(), {"interest_free": 7}, "interest_free: 7 periods"),
        (credit(1), {"down_payment": Decimal("0.5")}, "down_payment: 0.5 of 1 fen leaves nothing to lend"),
    ],
)
def test_what_cannot_be_a_schedule_is_refused(asked: Credit, product: dict[str, Any], refusal: str | None) -> None:
    if refusal is None:
        assert all(line.principal_fen >= 0 for line in built(asked, **product))
        return
    with pytest.raises(ValueError, match=refusal):
        built(asked, **product)


MODES = {Rounding.HALF_UP: ROUND_HALF_UP, Rounding.HALF_EVEN: ROUND_HALF_EVEN}


def decimal_rounded(exact: Fraction, mode: Rounding) -> int:
    """Round as the decimal module does: a tie is a finite decimal, so that the quotient is exact where it matters."""
    with localcontext(prec=600):
        return int((Decimal(exact.numerator) / exact.denominator).quantize(Decimal(1), rounding=MODES[mode]))


def defined(product: LoanProduct, asked: Credit) -> list[tuple[int, int]]:
    """The definition, word for word and slow: principal and interest of each period."""
    days = [asked.disbursed_on, *(duedate.months_after(asked.disbursed_on, number) for number in range(1, asked.periods + 1))]
    annual, mode, grace, n = Fraction(asked.annual_rate), product.rounding, product.principal_grace, asked.periods - product.principal_grace
    twelfths = product.day_count in (DayCount.THIRTY_360, DayCount.THIRTY_E_360)
    rates = [annual / 12 if twelfths else annual * year_fraction(product.day_count, begin, end) for begin, end in pairwise(days)]
    rates = [Fraction(0)] * product.interest_free + rates[product.interest_free :]

    def to_multiple(exact: Fraction) -> int:
        return product.multiple_fen * decimal_rounded(exact / product.multiple_fen, mode)

    def lines(equal: int) -> list[tuple[int, int]]:
        balance, rows = asked.principal_fen, []
        for k, rate in enumerate(rates, 1):
            owed = decimal_rounded((asked.principal_fen if product.method is Method.FLAT else balance) * rate, mode)
            principal = equal - owed if product.method is Method.ANNUITY else equal
            principal = balance if k == asked.periods else 0 if k <= grace else principal
            balance -= principal
            rows.append((principal, owed))
        return rows

    if product.method is not Method.ANNUITY:
        return lines(to_multiple(Fraction(asked.principal_fen, n)))
    growth, payments = Fraction(1), Fraction(0)
    for rate in rates[grace:]:
        growth, payments = growth * (1 + rate), payments * (1 + rate) + 1
    equal = to_multiple(asked.principal_fen * growth / payments)
    rows = lines(equal)
    for _ in range(3 if product.family is Family.PROGRESSIVE else 0):
        off = sum(rows[-1]) - equal
        other = to_multiple(Fraction(equal + decimal_rounded(Fraction(off, n), mode)))
        if abs(off) <= n // 2 or other == equal or abs(sum(lines(other)[-1]) - other) >= abs(off):
            break
        equal, rows = other, lines(other)
    return rows


@st.composite
def products(draw: st.DrawFn, periods: int) -> LoanProduct:
    method = draw(st.sampled_from(Method))
    count = draw(st.sampled_from([DayCount.THIRTY_360, DayCount.THIRTY_E_360] if method is Method.FLAT else DayCount))
    return LoanProduct(
        method=method,
        family=draw(st.sampled_from([Family.CLASSIC, Family.PROGRESSIVE])) if method is Method.ANNUITY else Family.CLASSIC,
        day_count=count,
        rounding=draw(st.sampled_from(Rounding)),
        principal_grace=draw(st.integers(0, periods - 1)),
        interest_free=draw(st.integers(0, periods)),
        multiple_fen=1 if method is Method.EQUAL_PRINCIPAL else draw(st.sampled_from([1, 10, 100])),
    )


@st.composite
def loans(draw: st.DrawFn) -> tuple[LoanProduct, Credit]:
    periods = draw(st.integers(1, 36))
    day = draw(st.dates(date(2020, 1, 1), date(2032, 12, 31)))
    return draw(products(periods)), credit(draw(st.integers(50_000, 10**9) | st.integers(50_000, 60_000)), draw(RATES), periods, disbursed_on=day)


@settings(deadline=None, max_examples=250)
@given(loans())
def test_schedules_are_as_defined_and_close_exactly(loan: tuple[LoanProduct, Credit]) -> None:
    product, asked = loan
    lines = schedule.build(product, asked)
    assert [(line.principal_fen, line.interest_fen) for line in lines] == defined(product, asked)
    assert sum(line.principal_fen for line in lines) == asked.principal_fen
    assert all(line.principal_fen >= 0 and line.interest_fen >= 0 for line in lines)
    assert [line.due_on for line in lines] == sorted({line.due_on for line in lines})
    if product.method is Method.ANNUITY:
        assert len(set(dues(lines[product.principal_grace : -1]))) <= 1, "all equal but the last"


@settings(deadline=None, max_examples=150)
@given(loans(), st.integers(0, 35), st.decimals(0, "0.9", places=3))
def test_deferred_interest_and_down_payments_change_no_sums(loan: tuple[LoanProduct, Credit], deferred: int, down: Decimal) -> None:
    product, asked = loan
    fields = {name: getattr(product, name) for name in ("method", "family", "day_count", "rounding", "principal_grace", "interest_free")}
    plain = built(asked, **fields, down_payment=down)
    later = built(asked, **fields, down_payment=down, interest_grace=deferred % asked.periods)
    assert sum(line.principal_fen for line in plain) == asked.principal_fen
    assert [line.principal_fen for line in later] == [line.principal_fen for line in plain]
    assert interest(later) == interest(plain)


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
