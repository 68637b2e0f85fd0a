"""State is a function of the log: snapshot and replay are a continuous run, nothing answered is lost by a death, a full disk refuses and goes on."""

import asyncio
import json
import os
import resource
import select
import signal
import subprocess
import sys
from itertools import accumulate, chain
from pathlib import Path
from random import Random

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ctl.kit.database import DatabaseFailed
from ctl.kit.problem import Problem
from reference_apps.fraud.door import views
from reference_apps.fraud.features.graph import Ties
from reference_apps.fraud.features.shard import ALL, Partial, Shard
from reference_apps.fraud.features.spec import NOTHING, WIDTH
from reference_apps.fraud.keeping import record
from reference_apps.fraud.keeping.log import Log
from reference_apps.fraud.keeping.snapshots import Mark, Snapshots
from reference_apps.fraud.model import Event, Family, Judgement, Listing, ListKind, Reason, Verdict
from reference_apps.fraud.policy import policy
from reference_apps.fraud.serving.desk import Desk
from tests.apps.fraud_work import BEGIN_MS, event, shuffled_log
from tests.apps.test_fraud_sharing import unsharded, written

ROOT = Path(__file__).parents[2]
POLICY = policy.load()


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 1_000), st.integers(1, 120), st.integers(0, 40))
def test_snapshot_and_replay_are_a_continuous_run(tmp_path_factory: pytest.TempPathFactory, seed: int, when: int, packed_meanwhile: int) -> None:
    """A snapshot begins at `when`, and is packed bit by bit while events go on; then everything in memory is lost."""
    log = list(enumerate(shuffled_log(160, seed, keys=6, days=3), 1))
    snapshots = Snapshots(tmp_path_factory.mktemp("state"))
    whole, first = Shard(), Shard(fetch=snapshots.fetch)
    expected = [whole.apply(*each) for each in log]
    assert [first.apply(*each) for each in log[:when]] == expected[:when]
    mark, links = Mark(first.applied, first.newest), first.barrier()
    for each in log[when : when + packed_meanwhile]:
        first.apply(*each)
        first.pack(3)
    while first.pack(50):
        pass
    snapshots.write(ALL, mark, first.take_packed(), links)
    mark = snapshots.mark(ALL)
    second = Shard(fetch=snapshots.fetch)
    second.applied, second.newest = mark.position, mark.newest
    second.restore_links(snapshots.links())
    assert mark.position == when
    assert [second.apply(*each) for each in log[when:]] == expected[when:]
    snapshots.close()


