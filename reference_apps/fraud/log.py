"""The event log: every event stands in it before it is judged, and everything that is known is read from it.

All instances share one SQLite file, so a check is one transaction that holds the file's write lock: events of all instances stand in one order, and
windows are exact across instances. The price: one writer at a time on one machine, and a check reads what its keys did in the last 24 hours.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from sqlite3 import Connection
from typing import Any

from ctl.kit.database import Database
from ctl.kit.problem import Problem
from reference_apps.fraud.model import Event, Family, Listing, ListKind
from reference_apps.fraud.windows import LONGEST_MS

SCHEMA = """
CREATE TABLE IF NOT EXISTS log (
    position INTEGER PRIMARY KEY AUTOINCREMENT, event_id TEXT NOT NULL UNIQUE, at_ms INTEGER NOT NULL,
    account TEXT NOT NULL, device TEXT NOT NULL, phone TEXT NOT NULL, event TEXT NOT NULL, judged TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS log_account ON log (account, at_ms);
CREATE INDEX IF NOT EXISTS log_device ON log (device, at_ms) WHERE device != '';
CREATE INDEX IF NOT EXISTS log_phone ON log (phone, at_ms) WHERE phone != '';
CREATE TABLE IF NOT EXISTS contacts (
    contact TEXT NOT NULL, at_ms INTEGER NOT NULL, position INTEGER NOT NULL, PRIMARY KEY (contact, at_ms, position)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS lists (
    position INTEGER PRIMARY KEY AUTOINCREMENT, list TEXT NOT NULL, family TEXT NOT NULL, value TEXT NOT NULL,
    from_ms INTEGER NOT NULL, until_ms INTEGER NOT NULL, reason TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS lists_value ON lists (value, family);
"""

LISTING = "list, family, value, from_ms, until_ms, reason"

Json = dict[str, Any]
Judge = Callable[[Event, Sequence[Event], Sequence[Listing]], Json]
"""Judges an event by the earlier events that share a key or a contact with it, and by the lists' newest entries."""


class EventLog:
    """The shared file, seen from one instance."""

    def __init__(self, folder: Path) -> None:
        self._database = Database(folder / "fraud.db", SCHEMA)

    def check(self, event: Event, judge: Judge) -> Json:
        """Log an event with its judgement, in one commit, and return the judgement. An event that is logged already keeps the judgement it got.

        Raises Problem (422) when the id was used for another event, DatabaseFailed.
        """
        content = _written(event)
        with self._database.write() as connection:
            known = connection.execute("SELECT event, judged FROM log WHERE event_id = ?", (event.id,)).fetchone()
            if known is not None:
                return _judged_before(event, content, *known)
            judged = judge(event, _before(connection, event), _listings(connection, event))
            row = (event.id, event.at_ms, event.account, event.device, event.phone, content, json.dumps(judged))
            added = connection.execute("INSERT INTO log (event_id, at_ms, account, device, phone, event, judged) VALUES (?, ?, ?, ?, ?, ?, ?)", row)
            links = [(contact, event.at_ms, added.lastrowid) for contact in set(event.contacts)]
            connection.executemany("INSERT INTO contacts (contact, at_ms, position) VALUES (?, ?, ?)", links)
        return judged

    def find(self, event_id: str) -> Json | None:
        """Return the judgement of an event; None: there is no such event."""
        with self._database.read() as connection:
            found = connection.execute("SELECT judged FROM log WHERE event_id = ?", (event_id,)).fetchone()
        return json.loads(found[0]) if found else None

    def page(self, after: int, limit: int) -> list[tuple[int, Json]]:
        """Return judgements with their positions, in the order of the log, from beyond `after`."""
        with self._database.read() as connection:
            rows = connection.execute("SELECT position, judged FROM log WHERE position > ? ORDER BY position LIMIT ?", (after, limit)).fetchall()
        return [(position, json.loads(judged)) for position, judged in rows]

    def events(self) -> list[Event]:
        """Return the whole log, in order."""
        with self._database.read() as connection:
            return [_read(row[0]) for row in connection.execute("SELECT event FROM log ORDER BY position")]

    def enlist(self, listing: Listing) -> int:
        """Add an entry to a list and return its position; it replaces an earlier one of the same list, family and value."""
        row = (str(listing.kind), str(listing.family), listing.value, listing.from_ms, listing.until_ms, listing.reason)
        with self._database.write() as connection:
            return int(connection.execute("INSERT INTO lists (list, family, value, from_ms, until_ms, reason) VALUES (?, ?, ?, ?, ?, ?)", row).lastrowid or 0)

    def lists(self, after: int, limit: int) -> list[tuple[int, Listing]]:
        """Return entries with their positions, oldest first, replaced ones too."""
        with self._database.read() as connection:
            rows = connection.execute(f"SELECT position, {LISTING} FROM lists WHERE position > ? ORDER BY position LIMIT ?", (after, limit)).fetchall()
        return [(row[0], _listing(row[1:])) for row in rows]

    def close(self) -> None:
        self._database.close()


def _before(connection: Connection, event: Event) -> list[Event]:
    """Return what shares a key or a contact with the event and lies within the longest window, in the order of the log."""
    lies = "at_ms > ? AND at_ms <= ?"
    within = (event.at_ms - LONGEST_MS, event.at_ms)
    found: dict[int, str] = {}
    for family in Family:
        if key := event.key(family):
            found.update(connection.execute(f"SELECT position, event FROM log WHERE {family} = ? AND {family} != '' AND {lies}", (key, *within)))
    for contact in event.contacts:
        joined = f"SELECT position, event FROM log WHERE position IN (SELECT position FROM contacts WHERE contact = ? AND {lies})"
        found.update(connection.execute(joined, (contact, *within)))
    return [_read(found[position]) for position in sorted(found)]


def _listings(connection: Connection, event: Event) -> list[Listing]:
    """Return the newest entry of each list for each of the event's keys."""
    newest: dict[tuple[str, str, str], Listing] = {}
    for family in Family:
        rows = connection.execute(f"SELECT {LISTING} FROM lists WHERE value = ? AND family = ? ORDER BY position", (event.key(family), str(family)))
        for row in rows:
            newest[row[0], row[1], row[2]] = _listing(row)
    return list(newest.values())


def _judged_before(event: Event, content: str, known: str, judged: str) -> Json:
    if json.loads(known) | {"at_ms": 0} != json.loads(content) | {"at_ms": 0}:
        detail = f"event_id: {event.id} was used before for another event"
        raise Problem(422, "event_id_reused", detail, remedy="use a new id for a new event")
    stored: Json = json.loads(judged)
    return stored


def _written(event: Event) -> str:
    return json.dumps(asdict(event), sort_keys=True, separators=(",", ":"))


def _read(text: str) -> Event:
    row = json.loads(text)
    return Event(**(row | {"contacts": tuple(row["contacts"])}))


def _listing(row: Sequence[Any]) -> Listing:
    kind, family, value, from_ms, until_ms, reason = row
    return Listing(kind=ListKind(kind), family=Family(family), value=value, from_ms=from_ms, until_ms=until_ms, reason=reason)
