"""Days of one key, each summed up: what is too old to be kept event by event. Pure."""

from collections.abc import Iterable, Mapping

from reference_apps.fraud.features.sketch import Sketch
from reference_apps.fraud.features.spec import EXACT_DISTINCT

Values = set[str] | Sketch
"""Distinct values: a set up to EXACT_DISTINCT of them, then a sketch."""


class Pane:
    """Some of a key's events, summed up. Merging panes gives the pane of all their events, whatever the order."""

    __slots__ = ("count", "first", "peak", "second", "total")

    def __init__(self) -> None:
        self.count = self.total = self.peak = 0
        self.first: Values = set()
        self.second: Values = set()

    def add(self, amount: int, first: str, second: str) -> None:
        self.count += 1
        self.total += amount
        if amount > self.peak:
            self.peak = amount
        if first:
            self.first = with_values(self.first, (first,))
        if second:
            self.second = with_values(self.second, (second,))

    def merge(self, other: "Pane") -> None:
        self.count += other.count
        self.total += other.total
        self.peak = max(self.peak, other.peak)
        self.first = merged(self.first, other.first)
        self.second = merged(self.second, other.second)


def rolled(panes: Mapping[int, Pane], day: int, days: int) -> Pane:
    """Return the pane of `days` days up to and with `day`."""
    found = Pane()
    for number in sorted(panes):
        if day - days < number <= day:
            found.merge(panes[number])
    return found


def with_values(known: Values, values: Iterable[str]) -> Values:
    """Return `known`, which may have been changed in place, with these values in it."""
    if isinstance(known, set):
        known.update(values)
        return known if len(known) <= EXACT_DISTINCT else Sketch().with_values(known)
    for value in values:
        known.add(value)
    return known


def merged(known: Values, other: Values) -> Values:
    """Return `known`, which may have been changed in place, with the values of `other` in it."""
    if isinstance(other, set):
        return with_values(known, other)
    sketch = Sketch().with_values(known) if isinstance(known, set) else known
    sketch.merge(other)
    return sketch


def size(values: Values) -> int:
    """Return how many there are, exactly for a set; an estimate says at least that there are too many for a set."""
    return len(values) if isinstance(values, set) else max(values.estimate(), EXACT_DISTINCT + 1)


def united_size(known: Values, more: set[str]) -> int:
    """Return how many values both have together. Neither is changed."""
    if isinstance(known, set):
        together = len(known) + len(more - known)
        return together if together <= EXACT_DISTINCT else size(Sketch().with_values(known | more))
    return size(known.with_values(more))
