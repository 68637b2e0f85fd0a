"""What an instance says of its release: journalled once, held while it stands, and where the catalog allows it taken back once, whoever dies meanwhile."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ctl.backends.artifacts.memory import MemoryArtifacts
from ctl.backends.catalog.memory import MemoryCatalog
from ctl.backends.clock import ManualClock
from ctl.backends.runtimes.memory import MemoryRuntime
from ctl.control.doors import Doors
from ctl.errors import Refused
from ctl.model.finding import Asks, Finding
from ctl.model.fleet import InstancePhase
from ctl.model.rollout import Phase, Rollout
from ctl.model.service import CanaryStep, OnDrift, RolloutPolicy, Strategy
from tests.control.stage import BRISK, Stage, a_service, memory_doors, rolled_by
from tests.control.test_crash import Died, Mortal

SAID = "the champion's scorecard has drifted: PSI 0.41 over 1,204 decisions"
DRIFTED = (Finding(kind="drift", subject="scorecard x * x *", asks=Asks.ACT, n=1204, said=SAID),)
FEW = (replace(DRIFTED[0], n=999),)
SEEN = (replace(DRIFTED[0], asks=Asks.WATCH),)
OTHER = (replace(DRIFTED[0], kind="books", subject="trial balance", n=1, said="the books do not balance"),)
FINE: tuple[Finding, ...] = ()
ROLLBACK = replace(BRISK, on_drift=OnDrift.ROLLBACK)

TURNS = st.tuples(st.sampled_from(["1.0.0", "1.1.0"]), st.sampled_from([None, FINE, FEW, SEEN, DRIFTED]), st.sampled_from([0.1, 1.0, 8.0]))

Words = Mapping[str, tuple[Finding, ...] | None]


class Speaking(Stage):
    """A stage whose instances say what `words` has them say, by version: those that are up, before every tick."""

    def __init__(self, doors: Doors, words: Words, *, is_gone: Callable[[str], bool] = lambda holder: False) -> None:
        super().__init__(doors, is_gone=is_gone)
        self.words = dict(words)

    def tick(self, service: str = "risk") -> float:
        self.speak(service)
        return super().tick(service)

    def speak(self, service: str = "risk") -> None:
        runtime = self.runtime
        for group in runtime.observe().get(service, ()):
            said = self.words.get(group.release.rsplit("-", 1)[0])
            for one in group.instances:
                if one.phase is InstancePhase.READY and one.findings != said:
                    runtime.finds(one.id, said)

    @property
    def runtime(self) -> MemoryRuntime:
        runtime = self.doors.runtime
        found = runtime._port if isinstance(runtime, Mortal) else runtime
        assert isinstance(found, MemoryRuntime)
        return found

    def stable(self) -> str:
        return self.doors.rollouts.stable()["risk"].rsplit("-", 1)[0]

    def policy(self, policy: RolloutPolicy) -> None:
        catalog = self.doors.catalog
        assert isinstance(catalog, MemoryCatalog)
        catalog.replace([a_service(policy=policy)])
        self.desired.changed()

    def findings(self) -> list[str]:
        return [event.kind for event in self.events("finding.")]


def live(policy: RolloutPolicy, **words: tuple[Finding, ...] | None) -> Speaking:
    """Return a stage where 1.0.0 and then 1.1.0 were released, and 1.1.0 is live; `words` are said from now on, v110 by 1.1.0."""
    stage = Speaking(memory_doors([a_service()]), {})
    for version in ("1.0.0", "1.1.0"):
        stage.live(version)
    stage.settle()
    stage.policy(policy)
    stage.words = {".".join(name.removeprefix("v")): said for name, said in words.items()}
    return stage


def automatic(stage: Stage) -> list[Rollout]:
    return [one for one in stage.doors.rollouts.history("risk", 100) if one.finding]


class TestTold:
    def test_it_is_journalled_once_and_needs_a_person(self) -> None:
        stage = live(BRISK, v110=DRIFTED)
        stage.settle(for_s=30)
        (event,) = stage.events("finding.")
        assert (event.kind, event.service) == ("finding.raised", "risk")
        assert event.why.endswith(f"says of itself: {SAID}")
        assert (event.body["kind"], event.body["asks"], event.body["n"]) == ("drift", "act", 1204)
        (need,) = stage.plane.status()["needs"]
        assert need == {
            "service": "risk",
            "state": "finding",
            "why": f"1.1.0: {SAID}; msxfctl does not go back by itself (rollout.on_drift: tell)",
            "next": "msxfctl rollback risk",
        }
        (shown,) = stage.plane.service("risk")["findings"]
        assert (shown["version"], shown["said"], shown["follows"]) == ("1.1.0", SAID, "msxfctl does not go back by itself (rollout.on_drift: tell)")
        assert (stage.stable(), automatic(stage)) == ("1.1.0", [])

    def test_it_is_over_when_its_instances_say_so_not_when_they_say_nothing(self) -> None:
        stage = live(BRISK, v110=DRIFTED)
        stage.settle()
        stage.words = {"1.1.0": None}
        stage.settle(for_s=60)
        assert stage.findings() == ["finding.raised"]
        assert stage.plane.status()["needs"]
        stage.words = {"1.1.0": FINE}
        stage.settle()
        assert stage.findings() == ["finding.raised", "finding.cleared"]
        assert stage.plane.status()["needs"] == []

    def test_a_crash_of_who_said_it_takes_nothing_back(self) -> None:
        stage = live(ROLLBACK, v110=FEW)
        stage.settle()
        for one in stage.plane.instances("risk"):
            stage.runtime.crash(one["id"])
        stage.settle(for_s=30)
        assert stage.findings() == ["finding.raised"]

    @pytest.mark.parametrize("said", [FEW, SEEN])
    def test_nothing_follows_from_too_few_or_from_what_is_only_to_be_seen(self, said: tuple[Finding, ...]) -> None:
        stage = live(ROLLBACK, v110=said)
        stage.settle(for_s=30)
        assert (stage.stable(), automatic(stage), stage.plane.status()["needs"]) == ("1.1.0", [], [])
        assert stage.plane.service("risk")["findings"][0]["follows"].startswith("nothing follows")

    def test_what_is_no_drift_never_goes_back_by_itself(self) -> None:
        stage = live(ROLLBACK, v110=OTHER)
        stage.settle(for_s=30)
        assert (stage.stable(), len(stage.plane.status()["needs"])) == ("1.1.0", 1)


class TestHeld:
    @pytest.mark.parametrize("strategy", [Strategy.ROLLING, Strategy.CANARY, Strategy.BLUE_GREEN])
    def test_a_release_that_says_it_of_itself_is_not_promoted_until_it_is_over(self, strategy: Strategy) -> None:
        policy = rolled_by(strategy, steps=(CanaryStep(weight_pct=50, step_s=2.0), CanaryStep(weight_pct=75, step_s=2.0, pause=True)))
        stage = live(policy, v120=DRIFTED)
        stage.build("1.2.0")
        rollout = stage.plane.deploy("risk", "1.2.0")["id"]
        stage.settle(for_s=100)
        held = stage.plane.rollout(rollout)
        assert (held["phase"], held["waiting"]) == ("judging", f"held: {held['to_release']} says of itself: {SAID}")
        for full in (False, True):
            with pytest.raises(Refused) as refused:
                stage.plane.promote("risk", full=full)
            assert (refused.value.found, refused.value.remedy.split(";")[0]) == (f"{held['to_release']} says of itself: {SAID}", "msxfctl abort risk")
        (need,) = stage.plane.status()["needs"]
        assert need["next"] == "msxfctl abort risk"
        stage.words = {"1.2.0": FINE}
        stage.go(until=lambda: not stage.active() or stage.last().phase is Phase.PAUSED)
        if stage.active():
            stage.plane.promote("risk")
            stage.go()
        assert stage.last().phase is Phase.CERTIFIED

    def test_what_is_found_while_it_bakes_keeps_it_from_being_certified(self) -> None:
        stage = live(replace(BRISK, bake_s=30.0))
        stage.build("1.2.0")
        stage.plane.deploy("risk", "1.2.0")
        stage.go(until=lambda: stage.last().phase is Phase.BAKING)
        stage.words = {"1.2.0": DRIFTED}
        stage.settle(for_s=90)
        assert stage.last().phase is Phase.BAKING
        stage.words = {"1.2.0": FINE}
        stage.go()
        assert stage.last().phase is Phase.CERTIFIED

    @pytest.mark.parametrize("policy", [replace(BRISK, on_drift=OnDrift.IGNORE), replace(BRISK, drift_min_n=5000)])
    def test_it_is_not_held_where_the_catalog_says_so_or_on_too_few(self, policy: RolloutPolicy) -> None:
        stage = live(policy, v120=DRIFTED)
        assert stage.live("1.2.0").phase is Phase.CERTIFIED

    def test_a_person_may_always_go_back(self) -> None:
        stage = live(BRISK, v110=DRIFTED, v100=DRIFTED)
        stage.plane.rollback("risk")
        stage.go()
        assert (stage.stable(), stage.last().phase) == ("1.0.0", Phase.CERTIFIED)


class TestGoingBack:
    def test_a_live_release_that_has_drifted_goes_back_once(self) -> None:
        stage = live(ROLLBACK, v110=DRIFTED)
        stage.go(until=lambda: stage.stable() == "1.0.0")
        stage.settle(for_s=60)
        (back,) = automatic(stage)
        assert (back.phase, back.finding, back.actor, back.reason) == (Phase.CERTIFIED, SAID, "msxfctl", f"back from {back.from_release}: {SAID}")
        assert (stage.sizes(), stage.weights()) == ({"1.0.0": 2}, {"1.0.0": 100})
        planned = next(event for event in stage.events("rollout.phase") if event.rollout == back.id)
        assert (planned.actor, planned.body["to"]) == ("msxfctl", "planned")
        assert stage.plane.status()["needs"] == []
        (shown,) = stage.plane.service("risk")["findings"]
        assert (shown["version"], shown["follows"]) == ("1.1.0", "the release is not promoted while this stands")

    def test_it_does_not_come_back_when_the_earlier_one_drifts_later(self) -> None:
        stage = live(ROLLBACK, v110=DRIFTED)
        stage.go(until=lambda: stage.stable() == "1.0.0")
        stage.words = {"1.0.0": DRIFTED}
        stage.settle(for_s=120)
        assert (stage.stable(), len(automatic(stage))) == ("1.0.0", 1)
        (need,) = stage.plane.status()["needs"]
        assert need["why"] == f"1.0.0: {SAID}; msxfctl went back to this release already"

    def test_it_tells_only_where_the_earlier_one_has_it_as_well(self) -> None:
        stage = live(BRISK, v110=DRIFTED)
        stage.settle()
        stage.live("1.2.0")
        stage.policy(ROLLBACK)
        stage.words = {"1.2.0": DRIFTED}
        stage.settle(for_s=60)
        assert (stage.stable(), automatic(stage)) == ("1.2.0", [])
        assert stage.plane.status()["needs"][0]["why"].endswith("has it as well")

    def test_a_person_who_deploys_it_again_knows_and_is_held_but_not_contradicted(self) -> None:
        stage = live(ROLLBACK, v110=DRIFTED)
        stage.go(until=lambda: stage.stable() == "1.0.0")
        stage.words = {}
        assert stage.plane.plan("risk", "1.1.0")["checks"][-1] == f"not promoted until its instances say that it is over: {SAID}"
        again = stage.plane.deploy("risk", "1.1.0")["id"]
        stage.settle(for_s=30)
        assert stage.plane.rollout(again)["phase"] == "judging", "nothing has been said that would speak for it"
        stage.words = {"1.1.0": DRIFTED}
        stage.settle(for_s=30)
        assert (stage.plane.rollout(again)["phase"], len(automatic(stage))) == ("judging", 1)
        assert stage.plane.status()["needs"][0]["why"].endswith("this was known when a person deployed it")

    def test_what_is_found_anew_after_a_person_deployed_it_again_is_a_finding_of_its_own(self) -> None:
        stage = live(ROLLBACK, v110=DRIFTED)
        stage.go(until=lambda: stage.stable() == "1.0.0")
        stage.words = {"1.1.0": FINE}
        assert stage.live("1.1.0").phase is Phase.CERTIFIED
        stage.words = {"1.1.0": DRIFTED}
        stage.go(until=lambda: stage.stable() == "1.0.0")
        stage.settle(for_s=60)
        assert [one.actor for one in reversed(stage.doors.rollouts.history("risk", 9))] == ["ann", "ann", "msxfctl", "ann", "msxfctl"]

    def test_what_is_said_of_a_release_that_is_gone_is_forgotten_after_a_week(self) -> None:
        stage = live(ROLLBACK, v110=DRIFTED)
        stage.go(until=lambda: stage.stable() == "1.0.0")
        clock = stage.doors.clock
        assert isinstance(clock, ManualClock)
        clock.advance(timedelta(days=7, minutes=1).total_seconds())
        stage.settle()
        assert (stage.findings(), stage.plane.service("risk")["findings"]) == (["finding.raised", "finding.cleared"], [])

    def test_a_rollout_of_what_has_drifted_is_taken_back_by_itself(self) -> None:
        stage = live(replace(ROLLBACK, strategy=Strategy.CANARY, steps=(CanaryStep(weight_pct=50, step_s=30.0),)), v120=DRIFTED)
        stage.build("1.2.0")
        stage.plane.deploy("risk", "1.2.0")
        stage.go()
        ended = stage.last()
        assert (ended.phase, ended.abort_why, ended.finding) == (Phase.ROLLED_BACK, SAID, SAID)
        stage.settle(for_s=60)
        assert (stage.stable(), stage.last().id) == ("1.1.0", ended.id)

    def test_a_rollout_that_a_person_has_paused_is_left_to_him(self) -> None:
        stage = live(replace(ROLLBACK, strategy=Strategy.CANARY, steps=(CanaryStep(weight_pct=50, step_s=30.0),)))
        stage.build("1.2.0")
        stage.plane.deploy("risk", "1.2.0")
        stage.go(until=lambda: stage.last().phase is Phase.JUDGING)
        stage.plane.pause("risk")
        stage.words = {"1.2.0": DRIFTED}
        stage.settle(for_s=60)
        assert stage.last().phase is Phase.PAUSED

    def test_what_cannot_be_gone_back_to_does_not_stop_the_service_from_being_kept(self) -> None:
        stage = live(ROLLBACK)
        artifacts = stage.doors.artifacts
        assert isinstance(artifacts, MemoryArtifacts)
        artifacts.spoil(artifacts.resolve("risk", "1.0.0").digest)
        stage.words = {"1.1.0": DRIFTED}
        stage.settle()
        stage.plane.scale("risk", 3)
        stage.settle(for_s=10)
        assert (stage.stable(), stage.sizes(), automatic(stage)) == ("1.1.0", {"1.1.0": 3}, [])

    @settings(max_examples=40)
    @given(st.lists(TURNS, max_size=12))
    def test_whatever_is_said_and_when_it_goes_back_at_most_once(self, story: list[tuple[str, tuple[Finding, ...] | None, float]]) -> None:
        stage = live(ROLLBACK)
        for version, said, for_s in story:
            stage.words[version] = said
            stage.settle(for_s=for_s)
        stage.settle(for_s=20)
        assert len(automatic(stage)) <= 1
        assert not automatic(stage) or any(version == "1.1.0" and said == DRIFTED for version, said, _ in story)
        assert len(stage.doors.rollouts.history("risk", 100)) == 2 + len(automatic(stage))
        assert stage.doors.journal.verify() == len(stage.events())


PORTS = ("runtime", "traffic", "registry", "journal", "rollouts", "findings")


def prepared(version: str) -> Doors:
    """Return doors behind which 1.1.0 is live; of a later version the rollout has just been asked for."""
    stage = live(ROLLBACK)
    if version > "1.1.0":
        stage.build(version)
        stage.plane.deploy("risk", version)
    return stage.doors


def lived(stage: Speaking) -> None:
    stage.go(until=lambda: bool(automatic(stage)) and not stage.active())
    stage.settle(for_s=10)


def over(doors: Doors, count: Callable[[str], None]) -> Doors:
    return replace(doors, **{name: Mortal(getattr(doors, name), count) for name in PORTS})


def moments(version: str) -> int:
    seen: list[str] = []
    lived(Speaking(over(prepared(version), seen.append), {version: DRIFTED}))
    return len(seen)


@pytest.mark.parametrize("version, back_to, ends", [("1.1.0", "1.0.0", Phase.CERTIFIED), ("1.2.0", "1.1.0", Phase.ROLLED_BACK)])
def test_killed_at_every_write_it_goes_back_once_all_the_same(version: str, back_to: str, ends: Phase) -> None:
    for fatal in range(moments(version)):
        doors, seen = prepared(version), []

        def count(moment: str, seen: list[str] = seen, fatal: int = fatal) -> None:
            seen.append(moment)
            if len(seen) - 1 == fatal:
                raise Died(moment)

        with pytest.raises(Died):
            lived(Speaking(over(doors, count), {version: DRIFTED}))
        clock = doors.clock
        assert isinstance(clock, ManualClock)
        clock.advance(0.3)
        heir = Speaking(replace(doors, holder="second"), {version: DRIFTED}, is_gone=lambda holder: holder == "first")
        heir.recover()
        lived(heir)
        (back,) = automatic(heir)
        assert (back.phase, heir.stable(), heir.sizes(), heir.findings()) == (ends, back_to, {back_to: 2}, ["finding.raised"]), seen[-1]
