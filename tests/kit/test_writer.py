"""One writer at a time: hand-over without a failed request, a dead writer's lock, the epoch."""

import asyncio
import fcntl
import os
import signal
from collections import Counter
from pathlib import Path
from time import monotonic

import pytest

from ctl.kit import writer
from ctl.kit.life import Life, Stage
from tests.kit.running import TURNED_AWAY, Launcher, Load, wait_until


def entries(folder: Path) -> list[str]:
    return (folder / "data" / "a" / "book").read_text().split()


def epochs(folder: Path) -> list[int]:
    return [int(line) for line in (folder / "data" / "a" / "epochs").read_text().split()]


def test_hand_over_under_posts_fails_none_and_doubles_none(launcher: Launcher) -> None:
    writing = launcher.app("books").wait_for("ready")
    target = [writing.port]
    with Load(lambda: target[0], method="POST") as load:
        for _ in range(3):
            heir = launcher.app("books").wait_for("standby")
            before = load.answered
            wait_until(lambda before=before: load.answered > before + 20)
            target[0] = heir.port
            writing.tell_to_go()
            assert writing.exit_code() == 0
            heir.wait_for("ready")
            writing = heir
        before = load.answered
        wait_until(lambda: load.answered > before + 20)
    assert load.lost == []
    assert set(load.outcomes) == {200}
    assert load.slowest_s < 5
    written = Counter(entries(launcher.folder))
    assert written.total() == load.answered
    assert set(written.values()) == {1}
    assert epochs(launcher.folder) == [1, 2, 3, 4]


def test_a_gateway_that_lags_behind_loses_nothing_either(launcher: Launcher) -> None:
    writing = launcher.app("books").wait_for("ready")
    heir = launcher.app("books").wait_for("standby")
    target = [writing.port]
    with Load(lambda: target[0], method="POST") as load:
        wait_until(lambda: load.answered > 20)
        writing.tell_to_go()
        wait_until(lambda: load.again[TURNED_AWAY] >= load.callers)
        target[0] = heir.port
        assert writing.exit_code() == 0
        before = load.answered
        wait_until(lambda: load.answered > before + 20)
    assert load.lost == []
    assert set(load.outcomes) == {200}
    assert Counter(entries(launcher.folder)).total() == load.answered


def test_a_standby_holds_a_request_until_the_writer_is_gone(launcher: Launcher) -> None:
    writing = launcher.app("books").wait_for("ready")
    heir = launcher.app("books").wait_for("standby")
    with Load(lambda: heir.port, method="POST", callers=1) as held:
        probe = heir.get("/readyz")
        assert (probe.status, set(probe.json)) == (503, {"state", "reason"})
        assert held.answered == 0
        writing.tell_to_go()
        wait_until(lambda: held.answered > 0)
    assert held.again == {}


def test_the_kernel_frees_the_lock_of_a_killed_writer(launcher: Launcher) -> None:
    writing = launcher.app("books").wait_for("ready")
    heir = launcher.app("books", AFTER_A_CRASH="1").wait_for("standby")
    began = monotonic()
    writing.kill()
    heir.wait_for("ready")
    assert monotonic() - began < 2
    assert epochs(launcher.folder) == [1, 2]


def test_a_stopped_writer_keeps_its_lock(launcher: Launcher) -> None:
    """As long as it may wake up and write, nobody else may."""
    writing = launcher.app("books").wait_for("ready")
    heir = launcher.app("books", AFTER_A_CRASH="1").wait_for("standby")
    writing.process.send_signal(signal.SIGSTOP)
    deadline = monotonic() + 0.5
    while monotonic() < deadline:
        assert heir.state() == "standby"
    writing.process.send_signal(signal.SIGCONT)
    writing.tell_to_go()
    heir.wait_for("ready")


def test_a_standby_that_is_told_to_go_turns_away_what_it_holds_and_leaves_the_writer_alone(launcher: Launcher) -> None:
    writing = launcher.app("books").wait_for("ready")
    heir = launcher.app("books").wait_for("standby")
    target = [heir.port]
    with Load(lambda: target[0], method="POST", callers=2) as load:
        target[0] = writing.port
        heir.tell_to_go()
        assert heir.exit_code(within_s=5) == 0
        wait_until(lambda: load.answered > 20)
    assert load.lost == []
    assert epochs(launcher.folder) == [1]
    assert writing.state() == "ready"


def test_the_lock_is_free_before_the_process_ends(launcher: Launcher) -> None:
    writing = launcher.app("slow", MSXF_CONFIG_SINGLE_WRITER="true").wait_for("ready")
    lock = os.open(launcher.folder / "data" / "a" / "writer.lock", os.O_RDWR)
    with pytest.raises(BlockingIOError):
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    writing.tell_to_go()
    fcntl.flock(lock, fcntl.LOCK_EX)
    assert writing.process.poll() is None
    os.close(lock)
    assert writing.exit_code() == 0


def test_a_writer_stops_taking_requests_at_once_but_finishes_those_it_has(launcher: Launcher) -> None:
    writing = launcher.app("slow", MSXF_CONFIG_SINGLE_WRITER="true").wait_for("ready")
    with Load(lambda: writing.port, path="/sleep/0.7", callers=1) as load:
        wait_until(lambda: b"http_requests_in_flight 1.0" in writing.get("/metrics").body)
        writing.tell_to_go()
        wait_until(lambda: writing.state() == "draining")
        assert writing.get("/x").is_unprocessed
        assert writing.exit_code() == 0
    assert load.outcomes == {200: 1}


def test_a_request_is_not_held_for_ever() -> None:
    async def story() -> tuple[bool, bool]:
        life = Life(hold_s=0.05)
        life.stand_by()
        late = await life.may_enter()
        life.open()
        return late, await life.may_enter()

    assert asyncio.run(story()) == (False, True)


def test_a_held_request_does_not_slip_in_while_the_process_closes() -> None:
    async def story() -> bool:
        life = Life()
        held = asyncio.ensure_future(life.may_enter())
        await asyncio.sleep(0)
        life.open()
        life.close()
        assert life.stage is Stage.READY
        return await held

    assert asyncio.run(story()) is False


def test_a_wait_that_is_given_up_gives_the_lock_back_when_it_comes(tmp_path: Path) -> None:
    async def story() -> None:
        first, second, third = (writer.WriterLock(tmp_path) for _ in range(3))
        await first.acquire()
        assert writer.epoch() == 1
        waiting = asyncio.ensure_future(second.acquire())
        await asyncio.sleep(0.05)
        assert not waiting.done()
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        first.release()
        assert writer.epoch() == 0
        await asyncio.wait_for(third.acquire(), 5)
        assert writer.epoch() == 2
        third.release()
        third.release()

    asyncio.run(story())


def test_an_epoch_that_is_no_number_is_an_error_and_frees_the_lock(tmp_path: Path) -> None:
    (tmp_path / "writer.epoch").write_text("seven")

    async def story() -> None:
        with pytest.raises(ValueError, match="seven"):
            await writer.WriterLock(tmp_path).acquire()
        (tmp_path / "writer.epoch").write_text("7")
        lock = writer.WriterLock(tmp_path)
        await asyncio.wait_for(lock.acquire(), 5)
        assert writer.epoch() == 8
        lock.release()

    asyncio.run(story())
