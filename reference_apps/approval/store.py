"""The cases on disk, shared by all instances: one commit per transition, state and event together, and each running case has one living holder.

A holder lives while its row says so; it renews it while it has cases. A case whose holder has died may be claimed by anybody, and a holder that was
only slow loses the race by version: what it writes then is refused.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from sqlite3 import Connection
from typing import Any

from ctl.kit.database import Database
from reference_apps.approval import codec, flow
from reference_apps.approval.model import Case, Status

LEASE_MS = 3_000

SCHEMA = """
CREATE TABLE IF NOT EXISTS cases (
    number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, body_hash TEXT NOT NULL, status TEXT NOT NULL,
    version INTEGER NOT NULL, holder TEXT NOT NULL, retry_ms INTEGER, content TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS cases_status ON cases (status, number);
CREATE TABLE IF NOT EXISTS events (
    id TEXT NOT NULL, version INTEGER NOT NULL, at_ms INTEGER NOT NULL, kind TEXT NOT NULL, body TEXT NOT NULL, PRIMARY KEY (id, version)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS holders (holder TEXT PRIMARY KEY, instance TEXT NOT NULL, until_ms INTEGER NOT NULL) WITHOUT ROWID;
"""
FREE = "holder NOT IN (SELECT holder FROM holders WHERE until_ms > ?)"


class Lost(Exception):
    """Somebody else moved the case on: what was to be written is not."""


@dataclass(frozen=True, slots=True)
class Known:
    """A case as it stands in the store, with the hash of the body it came with."""

    case: Case
    body_hash: str


@dataclass(frozen=True, slots=True)
class Event:
    """One line of a case's history."""

    version: int
    at_ms: int
    kind: str
    body: Mapping[str, Any]


class Store:
    """The shared file, seen by one holder (one process of one instance)."""

    def __init__(self, folder: Path, instance: str, holder: str) -> None:
        self._database = Database(folder / "approval.db", SCHEMA)
        self._instance, self._holder = instance, holder

    def arrive(self) -> None:
        """Say that whatever held cases under our instance's name before is dead: the runtime never runs an instance twice."""
        with self._database.write() as connection:
            connection.execute("DELETE FROM holders WHERE instance = ?", (self._instance,))

    def beat(self, now_ms: int) -> None:
        """Live on for another lease."""
        with self._database.write() as connection:
            self._live(connection, now_ms)

    def leave(self) -> None:
        """Give up whatever is held."""
        with self._database.write() as connection:
            connection.execute("DELETE FROM holders WHERE holder = ?", (self._holder,))

    def receive(self, case: Case, body_hash: str) -> Known | None:
        """Take a new case in, held by us; an id that is there already returns what stands there and changes nothing."""
        with self._database.write() as connection:
            known = _known(connection, case.id)
            if known is None:
                self._live(connection, case.created_ms)
                row = (case.id, body_hash, str(case.status), case.version, self._holder, codec.encode(case))
                connection.execute("INSERT INTO cases (id, body_hash, status, version, holder, content) VALUES (?, ?, ?, ?, ?, ?)", row)
                _note(connection, case, "received", {})
        return known

    def claim(self, case_id: str, now_ms: int) -> Case | None:
        """Take a case over that nobody alive holds, or that waits and is due; None when there is nothing to take."""
        with self._database.write() as connection:
            row = connection.execute(f"SELECT content, holder = ? OR {FREE} FROM cases WHERE id = ?", (self._holder, now_ms, case_id)).fetchone()
            if row is None:
                return None
            case, is_free = codec.decode(row[0]), bool(row[1])
            is_due = case.status is Status.WAITING and (case.retry_ms or 0) <= now_ms
            if not is_due and not (case.status is Status.RUNNING and is_free):
                return None
            self._live(connection, now_ms)
            if is_due:
                case = flow.retried(case, now_ms)
                _note(connection, case, "retried", {"attempts": case.attempts})
            self._write(connection, case, self._holder)
        return case

    def resume(self, case_id: str, now_ms: int) -> Case | None:
        """Make a parked case that can go on run again, held by us; None when it cannot."""
        with self._database.write() as connection:
            known = _known(connection, case_id)
            if known is None or not known.case.resumable:
                return None
            case = flow.resumed(known.case, now_ms)
            self._live(connection, now_ms)
            _note(connection, case, "resumed", {})
            self._write(connection, case, self._holder)
        return case

    def save(self, case: Case, kind: str, body: Mapping[str, Any]) -> None:
        """Write a transition. Raises Lost when the case is no longer ours at the version before."""
        with self._database.write() as connection:
            mine = connection.execute(
                "SELECT 1 FROM cases WHERE id = ? AND version = ? AND holder = ?", (case.id, case.version - 1, self._holder)
            ).fetchone()
            if mine is None:
                raise Lost(f"application {case.id} was moved on by another instance")
            _note(connection, case, kind, body)
            self._write(connection, case, self._holder if case.status is Status.RUNNING else "")

    def due(self, now_ms: int, limit: int) -> list[str]:
        """Return cases that should go on and that nobody alive (we included) holds, oldest first."""
        running = f"status = 'running' AND (holder = ? OR {FREE})"
        waiting = "status = 'waiting' AND retry_ms <= ?"
        query = f"SELECT id FROM cases WHERE ({running}) OR ({waiting}) ORDER BY number LIMIT ?"
        with self._database.read() as connection:
            return [row[0] for row in connection.execute(query, (self._holder, now_ms, now_ms, limit))]

    def find(self, case_id: str) -> Case | None:
        with self._database.read() as connection:
            known = _known(connection, case_id)
        return known.case if known else None

    def history(self, case_id: str) -> list[Event]:
        with self._database.read() as connection:
            rows = connection.execute("SELECT version, at_ms, kind, body FROM events WHERE id = ? ORDER BY version", (case_id,)).fetchall()
        return [Event(version, at_ms, kind, json.loads(body)) for version, at_ms, kind, body in rows]

    def page(self, status: Status | None, after: str, limit: int) -> list[Case]:
        """Return cases in the order they came, from beyond the case `after` (empty: from the first)."""
        beyond = "number > coalesce((SELECT number FROM cases WHERE id = ?), 0)"
        only, wanted = (" AND status = ?", (str(status),)) if status else ("", ())
        with self._database.read() as connection:
            rows = connection.execute(f"SELECT content FROM cases WHERE {beyond}{only} ORDER BY number LIMIT ?", (after, *wanted, limit)).fetchall()
        return [codec.decode(row[0]) for row in rows]

    def counts(self) -> dict[str, int]:
        """Return the number of cases by status, statuses without cases left out."""
        with self._database.read() as connection:
            return dict(connection.execute("SELECT status, count(*) FROM cases GROUP BY status").fetchall())

    def close(self) -> None:
        self._database.close()

    def _live(self, connection: Connection, now_ms: int) -> None:
        connection.execute("INSERT OR REPLACE INTO holders VALUES (?, ?, ?)", (self._holder, self._instance, now_ms + LEASE_MS))

    def _write(self, connection: Connection, case: Case, holder: str) -> None:
        row = (str(case.status), case.version, holder, case.retry_ms, codec.encode(case), case.id)
        connection.execute("UPDATE cases SET status = ?, version = ?, holder = ?, retry_ms = ?, content = ? WHERE id = ?", row)


def _known(connection: Connection, case_id: str) -> Known | None:
    row = connection.execute("SELECT content, body_hash FROM cases WHERE id = ?", (case_id,)).fetchone()
    return Known(codec.decode(row[0]), row[1]) if row else None


def _note(connection: Connection, case: Case, kind: str, body: Mapping[str, Any]) -> None:
    written = json.dumps({"status": case.status, "stage": case.stage, **body}, ensure_ascii=False, separators=(",", ":"))
    connection.execute("INSERT INTO events VALUES (?, ?, ?, ?, ?)", (case.id, case.version, case.updated_ms, kind, written))
