"""What the features were at a place of the log, key by key, so that a start reads what it needs and replays what came after. It can be deleted at any time.

A snapshot is written in pieces while work goes on. A slot's position moves only when all of it is written; until then its keys may be newer than that position
says, which does no harm: a key knows the last event that it was shown, and nothing is written that would be newer than the last judgement.
"""

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from time import monotonic, sleep

from ctl.kit.database import Database, DatabaseFailed
from reference_apps.fraud.features import oddness
from reference_apps.fraud.features.shard import BEFORE_ALL, SLOTS
from reference_apps.fraud.features.table import Packed

CODEC = "2"
"""Grows when states are counted or packed differently: older snapshots are then not read, and the log is replayed."""

SCHEMA = """
CREATE TABLE IF NOT EXISTS states (
    name TEXT NOT NULL, key TEXT NOT NULL, position INTEGER NOT NULL, content BLOB NOT NULL, PRIMARY KEY (name, key)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS links (one TEXT NOT NULL, other TEXT NOT NULL, PRIMARY KEY (one, other)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS slots (slot INTEGER PRIMARY KEY, position INTEGER NOT NULL, newest INTEGER NOT NULL);
"""
UPSERT = """INSERT INTO states (name, key, position, content) VALUES {rows} ON CONFLICT (name, key) DO UPDATE
    SET position = excluded.position, content = excluded.content WHERE excluded.position > states.position"""
MOVE = """INSERT INTO slots (slot, position, newest) VALUES (?, ?, ?) ON CONFLICT (slot) DO UPDATE
    SET position = excluded.position, newest = excluded.newest WHERE excluded.position > slots.position"""
CHUNK, TOGETHER = 200, 50
"""States of a commit, and of a statement: at the end of each statement the event loop that judges has to be asked for the interpreter."""
ASKED_AT_ONCE = 500
REST = 3.0
CACHE = "PRAGMA cache_size=-65536"


@dataclass(frozen=True, slots=True)
class Mark:
    """A place in the log, and the newest event time up to there."""

    position: int
    newest: int


START = Mark(0, BEFORE_ALL)


def edition() -> str:
    """Return what must be the same for two instances to share states: the spec's text, what the anomaly detector looks at, and the codec."""
    spec = (Path(__file__).parents[1] / "features" / "spec.yaml").read_bytes()
    return sha256(spec + oddness.EDITION.encode() + CODEC.encode()).hexdigest()[:12]


class Snapshots:
    """The file of one edition, shared by all instances of a machine. While it writes it rests `rest` times as long as it works: decisions go first."""

    def __init__(self, folder: Path) -> None:
        path = folder / f"features-{edition()}.db"
        self._database = Database(path, SCHEMA)
        with self._database.read() as connection:
            connection.execute(CACHE)
        self._lookups, self._ahead = (sqlite3.connect(path, isolation_level=None, check_same_thread=False) for _ in range(2))
        for connection in (self._lookups, self._ahead):
            connection.execute(CACHE)
        self._has_states = False
        self.rest = REST

    def fetch(self, name: str, key: str) -> bytes | None:
        """Return what is written of a key. Nothing is before `mark` or `write` found that something is. Raises DatabaseFailed."""
        if not self._has_states:
            return None
        try:  # not through _translated(): it is asked for every key that is new
            found = self._lookups.execute("SELECT content FROM states WHERE name = ? AND key = ?", (name, key)).fetchone()
        except sqlite3.Error as error:
            raise _unread(error) from error
        return found[0] if found else None

    def fetch_many(self, wanted: Mapping[str, Sequence[str]]) -> dict[str, dict[str, bytes]]:
        """Return what is written of keys, by table; from any thread, beside `fetch`. Raises DatabaseFailed."""
        return {name: dict(self._found(name, sorted(keys))) for name, keys in wanted.items()} if self._has_states else {}

    def _found(self, name: str, keys: Sequence[str]) -> Iterator[tuple[str, bytes]]:
        for begin in range(0, len(keys), ASKED_AT_ONCE):
            asked = keys[begin : begin + ASKED_AT_ONCE]
            query = f"SELECT key, content FROM states WHERE name = ? AND key IN ({', '.join('?' * len(asked))})"
            with _translated():
                yield from self._ahead.execute(query, (name, *asked)).fetchall()

    def mark(self, slots: int) -> Mark:
        """Return from where the log must be replayed for these slots."""
        with self._database.read() as connection:
            known = {slot: Mark(position, newest) for slot, position, newest in connection.execute("SELECT slot, position, newest FROM slots")}
        self._has_states = bool(known)
        return min((known.get(slot, START) for slot in range(SLOTS + 1) if slots >> slot & 1), key=lambda mark: mark.position, default=START)

    def links(self) -> list[tuple[str, str]]:
        """Return all links of the graph."""
        with self._database.read() as connection:
            return [(one, other) for one, other in connection.execute("SELECT one, other FROM links")]

    def write(self, slots: int, mark: Mark, states: Sequence[Packed], links: Sequence[tuple[str, str]]) -> None:
        """Write a snapshot of these slots as of a mark: links first, then keys, the slots' position last. Raises DatabaseFailed."""
        with self._database.write() as connection:
            connection.executemany("INSERT OR IGNORE INTO links (one, other) VALUES (?, ?)", links)
        for begin in range(0, len(states), CHUNK):
            began = monotonic()
            with self._database.write() as connection:
                for some in range(begin, min(begin + CHUNK, len(states)), TOGETHER):
                    _upsert(connection, mark.position, states[some : min(some + TOGETHER, begin + CHUNK)])
            sleep(self.rest * (monotonic() - began))
        with self._database.write() as connection:
            connection.executemany(MOVE, [(slot, mark.position, mark.newest) for slot in range(SLOTS + 1) if slots >> slot & 1])
        self._has_states = True

    def close(self) -> None:
        self._lookups.close()
        self._ahead.close()
        self._database.close()


def _upsert(connection: sqlite3.Connection, position: int, states: Sequence[Packed]) -> None:
    values = [value for name, key, content in states for value in (name, key, position, content)]
    connection.execute(UPSERT.format(rows=", ".join(["(?, ?, ?, ?)"] * len(states))), values)


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise _unread(error) from error


def _unread(error: sqlite3.Error) -> DatabaseFailed:
    return DatabaseFailed(f"the features' snapshot cannot be read: {error}")
