"""What holds for every rollout in every world; the invariants of each action are checked by the driving itself."""

from dataclasses import replace

from hypothesis import assume, given
from hypothesis import strategies as st

from ctl.decide import foresee
from ctl.model.plan import EnsureGroup
from ctl.model.rollout import TERMINAL, Phase
from ctl.model.service import Handover, OnDeadline, Strategy
from tests.decide import driving
from tests.decide.driving import Run
from tests.decide.histories import BRISK, CALM, DEATHS, LEFT, LOSSES, NEW, OLD, WISHES, Kind, Trouble, examples, fine, live_through, natures, runs, troubles
from tests.decide.world import CRASHING, FAILING, GOOD, NEVER_READY, World

ANYTHING = Kind(stable=st.sampled_from([GOOD, GOOD, NEVER_READY, CRASHING]), leftovers=True)
BROKEN = Kind(nature=fine, stable=st.sampled_from([NEVER_READY, CRASHING]), first=False, undo=False)
BAD = Kind(nature=st.sampled_from([NEVER_READY, CRASHING, FAILING]), first=False, undo=False)


@examples
@given(runs(), troubles(*LOSSES, *WISHES, *DEATHS))
def test_every_action_keeps_every_rule_whatever_happens(run: Run, events: list[Trouble]) -> None:
    live_through(run, events)
    run.go(longest_s=200.0)
    assert run.phase in TERMINAL or run.phase in (Phase.PAUSED, Phase.ABORTING), f"it neither ends nor waits for a person: {run.phase}, {run.said[-1]}"
    if run.phase is Phase.PAUSED:
        assert run.state
        assert run.state.paused_why


@examples
@given(runs(ANYTHING), troubles(*LOSSES, *WISHES, *DEATHS))
def test_every_action_keeps_every_rule_with_a_broken_stable_and_leftovers(run: Run, events: list[Trouble]) -> None:
    live_through(run, events)
    run.go(longest_s=200.0)
    assert run.phase in TERMINAL or run.phase in (Phase.PAUSED, Phase.ABORTING), f"it neither ends nor waits for a person: {run.phase}, {run.said[-1]}"


@examples
@given(runs(CALM), troubles(*LOSSES, *DEATHS, "promote", "promote full", "resume"))
def test_a_held_rollout_is_not_promoted_by_anybody_and_goes_on_when_it_is_over(run: Run, events: list[Trouble]) -> None:
    run.world.held = "the scorecard has drifted"
    live_through(run, events)
    run.go(longest_s=15.0)
    assert not {Phase.PROMOTING, Phase.BAKING, Phase.CERTIFIED} & set(run.phases), run.told()
    run.world.held = ""
    run.see_through()
    assert run.is_over, run.told()
    assert events or run.phase is Phase.CERTIFIED, run.told()


@examples
@given(runs(CALM))
def test_an_undisturbed_rollout_is_certified_in_the_time_and_by_the_steps_that_were_planned(run: Run) -> None:
    run.world.terrain = replace(run.world.terrain, lag_s=0.0, drain_s=0.0)
    assert run.state
    began, waits = run.world.now, any(step.pause for step in run.state.policy.steps)
    plan = foresee.plan(run.state, run.world.situation(run.state), start_s=1.0)
    run.go(until=lambda: run.is_over or run.phase is Phase.PAUSED)
    planned = [step.does for step in plan.steps]
    assert [foresee.describe(action) for action in run.actions] == [does for does in planned if does.split(" ")[0] not in set(Phase)]
    assert [phase.value for phase in run.phases] == [does.split(" ")[0] for does in planned if does.split(" ")[0] in set(Phase)]
    assert run.is_over or run.phase is Phase.PAUSED, run.told()
    assert round((run.state.phase_since - began).total_seconds(), 1) == plan.expected_s
    run.see_through()
    assert run.phase is Phase.CERTIFIED, run.told()
    assert waits or run.phases[-1] is Phase.CERTIFIED
    run.settle()
    assert_only(run, NEW)


@examples
@given(runs(CALM), troubles(*DEATHS, "pause", "resume", "promote", most=10))
def test_dying_between_any_two_steps_or_pausing_leads_to_the_same_end(run: Run, events: list[Trouble]) -> None:
    live_through(run, events)
    run.see_through()
    assert run.phase is Phase.CERTIFIED, run.told()
    run.settle()
    assert_only(run, NEW)
    assert len(run.world.starts) == 2 * run.world.desired, "no instance is started twice"


