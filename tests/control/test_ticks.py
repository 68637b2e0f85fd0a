"""One tick at a time: who may act, what a failure leaves behind, and that nobody acts on what is no longer so."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from ctl.backends.clock import ManualClock
from ctl.backends.runtimes.memory import MemoryRuntime
from ctl.backends.traffic.memory import MemoryTraffic
from ctl.control import act, recover
from ctl.control.doors import Doors
from ctl.decide import verbs
from ctl.errors import BackendError, LeaseHeld, StaleRevision
from ctl.model.event import Note
from ctl.model.fleet import Routes
from ctl.model.plan import EnsureGroup, SetRoutes
from ctl.model.release import Release
from ctl.model.rollout import Phase
from ctl.ports import Runtime
from tests.control.stage import Stage, a_service, memory_doors


@pytest.fixture
def doors() -> Doors:
    return memory_doors([a_service()])


@pytest.fixture
def stage(doors: Doors) -> Stage:
    stage = Stage(doors)
    stage.live("1.0.0")
    stage.settle()
    stage.build("1.1.0")
    return stage


def advance(stage: Stage, seconds: float) -> None:
    clock = stage.doors.clock
    assert isinstance(clock, ManualClock)
    clock.advance(seconds)


def runtime_of(stage: Stage) -> MemoryRuntime:
    runtime = stage.doors.runtime
    assert isinstance(runtime, MemoryRuntime)
    return runtime


def test_a_second_holder_is_told_who_acts(stage: Stage) -> None:
    stage.plane.deploy("risk", "1.1.0")
    other = Stage(replace(stage.doors, holder="second"))
    with pytest.raises(LeaseHeld, match="first is acting"):
        other.tick()
    with pytest.raises(LeaseHeld):
        other.plane.pause("risk")
    before = len(stage.events())
    with pytest.raises(LeaseHeld):
        other.tick()
    assert len(stage.events()) == before, "who may not act writes nothing"


def test_a_lease_that_ran_out_passes_on_and_the_first_holder_is_fenced_out(stage: Stage) -> None:
    stage.plane.deploy("risk", "1.1.0")
    stage.tick()
    other = Stage(replace(stage.doors, holder="second"))
    advance(stage, 16.0)
    stale = stage.last()
    other.go()
    assert other.last().phase is Phase.CERTIFIED
    with pytest.raises(StaleRevision):
        stage.doors.rollouts.save(stale, 1)
    stage.build("1.2.0")
    with pytest.raises(LeaseHeld):
        stage.plane.deploy("risk", "1.2.0")


def test_the_lease_of_a_dead_holder_is_taken_at_once(stage: Stage) -> None:
    stage.plane.deploy("risk", "1.1.0")
    stage.tick()
    other = Stage(replace(stage.doors, holder="second"), is_gone=lambda holder: holder == "first")
    other.go()
    assert other.last().phase is Phase.CERTIFIED
    assert stage.doors.leases.holder("service/risk", stage.doors.clock.now()) == "second"


def test_leases_are_given_back(stage: Stage) -> None:
    stage.fences.release_all()
    other = Stage(replace(stage.doors, holder="second"))
    other.plane.deploy("risk", "1.1.0")
    other.go()
    assert other.last().phase is Phase.CERTIFIED


def test_nothing_is_done_on_a_look_that_began_before_the_last_tick_had_ended(stage: Stage) -> None:
    stage.plane.deploy("risk", "1.1.0")
    stage.go(until=lambda: stage.last().phase is Phase.STEPPING)
    old_look = stage.ticker.look()
    stage.tick()
    before, rollout = len(stage.events()), stage.last()
    assert stage.ticker.tick("risk", *old_look) > 0
    assert (len(stage.events()), stage.last()) == (before, rollout)


def test_what_a_person_has_decided_meanwhile_comes_first(stage: Stage) -> None:
    stage.plane.deploy("risk", "1.1.0")
    stage.go(until=lambda: stage.last().phase is Phase.STEPPING)
    look = stage.ticker.look()
    stage.plane.abort("risk")
    before = stage.sizes()
    with pytest.raises(StaleRevision):
        stage.ticker.tick("risk", *look)
    assert stage.sizes() == before, "the new release was not started after its abort"
    stage.go()
    assert "1.1.0" not in stage.sizes()


def test_a_verb_that_loses_a_race_looks_again(stage: Stage) -> None:
    class Busy:
        """Rollouts that somebody else changes right before the first save."""

        def __init__(self) -> None:
            self.times = 0

        def __getattr__(self, name: str) -> object:
            return getattr(stage.doors.rollouts, name)

        def save(self, rollout: object, fence: int, notes: Sequence[Note] = ()) -> object:
            self.times += 1
            if self.times == 1:
                current = stage.last()
                stage.doors.rollouts.save(replace(current, failures=current.failures + 1), fence)
            return stage.doors.rollouts.save(rollout, fence, notes)

    stage.plane.deploy("risk", "1.1.0")
    stage.go(until=lambda: stage.last().phase is Phase.STEPPING)
    busy = Busy()
    racing = Stage(replace(stage.doors, rollouts=busy))
    assert racing.plane.pause("risk")["phase"] == "paused"
    assert busy.times == 2
    assert stage.last().failures == 1, "the other change is kept"
    assert stage.phases(stage.last().id).count("paused") == 1


def test_a_deploy_that_loses_a_race_for_its_revision_looks_again(stage: Stage) -> None:
    class Late:
        """Rollouts whose history lags behind once, as another process's deploy makes it."""

        def __init__(self) -> None:
            self.lags = True

        def __getattr__(self, name: str) -> object:
            return getattr(stage.doors.rollouts, name)

        def history(self, service: str, limit: int) -> object:
            found = stage.doors.rollouts.history(service, limit + 1)
            if self.lags and limit == 1:
                self.lags = False
                return found[1:]
            return found[:limit]

    stage.live("1.1.0")
    stage.build("1.2.0")
    racing = Stage(replace(stage.doors, rollouts=Late()))
    assert racing.plane.deploy("risk", "1.2.0")["revision"] == 3


