"""Follows the log: keeps the features of the owned slots, the lists and the watermark at one position, and what it knew of each event that is not judged yet.

Everything here is a function of the log. Snapshots only make a start shorter.
"""

import asyncio
import gc
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

import msgspec

from reference_apps.fraud.features.shard import ALL, GRAPH_BIT, Partial, Shard, merged
from reference_apps.fraud.features.table import Packed
from reference_apps.fraud.keeping.log import Item, Log, Row
from reference_apps.fraud.keeping.snapshots import Mark, Snapshots
from reference_apps.fraud.model import Event, Listing
from reference_apps.fraud.notes import Note, Switch
from reference_apps.fraud.policy.lists import Lists

CHUNK = 1_000
BREATH = 100
"""After so many events of a replay others get their turn."""
PACKED_AT_ONCE, FORGOTTEN_AT_ONCE = 15, 30
"""So many that a check which comes just then does not feel it."""
LINKS_AT_ONCE = 1_000


class Known(msgspec.Struct, gc=False):
    """What is known of one event of the log: by whom it was taken in, the features of the owned slots, the rules that had been
    switched before it, and the judgement once it is made."""

    event: Event
    taken_by: str
    partial: Partial
    late_ms: int
    listings: tuple[Listing, ...]
    switches: tuple[Switch, ...] = ()
    judged: bytes | None = None


