"""Reading a group: who is available, who goes first, who crashes in circles, who is not waited for any more."""

from dataclasses import replace
from datetime import timedelta

import pytest

from ctl.decide import groups
from ctl.decide.groups import Standing
from ctl.model.fleet import Instance, InstancePhase, Routes
from ctl.model.service import Handover
from ctl.model.situation import Situation
from tests.decide.histories import BRISK
from tests.decide.world import EPOCH, SERVICE

NOW = EPOCH + timedelta(hours=1)
READY, STANDBY, UNREADY, STARTING = InstancePhase.READY, InstancePhase.STANDBY, InstancePhase.UNREADY, InstancePhase.STARTING


def instance(name: str, phase: InstancePhase = READY, *, for_s: float = 600.0, age_s: float = 600.0, restarts: int = 0) -> Instance:
    since, created_at = NOW - timedelta(seconds=for_s), NOW - timedelta(seconds=age_s)
    return Instance(id=name, service=SERVICE, release="new", address="a:1", phase=phase, since=since, created_at=created_at, restarts=restarts)


def standing(*members: Instance, available: str = "") -> Standing:
    return Standing("new", members, tuple(one for one in members if one.id in available))


@pytest.mark.parametrize(
    ("phase", "for_s", "handover", "available"),
    [
        (READY, 10.0, Handover.NONE, True),
        (READY, 9.999, Handover.NONE, False),
        (READY, 600.0, Handover.NONE, True),
        (UNREADY, 600.0, Handover.NONE, False),
        (STARTING, 600.0, Handover.NONE, False),
        (STANDBY, 600.0, Handover.NONE, False),
        (InstancePhase.DRAINING, 600.0, Handover.NONE, False),
        (STANDBY, 10.0, Handover.STANDBY, True),
        (STANDBY, 9.999, Handover.STANDBY, False),
        (READY, 0.0, Handover.STANDBY, True),
        (UNREADY, 600.0, Handover.STANDBY, False),
    ],
)
def test_availability(phase: InstancePhase, for_s: float, handover: Handover, available: bool) -> None:
    policy = replace(BRISK, min_ready_s=10.0)
    situation = Situation(service=SERVICE, policy=policy, handover=handover, desired=1, stable=None, routes=Routes(service=SERVICE), now=NOW)
    assert groups.is_available(instance("a", phase, for_s=for_s), situation) is available


def test_unhealthy_ones_go_first_then_those_without_traffic_then_the_youngest() -> None:
    young, old = instance("young", age_s=10), instance("old", age_s=20)
    routed_young, sick = instance("routed", age_s=5), instance("sick", UNREADY, age_s=900)
    group = standing(old, young, routed_young, sick, available="old young routed")
    order = [one.id for one in groups.leaves_first(group, 4, {"routed", "sick"})]
    assert order == ["sick", "young", "old", "routed"]
    assert [one.id for one in groups.leaves_first(group, 2, {"routed"})] == ["sick", "young"]
    assert groups.leaves_first(group, 0, set()) == groups.leaves_first(group, -1, set()) == ()


@pytest.mark.parametrize(
    ("target", "stable", "loops"),
    [([2, 3], [0, 1], True), ([2, 1], [0], False), ([2, 2], [2], False), ([3, 3], [2], True), ([2, 2], [], True), ([], [0], False), ([1, 1], [0], False)],
)
def test_a_crash_loop_is_every_instance_again_and_again_and_more_than_stable(target: list[int], stable: list[int], loops: bool) -> None:
    members = [instance(f"new-{number}", restarts=restarts) for number, restarts in enumerate(target)]
    before = [instance(f"old-{number}", restarts=restarts) for number, restarts in enumerate(stable)]
    assert groups.crash_loops(standing(*members), standing(*before)) is loops


def test_who_is_not_waited_for_any_more() -> None:
    good, looping = instance("good", restarts=9), instance("looping", STARTING, for_s=1, restarts=2)
    late, coming = instance("late", UNREADY, for_s=61), instance("coming", STARTING, for_s=59, restarts=1)
    group = standing(good, looping, late, coming, available="good")
    assert [one.id for one in groups.lost_for_good(group, 60.0, NOW)] == ["looping", "late"]


def test_who_has_had_its_time_to_become_healthy() -> None:
    good, late, young = instance("good", age_s=900), instance("late", UNREADY, age_s=301), instance("young", STARTING, age_s=300)
    assert [one.id for one in groups.unhealthy_since(standing(good, late, young, available="good"), 300.0, NOW)] == ["late"]
