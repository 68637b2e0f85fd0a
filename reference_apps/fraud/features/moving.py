"""Windows of one busy key with moving heads: every event enters each window once and leaves it once. Pure."""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from operator import itemgetter

from reference_apps.fraud.features.panes import Pane, Values, size
from reference_apps.fraud.features.sketch import Sketch
from reference_apps.fraud.features.spec import EXACT_DISTINCT, LENGTHS_MS

Entry = tuple[int, int, str, str]
"""An event as its key sees it: event time, amount, and the two values that are counted."""

AMOUNT = itemgetter(1)
HIGH = float("inf")
FIRST, SECOND = 2, 3


class Moving:
    """One window, ending at the key's newest event. `peaks`: events that are the highest from their time on."""

    __slots__ = ("first", "head", "length_ms", "peaks", "second", "total")

    def __init__(self, length_ms: int) -> None:
        self.length_ms = length_ms
        self.head = self.total = 0
        self.peaks: list[tuple[int, int]] = []
        self.first: dict[str, int] = {}
        self.second: dict[str, int] = {}

    def insert(self, entry: Entry) -> None:
        """Take in an event that is not the newest."""
        at, amount, first, second = entry
        self.total += amount
        if not any(when >= at and high >= amount for when, high in self.peaks):
            self.peaks = sorted([(when, high) for when, high in self.peaks if when > at or high > amount] + [(at, amount)])
        if first:
            self.first[first] = self.first.get(first, 0) + 1
        if second:
            self.second[second] = self.second.get(second, 0) + 1

    def advance(self, entries: Sequence[Entry], bound: int) -> None:
        """Let go of what is not later than `bound`."""
        while entries[self.head][0] <= bound:
            at, amount, first, second = entries[self.head]
            self.head += 1
            self.total -= amount
            if self.peaks[0][0] == at and self.peaks[0][1] == amount:
                del self.peaks[0]
            if first:
                _less(self.first, first)
            if second:
                _less(self.second, second)

    def up_to(self, entries: Sequence[Entry], begin: int, end: int) -> tuple[int, int, int, int, int]:
        """Return the figures of entries[begin:end], where `begin` is not behind the head: the window as it was at an earlier time."""
        if end <= self.head or end - begin < 64:
            return plain(entries[begin:end])
        added, removed = entries[begin : self.head], entries[end:]
        total = self.total + sum(map(AMOUNT, added)) - sum(map(AMOUNT, removed))
        highest_at, peak = self.peaks[0]
        within = added if highest_at <= entries[end - 1][0] else entries[begin:end]
        peak = max(peak if within is added else 0, max(map(AMOUNT, within), default=0))
        return end - begin, total, peak, _without(self.first, added, removed, FIRST), _without(self.second, added, removed, SECOND)


class Union:
    """How many distinct values the older days and the events at hand have together, kept up to date while values are only added."""

    __slots__ = ("_at_hand", "_fresh", "_known", "_sketch")

    def __init__(self, known: Values, at_hand: dict[str, int]) -> None:
        self._known, self._at_hand, self._fresh = known, at_hand, 0
        self._sketch = known.with_values(at_hand) if isinstance(known, Sketch) else None
        for value in at_hand if self._sketch is None else ():
            self._count(value)

    def add(self, value: str) -> None:
        """Add a value that was not at hand until now, but is in `at_hand` already."""
        if self._sketch is None:
            self._count(value)
        else:
            self._sketch.add(value)

    def size(self) -> int:
        return len(self._known) + self._fresh if self._sketch is None and isinstance(self._known, set) else size(self._sketch or set())

    def _count(self, value: str) -> None:
        assert isinstance(self._known, set)
        self._fresh += value not in self._known
        if self._sketch is None and len(self._known) + self._fresh > EXACT_DISTINCT:
            self._sketch = Sketch().with_values(self._known).with_values(self._at_hand)


