"""The journal in PostgreSQL, for more than one machine: an advisory lock says who leads, the epoch in the head row refuses whoever only believes so."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from reference_apps.ledger.keeping import journal
from reference_apps.ledger.keeping.journal import Fenced, Head, Unreachable, Unwritable
from reference_apps.ledger.keeping.record import GENESIS, Broken, Record

if TYPE_CHECKING:
    from psycopg import Connection

LEAD_KEY = 0x6C6564676572
"""The advisory lock of the leading writer; a database holds one ledger."""
CALL_S = 10
DEFAULTS = {
    "connect_timeout": "5",
    "tcp_user_timeout": str(CALL_S * 1000),
    "keepalives_idle": "2",
    "keepalives_interval": "1",
    "keepalives_count": "3",
    "application_name": "msxf-ledger",
}
SCHEMA = (
    "CREATE TABLE IF NOT EXISTS journal (seq bigint PRIMARY KEY, epoch bigint NOT NULL, at_ns bigint NOT NULL,"
    " body bytea NOT NULL, previous text NOT NULL, hash text NOT NULL)",
    # Bodies are read in parts, and hashed bytes gain nothing from a second coat of compression.
    "ALTER TABLE journal ALTER COLUMN body SET STORAGE EXTERNAL",
    "CREATE TABLE IF NOT EXISTS head (number int PRIMARY KEY CHECK (number = 1), seq bigint NOT NULL, hash text NOT NULL, epoch bigint NOT NULL)",
    f"INSERT INTO head VALUES (1, 0, '{GENESIS}', 0) ON CONFLICT DO NOTHING",
)
APPEND = """
WITH mine AS (UPDATE head SET seq = %(seq)s, hash = %(hash)s WHERE epoch = %(epoch)s AND seq = %(seq)s - 1 AND hash = %(previous)s RETURNING 1)
INSERT INTO journal (seq, epoch, at_ns, body, previous, hash)
SELECT %(seq)s, %(epoch)s, %(at_ns)s, %(body)s, %(previous)s, %(hash)s FROM mine
"""
AT_ONCE = 64


@dataclass(frozen=True, slots=True)
class Postgres:
    """Where the journal is: libpq's connection text. Raises ValueError for a text that is none, or that carries a password."""

    conninfo: str

    def __post_init__(self) -> None:
        given = _parsed(self.conninfo)
        if "password" in given:
            raise ValueError("the connection text carries a password; put it into a file and name that: passfile=/path/to/pgpass")


class PgJournal:
    """One writer's session. A session that breaks is opened again by the next call; leadership that went with it must be won back."""

    def __init__(self, place: Postgres) -> None:
        self._place = place
        self._connection: Connection[Any] | None = None
        self.epoch = 0

    def try_lead(self) -> bool:
        with self._session() as session:
            row = session.execute("SELECT pg_try_advisory_lock(%s)", (LEAD_KEY,)).fetchone()
        return bool(row and row[0])

    def begin_epoch(self, at_least: int = 0) -> int:
        with self._session() as session:
            for statement in SCHEMA:
                session.execute(statement)
            row = session.execute("UPDATE head SET epoch = greatest(epoch + 1, %s) RETURNING epoch", (at_least,)).fetchone()
        self.epoch = int(row[0]) if row else 0
        return self.epoch

    def head(self) -> Head:
        with self._session() as session:
            return _promised(session)

    def append(self, new: Record) -> None:
        facts = {"seq": new.seq, "epoch": new.epoch, "at_ns": new.at_ns, "body": new.body, "previous": new.previous, "hash": new.hash}
        try:
            with self._session() as session:
                if session.execute(APPEND, facts, binary=True).rowcount == 1:
                    return
                head, epoch = _promised(session), session.execute("SELECT epoch FROM head").fetchone()
        except Unreachable as error:
            raise Unwritable(f"record {new.seq} could not be written: {error}") from error
        raise journal.refused(new, head, int(epoch[0]) if epoch else 0)

    def records(self, after: int = 0) -> Iterator[Record]:
        with self._session() as session, session.transaction():
            session.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
            yield from _records(session, after)

    def part(self, seq: int, offset: int, length: int) -> bytes:
        with self._session() as session:
            row = session.execute("SELECT substr(body, %s, %s) FROM journal WHERE seq = %s", (offset + 1, length, seq)).fetchone()
        return bytes(row[0]) if row else b""

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    @contextmanager
    def _session(self) -> "Iterator[Connection[Any]]":
        """Yield the open session, each statement its own transaction. Raises Unreachable; a broken session is dropped."""
        import psycopg

        try:
            if self._connection is None:
                self._connection = _opened(self._place)
                self._lead_again()
            yield self._connection
        except psycopg.Error as error:
            if self._connection is not None and self._connection.broken:
                self.close()
            raise Unreachable(f"PostgreSQL: {_said(error)}") from error

    def _lead_again(self) -> None:
        """A writer whose session broke has lost the lock with it. Raises Fenced when another one holds it by now."""
        if self.epoch and self._connection is not None:
            row = self._connection.execute("SELECT pg_try_advisory_lock(%s)", (LEAD_KEY,)).fetchone()
            if not (row and row[0]):
                self.close()
                raise Fenced(f"writer epoch {self.epoch} lost its session, and another writer leads by now")


