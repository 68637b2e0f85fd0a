"""Every journal keeps the same promises: in a file and in PostgreSQL, through deaths, races and changes behind its back."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ctl.kit.problem import Problem
from reference_apps.ledger.keeping import journals, record
from reference_apps.ledger.keeping.desk import Desk
from reference_apps.ledger.keeping.journal import Fenced, Journal, Unreachable, Unwritable
from reference_apps.ledger.keeping.journals import Place
from reference_apps.ledger.keeping.pgjournal import Postgres
from reference_apps.ledger.keeping.record import Broken, Record
from tests.apps import postgres
from tests.apps.ledger_work import books_of, on_desk, pay_out, pay_out_many
from tests.kit.running import Instance, Launcher

ROOT = Path(__file__).parents[2]
OPEN_S = 20.0


@pytest.fixture(scope="module")
def cluster() -> Iterator[postgres.Server]:
    with postgres.server() as running:
        yield running


@pytest.fixture(params=["file", "postgres"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    if request.param == "file":
        return tmp_path / "ledger.db"
    pytest.importorskip("psycopg")
    return Postgres(request.getfixturevalue("cluster").new_database())


@pytest.fixture
def opened(place: Place) -> Iterator[Callable[[], Journal]]:
    every: list[Journal] = []

    def one() -> Journal:
        every.append(journals.open_at(place))
        return every[-1]

    yield one
    for each in every:
        each.close()


def begun(journal: Journal, at_least: int = 0) -> Journal:
    assert journal.try_lead()
    journal.begin_epoch(at_least)
    return journal


def following(journal: Journal, body: bytes) -> Record:
    seq, previous = journal.head()
    digest = record.digest(seq + 1, journal.epoch, 7, previous, body)
    return Record(seq=seq + 1, epoch=journal.epoch, at_ns=7, body=body, previous=previous, hash=digest)


def test_what_is_appended_is_read_back_in_order_from_anywhere(opened: Callable[[], Journal], place: Place) -> None:
    writer = begun(opened())
    assert (writer.head()[0], list(writer.records())) == (0, [])
    bodies = [bytes([number]) * (number * 40_000 + 1) for number in range(8)]
    written = [_appended(writer, body) for body in bodies]
    assert list(writer.records()) == written
    assert list(writer.records(after=5)) == written[5:]
    assert list(writer.records(after=8)) == []
    assert writer.head() == (8, written[-1].hash) == journals.verify(place)


def test_parts_of_a_body_are_read_by_offset(opened: Callable[[], Journal]) -> None:
    writer, body = begun(opened()), os.urandom(1_100_000)
    _appended(writer, body)
    assert writer.part(1, 0, 128) == body[:128]
    assert writer.part(1, 640_000, 128) == body[640_000:640_128]
    assert writer.part(1, len(body) - 5, 128) == body[-5:]
    assert writer.part(2, 0, 128) == b""


def test_only_the_newest_epoch_may_append(opened: Callable[[], Journal]) -> None:
    old = begun(opened())
    _appended(old, b"one")
    new = opened()
    assert new.begin_epoch(9) == 9
    with pytest.raises(Fenced, match="in epoch 9"):
        old.append(following(old, b"late"))
    _appended(new, b"two")
    assert [each.body for each in new.records()] == [b"one", b"two"]
    assert opened().begin_epoch(3) == 10, "an epoch is never used twice"


def test_a_record_that_does_not_follow_is_refused(opened: Callable[[], Journal]) -> None:
    writer = begun(opened())
    stale = following(writer, b"stale")
    _appended(writer, b"one")
    with pytest.raises(Fenced):
        writer.append(stale)
    assert writer.head()[0] == 1


def test_of_writers_that_race_one_gets_each_place(place: Place) -> None:
    """Eight connections append under one epoch as fast as they can: every record follows the one before it, none is there twice."""
    first = journals.open_at(place)
    first.begin_epoch()
    taken: list[int] = []

    def race() -> None:
        own = journals.open_at(place)
        own.epoch = first.epoch
        for _ in range(15):
            try:
                taken.append(_appended(own, b"x").seq)
            except Fenced:
                continue
        own.close()

    threads = [threading.Thread(target=race) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(taken) == list(range(1, len(taken) + 1))
    assert journals.verify(place)[0] == len(taken)
    first.close()


def test_the_books_survive_and_keys_stay_used(place: Place) -> None:
    loans = on_desk(place, pay_out_many)
    assert on_desk(place, pay_out_many) == loans
    assert set(on_desk(place, books_of)) == set(loans)


WRITER = """
import asyncio, sys
from pathlib import Path
from tests.kit.running import Instance, Launcher
from tests.apps.ledger_work import pay_out
from reference_apps.ledger.keeping.desk import Desk
from reference_apps.ledger.keeping.journals import Postgres

