"""The journal on disk: SQLite in WAL mode with full synchronisation; a record is durable before `append` returns, and only the newest writer may append."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

from ctl.kit.database import BUSY_S, Database, DatabaseFailed
from reference_apps.ledger.keeping import record
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


class Fenced(Exception):
    """A newer writer has opened the journal: this one may never append again."""


class Unwritable(Exception):
    """The disk did not take the record; whether it is there is known only after reading the journal again."""


class Journal:
    """One writer's connection. Opening it as a writer begins a new epoch; every older writer is refused from then on."""

    def __init__(self, path: Path) -> None:
        self._database = Database(path, SCHEMA)
        self.epoch = 0

    def begin_epoch(self, at_least: int = 0) -> int:
        """Become the writer: take the next epoch (not below `at_least`) and return it."""
        with self._database.write() as connection:
            (last,) = connection.execute("SELECT epoch FROM head").fetchone()
            self.epoch = max(last + 1, at_least)
            connection.execute("UPDATE head SET epoch = ?", (self.epoch,))
        return self.epoch

    def head(self) -> tuple[int, str]:
        """Return the newest record's number and hash."""
        with self._database.read() as connection:
            seq, newest = connection.execute("SELECT seq, hash FROM head").fetchone()
        return int(seq), str(newest)

    def append(self, new: Record) -> None:
        """Make a record durable. Raises Fenced when a newer writer has begun, Unwritable when the disk fails."""
        try:
            with self._database.write() as connection:
                seq, newest, epoch = connection.execute("SELECT seq, hash, epoch FROM head").fetchone()
                if epoch != new.epoch or (seq, newest) != (new.seq - 1, new.previous):
                    raise Fenced(f"writer epoch {new.epoch} tried to append record {new.seq}, but the journal stands at record {seq} in epoch {epoch}")
                connection.execute(f"INSERT INTO journal ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?)", _row(new))
                connection.execute("UPDATE head SET seq = ?, hash = ?", (new.seq, new.hash))
        except DatabaseFailed as error:
            raise Unwritable(f"record {new.seq} could not be written: {error}") from error

    def records(self) -> Iterator[Record]:
        """Yield every record, oldest first, each checked against the chain. Raises Broken at the first that does not prove itself."""
        with self._database.read() as connection:
            yield from _records(connection)

    def close(self) -> None:
        self._database.close()


def _row(new: Record) -> tuple[int, int, int, bytes, str, str]:
    return new.seq, new.epoch, new.at_ns, new.body, new.previous, new.hash


def _records(connection: sqlite3.Connection) -> Iterator[Record]:
    head, epoch = (0, GENESIS), 0
    for row in connection.execute(f"SELECT {AS_WRITTEN} FROM journal ORDER BY seq"):
        found = Record(seq=row[0], epoch=row[1], at_ns=row[2], body=row[3], previous=row[4], hash=row[5])
        record.check(found, head, epoch)
        head, epoch = (found.seq, found.hash), found.epoch
        yield found
    promised = connection.execute("SELECT seq, hash FROM head").fetchone()
    if head != promised:
        raise Broken(f"the end is cut off: {head[0]} records are left of {promised[0]}")


def verify(path: Path) -> tuple[int, str]:
    """Check the whole chain as one snapshot, while the writer goes on; return the number of records and the newest hash. Raises Broken."""
    connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=BUSY_S, isolation_level=None)
    try:
        connection.execute("BEGIN")
        newest = (0, GENESIS)
        for found in _records(connection):
            newest = found.seq, found.hash
        return newest
    except sqlite3.Error as error:
        raise Broken(f"the file cannot be read: {error}") from error
    finally:
        connection.close()