def reading(place: Postgres) -> Iterator[Record]:
    """Yield every record as one snapshot, each checked, while the writer goes on. Raises Broken, Unreachable."""
    reader = PgJournal(place)
    try:
        yield from reader.records()
    finally:
        reader.close()


def _opened(place: Postgres) -> "Connection[Any]":
    """Connect. Raises Unreachable for a server that acknowledges before its disk has the data."""
    import psycopg

    options = f"-c synchronous_commit=on -c statement_timeout={CALL_S * 1000} -c lock_timeout={CALL_S * 1000}"
    connection = psycopg.connect(**(DEFAULTS | _parsed(place.conninfo) | {"options": options}), autocommit=True)
    row = connection.execute("SHOW fsync").fetchone()
    if row is None or row[0] != "on":
        connection.close()
        raise Unreachable("PostgreSQL runs with fsync off: it could lose what it has acknowledged; switch it on")
    return connection


def _parsed(conninfo: str) -> dict[str, Any]:
    try:
        import psycopg
        from psycopg.conninfo import conninfo_to_dict
    except ImportError as error:
        raise ValueError("PostgreSQL is not installed for; install msxfctl[postgres]") from error
    try:
        return conninfo_to_dict(conninfo)
    except psycopg.Error as error:
        raise ValueError(f"not a connection text: {_said(error)}") from error


def _records(session: "Connection[Any]", after: int) -> Iterator[Record]:
    head = _hash_of(session, after)
    with session.cursor("journal", binary=True) as cursor:
        cursor.itersize = AT_ONCE
        cursor.execute("SELECT seq, epoch, at_ns, body, previous, hash FROM journal WHERE seq > %s ORDER BY seq", (after,))
        found = (Record(seq=row[0], epoch=row[1], at_ns=row[2], body=bytes(row[3]), previous=row[4], hash=row[5]) for row in cursor)
        for one in journal.in_order(found, head):
            head = one.seq, one.hash
            yield one
    journal.check_end(head, _promised(session))


def _hash_of(session: "Connection[Any]", seq: int) -> Head:
    if seq == 0:
        return journal.first_head()
    row = session.execute("SELECT hash FROM journal WHERE seq = %s", (seq,)).fetchone()
    if row is None:
        raise Broken(f"record {seq} is missing")
    return seq, str(row[0])


def _promised(session: "Connection[Any]") -> Head:
    row = session.execute("SELECT seq, hash FROM head").fetchone()
    if row is None:
        raise Broken("the head is missing")
    return int(row[0]), str(row[1])


def _said(error: Exception) -> str:
    return " ".join(str(error).split())[:300] or type(error).__name__
