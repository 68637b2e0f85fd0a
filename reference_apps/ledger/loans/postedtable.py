"""What is posted of every loan's earnings, in columns by loan number: 28 bytes a loan, and a whole stretch of loans is read or posted at once."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from reference_apps.ledger.loans.posted import Posted

Fen = NDArray[np.int64]
FIELDS = ("interest_fen", "fee_fen", "penalty_fen")
FIRST_ROOM = 1024


@dataclass(frozen=True, slots=True)
class Slab:
    """What a stretch of loans from number `first` on has earned more, through the business day with the ordinal `through`: a row a component."""

    first: int
    through: int
    more: Fen

    @property
    def last(self) -> int:
        return self.first + int(self.more.shape[1]) - 1

    def at(self, number: int) -> Posted:
        interest, fee, penalty = (int(fen) for fen in self.more[:, number - self.first])
        return Posted(interest_fen=interest, fee_fen=fee, penalty_fen=penalty, through=self.through)


class PostedTable:
    """The committed books' columns; a loan of which nothing was ever posted is not there."""

    __slots__ = ("_fen", "_through")

    def __init__(self) -> None:
        self._fen: Fen = np.zeros((3, FIRST_ROOM), np.int64)
        self._through: NDArray[np.int32] = np.zeros(FIRST_ROOM, np.int32)

    @property
    def own(self) -> Mapping[int, Posted]:
        """Every loan's, by its number."""
        return dict(self._every())

    def get(self, number: int, /) -> Posted | None:
        if number >= len(self._through) or not (self._through[number] or self._fen[:, number].any()):
            return None
        interest, fee, penalty = (int(fen) for fen in self._fen[:, number])
        return Posted(interest_fen=interest, fee_fen=fee, penalty_fen=penalty, through=int(self._through[number]))

    def put(self, number: int, value: Posted, /) -> None:
        self._reach(number)
        self._fen[:, number] = value.interest_fen, value.fee_fen, value.penalty_fen
        self._through[number] = value.through

    def add(self, slab: Slab) -> None:
        """Add what a stretch of loans has earned; a loan that earned nothing stays as it is."""
        self._reach(slab.last)
        self._fen[:, slab.first : slab.last + 1] += slab.more
        through = self._through[slab.first : slab.last + 1]
        through[slab.more.any(axis=0) & (through < slab.through)] = slab.through

    def stretch(self, first: int, last: int) -> tuple[Fen, NDArray[np.int32]]:
        """Return copies of the amounts (a row a component) and the days of a stretch of loans."""
        self._reach(last)
        return self._fen[:, first : last + 1].copy(), self._through[first : last + 1].copy()

    def totals(self) -> tuple[int, int, int]:
        """Add up interest, fees and penalties over all loans."""
        interest, fee, penalty = (int(fen) for fen in self._fen.sum(axis=1))
        return interest, fee, penalty

    def copied(self) -> tuple[Fen, NDArray[np.int32]]:
        """Return copies of the amounts (a row a component) and the days of all loans, from number 0 on."""
        return self._fen.copy(), self._through.copy()

    def fill(self, fen: Fen, through: NDArray[np.int32]) -> None:
        """Take what `copied` returned in the place of everything."""
        self._fen, self._through = fen, through

    def _every(self) -> Iterator[tuple[int, Posted]]:
        for number in np.flatnonzero(self._fen.any(axis=0) | (self._through > 0)):
            found = self.get(int(number))
            if found is not None:
                yield int(number), found

    def _reach(self, number: int) -> None:
        room = len(self._through)
        if number >= room:
            more = max(number + 1, 2 * room) - room
            self._fen = np.concatenate([self._fen, np.zeros((3, more), np.int64)], axis=1)
            self._through = np.concatenate([self._through, np.zeros(more, np.int32)])


class Below(Protocol):
    """What a draft's layer stands on: another draft's, or the table."""

    def get(self, number: int, /) -> Posted | None: ...

    def put(self, number: int, value: Posted, /) -> None: ...

    def add(self, slab: Slab) -> None: ...

    def stretch(self, first: int, last: int) -> tuple[Fen, NDArray[np.int32]]: ...


class PostedLayer:
    """A draft over what is below: single loans in `own`, as they are then, and stretches of loans by what they have earned more."""

    __slots__ = ("_below", "_slabs", "own")

    def __init__(self, below: Below) -> None:
        self._below = below
        self._slabs: list[Slab] = []
        self.own: dict[int, Posted] = {}

    def get(self, number: int, /) -> Posted | None:
        if (found := self.own.get(number)) is not None:
            return found
        found = self._below.get(number)
        for slab in self._slabs:
            if slab.first <= number <= slab.last:
                found = _sum(found, slab.at(number))
        return found

    def put(self, number: int, value: Posted, /) -> None:
        self.own[number] = value

    def add(self, slab: Slab) -> None:
        """Add what a stretch of loans has earned; for those that stand here singly, to their own."""
        single = [number for number in self.own if slab.first <= number <= slab.last]
        more = slab.more.copy() if single else slab.more
        for number in single:
            self.own[number] = _sum(self.own[number], slab.at(number)) or self.own[number]
            more[:, number - slab.first] = 0
        self._slabs.append(Slab(slab.first, slab.through, more))

    def stretch(self, first: int, last: int) -> tuple[Fen, NDArray[np.int32]]:
        fen, through = self._below.stretch(first, last)
        for number in range(first, last + 1) if self._slabs else [number for number in self.own if first <= number <= last]:
            if (found := self.get(number)) is not None:
                fen[:, number - first] = found.interest_fen, found.fee_fen, found.penalty_fen
                through[number - first] = found.through
        return fen, through

    def sink(self) -> None:
        """Move everything written here into what is below."""
        for slab in self._slabs:
            self._below.add(slab)
        for number, value in self.own.items():
            self._below.put(number, value)


def _sum(known: Posted | None, more: Posted) -> Posted | None:
    if not (more.interest_fen or more.fee_fen or more.penalty_fen):
        return known
    was = known or Posted()
    fields: dict[str, Any] = {name: getattr(was, name) + getattr(more, name) for name in FIELDS}
    return Posted(**fields, through=max(was.through, more.through))
