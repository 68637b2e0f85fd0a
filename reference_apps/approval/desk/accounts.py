"""Who may sit at the desk, as rows: reviewers by the hash of their token, and the browsers they have signed in with. No secret is kept, only its hash."""

import hashlib
import json
import secrets
from sqlite3 import Connection

from reference_apps.approval.desk.people import Reviewer, Role

SESSION_MS = 8 * 3_600_000

SCHEMA = """
CREATE TABLE IF NOT EXISTS reviewers (
    id TEXT PRIMARY KEY, name TEXT NOT NULL, token_hash TEXT NOT NULL UNIQUE, skills TEXT NOT NULL, ceiling_fen INTEGER NOT NULL,
    role TEXT NOT NULL, active INTEGER NOT NULL, created_ms INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS sessions (id_hash TEXT PRIMARY KEY, reviewer TEXT NOT NULL, until_ms INTEGER NOT NULL) WITHOUT ROWID;
"""
COLUMNS = "reviewers.id, name, skills, ceiling_fen, role, active"


class Exists(Exception):
    """There is a reviewer of this id already."""


def new_secret() -> str:
    """Return 256 random bits as text."""
    return secrets.token_urlsafe(32)


def hashed(secret: str) -> str:
    """Return what is kept of a secret. It is random and long, so a plain hash is enough."""
    return hashlib.sha256(secret.encode()).hexdigest()


def add(connection: Connection, person: Reviewer, now_ms: int) -> str:
    """Add a reviewer and return their token, which is never to be had again. Raises Exists."""
    token = new_secret()
    row = (person.id, person.name, hashed(token), json.dumps(person.skills), person.ceiling_fen, str(person.role), person.active, now_ms)
    written = connection.execute("INSERT OR IGNORE INTO reviewers VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)
    if not written.rowcount:
        raise Exists(f"there is a reviewer {person.id} already; what they did is kept under that id: choose another")
    return token


def revoke(connection: Connection, person_id: str) -> bool:
    """Take somebody's access away, in every browser, at once; False when there is nobody of this id."""
    connection.execute("DELETE FROM sessions WHERE reviewer = ?", (person_id,))
    return connection.execute("UPDATE reviewers SET active = 0 WHERE id = ?", (person_id,)).rowcount > 0


def everybody(connection: Connection) -> list[Reviewer]:
    """Return all reviewers by id, revoked ones too."""
    return [_reviewer(row) for row in connection.execute(f"SELECT {COLUMNS} FROM reviewers ORDER BY id")]


def find(connection: Connection, person_id: str) -> Reviewer | None:
    row = connection.execute(f"SELECT {COLUMNS} FROM reviewers WHERE id = ?", (person_id,)).fetchone()
    return _reviewer(row) if row else None


def by_token(connection: Connection, token: str) -> Reviewer | None:
    """Return the active reviewer whose token this is."""
    row = connection.execute(f"SELECT {COLUMNS} FROM reviewers WHERE token_hash = ? AND active", (hashed(token),)).fetchone()
    return _reviewer(row) if row else None


def sign_in(connection: Connection, person: Reviewer, now_ms: int) -> str:
    """Begin a session and return its id, which only the browser keeps; sessions that have ended are cleared away."""
    session = new_secret()
    connection.execute("DELETE FROM sessions WHERE until_ms <= ?", (now_ms,))
    connection.execute("INSERT INTO sessions VALUES (?, ?, ?)", (hashed(session), person.id, now_ms + SESSION_MS))
    return session


def by_session(connection: Connection, session: str, now_ms: int) -> Reviewer | None:
    """Return the active reviewer of a session that has not ended."""
    query = f"SELECT {COLUMNS} FROM sessions JOIN reviewers ON reviewers.id = reviewer WHERE id_hash = ? AND until_ms > ? AND active"
    row = connection.execute(query, (hashed(session), now_ms)).fetchone()
    return _reviewer(row) if row else None


def sign_out(connection: Connection, session: str) -> None:
    connection.execute("DELETE FROM sessions WHERE id_hash = ?", (hashed(session),))


def _reviewer(row: tuple[str, str, str, int, str, int]) -> Reviewer:
    person_id, name, skills, ceiling_fen, role, active = row
    return Reviewer(id=person_id, name=name, skills=tuple(json.loads(skills)), ceiling_fen=ceiling_fen, role=Role(role), active=bool(active))
