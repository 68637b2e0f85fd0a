"""From a score to an offer: one row of the price table gives limit, rate and flow; the tenant's cap has the last word. Pure Decimal.

An offer has no fees and runs as a 30/360 annuity, so its irr*12 is its annual rate: that identity is what the cap is compared with.
"""

import itertools
from collections.abc import Sequence
from decimal import ROUND_HALF_UP, Decimal, localcontext

from reference_apps.risk.model import Cap, CapAction, Offer, PriceRow

MONTHS_A_YEAR = 12
SHOWN = Decimal("0.0001")


def row_for(table: Sequence[PriceRow], score: int) -> PriceRow | None:
    """Return the best row that the score reaches; `table` is best first. None: no price is offered for such a score."""
    return next((row for row in table if score >= row.min_score), None)


def offer(row: PriceRow) -> Offer:
    return Offer(grade=row.grade, limit_fen=row.limit_fen, annual_rate=row.annual_rate, flow=row.flow)


def capped(priced: Offer, cap: Cap | None) -> tuple[Offer | None, str]:
    """Apply the tenant's cap: return the offer that may be made (None: none) and the reason's code (empty: nothing to say)."""
    if cap is None or irr12(priced) <= cap.irr12:
        return priced, ""
    match cap.action:
        case CapAction.REFUSE:
            return None, "above_cap"
        case CapAction.CLAMP:
            lowered = Offer(grade=priced.grade, limit_fen=priced.limit_fen, annual_rate=cap.irr12, flow=priced.flow)
            return lowered, "rate_clamped"
        case CapAction.WARN:
            return priced, "cap_warning"


def irr12(priced: Offer) -> Decimal:
    """Return twelve times the monthly internal rate of return of a fee-free annuity: its nominal annual rate."""
    return priced.annual_rate


def effective(priced: Offer) -> Decimal:
    """Return the effective annual rate, rounded to a hundredth of a percent."""
    with localcontext(prec=34):
        return ((1 + irr12(priced) / MONTHS_A_YEAR) ** MONTHS_A_YEAR - 1).quantize(SHOWN, rounding=ROUND_HALF_UP)


def faults(table: Sequence[PriceRow]) -> list[str]:
    """Say where a better score would get less: a lower limit, a higher rate or a longer flow. Empty: the table is monotone."""
    ease = {"fast": 2, "normal": 1, "extended": 0}
    found = []
    for better, worse in itertools.pairwise(table):
        pair = f"rows {better.grade} and {worse.grade}"
        if better.min_score <= worse.min_score:
            found.append(f"{pair}: min_score does not fall from row to row")
        if better.limit_fen < worse.limit_fen:
            found.append(f"{pair}: the better score gets the lower limit")
        if better.annual_rate > worse.annual_rate:
            found.append(f"{pair}: the better score gets the higher rate")
        if ease[better.flow] < ease[worse.flow]:
            found.append(f"{pair}: the better score gets the longer flow")
    return found
