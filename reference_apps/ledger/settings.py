"""How the ledger is configured: where its journal is kept."""

from collections.abc import Callable
from pathlib import Path

from reference_apps.ledger.keeping.journals import Place
from reference_apps.ledger.keeping.pgjournal import Postgres

Config = Callable[[str, str], str]
"""Returns the value of a key, or the default given."""


def place(config: Config, data_dir: Path) -> Place:
    """Return where the journal is: the PostgreSQL database that `journal.postgres` names, else a file. Raises ValueError naming the key."""
    conninfo = config("journal.postgres", "")
    if not conninfo:
        return data_dir / "ledger.db"
    try:
        return Postgres(conninfo)
    except ValueError as error:
        raise ValueError(f"journal.postgres: {error}") from error
