"""The loop: everybody in time, each alone, and nobody's trouble is another's."""

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from ctl.backends.clock import SystemClock
from ctl.backends.runtimes.memory import MemoryRuntime
from ctl.backends.traffic.memory import MemoryTraffic
from ctl.control.loop import BACK_OFF_S, Loop
from ctl.errors import BackendError, LeaseHeld, StaleRevision
from ctl.model.release import Release
from ctl.model.rollout import Phase
from ctl.model.service import CatalogSnapshot
from tests.control.stage import BRISK, Stage, a_service, memory_doors

QUICK = replace(BRISK, min_ready_s=0.0, bake_s=0.1, abort_scale_down_delay_s=0.1)


def wait_until(holds: Callable[[], bool], what: str, within_s: float = 15.0) -> None:
    deadline = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < deadline, f"not in {within_s:g} s: {what}"
        time.sleep(0.01)


def waiting_for(go: threading.Event, again_in_s: float) -> Callable[[], float]:
    """Return a tick that takes until `go` is set, 5 s at the most."""

    def tick() -> float:
        go.wait(5.0)
        return again_in_s

    return tick


class Ticks:
    """A ticker of which only the time counts: how long each tick takes, what it answers, and how many run at once."""

    def __init__(self, *names: str) -> None:
        self.names = names
        self.answers: dict[str, Callable[[], float]] = {}
        self.at: dict[str, list[float]] = {name: [] for name in names}
        self.at_once: dict[str, int] = dict.fromkeys(names, 0)
        self.most_at_once = 0
        self.looks = 0
        self.trouble: Exception | None = None

    def look(self) -> tuple[object, object]:
        self.looks += 1
        if self.trouble:
            raise self.trouble
        snapshot = CatalogSnapshot(services={name: a_service(name) for name in self.names}, revision="1")
        return type("Wanted", (), {"catalog": snapshot}), None

    def tick(self, name: str, wanted: object, fleet: object) -> float:
        self.at[name].append(time.monotonic())
        self.at_once[name] += 1
        self.most_at_once = max(self.most_at_once, self.at_once[name])
        try:
            return self.answers.get(name, lambda: 30.0)()
        finally:
            self.at_once[name] -= 1


@pytest.fixture
def started() -> Iterator[Callable[[Ticks], Loop]]:
    loops: list[Loop] = []

    def start(ticks: Ticks) -> Loop:
        loops.append(Loop(ticks, workers=4))
        loops[-1].start()
        return loops[-1]

    yield start
    for loop in loops:
        loop.stop()


def test_every_service_is_ticked_at_once_and_then_when_it_is_due(started: Callable[[Ticks], Loop]) -> None:
    ticks = Ticks("a", "b")
    ticks.answers["a"] = lambda: 0.2
    started(ticks)
    wait_until(lambda: len(ticks.at["a"]) >= 4, "a is ticked again and again")
    gaps = [after - before for before, after in zip(ticks.at["a"], ticks.at["a"][1:], strict=False)]
    assert min(gaps) >= 0.19
    assert len(ticks.at["b"]) == 1


def test_wake_comes_before_its_time(started: Callable[[Ticks], Loop]) -> None:
    ticks = Ticks("a", "b")
    loop = started(ticks)
    wait_until(lambda: len(ticks.at["a"]) == len(ticks.at["b"]) == 1, "both were looked at once")
    loop.wake("a")
    wait_until(lambda: len(ticks.at["a"]) == 2, "a is looked at again", within_s=2.0)
    assert len(ticks.at["b"]) == 1
    loop.wake("")
    wait_until(lambda: len(ticks.at["b"]) == 2, "everybody is looked at", within_s=2.0)


def test_a_wake_during_a_tick_is_not_lost(started: Callable[[Ticks], Loop]) -> None:
    ticks, inside, go = Ticks("a"), threading.Event(), threading.Event()

    def slow() -> float:
        inside.set()
        go.wait(5.0)
        return 30.0

    ticks.answers["a"] = slow
    loop = started(ticks)
    assert inside.wait(5.0)
    loop.wake("a")
    go.set()
    wait_until(lambda: len(ticks.at["a"]) == 2, "a is looked at once more")


def test_one_tick_a_service_at_a_time_and_no_waiting_for_another(started: Callable[[Ticks], Loop]) -> None:
    ticks, go = Ticks("slow", "quick"), threading.Event()
    ticks.answers["slow"] = waiting_for(go, 0.0)
    ticks.answers["quick"] = lambda: 0.02
    loop = started(ticks)
    wait_until(lambda: len(ticks.at["quick"]) >= 10, "the quick one goes on")
    for _ in range(20):
        loop.wake("slow")
    assert len(ticks.at["slow"]) == 1
    go.set()
    wait_until(lambda: len(ticks.at["slow"]) >= 2, "then the slow one goes on")
    assert ticks.most_at_once == 1


