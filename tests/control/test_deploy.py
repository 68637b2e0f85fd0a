"""From a version to a certified release and back, through the plane and the ticks, over memory."""

from dataclasses import replace

import pytest

from ctl.backends.runtimes.memory import Fault, MemoryRuntime
from ctl.errors import BadInput, DigestMismatch, NotFound, Refused, UnsafePlan
from ctl.model.rollout import Phase
from ctl.model.service import CanaryStep, CatalogSnapshot, Strategy
from ctl.ports import Catalog
from tests.control.stage import Figures, Stage, a_service, memory_doors, rolled_by


@pytest.fixture
def stage() -> Stage:
    return Stage(memory_doors([a_service(), a_service("fraud")]))


@pytest.fixture
def canary() -> Stage:
    stage = Stage(memory_doors([a_service(replicas=4, policy=rolled_by(Strategy.CANARY))]))
    stage.live("1.0.0")
    return stage


def test_the_first_release_and_the_next_one(stage: Stage) -> None:
    first = stage.live("1.0.0")
    assert (first.phase, first.outcome) == (Phase.CERTIFIED, f"{first.to_release} is live: 2 of 2 ready")
    assert (stage.sizes(), stage.weights()) == ({"1.0.0": 2}, {"1.0.0": 100})
    second = stage.live("1.1.0")
    stage.settle()
    assert second.from_release == first.to_release
    assert (stage.sizes(), stage.weights()) == ({"1.1.0": 2}, {"1.1.0": 100})
    assert [entry.release for entry in stage.doors.registry.instances()["risk"]] == [second.to_release] * 2
    assert stage.phases(second.id) == ["planned", "preparing", "stepping", "judging", "promoting", "baking", "certified"]
    assert stage.doors.journal.verify() == len(stage.events())


def test_a_deploy_of_what_is_live_changes_nothing(stage: Stage) -> None:
    live = stage.live("1.0.0")
    stage.settle()
    before = stage.events()
    assert stage.plane.deploy("risk", "1.0.0")["id"] == live.id
    assert stage.events() == before
    assert stage.plane.plan("risk", "1.0.0")["steps"] == []


def test_a_deploy_of_what_is_on_its_way_is_that_rollout(stage: Stage) -> None:
    stage.build("1.0.0")
    first = stage.plane.deploy("risk", "1.0.0")
    assert stage.plane.deploy("risk", "1.0.0")["id"] == first["id"]
    assert len(stage.doors.rollouts.history("risk", 10)) == 1


def test_approval_binds_to_the_plan(stage: Stage) -> None:
    stage.live("1.0.0")
    stage.build("1.1.0")
    approved = stage.plane.plan("risk", "1.1.0")["checksum"]
    stage.plane.scale("risk", 3)
    with pytest.raises(UnsafePlan) as refusal:
        stage.plane.deploy("risk", "1.1.0", approve=approved)
    assert refusal.value.remedy
    assert not stage.active()
    with pytest.raises(BadInput):
        stage.plane.deploy("risk", "1.1.0", approve="abc")
    stage.go(until=lambda: stage.sizes() == {"1.0.0": 3} and stage.weights() == {"1.0.0": 100})
    stage.settle()
    renewed = stage.plane.plan("risk", "1.1.0")["checksum"]
    assert stage.plane.deploy("risk", "1.1.0", approve=renewed[:8])["phase"] == "planned"


def test_a_plan_changes_nothing_and_its_steps_are_what_happens(stage: Stage) -> None:
    stage.live("1.0.0")
    stage.settle()
    stage.build("1.1.0")
    runtime = stage.doors.runtime
    assert isinstance(runtime, MemoryRuntime)
    runtime.drains_in(0.0)
    before = len(stage.events())
    plan = stage.plane.plan("risk", "1.1.0")
    assert len(stage.events()) == before
    stage.plane.deploy("risk", "1.1.0")
    stage.go()
    done = [event.body["does"] for event in stage.events("action.intent")[len([each for each in stage.events()[:before] if each.kind == "action.intent"]) :]]
    planned = [step["does"] for step in plan["steps"] if step["does"].split(" ")[0] not in set(Phase)]
    assert done == planned


