"""Splitting an amount by fractions so that the parts sum to it and none is a whole unit off its exact share. Pure integers."""

from collections.abc import Sequence
from fractions import Fraction


def split(amount: int, weights: Sequence[int | Fraction]) -> tuple[int, ...]:
    """Split an amount in proportion to positive weights: every share is floored, then one unit each goes to the first shares in written order.

    A share that comes out whole gets no unit: it would be one off. Raises ValueError for a negative amount or a weight that is not positive.
    """
    if amount < 0:
        raise ValueError(f"amount: {amount} is negative")
    if not weights or min(weights) <= 0:
        raise ValueError(f"weights: each must be positive, and there must be one at least: {', '.join(map(str, weights)) or 'none'}")
    total = sum(weights)
    exact = [Fraction(amount) * weight / total for weight in weights]
    shares = [share.numerator // share.denominator for share in exact]
    left = amount - sum(shares)
    for place, share in enumerate(exact):
        if left and share.denominator != 1:
            shares[place] += 1
            left -= 1
    return tuple(shares)
