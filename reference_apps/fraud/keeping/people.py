"""Who may work on cases and rules, as rows: people by the hash of their token, which is shown once and never kept."""

import hashlib
import secrets
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from ctl.kit.database import Database

SCHEMA = """
CREATE TABLE IF NOT EXISTS people (
    id TEXT PRIMARY KEY, name TEXT NOT NULL, role TEXT NOT NULL, token_hash TEXT NOT NULL UNIQUE, active INTEGER NOT NULL
) WITHOUT ROWID;
"""


class Role(StrEnum):
    """What somebody may do: an analyst works on cases and tries rules; a supervisor also takes cases from others and switches rules."""

    ANALYST = "analyst"
    SUPERVISOR = "supervisor"


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """One person, known by the id that their employer gave them; not `active`: revoked."""

    id: str
    name: str
    role: Role
    active: bool = True

    @property
    def is_supervisor(self) -> bool:
        return self.role is Role.SUPERVISOR


class People:
    """The file of people, shared by all instances of a machine."""

    def __init__(self, folder: Path) -> None:
        self._database = Database(folder / "people.db", SCHEMA)

    def add(self, person: Person) -> str | None:
        """Add somebody and return their token, never to be had again; None: there is somebody of this id."""
        token = secrets.token_urlsafe(32)
        row = (person.id, person.name, str(person.role), _hashed(token), person.active)
        with self._database.write() as connection:
            return token if connection.execute("INSERT OR IGNORE INTO people VALUES (?, ?, ?, ?, ?)", row).rowcount else None

    def revoke(self, person_id: str) -> bool:
        """Take somebody's access away at once; False: there is nobody of this id."""
        with self._database.write() as connection:
            return connection.execute("UPDATE people SET active = 0 WHERE id = ?", (person_id,)).rowcount > 0

    def everybody(self) -> list[Person]:
        """Return all people by id, revoked ones too."""
        with self._database.read() as connection:
            return [_person(row) for row in connection.execute("SELECT id, name, role, active FROM people ORDER BY id")]

    def by_token(self, token: str) -> Person | None:
        """Return the active person whose token this is."""
        with self._database.read() as connection:
            row = connection.execute("SELECT id, name, role, active FROM people WHERE token_hash = ? AND active", (_hashed(token),)).fetchone()
        return _person(row) if row else None

    def close(self) -> None:
        self._database.close()


def _hashed(token: str) -> str:
    """Return what is kept of a token. It is random and long, so a plain hash is enough."""
    return hashlib.sha256(token.encode()).hexdigest()


def _person(row: tuple[str, str, str, int]) -> Person:
    person_id, name, role, active = row
    return Person(id=person_id, name=name, role=Role(role), active=bool(active))
