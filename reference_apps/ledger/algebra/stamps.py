"""When the accounts, or the transfers, of the books came: the newest moment, and whether one came at a moment. Pure.

Every new one comes after all others of its kind, so that the column of timestamps is in order and can be searched.
"""

import numpy as np

from reference_apps.ledger.algebra.columns import Columns
from reference_apps.ledger.algebra.layout import U64s


class Stamps:
    """Moments in layers: those of the committed books are a column, those of a draft stand over it until `sink`."""

    __slots__ = ("_below", "_columns", "_floor", "_own")

    def __init__(self, columns: Columns, below: "Stamps | None" = None) -> None:
        self._columns, self._below = columns, below
        self._own: set[int] = set()
        self._floor = 0

    @property
    def newest(self) -> int:
        """The moment after which the next one must come (ns)."""
        if self._below is not None:
            return max(self._floor, self._below.newest)
        columns = self._columns
        return max(self._floor, columns["timestamp"].item(columns.count - 1) if columns.count else 0)

    def put(self, at_ns: int) -> None:
        """Note one that was entered."""
        if self._below is not None:
            self._own.add(at_ns)
            self.rise(at_ns)

    def rise(self, at_ns: int) -> None:
        """Let nothing come at this moment or before it any more."""
        self._floor = max(self._floor, at_ns)

    def has(self, at_ns: int) -> bool:
        """Return whether one came at this moment."""
        if self._below is not None:
            return at_ns in self._own or self._below.has(at_ns)
        stamps = self._columns.used("timestamp")
        place = int(np.searchsorted(stamps, np.uint64(at_ns)))
        return place < len(stamps) and stamps.item(place) == at_ns

    def has_any(self, moments: U64s) -> bool:
        """Return whether one of the committed books came at one of these moments."""
        stamps = self._columns.used("timestamp")
        places = np.searchsorted(stamps, moments)
        found = places < len(stamps)
        return bool((stamps[places[found]] == moments[found]).any())

    def sink(self) -> None:
        """Note everything below; what lies below the committed books is in their column already."""
        if self._below is None:
            return
        self._below.rise(self._floor)
        if self._below._below is not None:
            self._below._own |= self._own
