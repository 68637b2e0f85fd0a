"""What the SQLite store does when the world is bad: killed writers, full disks, tampered files, a second process."""

import json
import os
import random
import signal
import sqlite3
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import event

from ctl.backends.store import engine
from ctl.backends.store.engine import Database, open_engine
from ctl.backends.store.findings import SqlFindings
from ctl.backends.store.fleet import SqlTargets
from ctl.backends.store.journal import SqlJournal
from ctl.backends.store.rollouts import SqlRollouts
from ctl.errors import BackendError, Refused
from ctl.model.finding import Concerns
from tests.contract.store_writer import NOW, note

ROOT = Path(__file__).parents[2]
WRITER = [sys.executable, "-m", "tests.contract.store_writer"]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "home" / "state.db"


@pytest.fixture
def database(path: Path) -> Iterator[Database]:
    opened = open_engine(path)
    yield opened
    opened.close()


def writing(path: Path, service: str, times: int = 0) -> "subprocess.Popen[str]":
    process = subprocess.Popen([*WRITER, str(path), service, str(times)], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout
    assert process.stdout.readline() == "ready\n"
    return process


# --- killed ---


def test_a_killed_writer_leaves_whole_writes_and_an_unbroken_chain(path: Path) -> None:
    dice = random.Random(7)
    for _ in range(10):
        process = writing(path, "risk")
        time.sleep(dice.uniform(0.0, 0.06))  # a random moment of a process that does nothing but write
        process.send_signal(signal.SIGKILL)
        process.wait(10)
        database = open_engine(path)
        journal, state = SqlJournal(database), SqlRollouts(database).history("risk", 1)
        assert journal.verify() == len(journal.read(0, 100_000))
        saved = [event.body["version"] for event in journal.read(0, 100_000, kind="saved")]
        assert saved == list(range(1, len(saved) + 1)), "each state has its note, and each note its state"
        assert [one.version for one in state] == saved[-1:]
        assert [one.failures for one in state] == saved[-1:]
        kinds = [event.kind for event in journal.read(0, 100_000) if event.kind != "saved"]
        assert kinds == ["first", "second"] * (len(kinds) // 2), "a batch is there whole or not at all"
        database.close()


def test_two_processes_at_once_keep_one_chain(path: Path) -> None:
    open_engine(path).close()
    processes = [writing(path, service, 60) for service in ("risk", "fraud")]
    assert [process.wait(60) for process in processes] == [0, 0]
    database = open_engine(path)
    journal = SqlJournal(database)
    assert journal.verify() == 2 * 60 * 3
    services = [event.service for event in journal.read(0, 1000)]
    assert services != sorted(services), "they did write at once"
    assert {one.service: one.version for one in SqlRollouts(database).active()} == {"risk": 60, "fraud": 60}
    database.close()


def test_a_new_store_opened_by_many_at_once_is_made_once(path: Path) -> None:
    processes = [subprocess.Popen([*WRITER, str(path), f"svc-{number}", "1"], cwd=ROOT, stdout=subprocess.DEVNULL) for number in range(4)]
    assert [process.wait(60) for process in processes] == [0] * 4
    database = open_engine(path)
    assert SqlJournal(database).verify() == 12
    database.close()


def test_a_follower_hears_of_another_process(database: Database, path: Path) -> None:
    journal = SqlJournal(database)
    assert not journal.wait(0, 0.05)
    process = writing(path, "risk", 1)
    assert journal.wait(0, 10.0)
    assert process.wait(10) == 0


# --- tampered with ---


def filled(database: Database) -> SqlJournal:
    journal = SqlJournal(database)
    journal.append([note("event", "risk", number=number) for number in range(1, 8)])
    assert journal.verify() == 7
    return journal


def tamper(path: Path, *statements: str) -> None:
    connection = sqlite3.connect(path)
    for verb in ("update", "delete"):
        connection.execute(f"DROP TRIGGER IF EXISTS journal_no_{verb}")
    for statement in statements:
        connection.execute(statement)
    connection.commit()
    connection.close()


TAMPERING: dict[str, tuple[int, list[str]]] = {
    "an edited sentence": (3, ["UPDATE journal SET why = 'another reason' WHERE seq = 3"]),
    "an edited body": (3, ["""UPDATE journal SET body = '{"number":4}' WHERE seq = 3"""]),
    "a body that says the same in other words": (3, ["""UPDATE journal SET body = '{"number": 3}' WHERE seq = 3"""]),
    "a body that is no JSON": (3, ["UPDATE journal SET body = 'x' WHERE seq = 3"]),
    "an edited time": (1, ["UPDATE journal SET at = '2029-01-01T00:00:00+00:00' WHERE seq = 1"]),
    "an edited name": (7, ["UPDATE journal SET actor = 'bob' WHERE seq = 7"]),
    "a hash made to fit": (4, ["UPDATE journal SET hash = 'ff' WHERE seq = 3", "UPDATE journal SET hash = hash WHERE seq = 4"]),
    "a deleted event": (4, ["DELETE FROM journal WHERE seq = 4"]),
    "the first one deleted": (1, ["DELETE FROM journal WHERE seq = 1"]),
    "the last ones cut off": (6, ["DELETE FROM journal WHERE seq > 5"]),
    "everything deleted": (1, ["DELETE FROM journal"]),
    "two events swapped": (
        3,
        ["UPDATE journal SET seq = 99 WHERE seq = 3", "UPDATE journal SET seq = 3 WHERE seq = 4", "UPDATE journal SET seq = 4 WHERE seq = 99"],
    ),
    "a deleted one and the rest moved up": (4, ["DELETE FROM journal WHERE seq = 4", "UPDATE journal SET seq = seq - 1 WHERE seq > 4"]),
    "an added one": (8, ["INSERT INTO journal SELECT 8, at, actor, kind, why, service, rollout, body, hash, hash FROM journal WHERE seq = 7"]),
    "the end moved back to hide a cut": (7, ["DELETE FROM journal WHERE seq > 5", "UPDATE journal_head SET seq = 6"]),
    "the end forgotten": (8, ["DELETE FROM journal_head"]),
}


@pytest.mark.parametrize("name", TAMPERING)
def test_tampering_is_found_and_located(database: Database, path: Path, name: str) -> None:
    where, statements = TAMPERING[name]
    journal = filled(database)
    tamper(path, *statements)
    with pytest.raises(Refused) as broken:
        journal.verify()
    assert abs(int(broken.value.message.split("event ")[1].split(":")[0]) - where) <= 1, broken.value.message
    assert broken.value.remedy


@pytest.mark.parametrize("statement", ["UPDATE journal SET why = 'x'", "DELETE FROM journal WHERE seq = 1", "UPDATE journal SET seq = seq + 1"])
def test_the_journal_is_append_only_for_everybody(database: Database, path: Path, statement: str) -> None:
    journal = filled(database)
    connection = sqlite3.connect(path)
    with pytest.raises(sqlite3.IntegrityError, match="append-only"):
        connection.execute(statement)
    connection.close()
    assert journal.verify() == 7


# --- no room, no right, no sense ---


def test_a_full_disk_is_an_error_with_a_remedy_and_nothing_is_half_there(database: Database) -> None:
    journal = filled(database)
    pages = limit_pages(database)
    with pytest.raises(BackendError) as full:
        append_for_ever(journal)
    assert "full" in full.value.found
    assert "free some space" in full.value.remedy
    assert full.value.retryable
    before = journal.verify()
    assert (before - 7) % 3 == 0, "whole batches only"
    with pytest.raises(BackendError):
        SqlTargets(database).put("x" * 20_000, 1)
    assert SqlTargets(database).all() == {}
    pages(0)
    journal.append([note("event", "risk")])
    assert journal.verify() == before + 1


def append_for_ever(journal: SqlJournal) -> None:
    while True:
        journal.append([note("event", "risk", text="x" * 4000) for _ in range(3)])


def limit_pages(database: Database) -> Callable[[int], None]:
    """Give the store no more than a few pages from now on, and return how to change that."""
    database.engine.dispose()
    most = [0]

    @event.listens_for(database.engine, "checkout")
    def on_checkout(connection: sqlite3.Connection, _record: object, _proxy: object) -> None:
        connection.execute(f"PRAGMA max_page_count={most[0]}")

    used = sqlite3.connect(database.path).execute("PRAGMA page_count").fetchone()[0]
    most[0] = used + 12

    def change(pages: int) -> None:
        most[0] = pages or 1_000_000

    return change


def test_a_file_that_may_not_grow_is_an_error_with_a_remedy(path: Path) -> None:
    script = """
import json, resource, sys
from pathlib import Path
from ctl.backends.store.engine import open_engine
from ctl.backends.store.journal import SqlJournal
from ctl.errors import BackendError
from ctl.model.finding import Concerns
from tests.contract.store_writer import note
database = open_engine(Path(sys.argv[1]))
journal = SqlJournal(database)
resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, 400_000))
written = 0
try:
    while True:
        written = journal.append([note("event", "risk", text="x" * 2000)])[-1].seq
except BackendError as error:
    print(json.dumps({"found": error.found, "remedy": error.remedy, "message": error.message, "written": written}))
"""
    done = subprocess.run([sys.executable, "-c", script, str(path)], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
    said = json.loads(done.stdout)
    assert said["remedy"]
    assert str(path) in said["message"]
    database = open_engine(path)
    assert SqlJournal(database).verify() == said["written"] > 10
    database.close()


def test_a_store_that_may_not_be_written_says_so(database: Database) -> None:
    journal = filled(database)
    database.engine.dispose()
    event.listen(database.engine, "connect", lambda connection, _record: connection.execute("PRAGMA query_only=1"))
    with pytest.raises(BackendError) as refusal:
        journal.append([note("event", "risk")])
    assert "readonly" in refusal.value.found
    assert "writable" in refusal.value.remedy
    assert journal.verify() == 7, "reading goes on"


def test_a_store_that_another_process_holds_says_so(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "BUSY_TIMEOUT_S", 1)
    database = open_engine(path)
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    with pytest.raises(BackendError) as refusal:
        SqlTargets(database).put("risk", 1)
    assert "locked" in refusal.value.found
    assert refusal.value.remedy
    assert SqlTargets(database).all() == {}, "reading goes on"
    holder.execute("ROLLBACK")
    holder.close()
    SqlTargets(database).put("risk", 1)
    database.close()


def test_a_thread_that_never_ends_its_write_does_not_hold_the_others_for_ever(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "BUSY_TIMEOUT_S", 1)
    database = open_engine(path)
    with database.write("hold everybody up"), pytest.raises(BackendError, match="could not set the target"):
        SqlTargets(database).put("risk", 1)
    SqlTargets(database).put("risk", 1)
    database.close()


@pytest.mark.parametrize("content", [b"this is no database, only text" * 100, b"\x00" * 5000, b""], ids=["text", "zeros", "empty"])
def test_a_file_that_is_no_store(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    if not content:
        open_engine(path).close()
        return
    with pytest.raises(BackendError) as refusal:
        open_engine(path)
    assert refusal.value.remedy
    assert path.read_bytes() == content, "what is not ours is left as it is"


def test_a_damaged_store_is_an_error_with_a_remedy(database: Database, path: Path) -> None:
    journal = filled(database)
    journal.append([note("event", "risk", text="x" * 3000) for _ in range(100)])
    database.close()
    content = bytearray(path.read_bytes())
    content[8192:] = os.urandom(len(content) - 8192)
    path.write_bytes(bytes(content))
    for file in (path.with_name("state.db-wal"), path.with_name("state.db-shm")):
        file.unlink(missing_ok=True)
    with pytest.raises((BackendError, Refused)) as damage:
        SqlJournal(open_engine(path)).verify()
    assert damage.value.remedy


def test_a_folder_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "state.db").mkdir()
    with pytest.raises(BackendError) as refusal:
        open_engine(tmp_path / "state.db")
    assert refusal.value.remedy


def test_a_store_of_a_newer_msxfctl_is_refused(path: Path) -> None:
    open_engine(path).close()
    connection = sqlite3.connect(path)
    connection.execute("UPDATE schema_version SET version = version + 1")
    connection.commit()
    connection.close()
    with pytest.raises(Refused, match="newer msxfctl"):
        open_engine(path)


def test_folder_and_file_are_for_their_owner_alone(database: Database, path: Path) -> None:
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    SqlTargets(database).put("risk", 1)
    for file in path.parent.iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600, file


def test_what_was_written_is_there_after_opening_again(path: Path) -> None:
    first = open_engine(path)
    SqlTargets(first).put("risk", 3)
    SqlJournal(first).append([note("event", "risk")])
    first.close()
    second = open_engine(path)
    assert SqlTargets(second).all() == {"risk": 3}
    assert SqlJournal(second).read(0, 10)[0].at == NOW
    second.close()


def test_a_store_from_before_findings_gets_their_table(path: Path) -> None:
    open_engine(path).close()
    with closing(sqlite3.connect(path)) as old:
        old.execute("DROP TABLE finding")
    database = open_engine(path)
    assert SqlFindings(database).all() == {}
    assert SqlFindings(database).save(Concerns(service="risk"), 1).version == 1
    database.close()
