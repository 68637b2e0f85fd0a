"""The journal on disk: SQLite in WAL mode with full synchronisation; a record is durable before `append` returns, and only the newest writer may append."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from reference_apps.ledger import record
from reference_apps.ledger.record import GENESIS, Broken, Record

SCHEMA = """
CREATE TABLE IF NOT EXISTS journal (
    seq INTEGER PRIMARY KEY, epoch INTEGER NOT NULL, at_ns INTEGER NOT NULL, body BLOB NOT NULL, previous TEXT NOT NULL, hash TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS head (only INTEGER PRIMARY KEY CHECK (only = 1), seq INTEGER NOT NULL, hash TEXT NOT NULL, epoch INTEGER NOT NULL);
"""
BUSY_S = 5.0
COLUMNS = "seq, epoch, at_ns, body, previous, hash"


class Fenced(Exception):
    """A newer writer has opened the journal: this one may never append again."""


class Unwritable(Exception):
    """The disk did not take the record; whether it is there is known only after reading the journal again."""


class Journal:
    """One writer's connection. Opening it as a writer begins a new epoch; every older writer is refused from then on."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._database = sqlite3.connect(path, timeout=BUSY_S, isolation_level=None, check_same_thread=False)
        self._database.execute("PRAGMA journal_mode=WAL")
        self._database.execute("PRAGMA synchronous=FULL")
        self._database.executescript(SCHEMA)
        self._database.execute("INSERT OR IGNORE INTO head VALUES (1, 0, ?, 0)", (GENESIS,))
        self.epoch = 0

    def begin_epoch(self, at_least: int = 0) -> int:
        """Become the writer: take the next epoch (not below `at_least`) and return it."""
        with self._transaction():
            (last,) = self._database.execute("SELECT epoch FROM head").fetchone()
            self.epoch = max(last + 1, at_least)
            self._database.execute("UPDATE head SET epoch = ?", (self.epoch,))
        return self.epoch

    def head(self) -> tuple[int, str]:
        """Return the newest record's number and hash."""
        seq, last = self._database.execute("SELECT seq, hash FROM head").fetchone()
        return int(seq), str(last)

    def append(self, new: Record) -> None:
        """Make a record durable. Raises Fenced when a newer writer has begun, Unwritable when the disk fails."""
        try:
            with self._transaction():
                seq, last, epoch = self._database.execute("SELECT seq, hash, epoch FROM head").fetchone()
                if epoch != new.epoch or (seq, last) != (new.seq - 1, new.previous):
                    raise Fenced(f"writer epoch {new.epoch} tried to append record {new.seq}, but the journal stands at record {seq} in epoch {epoch}")
                self._database.execute(f"INSERT INTO journal ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?)", _row(new))
                self._database.execute("UPDATE head SET seq = ?, hash = ?", (new.seq, new.hash))
        except sqlite3.Error as error:
            raise Unwritable(f"record {new.seq} could not be written: {error}") from error

    def records(self) -> Iterator[Record]:
        """Yield every record, oldest first, each checked against the chain. Raises Broken at the first that does not prove itself."""
        return _records(self._database)

    def close(self) -> None:
        self._database.close()

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._database.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._database.execute("COMMIT")
        finally:
            if self._database.in_transaction:
                self._database.execute("ROLLBACK")


def _row(new: Record) -> tuple[int, int, int, bytes, str, str]:
    return new.seq, new.epoch, new.at_ns, new.body, new.previous, new.hash


def _records(database: sqlite3.Connection) -> Iterator[Record]:
    head, epoch = (0, GENESIS), 0
    database.execute("BEGIN")
    try:
        for row in database.execute(f"SELECT {COLUMNS} FROM journal ORDER BY seq"):
            found = Record(seq=row[0], epoch=row[1], at_ns=row[2], body=bytes(row[3]), previous=row[4], hash=row[5])
            record.check(found, head, epoch)
            head, epoch = (found.seq, found.hash), found.epoch
            yield found
        promised = database.execute("SELECT seq, hash FROM head").fetchone()
        if head != promised:
            raise Broken(f"the end is cut off: {head[0]} records are left of {promised[0]}")
    finally:
        database.execute("ROLLBACK")


def verify(path: Path) -> tuple[int, str]:
    """Check the whole chain as one snapshot, while the writer goes on; return the number of records and the newest hash. Raises Broken."""
    database = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=BUSY_S, isolation_level=None)
    try:
        count, newest = 0, GENESIS
        for found in _records(database):
            count, newest = found.seq, found.hash
        return count, newest
    finally:
        database.close()
