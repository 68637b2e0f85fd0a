"""A schedule as agreed, packed: 24 bytes an instalment instead of some 150, since books hold tens of millions of them. Never changed once made."""

import struct
from collections.abc import Iterator, Sequence
from datetime import date
from typing import overload

from reference_apps.ledger.loans.schedule import Instalment

LINE = struct.Struct("<qqq")
"""Due date (ordinal), principal and interest in fen."""


class Agreed(Sequence[Instalment]):
    """Reads like a tuple of instalments; `first` is the number of the first, 0 when it is a down payment."""

    __slots__ = ("first", "packed")

    def __init__(self, first: int, packed: bytes) -> None:
        self.first, self.packed = first, packed

    def __len__(self) -> int:
        return len(self.packed) // LINE.size

    def __iter__(self) -> Iterator[Instalment]:
        for number, (due, principal, interest) in enumerate(LINE.iter_unpack(self.packed), self.first):
            yield Instalment(number, date.fromordinal(due), principal, interest)

    @overload
    def __getitem__(self, place: int) -> Instalment: ...
    @overload
    def __getitem__(self, place: slice) -> tuple[Instalment, ...]: ...
    def __getitem__(self, place: int | slice) -> Instalment | tuple[Instalment, ...]:
        if isinstance(place, slice):
            return tuple(self)[place]
        at = range(len(self))[place]
        due, principal, interest = LINE.unpack_from(self.packed, at * LINE.size)
        return Instalment(self.first + at, date.fromordinal(due), principal, interest)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Agreed):
            return self.first == other.first and self.packed == other.packed
        return isinstance(other, tuple) and tuple(self) == other

    def __hash__(self) -> int:
        return hash((self.first, self.packed))

    def __repr__(self) -> str:
        return f"Agreed({tuple(self)!r})"


def pack(lines: Sequence[Instalment]) -> Sequence[Instalment]:
    """Return the instalments packed; as they are when they are packed already, or when an amount is beyond 64 bits."""
    if isinstance(lines, Agreed):
        return lines
    try:
        packed = b"".join(LINE.pack(line.due_on.toordinal(), line.principal_fen, line.interest_fen) for line in lines)
    except struct.error:
        return tuple(lines)
    return Agreed(lines[0].number if lines else 1, packed)
