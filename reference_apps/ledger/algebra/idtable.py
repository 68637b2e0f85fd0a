"""Row numbers by 128-bit id: an open-addressing hash table over two id columns, for one id and for thousands at once. Pure.

A slot is 64 bits: a part of the hash above, row number + 1 below, 0 when free. A table that has become too full is not copied in one go: a
larger one stands beside it, and every id that is added, and every search for many, moves some of the older ones over.
"""

import numpy as np
from numpy.typing import NDArray

from reference_apps.ledger.algebra.columns import Columns
from reference_apps.ledger.algebra.layout import LOW, Rows, U64s

FIRST_BITS = 8
FULL = 3 / 8
"""Of the slots: beyond it the search for an id that is not there becomes long."""
MOVED_AT_LEAST, MOVED_TIMES, BUILT_AT_ONCE = 64, 4, 2**16
ROW_BITS, ROW = 32, 2**32 - 1
SALT = hash("rows by id") & LOW
"""Another one in every process, so that nobody can choose ids that collide."""
FIRST, SECOND = 0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F
_U = np.uint64


class Slots:
    """One table of 2^bits slots."""

    __slots__ = ("_bits", "slots", "used")

    def __init__(self, bits: int) -> None:
        self._bits = bits
        self.slots: U64s = np.zeros(1 << bits, np.uint64)
        self.used = 0

    @property
    def limit(self) -> int:
        return int(FULL * len(self.slots))

    def larger(self, rows: int) -> "Slots":
        """Return an empty table with room for `rows`, at least twice this one; small ones grow faster, since memory is no matter then."""
        bits = self._bits + (3 if self._bits < 18 else 2 if self._bits < 24 else 1)
        while FULL * (1 << bits) < rows:
            bits += 1
        return Slots(bits)

    def place(self, hashes: U64s) -> Rows:
        places: Rows = (hashes >> _U(64 - self._bits)).view(np.intp)
        return places

    def put(self, hashes: U64s, rows: Rows) -> None:
        """Enter rows that are not there yet."""
        entries = (hashes << _U(ROW_BITS)) | (rows.astype(np.uint64) + _U(1))
        places, last = self.place(hashes), len(self.slots) - 1
        self.used += len(rows)
        while len(places):
            free = self.slots[places] == 0
            self.slots[places[free]] = entries[free]
            lost = self.slots[places] != entries
            places, entries = (places[lost] + 1) & last, entries[lost]

    def put_one(self, hashed: int, row: int) -> None:
        slot, last, slots = hashed >> (64 - self._bits), len(self.slots) - 1, self.slots
        while slots.item(slot):
            slot = (slot + 1) & last
        slots[slot] = (hashed << ROW_BITS) & LOW | (row + 1)
        self.used += 1


