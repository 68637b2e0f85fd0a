"""Repayment schedules, exact to the fen: annuity (等额本息), equal principal (等额本金) and flat. Pure integers, each figure rounded once.

The last instalment takes all remaining principal.
"""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import lru_cache
from typing import NamedTuple

from reference_apps.ledger.loans import duedate, periodrate
from reference_apps.ledger.loans.daycount import MONTHS_OF_THIRTY, year_fraction
from reference_apps.ledger.loans.duedate import ALWAYS_OPEN, Shift
from reference_apps.ledger.loans.periodrate import REMEMBERED, PeriodRates
from reference_apps.ledger.loans.product import Family, LoanProduct, Method
from reference_apps.ledger.loans.rounding import Rounding, rounded, to_multiple

MOST_ATTEMPTS = 3


class Instalment(NamedTuple):
    """One line of a schedule, as agreed: it is never changed afterwards. Number 0 is the down payment. A tuple: books hold tens of millions of them."""

    number: int
    due_on: date
    principal_fen: int
    interest_fen: int

    @property
    def amount_fen(self) -> int:
        return self.principal_fen + self.interest_fen


@dataclass(frozen=True, slots=True, kw_only=True)
class Credit:
    """How much is lent, at what rate, for how long, from when. `first_due_on` None: a month after the disbursement."""

    principal_fen: int
    annual_rate: Decimal
    periods: int
    disbursed_on: date
    first_due_on: date | None = None


@dataclass(frozen=True, slots=True)
class Calendar:
    """The days of a schedule: `interest` begins with the disbursement, `due` has one day a period; `uneven`: the first period is not a month."""

    due: tuple[date, ...]
    interest: tuple[date, ...]
    uneven: bool


def build(product: LoanProduct, credit: Credit, closed: frozenset[date] = ALWAYS_OPEN) -> tuple[Instalment, ...]:
    """Return the instalments, after the down payment if there is one; `closed` are the non-working days.

    Raises ValueError naming the field when there can be no such schedule.
    """
    product.check_periods(credit.periods)
    if credit.principal_fen < 1 or credit.annual_rate < 0:
        raise ValueError(f"principal_fen: {credit.principal_fen} fen at {credit.annual_rate} a year is no loan")
    days = _calendar(credit.disbursed_on, credit.first_due_on, credit.periods, _Moves(product.shift, product.shifted_interest, closed))
    paid_down = _down_payment(product, credit.principal_fen)
    principals, interests = amounts(product, credit.principal_fen - paid_down, credit.annual_rate, days)
    lines = tuple(map(Instalment, range(1, credit.periods + 1), days.due, principals, interests))
    return (Instalment(0, credit.disbursed_on, paid_down, 0), *lines) if paid_down else lines


def amounts(product: LoanProduct, principal_fen: int, annual_rate: Decimal, days: Calendar) -> tuple[list[int], list[int]]:
    """Return principal and interest of each period."""
    rates = _rates(product, annual_rate, days)
    principals, interests = spread(product, principal_fen, rates, _instalment_rates(product, annual_rate, rates))
    if grace := product.interest_grace:
        interests = [0] * grace + [sum(interests[: grace + 1])] + interests[grace + 1 :]
    return principals, interests


def spread(product: LoanProduct, principal_fen: int, rates: PeriodRates, instalment_rates: PeriodRates) -> tuple[list[int], list[int]]:
    """Return principal and interest of periods with these rates, by the product's method; `instalment_rates` give an annuity its equal instalment.

    Raises ValueError when a period would have to pay less than no principal.
    """
    match product.method:
        case Method.ANNUITY:
            principals, interests = _annuity(product, principal_fen, rates, instalment_rates)
        case Method.EQUAL_PRINCIPAL:
            principals = _equal_principals(product, principal_fen, len(rates.numerators))
            interests = interest_on(principal_fen, principals, rates, product.rounding)
        case Method.FLAT:
            principals = _equal_principals(product, principal_fen, len(rates.numerators))
            interests = [rounded(principal_fen * numerator, rates.denominator, product.rounding) for numerator in rates.numerators]
    if min(principals) < 0:
        raise ValueError(f"principal_fen: {principal_fen} fen cannot be repaid in {len(principals)} {_named(product)}")
    return principals, interests


