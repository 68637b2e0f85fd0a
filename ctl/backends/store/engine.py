"""Opening the store's SQLite file, and the one way to read or write it: every failure leaves as BackendError saying what was attempted."""

import fcntl
import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, insert, select
from sqlalchemy.exc import SQLAlchemyError

from ctl.backends.store import rows
from ctl.backends.store.growth import Growth
from ctl.errors import BackendError, Refused

SCHEMA_VERSION = 1
BUSY_TIMEOUT_S = 10
TROUBLE = (SQLAlchemyError, sqlite3.Error)
_REMEDIES = (
    ("full", "free some space on the disk; nothing was changed"),
    ("locked", "another process holds the store; try again, and see who it is with `msxfctl doctor`"),
    ("malformed", "the file is damaged: stop the daemon and restore it from a backup"),
    ("not a database", "the file is no msxfctl store: move it away or set MSXFCTL_HOME"),
    ("readonly", "make the state folder writable for this user"),
    ("unable to open", "make the state folder writable for this user"),
)


class Database:
    """An open store. Writers of this process take turns on a lock, those of other processes on SQLite's own."""

    def __init__(self, path: Path, engine: Engine) -> None:
        self.path = path
        self.engine = engine
        self.journal = Growth()
        self._writer = engine.execution_options(write=True)
        self._turn = threading.Lock()

    @contextmanager
    def read(self, what: str) -> Iterator[Connection]:
        """Give a connection that sees one state throughout. Raises BackendError "could not <what>"."""
        try:
            with self.engine.connect() as connection:
                yield connection
        except TROUBLE as error:
            raise failure(what, self.path, error) from error

    @contextmanager
    def write(self, what: str) -> Iterator[Connection]:
        """Give a connection that is the only writer; commit at the end, undo everything on an error. Raises BackendError "could not <what>"."""
        if not self._turn.acquire(timeout=BUSY_TIMEOUT_S):
            raise BackendError(f"could not {what}", found=f"another thread has been writing {self.path} for {BUSY_TIMEOUT_S} s")
        try:
            with self._writer.begin() as connection:
                yield connection
        except TROUBLE as error:
            raise failure(what, self.path, error) from error
        finally:
            self._turn.release()

    def close(self) -> None:
        self.engine.dispose()


def open_engine(path: Path) -> Database:
    """Open the store at `path`; folder (0700), file (0600) and tables are made where absent. Raises BackendError, Refused for a newer schema."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    except OSError as error:
        raise BackendError(f"could not open the store at {path}", found=str(error), remedy="make the state folder writable for this user") from error
    database = Database(path, _engine(path))
    try:
        with _alone(path.parent):
            _prepare(database)
    except TROUBLE as error:
        database.close()
        raise failure("open the store", path, error) from error
    except Refused:
        database.close()
        raise
    return database


def failure(what: str, path: Path, error: Exception) -> BackendError:
    """Translate a library's error: what was attempted, on which file, what was found, what to do."""
    found = str(getattr(error, "orig", None) or error).splitlines()[0]
    remedy = next((remedy for mark, remedy in _REMEDIES if mark in found), "try again; if it stays, run `msxfctl doctor`")
    return BackendError(f"could not {what} in {path}", found=found, remedy=remedy)


def _engine(path: Path) -> Engine:
    connect_args = {"timeout": BUSY_TIMEOUT_S, "isolation_level": None, "check_same_thread": False}
    engine = create_engine(f"sqlite:///{path}", connect_args=connect_args, pool_size=4, max_overflow=60, pool_timeout=BUSY_TIMEOUT_S)
    event.listen(engine, "connect", _on_connect)
    event.listen(engine, "begin", _on_begin)
    return engine


def _on_connect(connection: Any, _record: Any) -> None:
    connection.isolation_level = None
    for pragma in ("synchronous=FULL", f"busy_timeout={BUSY_TIMEOUT_S * 1000}", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")


def _on_begin(connection: Connection) -> None:
    options = connection.get_execution_options()
    if not options.get("bare"):
        connection.exec_driver_sql("BEGIN IMMEDIATE" if options.get("write") else "BEGIN")


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Hold the folder's file lock: two processes that open a new store at once make its tables once."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _prepare(database: Database) -> None:
    with database.engine.connect().execution_options(bare=True) as connection:
        if connection.exec_driver_sql("PRAGMA journal_mode").scalar_one() != "wal":
            connection.exec_driver_sql("PRAGMA journal_mode=WAL")
    with database.engine.connect() as connection:
        if not connection.exec_driver_sql("SELECT count(*) FROM sqlite_master WHERE name = 'schema_version'").scalar_one():
            _create(connection)
        if not connection.exec_driver_sql(f"SELECT count(*) FROM sqlite_master WHERE name = '{rows.FINDING.name}'").scalar_one():
            rows.FINDING.create(connection)
            connection.commit()
        version = connection.execute(select(rows.SCHEMA.c.version)).scalar_one()
    if version > SCHEMA_VERSION:
        raise Refused(
            f"cannot use the store at {database.path}: it was written by a newer msxfctl",
            found=f"schema version {version}; this msxfctl knows up to {SCHEMA_VERSION}",
            remedy="install the newer msxfctl, or choose another folder with MSXFCTL_HOME",
        )


def _create(connection: Connection) -> None:
    rows.METADATA.create_all(connection)
    for trigger in rows.TRIGGERS:
        connection.exec_driver_sql(trigger)
    connection.execute(insert(rows.HEAD).values(id=1, seq=0, hash="0" * 64))
    connection.execute(insert(rows.SCHEMA).values(version=SCHEMA_VERSION))
    connection.commit()