class IdTable:
    """Numbers ids in the order in which they are added. Adding an id that is there already is not noticed."""

    __slots__ = ("_moved", "_old", "_table", "_until", "ids")

    def __init__(self) -> None:
        self.ids = Columns({"lo": "u8", "hi": "u8"})
        self._table = Slots(FIRST_BITS)
        self._old: Slots | None = None
        self._moved = self._until = 0

    def __len__(self) -> int:
        return self.ids.count

    def id(self, row: int) -> int:
        """Return the id with this row number."""
        return self.ids["lo"].item(row) | self.ids["hi"].item(row) << 64

    def find(self, lo: U64s, hi: U64s) -> Rows:
        """Return the row number of each id, -1 where there is none."""
        hashes = _hashes(lo, hi)
        found = np.full(len(lo), -1, np.intp)
        self._move(len(lo))
        self._search(self._table, lo, hi, hashes, found)
        if self._old is not None:
            missing = np.flatnonzero(found < 0)
            later = found[missing]
            self._search(self._old, lo[missing], hi[missing], hashes[missing], later)
            found[missing] = later
        return found

    def find_one(self, wanted: int) -> int:
        """Return the row number of an id, -1 if there is none."""
        if not self.ids.count:
            return -1
        hashed = _hash(wanted)
        row = self._search_one(self._table, wanted, hashed)
        return row if row >= 0 or self._old is None else self._search_one(self._old, wanted, hashed)

    def add(self, lo: U64s, hi: U64s) -> int:
        """Add ids that are not there yet; return the first one's row number."""
        first = self.ids.add({"lo": lo, "hi": hi}, len(lo))
        self._make_room(len(lo))
        self._table.put(_hashes(lo, hi), np.arange(first, first + len(lo)))
        return first

    def add_one(self, new: int) -> int:
        """Add an id that is not there yet; return its row number."""
        first = self.ids.add_one({"lo": new & LOW, "hi": new >> 64})
        self._make_room(1)
        self._table.put_one(_hash(new), first)
        return first

    def build(self) -> None:
        """Enter every id there is into a table of its own: the columns were filled from elsewhere."""
        self._table, self._old = self._table.larger(self.ids.count), None
        lo, hi = self.ids.used("lo"), self.ids.used("hi")
        for begin in range(0, len(lo), BUILT_AT_ONCE):
            part = slice(begin, begin + BUILT_AT_ONCE)
            self._table.put(_hashes(lo[part], hi[part]), np.arange(begin, begin + len(lo[part])))

    def _search(self, table: Slots, lo: U64s, hi: U64s, hashes: U64s, found: Rows) -> None:
        slots, last = table.slots, len(table.slots) - 1
        places, marks = table.place(hashes), hashes << _U(ROW_BITS)
        entries = slots[places]
        self._compare(entries, marks, lo, hi, found)
        left = np.flatnonzero((entries != 0) & (found < 0))
        while len(left):
            places[left] = (places[left] + 1) & last
            entries, later = slots[places[left]], found[left]
            self._compare(entries, marks[left], lo[left], hi[left], later)
            found[left] = later
            left = left[(entries != 0) & (later < 0)]

    def _compare(self, entries: U64s, marks: U64s, lo: U64s, hi: U64s, found: Rows) -> None:
        """Write down the row numbers of the entries that are what is looked for."""
        likely = np.flatnonzero((entries ^ marks) <= _U(ROW))
        if len(likely):
            rows = (entries[likely] & _U(ROW)).view(np.intp) - 1
            same = self.ids["lo"][rows] == lo[likely]
            same &= hi[likely] == (0 if self.ids.is_blank("hi") else self.ids["hi"][rows])
            found[likely[same]] = rows[same]

    def _search_one(self, table: Slots, wanted: int, hashed: int) -> int:
        slots, last = table.slots, len(table.slots) - 1
        slot, mark = hashed >> (64 - table._bits), hashed & ROW
        while entry := slots.item(slot):
            if entry >> ROW_BITS == mark and self.id((entry & ROW) - 1) == wanted:
                return (entry & ROW) - 1
            slot = (slot + 1) & last
        return -1

    def _make_room(self, count: int) -> None:
        """Begin a larger table when this one would become too full; go on with moving to it."""
        if self._table.used + count > self._table.limit:
            self._move(self.ids.count)
            self._old, self._table = self._table, self._table.larger(self.ids.count)
            self._moved, self._until = 0, self.ids.count - count
        self._move(max(MOVED_AT_LEAST, MOVED_TIMES * count))

    def _move(self, count: int) -> None:
        if self._old is None:
            return
        begin, end = self._moved, min(self._moved + count, self._until)
        if begin < end:
            self._table.put(_hashes(self.ids["lo"][begin:end], self.ids["hi"][begin:end]), np.arange(begin, end))
        self._moved = end
        if end == self._until:
            self._old = None


def _hash(value: int) -> int:
    """Return 64 mixed bits, the lowest always set: a free slot is no entry of anything."""
    mixed = ((value & LOW) ^ SALT) * FIRST + (value >> 64) * SECOND & LOW
    return (mixed ^ mixed >> 32) * SECOND & LOW | 1


def _hashes(lo: NDArray[np.unsignedinteger], hi: NDArray[np.unsignedinteger]) -> U64s:
    mixed = (lo ^ _U(SALT)) * _U(FIRST)
    if hi.any():
        mixed = mixed + hi * _U(SECOND)
    hashes: U64s = (mixed ^ mixed >> _U(32)) * _U(SECOND) | _U(1)
    return hashes
