"""A table seen as a mapping by id: always up to date, equal to a dictionary of the same values. Pure."""

from collections.abc import Iterator, Mapping
from typing import Protocol, TypeVar

Kind = TypeVar("Kind")
Kept_co = TypeVar("Kept_co", covariant=True)


class Table(Protocol[Kept_co]):
    """What can be asked for by id, and goes through its ids in the order in which they came."""

    def get(self, key: int, /) -> Kept_co | None: ...

    def keys(self) -> Iterator[int]: ...

    def __len__(self) -> int: ...


class ById(Mapping[int, Kind]):
    """Every value of a table by id. Walking over it makes a value for each row: for tests and small books."""

    def __init__(self, table: Table[Kind]) -> None:
        self._table = table

    def __getitem__(self, key: int) -> Kind:
        found = self._table.get(key)
        if found is None:
            raise KeyError(key)
        return found

    def __iter__(self) -> Iterator[int]:
        return self._table.keys()

    def __len__(self) -> int:
        return len(self._table)
