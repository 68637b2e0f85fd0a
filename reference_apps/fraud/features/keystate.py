"""What is known of one key: its recent events one by one, older ones by the day. A pure function of the events it was shown, in their order.

Event by event are kept those of the newest day and the two before, so a window of up to 24 h is exact for every event that is at most 24 h behind the newest
of its key. One that is later still counts itself, and days as a whole.
"""

from bisect import bisect_right
from collections.abc import Sequence
from typing import Any

import msgspec

from reference_apps.fraud.features.moving import FIRST, HIGH, SECOND, Entry, Rolling, plain, values
from reference_apps.fraud.features.panes import Pane, Values, rolled, size, united_size
from reference_apps.fraud.features.sketch import Sketch
from reference_apps.fraud.features.spec import DAY_MS, EXACT_DAYS, LENGTHS_MS, PANE_DAYS, WIDTH, WINDOWS

EXACT = len(LENGTHS_MS)
REACHES_MS = (*LENGTHS_MS, 2**62)
"""The exact windows, and everything that is kept event by event."""

EXACT_MS = EXACT_DAYS * DAY_MS
"""What is no older than this is not too old to be kept event by event, on whatever day."""

BUSY = 24
"""From how many events on windows have moving heads; below, walking over them is quicker."""

Figures = tuple[int, ...]
"""Count, sum, max, distinct first, distinct second of each window of the spec, in its order."""


