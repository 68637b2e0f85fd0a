"""Scorecards, compiled: one row at a time by bisection, many rows by arrays. Both read the same points and add them in the same order."""

import math
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reference_apps.risk.model import BinPoints, Fact, Facts
from reference_apps.risk.packages.model import Bin, Characteristic, Scaling, Scorecard, Type

Doubles = NDArray[np.float64]
Places = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Compiled:
    """One characteristic: all bins in one row (bins, then specials, then missing), and how a value finds its place there."""

    of: Characteristic
    is_text: bool
    counted: tuple[BinPoints, ...]
    begins: tuple[float, ...]
    words: Mapping[str, int]
    special: Mapping[Fact, int]
    points: Doubles
    lost: Doubles

    def place(self, fact: Fact) -> int:
        """Return which bin a value belongs to."""
        if fact is None:
            return len(self.counted) - 1
        if self.special and (found := self.special.get(fact)) is not None:
            return found
        if self.is_text:
            return self.words.get(str(fact), len(self.counted) - 1)
        return max(0, bisect_right(self.begins, float(fact)) - 1)

    def places(self, column: NDArray[Any], codes: Mapping[str, int]) -> Places:
        """Return which bins a column's values belong to. Text comes as codes, numbers with NaN for missing."""
        missing = len(self.counted) - 1
        if self.is_text:
            by_code = np.full(len(codes) + 2, missing, dtype=np.int64)
            for word, place in (*self.words.items(), *((word, place) for word, place in self.special.items() if isinstance(word, str))):
                by_code[codes[word] + 2] = place
            found: Places = by_code[column + 2]
            return found
        found = np.maximum(0, np.searchsorted(self.begins, column, side="right") - 1)
        for value, place in self.special.items():
            if isinstance(value, int | float):
                found[column == value] = place
        found[np.isnan(column)] = missing
        return found


@dataclass(frozen=True, slots=True)
class Card:
    """A compiled scorecard; `by_name` are the places of its characteristics in the order of their ids, in which equal losses are named."""

    of: Scorecard
    characteristics: tuple[Compiled, ...]
    by_name: tuple[int, ...]

    def count(self, facts: Facts) -> tuple[BinPoints, ...] | None:
        """Return what each characteristic counts for; None when a required fact is missing."""
        if any(each.of.required and facts[each.of.variable] is None for each in self.characteristics):
            return None
        return tuple(each.counted[each.place(facts[each.of.variable])] for each in self.characteristics)

    def score(self, counted: Sequence[BinPoints]) -> float:
        """Add base and points, in the order written."""
        total = self.of.base
        for each in counted:
            total += each.points
        return self.shown(total)

    def shown(self, total: float) -> float:
        return int(total) if self.of.is_integer else total

    def probability(self, score: float) -> float | None:
        """Return the p(bad) that a score means; None: this scorecard has no scale."""
        return None if self.of.scaling is None else sigmoid(log_odds(self.of.scaling, score))


def compiled(card: Scorecard, types: Mapping[str, Type]) -> Card:
    """Compile a checked scorecard; `types` are those of the variables."""
    characteristics = tuple(_compiled(card, each, types[each.variable] is Type.TEXT) for each in card.characteristics)
    by_name = tuple(sorted(range(len(characteristics)), key=lambda at: characteristics[at].of.id))
    return Card(card, characteristics, by_name)


def log_odds(scaling: Scaling, score: float) -> float:
    """Return ln odds of bad of a score: z = (O - score) / F."""
    factor = scaling.pdo / math.log(2)
    return (scaling.base_score - factor * math.log(scaling.base_odds) - score) / factor


def sigmoid(margin: float) -> float:
    """Return 1 / (1 + exp(-margin)), without overflow at either end."""
    if margin >= 0:
        return 1.0 / (1.0 + math.exp(-margin))
    odds = math.exp(margin)
    return odds / (1.0 + odds)


def _compiled(card: Scorecard, each: Characteristic, is_text: bool) -> Compiled:
    bins: tuple[Bin, ...] = (*each.bins, *(special for _, special in each.special), each.missing)
    best = max(one.points for one in each.bins)
    points = [int(one.points) if card.is_integer else one.points for one in bins]
    lost = [max(type(one)(0), (int(best) if card.is_integer else best) - one) for one in points]
    return Compiled(
        of=each,
        is_text=is_text,
        counted=tuple(BinPoints(each.id, one.label, points[at], lost[at]) for at, one in enumerate(bins)),
        begins=tuple(-math.inf if one.begin is None else one.begin for one in each.bins),
        words={word: at for at, one in enumerate(each.bins) for word in one.values},
        special={value: len(each.bins) + at for at, (value, _) in enumerate(each.special)},
        points=np.array(points, dtype=float),
        lost=np.array(lost, dtype=float),
    )
