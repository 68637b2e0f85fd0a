"""The journal in SQLite: append-only, hash-chained; a batch is one durable transaction."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict

from sqlalchemy import Connection, Row, Select, func, insert, select, update

from ctl.backends.store import chain
from ctl.backends.store.engine import Database
from ctl.backends.store.rows import HEAD, JOURNAL
from ctl.model.event import Event, Note

POLL_S = 0.2
_COLUMNS = tuple(JOURNAL.c[name] for name in chain.Link.__slots__)
_HEAD = select(HEAD.c.seq, HEAD.c.hash)


class SqlJournal:
    """The record of every change. Followers wait() for it to grow, whichever process writes."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def append(self, notes: Sequence[Note]) -> Sequence[Event]:
        if not notes:
            return ()
        with self._database.write(f"append {len(notes)} events to the journal") as connection:
            links = write(connection, notes)
        self._database.journal.notify(links[-1].seq)
        return tuple(chain.event(link) for link in links)

    def read(self, after: int, limit: int, service: str = "", kind: str = "") -> Sequence[Event]:
        asked = _of(service).where(JOURNAL.c.seq > after).order_by(JOURNAL.c.seq).limit(limit)
        if kind:
            asked = asked.where(func.substr(JOURNAL.c.kind, 1, len(kind)) == kind)
        with self._database.read("read the journal") as connection:
            return tuple(_event(row) for row in connection.execute(asked))

    def last(self, limit: int, service: str = "") -> Sequence[Event]:
        newest = _of(service).order_by(JOURNAL.c.seq.desc()).limit(limit)
        with self._database.read("read the end of the journal") as connection:
            return tuple(_event(row) for row in connection.execute(newest))[::-1]

    def verify(self) -> int:
        with self._database.read("verify the journal") as connection:
            head = connection.execute(_HEAD).one_or_none()
            seq, previous = 0, chain.GENESIS
            for row in connection.execution_options(yield_per=1000).execute(_of("").order_by(JOURNAL.c.seq)):
                link = _link(row)
                chain.check(link, seq + 1, previous)
                seq, previous = link.seq, link.hash
        if head is None or (head.seq, head.hash) != (seq, previous):
            raise chain.broken(seq + 1, f"the end is cut off: {seq} events are left of {head.seq if head else 'an unknown number'}")
        return seq

    def wait(self, after: int, timeout_s: float) -> bool:
        """Wait until there is an event with seq > `after`; False when `timeout_s` passed without one."""
        deadline = time.monotonic() + timeout_s
        while not self._has(after):
            left_s = deadline - time.monotonic()
            if left_s <= 0:
                return False
            self._database.journal.wait(after, min(POLL_S, left_s))
        return True

    def _has(self, after: int) -> bool:
        if self._database.journal.seen <= after:
            with self._database.read("look for new events") as connection:
                self._database.journal.notify(_head(connection))
        return self._database.journal.seen > after


def write(connection: Connection, notes: Sequence[Note]) -> Sequence[chain.Link]:
    """Chain notes to the journal's end, inside the caller's transaction, and return them as links."""
    seq, previous = connection.execute(_HEAD).one()
    links = tuple(_links(notes, seq, previous))
    connection.execute(insert(JOURNAL), [asdict(link) for link in links])
    connection.execute(update(HEAD).values(seq=links[-1].seq, hash=links[-1].hash))
    return links


def _head(connection: Connection) -> int:
    return int(connection.execute(_HEAD).one().seq)


def _links(notes: Sequence[Note], seq: int, previous: str) -> Iterator[chain.Link]:
    for number, note in enumerate(notes, seq + 1):
        link = chain.link(note, number, previous)
        previous = link.hash
        yield link


def _of(service: str) -> Select[tuple[object, ...]]:
    every = select(*_COLUMNS)
    return every.where(JOURNAL.c.service == service) if service else every


def _link(row: Row[tuple[object, ...]]) -> chain.Link:
    return chain.Link(**row._mapping)


def _event(row: Row[tuple[object, ...]]) -> Event:
    return chain.event(_link(row))
