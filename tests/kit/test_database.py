"""The shared database: what is committed is there, what fails is undone, several processes take turns, and a lock that never ends is an error."""

import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from ctl.kit import database
from ctl.kit.database import Database, DatabaseFailed

ROOT = Path(__file__).parents[2]
SCHEMA = "CREATE TABLE IF NOT EXISTS words (number INTEGER PRIMARY KEY, word TEXT NOT NULL UNIQUE);"


def words(held: Database) -> list[str]:
    with held.read() as connection:
        return [row[0] for row in connection.execute("SELECT word FROM words ORDER BY number")]


def add(held: Database, word: str) -> None:
    with held.write() as connection:
        connection.execute("INSERT INTO words (word) VALUES (?)", (word,))


def add_and_fail(held: Database, word: str) -> None:
    with held.write() as connection:
        connection.execute("INSERT INTO words (word) VALUES (?)", (word,))
        raise KeyError(word)


def test_what_is_committed_stays_and_is_fully_synchronised(tmp_path: Path) -> None:
    held = Database(tmp_path / "below" / "it.db", SCHEMA)
    add(held, "one")
    with held.read() as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert connection.execute("PRAGMA synchronous").fetchone() == (2,)
    held.close()
    again = Database(tmp_path / "below" / "it.db", SCHEMA)
    assert words(again) == ["one"]
    again.close()


def test_an_error_inside_undoes_the_whole_transaction(tmp_path: Path) -> None:
    held = Database(tmp_path / "it.db", SCHEMA)
    add(held, "one")
    with pytest.raises(KeyError):
        add_and_fail(held, "two")
    with pytest.raises(DatabaseFailed, match="UNIQUE"):
        add(held, "one")
    add(held, "three")
    assert words(held) == ["one", "three"]
    held.close()


def test_a_reader_sees_one_state(tmp_path: Path) -> None:
    held, other = Database(tmp_path / "it.db", SCHEMA), Database(tmp_path / "it.db", SCHEMA)
    with held.read() as connection:
        assert connection.execute("SELECT count(*) FROM words").fetchone() == (0,)
        add(other, "meanwhile")
        assert connection.execute("SELECT count(*) FROM words").fetchone() == (0,)
    assert words(held) == ["meanwhile"]
    held.close()
    other.close()


def test_a_lock_that_never_ends_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "BUSY_S", 0.05)
    held, other = Database(tmp_path / "it.db", SCHEMA), Database(tmp_path / "it.db", SCHEMA)
    with held.write(), pytest.raises(DatabaseFailed, match=r"another process has been writing for 0\.05 s"):
        add(other, "never")
    foreign = sqlite3.connect(tmp_path / "it.db", isolation_level=None)
    foreign.execute("BEGIN IMMEDIATE")
    with pytest.raises(DatabaseFailed, match="locked"):
        add(other, "never")
    foreign.close()
    add(other, "now")
    assert words(held) == ["now"]
    held.close()
    other.close()


WRITER = """
import sys
from pathlib import Path
from ctl.kit.database import Database

held = Database(Path(sys.argv[1]), sys.argv[3])
for number in range(50):
    with held.write() as connection:
        count = connection.execute("SELECT count(*) FROM words").fetchone()[0]
        connection.execute("INSERT INTO words (word) VALUES (?)", (f"{count} of all, {number} of {sys.argv[2]}",))
"""


def test_processes_that_open_and_write_at_once_take_turns(tmp_path: Path) -> None:
    path = tmp_path / "it.db"
    writers = [subprocess.Popen([sys.executable, "-c", WRITER, str(path), str(number), SCHEMA], cwd=ROOT) for number in range(4)]
    assert [writer.wait(30) for writer in writers] == [0] * 4
    held = Database(path, SCHEMA)
    assert [int(word.split()[0]) for word in words(held)] == list(range(200))
    held.close()


def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    (tmp_path / "it.db").write_bytes(b"something else entirely, and long enough to be read as a header " * 20)
    with pytest.raises(DatabaseFailed, match=r"it\.db cannot be opened: file is not a database"):
        Database(tmp_path / "it.db", SCHEMA)


def test_a_long_write_ahead_log_is_moved_beside_the_commits_and_does_not_grow_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "MOVE_S", 0.01)
    monkeypatch.setattr(database, "MOST_PAGES", 2_500)
    held, grown = Database(tmp_path / "it.db", SCHEMA), tmp_path / "it.db-wal"
    number = 0
    while number < 900:
        add(held, f"{number:08}" + "x" * 60_000)
        number += 1
    assert (tmp_path / "it.db").stat().st_size > 4 * 2**20, "nothing was moved to the file"
    assert grown.stat().st_size < 40 * 2**20, "fifty-four megabytes were written: it was begun anew"
    assert len(words(held)) == number
    held.close()
    assert not grown.exists(), "the last one to close leaves one file"
    again = Database(tmp_path / "it.db", SCHEMA)
    assert len(words(again)) == number
    again.close()
