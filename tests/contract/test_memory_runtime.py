"""What the memory runtime adds to the contract: faults on purpose, many hosts, jumps from change to change, and speed."""

from datetime import UTC, datetime, timedelta
from time import perf_counter

import pytest

from ctl.backends.clock import ManualClock
from ctl.backends.runtimes.memory import Fault, MemoryRuntime
from ctl.errors import BackendError, NotFound
from ctl.model.fleet import InstancePhase
from tests.contract.stages import instances, phases, release

START = datetime(2030, 1, 1, tzinfo=UTC)
READY, STANDBY, STARTING, UNREADY = InstancePhase.READY, InstancePhase.STANDBY, InstancePhase.STARTING, InstancePhase.UNREADY


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(START)


def test_instances_are_ready_after_exactly_their_start(clock: ManualClock) -> None:
    runtime = MemoryRuntime(clock, start_s=2.0)
    runtime.ensure(release("shop"), 2)
    clock.advance(1.999)
    assert phases(runtime, "shop") == [STARTING] * 2
    assert runtime.next_change() == START + timedelta(seconds=2)
    clock.advance(100)
    assert {(one.phase, one.since) for one in instances(runtime, "shop")} == {(READY, START + timedelta(seconds=2))}
    assert runtime.next_change() is None


def test_a_drained_one_is_gone_after_its_drain_or_at_its_deadline(clock: ManualClock) -> None:
    runtime = MemoryRuntime(clock, start_s=0.0, drain_s=5.0)
    runtime.ensure(release("shop"), 2)
    slow, quick = instances(runtime, "shop")
    runtime.drain([slow.id], START + timedelta(seconds=60))
    runtime.drain([quick.id], START + timedelta(seconds=1))
    clock.advance(1)
    assert [one.id for one in instances(runtime, "shop")] == [slow.id]
    clock.advance(4)
    assert instances(runtime, "shop") == []


def test_crashes_follow_their_back_off_however_late_one_looks(clock: ManualClock) -> None:
    runtime = MemoryRuntime(clock, start_s=0.5)
    runtime.break_release("shop", release("shop").id, Fault(crash_after_s=1.0))
    runtime.ensure(release("shop"), 1)
    clock.advance(6.2)
    (one,) = instances(runtime, "shop")
    assert (one.restarts, one.phase, one.since) == (3, UNREADY, START + timedelta(seconds=5.5)), "ends at 1, 2, 3.5, 5.5; starts at 1, 2.5, 4.5, 7.5"


def test_a_mended_release_comes_up(clock: ManualClock) -> None:
    runtime = MemoryRuntime(clock, start_s=0.5)
    runtime.break_release("shop", release("shop").id, Fault(crash_after_s=1.0))
    runtime.ensure(release("shop"), 1)
    clock.advance(1.1)
    runtime.break_release("shop", release("shop").id, Fault())
    clock.advance(10)
    (one,) = instances(runtime, "shop")
    assert one.phase is READY
    assert one.reason == ""


def test_the_standby_that_has_waited_longest_takes_over(clock: ManualClock) -> None:
    runtime = MemoryRuntime(clock, start_s=1.0, drain_s=0.0)
    for version in ("1", "2", "3"):
        runtime.ensure(release("ledger", version, mode="writer"), 1)
        clock.advance(2)
    assert phases(runtime, "ledger") == [READY, STANDBY, STANDBY]
    runtime.crash(instances(runtime, "ledger")[0].id)
    assert phases(runtime, "ledger") == [STARTING, READY, STANDBY]
    clock.advance(2)
    assert phases(runtime, "ledger") == [STANDBY, READY, STANDBY]


def test_a_runtime_out_of_reach_fails_every_call(clock: ManualClock) -> None:
    runtime = MemoryRuntime(clock)
    runtime.ensure(release("shop"), 1)
    runtime.reachable = False
    for call in (runtime.observe, lambda: runtime.ensure(release("shop"), 2), lambda: runtime.drain([], START), lambda: runtime.remove("shop", "x")):
        with pytest.raises(BackendError, match="could not"):
            call()
    runtime.reachable = True
    assert len(instances(runtime, "shop")) == 1


def test_instances_spread_over_the_hosts(clock: ManualClock) -> None:
    runtime = MemoryRuntime(clock, hosts=3)
    runtime.ensure(release("shop"), 6)
    assert [one.host for one in instances(runtime, "shop")] == ["host-0001", "host-0002", "host-0003"] * 2


def test_nobody_can_be_crashed_who_is_not_there(clock: ManualClock) -> None:
    with pytest.raises(NotFound):
        MemoryRuntime(clock).crash("shop-1-0badcafe-1")


def test_a_look_at_six_thousand_instances_costs_next_to_nothing(clock: ManualClock) -> None:
    runtime = MemoryRuntime(clock, start_s=1.0, hosts=2000)
    for number in range(310):
        runtime.ensure(release(f"shop{number}"), 20)
    clock.advance(5)
    assert sum(len(groups[0].instances) for groups in runtime.observe().values()) == 6200
    began = perf_counter()
    for _ in range(200):
        runtime.observe()
    still_ms = (perf_counter() - began) * 1000 / 200
    began = perf_counter()
    for number in range(200):
        runtime.crash(f"shop{number}-{release('shop').id}-1")
        runtime.observe()
    changing_ms = (perf_counter() - began) * 1000 / 200
    assert still_ms < 0.2
    assert changing_ms < 5
