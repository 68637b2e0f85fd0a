"""Days of one key, each summed up: what is too old to be kept event by event. Pure."""

from collections.abc import Mapping, Sequence

import msgspec

from reference_apps.fraud.features.sketch import Sketch
from reference_apps.fraud.features.spec import EXACT_DISTINCT, LONG_DAYS, SHORT_DAYS

Values = set[str] | Sketch
"""Distinct values: a set up to EXACT_DISTINCT of them, then a sketch."""


class Pane(msgspec.Struct, eq=False, gc=False):
    """Some of a key's events, summed up. Summing up panes gives the pane of all their events, whatever the order."""

    count: int = 0
    total: int = 0
    peak: int = 0
    first: Values = set()
    second: Values = set()

    def add(self, amount: int, first: str, second: str) -> None:
        self.count += 1
        self.total += amount
        if amount > self.peak:
            self.peak = amount
        if first:
            self.first = with_value(self.first, first)
        if second:
            self.second = with_value(self.second, second)


def rolled(panes: Mapping[int, Pane], day: int) -> tuple[Pane, Pane]:
    """Return the panes of both windows of days up to and with `day`; they are one where the longer holds no more."""
    within, before = day - SHORT_DAYS, day - LONG_DAYS
    short, more = [], []
    for number, pane in panes.items():
        if within < number <= day:
            short.append(pane)
        elif before < number <= day:
            more.append(pane)
    found = summed(short)
    return found, summed([found, *more]) if more else found


def summed(held: Sequence[Pane]) -> Pane:
    """Return the pane of all events of some panes. None of them is changed."""
    count = total = peak = 0
    first: list[Values] = []
    second: list[Values] = []
    for pane in held:
        count += pane.count
        total += pane.total
        if pane.peak > peak:
            peak = pane.peak
        first.append(pane.first)
        second.append(pane.second)
    return Pane(count, total, peak, united(first), united(second))


def with_value(known: Values, value: str) -> Values:
    """Return `known`, which may have been changed in place, with a value in it."""
    known.add(value)
    return known if isinstance(known, Sketch) or len(known) <= EXACT_DISTINCT else Sketch().with_values(known)


def united(several: Sequence[Values]) -> Values:
    """Return all values of several together. None of them is changed."""
    sets = [values for values in several if isinstance(values, set)]
    found: set[str] = set().union(*sets)
    if len(sets) == len(several) and len(found) <= EXACT_DISTINCT:
        return found
    together = Sketch().with_values(found)
    for values in several:
        if isinstance(values, Sketch):
            together.merge(values)
    return together


def size(values: Values) -> int:
    """Return how many there are, exactly for a set; an estimate says at least that there are too many for a set."""
    return len(values) if isinstance(values, set) else max(values.estimate(), EXACT_DISTINCT + 1)


def united_size(known: Values, more: set[str]) -> int:
    """Return how many values both have together. Neither is changed."""
    if isinstance(known, set):
        together = len(known) + len(more - known)
        return together if together <= EXACT_DISTINCT else size(Sketch().with_values(known | more))
    return size(known.with_values(more))
