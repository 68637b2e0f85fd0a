"""Random lives of a rollout: policies, worlds, and the trouble that befalls them."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace

from hypothesis import HealthCheck, settings
from hypothesis import Phase as Part
from hypothesis import strategies as st

from ctl.model.rollout import Phase
from ctl.model.service import CanaryStep, Gate, Handover, OnDeadline, RolloutPolicy, Share, Strategy
from tests.decide import driving
from tests.decide.driving import Run, new_rollout
from tests.decide.world import CRASHING, FAILING, GOOD, NEVER_READY, Nature, Terrain, World

MORE = int(os.environ.get("MSXFCTL_TEST_EXAMPLES", "0"))
QUIET = [HealthCheck.too_slow, HealthCheck.data_too_large]
BRIEF = settings(max_examples=120, deadline=None, derandomize=True, phases=(Part.explicit, Part.generate), suppress_health_check=QUIET)
examples = settings(max_examples=MORE, deadline=None, database=None, phases=(Part.generate,), suppress_health_check=QUIET) if MORE else BRIEF
"""The same few examples in every run of `make test`; MSXFCTL_TEST_EXAMPLES=5000 tries that many new ones."""

OLD, NEW, LEFT = "1.0.0-0ld", "2.0.0-new", "1.5.0-left"
LADDER = (CanaryStep(weight_pct=10, step_s=4.0), CanaryStep(weight_pct=50, step_s=4.0))
BRISK = RolloutPolicy(
    min_ready_s=1.0,
    healthy_deadline_s=8.0,
    progress_deadline_s=20.0,
    drain_s=5.0,
    bake_s=3.0,
    abort_scale_down_delay_s=2.0,
    scale_down_delay_s=2.0,
    gate=Gate(window_s=2.0),
    steps=LADDER,
)

shares = st.builds(Share, value=st.integers(0, 4)) | st.builds(Share, value=st.sampled_from([0, 10, 25, 50, 100]), percent=st.just(True))
ladders = st.lists(
    st.builds(CanaryStep, weight_pct=st.integers(1, 100), step_s=st.sampled_from([2.0, 4.0]), pause=st.sampled_from([False, False, False, True])),
    min_size=1,
    max_size=3,
).map(lambda steps: tuple(sorted(steps, key=lambda step: step.weight_pct)))
policies = st.builds(
    replace,
    st.just(BRISK),
    strategy=st.sampled_from(Strategy),
    surge=shares,
    unavailable=shares,
    min_ready_s=st.sampled_from([0.0, 1.0]),
    progress_deadline_s=st.sampled_from([0.0, 20.0, 20.0]),
    on_deadline=st.sampled_from([OnDeadline.ABORT, OnDeadline.ABORT, OnDeadline.HOLD]),
    abort_scale_down_delay_s=st.sampled_from([0.0, 2.0]),
    steps=ladders,
)
terrains = st.builds(
    Terrain,
    drain_s=st.sampled_from([0.0, 2.0]),
    lag_s=st.sampled_from([0.0, 0.2, 1.5]),
    handover=st.sampled_from([Handover.NONE, Handover.NONE, Handover.NONE, Handover.STANDBY]),
)
fine = st.just(GOOD)
natures = st.sampled_from([GOOD, GOOD, GOOD, NEVER_READY, CRASHING, FAILING, Nature(start_s=3.0)])


@dataclass(frozen=True, slots=True)
class Trouble:
    """After `ticks` ticks, `what` happens; `which` chooses among those it can happen to."""

    ticks: int
    what: str
    which: int


LOSSES = ("crash", "crash", "lose", "lose group")
WISHES = ("scale", "pause", "resume", "promote", "promote full", "abort")
DEATHS = ("die before acting", "die in between", "die before saving")


def troubles(*kinds: str, most: int = 6) -> st.SearchStrategy[list[Trouble]]:
    return st.lists(st.builds(Trouble, st.integers(0, 12), st.sampled_from(kinds), st.integers(0, 20)), max_size=most)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """What sort of runs to make: how target and stable behave, whether there may be no stable, an abandoned third release, or an undo."""

    nature: st.SearchStrategy[Nature] = natures
    stable: st.SearchStrategy[Nature] = fine
    first: bool = True
    leftovers: bool = False
    undo: bool = True


ANY, CALM = Kind(), Kind(nature=fine, first=False, undo=False)


@st.composite
def runs(draw: st.DrawFn, kind: Kind = ANY) -> Run:
    """A rollout about to begin, in a world with its stable release live, or with nothing before it."""
    terrain = draw(terrains)
    desired = draw(st.integers(0, 10)) if terrain.handover is Handover.NONE else draw(st.sampled_from([1, 1, 1, 0, 2]))
    policy = draw(policies)
    if draw(st.sampled_from([False, False, True])):
        whole = 1 if policy.strategy is Strategy.ROLLING else 2
        policy = replace(policy, max_total=max(1, whole * desired + draw(st.integers(0, 3))))
    world = World(policy, desired, {OLD: draw(kind.stable), NEW: draw(kind.nature), LEFT: draw(natures)}, terrain)
    if not kind.first or draw(st.sampled_from([True, True, True, False])):
        world.begin(OLD, desired)
    if kind.leftovers:
        abandon(world, draw(st.integers(1, 5)))
    return Run(world, new_rollout(world, NEW, skip_gates=kind.undo and draw(st.sampled_from([False, False, False, True]))))


def abandon(world: World, steps: int) -> None:
    """Let an earlier rollout have come some way before a newer release took its place."""
    older = Run(world, new_rollout(world, LEFT, revision=1))
    for _ in range(2 + 3 * steps):
        world.advance(older.tick().again_in_s)
        if older.is_over or (older.state and older.state.phase in (Phase.PROMOTING, Phase.BAKING, Phase.ABORTING)):
            return


def live_through(run: Run, events: Sequence[Trouble]) -> None:
    """Tick, and let each trouble happen in its time."""
    for event in events:
        for _ in range(event.ticks):
            run.world.advance(run.tick().again_in_s)
        befall(run, event)


def befall(run: Run, event: Trouble) -> None:
    world = run.world
    alive = sorted(one.id for one in world.members.values() if one.is_counted)
    releases = sorted({one.release for one in world.members.values()})
    match event.what:
        case "crash" if alive:
            world.crash(alive[event.which % len(alive)])
        case "lose" if alive:
            world.lose(alive[event.which % len(alive)])
        case "lose group" if releases:
            world.lose_group(releases[event.which % len(releases)])
        case "scale":
            world.desired = event.which % 11 if world.terrain.handover is Handover.NONE else event.which % 3
        case "pause":
            driving.pause(run)
        case "resume":
            driving.resume(run)
        case "promote":
            driving.promote(run)
        case "promote full":
            driving.promote(run, full=True)
        case "abort":
            driving.abort(run)
        case "die before acting" | "die in between" | "die before saving":
            run.tick(carried_out={"die before acting": 0, "die in between": 1 + event.which % 2, "die before saving": 99}[event.what])
            world.advance(0.3)
