"""A canary whose evidence nobody collected for a while (the control plane was away) is not blamed for it."""

from dataclasses import replace
from datetime import timedelta

from ctl.decide import rollout as rolling
from ctl.model.fleet import Group, Instance, InstancePhase, RouteEntry, Routes
from ctl.model.plan import Decision
from ctl.model.rollout import Phase, Rollout
from ctl.model.service import CanaryStep, Gate, RolloutPolicy, Strategy
from ctl.model.situation import Situation
from tests.decide.world import EPOCH

STEP_S, WINDOW_S = 10.0, 5.0
POLICY = RolloutPolicy(strategy=Strategy.CANARY, steps=(CanaryStep(weight_pct=50, step_s=STEP_S),), gate=Gate(window_s=WINDOW_S), min_ready_s=0)
WEIGHTS = (("new", 50), ("old", 50))


def one(release: str) -> Instance:
    return Instance(id=f"{release}-1", service="s", release=release, address="127.0.0.1:1", phase=InstancePhase.READY, since=EPOCH, created_at=EPOCH)


def judging() -> tuple[Rollout, Situation]:
    """Return a canary that reached its step at EPOCH, and the world it is in: without any traffic figures."""
    rollout = Rollout(
        id="s-r2", service="s", revision=2, from_release="old", to_release="new", policy=POLICY, phase=Phase.JUDGING, phase_since=EPOCH,
        step_since=EPOCH, started_at=EPOCH, last_progress_at=EPOCH, desired=1, last_allowed=2, actor="t", version=3,
    )  # fmt: skip
    entries = tuple(RouteEntry(release=name, weight_pct=share, instances=(f"{name}-1",), addresses=("127.0.0.1:1",)) for name, share in WEIGHTS)
    groups = tuple(Group(service="s", release=name, desired=1, instances=(one(name),)) for name, _ in WEIGHTS)
    world = Situation(
        service="s", policy=POLICY, desired=1, stable="old", groups=groups, routes=Routes(service="s", entries=entries), registered=None, now=EPOCH
    )
    return rollout, world


def after(seconds: float, rollout: Rollout, world: Situation) -> tuple[Decision, Rollout]:
    decision = rolling.next_step(rollout, replace(world, now=EPOCH + timedelta(seconds=seconds)))
    return decision, decision.next_state or rollout


def test_time_in_which_nobody_looked_does_not_pause_it() -> None:
    rollout, world = judging()
    away_s = 100 * STEP_S
    decision, rollout = after(away_s, rollout, world)
    assert rollout.phase is Phase.JUDGING
    assert decision.why.startswith("not enough evidence yet")
    looks = 0
    while rollout.phase is Phase.JUDGING and looks < 20:
        looks += 1
        _, rollout = after(away_s + looks * WINDOW_S, rollout, world)
    assert rollout.phase is Phase.PAUSED, "but it does not wait for ever"
    assert looks == STEP_S / WINDOW_S, "one window more than a step holds"


def test_somebody_who_looked_all_the_time_pauses_it_after_three_steps() -> None:
    rollout, world = judging()
    for look in range(1, 20):
        _, rollout = after(look * WINDOW_S, rollout, world)
        if rollout.phase is Phase.PAUSED:
            break
    assert look * WINDOW_S == 3 * STEP_S