def test_the_loop_does_not_spin_while_everybody_is_busy(started: Callable[[Ticks], Loop]) -> None:
    ticks, go = Ticks("slow"), threading.Event()
    ticks.answers["slow"] = waiting_for(go, 30.0)
    started(ticks)
    wait_until(lambda: bool(ticks.at["slow"]), "it is busy")
    before = ticks.looks
    time.sleep(0.5)  # long enough for 25 needless rounds
    assert ticks.looks - before <= 3
    go.set()


def test_trouble_backs_off_further_each_time_and_alone(started: Callable[[Ticks], Loop]) -> None:
    def fail() -> float:
        raise BackendError("could not start")

    ticks = Ticks("bad", "good")
    ticks.answers["bad"], ticks.answers["good"] = fail, lambda: 0.05
    started(ticks)
    wait_until(lambda: len(ticks.at["bad"]) >= 3, "it is tried again")
    first, second = (after - before for before, after in zip(ticks.at["bad"], ticks.at["bad"][1:3], strict=False))
    assert first >= BACK_OFF_S
    assert second >= 2 * BACK_OFF_S
    assert len(ticks.at["good"]) > 10
    ticks.answers["bad"] = lambda: 0.05
    wait_until(lambda: len(ticks.at["bad"]) >= 8, "once it goes through, it is on time again")


@pytest.mark.parametrize("trouble", [StaleRevision("somebody was quicker"), LeaseHeld("another acts"), ValueError("a mistake of ours")], ids=repr)
def test_a_tick_that_loses_or_breaks_is_tried_again(started: Callable[[Ticks], Loop], trouble: Exception) -> None:
    ticks = Ticks("a")

    def lose() -> float:
        if len(ticks.at["a"]) < 3:
            raise trouble
        return 30.0

    ticks.answers["a"] = lose
    started(ticks)
    wait_until(lambda: len(ticks.at["a"]) == 3, "it is tried until it goes through")


@pytest.mark.parametrize("trouble", [BackendError("the runtime is away"), RuntimeError("a mistake of ours")], ids=repr)
def test_a_look_that_fails_ticks_nobody_and_ends_nothing(started: Callable[[Ticks], Loop], trouble: Exception) -> None:
    ticks = Ticks("a")
    ticks.trouble = trouble
    started(ticks)
    wait_until(lambda: ticks.looks >= 2, "it looks again")
    assert not ticks.at["a"]
    ticks.trouble = None
    wait_until(lambda: bool(ticks.at["a"]), "it goes on once it can see")


def test_stop_waits_for_the_tick_under_way(started: Callable[[Ticks], Loop]) -> None:
    ticks, inside = Ticks("a"), threading.Event()

    def slow() -> float:
        inside.set()
        time.sleep(0.3)  # a tick under way when it is told to stop
        return 0.0

    ticks.answers["a"] = slow
    loop = started(ticks)
    assert inside.wait(5.0)
    loop.stop()
    assert ticks.at_once["a"] == 0
    ticked = len(ticks.at["a"])
    loop.wake("a")
    assert len(ticks.at["a"]) == ticked


class Refusing:
    """A runtime that cannot start one service."""

    def __init__(self, runtime: MemoryRuntime, service: str) -> None:
        self._runtime, self._service = runtime, service
        self.tried = 0

    def __getattr__(self, name: str) -> object:
        return getattr(self._runtime, name)

    def ensure(self, release: Release, count: int) -> None:
        if release.service == self._service:
            self.tried += 1
            raise BackendError("could not start", found="no port is free")
        self._runtime.ensure(release, count)


def test_twenty_rollouts_at_once_and_one_that_cannot() -> None:
    names = [f"svc-{number:02}" for number in range(20)]
    clock = SystemClock()
    plain = memory_doors([a_service(name, policy=QUICK) for name in [*names, "bad"]])
    runtime = Refusing(MemoryRuntime(clock, start_s=0.2, drain_s=0.05), "bad")
    doors = replace(plain, clock=clock, runtime=runtime, traffic=MemoryTraffic(clock, lag_s=0.05))
    doors = replace(doors, metrics=type(plain.metrics)(doors.traffic, clock))
    stage = Stage(doors)
    loop = Loop(stage.ticker)
    loop.start()
    try:
        for version in ("1.0.0", "1.1.0"):
            for name in [*names, "bad"]:
                stage.build(version, name)
                stage.plane.deploy(name, version)
                loop.wake(name)
            wait_until(lambda: {one.service for one in doors.rollouts.active()} == {"bad"}, f"{version} is live everywhere it can be", within_s=30.0)
        assert {stage.last(name).phase for name in names} == {Phase.CERTIFIED}
        assert all(stage.sizes(name).get("1.1.0") == 2 for name in names)
        assert stage.last("bad").phase is Phase.STEPPING
        assert 2 <= runtime.tried <= 12, "seldom and seldomer"
        assert doors.journal.verify() == len(stage.events())
    finally:
        loop.stop()
