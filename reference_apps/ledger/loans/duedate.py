"""Due dates: one a month on the anchor day, clamped to a shorter month's end, moved off days nobody works. Pure; the calendar is an argument."""

import calendar
from datetime import date, timedelta
from enum import StrEnum

MONTHS_A_YEAR = 12
LONGEST_SHIFT_DAYS = 31
ALWAYS_OPEN: frozenset[date] = frozenset()


class Shift(StrEnum):
    """Where a due date goes that falls on a non-working day."""

    NONE = "none"
    NEXT = "next"
    PREVIOUS = "previous"


def monthly(disbursed_on: date, periods: int, first_due_on: date | None = None) -> tuple[date, ...]:
    """Return the due dates. The anchor is the day of `first_due_on`; None: the day of disbursement, the first due date being a month later."""
    if first_due_on is None:
        return tuple(months_after(disbursed_on, number) for number in range(1, periods + 1))
    if first_due_on <= disbursed_on:
        raise ValueError(f"first_due_on: {first_due_on} is not after the disbursement on {disbursed_on}")
    return tuple(months_after(first_due_on, number) for number in range(periods))


def months_after(day: date, months: int) -> date:
    """Return the same day `months` later; a shorter month clamps it to its end, and that is not carried on."""
    year, month = divmod(day.year * MONTHS_A_YEAR + day.month - 1 + months, MONTHS_A_YEAR)
    return date(year, month + 1, day.day if day.day <= 28 else min(day.day, calendar.monthrange(year, month + 1)[1]))


def shifted(day: date, shift: Shift, closed: frozenset[date]) -> date:
    """Return the day, or the nearest working one in the direction of the shift; `closed` are the non-working days.

    Raises ValueError when no working day lies within a month: the calendar is wrong.
    """
    if shift is Shift.NONE or day not in closed:
        return day
    step = 1 if shift is Shift.NEXT else -1
    for days in range(1, LONGEST_SHIFT_DAYS + 1):
        moved = day + timedelta(days=step * days)
        if moved not in closed:
            return moved
    raise ValueError(f"the calendar has no working day within {LONGEST_SHIFT_DAYS} days of {day}")
