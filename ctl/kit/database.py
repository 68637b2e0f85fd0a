"""A small SQLite database that the processes of one service share: WAL, fully synchronised, one writer at a time, third-party errors translated."""

import fcntl
import logging
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
MOVED_FROM_BYTES, MOVE_S = 4 * 2**20, 1.0
"""From how large a write-ahead log on what is in it is moved to the file, and how often at most."""
MOST_PAGES = 16_000
"""Should the log grow to so many pages all the same, the next commit moves what is left, and it is begun anew."""

log = logging.getLogger("ctl.kit.database")


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
        self._mover = _Mover(path)

    @contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """One transaction: commits at the end, rolls back on any error. Raises DatabaseFailed."""
        with self._lock, _translated(self.path):
            self._take_turn()
            try:
                self._connection.execute("BEGIN IMMEDIATE")
                yield self._connection
                self._connection.execute("COMMIT")
                self._mover.look()
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
        self._mover.end()
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


class _Mover:
    """Moves what was committed from the write-ahead log to the file, in a thread beside the commits: one that did it itself would keep all waiting."""

    def __init__(self, path: Path) -> None:
        self._path, self._log = path, path.with_name(path.name + "-wal")
        self._wanted, self._ends = threading.Event(), threading.Event()
        self._thread: threading.Thread | None = None

    def look(self) -> None:
        """Begin to move if much has come together; called after a commit."""
        if not self._wanted.is_set() and self._log_bytes() > MOVED_FROM_BYTES:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name=f"moves {self._path.name}", daemon=True)
                self._thread.start()
            self._wanted.set()

    def end(self) -> None:
        self._ends.set()
        self._wanted.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        connection = sqlite3.connect(self._path, timeout=PAUSE_S, isolation_level=None)
        while self._wanted.wait() and not self._ends.is_set():
            try:
                self._move(connection)
            except sqlite3.Error as error:
                log.warning("%s: what was written stays in the write-ahead log for now: %s", self._path.name, error)
            self._ends.wait(MOVE_S)
            self._wanted.clear()
            if self._ends.is_set():
                break
        connection.close()

    def _move(self, connection: sqlite3.Connection) -> None:
        connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()

    def _log_bytes(self) -> int:
        try:
            return self._log.stat().st_size
        except OSError:
            return 0


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
        connection.execute(f"PRAGMA wal_autocheckpoint={MOST_PAGES}")
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
