"""The event log: everything that happened and every entry of a list, in one order, on the disk before anybody is answered.

All instances of a machine share one SQLite file. Whoever holds its write lock gives out the positions; all else is worked out from the log. A judgement is kept
beside its event, because a later policy may judge otherwise and a score is never rewritten. `notable` are the positions that matter beyond their own event:
alerts, new links between accounts, hits of rules in shadow, entries of lists, and what people noted. An event's id is text, a note's a blob: they never clash.
"""

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from ctl.kit.database import Database
from reference_apps.fraud.model import Event, Listing
from reference_apps.fraud.notes import AnyNote, Note, Switch

SCHEMA = """
CREATE TABLE IF NOT EXISTS log (
    position INTEGER PRIMARY KEY AUTOINCREMENT, event_id TEXT UNIQUE, taken_by TEXT NOT NULL, content BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS log_lists ON log (position) WHERE event_id IS NULL;
CREATE TABLE IF NOT EXISTS judged (position INTEGER PRIMARY KEY, content BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS notable (position INTEGER PRIMARY KEY);
"""

INSERT = "INSERT OR IGNORE INTO log (event_id, taken_by, content) VALUES (?, ?, ?)"
JUDGE = "INSERT OR IGNORE INTO judged (position, content) VALUES (?, ?)"
NOTABLE = "INSERT OR IGNORE INTO notable (position) VALUES (?)"
UNJUDGED = "position > ? AND typeof(event_id) = 'text' AND NOT EXISTS (SELECT 1 FROM judged WHERE judged.position = log.position)"

Item = Event | Listing | Note
Inserted = tuple[str | bytes | None, str, bytes]
"""An item as a row: its id, the instance that took it in, and its content."""
Judged = tuple[int, bytes, bool]
"""A position, the judgement of the event that stands there, and whether it is notable."""

ENCODER = msgspec.msgpack.Encoder()
EVENT = msgspec.msgpack.Decoder(Event)
LISTING = msgspec.msgpack.Decoder(Listing)
NOTE = msgspec.msgpack.Decoder(AnyNote)


@dataclass(frozen=True, slots=True)
class Appended:
    """What became of an item: its position, and what had its id before, if anything did."""

    position: int
    known: Item | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """An item in its place. `taken_by`: the instance that took it in."""

    position: int
    taken_by: str
    item: Item


