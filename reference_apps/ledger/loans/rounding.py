"""Rounding of exact fractions to whole units, once, in the mode of the product. Pure integers: no tie is ever lost to a cut-off decimal."""

from enum import StrEnum


class Rounding(StrEnum):
    """What happens to a half: away from zero, or to the even neighbour."""

    HALF_UP = "half_up"
    HALF_EVEN = "half_even"


def rounded(numerator: int, denominator: int, mode: Rounding) -> int:
    """Return numerator / denominator as a whole number; `denominator` is positive."""
    if numerator < 0:
        return -rounded(-numerator, denominator, mode)
    if mode is Rounding.HALF_UP:
        return (2 * numerator + denominator) // (2 * denominator)
    whole, rest = divmod(numerator, denominator)
    return whole + (2 * rest > denominator or (2 * rest == denominator and whole % 2 == 1))


def to_multiple(numerator: int, denominator: int, multiple: int, mode: Rounding) -> int:
    """Return numerator / denominator as the nearest multiple."""
    return multiple * rounded(numerator, denominator * multiple, mode)