async def main():
    place = Path(sys.argv[2]) if sys.argv[1] == "file" else Postgres(sys.argv[2])
    desk = Desk(place, on_fenced=lambda: None)
    await desk.open()
    print("open", flush=True)
    for begin in range(0, 100_000, 10):
        async def one(number):
            print(await pay_out(desk, number), flush=True)
        await asyncio.gather(*(one(number) for number in range(begin, begin + 10)))

asyncio.run(main())
"""


def test_a_standby_takes_over_when_the_writer_is_killed(cluster: postgres.Server) -> None:
    place = Postgres(cluster.new_database())
    writer = _writer(place.conninfo)
    assert writer.stdout is not None
    assert writer.stdout.readline() == "open\n"
    standby = _writer(place.conninfo)
    assert standby.stdout is not None
    answered = [writer.stdout.readline().strip() for _ in range(50)]
    assert not journals.open_at(place).try_lead()
    killed = time.monotonic()
    writer.send_signal(signal.SIGKILL)
    answered += [line.strip() for line in writer.stdout.read().splitlines(keepends=True) if line.endswith("\n")]
    assert standby.stdout.readline() == "open\n"
    assert time.monotonic() - killed < 5.0
    again = [standby.stdout.readline().strip() for _ in range(50)]
    standby.kill()
    standby.stdout.read()
    for each in (writer, standby):
        each.wait(10)
    assert set(answered[:50]) == set(again), "the same keys are the same loans"
    assert set(answered) <= set(on_desk(place, books_of))


def test_a_server_that_dies_and_comes_back_loses_and_doubles_nothing(cluster: postgres.Server) -> None:
    place = Postgres(cluster.new_database())

    async def story(desk: Desk) -> None:
        await pay_out(desk, 1)
        await asyncio.to_thread(cluster.stop)
        with pytest.raises(Problem, match="could not be written") as refused:
            await pay_out(desk, 2)
        assert refused.value.status == 503
        with pytest.raises(Problem, match="could not be written"):
            await pay_out(desk, 3)
        assert len(desk.books.loans.own) == 1
        await asyncio.to_thread(cluster.start)
        await _until_paid_out(desk, 2)
        assert len(desk.books.loans.own) == 2

    on_desk(place, story)
    assert len(on_desk(place, books_of)) == 2


def test_a_writer_that_lost_its_session_to_another_is_fenced(cluster: postgres.Server) -> None:
    place = Postgres(cluster.new_database())
    old, new = begun(journals.open_at(place)), journals.open_at(place)
    _appended(old, b"one")
    cluster.sql("postgres", f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{place.conninfo.split('dbname=')[1].split()[0]}'")
    assert new.try_lead()
    with pytest.raises((Unwritable, Unreachable)):
        old.append(following(old, b"two"))
    with pytest.raises(Fenced, match="another writer leads"):
        old.head()
    old.close()
    new.close()


def test_a_server_that_may_lose_acknowledged_records_is_refused(cluster: postgres.Server) -> None:
    place = Postgres(cluster.new_database())
    cluster.sql("postgres", "ALTER SYSTEM SET fsync = off")
    cluster.sql("postgres", "SELECT pg_reload_conf()")
    try:
        _until(lambda: _raises(Unreachable, lambda: journals.open_at(place).try_lead()))
        with pytest.raises(Unreachable, match="fsync off"):
            journals.open_at(place).try_lead()
    finally:
        cluster.sql("postgres", "ALTER SYSTEM RESET fsync")
        cluster.sql("postgres", "SELECT pg_reload_conf()")
    _until(lambda: not _raises(Unreachable, lambda: journals.open_at(place).try_lead()))


def test_two_machines_change_hands_without_a_lost_posting(cluster: postgres.Server, tmp_path: Path) -> None:
    """Each machine has its own folder, so its own writer lock; PostgreSQL alone decides who writes."""
    place = Postgres(cluster.new_database())
    launcher = Launcher(tmp_path)
    chosen = {"MSXF_CONFIG_JOURNAL_POSTGRES": place.conninfo, "service": "ledger"}
    try:
        east = launcher.start("-m", "reference_apps.ledger", MSXF_DATA_DIR=str(tmp_path / "east"), **chosen).wait_for("ready")
        west = launcher.start("-m", "reference_apps.ledger", MSXF_DATA_DIR=str(tmp_path / "west"), **chosen).wait_for("standby")
        third = launcher.start("-m", "reference_apps.ledger", MSXF_DATA_DIR=str(tmp_path / "third"), **chosen).wait_for("standby")
        third.tell_to_go()
        assert third.exit_code() == 0, "a standby that is told to go does not wait for its turn"
        assert [_lend(east, number) for number in range(20)] == [201] * 20
        east.tell_to_go()
        assert east.exit_code() == 0
        west.wait_for("ready")
        assert [_lend(west, number) for number in range(25)] == [201] * 25, "twenty of them are the same loans again"
        balance = west.get("/v1/trial-balance").json
        assert (balance["balanced"], balance["loans"]) == (True, 25)
        assert west.get("/v1/journal/verify").json["verified"]
    finally:
        launcher.close()


def _lend(instance: Instance, number: int) -> int:
    body = {"reference": f"case-{number}", "customer": "c", "principal_fen": 100_000, "annual_rate": "0.18", "periods": 12}
    headers = {"content-type": "application/json", "idempotency-key": f"key-{number}"}
    return instance.ask("POST", "/v1/loans", json.dumps(body).encode(), headers).status


CHANGES = {
    "a body": ("UPDATE journal SET body = body || 'x' WHERE seq = 2", "record 2 was changed"),
    "a record taken out": ("DELETE FROM journal WHERE seq = 1", "record 1 is missing"),
    "the last record cut off": ("DELETE FROM journal WHERE seq = (SELECT max(seq) FROM journal)", "the end is cut off"),
}


@pytest.mark.parametrize("change, found", CHANGES.values(), ids=CHANGES)
def test_a_change_behind_our_back_is_found_in_postgres(cluster: postgres.Server, change: str, found: str) -> None:
    place = Postgres(cluster.new_database())
    writer = begun(journals.open_at(place))
    for body in (b"one", b"two", b"three"):
        _appended(writer, body)
    writer.close()
    cluster.sql(place.conninfo.split("dbname=")[1].split()[0], change)
    with pytest.raises(Broken, match=found):
        journals.verify(place)


def test_a_password_in_the_connection_text_is_refused() -> None:
    pytest.importorskip("psycopg")
    with pytest.raises(ValueError, match="passfile="):
        Postgres("host=db dbname=ledger user=ledger password=secret")
    with pytest.raises(ValueError, match="not a connection text"):
        Postgres("ledger-db")


def test_a_server_that_is_not_there_is_said_to_be_so(tmp_path: Path) -> None:
    pytest.importorskip("psycopg")
    with pytest.raises(Unreachable, match="PostgreSQL: "):
        journals.open_at(Postgres(f"host={tmp_path} dbname=none")).try_lead()


def _appended(journal: Journal, body: bytes) -> Record:
    new = following(journal, body)
    journal.append(new)
    return new


def _writer(conninfo: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", WRITER, "postgres", conninfo]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)})


async def _until_paid_out(desk: Desk, number: int) -> None:
    deadline = time.monotonic() + OPEN_S
    while True:
        try:
            await pay_out(desk, number)
            return
        except Problem:
            if time.monotonic() > deadline:
                raise
            await asyncio.sleep(0.05)


def _until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + OPEN_S
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def _raises(kind: type[Exception], work: Callable[[], Any]) -> bool:
    try:
        work()
    except kind:
        return True
    return False
