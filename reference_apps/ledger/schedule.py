"""Repayment schedules: equal instalments (等额本息), exact to the fen. Pure Decimal arithmetic, HALF_UP, rounded once per figure."""

import calendar
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_UP, Decimal, localcontext

MONTHS_A_YEAR = 12
PRECISION = 34


@dataclass(frozen=True, slots=True, kw_only=True)
class Instalment:
    """One line of a schedule, as agreed: it is never changed afterwards."""

    number: int
    due_on: date
    principal_fen: int
    interest_fen: int

    @property
    def amount_fen(self) -> int:
        return self.principal_fen + self.interest_fen


def annuity(principal_fen: int, annual_rate: Decimal, periods: int, disbursed_on: date) -> tuple[Instalment, ...]:
    """Split a loan into `periods` monthly instalments (30/360: a twelfth of the annual rate a month); the last one takes the remaining principal.

    Raises ValueError when the principal is too small to be split into so many whole-fen parts.
    """
    with localcontext(prec=PRECISION):
        monthly = annual_rate / MONTHS_A_YEAR
        equal = equal_amount(principal_fen, monthly, periods)
        left, lines = principal_fen, []
        for number in range(1, periods + 1):
            interest = _fen(left * monthly)
            part = left if number == periods else equal - interest
            left -= part
            if part < 0 or left < 0:
                raise ValueError(f"{principal_fen} fen cannot be repaid in {periods} equal instalments")
            lines.append(Instalment(number=number, due_on=months_after(disbursed_on, number), principal_fen=part, interest_fen=interest))
    return tuple(lines)


def equal_amount(principal_fen: int, monthly: Decimal, periods: int) -> int:
    """Return the equal instalment, rounded once to the fen."""
    if monthly == 0:
        return _fen(Decimal(principal_fen) / periods)
    growth = (1 + monthly) ** periods
    return _fen(principal_fen * monthly * growth / (growth - 1))


def months_after(day: date, months: int) -> date:
    """Return the same day `months` later; a shorter month clamps it to its end, and that is not carried on."""
    year, month = divmod(day.year * MONTHS_A_YEAR + day.month - 1 + months, MONTHS_A_YEAR)
    return date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))


def _fen(amount: Decimal) -> int:
    return int(amount.quantize(Decimal(1), rounding=ROUND_HALF_UP))
