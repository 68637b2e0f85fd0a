"""The features of some of the keys: a pure function of the log, event by event in its order. What it does not own, it does not say.

Keys are spread over SLOTS by their hash, and the graph has a slot of its own. Who owns which is decided elsewhere; two shards that own the same slot say the
same, so an owner too many does no harm.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any
from zlib import crc32

import msgspec

from reference_apps.fraud.features import graph, oddness
from reference_apps.fraud.features.graph import Hub, Marks, Rings, Ties
from reference_apps.fraud.features.keystate import Figures, KeyState, alone
from reference_apps.fraud.features.moving import Entry
from reference_apps.fraud.features.spec import DAY_MS, FAMILIES, LATENESS_MS, NOTHING, SPEC, WINDOWS
from reference_apps.fraud.features.table import Packed, Table, no_store
from reference_apps.fraud.features.trees import Forest
from reference_apps.fraud.model import Event, Listing

SLOTS = 63
GRAPH_SLOT = SLOTS
"""All slots are the bits of one 64-bit number."""
ALL = (1 << (SLOTS + 1)) - 1
GRAPH_BIT = 1 << GRAPH_SLOT
BEFORE_ALL = -(2**62)


def _keyed() -> Callable[[Event], tuple[tuple[Any, Entry], ...]]:
    """Return what reads, for each family, an event's key (of a family with `many`: its keys) and the event as that key sees it."""
    read = (f"(e.{family.key}, (e.at_ms, e.amount_fen, e.{family.distinct[0]}, e.{family.distinct[1]}))" for family in SPEC.families)
    made: Callable[[Event], tuple[tuple[Any, Entry], ...]] = eval(f"lambda e: ({', '.join(read)},)", {"__builtins__": {}})
    return made


KEYED = _keyed()
IS_MANY = tuple(family.many for family in SPEC.families)


class Partial(msgspec.Struct, gc=False, frozen=True, array_like=True):
    """What a shard knows of one event. `slots`: bits of the slots it owned then; a family that it knows nothing of is None. `odd`: how odd the event is, in
    millionths, said by the owner of the graph; None: that is another one, or too little was seen yet."""

    slots: int
    figures: tuple[Figures | None, ...]
    ties: Ties | None
    odd: int | None = None


def slot_of(family: str, key: str) -> int:
    """Return the slot of a key, the same in every process."""
    return crc32(f"{family}|{key}".encode()) % SLOTS


