"""How far a population has moved from the one that a model learnt from: PSI over bins frozen at the training's deciles. Pure."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import fsum, log
from typing import Any, Self

import numpy as np

from reference_apps.risk.measures.vectors import Numbers, Vector, vector

FLOOR = 1e-6
STABLE_BELOW, WATCH_BELOW = 0.10, 0.25
LEAST_N = 1000
DECILES = tuple(tenth / 10 for tenth in range(1, 10))
MOST_WORDS = 20


class Verdict(StrEnum):
    """What follows from a drift. ACT: the package may not be promoted. TOO_FEW: the window says nothing yet. NOT_KNOWN: no training to compare with."""

    STABLE = "stable"
    WATCH = "watch"
    ACT = "act"
    TOO_FEW = "too few"
    NOT_KNOWN = "not known"


@dataclass(frozen=True, slots=True, kw_only=True)
class Frozen:
    """How a quantity lay in training. Numbers: bins between rising `edges`, a bin holds its lower edge; words: one bin each, then all others. Last: missing."""

    shares: tuple[float, ...]
    edges: tuple[float, ...] = ()
    words: tuple[str, ...] = ()

    @property
    def labels(self) -> tuple[str, ...]:
        """Return what each bin holds, for people."""
        if self.words:
            return (*self.words, "others", "missing")
        bounds = [f"{edge:.6g}" for edge in self.edges]
        inner = [f"{low} to {high}" for low, high in itertools.pairwise(bounds)]
        return (f"below {bounds[0]}", *inner, f"from {bounds[-1]}", "missing") if bounds else ("all", "missing")

    def record(self) -> dict[str, Any]:
        """Return it as JSON."""
        return {"edges": list(self.edges), "words": list(self.words), "shares": list(self.shares)}

    @classmethod
    def of(cls, record: Mapping[str, Any]) -> Self:
        """Return what `record` wrote. Raises KeyError, TypeError, ValueError."""
        frozen = cls(shares=tuple(map(float, record["shares"])), edges=tuple(map(float, record["edges"])), words=tuple(map(str, record["words"])))
        if len(frozen.labels) != len(frozen.shares):
            raise ValueError(f"{len(frozen.shares)} shares for {len(frozen.labels)} bins")
        return frozen


def psi(expected: Sequence[float], actual: Sequence[float]) -> float:
    """Return the population stability index of shares (each summing to 1) over the same bins; shares below 1e-6 count as that."""
    pairs = [(max(a, FLOOR), max(e, FLOOR)) for a, e in zip(actual, expected, strict=True)]
    return fsum((a - e) * log(a / e) for a, e in pairs)


def verdict(value: float, n: int) -> Verdict:
    """Judge a drift seen on n decisions: below .10 stable, below .25 watch, else act; below 1,000 decisions nothing can be said."""
    if n < LEAST_N:
        return Verdict.TOO_FEW
    return Verdict.STABLE if value < STABLE_BELOW else Verdict.WATCH if value < WATCH_BELOW else Verdict.ACT


def frozen_numbers(values: Numbers) -> Frozen:
    """Freeze the deciles of numbers; NaN is missing. Values that fill several deciles make fewer bins."""
    given = vector(values)
    known = given[~np.isnan(given)]
    edges = np.unique(np.quantile(known, DECILES)) if known.size else known
    rising = tuple(float(edge) for edge in edges if edge > known.min())
    return Frozen(edges=rising, shares=_number_shares(rising, given))


def frozen_words(values: Sequence[str | None]) -> Frozen:
    """Freeze the shares of words, at most the 20 most frequent; None is missing."""
    counts: dict[str, int] = {}
    for value in values:
        if value is not None:
            counts[value] = counts.get(value, 0) + 1
    words = tuple(sorted(sorted(counts), key=lambda word: -counts[word])[:MOST_WORDS])
    return Frozen(words=words, shares=_word_shares(words, values))


def shares(frozen: Frozen, values: Sequence[Any] | Vector) -> tuple[float, ...]:
    """Return how values lie in the frozen bins; all 0 when there are none."""
    return _word_shares(frozen.words, values) if frozen.words else _number_shares(frozen.edges, values)


def shift(frozen: Frozen, values: Sequence[Any] | Vector) -> float:
    """Return the PSI of values against training: for a score PSI, for a variable CSI."""
    return psi(frozen.shares, shares(frozen, values))


def _number_shares(edges: Sequence[float], values: Numbers) -> tuple[float, ...]:
    given = vector(values)
    missing = np.isnan(given)
    places = np.searchsorted(np.asarray(edges, dtype=np.float64), given[~missing], side="right")
    counts = np.append(np.bincount(places, minlength=len(edges) + 1), missing.sum())
    return tuple((counts / max(1, given.size)).tolist())


def _word_shares(words: Sequence[str], values: Sequence[Any] | Vector) -> tuple[float, ...]:
    place: dict[Any, int] = {word: at for at, word in enumerate(words)}
    counts = [0] * (len(words) + 2)
    for value in values:
        counts[-1 if value is None else place.get(value, len(words))] += 1
    return tuple(count / max(1, len(values)) for count in counts)
