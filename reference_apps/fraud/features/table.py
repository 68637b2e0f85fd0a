"""States by key, in three ages, so that a snapshot is whole although work goes on: touched since the barrier, waiting to be packed, at rest. No IO.

At a barrier everything touched begins to wait. What waits is packed bit by bit, or at once when it is touched again: either way as it was at the barrier.
What is at rest is on the disk and is let go at a barrier, once it is a lot.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Generic, TypeVar

State = TypeVar("State")
MOST_AT_REST = 50_000

Packed = tuple[str, str, bytes]
"""Table, key, content."""


def no_store(table: str, key: str) -> bytes | None:
    """The store of a shard that has none: it remembers nothing."""
    return None


class Table(Generic[State]):
    """The states of one family. `fetch` reads what an earlier snapshot wrote of a key."""

    __slots__ = ("_ahead", "_fetch", "_new", "_pack", "_unpack", "name", "packed", "rest", "waiting", "young")

    def __init__(
        self,
        name: str,
        new: Callable[[], State],
        pack: Callable[[State], bytes],
        unpack: Callable[[bytes], State],
        fetch: Callable[[str, str], bytes | None] = no_store,
    ) -> None:
        self.name = name
        self._new, self._pack, self._unpack, self._fetch = new, pack, unpack, fetch
        self.young: dict[str, State] = {}
        self.waiting: dict[str, State] = {}
        self.rest: dict[str, State] = {}
        self.packed: list[Packed] = []
        self._ahead: dict[str, bytes | None] = {}

    def touch(self, key: str) -> State:
        """Return the state of a key that is about to change."""
        state = self.young.get(key)
        return state if state is not None else self.recall(key)

    def recall(self, key: str) -> State:
        """Return the state of a key that was not touched since the barrier."""
        state = self.waiting.pop(key, None) if self.waiting else None
        if state is not None:
            self.packed.append((self.name, key, self._pack(state)))
        else:
            state = self.rest.pop(key, None) if self.rest else None
            if state is None:
                content = self._ahead.pop(key) if key in self._ahead else self._fetch(self.name, key)
                state = self._new() if content is None else self._unpack(content)
        self.young[key] = state
        return state

    def strangers(self, keys: Iterable[str]) -> list[str]:
        """Return those of the keys whose state would have to be fetched."""
        return [key for key in keys if key not in self.young and key not in self.waiting and key not in self.rest]

    def read_ahead(self, keys: Iterable[str], contents: Mapping[str, bytes]) -> None:
        """Take what was fetched of these keys, until the next time; what has no content is new. Each serves once, only where `fetch` would be asked."""
        self._ahead = {key: contents.get(key) for key in keys}

    def barrier(self) -> None:
        """Let everything that was touched wait. Only when nothing waits any more, and what was packed is written."""
        if self.waiting or self.packed:
            raise RuntimeError(f"{self.name}: the last snapshot is not done")
        self.waiting, self.young = self.young, {}
        if len(self.rest) > MOST_AT_REST:
            self.rest = {}

    def pack(self, most: int) -> int:
        """Pack up to `most` of what waits and return how many were packed."""
        number = 0
        while self.waiting and number < most:
            key, state = self.waiting.popitem()
            self.packed.append((self.name, key, self._pack(state)))
            self.rest[key] = state
            number += 1
        return number

    def take_packed(self) -> list[Packed]:
        """Hand out what was packed."""
        packed, self.packed = self.packed, []
        return packed

    def drop(self, is_kept: Callable[[str], bool]) -> None:
        """Forget the states of all other keys. Not while something waits."""
        self.young = {key: state for key, state in self.young.items() if is_kept(key)}
        self.rest = {key: state for key, state in self.rest.items() if is_kept(key)}

    def absorb(self, other: "Table[State]") -> None:
        """Take over the states of another shard, which holds other keys."""
        self.young.update(other.young)
        self.young.update(other.rest)