class Shard:
    """States of the owned slots up to position `applied` of the log. `newest` is the newest event time up to there."""

    def __init__(self, slots: int = ALL, fetch: Callable[[str, str], bytes | None] = no_store) -> None:
        self.slots = slots
        self.applied = 0
        self.newest = BEFORE_ALL
        self.marks = Marks()
        self._fetch = fetch
        self._tables: dict[str, tuple[Table[KeyState], ...]] = {}
        self._hubs = {family: Table[Hub](f"hub|{family}", dict, _pack_hub, _unpack_hub, fetch) for family in ("device", "contact")}
        self._forests = oddness.tables(fetch)
        self._rings = Rings()
        self.links: list[tuple[str, str]] = []

    def apply(self, position: int, event: Event) -> Partial:
        """Take in the next event of the log and return what is known of it, itself included. What a key was shown before is not counted again.

        Long for a function, as it goes through seven keys for each event: an only contact, and a key that is new, are seen to without another call.
        """
        at, amount, slots, number = event.at_ms, event.amount_fen, self.slots, -1
        first_time = (1, amount, amount, 1, 1) * WINDOWS
        figures: list[Figures | None] = []
        tables = self._tables.get(event.kind) or self._new_tables(event.kind)
        for key, entry in KEYED(event):
            number += 1
            found: Figures | None = None
            if not key:
                found = NOTHING
            elif IS_MANY[number] and len(key) > 1:
                found = self._many(position, dict.fromkeys(key), number, tables[number], entry)
            else:
                if IS_MANY[number]:
                    key = key[0]
                if slots == ALL or slots >> slot_of(FAMILIES[number], key) & 1:
                    table = tables[number]
                    state = table.young.get(key)
                    if state is None:
                        state = table.recall(key)
                    if state.seen < position:
                        state.seen = position
                        if state.entries:
                            found = state.observe(entry)
                        else:
                            state.entries.append(entry)
                            found = first_time if entry[2] and entry[3] else alone(entry)
            figures.append(found)
        ties = self._ties(event) if slots & GRAPH_BIT else None
        odd = oddness.observe(self._forests, position, event, ties) if ties is not None else None
        self.applied = position
        if at > self.newest:
            self.newest = at
        return Partial(slots, tuple(figures), ties, odd)

    def take_in(self, position: int, event: Event) -> None:
        """Take in the next event of the log, of which nothing need be known any more: afterwards the shard is as `apply` leaves it."""
        tables = self._tables.get(event.kind) or self._new_tables(event.kind)
        for is_many, table, (found, entry) in zip(IS_MANY, tables, KEYED(event), strict=True):
            for key in self._owned(table.name, dict.fromkeys(found) if is_many else (found,)):
                state = table.touch(key)
                if state.seen < position:
                    state.seen = position
                    state.take_in(entry)
        if self.slots & GRAPH_BIT:
            oddness.observe(self._forests, position, event, self._ties(event))
        self.applied, self.newest = position, max(self.newest, event.at_ms)

    def note(self, position: int, listing: Listing) -> None:
        """Take in an entry of a list that stands in the log."""
        self.marks.note(listing)
        self.applied = position

    def pass_by(self, position: int) -> None:
        """Go past something in the log that changes no feature."""
        self.applied = position

    def late_ms(self, event: Event) -> int:
        """Return how far an event that is next in the log lies behind the watermark; 0: it does not."""
        late = self.newest - LATENESS_MS - event.at_ms
        return late if late > 0 else 0

    def _many(self, position: int, keys: Iterable[str], number: int, table: Table[KeyState], entry: Entry) -> Figures | None:
        """Return the highest of each figure over the owned keys; None when none of them is owned."""
        highest: Figures | None = None
        for key in keys:
            if self.slots == ALL or self.slots >> slot_of(FAMILIES[number], key) & 1:
                state = table.touch(key)
                if state.seen < position:
                    state.seen = position
                    found = state.observe(entry)
                    highest = found if highest is None else tuple(map(max, highest, found))
        return highest

    def _ties(self, event: Event) -> Ties:
        account, at, bad = event.account, event.at_ms, self.marks.bad
        sharing = others = spoilt = fresh = 0
        linked: tuple[str, ...] = ()
        for family, key in graph.hubs_of(event):
            hub = self._hubs[family].touch(key)
            if not hub:
                hub[account] = at
                fresh += 1
                continue
            if len(hub) == 1 and account in hub:  # nobody else is on it
                fresh += at - DAY_MS < hub[account] <= at
                continue
            anchor = graph.link(hub, account, at)
            if anchor is not None:
                self._rings.join(anchor, account)
                self.links.append((anchor, account))
                linked += (anchor,)
            more, worse, new = graph.near(hub, account, at, bad)
            others, spoilt, fresh = others + more, spoilt + worse, fresh + new
            if more > sharing:
                sharing = more
        return Ties(sharing, self._rings.size(account), others, spoilt, fresh, linked)

    def _new_tables(self, kind: str) -> tuple[Table[KeyState], ...]:
        made = tuple(Table(f"{kind}|{family}", KeyState, KeyState.pack, KeyState.unpack, self._fetch) for family in FAMILIES)
        self._tables[kind] = made
        return made

    def _all_tables(self) -> Iterable[Table[KeyState] | Table[Hub] | Table[Forest]]:
        for tables in self._tables.values():
            yield from tables
        yield from self._hubs.values()
        yield from self._forests.values()

    def strangers(self, events: Iterable[Event]) -> dict[str, list[str]]:
        """Return the keys, by table, that these events will have fetched."""
        touched: dict[str, set[str]] = {}
        for event in events:
            self._tables.get(event.kind) or self._new_tables(event.kind)
            for name, is_many, (found, _) in zip(FAMILIES, IS_MANY, KEYED(event), strict=True):
                touched.setdefault(f"{event.kind}|{name}", set()).update(found if is_many else (found,))
            for hub, key in graph.hubs_of(event) if self.slots & GRAPH_BIT else ():
                touched.setdefault(f"hub|{hub}", set()).add(key)
        tables = {table.name: table for table in self._all_tables()}
        return {name: found for name, keys in touched.items() if (found := tables[name].strangers(self._owned(name, keys)))}

    def _owned(self, table: str, keys: Iterable[str]) -> list[str]:
        kind, family = table.split("|")
        return [key for key in keys if key and (kind == "hub" or self.slots == ALL or self.slots >> slot_of(family, key) & 1)]

    def read_ahead(self, strangers: Mapping[str, Iterable[str]], contents: Mapping[str, Mapping[str, bytes]]) -> None:
        """Take what was fetched of strangers, for the events that are applied next."""
        for table in self._all_tables():
            table.read_ahead(strangers.get(table.name, ()), contents.get(table.name, {}))

    def restore_links(self, links: Iterable[tuple[str, str]]) -> None:
        """Take in the links that snapshots wrote."""
        for one, other in links:
            self._rings.join(one, other)

    def barrier(self) -> list[tuple[str, str]]:
        """Begin a snapshot of how things stand now, and return the links made since the last one."""
        links, self.links = self.links, []
        for table in self._all_tables():
            table.barrier()
        return links

    def pack(self, most: int) -> bool:
        """Pack some more of the snapshot; False: nothing waits any more."""
        return any(table.pack(most) for table in self._all_tables())

    def take_packed(self) -> list[Packed]:
        """Hand out what was packed so far, to be written."""
        return [packed for table in self._all_tables() for packed in table.take_packed()]

    def keep(self, slots: int) -> None:
        """Forget all slots but these."""
        self.slots &= slots
        for kind_tables in self._tables.values():
            for table, family in zip(kind_tables, FAMILIES, strict=True):
                table.drop(lambda key, family=family: bool(self.slots >> slot_of(family, key) & 1))  # type: ignore[misc]
        if not self.slots & GRAPH_BIT:
            self._rings, self.links = Rings(), []
            for hubs in self._hubs.values():
                hubs.drop(lambda _: False)
            for forest in self._forests.values():
                forest.drop(lambda _: False)

    def absorb(self, other: "Shard") -> None:
        """Take over the slots of a shard that stands at the same position."""
        assert other.applied == self.applied, f"shards stand at {other.applied} and {self.applied}"
        for kind in other._tables:
            mine = self._tables.get(kind) or self._new_tables(kind)
            for table, theirs in zip(mine, other._tables[kind], strict=True):
                table.absorb(theirs)
        if other.slots & GRAPH_BIT:
            for family, hubs in self._hubs.items():
                hubs.absorb(other._hubs[family])
            for kind, forest in self._forests.items():
                forest.absorb(other._forests[kind])
            self._rings, self.links = other._rings, other.links
        self.slots |= other.slots


def merged(partials: Iterable[Partial]) -> Partial:
    """Return what several shards know together. Slots that two of them own count once: they say the same."""
    slots, ties, odd = 0, None, None
    figures: list[Figures | None] = [None] * len(FAMILIES)
    for partial in partials:
        slots |= partial.slots
        ties = ties or partial.ties
        odd = partial.odd if odd is None else odd
        for number, found in enumerate(partial.figures):
            if found is not None:
                before = figures[number]
                figures[number] = found if before is None else tuple(map(max, before, found))
    return Partial(slots, tuple(figures), ties, odd)


def _pack_hub(hub: Hub) -> bytes:
    return msgspec.msgpack.encode(hub)


def _unpack_hub(content: bytes) -> Hub:
    return HUB.decode(content)


HUB = msgspec.msgpack.Decoder(dict[str, int])