def test_a_spoilt_artifact_is_refused(stage: Stage) -> None:
    stage.live("1.0.0")
    stage.build("1.1.0")
    artifacts = stage.doors.artifacts
    artifacts.spoil(artifacts.resolve("risk", "1.1.0").digest)
    with pytest.raises(DigestMismatch):
        stage.plane.deploy("risk", "1.1.0")
    assert not stage.active()


def test_what_was_never_built_is_refused(stage: Stage) -> None:
    with pytest.raises(NotFound):
        stage.plane.deploy("risk", "9.9.9")
    with pytest.raises(NotFound) as unknown:
        stage.plane.deploy("risk", "1.0.0")
    assert "risk" in unknown.value.remedy


def test_a_release_that_never_becomes_ready_is_taken_back(stage: Stage) -> None:
    live = stage.live("1.0.0")
    stage.build("1.1.0")
    started = stage.plane.deploy("risk", "1.1.0")
    runtime = stage.doors.runtime
    assert isinstance(runtime, MemoryRuntime)
    runtime.break_release("risk", started["to_release"], Fault(never_ready=True))
    stage.go()
    stage.settle()
    ended = stage.last()
    assert ended.phase is Phase.ROLLED_BACK
    assert "no progress for" in ended.outcome
    assert (stage.sizes(), stage.weights()) == ({"1.0.0": 2}, {"1.0.0": 100})
    assert stage.doors.rollouts.stable() == {"risk": live.to_release}


def test_a_bad_canary_is_found_and_taken_back(canary: Stage) -> None:
    figures = canary.doors.metrics
    assert isinstance(figures, Figures)
    figures.error_pct["1.1.0"] = 40
    ended = canary.live("1.1.0")
    assert ended.phase is Phase.ROLLED_BACK
    assert "error rate 40.0 %" in ended.outcome
    assert [one.verdict.value for one in ended.measurements][-1] == "harm"
    assert (canary.sizes(), canary.weights()) == ({"1.0.0": 4}, {"1.0.0": 100})
    phases = canary.phases(ended.id)
    assert phases[phases.index("aborting") :] == ["aborting", "rolled_back"]


def test_a_canary_without_any_traffic_waits_for_a_person(canary: Stage) -> None:
    figures = canary.doors.metrics
    assert isinstance(figures, Figures)
    figures.is_quiet = True
    canary.build("1.1.0")
    canary.plane.deploy("risk", "1.1.0")
    canary.go(until=lambda: canary.last().phase is Phase.PAUSED)
    assert "not enough evidence" in canary.last().paused_why
    assert canary.plane.promote("risk")["phase"] == "judging"
    canary.go()
    assert canary.last().phase is Phase.CERTIFIED


def test_a_step_that_waits_for_a_person() -> None:
    steps = (CanaryStep(weight_pct=25, pause=True), CanaryStep(weight_pct=50, step_s=1.0))
    stage = Stage(memory_doors([a_service(replicas=4, policy=rolled_by(Strategy.CANARY, steps=steps))]))
    stage.live("1.0.0")
    stage.build("1.1.0")
    stage.plane.deploy("risk", "1.1.0")
    stage.go(until=lambda: stage.last().phase is Phase.PAUSED)
    assert stage.weights() == {"1.0.0": 75, "1.1.0": 25}
    with pytest.raises(Refused):
        stage.plane.resume("risk")
    stage.settle(for_s=30.0)
    assert stage.last().phase is Phase.PAUSED, "never by time alone"
    stage.plane.promote("risk", reason="looks good")
    assert stage.events("rollout.phase")[-1].actor == "ann"
    stage.go()
    assert stage.last().phase is Phase.CERTIFIED


def test_pause_holds_everything_and_resume_goes_on(stage: Stage) -> None:
    stage.live("1.0.0")
    stage.build("1.1.0")
    stage.plane.deploy("risk", "1.1.0")
    stage.go(until=lambda: "1.1.0" in stage.sizes())
    assert stage.plane.pause("risk", reason="lunch")["paused_why"] == "lunch"
    assert stage.plane.pause("risk")["phase"] == "paused"
    stage.settle(for_s=2.0)
    sizes, before = stage.sizes(), len(stage.events("action"))
    stage.settle(for_s=60.0)
    assert (stage.sizes(), len(stage.events("action"))) == (sizes, before)
    stage.plane.resume("risk")
    stage.go()
    assert stage.last().phase is Phase.CERTIFIED


