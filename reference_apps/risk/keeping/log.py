"""The decision log: who was decided how, with which package, from which frozen inputs, and the bytes of the answer. Append only; durable before answered."""

import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ctl.kit.database import Database, DatabaseFailed

FILE = "decisions.db"
SCHEMA = """
CREATE TABLE IF NOT EXISTS decisions (
    position INTEGER PRIMARY KEY AUTOINCREMENT, decision_id TEXT NOT NULL UNIQUE, at_ms INTEGER NOT NULL, application_id TEXT NOT NULL,
    customer_id TEXT NOT NULL, tenant TEXT NOT NULL, scene TEXT NOT NULL, segment TEXT, package TEXT NOT NULL, scorecard TEXT, model TEXT,
    outcome TEXT NOT NULL, grade TEXT, score REAL, probability REAL, frozen BLOB NOT NULL, output BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS decisions_at ON decisions (at_ms);
CREATE TABLE IF NOT EXISTS shadows (
    position INTEGER PRIMARY KEY AUTOINCREMENT, decision_id TEXT NOT NULL, at_ms INTEGER NOT NULL, package TEXT NOT NULL, scene TEXT NOT NULL, segment TEXT,
    scorecard TEXT, model TEXT, outcome TEXT NOT NULL, grade TEXT, score REAL, probability REAL, output BLOB NOT NULL, UNIQUE (decision_id, package)
);
"""
COLUMNS = (
    "decision_id", "at_ms", "application_id", "customer_id", "tenant", "scene", "segment", "package", "scorecard", "model",
    "outcome", "grade", "score", "probability", "frozen", "output",
)  # fmt: skip
SHADOW_COLUMNS = ("decision_id", "at_ms", "package", "scene", "segment", "scorecard", "model", "outcome", "grade", "score", "probability", "output")
PAGE = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One decision as it is logged. `probability` is the model's p(bad), `frozen` and `output` are canonical JSON; `position` 0: not in the log yet."""

    decision_id: str
    at_ms: int
    application_id: str
    customer_id: str
    tenant: str
    scene: str
    segment: str | None
    package: str
    scorecard: str | None
    model: str | None
    outcome: str
    grade: str | None
    score: float | None
    probability: float | None
    frozen: bytes
    output: bytes
    position: int = 0

    @property
    def facts(self) -> dict[str, Any]:
        """Return what was known, by variable."""
        facts: dict[str, Any] = json.loads(self.frozen)["known"]
        return facts


@dataclass(frozen=True, slots=True, kw_only=True)
class Shadow:
    """What a challenger would have decided on the same frozen inputs."""

    decision_id: str
    at_ms: int
    package: str
    scene: str
    segment: str | None
    scorecard: str | None
    model: str | None
    outcome: str
    grade: str | None
    score: float | None
    probability: float | None
    output: bytes
    position: int = 0


def _insert(table: str, columns: Sequence[str], key: str) -> str:
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))}) ON CONFLICT ({key}) DO NOTHING"


INSERT, INSERT_SHADOW = _insert("decisions", COLUMNS, "decision_id"), _insert("shadows", SHADOW_COLUMNS, "decision_id, package")


class DecisionLog:
    """The file, which all instances of a machine share; who wants to know what is in it takes a LogReader, so as not to hold up commits."""

    def __init__(self, folder: Path) -> None:
        self._database = Database(folder / FILE, SCHEMA)

    def append(self, entries: Sequence[Entry | Shadow]) -> None:
        """Log them in one commit; they are on the disk when this returns. What is logged already stays as it is. Raises DatabaseFailed."""
        decided = [tuple(getattr(each, name) for name in COLUMNS) for each in entries if isinstance(each, Entry)]
        shadows = [tuple(getattr(each, name) for name in SHADOW_COLUMNS) for each in entries if isinstance(each, Shadow)]
        with self._database.write() as connection:
            connection.executemany(INSERT, decided)
            connection.executemany(INSERT_SHADOW, shadows)

    def close(self) -> None:
        self._database.close()


class LogReader:
    """Reads a log file without ever writing to it, while others write. Raises DatabaseFailed when it is none."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def find(self, decision_id: str) -> Entry | None:
        """Return a decision; None: there is none of that id."""
        with closing(self._open()) as connection:
            return _found(connection, decision_id)

    def of(self, decision_id: str) -> list[Shadow]:
        """Return what challengers said of a decision."""
        with closing(self._open()) as connection:
            return list(_shadows(connection, "decision_id = ?", (decision_id,)))

    def page(self, after: int, limit: int) -> list[Entry]:
        """Return decisions in the order of the log, from beyond a position."""
        with closing(self._open()) as connection:
            return list(_entries(connection, "position > ? ORDER BY position LIMIT ?", (after, limit)))

    def entries(self, *, since_ms: int = 0, until_ms: int = 2**62, last: int | None = None) -> Iterator[Entry]:
        """Yield decisions of [since_ms, until_ms) in the order of the log, a page at a time; `last`: only the newest so many of them."""
        after = self._before_last(since_ms, until_ms, last)
        while True:
            with closing(self._open()) as connection:
                where = "position > ? AND at_ms >= ? AND at_ms < ? ORDER BY position LIMIT ?"
                page = list(_entries(connection, where, (after, since_ms, until_ms, PAGE)))
            yield from page
            if len(page) < PAGE:
                return
            after = page[-1].position

    def shadows(self, *, since_ms: int = 0, until_ms: int = 2**62) -> Iterator[Shadow]:
        """Yield what challengers said, in the order of the log."""
        after = 0
        while True:
            with closing(self._open()) as connection:
                where = "position > ? AND at_ms >= ? AND at_ms < ? ORDER BY position LIMIT ?"
                page = list(_shadows(connection, where, (after, since_ms, until_ms, PAGE)))
            yield from page
            if len(page) < PAGE:
                return
            after = page[-1].position

    def _before_last(self, since_ms: int, until_ms: int, last: int | None) -> int:
        if last is None:
            return 0
        with closing(self._open()) as connection:
            where = "SELECT position FROM decisions WHERE at_ms >= ? AND at_ms < ? ORDER BY position DESC LIMIT 1 OFFSET ?"
            row = connection.execute(where, (since_ms, until_ms, last)).fetchone()
        return int(row[0]) if row else 0

    def _open(self) -> sqlite3.Connection:
        try:
            connection = sqlite3.connect(f"{self._path.absolute().as_uri()}?mode=ro", uri=True, timeout=5.0)
            connection.execute("SELECT 1 FROM decisions LIMIT 1")
        except sqlite3.Error as error:
            raise DatabaseFailed(f"{self._path} is no decision log: {error}; name the {FILE} in the data folder of risk") from error
        return connection


def _found(connection: sqlite3.Connection, decision_id: str) -> Entry | None:
    return next(_entries(connection, "decision_id = ?", (decision_id,)), None)


def _entries(connection: sqlite3.Connection, where: str, values: Sequence[Any]) -> Iterator[Entry]:
    for row in connection.execute(f"SELECT position, {', '.join(COLUMNS)} FROM decisions WHERE {where}", values):
        yield Entry(position=row[0], **dict(zip(COLUMNS, row[1:], strict=True)))


def _shadows(connection: sqlite3.Connection, where: str, values: Sequence[Any]) -> Iterator[Shadow]:
    for row in connection.execute(f"SELECT position, {', '.join(SHADOW_COLUMNS)} FROM shadows WHERE {where}", values):
        yield Shadow(position=row[0], **dict(zip(SHADOW_COLUMNS, row[1:], strict=True)))
