"""Columns of numbers that grow together, a row for each thing that was added. Pure.

Room is taken generously and filled late: memory that was never written to costs nothing, so a column of zeros has no size.
"""

from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

from reference_apps.ledger.algebra.held import Held, Rows

FIRST_ROOM, MANY = 256, 2**20
FEW_TIMES, MANY_TIMES = 4, 64
"""How much more room is taken each time, below and from MANY rows: what is copied then is small beside what comes."""


class Columns:
    """Columns by name. `self[name]` is the whole column with its room; only the first `count` rows mean something."""

    __slots__ = ("_arrays", "_blank", "_held", "count", "room")

    def __init__(self, dtypes: Mapping[str, str]) -> None:
        self.count = 0
        self.room = FIRST_ROOM
        self._arrays: dict[str, NDArray[np.unsignedinteger]] = {name: np.zeros(FIRST_ROOM, dtype) for name, dtype in dtypes.items()}
        self._blank = set(dtypes)
        self._held: tuple[Held, ...] = ()

    def __getitem__(self, name: str) -> NDArray[np.unsignedinteger]:
        return self._arrays[name]

    def used(self, name: str) -> NDArray[np.unsignedinteger]:
        """Return a column without its room."""
        return self._arrays[name][: self.count]

    def names(self) -> tuple[str, ...]:
        return tuple(self._arrays)

    def is_blank(self, name: str) -> bool:
        """Return whether nothing but zeros was ever put there."""
        return name in self._blank

    def add(self, values: Mapping[str, NDArray[np.unsignedinteger]], count: int) -> int:
        """Add `count` rows; columns that are not named stay zero there. Return the first row's number."""
        first = self.count
        self._make_room(first + count)
        for name, added in values.items():
            if name not in self._blank or added.any():
                self._arrays[name][first : first + count] = added
                self._blank.discard(name)
        self.count = first + count
        return first

    def add_one(self, values: Mapping[str, int]) -> int:
        """Add one row and return its number. It counts once it is whole: another thread may be reading."""
        first = self.count
        self._make_room(first + 1)
        for name, value in values.items():
            if value:
                self.put(name, first, value)
        self.count = first + 1
        return first

    def put(self, name: str, row: int, value: int) -> None:
        for held in self._held:
            held.save_one(name, row)
        self._arrays[name][row] = value
        self._blank.discard(name)

    def write(self, name: str) -> NDArray[np.unsignedinteger]:
        """Return a column to write into; in rows that may be held, use `put` and `add_to`."""
        self._blank.discard(name)
        return self._arrays[name]

    def add_to(self, name: str, rows: Rows, values: NDArray[np.unsignedinteger]) -> None:
        """Add to a column; a row may be named more than once."""
        for held in self._held:
            held.save(name, rows)
        np.add.at(self.write(name), rows, values)

    def hold(self, names: Iterable[str]) -> Held:
        """Hold on to some columns as they are now, whatever is done to them by `put` and `add_to`. Blank ones are left out; `release` ends it."""
        held = Held(self, tuple(name for name in names if name not in self._blank))
        self._held = (*self._held, held)
        return held

    def release(self, held: Held) -> None:
        self._held = tuple(each for each in self._held if each is not held)

    def begin_with(self, count: int, names: Iterable[str]) -> Mapping[str, NDArray[np.unsignedinteger]]:
        """Make empty columns `count` rows long, all zero but for those that are named, which are returned to be filled."""
        self._make_room(count)
        self.count = count
        self._blank -= set(names)
        return {name: self.used(name) for name in names}

    def _make_room(self, wanted: int) -> None:
        """Grow column by column, so that no more than one is there twice at a time."""
        if wanted <= self.room:
            return
        while self.room < wanted:
            self.room *= FEW_TIMES if self.room < MANY else MANY_TIMES
        for name, old in self._arrays.items():
            grown = np.zeros(self.room, old.dtype)
            if name not in self._blank:
                grown[: self.count] = old[: self.count]
            self._arrays[name] = grown
