"""Weight of evidence and information value of bins. Pure; WoE is ln(share of goods / share of bads), so that more is better."""

from collections.abc import Sequence
from enum import StrEnum
from math import fsum, log

LIFT = 0.5


class Strength(StrEnum):
    """What an information value says of a variable."""

    NONE = "none"
    WEAK = "weak"
    MEDIUM = "medium"
    STRONG = "strong"
    SUSPECT = "suspect"


def woes(goods: Sequence[int], bads: Sequence[int]) -> tuple[float, ...]:
    """Return each bin's weight of evidence; a bin without goods or bads gets half a customer more in both cells, an empty one says nothing (0).

    Raises ValueError when there are no goods or no bads at all.
    """
    return tuple(log(good / bad) if good and bad else 0.0 for good, bad in _shares(goods, bads))


def information_value(goods: Sequence[int], bads: Sequence[int]) -> float:
    """Return IV over all bins: the sum of (share of goods - share of bads) * WoE, never below 0. Raises ValueError as `woes` does."""
    return fsum(parts(goods, bads))


def parts(goods: Sequence[int], bads: Sequence[int]) -> tuple[float, ...]:
    """Return what each bin adds to the information value."""
    return tuple((good - bad) * log(good / bad) if good and bad else 0.0 for good, bad in _shares(goods, bads))


def strength(value: float) -> Strength:
    """Name an information value: below .02 none, .1 weak, .3 medium, up to .5 strong, above it is too good to be true."""
    if value > 0.5:
        return Strength.SUSPECT
    bounds = ((0.02, Strength.NONE), (0.1, Strength.WEAK), (0.3, Strength.MEDIUM))
    return next((name for bound, name in bounds if value < bound), Strength.STRONG)


def _shares(goods: Sequence[int], bads: Sequence[int]) -> list[tuple[float, float]]:
    all_goods, all_bads = sum(goods), sum(bads)
    if all_goods <= 0 or all_bads <= 0:
        raise ValueError(f"weight of evidence needs goods and bads, not {all_goods} goods and {all_bads} bads")
    return [(good / all_goods, bad / all_bads) for good, bad in (_filled(*pair) for pair in zip(goods, bads, strict=True))]


def _filled(good: float, bad: float) -> tuple[float, float]:
    one_is_empty = bool(good) != bool(bad)
    return (good + LIFT, bad + LIFT) if one_is_empty else (good, bad)
