"""What a loan really costs a year: the internal rate of return of the cash flows as the customer sees them. Pure Decimal.

Flows that never change their sign have no rate, flows that change it more than once may have several: both are refused, no number is made up.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, localcontext
from itertools import pairwise

from reference_apps.ledger.loans.schedule import Instalment

PRECISION = 40
CLOSE = Decimal("1e-30")
MOST_STEPS = 400
DAYS_A_YEAR = 365


class NoRate(ValueError):
    """These cash flows have no rate, or no single one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """Annual rates as fractions: twelve times the monthly one, the same compounded, and the dated one (XIRR, actual/365)."""

    irr12: Decimal
    effective: Decimal
    xirr: Decimal


def cost(received_fen: int, lines: Sequence[Instalment], disbursed_on: date) -> Cost:
    """Return the cost of a loan to a customer who got `received_fen` and pays the lines; a line's number is its period. Raises NoRate."""
    by_period: dict[int, int] = {0: received_fen}
    for line in lines:
        by_period[line.number] = by_period.get(line.number, 0) - line.amount_fen
    monthly = irr([by_period.get(period, 0) for period in range(max(by_period) + 1)])
    dated = xirr([(disbursed_on, received_fen), *((line.due_on, -line.amount_fen) for line in lines)])
    with localcontext(prec=PRECISION):
        return Cost(irr12=monthly * 12, effective=(1 + monthly) ** 12 - 1, xirr=dated)


def irr(flows: Sequence[int]) -> Decimal:
    """Return the rate per period at which the flows are worth nothing together; the first is now. Raises NoRate."""
    with localcontext(prec=PRECISION):
        return 1 / _discount(list(enumerate(flows))) - 1


def xirr(flows: Iterable[tuple[date, int]]) -> Decimal:
    """Return the annual rate of dated flows, actual/365, discounted to the earliest of them. Raises NoRate."""
    sums: dict[date, int] = {}
    for day, amount in flows:
        sums[day] = sums.get(day, 0) + amount
    first = min(sums, default=date.min)
    with localcontext(prec=PRECISION):
        return _discount([((day - first).days, sums[day]) for day in sorted(sums)]) ** -DAYS_A_YEAR - 1


def _discount(flows: Sequence[tuple[int, int]]) -> Decimal:
    """Return the positive root v of sum(amount * v^time): what a fen one step later is worth now.

    With one change of sign there is exactly one (Descartes). Newton's steps while they stay inside the bracket and halve each time, else bisection.
    """
    timed = _one_change_of_sign(flows)
    low, high, at = Decimal(0), None, _near(timed)
    moved = 2 * at
    for _ in range(MOST_STEPS):
        powers = [(time, amount * at**time) for time, amount in timed]
        worth, slope = sum(power for _, power in powers), sum(time * power for time, power in powers) / at
        if worth == 0:
            return at
        if (worth > 0) == (timed[0][1] > 0):
            low = at
        else:
            high = at
        step = at - worth / slope if slope else low
        if abs(step - at) <= CLOSE * at:
            return step
        highest = high or 2 * at
        if not low < step < highest or 2 * abs(step - at) > moved:
            step = (low + highest) / 2 if high else highest
        at, moved = step, abs(step - at)
    raise NoRate(f"the rate of {len(timed)} cash flows was not found in {MOST_STEPS} steps")


def _near(timed: Sequence[tuple[int, int]]) -> Decimal:
    """Return a first guess: what comes first against what comes later, over the time between their centres."""
    turn = next(place for place, (_, amount) in enumerate(timed) if (amount > 0) != (timed[0][1] > 0))
    (first, before), (later, after) = _centre(timed[:turn]), _centre(timed[turn:])
    return ((-before / after).ln() / (later - first)).exp()


def _centre(timed: Sequence[tuple[int, int]]) -> tuple[Decimal, Decimal]:
    """Return the mean time, weighted, and the sum."""
    total = Decimal(sum(amount for _, amount in timed))
    return sum(time * amount for time, amount in timed) / total, total


def _one_change_of_sign(flows: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return the flows that are not zero, the first at time 0."""
    timed = [(time, amount) for time, amount in flows if amount]
    changes = sum((before > 0) != (after > 0) for (_, before), (_, after) in pairwise(timed))
    if changes == 0:
        raise NoRate("the cash flows never change their sign: nothing is lent, or nothing is paid back")
    if changes > 1:
        raise NoRate(f"the cash flows change their sign {changes} times: they may have several rates")
    return [(time - timed[0][0], amount) for time, amount in timed]
