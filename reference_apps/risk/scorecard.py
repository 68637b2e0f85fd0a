"""The scorecard: integer points per bin, their sum is the score. Pure; missing is a bin of its own, and a missing required fact gives no score."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from reference_apps.risk.model import BinPoints, Fact, Facts


@dataclass(frozen=True, slots=True, kw_only=True)
class Bin:
    """A group of values: those from `begin` on (numbers), or exactly `value` (words)."""

    points: int
    begin: int | None = None
    value: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Characteristic:
    """One characteristic with its bins in rising order; `monotone`: a later bin never counts less."""

    id: str
    fact: str
    required: bool
    monotone: bool
    missing: int
    bins: tuple[Bin, ...]

    @property
    def best(self) -> int:
        return max(each.points for each in self.bins)


@dataclass(frozen=True, slots=True)
class Scorecard:
    """Base points and characteristics."""

    base: int
    characteristics: tuple[Characteristic, ...]


def points(card: Scorecard, facts: Facts) -> tuple[BinPoints, ...] | None:
    """Return what each characteristic counts for; None when a required fact is missing."""
    if any(each.required and facts.get(each.fact) is None for each in card.characteristics):
        return None
    return tuple(_points(each, facts.get(each.fact)) for each in card.characteristics)


def score(card: Scorecard, counted: Sequence[BinPoints]) -> int:
    """Return the sum of base and points: exactly the score, nothing is rounded on the way."""
    return card.base + sum(each.points for each in counted)


def _points(characteristic: Characteristic, fact: Fact) -> BinPoints:
    label, counted = ("missing", characteristic.missing) if fact is None else _bin(characteristic, fact)
    return BinPoints(characteristic.id, label, counted, max(0, characteristic.best - counted))


def _bin(characteristic: Characteristic, fact: float | str) -> tuple[str, int]:
    """Find the fact's group; what fits no group counts as the lowest one."""
    if isinstance(fact, str):
        named = next((each for each in characteristic.bins if each.value == fact), characteristic.bins[0])
        return str(named.value), named.points
    begins = [each.begin or 0 for each in characteristic.bins]
    place = max(0, bisect_right(begins, fact) - 1)
    upper = f" to below {begins[place + 1]}" if place + 1 < len(begins) else " and above"
    return f"{begins[place]}{upper}", characteristic.bins[place].points