class KeyState(msgspec.Struct, eq=False, gc=False):
    """One key of one family and kind. `seen` is the position in the log of the last event it was shown.

    There are hundreds of thousands of them, and no circles: they are none of the garbage collector's business.
    """

    seen: int = 0
    entries: list[Entry] = []
    panes: dict[int, Pane] | None = None
    _rolling: Rolling | None = None
    _days: tuple[int, tuple[Pane, Pane]] | None = None

    def observe(self, entry: Entry) -> Figures:
        """Take in an event and return all windows as of it."""
        entries = self.entries
        if not entries:
            entries.append(entry)
            return alone(entry)
        at, newest = entry[0], entries[-1][0]
        if at < newest:
            return self._late(entry, newest // DAY_MS)
        if (at - entries[0][0] >= EXACT_MS or self.panes or len(entries) >= BUSY) and at // DAY_MS != newest // DAY_MS:
            self._begin_day(at // DAY_MS)
        held = len(entries)
        entries.append(entry)
        if held == 1 and not self.panes:
            return both(entry, entries[0])
        if held < BUSY - 1:
            return self._walk(entry, held)
        if self._rolling is not None:
            self._rolling.add(entry, held)
        else:
            self._rolling = Rolling(entries, self._days_before(at // DAY_MS))
        return self._rolling.figures()

    def take_in(self, entry: Entry) -> None:
        """Take in an event whose windows nobody asks for: afterwards the key is as `observe` leaves it, in a third of the time."""
        entries, at = self.entries, entry[0]
        newest = entries[-1][0] if entries else at
        if at < newest and at // DAY_MS < newest // DAY_MS - EXACT_DAYS:
            self._stale(entry, at // DAY_MS, newest // DAY_MS)
            return
        if at // DAY_MS > newest // DAY_MS:
            self._begin_day(at // DAY_MS)
        place = bisect_right(entries, (at, HIGH)) if at < newest else len(entries)
        entries.insert(place, entry)
        if self._rolling is not None:
            self._rolling.add(entry, place)

    def _walk(self, entry: Entry, end: int) -> Figures:
        """Return the windows at an entry, itself and those before `end`: one pass backwards over the events, from the first window that holds another one.

        Long for a function, and what a check costs most of the time: nearly all keys are quiet, so it stops at the window that holds all there is.
        """
        at, total, one, two = entry
        entries, place, peak = self.entries, end - 1, total
        last: Figures = (1, total, total, 1 if one else 0, 1 if two else 0)
        first, second = {one}, {two}
        reach = bisect_right(LENGTHS_MS, at - entries[place][0]) if end else EXACT + 1
        found = last * reach
        while place >= 0:
            bound = at - REACHES_MS[reach]
            while place >= 0 and entries[place][0] > bound:
                _, amount, one, two = entries[place]
                total += amount
                if amount > peak:
                    peak = amount
                first.add(one)
                second.add(two)
                place -= 1
            last = (end - place, total, peak, len(first) - ("" in first), len(second) - ("" in second))
            reach += 1
            found += last
        if not self.panes:
            return found + last * (WINDOWS - reach)
        return (found + last * (EXACT - reach))[: EXACT * WIDTH] + self._over_days(last, at // DAY_MS, first, second)

    def _over_days(self, last: Sequence[int], day: int, first: set[str], second: set[str]) -> Figures:
        """Return the windows of days: what is at hand (`last`, with its values) and what is summed up."""
        found: list[int] = []
        first.discard("")
        second.discard("")
        count, total, peak, ones, twos = last
        for pane in self._days_before(day):
            ones, twos = max(united_size(pane.first, first), ones), max(united_size(pane.second, second), twos)
            found += (count + pane.count, total + pane.total, pane.peak if pane.peak > peak else peak, ones, twos)
        return tuple(found)

    def _late(self, entry: Entry, today: int) -> Figures:
        at, day = entry[0], entry[0] // DAY_MS
        if day < today - EXACT_DAYS:
            return self._stale(entry, day, today)
        place = bisect_right(self.entries, (at, HIGH))
        self.entries.insert(place, entry)
        if self._rolling is None:
            return self._walk(entry, place)
        self._rolling.add(entry, place)
        exact, held = self._rolling.exact_at(at), [*self.entries[:place], entry]
        last = (*plain(held)[:3], *exact[-2:])
        return (*exact, *self._over_days(last, day, values(held, FIRST), values(held, SECOND)))

    def _stale(self, entry: Entry, day: int, today: int) -> Figures:
        """Count an event whose day is summed up already, or forgotten."""
        itself = alone(entry)
        if day <= today - PANE_DAYS:
            return itself
        panes = self._pane_of(day)
        self._days = None
        if self._rolling is not None:
            self._rolling = None
        panes[day].add(*entry[1:])
        found = list(itself[: 5 * len(LENGTHS_MS)])
        for pane in rolled(panes, day):
            found += (pane.count, pane.total, pane.peak, size(pane.first), size(pane.second))
        return tuple(found)

    def _begin_day(self, day: int) -> None:
        """Sum up the days that are now too old to be kept event by event, and forget those older than any window."""
        oldest = (day - EXACT_DAYS) * DAY_MS
        if self.entries[0][0] < oldest:
            keep = bisect_right(self.entries, (oldest, -1))
            for at, amount, first, second in self.entries[:keep]:
                self._pane_of(at // DAY_MS)[at // DAY_MS].add(amount, first, second)
            del self.entries[:keep]
        if self.panes and min(self.panes) <= day - PANE_DAYS:
            self.panes = {number: pane for number, pane in self.panes.items() if number > day - PANE_DAYS}
        self._rolling = self._days = None

    def _pane_of(self, day: int) -> dict[int, Pane]:
        """Return the panes, with one for that day among them."""
        if self.panes is None:
            self.panes = {}
        if day not in self.panes:
            self.panes[day] = Pane()
        return self.panes

    def _days_before(self, day: int) -> tuple[Pane, Pane]:
        """Return the summed-up days of both windows of days that end at `day`."""
        if not self.panes:
            return NEVER
        if self._days is None or self._days[0] != day:
            self._days = day, rolled(self.panes, day)
        return self._days[1]

    def pack(self) -> bytes:
        """Return it as bytes; the same state gives the same bytes."""
        if not self.panes:
            return ENCODER.encode((self.seen, self.entries, ()))
        panes = [(day, pane.count, pane.total, pane.peak, _packed(pane.first), _packed(pane.second)) for day, pane in sorted((self.panes or {}).items())]
        return ENCODER.encode((self.seen, self.entries, panes))

    @classmethod
    def unpack(cls, content: bytes) -> "KeyState":
        """Return what `pack` gave bytes of."""
        state = cls()
        state.seen, state.entries, panes = DECODER.decode(content)
        for day, count, total, peak, first, second in panes:
            pane = state._pane_of(day)[day]
            pane.count, pane.total, pane.peak, pane.first, pane.second = count, total, peak, _unpacked(first), _unpacked(second)
        return state


NEVER = (Pane(), Pane())
ENCODER = msgspec.msgpack.Encoder()
DECODER = msgspec.msgpack.Decoder(tuple[int, list[tuple[int, int, str, str]], list[tuple[int, int, int, int, Any, Any]]])


def alone(entry: Entry) -> Figures:
    """Return the windows of a key's only event."""
    _, amount, first, second = entry
    return (1, amount, amount, 1 if first else 0, 1 if second else 0) * WINDOWS


def both(entry: Entry, earlier: Entry) -> Figures:
    """Return the windows of a key's second event."""
    at, amount, one, two = entry
    before, amount_before, one_before, two_before = earlier
    ones = (1 if one else 0) + (1 if one_before and one_before != one else 0)
    twos = (1 if two else 0) + (1 if two_before and two_before != two else 0)
    reach = bisect_right(LENGTHS_MS, at - before)
    itself = (1, amount, amount, 1 if one else 0, 1 if two else 0)
    return itself * reach + (2, amount + amount_before, amount if amount > amount_before else amount_before, ones, twos) * (WINDOWS - reach)


def _packed(held: Values) -> Any:
    return sorted(held) if isinstance(held, set) else bytes(held.registers)


def _unpacked(content: Any) -> Values:
    return Sketch(content) if isinstance(content, bytes) else set(content)
