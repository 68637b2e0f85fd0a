"""What people add to a case while they work on it, as rows: notes, and attachments by reference. The papers themselves lie elsewhere."""

from dataclasses import dataclass
from sqlite3 import Connection

SCHEMA = """
CREATE TABLE IF NOT EXISTS notes (
    number INTEGER PRIMARY KEY AUTOINCREMENT, case_id TEXT NOT NULL, at_ms INTEGER NOT NULL, person TEXT NOT NULL, text TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS notes_case ON notes (case_id, number);
CREATE TABLE IF NOT EXISTS attachments (
    number INTEGER PRIMARY KEY AUTOINCREMENT, case_id TEXT NOT NULL, at_ms INTEGER NOT NULL, person TEXT NOT NULL, name TEXT NOT NULL,
    media_type TEXT NOT NULL, sha256 TEXT NOT NULL, reference TEXT NOT NULL, UNIQUE (case_id, sha256, reference)
);
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """What somebody wrote down; notes are never changed."""

    at_ms: int
    person: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """Where a paper lies (`reference`: a URL or the key of a document store), and the SHA-256 that it must have."""

    at_ms: int
    person: str
    name: str
    media_type: str
    sha256: str
    reference: str


def write_note(connection: Connection, case_id: str, note: Note) -> None:
    """Keep a note. The same words by the same person as their last note on the case are that note: a double click writes once."""
    last = connection.execute("SELECT text FROM notes WHERE case_id = ? AND person = ? ORDER BY number DESC LIMIT 1", (case_id, note.person)).fetchone()
    if last != (note.text,):
        connection.execute("INSERT INTO notes (case_id, at_ms, person, text) VALUES (?, ?, ?, ?)", (case_id, note.at_ms, note.person, note.text))


def attach(connection: Connection, case_id: str, paper: Attachment) -> None:
    """Keep a reference; the same paper at the same place is kept once."""
    row = (case_id, paper.at_ms, paper.person, paper.name, paper.media_type, paper.sha256, paper.reference)
    names = "case_id, at_ms, person, name, media_type, sha256, reference"
    connection.execute(f"INSERT OR IGNORE INTO attachments ({names}) VALUES (?, ?, ?, ?, ?, ?, ?)", row)


def notes(connection: Connection, case_id: str) -> list[Note]:
    """Return a case's notes, oldest first."""
    rows = connection.execute("SELECT at_ms, person, text FROM notes WHERE case_id = ? ORDER BY number", (case_id,))
    return [Note(at_ms=at_ms, person=person, text=text) for at_ms, person, text in rows]


def attachments(connection: Connection, case_id: str) -> list[Attachment]:
    """Return a case's attachments, oldest first."""
    names = ("at_ms", "person", "name", "media_type", "sha256", "reference")
    rows = connection.execute(f"SELECT {', '.join(names)} FROM attachments WHERE case_id = ? ORDER BY number", (case_id,))
    return [Attachment(**dict(zip(names, row, strict=True))) for row in rows]