def test_abort_and_abort_again(stage: Stage) -> None:
    stage.live("1.0.0")
    stage.build("1.1.0")
    stage.plane.deploy("risk", "1.1.0")
    stage.go(until=lambda: "1.1.0" in stage.sizes())
    assert stage.plane.abort("risk", reason="told to")["phase"] == "aborting"
    assert stage.plane.abort("risk")["phase"] == "aborting"
    stage.go()
    assert stage.plane.abort("risk")["phase"] == "rolled_back"
    assert stage.sizes() == {"1.0.0": 2}
    with pytest.raises(Refused):
        stage.plane.pause("risk")


def test_a_verb_without_a_rollout_is_refused(stage: Stage) -> None:
    with pytest.raises(Refused) as refusal:
        stage.plane.pause("risk")
    assert "msxfctl deploy risk" in refusal.value.remedy


def test_a_newer_release_supersedes_one_that_is_on_its_way(stage: Stage) -> None:
    stage.live("1.0.0")
    stage.build("1.1.0")
    stage.build("1.2.0")
    older = stage.plane.deploy("risk", "1.1.0")
    stage.go(until=lambda: "1.1.0" in stage.sizes())
    newer = stage.plane.deploy("risk", "1.2.0")
    assert stage.doors.rollouts.load(older["id"]).phase is Phase.SUPERSEDED
    stage.go()
    stage.settle()
    assert stage.doors.rollouts.load(newer["id"]).phase is Phase.CERTIFIED
    assert (stage.sizes(), stage.weights()) == ({"1.2.0": 2}, {"1.2.0": 100})


def test_from_promotion_on_a_newer_release_waits_and_starts_from_what_was_certified(stage: Stage) -> None:
    stage.live("1.0.0")
    stage.build("1.1.0")
    stage.build("1.2.0")
    stage.build("1.3.0")
    older = stage.plane.deploy("risk", "1.1.0")
    stage.go(until=lambda: stage.last().phase is Phase.BAKING)
    waiting = stage.plane.deploy("risk", "1.2.0")
    newest = stage.plane.deploy("risk", "1.3.0")
    assert stage.doors.rollouts.load(waiting["id"]).phase is Phase.SUPERSEDED, "only the newest waits"
    assert newest["from_version"] == "1.0.0"
    stage.go()
    ended = stage.doors.rollouts.load(newest["id"])
    assert (ended.phase, ended.from_release) == (Phase.CERTIFIED, older["to_release"])
    stage.settle()
    assert stage.sizes() == {"1.3.0": 2}


def test_a_waiting_release_takes_over_from_one_that_cannot_go_back(stage: Stage) -> None:
    stage.live("1.0.0")
    stage.build("1.1.0")
    stage.build("1.2.0")
    stage.plane.deploy("risk", "1.1.0")
    stage.go(until=lambda: stage.last().phase is Phase.BAKING)
    runtime, stable = stage.doors.runtime, stage.doors.rollouts.stable()["risk"]
    assert isinstance(runtime, MemoryRuntime)
    runtime.break_release("risk", stable, Fault(never_ready=True))
    stage.plane.abort("risk")
    stage.settle(for_s=20.0)
    assert stage.last().phase is Phase.ABORTING
    assert "no available instance to go back to" in stage.plane.rollouts()[0]["waiting"]
    stage.plane.deploy("risk", "1.2.0")
    stage.go()
    stage.settle()
    assert stage.last().phase is Phase.CERTIFIED
    assert (stage.sizes(), stage.weights()) == ({"1.2.0": 2}, {"1.2.0": 100})


def test_rollback_goes_to_the_last_certified_release_and_skips_the_steps(canary: Stage) -> None:
    canary.live("1.1.0")
    assert canary.last().phase is Phase.CERTIFIED
    assert canary.plane.rollback("risk")["to_version"] == "1.0.0"
    assert canary.last().skip_gates
    canary.go()
    canary.settle()
    assert canary.sizes() == {"1.0.0": 4}


def test_rollback_of_an_active_rollout_is_an_abort(stage: Stage) -> None:
    stage.live("1.0.0")
    stage.build("1.1.0")
    stage.plane.deploy("risk", "1.1.0")
    stage.go(until=lambda: "1.1.0" in stage.sizes())
    assert stage.plane.rollback("risk")["phase"] == "aborting"


