"""Columns as they are at one moment, taken stretch by stretch while rows go on changing: who changes a row not taken yet saves it first. Pure."""

from collections.abc import Mapping
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Column = NDArray[np.unsignedinteger]
Rows = NDArray[np.intp]


class Changing(Protocol):
    """The columns that are held."""

    count: int

    def __getitem__(self, name: str) -> Column: ...


class Held:
    """Some columns, up to the row that was the last one at that moment. What is saved takes memory only where rows did change meanwhile."""

    __slots__ = ("_columns", "_is_saved", "_saved", "count", "taken")

    def __init__(self, columns: Changing, names: tuple[str, ...]) -> None:
        self._columns = columns
        self.count = columns.count
        self.taken = 0
        self._saved: dict[str, Column] = {name: np.zeros(self.count, columns[name].dtype) for name in names}
        self._is_saved: dict[str, NDArray[np.bool_]] = {name: np.zeros(self.count, np.bool_) for name in names}

    def save(self, name: str, rows: Rows) -> None:
        """Save what is in these rows, which are about to be changed and may be named more than once."""
        if name not in self._saved:
            return
        fresh = rows[(rows >= self.taken) & (rows < self.count)]
        fresh = fresh[~self._is_saved[name][fresh]]
        self._saved[name][fresh] = self._columns[name][fresh]
        self._is_saved[name][fresh] = True

    def save_one(self, name: str, row: int) -> None:
        """Save one row."""
        if name in self._saved and self.taken <= row < self.count and not self._is_saved[name][row]:
            self._saved[name][row] = self._columns[name][row]
            self._is_saved[name][row] = True

    def take(self, most: int) -> Mapping[str, Column]:
        """Return the next rows, at most so many, as they were; none once all are taken."""
        part = slice(self.taken, min(self.count, self.taken + most))
        self.taken = part.stop
        return {name: self._of(name, part) for name in self._saved}

    def _of(self, name: str, part: slice) -> Column:
        values, is_saved = self._columns[name][part].copy(), self._is_saved[name][part]
        if is_saved.any():
            values[is_saved] = self._saved[name][part][is_saved]
        return values
