"""Instalments made anew in the middle of a loan: the same number or the same amounts after a prepayment, new ones after a re-ageing. Pure.

The interest that has run stays with its instalment; the new one is counted from the day of the cut, on due dates as they are.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise

from reference_apps.ledger.loans import periodrate, schedule
from reference_apps.ledger.loans.daycount import MONTHS_OF_THIRTY, DayCount, year_fraction
from reference_apps.ledger.loans.periodrate import PeriodRates
from reference_apps.ledger.loans.product import LoanProduct, Method, Prepayment
from reference_apps.ledger.loans.rounding import rounded
from reference_apps.ledger.loans.running import Running, principal_left
from reference_apps.ledger.loans.splitting import split


def recut(lines: Sequence[Running], day: int, product: LoanProduct, annual_rate: Decimal, before: int) -> None:
    """Make the instalments to come anew after a prepayment on a day; `before` is the principal that they had left until then."""
    rates, left = _rates(lines, day, product, annual_rate), principal_left(lines)
    if product.prepayment is Prepayment.SHORTEN:
        principals, interests = _same_amounts(lines, day, product, rates, before - left)
    else:
        grace = min(len(lines) - 1, sum(line.number <= product.principal_grace for line in lines))
        principals, interests = _same_number(product, left, rates, grace)
    for line, principal, interest in zip(lines, principals, _after_grace(lines, interests, product.interest_grace), strict=True):
        line.carried = line.accrued(day, product.rounding)
        line.begin = max(line.begin, day)
        line.interest = line.carried + line.again + interest
        line.principal = line.paid_principal + principal


def fresh(first: int, dues: Sequence[date], day: int, product: LoanProduct, rate_on: tuple[Decimal, int]) -> list[Running]:
    """Return new instalments from number `first`, for a (rate, principal) from a day on, without any of the product's graces."""
    annual_rate, principal_fen = rate_on
    days = [day, *(due.toordinal() for due in dues)]
    lines = [Running(first + place, begin, due, 0, 0) for place, (begin, due) in enumerate(pairwise(days))]
    lines[0].uneven = True
    principals, interests = _same_number(product, principal_fen, _rates(lines, day, replace(product, interest_free=0), annual_rate), 0)
    for line, principal, interest in zip(lines, principals, interests, strict=True):
        line.principal, line.interest = principal, interest
    return lines


def _rates(lines: Sequence[Running], day: int, product: LoanProduct, annual_rate: Decimal) -> PeriodRates:
    """Return the rate of each period from the day on; under a count of twelfths a period that has begun has its calendar days' share left."""
    annual, begin, rates = Fraction(annual_rate), day, []
    for line in lines:
        if product.day_count in MONTHS_OF_THIRTY:
            part = _whole(line, product.day_count) * _left(line, day)
        else:
            part = year_fraction(product.day_count, date.fromordinal(begin), date.fromordinal(line.due))
        rates.append(Fraction(0) if line.number <= product.interest_free else annual * part)
        begin = line.due
    return periodrate.over_one_denominator(rates, 0)


def _left(line: Running, day: int) -> Fraction:
    """Return which part of a period's days is still to come; a shifted due date may leave a period without any."""
    days = line.due - line.opened
    return Fraction(line.due - max(day, line.opened), days) if days > 0 else Fraction(1)


def _whole(line: Running, count: DayCount) -> Fraction:
    return year_fraction(count, date.fromordinal(line.opened), date.fromordinal(line.due)) if line.uneven else Fraction(1, 12)


def _same_number(product: LoanProduct, principal_fen: int, rates: PeriodRates, grace: int) -> tuple[list[int], list[int]]:
    plain = replace(product, principal_grace=grace, interest_grace=0, interest_free=0, down_payment=Decimal(0))
    try:
        return schedule.spread(plain, principal_fen, rates, rates)
    except ValueError:  # too little is left for the product's instalments: equal parts, to the fen
        principals = list(split(principal_fen, [1] * len(rates.numerators)))
        return principals, schedule.interest_on(principal_fen, principals, rates, product.rounding)


def _same_amounts(lines: Sequence[Running], day: int, product: LoanProduct, rates: PeriodRates, prepaid: int) -> tuple[list[int], list[int]]:
    """Keep what each instalment would still have asked for (an annuity) or its principal, until nothing is left: the loan ends earlier.

    The first one's principal was prepaid already as far as it is.
    """
    left, principals, interests, waiting = principal_left(lines), [], [], 0
    for place, (line, numerator) in enumerate(zip(lines, rates.numerators, strict=True)):
        interest = rounded(left * numerator, rates.denominator, product.rounding)
        waiting += interest
        asked = line.principal - line.paid_principal + (prepaid if place == 0 else 0)
        if product.method is Method.ANNUITY and line.number > product.interest_grace:
            asked += line.interest - line.again - line.accrued(day, product.rounding) - waiting
            waiting = 0
        principal = left if place == len(lines) - 1 else max(0, min(asked, left))
        principals.append(principal)
        interests.append(interest)
        left -= principal
    return principals, interests


def _after_grace(lines: Sequence[Running], interests: Sequence[int], grace: int) -> list[int]:
    """Let the interest of periods in a grace on interest fall due in one sum after it."""
    moved, waiting = [], 0
    for line, interest in zip(lines, interests, strict=True):
        in_grace = line.number <= grace
        waiting += interest
        moved.append(0 if in_grace else waiting)
        waiting = waiting if in_grace else 0
    return moved
