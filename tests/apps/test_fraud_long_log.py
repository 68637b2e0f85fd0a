"""A long log and what a start makes of it: bulk reads of states, and the bench's log, laid down in bulk, which must be what an instance leaves."""

import asyncio
import sqlite3
from pathlib import Path
from shutil import copy

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from bench.laying import lay_down
from reference_apps.fraud.cases import reading
from reference_apps.fraud.cases.book import Book, Kept
from reference_apps.fraud.cases.model import Alert
from reference_apps.fraud.features.shard import ALL, Shard
from reference_apps.fraud.features.table import Table
from reference_apps.fraud.keeping.log import Log
from reference_apps.fraud.keeping.snapshots import ASKED_AT_ONCE, Mark, Snapshots, edition
from reference_apps.fraud.serving.follower import Follower, Known
from tests.apps.fraud_work import shuffled_log

SEVERAL = 3_000


def _states(folder: Path) -> dict[tuple[str, str], bytes]:
    connection = sqlite3.connect(folder / f"features-{edition()}.db")
    try:
        return {(name, key): content for name, key, content in connection.execute("SELECT name, key, content FROM states")}
    finally:
        connection.close()


async def _followed(folder: Path) -> int:
    """Replay all of a log without snapshots, as an instance would, and write the first one."""
    log, snapshots = Log(folder, "fraud-1"), Snapshots(folder)
    snapshots.rest = 0.0
    follower = Follower(log, snapshots)
    await follower.begin(ALL)
    position = await follower.snapshot()
    snapshots.close()
    log.close()
    return position


def test_what_the_bench_lays_down_is_what_an_instance_leaves(tmp_path: Path) -> None:
    laid, lived = tmp_path / "laid", tmp_path / "lived"
    lay_down(laid, SEVERAL, unsaved=0)
    lived.mkdir()
    copy(laid / "events.db", lived)
    assert asyncio.run(_followed(lived)) == SEVERAL
    assert _states(laid) == _states(lived)
    log, one, other = Log(laid, "fraud-1"), Snapshots(laid), Snapshots(lived)
    assert (sorted(one.links()), one.mark(ALL)) == (sorted(other.links()), other.mark(ALL))
    assert reading.path_of(laid).read_bytes() == reading.snapshot(reading.whole(log))
    for each in (log, one, other):
        each.close()


async def _again(folder: Path, known: int) -> dict[int, Known]:
    """Begin from what is on the disk, and return what is known of the events behind the last judgement."""
    log, snapshots = Log(folder, "fraud-1"), Snapshots(folder)
    follower = Follower(log, snapshots)
    await follower.begin(ALL)
    assert follower.position == SEVERAL
    found = {position: follower.known[position] for position in range(SEVERAL - known + 1, SEVERAL + 1)}
    snapshots.close()
    log.close()
    return found


def test_a_start_that_reads_states_together_knows_the_same(tmp_path: Path) -> None:
    """Half of the log stands in a snapshot, and the newest events are not judged: they are known as after a replay of everything."""
    unjudged = 400
    one, other = tmp_path / "one", tmp_path / "other"
    lay_down(one, SEVERAL, unsaved=SEVERAL // 2)
    connection = sqlite3.connect(one / "events.db", isolation_level=None)
    connection.execute("DELETE FROM judged WHERE position > ?", (SEVERAL - unjudged,))
    connection.close()
    other.mkdir()
    copy(one / "events.db", other)
    assert asyncio.run(_again(one, unjudged)) == asyncio.run(_again(other, unjudged))


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 1_000), st.sets(st.integers(1, 160)), st.integers(0, 160))
def test_events_that_are_only_taken_in_leave_the_same(seed: int, silent: set[int], from_then_on: int) -> None:
    whole, other = Shard(), Shard()
    for position, event in enumerate(shuffled_log(160, seed, keys=4, days=5), 1):
        expected = whole.apply(position, event)
        if position in silent and position < from_then_on:
            other.take_in(position, event)
        else:
            assert other.apply(position, event) == expected
    assert (other.applied, other.newest, other.barrier()) == (whole.applied, whole.newest, whole.barrier())
    for shard in (whole, other):
        shard.pack(10_000)
        while shard.pack(10_000):
            pass
    assert sorted(other.take_packed()) == sorted(whole.take_packed())


def test_what_was_read_ahead_never_replaces_what_is_newer() -> None:
    asked: list[str] = []
    table = Table("t", list[int], bytes, list, lambda _, key: asked.append(key))
    table.touch("young").append(1)
    assert table.strangers(["young", "old", "new"]) == ["old", "new"]
    table.read_ahead(["young", "old", "new"], {"young": b"\x09", "old": b"\x07"})
    assert (table.touch("young"), table.touch("old"), table.touch("new")) == ([1], [7], [])
    assert asked == ["young"], "what is read ahead is not fetched"
    table.barrier()
    table.pack(9)
    table.touch("old").append(8)
    assert table.touch("old") == [7, 8]
    table.read_ahead((), {})
    table.touch("another")
    assert asked == ["young", "another"]


def test_many_states_are_fetched_together(tmp_path: Path) -> None:
    snapshots = Snapshots(tmp_path)
    keys = [f"key-{number}" for number in range(2 * ASKED_AT_ONCE + 1)]
    assert snapshots.fetch_many({"login|device": keys}) == {}
    snapshots.write(ALL, Mark(9, 90), [("login|device", key, key.encode()) for key in keys[1:]] + [("login|phone", keys[0], b"")], [])
    found = snapshots.fetch_many({"login|device": keys, "login|phone": keys[:1], "hub|device": keys})
    assert found == {"login|device": {key: key.encode() for key in keys[1:]}, "login|phone": {keys[0]: b""}, "hub|device": {}}
    snapshots.close()


def test_a_book_in_many_slices_is_restored_whole(tmp_path: Path) -> None:
    alert = Alert(position=0, event_id="e", kind="login", at_ms=1, account="a", phone="", keys={}, amount_fen=0, verdict=2, reasons=[], models=[])
    links = [(f"a{number}", f"b{number}") for number in range(2 * reading.SLICE_LINKS + 1)]
    alerts = {number: structs.replace(alert, position=number) for number in range(1, 2 * reading.SLICE_ALERTS + 2)}
    book = Book(Kept(position=7, links=links, alerts=alerts))
    assert sum(1 for _ in reading.slices(book)) == 7
    reading.write(tmp_path, reading.snapshot(book), "fraud-1")
    assert reading.restored(tmp_path).kept == book.kept
    reading.path_of(tmp_path).write_bytes(reading.snapshot(book)[:-3])
    assert reading.restored(tmp_path).kept == Kept(), "half a snapshot is none"