def test_rollback_to_an_older_release_aborts_the_active_one_first(stage: Stage) -> None:
    stage.live("1.0.0")
    stage.live("1.1.0")
    stage.build("1.2.0")
    active = stage.plane.deploy("risk", "1.2.0")
    stage.go(until=lambda: stage.last().phase is Phase.BAKING)
    back = stage.plane.rollback("risk", to="1.0.0")
    assert stage.doors.rollouts.load(active["id"]).phase is Phase.ABORTING
    assert (back["to_version"], back["phase"]) == ("1.0.0", "planned")
    stage.go()
    stage.settle()
    assert stage.sizes() == {"1.0.0": 2}
    assert stage.plane.rollback("risk", to="1.0.0")["phase"] == "certified", "already there"
    with pytest.raises(NotFound):
        stage.plane.rollback("risk", to="0.1.0")


def test_rollback_without_anything_before_is_refused(stage: Stage) -> None:
    stage.live("1.0.0")
    with pytest.raises(NotFound):
        stage.plane.rollback("risk")


def test_scale_is_applied_by_the_next_tick_and_given_back(stage: Stage) -> None:
    stage.live("1.0.0")
    assert stage.plane.scale("risk", 5)["desired"] == 5
    stage.go(until=lambda: stage.sizes() == {"1.0.0": 5})
    stage.plane.scale("risk", None)
    stage.go(until=lambda: stage.sizes() == {"1.0.0": 2})
    for count in (-1, 10_000):
        with pytest.raises((BadInput, Refused)):
            stage.plane.scale("risk", count)


def test_a_tick_that_finds_nothing_to_do_writes_nothing(stage: Stage) -> None:
    stage.live("1.0.0")
    stage.settle()
    before, rollout = len(stage.events()), stage.last()
    for _ in range(50):
        stage.settle(for_s=1.0)
    assert len(stage.events()) == before
    assert stage.last() == rollout
    assert stage.ticker.why("risk") == "all is as it should be"


def test_each_action_has_its_intent_and_its_outcome(stage: Stage) -> None:
    stage.live("1.0.0")
    stage.live("1.1.0")
    open_intents: dict[str, int] = {}
    for event in stage.events("action"):
        assert event.why
        identity = str(event.body["id"])
        open_intents[identity] = open_intents.get(identity, 0) + (1 if event.kind == "action.intent" else -1)
        assert open_intents[identity] in (0, 1)
    assert set(open_intents.values()) == {0}
    assert {event.body["result"] for event in stage.events("action.outcome")} == {"ok"}


def test_strategies_that_do_not_fit_are_refused_at_plan_time() -> None:
    stage = Stage(memory_doors([a_service(replicas=4, policy=rolled_by(Strategy.BLUE_GREEN, max_total=6))]))
    stage.live("1.0.0")
    stage.build("1.1.0")
    with pytest.raises(UnsafePlan):
        stage.plane.deploy("risk", "1.1.0")
    assert stage.plane.deploy("risk", "1.1.0", strategy="rolling")["strategy"] == "rolling"
    stage.go()
    assert stage.plane.rollback("risk")["phase"] == "planned", "an undo to a known good release rolls, so it fits"
    with pytest.raises(BadInput):
        stage.plane.plan("risk", "1.1.0", strategy="sideways")


def test_a_catalog_that_becomes_wrong_keeps_the_last_good_one() -> None:
    class Edited:
        def __init__(self, catalog: Catalog) -> None:
            self.catalog, self.is_wrong = catalog, True

        def snapshot(self) -> CatalogSnapshot:
            if self.is_wrong:
                raise BadInput("risk.yaml:3: no such field", remedy="take it away")
            return self.catalog.snapshot()

    doors = memory_doors([a_service()])
    edited = Edited(doors.catalog)
    stage = Stage(replace(doors, catalog=edited))
    with pytest.raises(BadInput):
        stage.tick()
    edited.is_wrong = False
    stage.live("1.0.0")
    edited.is_wrong = True
    stage.live("1.1.0")
    stage.settle(for_s=60.0)
    assert stage.sizes() == {"1.1.0": 2}
