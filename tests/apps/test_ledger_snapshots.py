"""Snapshots: with the rest of the journal they give the same books as the whole of it, and one that is not sound is passed over."""

import asyncio
import json
import logging
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

import pytest

from reference_apps.ledger.algebra import core
from reference_apps.ledger.algebra.model import SECOND_NS, U128, Account, Transfer
from reference_apps.ledger.books import Books
from reference_apps.ledger.closing import dayend
from reference_apps.ledger.closing.daystep import Begun, Ended
from reference_apps.ledger.keeping import body, entry, frozen, snapshot
from reference_apps.ledger.keeping.desk import Desk
from reference_apps.ledger.keeping.journals import open_at
from reference_apps.ledger.keeping.reply import Reply
from reference_apps.ledger.keeping.schedule import Policy
from reference_apps.ledger.keeping.snapshot import Abandoned
from reference_apps.ledger.loans import chart, lending
from reference_apps.ledger.loans.loan import Terms
from tests.apps.ledger_fast import START, Way, history, move, plan, state
from tests.apps.ledger_work import pay_out, pay_out_many

DAY = date(2025, 2, 15)
OFTEN = Policy(records=1, bytes_at_end=1)
NEVER = Policy(bytes_at_end=2**60)


def everything(books: Books) -> dict[str, Any]:
    kept = {name: getattr(books, name).own for name in ("loans", "posted", "dayends", "replies")}
    return state(books) | kept | {"last_loan": books.last_loan}


class JournalOf:
    """A way's journal, as far as a snapshot asks for it."""

    def __init__(self, way: Way) -> None:
        self._way = way

    def records(self, after: int = 0) -> Any:
        return iter(self._way.journal[after:])


def random_batch(dice: Random, first: int) -> list[Transfer]:
    accounts = (1, 2, 3, 10, 11, 2**100)
    batch = []
    for number in range(first, first + dice.randrange(1, 40)):
        debit, credit = dice.sample(accounts, 2)
        flags = dice.choice((0, 0, 0, 0, 1, 2, 2, 16))
        amount = dice.choice((0, 1, 20, 2**63, 2**70)) if dice.random() < 0.1 else dice.randrange(30)
        timeout = dice.choice((0, 1, 1000)) if flags & 2 else 0
        batch.append(move(number, debit, credit, amount, flags=flags, timeout=timeout, user_data_128=dice.choice((0, 2**100)), user_data_32=number % 2))
        if dice.random() < 0.2:
            batch.append(replace(move(number + 5000, 0, 0, U128), ledger=0, code=0, pending_id=dice.randrange(max(1, first - 40), number + 1), flags=4))
    return batch


