"""Where the journal is kept: a file for one machine, PostgreSQL for several."""

from pathlib import Path
from typing import assert_never

from reference_apps.ledger.keeping import pgjournal, sqlitejournal
from reference_apps.ledger.keeping.journal import Head, Journal
from reference_apps.ledger.keeping.pgjournal import PgJournal, Postgres
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


def verify(place: Place) -> Head:
    """Check the whole chain while the writer goes on; return the number of records and the newest hash. Raises Broken, Unreachable."""
    return sqlitejournal.verify(place) if isinstance(place, Path) else pgjournal.verify(place)