class Follower:
    """The features at `position`. Use it from one event loop only."""

    def __init__(self, log: Log, snapshots: Snapshots) -> None:
        self._log, self._snapshots = log, snapshots
        self._shard = Shard(0, snapshots.fetch)
        self._lists = Lists()
        self._changing = asyncio.Lock()
        self._has_begun = False
        self._unwritten: tuple[int, Mark, list[Packed], list[tuple[str, str]]] | None = None
        self.known: dict[int, Known] = {}
        self.switches: tuple[Switch, ...] = ()
        self.floor = self.end = 0
        self.snapshot_at = 0

    @property
    def position(self) -> int:
        return self._shard.applied

    @property
    def slots(self) -> int:
        return self._shard.slots

    async def begin(self, slots: int) -> None:
        """Start with these slots: read their last snapshot, and replay the log from there to its end."""
        with _uncollected():
            await self._begin(slots)

    async def _begin(self, slots: int) -> None:
        mark = self._snapshots.mark(slots)
        await self._find_floor(mark.position)
        self._shard = await self._shard_at(mark, slots)
        self._lists = Lists(self._log.listings(mark.position))
        self.switches = tuple(self._log.switches(mark.position))
        while rows := await asyncio.to_thread(self._log.after, self.position, CHUNK):
            await self._read_ahead(self._shard, rows)
            for place, row in enumerate(rows):
                self._take(row)
                if place % BREATH == 0:
                    await asyncio.sleep(0)
        self._shard.read_ahead({}, {})
        self.snapshot_at = mark.position
        self._has_begun = True

    async def _read_ahead(self, shard: Shard, rows: Sequence[Row]) -> None:
        """Read the states that these rows will touch all together, in a thread. Only for a shard that makes no snapshots meanwhile."""
        strangers = shard.strangers(row.item for row in rows if isinstance(row.item, Event))
        shard.read_ahead(strangers, await asyncio.to_thread(self._snapshots.fetch_many, strangers))

    async def _shard_at(self, mark: Mark, slots: int) -> Shard:
        shard = Shard(slots, self._snapshots.fetch)
        shard.applied, shard.newest = mark.position, mark.newest
        links = await asyncio.to_thread(self._snapshots.links) if slots & GRAPH_BIT else []
        for begin in range(0, len(links), LINKS_AT_ONCE):
            shard.restore_links(links[begin : begin + LINKS_AT_ONCE])
            await asyncio.sleep(0)
        for listing in self._log.listings(mark.position):
            shard.marks.note(listing)
        return shard

    def follow(self, appended: Sequence[tuple[int, Item]], instance: str) -> None:
        """Take in what this instance has just written; what others wrote in between is read from the log."""
        for position, item in appended:
            if position == self.position + 1:
                self._take(Row(position, instance, item))
            elif position > self.position:
                self.catch_up(position)

    def catch_up(self, target: int = 2**62) -> None:
        """Read the log on, at least to `target` if it is that long."""
        while self._has_begun and self.position < target and (rows := self._log.after(self.position, CHUNK)):
            for row in rows:
                self._take(row)

    def _take(self, row: Row) -> None:
        position, item = row.position, row.item
        if isinstance(item, Listing):
            self._shard.note(position, item)
            self._lists.note(item)
            return
        if isinstance(item, Note):
            self._shard.pass_by(position)
            self.switches += (item,) if isinstance(item, Switch) else ()
            return
        if position <= self.floor:
            self._shard.take_in(position, item)
        else:
            late_ms = self._shard.late_ms(item)
            partial = self._shard.apply(position, item)
            self.known[position] = Known(item, row.taken_by, partial, late_ms, self._lists.in_force(item), self.switches)

    async def gain(self, slots: int) -> None:
        """Own more slots: replay the log for them beside the work that goes on, until both stand at the same position."""
        shard = await self._shard_at(self._snapshots.mark(slots), slots)
        found: dict[int, Partial] = {}
        while shard.applied < self.position:
            rows = [row for row in self._log.after(shard.applied, CHUNK) if row.position <= self.position]
            await self._read_ahead(shard, rows)
            for place, row in enumerate(rows):
                _apply(shard, row, found, self.floor)
                if place % BREATH == BREATH - 1:
                    await asyncio.sleep(0)
        shard.read_ahead({}, {})
        self._shard.absorb(shard)
        for position, partial in found.items():
            known = self.known.get(position)
            if known is not None:
                known.partial = merged((known.partial, partial))

    async def keep(self, slots: int) -> None:
        """Own no more than these slots."""
        async with self._changing:
            self._shard.keep(slots)

    async def snapshot(self) -> int:
        """Write a snapshot of how things stand now, bit by bit, and return its position. Waits until all events up to there are judged.

        One that could not be written is written first: what it holds counts as being on the disk. Not to be cancelled. Raises DatabaseFailed.
        """
        async with self._changing:
            if self._unwritten is None:
                shard = self._shard
                mark, slots = Mark(shard.applied, shard.newest), shard.slots
                links = shard.barrier()
                while shard.pack(PACKED_AT_ONCE):
                    await asyncio.sleep(0.001)
                self._unwritten = slots, mark, shard.take_packed(), links
            slots, mark, packed, links = self._unwritten
            while self.floor < mark.position:
                await asyncio.sleep(0.05)
                await self.raise_floor()
            await asyncio.to_thread(self._snapshots.write, slots, mark, packed, links)
            self._unwritten = None
            self.snapshot_at = mark.position
            return mark.position

    async def raise_floor(self, most: int = 1) -> Sequence[int]:
        """Find up to where every event has its judgement on the disk, forget what was known of those, and return the first `most` that have none."""
        unjudged = await self._find_floor(self.floor, most)
        for number, position in enumerate(list(self.known)):
            if position > self.floor:
                break
            self.known.pop(position, None)
            if number % FORGOTTEN_AT_ONCE == FORGOTTEN_AT_ONCE - 1:
                await asyncio.sleep(0)
        return unjudged

    async def _find_floor(self, after: int, most: int = 1) -> Sequence[int]:
        self.end = await asyncio.to_thread(self._log.last)
        unjudged = await asyncio.to_thread(self._log.unjudged, after, most)
        self.floor = max(after, min(self.end, unjudged[0] - 1) if unjudged else self.end)
        return unjudged

    def tell(self, positions: Iterable[int]) -> list[Partial | None]:
        """Return what is known of the events at these positions; None: it is not in the log yet, or judged long ago."""
        return [known.partial if (known := self.known.get(position)) else None for position in positions]


def _apply(shard: Shard, row: Row, found: dict[int, Partial], floor: int) -> None:
    if isinstance(row.item, Listing):
        shard.note(row.position, row.item)
        return
    if isinstance(row.item, Note):
        shard.pass_by(row.position)
        return
    if row.position > floor:
        found[row.position] = shard.apply(row.position, row.item)
    else:
        shard.take_in(row.position, row.item)


def is_whole(partial: Partial) -> bool:
    """Return whether all slots are in it."""
    return partial.slots == ALL


@contextmanager
def _uncollected() -> Iterator[None]:
    """Let the garbage collector be: what a start makes stays, and to look through it again and again takes half of the start."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if was_on:
            gc.enable()