@examples
@given(runs(BAD))
def test_a_bad_release_is_taken_back_by_itself(run: Run) -> None:
    assume(run.world.desired > 0)
    assert run.state
    run.state = replace(run.state, policy=replace(run.state.policy, on_deadline=OnDeadline.ABORT))
    run.go(until=lambda: run.is_over or run.phase is Phase.PAUSED)
    if run.phase is Phase.PAUSED:
        assert any(step.pause for step in run.state.policy.steps)
        run.see_through()
    assert run.phase is Phase.ROLLED_BACK, run.told()
    run.settle()
    assert_only(run, OLD, kept=NEW)


def test_an_undo_to_a_known_good_release_need_not_prove_itself_again() -> None:
    for known_good, ends in ((True, Phase.CERTIFIED), (False, Phase.ROLLED_BACK)):
        world = World(replace(BRISK, strategy=Strategy.CANARY), 4, {OLD: GOOD, NEW: FAILING})
        world.begin(OLD, 4)
        run = Run(world, driving.new_rollout(world, NEW, skip_gates=known_good))
        run.go()
        assert run.phase is ends, run.told()


@examples
@given(runs(), st.integers(0, 60), troubles(*LOSSES, "scale", *DEATHS, most=3))
def test_abort_is_reachable_from_everywhere_and_final(run: Run, ticks: int, events: list[Trouble]) -> None:
    for _ in range(ticks):
        run.world.advance(run.tick().again_in_s)
    assume(not run.is_over)
    driving.abort(run)
    assert run.phase in (Phase.ABORTING, Phase.CANCELLED)
    made = len(run.actions)
    live_through(run, events)
    run.go()
    assert run.phase in (Phase.ROLLED_BACK, Phase.CANCELLED), run.told()
    assert not [action for action in run.actions[made:] if isinstance(action, EnsureGroup) and action.release == NEW], "after an abort the target never grows"
    run.settle()
    assert_only(run, OLD if run.world.stable else None, kept=NEW)


@examples
@given(runs(BROKEN))
def test_a_broken_stable_never_blocks_the_fix(run: Run) -> None:
    run.go(until=lambda: run.is_over or run.phase is Phase.PAUSED)
    if run.phase is Phase.PAUSED:
        assert run.state
        assert "waits for a person" in run.state.paused_why, run.state.paused_why
        run.see_through()
    assert run.phase is Phase.CERTIFIED, run.told()
    run.settle()
    assert_only(run, NEW)


@examples
@given(runs(Kind(nature=natures, leftovers=True)), troubles(*LOSSES, "scale", "abort", *DEATHS))
def test_whatever_a_rollout_leaves_behind_the_service_comes_to_rest(run: Run, events: list[Trouble]) -> None:
    live_through(run, events)
    if not run.is_over:
        driving.abort(run)
    run.go()
    assert run.is_over, run.told()
    run.settle()
    assert_only(run, run.world.stable, kept=NEW, also=LEFT)
    assert run.tick().actions == (), "all is as it should be"


@examples
@given(runs(Kind(nature=fine, undo=False)), troubles(*LOSSES, "scale", most=8))
def test_a_good_release_survives_losses(run: Run, events: list[Trouble]) -> None:
    live_through(run, events)
    run.see_through()
    assert run.phase in (Phase.CERTIFIED, Phase.ROLLED_BACK), run.told()
    run.settle()
    assert_only(run, run.world.stable, kept=NEW)


def assert_only(run: Run, release: str | None, *, kept: str = "", also: str = "") -> None:
    """Check that `release` is live, whole and alone; `kept` and `also` may be there for inspection where the policy keeps aborted instances."""
    world = run.world
    inspected = {kept, also} if world.policy.abort_scale_down_delay_s == 0 else set()
    desired = min(world.desired, world.policy.max_total or world.desired)
    assert world.size(release) == (desired if release else 0), run.told()
    rest = {one.release for one in world.members.values()} - {release} - inspected
    assert not rest, f"{rest} are left over"
    weights = {entry.release: entry.weight_pct for entry in world.in_force.entries}
    is_live = release and desired and world.natures[release].start_s is not None
    assert weights == ({release: 100} if is_live else {}), run.told()
    routed = world.in_force.instance_ids
    crew = {one.id for one in world.members.values() if one.release == release}
    assert routed == crew if is_live and world.terrain.handover is Handover.NONE else routed <= crew
    assert set(world.registered) == set(routed), "the registry says the same as the gateway"
    assert set(world.asked) - {release} <= inspected, "empty groups are forgotten"

