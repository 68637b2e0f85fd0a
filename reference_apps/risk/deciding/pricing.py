"""From a score to an offer: one row of the price table gives limit, rate, fee and flow; the tenant's cap has the last word. Pure Decimal.

An offer runs as an annuity by twelfths of the annual rate. Without a fee its irr*12 is its annual rate: that identity is what the cap is compared with.
With one, the customer gets less than he repays for, and the rate that he really pays is solved for.
"""

from collections.abc import Sequence
from dataclasses import replace
from decimal import ROUND_DOWN, ROUND_HALF_UP, Decimal, localcontext
from functools import lru_cache

from reference_apps.risk.model import Cap, CapAction, Offer
from reference_apps.risk.packages.model import PriceRow

MONTHS_A_YEAR = 12
SHOWN, SOLVED, STEP = Decimal("0.0001"), Decimal("1e-12"), Decimal("0.0001")
PRECISION = 34


def place_for(table: Sequence[PriceRow], score: float) -> int | None:
    """Return the place of the best row that the score reaches; `table` is best first. None: no price is offered for such a score."""
    return next((at for at, row in enumerate(table) if score >= row.min_score), None)


def offer(row: PriceRow, periods: int) -> Offer:
    """Return what a row offers somebody who repays in so many months."""
    return _priced(row.grade, row.limit_fen, row.annual_rate, row.fee_rate, row, periods)


def _priced(grade: str, limit_fen: int, annual_rate: Decimal, fee_rate: Decimal, row: PriceRow, periods: int) -> Offer:
    rate = irr12(annual_rate, fee_rate, periods)
    given = {"annual_rate": annual_rate, "fee_rate": fee_rate, "irr12": rate, "effective": effective(rate)}
    return Offer(grade=grade, limit_fen=limit_fen, flow=row.flow, **given)


def capped(priced: Offer, cap: Cap | None, periods: int) -> tuple[Offer | None, str]:
    """Apply the tenant's cap: return the offer that may be made (None: none) and the reason's code (empty: nothing to say)."""
    if cap is None or priced.irr12 <= cap.irr12:
        return priced, ""
    match cap.action:
        case CapAction.REFUSE:
            return None, "above_cap"
        case CapAction.CLAMP:
            return _clamped(priced, cap, periods)
        case CapAction.WARN:
            return priced, "cap_warning"


def _clamped(priced: Offer, cap: Cap, periods: int) -> tuple[Offer | None, str]:
    """Lower the rate until the whole costs no more than the cap; where the fee alone is too much, nothing can be offered."""
    rate = cap.irr12 if priced.fee_rate == 0 else highest_rate(cap.irr12, priced.fee_rate, periods)
    if rate is None:
        return None, "above_cap"
    cost = irr12(rate, priced.fee_rate, periods)
    return replace(priced, annual_rate=rate, irr12=cost, effective=effective(cost)), "rate_clamped"


@lru_cache(maxsize=4096)
def irr12(annual_rate: Decimal, fee_rate: Decimal, periods: int) -> Decimal:
    """Return twelve times the monthly internal rate of return of the customer's cash flows; without a fee it is the annual rate itself."""
    if fee_rate == 0:
        return annual_rate
    with localcontext(prec=PRECISION):
        paid = instalment(annual_rate / MONTHS_A_YEAR, periods)
        low, high = annual_rate / MONTHS_A_YEAR, Decimal(10)
        while high - low > SOLVED:
            middle = (low + high) / 2
            low, high = (middle, high) if present_value(paid, middle, periods) > 1 - fee_rate else (low, middle)
        return (high * MONTHS_A_YEAR).quantize(Decimal("1e-10"))


@lru_cache(maxsize=1024)
def highest_rate(cap: Decimal, fee_rate: Decimal, periods: int) -> Decimal | None:
    """Return the highest rate, in hundredths of a percent, whose cost with the fee is not above the cap; None: not even 0 is."""
    if irr12(Decimal(0), fee_rate, periods) > cap:
        return None
    low, high = 0, int((cap / STEP).to_integral_value(rounding=ROUND_DOWN)) + 1
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if irr12(middle * STEP, fee_rate, periods) <= cap else (low, middle)
    return low * STEP


def instalment(rate: Decimal, periods: int) -> Decimal:
    """Return what is paid each month for a loan of 1."""
    return 1 / Decimal(periods) if rate == 0 else rate / (1 - (1 + rate) ** -periods)


def present_value(paid: Decimal, rate: Decimal, periods: int) -> Decimal:
    """Return what so many payments are worth today."""
    return paid * periods if rate == 0 else paid * (1 - (1 + rate) ** -periods) / rate


@lru_cache(maxsize=4096)
def effective(rate: Decimal) -> Decimal:
    """Return the effective annual rate of an irr*12, rounded to a hundredth of a percent."""
    with localcontext(prec=PRECISION):
        return ((1 + rate / MONTHS_A_YEAR) ** MONTHS_A_YEAR - 1).quantize(SHOWN, rounding=ROUND_HALF_UP)
