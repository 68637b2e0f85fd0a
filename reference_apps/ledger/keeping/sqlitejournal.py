"""The journal in a file: SQLite in WAL mode with full synchronisation, for one machine."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ctl.kit.database import BUSY_S, Database, DatabaseFailed
from reference_apps.ledger.keeping import journal
from reference_apps.ledger.keeping.journal import Head, Unreachable, Unwritable
from reference_apps.ledger.keeping.record import GENESIS, Broken, Record

SCHEMA = f"""
CREATE TABLE IF NOT EXISTS journal (
    seq INTEGER PRIMARY KEY, epoch INTEGER NOT NULL, at_ns INTEGER NOT NULL, body BLOB NOT NULL, previous TEXT NOT NULL, hash TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS head (only INTEGER PRIMARY KEY CHECK (only = 1), seq INTEGER NOT NULL, hash TEXT NOT NULL, epoch INTEGER NOT NULL);
INSERT OR IGNORE INTO head VALUES (1, 0, '{GENESIS}', 0);
"""
COLUMNS = "seq, epoch, at_ns, body, previous, hash"
AS_WRITTEN = "seq, CAST(epoch AS INTEGER), CAST(at_ns AS INTEGER), CAST(body AS BLOB), CAST(previous AS TEXT), CAST(hash AS TEXT)"
"""A change behind our back may change a value's type as well."""


class SqliteJournal:
    """One writer's connection. On one machine the writer lock says who leads: here everybody may."""

    def __init__(self, path: Path) -> None:
        self._database = Database(path, SCHEMA)
        self.epoch = 0

    def try_lead(self) -> bool:
        return True

    def begin_epoch(self, at_least: int = 0) -> int:
        with self._database.write() as connection:
            (last,) = connection.execute("SELECT epoch FROM head").fetchone()
            self.epoch = max(last + 1, at_least)
            connection.execute("UPDATE head SET epoch = ?", (self.epoch,))
        return self.epoch

    def head(self) -> Head:
        with self._reading() as connection:
            return _promised(connection)

    def append(self, new: Record) -> None:
        try:
            with self._database.write() as connection:
                seq, newest, epoch = connection.execute("SELECT seq, hash, epoch FROM head").fetchone()
                if epoch != new.epoch or (seq, newest) != (new.seq - 1, new.previous):
                    raise journal.refused(new, (seq, newest), epoch)
                connection.execute(f"INSERT INTO journal ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?)", _row(new))
                connection.execute("UPDATE head SET seq = ?, hash = ?", (new.seq, new.hash))
        except DatabaseFailed as error:
            raise Unwritable(f"record {new.seq} could not be written: {error}") from error

    def records(self, after: int = 0) -> Iterator[Record]:
        with self._reading() as connection:
            yield from _records(connection, after)

    def part(self, seq: int, offset: int, length: int) -> bytes:
        with self._reading() as connection:
            row = connection.execute("SELECT substr(body, ?, ?) FROM journal WHERE seq = ?", (offset + 1, length, seq)).fetchone()
        return bytes(row[0]) if row else b""

    def close(self) -> None:
        self._database.close()

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        try:
            with self._database.read() as connection:
                yield connection
        except DatabaseFailed as error:
            raise Unreachable(f"the journal cannot be read: {error}") from error


def reading(path: Path) -> Iterator[Record]:
    """Yield every record as one snapshot, each checked, while the writer goes on; the file is only read. Raises Broken."""
    connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=BUSY_S, isolation_level=None)
    try:
        connection.execute("BEGIN")
        yield from _records(connection, 0)
    except sqlite3.Error as error:
        raise Broken(f"the file cannot be read: {error}") from error
    finally:
        connection.close()


def _row(new: Record) -> tuple[int, int, int, bytes, str, str]:
    return new.seq, new.epoch, new.at_ns, new.body, new.previous, new.hash


def _records(connection: sqlite3.Connection, after: int) -> Iterator[Record]:
    head = _hash_of(connection, after)
    rows = connection.execute(f"SELECT {AS_WRITTEN} FROM journal WHERE seq > ? ORDER BY seq", (after,))
    found = (Record(seq=row[0], epoch=row[1], at_ns=row[2], body=row[3], previous=row[4], hash=row[5]) for row in rows)
    for one in journal.in_order(found, head):
        head = one.seq, one.hash
        yield one
    journal.check_end(head, _promised(connection))


def _hash_of(connection: sqlite3.Connection, seq: int) -> Head:
    if seq == 0:
        return journal.first_head()
    row = connection.execute("SELECT hash FROM journal WHERE seq = ?", (seq,)).fetchone()
    if row is None:
        raise Broken(f"record {seq} is missing")
    return seq, str(row[0])


def _promised(connection: sqlite3.Connection) -> Head:
    seq, newest = connection.execute("SELECT seq, hash FROM head").fetchone()
    return int(seq), str(newest)
