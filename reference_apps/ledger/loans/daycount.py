"""Day counts: which fraction of a year lies between two days. Pure; the start day counts, the end day does not."""

import calendar
from datetime import date, timedelta
from enum import StrEnum
from fractions import Fraction

ONE_DAY = timedelta(days=1)


class DayCount(StrEnum):
    """The conventions, by the names contracts use."""

    ACT_360 = "act/360"
    ACT_365F = "act/365f"
    THIRTY_360 = "30/360"
    THIRTY_E_360 = "30e/360"
    ACT_ACT = "act/act"


MONTHS_OF_THIRTY = frozenset({DayCount.THIRTY_360, DayCount.THIRTY_E_360})
"""A period of one month is a twelfth of the year, wherever its days fall."""


def year_fraction(count: DayCount, begin: date, end: date) -> Fraction:
    """Return the exact fraction of a year. Raises ValueError when `end` is before `begin`."""
    if end < begin:
        raise ValueError(f"the day {end} is before {begin}: a day count runs forwards")
    match count:
        case DayCount.ACT_360:
            return Fraction((end - begin).days, 360)
        case DayCount.ACT_365F:
            return Fraction((end - begin).days, 365)
        case DayCount.ACT_ACT:
            return _by_year(begin, end)
        case DayCount.THIRTY_360:
            return _thirty(begin, end, *_american(begin, end))
        case DayCount.THIRTY_E_360:
            return _thirty(begin, end, min(begin.day, 30), min(end.day, 30))


def _by_year(begin: date, end: date) -> Fraction:
    """Return each year's days over that year's length (ISDA)."""
    whole = Fraction(0)
    for year in range(begin.year, end.year + 1):
        first, after = max(begin, date(year, 1, 1)), date(year + 1, 1, 1) if year < end.year else end
        whole += Fraction((after - first).days, 366 if calendar.isleap(year) else 365)
    return whole


def _american(begin: date, end: date) -> tuple[int, int]:
    """Return the days of the month as they count in the United States: the ends of February and the thirty-firsts are thirtieths, each under its rule."""
    first, last = begin.day, end.day
    if _ends_february(begin):
        first, last = 30, 30 if _ends_february(end) else last
    if first >= 30:
        first, last = 30, min(last, 30)
    return first, last


def _ends_february(day: date) -> bool:
    return day.month == 2 and (day + ONE_DAY).month == 3


def _thirty(begin: date, end: date, first: int, last: int) -> Fraction:
    return Fraction(360 * (end.year - begin.year) + 30 * (end.month - begin.month) + last - first, 360)