class Log:
    """The shared file, seen from one instance. Reads have a connection of their own, so that they never wait for a commit."""

    def __init__(self, folder: Path, instance: str) -> None:
        self._instance = instance
        self._writing = Database(folder / "events.db", SCHEMA)
        self._reading = Database(folder / "events.db", SCHEMA)

    def append(self, items: Sequence[Item], judged: Iterable[Judged] = ()) -> list[Appended]:
        """Write items, and judgements of earlier ones, in one commit. What has an id that is there already is not written again. Raises DatabaseFailed."""
        rows = [row_of(item, self._instance) for item in items]
        return [appended(row, *placed) for row, placed in zip(rows, self.write(rows, list(judged)), strict=True)]

    def write(self, rows: Sequence[Inserted], judged: Sequence[Judged]) -> list[tuple[int, bytes | None]]:
        """Write rows as `append` does, and return the position of each, with what had its id before. Raises DatabaseFailed."""
        with self._writing.write() as connection:
            connection.executemany(JUDGE, ((position, content) for position, content, _ in judged))
            connection.executemany(NOTABLE, [(position,) for position, _, is_notable in judged if is_notable])
            return [_placed(connection, row) for row in rows]

    def after(self, position: int, limit: int) -> list[Row]:
        """Return what follows a position, in order."""
        with self._reading.read() as connection:
            rows = connection.execute("SELECT position, event_id, taken_by, content FROM log WHERE position > ? ORDER BY position LIMIT ?", (position, limit))
            return [Row(at, taken_by, _item(event_id, content)) for at, event_id, taken_by, content in rows]

    def listings(self, up_to: int = 2**62) -> list[Listing]:
        """Return the entries of lists up to a position, in order."""
        with self._reading.read() as connection:
            rows = connection.execute("SELECT content FROM log WHERE event_id IS NULL AND position <= ? ORDER BY position", (up_to,)).fetchall()
        return [LISTING.decode(content) for (content,) in rows]

    def notes(self, up_to: int = 2**62) -> list[tuple[int, Note]]:
        """Return what people noted up to a position, in order."""
        query = "SELECT position, content FROM log WHERE event_id >= x'' AND +position <= ? ORDER BY +position"  # blobs stand behind all text in the ids' index
        with self._reading.read() as connection:
            return [(position, NOTE.decode(content)) for position, content in connection.execute(query, (up_to,))]

    def switches(self, up_to: int = 2**62) -> list[Switch]:
        """Return the rules switched up to a position, in order."""
        return [note for _, note in self.notes(up_to) if isinstance(note, Switch)]

    def notable(self, after: int, up_to: int, limit: int) -> list[tuple[int, Item, bytes | None]]:
        """Return what is notable beyond a position, in order, events with their judgements. Up to `up_to` every event must be judged."""
        query = """SELECT position, event_id, log.content, judged.content FROM notable JOIN log USING (position) LEFT JOIN judged USING (position)
            WHERE position > ? AND position <= ? ORDER BY position LIMIT ?"""
        with self._reading.read() as connection:
            return [(at, _item(kept_id, content), judged) for at, kept_id, content, judged in connection.execute(query, (after, up_to, limit))]

    def last(self) -> int:
        """Return the last position; 0: the log is empty."""
        with self._reading.read() as connection:
            return int(connection.execute("SELECT coalesce(max(position), 0) FROM log").fetchone()[0])

    def unjudged(self, after: int, limit: int) -> list[int]:
        """Return the first positions beyond `after` whose event has no judgement yet."""
        with self._reading.read() as connection:
            return [row[0] for row in connection.execute(f"SELECT position FROM log WHERE {UNJUDGED} ORDER BY position LIMIT ?", (after, limit))]

    def judgement(self, position: int) -> bytes | None:
        """Return the judgement of the event at a position, if it is written."""
        with self._reading.read() as connection:
            found = connection.execute("SELECT content FROM judged WHERE position = ?", (position,)).fetchone()
        return found[0] if found else None

    def find(self, event_id: str) -> tuple[int, Event, bytes | None] | None:
        """Return where an event stands, it, and its judgement; None: there is no such event."""
        query = "SELECT log.position, log.content, judged.content FROM log LEFT JOIN judged USING (position) WHERE event_id = ?"
        with self._reading.read() as connection:
            found = connection.execute(query, (event_id,)).fetchone()
        return (found[0], EVENT.decode(found[1]), found[2]) if found else None

    def page(self, after: int, limit: int) -> list[tuple[int, Event, bytes | None]]:
        """Return events with their judgements, in the order of the log, from beyond `after`."""
        query = """SELECT log.position, log.content, judged.content FROM log LEFT JOIN judged USING (position)
            WHERE log.position > ? AND typeof(event_id) = 'text' ORDER BY log.position LIMIT ?"""
        with self._reading.read() as connection:
            rows = connection.execute(query, (after, limit)).fetchall()
        return [(position, EVENT.decode(content), judged) for position, content, judged in rows]

    def page_of_lists(self, after: int, limit: int) -> list[tuple[int, Listing]]:
        """Return entries of lists with their positions, oldest first, replaced ones too."""
        query = "SELECT position, content FROM log WHERE event_id IS NULL AND position > ? ORDER BY position LIMIT ?"
        with self._reading.read() as connection:
            rows = connection.execute(query, (after, limit)).fetchall()
        return [(position, LISTING.decode(content)) for position, content in rows]

    def close(self) -> None:
        self._writing.close()
        self._reading.close()


def _placed(connection: sqlite3.Connection, row: Inserted) -> tuple[int, bytes | None]:
    added = connection.execute(INSERT, row)
    if not added.rowcount:
        position, content = connection.execute("SELECT position, content FROM log WHERE event_id = ?", (row[0],)).fetchone()
        return position, content
    if not isinstance(row[0], str):
        connection.execute(NOTABLE, (added.lastrowid,))
    return added.lastrowid or 0, None


def row_of(item: Item, instance: str) -> Inserted:
    """Return an item as the log has it."""
    return _id_of(item), instance, ENCODER.encode(item)


def appended(row: Inserted, position: int, known: bytes | None) -> Appended:
    """Return what became of a row."""
    return Appended(position, None if known is None else _item(row[0], known))


def _id_of(item: Item) -> str | bytes | None:
    return item.id if isinstance(item, Event) else item.id.encode() if isinstance(item, Note) else None


def _item(kept_id: str | bytes | None, content: bytes) -> Item:
    if isinstance(kept_id, str):
        return EVENT.decode(content)
    return LISTING.decode(content) if kept_id is None else NOTE.decode(content)