class Rolling:
    """All windows of a busy key: the exact ones, everything that is kept event by event, and that together with older days."""

    __slots__ = ("_all", "_entries", "_unions", "older", "whole", "windows")

    def __init__(self, entries: list[Entry], older: tuple[Pane, Pane]) -> None:
        self._entries = entries
        self.windows = tuple(Moving(length) for length in LENGTHS_MS)
        self.whole = Moving(0)
        self._all = (*self.windows, self.whole)
        self.older = older
        self._unions: tuple[tuple[Union, Union], ...] | None = None
        for entry in entries:
            self._push(entry)
        self._advance()

    def add(self, entry: Entry, place: int) -> None:
        """Take in an entry that now stands at `place`."""
        if place == len(self._entries) - 1:
            self._push(entry)
            self._advance()
        else:
            for window in self._all:
                if place < window.head:
                    window.head += 1
                else:
                    window.insert(entry)
        if self._unions is not None:
            self._unite(entry)

    def _push(self, entry: Entry) -> None:
        """Take in the newest event. It stands here and not in Moving because it is the busiest place of all."""
        at, amount, first, second = entry
        peak = (at, amount)
        for window in self._all:
            window.total += amount
            peaks = window.peaks
            while peaks and peaks[-1][1] <= amount:
                peaks.pop()
            peaks.append(peak)
            if first:
                counts = window.first
                counts[first] = counts.get(first, 0) + 1
            if second:
                counts = window.second
                counts[second] = counts.get(second, 0) + 1

    def _unite(self, entry: Entry) -> None:
        """Tell the unions of values that are new among those at hand."""
        _, _, first, second = entry
        if first and self.whole.first[first] == 1:
            for union, _ in self._unions or ():
                union.add(first)
        if second and self.whole.second[second] == 1:
            for _, union in self._unions or ():
                union.add(second)

    def figures(self) -> tuple[int, ...]:
        """Return all windows as of the newest event."""
        found: list[int] = []
        held = len(self._entries)
        for window in self.windows:
            found += (held - window.head, window.total, window.peaks[0][1], len(window.first), len(window.second))
        whole = self.whole
        if self._unions is None:
            few = len(whole.first) <= EXACT_DISTINCT and len(whole.second) <= EXACT_DISTINCT
            if few and not self.older[1].count:
                both = (held, whole.total, whole.peaks[0][1], len(whole.first), len(whole.second))
                return (*found, *both, *both)
            self._unions = tuple((Union(pane.first, whole.first), Union(pane.second, whole.second)) for pane in self.older)
        for pane, (one, two) in zip(self.older, self._unions, strict=True):
            distinct = max(one.size(), found[-2]), max(two.size(), found[-1])
            found += (held + pane.count, whole.total + pane.total, max(whole.peaks[0][1], pane.peak), *distinct)
        return tuple(found)

    def exact_at(self, at: int) -> list[int]:
        """Return the exact windows as of an earlier time."""
        entries, found = self._entries, list[int]()
        end = bisect_right(entries, (at, HIGH))
        for window in self.windows:
            begin = bisect_right(entries, (at - window.length_ms, HIGH))
            found += window.up_to(entries, begin, end)
        return found

    def _advance(self) -> None:
        entries = self._entries
        newest = entries[-1][0]
        for window in self.windows:
            bound = newest - window.length_ms
            if entries[window.head][0] <= bound:
                window.advance(entries, bound)


def plain(entries: Sequence[Entry]) -> tuple[int, int, int, int, int]:
    """Return count, sum, max and both distinct counts of these."""
    amounts = list(map(AMOUNT, entries))
    return len(entries), sum(amounts), max(amounts, default=0), len(values(entries, FIRST)), len(values(entries, SECOND))


def values(entries: Iterable[Entry], column: int) -> set[str]:
    """Return the values of a column that are known."""
    found = {str(entry[column]) for entry in entries}
    found.discard("")
    return found


def _less(counts: dict[str, int], value: str) -> None:
    left = counts[value] - 1
    if left:
        counts[value] = left
    else:
        del counts[value]


def _without(counts: dict[str, int], added: Sequence[Entry], removed: Sequence[Entry], column: int) -> int:
    gone: dict[str, int] = {}
    for entry in removed:
        value = str(entry[column])
        if value:
            gone[value] = gone.get(value, 0) + 1
    lost = {value for value, number in gone.items() if counts[value] == number}
    return len(counts) - len(lost) + sum(value not in counts or value in lost for value in values(added, column))
