"""What follows from findings, over all that can be said and all that can have happened: never twice, never on too little, never to what is no better."""

from dataclasses import replace
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from ctl.decide import finding
from ctl.decide.finding import Case
from ctl.model.finding import DRIFT, Asks, Concern, Concerns, Finding
from ctl.model.fleet import Group, Instance, InstancePhase
from ctl.model.rollout import Phase, Rollout
from ctl.model.service import OnDrift, RolloutPolicy
from tests.decide.world import EPOCH

RELEASES = ("A", "B", "C")
FOUND = st.builds(
    Finding,
    kind=st.sampled_from([DRIFT, DRIFT, "books"]),
    subject=st.sampled_from(["scorecard", "gbdt"]),
    asks=st.sampled_from(Asks),
    n=st.sampled_from([0, 999, 1000, 5000]),
    said=st.just("it has drifted"),
)
MOMENTS = st.integers(0, 50).map(lambda seconds: EPOCH + timedelta(seconds=seconds))
CONCERNS = st.lists(st.builds(Concern, release=st.sampled_from(RELEASES), finding=FOUND, since=MOMENTS), max_size=4)
POLICIES = st.builds(RolloutPolicy, on_drift=st.sampled_from(OnDrift))
WORDS = st.none() | st.lists(FOUND, max_size=3).map(tuple)


@st.composite
def rollouts(draw: st.DrawFn, revision: int) -> Rollout:
    began = draw(MOMENTS)
    return Rollout(
        id=f"risk-r{revision}",
        service="risk",
        revision=revision,
        from_release=draw(st.none() | st.sampled_from(RELEASES)),
        to_release=draw(st.sampled_from(RELEASES)),
        policy=RolloutPolicy(),
        phase=draw(st.sampled_from([Phase.CERTIFIED, Phase.CERTIFIED, Phase.ROLLED_BACK, Phase.SUPERSEDED])),
        phase_since=began,
        started_at=began,
        last_progress_at=began,
        skip_gates=draw(st.booleans()),
        finding=draw(st.sampled_from(["", "", "it has drifted"])),
        actor="ann",
    )


@st.composite
def cases(draw: st.DrawFn) -> Case:
    history = [draw(rollouts(revision)) for revision in range(draw(st.integers(0, 5)), 0, -1)]
    current = None
    if history and draw(st.booleans()):
        current = history[0] = replace(history[0], phase=draw(st.sampled_from([phase for phase in Phase if phase not in (Phase.CERTIFIED, Phase.ROLLED_BACK)])))
        current = current if current.is_active else None
    stable = next((one.to_release for one in history if one.phase is Phase.CERTIFIED), None)
    return Case(concerns=Concerns(service="risk", standing=tuple(draw(CONCERNS))), policy=draw(POLICIES), stable=stable, current=current, history=history)


def graves(case: Case, release: str | None) -> list[Concern]:
    return [one for one in case.concerns.standing if one.release == release and one.finding.asks is Asks.ACT]


@given(cases())
def test_it_goes_back_only_where_the_catalog_allows_it_and_on_enough(case: Case) -> None:
    answer = finding.answer(case)
    if not (answer.abort or answer.back_to):
        return
    assert case.policy.on_drift is OnDrift.ROLLBACK
    assert answer.concern is not None
    assert (answer.concern.finding.kind, answer.concern.finding.asks) == (DRIFT, Asks.ACT)
    assert answer.concern.finding.n >= case.policy.drift_min_n
    assert not (answer.abort and answer.back_to)


@given(cases())
def test_it_goes_to_the_last_certified_release_and_never_to_one_that_has_it_as_well(case: Case) -> None:
    answer = finding.answer(case)
    if answer.back_to:
        assert case.current is None
        assert answer.back_to.to_release == next(one.to_release for one in case.history if one.phase is Phase.CERTIFIED and one.to_release != case.stable)
        goal: str | None = answer.back_to.to_release
    elif answer.abort and case.current:
        goal = case.current.from_release
        assert goal is not None
    else:
        return
    assert not [one for one in graves(case, goal) if one.finding.kind == DRIFT and one.finding.n >= case.policy.drift_min_n]


