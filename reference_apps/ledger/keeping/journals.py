"""Where the journal is kept: a file for one machine, PostgreSQL for several."""

from collections.abc import Iterator
from pathlib import Path
from typing import assert_never

from reference_apps.ledger.books import Books
from reference_apps.ledger.keeping import entry, journal, pgjournal, record, sqlitejournal
from reference_apps.ledger.keeping.journal import Head, Journal
from reference_apps.ledger.keeping.pgjournal import PgJournal, Postgres
from reference_apps.ledger.keeping.record import Record
from reference_apps.ledger.keeping.sqlitejournal import SqliteJournal

Place = Path | Postgres


def open_at(place: Place) -> Journal:
    """Open the journal to read it, and to write it once an epoch has begun."""
    match place:
        case Path():
            return SqliteJournal(place)
        case Postgres():
            return PgJournal(place)
        case _:
            assert_never(place)


def reading(place: Place) -> Iterator[Record]:
    """Yield every record as one snapshot, each checked, while the writer goes on. Raises Broken, Unreachable."""
    return sqlitejournal.reading(place) if isinstance(place, Path) else pgjournal.reading(place)


def verify(place: Place) -> Head:
    """Check the whole chain while the writer goes on; return the number of records and the newest hash. Raises Broken, Unreachable."""
    newest = journal.first_head()
    for found in reading(place):
        newest = found.seq, found.hash
    return newest


def books(place: Place) -> tuple[Books, Head]:
    """Rebuild the books from the first record on, as of one moment, while the writer goes on. Raises Broken, Unreachable, ValueError."""
    rebuilt, newest = Books(), journal.first_head()
    for found in reading(place):
        for one in record.read(found):
            entry.fold(rebuilt, one)
        newest = found.seq, found.hash
    return rebuilt, newest
