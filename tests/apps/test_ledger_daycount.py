"""Day counts: the table to eight places, the corners of each convention, and what must hold for all days."""

from datetime import date
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reference_apps.ledger.loans import periodrate
from reference_apps.ledger.loans.daycount import DayCount, year_fraction

DAYS = st.dates(date(2000, 1, 1), date(2060, 12, 31))
TABLE = [
    (DayCount.ACT_360, "0.28333333", "0.07777778"),
    (DayCount.ACT_365F, "0.27945205", "0.07671233"),
    (DayCount.THIRTY_360, "0.28055556", "0.07777778"),
    (DayCount.THIRTY_E_360, "0.27777778", "0.07777778"),
    (DayCount.ACT_ACT, "0.27877835", "0.07671233"),
]


@pytest.mark.parametrize("count, across_the_year, february", TABLE)
def test_the_table(count: DayCount, across_the_year: str, february: str) -> None:
    assert f"{float(year_fraction(count, date(2027, 12, 20), date(2028, 3, 31))):.8f}" == across_the_year
    assert f"{float(year_fraction(count, date(2025, 1, 31), date(2025, 2, 28))):.8f}" == february


def test_a_period_over_the_year_end_is_split() -> None:
    rates = periodrate.by_days(Decimal("0.12"), DayCount.ACT_ACT, (date(2027, 12, 10), date(2028, 1, 10)), 0)
    exact = Fraction(rates.numerators[0], rates.denominator)
    assert exact == Fraction(12, 100) * (Fraction(22, 365) + Fraction(9, 366))
    assert f"{float(exact) * 100:.6f}" == "1.018370"


@pytest.mark.parametrize(
    "begin, end, days",
    [
        (date(2025, 1, 30), date(2025, 3, 31), 60),
        (date(2025, 1, 31), date(2025, 3, 31), 60),
        (date(2025, 1, 29), date(2025, 3, 31), 62),
        (date(2025, 2, 28), date(2025, 3, 31), 30),
        (date(2024, 2, 28), date(2024, 3, 31), 33),
        (date(2024, 2, 29), date(2025, 2, 28), 360),
        (date(2025, 2, 28), date(2028, 2, 29), 1080),
        (date(2025, 1, 31), date(2025, 2, 28), 28),
    ],
)
def test_ends_of_months_in_the_united_states(begin: date, end: date, days: int) -> None:
    assert year_fraction(DayCount.THIRTY_360, begin, end) == Fraction(days, 360)


@pytest.mark.parametrize("count", DayCount)
def test_days_do_not_run_backwards(count: DayCount) -> None:
    assert year_fraction(count, date(2025, 5, 5), date(2025, 5, 5)) == 0
    with pytest.raises(ValueError, match="2025-05-04 is before 2025-05-05"):
        year_fraction(count, date(2025, 5, 5), date(2025, 5, 4))


@settings(deadline=None, max_examples=200)
@given(st.lists(DAYS, min_size=3, max_size=3).map(sorted))
def test_actual_days_add_up(days: list[date]) -> None:
    begin, between, end = days
    for count in (DayCount.ACT_360, DayCount.ACT_365F, DayCount.ACT_ACT):
        assert year_fraction(count, begin, between) + year_fraction(count, between, end) == year_fraction(count, begin, end)
    assert abs(year_fraction(DayCount.ACT_ACT, begin, end) - year_fraction(DayCount.ACT_365F, begin, end)) < Fraction(20, 365)


@settings(deadline=None, max_examples=200)
@given(DAYS, st.integers(1, 20))
def test_whole_years_are_whole(day: date, years: int) -> None:
    if day.month != 2:  # the end of February counts as the 30th at the start of a period only
        assert year_fraction(DayCount.THIRTY_360, day, day.replace(year=day.year + years)) == years
    assert year_fraction(DayCount.THIRTY_E_360, day.replace(day=28), date(day.year + years, day.month, 28)) == years
    assert year_fraction(DayCount.ACT_ACT, date(day.year, 1, 1), date(day.year + years, 1, 1)) == years