@given(cases())
def test_it_never_goes_back_twice_nor_from_where_it_went_back_to_nor_against_a_person_who_knew(case: Case) -> None:
    answer = finding.answer(case)
    if answer.back_to:
        placed = next(one for one in case.history if one.phase is Phase.CERTIFIED)
        assert placed.finding == ""
        assert not [one for one in case.history if one.finding and one.revision > placed.revision]
        assert answer.concern is not None
        assert answer.concern.since > placed.started_at
    if answer.abort:
        assert case.current is not None
        assert answer.concern is not None
        assert (case.current.finding, case.current.skip_gates, case.current.phase is Phase.PAUSED) == ("", False, False)
        assert answer.concern.since > case.current.started_at


@given(cases())
def test_a_rollout_of_what_says_it_of_itself_is_held_and_nothing_else_is(case: Case) -> None:
    held = finding.held(case.concerns, case.current, case.policy)
    if held:
        assert case.current is not None
        assert graves(case, case.current.to_release)
    elif case.current is not None and not case.current.skip_gates and not case.current.finding and case.policy.on_drift is not OnDrift.IGNORE:
        assert not [one for one in graves(case, case.current.to_release) if one.finding.kind != DRIFT or one.finding.n >= case.policy.drift_min_n]


def group(release: str, *said: tuple[Finding, ...] | None, phase: InstancePhase = InstancePhase.READY) -> Group:
    first = Instance(id="", service="risk", release=release, address="127.0.0.1:1", phase=phase, since=EPOCH, created_at=EPOCH)
    members = tuple(replace(first, id=f"{release}-{at}", findings=each) for at, each in enumerate(said))
    return Group(service="risk", release=release, desired=len(said), instances=members)


@given(CONCERNS, st.lists(st.tuples(st.sampled_from(RELEASES), WORDS, st.sampled_from(InstancePhase)), max_size=4))
def test_what_was_settled_is_settled_and_only_ready_instances_are_heard(
    before: list[Concern], said: list[tuple[str, tuple[Finding, ...] | None, InstancePhase]]
) -> None:
    groups = [group(release, words, phase=phase) for release, words, phase in {release: (release, words, phase) for release, words, phase in said}.values()]
    now = EPOCH + timedelta(seconds=60)
    kept = {(one.release, one.finding.key): one for one in before}
    first = finding.settle(Concerns(service="risk", standing=tuple(kept.values())), groups, now)
    again = finding.settle(first.now, groups, now + timedelta(seconds=1))
    assert (again.raised, again.cleared, again.now) == ((), (), first.now)
    heard = {each.release for each in groups if each.instances[0].phase is InstancePhase.READY and each.instances[0].findings is not None}
    assert {one.release for one in (*first.raised, *first.cleared)} <= heard
    for each in groups:
        if each.release in heard:
            assert {one.finding.key for one in first.now.standing if one.release == each.release} == {one.key for one in each.instances[0].findings or ()}


def test_the_graver_word_counts_and_silence_is_no_word() -> None:
    mild, grave = (Finding(kind=DRIFT, subject="gbdt", asks=asks, n=2000, said=asks) for asks in (Asks.WATCH, Asks.ACT))
    assert finding.heard(group("A", (mild,), (grave,), None)) == {grave.key: grave}
    assert finding.heard(group("A", None, None)) is None
    assert finding.heard(group("A", None, ())) == {}
    worse = finding.settle(finding.settle(Concerns(service="risk"), [group("A", (mild,))], EPOCH).now, [group("A", (grave,))], EPOCH + timedelta(seconds=9))
    assert ([one.finding for one in worse.raised], [one.finding for one in worse.cleared]) == ([grave], [mild])
