"""The cases on disk, shared by all instances: state, events and what is owed to other services in one commit, and each running case has one living holder.

A holder lives while its row says so; it renews it while it has cases. A case whose holder has died may be claimed by anybody, and a holder that was
only slow loses the race by version: what it writes then is refused.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from sqlite3 import Connection
from typing import Any

from ctl.kit.database import Database
from reference_apps.approval import codec, shelf
from reference_apps.approval.desk import store as desk
from reference_apps.approval.flow import questions
from reference_apps.approval.flow.model import Flow, FlowId, Stage
from reference_apps.approval.model import FINAL, Case, Status

LEASE_MS = 3_000
RENEW_MS = 1_000

SCHEMA = f"""
CREATE TABLE IF NOT EXISTS cases (
    number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, body_hash TEXT NOT NULL, status TEXT NOT NULL,
    version INTEGER NOT NULL, holder TEXT NOT NULL, retry_ms INTEGER, content TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS cases_status ON cases (status, number);
CREATE TABLE IF NOT EXISTS events (
    id TEXT NOT NULL, version INTEGER NOT NULL, at_ms INTEGER NOT NULL, kind TEXT NOT NULL, body TEXT NOT NULL, PRIMARY KEY (id, version)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS holders (holder TEXT PRIMARY KEY, instance TEXT NOT NULL, until_ms INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS outbox (key TEXT PRIMARY KEY, id TEXT NOT NULL, body TEXT NOT NULL, at_ms INTEGER NOT NULL, done_ms INTEGER) WITHOUT ROWID;
{shelf.SCHEMA}
{desk.SCHEMA}
"""
FREE = "holder NOT IN (SELECT holder FROM holders WHERE until_ms > :now AND until_ms <= :now + 2 * :lease)"
"""Nobody alive holds it. A lease that ends later than leases do was written by a clock that has jumped back since: it holds nothing."""


STRETCH = "stretch"
"""The kind of a row with all events of one commit."""


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
    body: Mapping[str, Any] = field(default_factory=dict)


def noted(case: Case, kind: str, body: Mapping[str, Any]) -> Event:
    """Return the line of history that tells how the case came to stand as it does."""
    return Event(case.version, case.updated_ms, kind, {"status": case.status, "stage": case.stage, **body})


def _nothing(*_: Any) -> None:
    """Who did not ask is not told."""


class Store:
    """The shared file, seen by one holder (one process of one instance). What takes a connection runs in the transaction of `write`.

    `on_manual(connection, case, stage, now_ms)` is called in the commit with which a case comes into a stage of people; that visit is named by
    (case.id, stage.name, case.entered). `on_left(connection, case, stage_name, entered, now_ms)` in the commit with which it leaves, for whatever reason.
    """

    def __init__(self, folder: Path, instance: str, holder: str) -> None:
        self._database = Database(folder / "approval.db", SCHEMA)
        self._reading = Database(folder / "approval.db", "")
        self._glancing = Database(folder / "approval.db", "")
        self._instance, self._holder = instance, holder
        self._renewed_ms = 0
        self.on_manual: Callable[[Connection, Case, Stage, int], None] = _nothing
        self.on_left: Callable[[Connection, Case, str, int, int], None] = _nothing

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """One transaction, on the disk when it ends. Raises DatabaseFailed."""
        try:
            with self._database.write() as connection:
                yield connection
        except BaseException:
            self._renewed_ms = 0  # what was renewed in it is rolled back
            raise

    def read(self) -> AbstractContextManager[Connection]:
        """One snapshot, which waits for no writer. Raises DatabaseFailed."""
        return self._reading.read()

    def glance(self) -> AbstractContextManager[Connection]:
        """One snapshot for the event loop's own thread, which finds a row by its key sooner than it hands the question to another. Raises DatabaseFailed."""
        return self._glancing.read()

    @property
    def database(self) -> Database:
        """The file's writing connection, for what else is kept in it."""
        return self._database

    def arrive(self) -> None:
        """Say that whatever held cases under our instance's name before is dead: the runtime never runs an instance twice."""
        with self.write() as connection:
            connection.execute("DELETE FROM holders WHERE instance = ?", (self._instance,))

    def beat(self, connection: Connection, now_ms: int) -> None:
        """Live on for another lease."""
        connection.execute("INSERT OR REPLACE INTO holders VALUES (?, ?, ?)", (self._holder, self._instance, now_ms + LEASE_MS))
        self._renewed_ms = now_ms

    def leave(self) -> None:
        """Give up whatever is held."""
        with self.write() as connection:
            connection.execute("DELETE FROM holders WHERE holder = ?", (self._holder,))

    def begin(self, connection: Connection, flow: Flow, case: Case, body_hash: str, events: Sequence[Event]) -> Known | None:
        """Take a new case in, held by us while it runs; an id that is there already returns what stands there and changes nothing."""
        holder = self._hold(connection, case)
        row = (case.id, body_hash, str(case.status), case.version, holder, case.retry_ms, codec.encode(case))
        done = connection.execute(
            "INSERT INTO cases (id, body_hash, status, version, holder, retry_ms, content) VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING", row
        )
        if not done.rowcount:
            return known(connection, case.id)
        self._along(connection, flow, case, 0, events)
        return None

    def save(self, connection: Connection, flow: Flow, case: Case, since: int, events: Sequence[Event]) -> None:
        """Write what has become of a case that we hold. Raises Lost when it is no longer ours at version `since`."""
        holder = self._hold(connection, case)
        row = (str(case.status), case.version, holder, case.retry_ms, codec.encode(case), case.id, since, self._holder)
        done = connection.execute(
            "UPDATE cases SET status = ?, version = ?, holder = ?, retry_ms = ?, content = ? WHERE id = ? AND version = ? AND holder = ?", row
        )
        if not done.rowcount:
            raise Lost(f"application {case.id} was moved on by another instance")
        self._along(connection, flow, case, since, events)

    def claim(self, connection: Connection, case_id: str, now_ms: int) -> Case | None:
        """Take a case over that should run and that nobody alive holds; None when there is nothing to take."""
        query = f"SELECT content FROM cases WHERE id = :id AND status = 'running' AND (holder = :us OR {FREE})"
        row = connection.execute(query, {"id": case_id, "us": self._holder, "now": now_ms, "lease": LEASE_MS}).fetchone()
        if row is None:
            return None
        self.beat(connection, now_ms)
        connection.execute("UPDATE cases SET holder = ? WHERE id = ?", (self._holder, case_id))
        return codec.decode(row[0])

    def change(self, connection: Connection, flow: Flow, before: Case, after: Case, event: Event) -> None:
        """Write what somebody else than its holder did to a case that was read in this transaction; held by us if it runs now."""
        holder = self._hold(connection, after)
        row = (str(after.status), after.version, holder, after.retry_ms, codec.encode(after), after.id)
        connection.execute("UPDATE cases SET status = ?, version = ?, holder = ?, retry_ms = ?, content = ? WHERE id = ?", row)
        if before.status is Status.MANUAL and (after.status is not Status.MANUAL or after.entered != before.entered):
            self.on_left(connection, after, before.stage, before.entered, after.updated_ms)
        self._along(connection, flow, after, before.version, [event])

    def due(self, now_ms: int, limit: int) -> list[str]:
        """Return cases that should go on and that nobody alive (we included) holds, oldest first."""
        running = f"status = 'running' AND (holder = :us OR {FREE})"
        waiting = "status = 'waiting' AND retry_ms <= :now"
        query = f"SELECT id FROM cases WHERE ({running}) OR ({waiting}) ORDER BY number LIMIT :limit"
        asked = {"us": self._holder, "now": now_ms, "lease": LEASE_MS, "limit": limit}
        with self.read() as connection:
            return [row[0] for row in connection.execute(query, asked)]

    def known(self, case_id: str) -> Known | None:
        with self.read() as connection:
            return known(connection, case_id)

    def find(self, case_id: str) -> Case | None:
        known = self.known(case_id)
        return known.case if known else None

    def owed(self, case_id: str) -> Mapping[str, Any] | None:
        """Return what was written to be paid out for a case, None when nothing was."""
        with self.read() as connection:
            return owed(connection, case_id)

    def history(self, case_id: str) -> list[Event]:
        with self.read() as connection:
            rows = connection.execute("SELECT version, at_ms, kind, body FROM events WHERE id = ? ORDER BY version", (case_id,)).fetchall()
        return [event for version, at_ms, kind, body in rows for event in _events(Event(version, at_ms, kind, codec.plain(body)))]

    def page(self, status: Status | None, after: str, limit: int) -> list[Case]:
        """Return cases in the order they came, from beyond the case `after` (empty: from the first)."""
        beyond = "number > coalesce((SELECT number FROM cases WHERE id = ?), 0)"
        only, wanted = (" AND status = ?", (str(status),)) if status else ("", ())
        with self.read() as connection:
            rows = connection.execute(f"SELECT content FROM cases WHERE {beyond}{only} ORDER BY number LIMIT ?", (after, *wanted, limit)).fetchall()
        return [codec.decode(row[0]) for row in rows]

    def counts(self) -> dict[str, int]:
        """Return the number of cases by status, statuses without cases left out."""
        with self.read() as connection:
            return dict(connection.execute("SELECT status, count(*) FROM cases GROUP BY status").fetchall())

    def flows(self) -> list[tuple[FlowId, int]]:
        """Return the published flows with the time of publishing (ms), by name and version."""
        with self.read() as connection:
            return shelf.listed(connection)

    def flow(self, flow_id: FlowId) -> Flow | None:
        """Return a published flow; with an empty hash, the one of that name and version."""
        with self.read() as connection:
            return shelf.taken(connection, flow_id)

    def close(self) -> None:
        self._glancing.close()
        self._reading.close()
        self._database.close()

    def _hold(self, connection: Connection, case: Case) -> str:
        """Return who holds the case from now on: we, alive for another while, as long as it runs."""
        if case.status is not Status.RUNNING:
            return ""
        if not 0 <= case.updated_ms - self._renewed_ms < RENEW_MS:
            self.beat(connection, case.updated_ms)
        return self._holder

    def _along(self, connection: Connection, flow: Flow, case: Case, since: int, events: Sequence[Event]) -> None:
        """Write what belongs to the same commit: the events, the payout that is owed or done, and a task for people."""
        lines = [(each.version, each.at_ms, each.kind, each.body) for each in events]
        connection.execute("INSERT INTO events VALUES (?, ?, ?, ?, ?)", (case.id, case.version, case.updated_ms, STRETCH, codec.text(lines)))
        if case.status in FINAL:
            connection.execute("UPDATE outbox SET done_ms = ? WHERE key = ?", (case.updated_ms, questions.disbursement_key(case.id)))
        elif (owed := questions.owed(flow, case)) is not None:
            message = (questions.disbursement_key(case.id), case.id, codec.text(owed), case.updated_ms)
            connection.execute("INSERT INTO outbox (key, id, body, at_ms) VALUES (?, ?, ?, ?) ON CONFLICT (key) DO NOTHING", message)
        stage = flow.stages.get(case.stage)
        if case.status is Status.MANUAL and case.entered > since and stage is not None and stage.is_manual:
            self.on_manual(connection, case, stage, case.updated_ms)


def known(connection: Connection, case_id: str) -> Known | None:
    """Return a case as it stands in this transaction."""
    row = connection.execute("SELECT content, body_hash FROM cases WHERE id = ?", (case_id,)).fetchone()
    return Known(codec.decode(row[0]), row[1]) if row else None


def owed(connection: Connection, case_id: str) -> Mapping[str, Any] | None:
    """Return what was written to be paid out for a case, None when nothing was."""
    row = connection.execute("SELECT body FROM outbox WHERE key = ?", (questions.disbursement_key(case_id),)).fetchone()
    return codec.plain(row[0]) if row else None


def _events(row: Event) -> list[Event]:
    """Return the events of a row: those of one commit stand in it together; in older files each has a row of its own."""
    return [Event(*each) for each in row.body] if row.kind == STRETCH else [row]
