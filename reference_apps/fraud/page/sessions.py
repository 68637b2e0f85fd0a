"""The browsers that people have signed in with, as rows: shared by all instances of a machine. No secret is kept, only its hash."""

import hashlib
import secrets
from asyncio import to_thread
from collections.abc import Callable
from pathlib import Path

from ctl.kit.database import Database
from reference_apps.fraud.keeping.people import People, Person

SESSION_MS = 8 * 3_600_000
SCHEMA = "CREATE TABLE IF NOT EXISTS sessions (id_hash TEXT PRIMARY KEY, person TEXT NOT NULL, until_ms INTEGER NOT NULL) WITHOUT ROWID;"


class Sessions:
    """Who has signed in, for eight hours or until they sign out or are revoked."""

    def __init__(self, folder: Path, people: People, now_ms: Callable[[], int]) -> None:
        self._database, self._people, self._now_ms = Database(folder / "sessions.db", SCHEMA), people, now_ms

    async def begin(self, token: str) -> str | None:
        """Begin a session for whoever has this token, and clear away those that have ended; None: nobody has it. Raises DatabaseFailed."""
        return await to_thread(self._begin, token)

    async def who(self, session: str) -> Person | None:
        """Return whose session this is; None: it has ended, or the person's access has. Raises DatabaseFailed."""
        return await to_thread(self._who, session)

    async def end(self, session: str) -> None:
        """End a session; one that has ended stays so. Raises DatabaseFailed."""
        await to_thread(self._end, session)

    async def names(self) -> dict[str, str]:
        """Return how colleagues see everybody, by id. Raises DatabaseFailed."""
        return {each.id: each.name for each in await to_thread(self._people.everybody)}

    def close(self) -> None:
        self._database.close()

    def _begin(self, token: str) -> str | None:
        person = self._people.by_token(token)
        if person is None:
            return None
        session, now = secrets.token_urlsafe(32), self._now_ms()
        with self._database.write() as connection:
            connection.execute("DELETE FROM sessions WHERE until_ms <= ?", (now,))
            connection.execute("INSERT INTO sessions VALUES (?, ?, ?)", (_hashed(session), person.id, now + SESSION_MS))
        return session

    def _who(self, session: str) -> Person | None:
        with self._database.read() as connection:
            row = connection.execute("SELECT person FROM sessions WHERE id_hash = ? AND until_ms > ?", (_hashed(session), self._now_ms())).fetchone()
        return next((each for each in self._people.everybody() if row and each.id == row[0] and each.active), None)

    def _end(self, session: str) -> None:
        with self._database.write() as connection:
            connection.execute("DELETE FROM sessions WHERE id_hash = ?", (_hashed(session),))


def _hashed(session: str) -> str:
    """Return what is kept of a session. It is random and long, so a plain hash is enough."""
    return hashlib.sha256(session.encode()).hexdigest()