def test_an_action_that_fails_stops_the_rest_and_keeps_the_state(stage: Stage) -> None:
    class Refusing:
        """A gateway that is away."""

        def __getattr__(self, name: str) -> object:
            return getattr(stage.doors.traffic, name)

        def set_routes(self, routes: Routes) -> None:
            raise BackendError("could not set routes", found="the gateway is away")

    stage.plane.deploy("risk", "1.1.0")
    troubled = Stage(replace(stage.doors, traffic=Refusing()))
    with pytest.raises(BackendError, match="could not set routes"):
        troubled.go()
    advance(stage, 0.1)
    before, seen = stage.last(), len(stage.events())
    with pytest.raises(BackendError):
        troubled.tick()
    assert stage.last() == before
    outcomes = [event.body["result"] for event in stage.events()[seen:] if event.kind == "action.outcome"]
    assert outcomes[0] == "failed"
    assert set(outcomes[1:]) == {"skipped"}
    stage.go()
    assert stage.last().phase is Phase.CERTIFIED, "the tick is the retry"


def test_without_the_journal_nothing_is_done(stage: Stage) -> None:
    class Full:
        def __getattr__(self, name: str) -> object:
            return getattr(stage.doors.journal, name)

        def append(self, notes: Sequence[Note]) -> object:
            raise BackendError("could not append", found="database or disk is full")

    stage.plane.deploy("risk", "1.1.0")
    full = Stage(replace(stage.doors, journal=Full()))
    with pytest.raises(BackendError):
        full.go()
    assert stage.sizes() == {"1.0.0": 2}
    stage.go()
    assert stage.last().phase is Phase.CERTIFIED


def test_not_knowing_is_no_reason_to_act(stage: Stage) -> None:
    stage.plane.deploy("risk", "1.1.0")
    runtime_of(stage).reachable = False
    with pytest.raises(BackendError):
        stage.tick()
    runtime_of(stage).reachable = True
    traffic = stage.doors.traffic
    assert isinstance(traffic, MemoryTraffic)
    traffic.reachable = False
    with pytest.raises(BackendError):
        stage.tick()
    assert stage.last().phase is Phase.PLANNED