def _annuity(product: LoanProduct, principal_fen: int, rates: PeriodRates, instalment_rates: PeriodRates) -> tuple[list[int], list[int]]:
    """Amortise by one equal instalment; the progressive family evens out the last one while that helps."""
    growth, payments = periodrate.annuity_factor(instalment_rates, product.principal_grace)
    equal = to_multiple(principal_fen * growth, payments, product.multiple_fen, product.rounding)
    principals, interests = _amortise(principal_fen, equal, rates, product)
    if product.family is not Family.PROGRESSIVE:
        return principals, interests
    count = len(principals) - product.principal_grace
    for _ in range(MOST_ATTEMPTS):
        off = principals[-1] + interests[-1] - equal
        tried = to_multiple(equal + rounded(off, count, product.rounding), 1, product.multiple_fen, product.rounding)
        if abs(off) <= count // 2 or tried == equal:
            break
        evened = _amortise(principal_fen, tried, rates, product)
        if abs(evened[0][-1] + evened[1][-1] - tried) >= abs(off):
            break
        equal, (principals, interests) = tried, evened
    return principals, interests


def _amortise(principal_fen: int, equal: int, rates: PeriodRates, product: LoanProduct) -> tuple[list[int], list[int]]:
    """Pay `equal` in every period after the grace: interest on the balance first, the rest is principal."""
    left, mode, whole, grace = principal_fen, product.rounding, rates.denominator, product.principal_grace
    principals = [0] * grace
    interests = [rounded(left * numerator, whole, mode) for numerator in rates.numerators[:grace]]
    for numerator in rates.numerators[grace:]:
        interest = rounded(left * numerator, whole, mode)
        interests.append(interest)
        principals.append(equal - interest)
        left -= equal - interest
    principals[-1] += left
    return principals, interests


def _equal_principals(product: LoanProduct, principal_fen: int, periods: int) -> list[int]:
    count = periods - product.principal_grace
    part = to_multiple(principal_fen, count, product.multiple_fen, product.rounding)
    return [0] * product.principal_grace + [part] * (count - 1) + [principal_fen - part * (count - 1)]


def interest_on(principal_fen: int, principals: list[int], rates: PeriodRates, mode: Rounding) -> list[int]:
    """Return the interest of each period on what is left of the principal at its beginning."""
    left, interests = principal_fen, []
    for principal, numerator in zip(principals, rates.numerators, strict=True):
        interests.append(rounded(left * numerator, rates.denominator, mode))
        left -= principal
    return interests


def _rates(product: LoanProduct, annual_rate: Decimal, days: Calendar) -> PeriodRates:
    if product.day_count in MONTHS_OF_THIRTY:
        by_days = days.uneven and product.method is not Method.FLAT
        first = year_fraction(product.day_count, *days.interest[:2]) if by_days else None
        return periodrate.twelfths(annual_rate, len(days.due), product.interest_free, first)
    return periodrate.by_days(annual_rate, product.day_count, days.interest, product.interest_free)


def _instalment_rates(product: LoanProduct, annual_rate: Decimal, rates: PeriodRates) -> PeriodRates:
    """Return the rates that give the equal instalment: the periods' own, but twelfths in the daily variant."""
    if product.family is Family.CLASSIC_DAILY:
        return periodrate.twelfths(annual_rate, len(rates.numerators), product.interest_free)
    return rates


def _down_payment(product: LoanProduct, principal_fen: int) -> int:
    if not product.down_payment:
        return 0
    numerator, denominator = product.down_payment.as_integer_ratio()
    paid = rounded(principal_fen * numerator, denominator, product.rounding)
    if paid == principal_fen:
        raise ValueError(f"down_payment: {product.down_payment} of {principal_fen} fen leaves nothing to lend")
    return paid


@dataclass(frozen=True, slots=True)
class _Moves:
    shift: Shift
    shifted_interest: bool
    closed: frozenset[date]


@lru_cache(REMEMBERED)
def _calendar(disbursed_on: date, first_due_on: date | None, periods: int, moves: _Moves) -> Calendar:
    agreed = duedate.monthly(disbursed_on, periods, first_due_on)
    due = tuple(duedate.shifted(day, moves.shift, moves.closed) for day in agreed)
    return Calendar(due, (disbursed_on, *(due if moves.shifted_interest else agreed)), agreed[0] != duedate.months_after(disbursed_on, 1))


def _named(product: LoanProduct) -> str:
    to = f" to multiples of {product.multiple_fen} fen" if product.multiple_fen > 1 else ""
    return {Method.ANNUITY: "equal instalments", Method.EQUAL_PRINCIPAL: "equal parts", Method.FLAT: "flat instalments"}[product.method] + to
