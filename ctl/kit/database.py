"""A small SQLite database that the processes of one service share: WAL, fully synchronised, one writer at a time, third-party errors translated."""

import fcntl
import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

BUSY_S = 5.0
PAUSE_S, LOOK_S = 0.02, 0.0005
PRIMARY_CODE = 0xFF


class DatabaseFailed(Exception):
    """The database did not do its part: locked for too long, disk full, file damaged. A failed write changed nothing, unless its commit failed on the disk."""


class Database:
    """One connection, used by any thread of the process, one at a time. What `write` commits is on the disk before it returns."""

    def __init__(self, path: Path, schema: str) -> None:
        self.path = path
        self._lock = threading.Lock()
        path.parent.mkdir(parents=True, exist_ok=True)
        self._connection = _opened(path, schema)
        self._turn = os.open(path.with_name(path.name + ".turn"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    @contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """One transaction: commits at the end, rolls back on any error. Raises DatabaseFailed."""
        with self._lock, _translated(self.path):
            self._take_turn()
            try:
                self._connection.execute("BEGIN IMMEDIATE")
                yield self._connection
                self._connection.execute("COMMIT")
            finally:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                fcntl.flock(self._turn, fcntl.LOCK_UN)

    @contextmanager
    def read(self) -> Iterator[sqlite3.Connection]:
        """One snapshot: everything read inside belongs together. Raises DatabaseFailed."""
        with self._lock, _translated(self.path):
            self._connection.execute("BEGIN")
            try:
                yield self._connection
            finally:
                self._connection.execute("ROLLBACK")

    def close(self) -> None:
        """Close it; it cannot be used again."""
        with self._lock:
            self._connection.close()
            os.close(self._turn)

    def _take_turn(self) -> None:
        """Queue for the write lock by looking often: SQLite's own wait sleeps up to 100 ms at a time, which the 99th of a hundred requests would feel."""
        deadline = time.monotonic() + BUSY_S
        while True:
            try:
                fcntl.flock(self._turn, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except BlockingIOError as error:
                if time.monotonic() > deadline:
                    raise DatabaseFailed(f"{self.path.name}: another process has been writing for {BUSY_S:g} s") from error
                time.sleep(LOOK_S)


def _opened(path: Path, schema: str) -> sqlite3.Connection:
    """Connect, and create what is missing. A file that another process is just switching to WAL says "locked" at once whatever the timeout: ask again."""
    deadline = time.monotonic() + BUSY_S
    while True:
        try:
            return _connected(path, schema)
        except sqlite3.Error as error:
            is_busy = getattr(error, "sqlite_errorcode", 0) & PRIMARY_CODE == sqlite3.SQLITE_BUSY
            if not is_busy or time.monotonic() > deadline:
                raise DatabaseFailed(f"{path} cannot be opened: {error}") from error
            time.sleep(PAUSE_S)


def _connected(path: Path, schema: str) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=BUSY_S, isolation_level=None, check_same_thread=False)
    try:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.executescript(f"BEGIN IMMEDIATE; {schema} COMMIT;")
    except sqlite3.Error:
        connection.close()
        raise
    return connection


@contextmanager
def _translated(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise DatabaseFailed(f"{path.name}: {error}") from error