@pytest.mark.parametrize("seed", range(12))
def test_snapshot_and_the_rest_is_the_whole_is_what_lived(tmp_path: Path, seed: int) -> None:
    dice, way, now_ns = Random(seed), Way(), START
    stop = dice.randrange(12)
    for number in range(12):
        if number == stop:
            snapshot.write(tmp_path, frozen.freeze(way.books, (way.journal[-1].seq, way.journal[-1].hash)))
        now_ns += dice.choice((0, SECOND_NS // 2, 2 * SECOND_NS))
        batch = random_batch(dice, 1000 + 100 * number)
        way.one_by_one(history(way.books, batch, now_ns) if dice.random() < 0.3 else batch, now_ns)
    found, seq = snapshot.newest(tmp_path, JournalOf(way))  # type: ignore[arg-type]
    assert seq > 0
    for record in way.journal[seq:]:
        for one in body.read(record.body):
            entry.fold(found, one)
    assert state(found) == state(way.replayed()) == way.state()
    assert (found.moved.newest, found.opened.newest) == (way.books.moved.newest, way.books.opened.newest), "from where on imported events may come"
    later = random_batch(dice, 9000)
    draft = found.draft()
    assert core.create_transfers(draft, later, way.books.last_ns + SECOND_NS) == way.one_by_one(later, way.books.last_ns + SECOND_NS), "and it goes on alike"


@pytest.mark.parametrize("seed", range(6))
def test_what_changes_while_it_is_copied_is_in_it_as_it_was(seed: int) -> None:
    """Two are under way at once, from different moments, while single events and whole columns are written."""
    dice, way, now_ns = Random(seed), Way(), START
    going: list[tuple[frozen.Freezing, dict[str, bytes]]] = []
    for number in range(60):
        now_ns += SECOND_NS // 2
        if number in (3, 9):
            whole = frozen.freeze(way.books, (number, ""))
            going.append((frozen.Freezing(way.books), {name: column.tobytes() for name, column in whole.columns.items()}))
            going[-1][0].share((number, ""))
        if dice.random() < 0.5:
            way.one_by_one(random_batch(dice, 1000 + 100 * number), now_ns)
        else:
            batch = [move(1000 + 100 * number + each, *dice.sample((1, 10, 11, 2**100), 2), 7) for each in range(9)]
            if planned := plan(way.books, batch, now_ns):
                way.apply(planned)
        accounts = [Account(id=10**6 + number, ledger=1, code=1, flags=32)]
        way.one_by_one(accounts, now_ns)
        for each, _ in going:
            each.step(dice.choice((1, 2)))
    for each, before in going:
        while not each.step():
            pass
        assert {name: column.tobytes() for name, column in each.frozen.columns.items()} == before
    assert way.books.tables.accounts.columns._held == way.books.tables.transfers.columns._held == (), "nothing is saved for anybody any more"


def test_loans_and_stored_answers_are_in_it(tmp_path: Path) -> None:
    way = Way()
    draft = way.books.draft()
    core.create_accounts(draft, chart.accounts(), START)
    terms = Terms(reference="r", customer="c", currency="CNY", principal_fen=10**6, annual_rate=Decimal("0.12"), periods=6, disbursed_on=date(2025, 1, 15))
    for number in range(3):
        loan = lending.disburse(draft, f"LN{number}", terms, START)
        lending.repay(draft, loan, 172_548, date(2025, 2, 15), START)
    for step in (Begun(day=DAY, at_ns=START, upto=3), Ended(day=DAY, report={"loans": 3})):
        dayend.enter(draft, step, ())
    draft.replies.put("tenant|route|ключ", Reply("hash", 201, {"名": ["x", 1]}))
    draft.keep()
    way.write(entry.Entry(burnt=(5,)))
    snapshot.write(tmp_path, frozen.freeze(way.books, (way.journal[-1].seq, way.journal[-1].hash)))
    found, _ = snapshot.newest(tmp_path, JournalOf(way))  # type: ignore[arg-type]
    assert everything(found) == everything(way.books)
    assert (found.last_ns, list(found.loans.own)) == (way.books.last_ns, ["LN0", "LN1", "LN2"])


def on_desk(folder: Path, work: Callable[[Desk], Any], policy: Policy = NEVER) -> Any:
    async def run() -> Any:
        desk = Desk(folder / "ledger.db", lambda: None, snapshots=folder / "snapshots", policy=policy)
        await desk.open()
        try:
            return await work(desk)
        finally:
            await desk.close()

    return asyncio.run(run())


async def look(desk: Desk) -> dict[str, Any]:
    return everything(desk.books)


def kept(folder: Path) -> list[str]:
    return [place.name for place in snapshot.places(folder / "snapshots")]


def test_a_snapshot_is_written_while_the_desk_works_and_the_last_two_are_kept(tmp_path: Path) -> None:
    async def story(desk: Desk) -> dict[str, Any]:
        seen: set[str] = set()
        async with asyncio.timeout(30):
            number = 0
            while len(seen) < 3:
                await pay_out(desk, number := number + 1)
                seen |= set(kept(tmp_path))
                await asyncio.sleep(0.01)
        return everything(desk.books)

    lived = on_desk(tmp_path, story, OFTEN)
    assert len(kept(tmp_path)) == 2
    assert not (tmp_path / "snapshots" / snapshot.HALF_DONE).exists()
    assert on_desk(tmp_path, look) == lived
    shutil.rmtree(tmp_path / "snapshots")
    assert on_desk(tmp_path, look) == lived


def test_at_a_clean_end_one_is_written_when_it_is_worth_it(tmp_path: Path) -> None:
    on_desk(tmp_path, pay_out_many)
    assert kept(tmp_path) == []
    lived = on_desk(tmp_path, look, Policy(bytes_at_end=1))
    (only,) = kept(tmp_path)
    journal = open_at(tmp_path / "ledger.db")
    assert int(only) == journal.head()[0]
    journal.close()
    assert on_desk(tmp_path, look) == lived


@pytest.fixture
def written(tmp_path: Path) -> tuple[Path, dict[str, Any]]:
    """A folder with a journal and two snapshots of it, and what its books are."""

    async def story(desk: Desk) -> None:
        for number in range(3):
            await asyncio.gather(*(pay_out(desk, 10 * number + each) for each in range(10)))
            if number < 2:
                snapshot.write(tmp_path / "snapshots", frozen.freeze(desk.books, desk.head))

    on_desk(tmp_path, story)
    return tmp_path, on_desk(tmp_path, look)


def flip(path: Path) -> None:
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2] ^= 1
    path.write_bytes(raw)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def edit(path: Path, **fields: Any) -> None:
    manifest = json.loads(path.read_bytes()) | fields
    path.write_text(json.dumps(manifest | {"proof": snapshot._proof(manifest)}))


DAMAGE: dict[str, tuple[Callable[[Path], Any], str]] = {
    "a bit of a column": (lambda place: flip(place / "transfers.amount.bin"), "transfers.amount.bin is not what was written"),
    "a column cut off": (lambda place: cut(place / "account_ids.lo.bin"), "account_ids.lo.bin has"),
    "a column that is gone": (lambda place: (place / "transfers.debit.bin").unlink(), "transfers.debit.bin"),
    "a bit of the lines": (lambda place: flip(place / "lines.jsonl"), "lines.jsonl is not what was written"),
    "a bit of the manifest": (lambda place: flip(place / "manifest.json"), "manifest"),
    "an empty manifest": (lambda place: (place / "manifest.json").write_bytes(b""), "its manifest cannot be read"),
    "no manifest": (lambda place: (place / "manifest.json").unlink(), "manifest.json"),
    "a newer format": (lambda place: edit(place / "manifest.json", format=2), "it is of format 2; this ledger reads format 1"),
    "another journal": (lambda place: edit(place / "manifest.json", hash="0" * 64), "it was made of another journal"),
    "a journal that goes further": (lambda place: edit(place / "manifest.json", seq=999), "the journal has no record 999"),
    "tables of another ledger": (lambda place: edit(place / "manifest.json", rows={}), "its columns of account_ids are not those of this ledger"),
}


@pytest.mark.parametrize("damage, said", DAMAGE.values(), ids=DAMAGE)
def test_one_that_is_not_sound_is_passed_over(
    written: tuple[Path, dict[str, Any]], damage: Callable[[Path], Any], said: str, caplog: pytest.LogCaptureFixture
) -> None:
    folder, lived = written
    caplog.set_level(logging.INFO)
    newest, older = snapshot.places(folder / "snapshots")
    damage(newest)
    assert on_desk(folder, look) == lived
    assert f"snapshot {newest.name} is passed over" in caplog.text
    assert said in caplog.text
    assert f"snapshot {older.name} read" in caplog.text
    damage(older)
    caplog.clear()
    assert on_desk(folder, look) == lived, "and when no one is sound, the whole journal is read"
    assert caplog.text.count("is passed over") == 2


def test_a_snapshot_of_another_ledger_is_foreign(tmp_path: Path, written: tuple[Path, dict[str, Any]]) -> None:
    folder, _ = written
    other = tmp_path / "other"
    on_desk(other, pay_out_many)
    shutil.copytree(folder / "snapshots", other / "snapshots")
    lived = on_desk(other, look)
    shutil.rmtree(other / "snapshots")
    assert on_desk(other, look) == lived


def test_a_snapshot_that_cannot_be_written_harms_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "snapshots").write_text("in the way")
    lived = on_desk(tmp_path, pay_out_many, OFTEN)
    assert "could not be written" in caplog.text
    (tmp_path / "snapshots").unlink()
    assert set(on_desk(tmp_path, look)["loans"]) == set(lived)


