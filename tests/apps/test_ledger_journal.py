"""The journal and its one writer: what was answered is there after any death, what was changed is found, and an old writer is refused."""

import asyncio
import shutil
import sqlite3
from pathlib import Path
from random import Random

import pytest

from ctl.kit.problem import Problem
from reference_apps.ledger.keeping import journals, record
from reference_apps.ledger.keeping.desk import Desk
from reference_apps.ledger.keeping.journal import Fenced
from reference_apps.ledger.keeping.record import Broken, Record
from reference_apps.ledger.keeping.sqlitejournal import SqliteJournal
from tests.apps.ledger_work import books_of, on_desk, pay_out, pay_out_many

ROOT = Path(__file__).parents[2]


def test_requests_that_arrive_together_share_a_record_and_survive(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    ids = on_desk(path, pay_out_many)
    count, head = journals.verify(path)
    assert count < 20, "forty loans shared a few records"
    assert set(on_desk(path, books_of)) == set(ids)
    assert journals.verify(path) == (count, head), "opening the books writes nothing"


def test_the_same_key_is_one_loan_even_within_one_batch(tmp_path: Path) -> None:
    async def twice(desk: Desk) -> int:
        first = await asyncio.gather(*(pay_out(desk, 1) for _ in range(5)))
        assert len(set(first)) == 1
        return len(desk.books.transfers.own)

    assert on_desk(tmp_path / "ledger.db", twice) == 1


CHANGES = {
    "an amount": ("UPDATE journal SET body = replace(body, '100007', '900007')", "record 2 was changed"),
    "a time": ("UPDATE journal SET at_ns = at_ns + 1 WHERE seq = 2", "record 2 was changed"),
    "an epoch": ("UPDATE journal SET epoch = 9 WHERE seq = 1", "record 1 was changed"),
    "a record taken out": ("DELETE FROM journal WHERE seq = 1", "record 1 is missing"),
    "the last record cut off": ("DELETE FROM journal WHERE seq = (SELECT max(seq) FROM journal)", "the end is cut off"),
    "two records swapped": ("UPDATE journal SET previous = hash WHERE seq = 2", "record 2 does not follow"),
}


@pytest.mark.parametrize("change, found", CHANGES.values(), ids=CHANGES)
def test_a_change_behind_our_back_is_found(tmp_path: Path, change: str, found: str) -> None:
    path = tmp_path / "ledger.db"
    on_desk(path, pay_out_many)
    with sqlite3.connect(path) as database:
        assert database.execute(change).rowcount > 0
    with pytest.raises(Broken, match=found):
        journals.verify(path)
    with pytest.raises(Broken, match=found):
        on_desk(path, books_of)


def test_an_older_writer_is_refused_and_a_newer_one_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    fenced = []

    async def story() -> None:
        old = Desk(path, on_fenced=lambda: fenced.append(True))
        await old.open()
        await pay_out(old, 1)
        new = Desk(path, on_fenced=lambda: None)
        await new.open()
        with pytest.raises(Problem, match="a newer instance") as refused:
            await pay_out(old, 2)
        assert refused.value.headers()["x-msxf-unprocessed"] == "1", "nothing was begun: the gateway may ask the heir"
        assert len(old.books.loans.own) == 1
        await pay_out(new, 2)
        assert len(new.books.loans.own) == 2
        await old.close()
        await new.close()

    asyncio.run(story())
    assert fenced == [True]


def test_an_epoch_of_the_writer_lock_is_kept(tmp_path: Path) -> None:
    first, second = SqliteJournal(tmp_path / "ledger.db"), SqliteJournal(tmp_path / "ledger.db")
    assert (first.begin_epoch(7), second.begin_epoch(3)) == (7, 8)
    with pytest.raises(Fenced, match="epoch 8"):
        first.append(_empty_record(first))
    second.append(_empty_record(second))
    first.close()
    second.close()


def _empty_record(writer: SqliteJournal) -> Record:
    return record.write([], writer.head(), writer.epoch, 1)


def test_a_disk_that_fails_leaves_no_trace_in_memory(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"

    async def story(desk: Desk) -> None:
        await pay_out(desk, 1)
        with sqlite3.connect(path) as database:
            database.execute("CREATE TRIGGER full BEFORE INSERT ON journal BEGIN SELECT raise(ABORT, 'database or disk is full'); END")
        with pytest.raises(Problem, match="could not be written") as refused:
            await pay_out(desk, 2)
        assert (refused.value.status, refused.value.unprocessed) == (503, False)
        assert len(desk.books.loans.own) == 1
        with sqlite3.connect(path) as database:
            database.execute("DROP TRIGGER full")
        await pay_out(desk, 2)
        assert len(desk.books.loans.own) == 2

    on_desk(path, story)
    assert len(on_desk(path, books_of)) == 2


@pytest.mark.parametrize("seed", range(6))
def test_a_torn_tail_is_dropped_and_what_stands_before_it_is_sound(tmp_path: Path, seed: int) -> None:
    """The write-ahead log is cut, or filled with rubbish, at a random byte: the books are those of the records before it."""
    dice, path = Random(seed), tmp_path / "ledger.db"
    after: list[tuple[int, int]] = []

    async def story(desk: Desk) -> None:
        for number in range(12):
            await pay_out(desk, number)
            after.append((path.with_name("ledger.db-wal").stat().st_size, number + 1))
        (tmp_path / "torn").mkdir()
        for part in ("ledger.db", "ledger.db-wal"):
            shutil.copy(tmp_path / part, tmp_path / "torn" / part)

    on_desk(path, story)
    torn = tmp_path / "torn" / "ledger.db-wal"
    whole = torn.read_bytes()
    cut = dice.randrange(after[0][0], len(whole))
    torn.write_bytes(whole[:cut] + (dice.randbytes(len(whole) - cut) if seed % 2 else b""))
    loans = on_desk(tmp_path / "torn" / "ledger.db", books_of)
    assert len(loans) == max(count for size, count in after if size <= cut)
    journals.verify(tmp_path / "torn" / "ledger.db")