def test_a_registry_that_cannot_be_asked_is_left_as_it_is(stage: Stage) -> None:
    class Silent:
        def __getattr__(self, name: str) -> object:
            raise AssertionError(f"{name} is not called on a registry that cannot be asked")

        def instances(self) -> object:
            raise BackendError("could not read the registry")

    blind = Stage(replace(stage.doors, registry=Silent()))
    blind.plane.deploy("risk", "1.1.0")
    blind.go()
    assert stage.weights() == {"1.1.0": 100}
    stage.settle()
    assert {entry.release for entry in stage.doors.registry.instances()["risk"]} == {stage.last().to_release}, "mended once it answers again"


def test_a_gateway_that_lags_is_asked_ever_more_seldom() -> None:
    stage = Stage(memory_doors([a_service()], lag_s=8.0))
    stage.build("1.0.0")
    stage.plane.deploy("risk", "1.0.0")
    stage.settle(for_s=9.0)
    asked = [event for event in stage.events("action.intent") if event.body["action"] == "SetRoutes"]
    assert 1 <= len(asked) <= 20, "about once a second, not twenty times"
    stage.go()
    assert stage.last().phase is Phase.CERTIFIED


def test_phase_and_record_are_one_write(stage: Stage) -> None:
    class Dying:
        """A journal that fails whenever it is written on its own."""

        def __getattr__(self, name: str) -> object:
            return getattr(stage.doors.journal, name)

        def append(self, notes: Sequence[Note]) -> object:
            assert not [note for note in notes if note.kind == "rollout.phase"], "a phase is noted with its state, never beside it"
            return stage.doors.journal.append(notes)

    watched = Stage(replace(stage.doors, journal=Dying()))
    watched.plane.deploy("risk", "1.1.0")
    watched.go(until=lambda: watched.last().phase is Phase.STEPPING)
    watched.plane.pause("risk")
    watched.plane.resume("risk")
    watched.go()
    assert watched.phases(watched.last().id) == ["planned", "preparing", "stepping", "paused", "stepping", "judging", "promoting", "baking", "certified"]


def test_open_intents_get_an_outcome_after_a_crash(stage: Stage) -> None:
    class Killed(Exception):
        pass

    class Deadly:
        """A runtime in whose first call the process dies."""

        def ensure(self, release: Release, count: int) -> None:
            raise Killed

    there, missing = stage.last().to_release, "9.9.9-missing"
    stage.doors.releases.put(replace(stage.doors.releases.get("risk", there), id=missing))
    seen = EnsureGroup(service="risk", release=there, count=2)
    unseen = EnsureGroup(service="risk", release=missing, count=2)
    unmoved = SetRoutes(service="risk", routes=Routes(service="risk"))
    with pytest.raises(Killed):
        act.carry_out(replace(stage.doors, runtime=Deadly()), (seen, unseen, unmoved), stage.last(), "why")
    assert stage.recover() == 3
    found = {str(event.body["id"]): event for event in stage.events("action.outcome") if event.body.get("recovered")}
    assert [found[act.action_id(action, stage.last())].body["result"] for action in (seen, unseen, unmoved)] == ["ok", "unknown", "unknown"]
    assert stage.recover() == 0, "each once"
    assert stage.doors.journal.verify()


def test_an_intent_that_was_answered_is_not_open(stage: Stage) -> None:
    assert recover.close_open_intents(stage.doors, stage.ticker.look()[1]) == 0


def test_a_service_that_left_the_catalog_is_left_alone(stage: Stage) -> None:
    before = len(stage.events())
    assert stage.tick("unheard-of") > 0
    assert len(stage.events()) == before


def test_a_release_that_cannot_be_started_does_not_move_the_rollout(stage: Stage) -> None:
    class Broken:
        def __getattr__(self, name: str) -> object:
            return getattr(stage.doors.runtime, name)

        def ensure(self, release: Release, count: int) -> None:
            raise BackendError("could not start", found="no port is free", retry_after_s=2.0)

    broken: Runtime = Broken()
    stage.plane.deploy("risk", "1.1.0")
    troubled = Stage(replace(stage.doors, runtime=broken))
    with pytest.raises(BackendError):
        troubled.go()
    stepping = stage.last()
    assert stepping.phase is Phase.STEPPING
    assert verbs.abort(stepping, stage.doors.clock.now(), "told to").phase is Phase.ABORTING