def test_writing_can_be_given_up_and_leaves_nothing(tmp_path: Path) -> None:
    way = Way()
    with pytest.raises(Abandoned):
        snapshot.write(tmp_path, frozen.freeze(way.books, (1, "x")), lambda: True)
    assert list(tmp_path.iterdir()) == []


def test_books_frozen_stay_as_they_were(tmp_path: Path) -> None:
    way = Way()
    still = frozen.freeze(way.books, (way.journal[-1].seq, way.journal[-1].hash))
    before = way.state()
    for number in range(40):
        way.one_by_one([move(2000 + 20 * number + each, 10, 11, 5) for each in range(20)], START)
    snapshot.write(tmp_path, still)
    found, _ = snapshot.newest(tmp_path, JournalOf(way))  # type: ignore[arg-type]
    assert state(found) == before


WRITER = """
import asyncio, sys
from pathlib import Path
from reference_apps.ledger.keeping import desk as desks
from reference_apps.ledger.keeping.schedule import Policy
from tests.apps.ledger_work import pay_out

desks.SNAPSHOT_LOOK_S = 0.005

async def main():
    folder = Path(sys.argv[1])
    desk = desks.Desk(folder / "ledger.db", lambda: None, snapshots=folder / "snapshots", policy=Policy(records=1))
    await desk.open()
    for number in range(100_000):
        await pay_out(desk, number)
        print(number, flush=True)

asyncio.run(main())
"""


@pytest.mark.parametrize("seed", range(3))
def test_killed_while_snapshots_are_written_a_start_finds_the_same_books_with_and_without_them(tmp_path: Path, seed: int) -> None:
    dice, root = Random(seed), Path(__file__).parents[2]
    environ = os.environ | {"PYTHONPATH": str(root)}
    with subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE, text=True, cwd=root, env=environ) as writer:
        assert writer.stdout is not None
        answered, wanted = 0, dice.randrange(10, 60)
        while answered < wanted or not kept(tmp_path):
            assert writer.stdout.readline(), "it goes on"
            answered += 1
        time.sleep(dice.random() * 0.02)
        writer.kill()
    with_them = on_desk(tmp_path, look)
    shutil.rmtree(tmp_path / "snapshots")
    assert on_desk(tmp_path, look) == with_them
    assert len(with_them["loans"]) >= answered
