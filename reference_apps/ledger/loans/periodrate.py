"""The rate of each period as exact fractions over one denominator, and the factor of an annuity from them. Pure integers, remembered."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache
from itertools import pairwise
from math import lcm

from reference_apps.ledger.loans.daycount import DayCount, year_fraction

REMEMBERED = 4096
"""Rates and factors kept: a book has few products and days, and many loans of each."""


@dataclass(frozen=True, slots=True)
class PeriodRates:
    """Period k has the rate numerators[k] / denominator."""

    numerators: tuple[int, ...]
    denominator: int


@lru_cache(REMEMBERED)
def twelfths(annual_rate: Decimal, periods: int, free: int, first: Fraction | None = None) -> PeriodRates:
    """Return a twelfth of the annual rate for each period, nothing for the first `free` ones; `first` is an uneven first period, as a fraction of the year."""
    monthly = Fraction(annual_rate) / 12
    if first is None:
        return PeriodRates((0,) * free + (monthly.numerator,) * (periods - free), monthly.denominator)
    return over_one_denominator([Fraction(annual_rate) * first, *[monthly] * (periods - 1)], free)


@lru_cache(REMEMBERED)
def by_days(annual_rate: Decimal, count: DayCount, days: tuple[date, ...], free: int) -> PeriodRates:
    """Return the rate between each two neighbours of `days`, nothing for the first `free` periods."""
    return over_one_denominator([Fraction(annual_rate) * year_fraction(count, begin, end) for begin, end in pairwise(days)], free)


def over_one_denominator(rates: Sequence[Fraction], free: int) -> PeriodRates:
    """Return the rates, nothing for the first `free` ones."""
    whole = lcm(*(rate.denominator for rate in rates))
    numerators = [rate.numerator * (whole // rate.denominator) for rate in rates]
    return PeriodRates((0,) * free + tuple(numerators[free:]), whole)


@lru_cache(REMEMBERED)
def annuity_factor(rates: PeriodRates, skipped: int) -> tuple[int, int]:
    """Return the instalment per fen of principal as numerator and denominator, the first `skipped` periods left out.

    prod(1 + r_k) / f_n with f_1 = 1, f_k = f_(k-1) * (1 + r_k) + 1; here f_k is kept times denominator^(k-1), so that it stays whole.
    """
    one, growth, payments, scale = rates.denominator, 1, 0, 1
    for numerator in rates.numerators[skipped:]:
        payments = payments * (one + numerator) + scale
        growth *= one + numerator
        scale *= one
    return growth, one * payments