def test_a_snapshot_that_was_not_finished_does_no_harm(tmp_path: Path) -> None:
    """Keys are newer on the disk than the position says: what they were shown already is not counted twice."""
    log, snapshots, whole = shuffled_log(200, seed=4, keys=5, days=2), Snapshots(tmp_path), Shard()
    expected = [whole.apply(*each) for each in enumerate(log, 1)]
    torn = Shard()
    for each in enumerate(log[:100], 1):
        torn.apply(*each)
    links = torn.barrier()
    while torn.pack(50):
        pass
    packed = torn.take_packed()
    snapshots.write(0, Mark(100, torn.newest), packed[: len(packed) // 2], links)
    snapshots.write(ALL, Mark(0, -(2**62)), [], [])
    second = Shard(fetch=snapshots.fetch)
    second.restore_links(snapshots.links())
    again = [second.apply(*each) for each in enumerate(log, 1)]
    assert again[100:] == expected[100:], "behind the last judgement everything is exact"
    snapshots.close()


def test_an_older_snapshot_never_replaces_a_newer_one(tmp_path: Path) -> None:
    snapshots = Snapshots(tmp_path)
    snapshots.write(ALL, Mark(9, 90), [("login|device", "d", b"new")], [("a", "b")])
    snapshots.write(ALL, Mark(5, 50), [("login|device", "d", b"old"), ("login|device", "e", b"e")], [("a", "b")])
    assert snapshots.mark(ALL) == Mark(9, 90)
    assert (snapshots.fetch("login|device", "d"), snapshots.fetch("login|device", "e"), snapshots.fetch("login|phone", "d")) == (b"new", b"e", None)
    assert snapshots.links() == [("a", "b")]
    snapshots.close()


@pytest.mark.timeout(100)
def test_killed_again_and_again_nothing_answered_is_lost(tmp_path: Path) -> None:
    """Under load and with snapshots all the time; afterwards every judgement is that of an undisturbed replay."""
    answered: dict[int, tuple[int, str]] = {}
    dice, first = Random(3), 0
    for _ in range(5):
        command = [sys.executable, "-m", "tests.apps.fraud_crash", str(tmp_path), str(first)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(dice.randrange(50, 250))]
        process.kill()
        lines += process.stdout.read().splitlines(keepends=True)
        process.wait(10)
        for line in lines:
            if line.endswith("\n"):
                number, position, judged = line.split()
                answered[int(number)] = int(position), judged
        first = max(0, max(answered) - 20)
    replayed = unsharded(tmp_path)
    log = Log(tmp_path, "look")
    places = {each.id: position for position, each, _ in log.page(0, 10**6)}
    log.close()
    for number, (position, judged) in answered.items():
        assert places[f"e{number}"] == position
        assert replayed[position].hex() == judged
    asyncio.run(_open_and_close(tmp_path))
    assert written(tmp_path) == replayed, "what was logged and not answered is judged by the next life"


async def _open_and_close(folder: Path) -> None:
    desk = Desk(folder, "fraud-1", POLICY)
    await desk.open()
    while desk.follower.floor < desk.follower.position:
        await asyncio.sleep(0.02)
    await desk.close()


def test_lists_are_in_force_from_their_place_in_the_log_and_survive(tmp_path: Path) -> None:
    async def story() -> list[int]:
        verdicts = []
        entry = Listing(kind=ListKind.BLOCK, family=Family.MERCHANT, value="m", from_ms=0, until_ms=2**60, reason="shell company")
        for turn in range(2):
            desk = Desk(tmp_path, "fraud-1", POLICY)
            await desk.open()
            for number in range(2):
                _, judged = await desk.check(event(10 * turn + number, merchant="m"))
                verdicts.append(record.read(judged).verdict)
                if (turn, number) == (0, 0):
                    await desk.enlist(entry)
            await desk.close()
        return verdicts

    assert asyncio.run(story()) == [Verdict.PASS, Verdict.BLOCK, Verdict.BLOCK, Verdict.BLOCK]


def test_a_disk_that_takes_nothing_answers_503_and_the_event_is_taken_later(tmp_path: Path) -> None:
    """The disk of the writer's process is full: no file may grow."""

    async def story() -> None:
        desk = Desk(tmp_path, "fraud-1", POLICY)
        await desk.open()
        await desk.check(event(1))
        writer = desk._writer.pid
        assert writer is not None
        limits = resource.prlimit(writer, resource.RLIMIT_FSIZE)
        resource.prlimit(writer, resource.RLIMIT_FSIZE, (1, limits[1]))
        with pytest.raises(Problem) as refused:
            await desk.check(event(2, address="x" * 128))
        assert (refused.value.status, refused.value.code) == (503, "not_logged")
        resource.prlimit(writer, resource.RLIMIT_FSIZE, limits)
        position, _ = await desk.check(event(2, address="x" * 128))
        assert position == desk.follower.position
        assert desk._writer.pid == writer, "a refusal is no death"
        await desk.close()

    asyncio.run(story())
    assert [each.id for _, each, _ in all_of(tmp_path)] == ["e1", "e2"]


def test_a_writer_that_is_killed_is_replaced_and_nothing_answered_is_lost(tmp_path: Path) -> None:
    async def story() -> set[str]:
        desk, answered, killed = Desk(tmp_path, "fraud-1", POLICY), set[str](), set[int]()
        refused = set[tuple[int, str]]()
        await desk.open()

        async def send(number: int) -> None:
            while f"e{number}" not in answered:
                try:
                    await desk.check(event(number))
                    answered.add(f"e{number}")
                except Problem as problem:
                    refused.add((problem.status, problem.code))

        for turn in range(4):
            sending = [asyncio.create_task(send(number)) for number in range(50 * turn, 50 * turn + 50)]
            await asyncio.wait(sending, return_when=asyncio.FIRST_COMPLETED, timeout=0.003 * turn)
            writer = desk._writer.pid
            assert writer is not None
            os.kill(writer, signal.SIGKILL)
            killed.add(writer)
            await asyncio.gather(*sending)
        assert len(killed) == 4
        assert refused <= {(503, "not_logged")}
        await desk.close()
        assert desk._writer.pid is None, "it has ended with the desk"
        return answered

    answered = asyncio.run(story())
    kept = [each.id for _, each, _ in all_of(tmp_path)]
    assert len(kept) == len(set(kept)), "sent again, it stands where it stood"
    assert set(kept) == answered == {f"e{number}" for number in range(200)}
    assert written(tmp_path) == unsharded(tmp_path)


def test_a_writer_ends_with_the_process_that_it_writes_for(tmp_path: Path) -> None:
    program = f"""
import asyncio, sys
from pathlib import Path
from reference_apps.fraud.keeping.writer import Writer
from tests.apps.fraud_work import event
async def story():
    writer = Writer(Path({str(tmp_path)!r}), "fraud-1")
    await writer.append([event(1)])
    print(writer.pid, flush=True)
    await asyncio.sleep(60)
asyncio.run(story())
"""
    process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, cwd=ROOT)
    assert process.stdout is not None
    writer = int(process.stdout.readline())
    ended = os.pidfd_open(writer)
    os.kill(writer, signal.SIGTERM)
    process.kill()
    process.wait(10)
    assert select.select([ended], [], [], 10)[0], "the line has ended, so has it"
    os.close(ended)
    assert [each.id for _, each, _ in all_of(tmp_path)] == ["e1"]


def all_of(folder: Path) -> list[tuple[int, Event, bytes | None]]:
    log = Log(folder, "look")
    try:
        return log.page(0, 10**6)
    finally:
        log.close()


rows = st.lists(st.tuples(st.integers(1, 3), *[st.integers(0, 3)] * (WIDTH - 1)), min_size=6, max_size=6)
figures = rows.map(lambda held: tuple(chain(*accumulate(held, lambda one, other: tuple(map(max, one, other))))))
"""Windows of a key: none holds less than a shorter one."""


@given(st.lists(st.one_of(st.just(NOTHING), figures), min_size=7, max_size=7), st.booleans())
def test_a_record_says_what_was_judged(found: list[tuple[int, ...]], is_late: bool) -> None:
    reasons = (Reason("ring", "a ring", 0.7),)
    made = Judgement(Verdict.REVIEW, (None, *range(10)), reasons, reasons)
    content = record.write(made, "policy", found, Ties(1, 2, 3, 0, 1), 5 if is_late else 0)
    read = record.read(content)
    assert read.judgement() == made
    assert read.all_figures() == tuple(found)
    assert (read.ties, read.late_ms) == (Ties(1, 2, 3, 0, 1), 5 if is_late else 0)


def test_a_quiet_event_takes_little_room() -> None:
    known: Partial = Shard().apply(1, event(1, contacts=("c",), amount_fen=100_000, merchant="m"))
    content = record.write(Judgement(Verdict.PASS, (20_000,) * 11, ()), "p" * 16, [each or NOTHING for each in known.figures], Ties(), 0)
    assert len(content) < 200


def test_late_events_are_flagged_by_the_watermark_of_the_log() -> None:
    shard = Shard()
    for position, (at, late) in enumerate(((0, 0), (600_000, 0), (300_000, 0), (299_000, 1_000), (0, 300_000)), 1):
        each: Event = event(position, BEGIN_MS + at)
        assert shard.late_ms(each) == late
        shard.apply(position, each)


def test_an_answer_says_which_of_its_numbers_are_estimates() -> None:
    one = (5, 10, 9, 3, 0)
    found = (*one * 4, 2_000, 10, 9, 900, 0, 3_000, 10, 9, 1_100, 0)
    content = record.write(Judgement(Verdict.PASS, (None,) * 11, ()), "p", [found, *[NOTHING] * 6], Ties(), 0)
    said = json.loads(msgspec.json.encode(views.judgement(7, event(1), record.read(content))))
    assert [row["window"] for row in said["windows"]] == ["60s", "10m", "1h", "24h", "7d", "30d"]
    assert [row.get("approximate") for row in said["windows"]] == [None] * 5 + [True]
    assert (said["windows"][5]["devices"], said["windows"][4]["count"], said["position"]) == (1_100, 2_000, 7)


def test_a_snapshot_under_way_at_the_end_is_finished_and_one_that_failed_is_written_again(tmp_path: Path) -> None:
    async def story() -> None:
        desk = Desk(tmp_path, "fraud-1", POLICY)
        await desk.open()
        for number in range(300):
            await desk.check(event(number))
        desk._spawn(desk._snapshot(), "fraud snapshot")
        await asyncio.sleep(0.002)
        await desk.close()
        again = Desk(tmp_path, "fraud-1", POLICY)
        await again.open()
        assert (again.follower.snapshot_at, again.follower.position) == (300, 300), "nothing is left to replay"
        await again.check(event(400, account="a1"))
        write, again._snapshots.write = again._snapshots.write, _fail  # type: ignore[method-assign]
        await asyncio.sleep(0.3)
        with pytest.raises(DatabaseFailed):
            await again.follower.snapshot()
        again._snapshots.write = write  # type: ignore[method-assign]
        assert await again.follower.snapshot() == 301
        await again.close()

    asyncio.run(story())


def _fail(*_: object) -> None:
    raise DatabaseFailed("the disk is full")
