"""What every store must do, port by port; the same tests over memory and over SQLite."""

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ctl.backends.store import memory
from ctl.backends.store.access import SqlAnswers, SqlTokens
from ctl.backends.store.engine import open_engine
from ctl.backends.store.findings import SqlFindings
from ctl.backends.store.fleet import SqlTargets
from ctl.backends.store.journal import SqlJournal
from ctl.backends.store.leases import SqlLeases
from ctl.backends.store.rollouts import SqlReleases, SqlRollouts
from ctl.errors import BadInput, NotFound, Refused, StaleRevision
from ctl.model.access import Role, Token
from ctl.model.event import Event, Note
from ctl.model.finding import Asks, Concern, Concerns, Finding
from ctl.model.release import Release
from ctl.model.rollout import TERMINAL, Measurement, Phase, Progress, Rollout, Side, Verdict
from ctl.model.service import CanaryStep, Handover, RolloutPolicy, Share, Strategy
from ctl.ports import Answers, Findings, Journal, Leases, Releases, Rollouts, Targets, Tokens

NOW = datetime(2030, 1, 1, 12, 0, 0, tzinfo=UTC)


@dataclass(frozen=True)
class Store:
    releases: Releases
    rollouts: Rollouts
    targets: Targets
    journal: Journal
    leases: Leases
    tokens: Tokens
    answers: Answers
    wait: Callable[[int, float], bool]
    findings: Findings


def in_memory() -> Store:
    journal = memory.MemoryJournal()
    rollouts, releases, targets = memory.MemoryRollouts(journal), memory.MemoryReleases(), memory.MemoryTargets()
    leases, tokens, answers = memory.MemoryLeases(), memory.MemoryTokens(), memory.MemoryAnswers()
    return Store(releases, rollouts, targets, journal, leases, tokens, answers, journal.wait, memory.MemoryFindings(journal, rollouts))


@pytest.fixture(params=["memory", "sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    if request.param == "memory":
        yield in_memory()
        return
    database = open_engine(tmp_path / "home" / "state.db")
    journal = SqlJournal(database)
    rollouts, releases, targets = SqlRollouts(database), SqlReleases(database), SqlTargets(database)
    leases, tokens, answers = SqlLeases(database), SqlTokens(database), SqlAnswers(database)
    yield Store(releases, rollouts, targets, journal, leases, tokens, answers, journal.wait, SqlFindings(database))
    database.close()


# --- releases ---


def release(name: str, *, service: str = "risk", built_at: datetime = NOW) -> Release:
    return Release(id=name, service=service, version=name.split("-")[0], digest="sha256:ab", command=("python", "-m", "app"), built_at=built_at)


def test_a_release_is_kept_as_it_is(store: Store) -> None:
    kept = replace(release("1.0.0-aa"), environment={"MSXF_CONFIG_A": "ä"}, handover=Handover.STANDBY)
    store.releases.put(kept)
    assert store.releases.get("risk", "1.0.0-aa") == kept


def test_a_release_is_named_by_its_content_so_the_first_one_stays(store: Store) -> None:
    store.releases.put(release("1.0.0-aa"))
    store.releases.put(release("1.0.0-aa", built_at=NOW + timedelta(days=1)))
    assert store.releases.get("risk", "1.0.0-aa").built_at == NOW


def test_releases_are_found_newest_first_and_by_service(store: Store) -> None:
    for number, built_at in enumerate([NOW, NOW + timedelta(hours=1), NOW]):
        store.releases.put(release(f"{number}", built_at=built_at))
    store.releases.put(release("other", service="fraud"))
    assert [one.id for one in store.releases.find("risk")] == ["1", "2", "0"]
    assert store.releases.find("nobody") == ()


def test_an_unknown_release_is_not_found(store: Store) -> None:
    store.releases.put(release("1.0.0-aa"))
    for service, name in (("risk", "9.9.9"), ("fraud", "1.0.0-aa")):
        with pytest.raises(NotFound) as unknown:
            store.releases.get(service, name)
        assert unknown.value.remedy


# --- rollouts ---


def rollout(revision: int = 1, phase: Phase = Phase.PLANNED, *, service: str = "risk", to: str = "") -> Rollout:
    times = {"phase_since": NOW, "started_at": NOW, "last_progress_at": NOW}
    names = {"id": f"{service}-r{revision}", "service": service, "from_release": None, "to_release": to or f"{revision}.0.0-aa", "actor": "ann"}
    return Rollout(revision=revision, policy=RolloutPolicy(), phase=phase, **names, **times)


def test_a_rollout_comes_back_exactly_as_it_was_saved(store: Store) -> None:
    policy = RolloutPolicy(strategy=Strategy.CANARY, surge=Share(value=3), steps=(CanaryStep(weight_pct=10, pause=True),), max_total=7)
    measured = Measurement(at=NOW, verdict=Verdict.HARM, target=Side(requests=3, errors=1), stable=Side(p99_ms=1.5), why="schlecht: ü")
    full = replace(
        rollout(),
        policy=policy,
        phase=Phase.PAUSED,
        paused_from=Phase.JUDGING,
        step_since=NOW + timedelta(microseconds=1),
        progress=Progress(target_size=2),
        unwell_since=NOW,
        measurements=(measured,),
    )
    saved = store.rollouts.save(full, 1)
    assert saved == replace(full, version=1)
    assert store.rollouts.load("risk-r1") == saved
    assert store.rollouts.active() == (saved,)
    assert store.rollouts.history("risk", 5) == (saved,)


def test_each_save_grows_the_version_and_needs_the_newest(store: Store) -> None:
    first = store.rollouts.save(rollout(), 1)
    second = store.rollouts.save(replace(first, phase=Phase.PREPARING), 1)
    assert (first.version, second.version) == (1, 2)
    for stale in (rollout(), first, replace(second, version=9)):
        with pytest.raises(StaleRevision) as refusal:
            store.rollouts.save(replace(stale, phase=Phase.STEPPING), 1)
        assert refusal.value.found
    assert store.rollouts.load("risk-r1") == second


def test_what_is_not_stored_cannot_be_saved_as_a_later_version(store: Store) -> None:
    with pytest.raises(StaleRevision):
        store.rollouts.save(replace(rollout(), version=3), 1)
    with pytest.raises(NotFound):
        store.rollouts.load("risk-r1")


def test_a_lower_fence_is_shut_out_for_the_whole_service(store: Store) -> None:
    first = store.rollouts.save(rollout(), 5)
    with pytest.raises(StaleRevision):
        store.rollouts.save(replace(first, phase=Phase.PREPARING), 4)
    with pytest.raises(StaleRevision):
        store.rollouts.save(rollout(2), 4)
    later = store.rollouts.save(replace(first, phase=Phase.PREPARING), 6)
    with pytest.raises(StaleRevision):
        store.rollouts.save(replace(later, phase=Phase.STEPPING), 5)
    assert store.rollouts.save(rollout(service="fraud"), 1), "another service has fences of its own"


@pytest.mark.parametrize("phase", sorted(TERMINAL))
def test_a_terminal_phase_absorbs(store: Store, phase: Phase) -> None:
    ended = store.rollouts.save(rollout(phase=phase), 1)
    for late in (replace(ended, phase=Phase.STEPPING), ended):
        with pytest.raises(StaleRevision):
            store.rollouts.save(late, 9)
    assert store.rollouts.load("risk-r1") == ended
    assert store.rollouts.active() == ()


def test_a_revision_exists_once(store: Store) -> None:
    store.rollouts.save(rollout(phase=Phase.CERTIFIED), 1)
    with pytest.raises(StaleRevision):
        store.rollouts.save(replace(rollout(), id="risk-other"), 1)


def test_an_id_belongs_to_one_service(store: Store) -> None:
    saved = store.rollouts.save(rollout(), 1)
    with pytest.raises(StaleRevision):
        store.rollouts.save(replace(saved, service="fraud"), 1)


def test_at_most_one_rollout_of_a_service_moves_and_one_waits(store: Store) -> None:
    moving = store.rollouts.save(rollout(1, Phase.STEPPING), 1)
    waiting = store.rollouts.save(rollout(2), 1)
    with pytest.raises(Refused):
        store.rollouts.save(rollout(3), 1)
    with pytest.raises(Refused):
        store.rollouts.save(rollout(3, Phase.PAUSED), 1)
    with pytest.raises(Refused):
        store.rollouts.save(replace(waiting, phase=Phase.PREPARING), 1)
    store.rollouts.save(replace(moving, phase=Phase.CERTIFIED), 1)
    begun = store.rollouts.save(replace(waiting, phase=Phase.PREPARING), 1)
    store.rollouts.save(rollout(3), 1)
    assert [one.id for one in store.rollouts.active()] == [begun.id, "risk-r3"]


def test_active_lists_by_service_and_revision(store: Store) -> None:
    for one in (rollout(7, Phase.STEPPING), rollout(8), rollout(1, service="fraud"), rollout(6, Phase.ROLLED_BACK)):
        store.rollouts.save(one, 1)
    assert [one.id for one in store.rollouts.active()] == ["fraud-r1", "risk-r7", "risk-r8"]


def test_history_is_newest_first_and_limited(store: Store) -> None:
    for revision in (3, 1, 2):
        store.rollouts.save(rollout(revision, Phase.CERTIFIED), 1)
    store.rollouts.save(rollout(9, service="fraud"), 1)
    assert [one.revision for one in store.rollouts.history("risk", 10)] == [3, 2, 1]
    assert [one.revision for one in store.rollouts.history("risk", 2)] == [3, 2]
    assert store.rollouts.history("nobody", 10) == ()


def test_stable_is_the_release_of_the_last_certified_rollout(store: Store) -> None:
    assert store.rollouts.stable() == {}
    for one in (rollout(1, Phase.CERTIFIED, to="a"), rollout(3, Phase.CERTIFIED, to="c"), rollout(2, Phase.CERTIFIED, to="b")):
        store.rollouts.save(one, 1)
    store.rollouts.save(rollout(4, Phase.ROLLED_BACK, to="d"), 1)
    store.rollouts.save(rollout(5, Phase.STEPPING, to="e"), 1)
    store.rollouts.save(rollout(1, Phase.SUPERSEDED, service="fraud"), 1)
    assert dict(store.rollouts.stable()) == {"risk": "c"}


def test_a_state_and_its_notes_are_one_write(store: Store) -> None:
    saved = store.rollouts.save(rollout(), 1, [note("one"), note("two")])
    assert [event.kind for event in store.journal.read(0, 10)] == ["one", "two"]
    with pytest.raises(StaleRevision):
        store.rollouts.save(rollout(), 1, [note("three")])
    with pytest.raises(BadInput):
        store.rollouts.save(replace(saved, phase=Phase.PREPARING), 1, [note("four"), replace(note("five"), body={"token": "x"})])
    assert store.rollouts.load("risk-r1") == saved, "a note that is refused takes the state with it"
    assert store.journal.verify() == 2
    assert store.wait(1, 0.0), "followers are told of them"


def test_of_many_who_save_at_once_one_wins(store: Store) -> None:
    first = store.rollouts.save(rollout(), 1)
    outcomes: list[str] = []

    def save() -> None:
        try:
            store.rollouts.save(replace(first, phase=Phase.PREPARING), 1)
            outcomes.append("saved")
        except StaleRevision:
            outcomes.append("stale")

    at_once([save] * 8)
    assert sorted(outcomes) == ["saved"] + ["stale"] * 7
    assert store.rollouts.load("risk-r1").version == 2


def at_once(what: Sequence[Callable[[], None]]) -> None:
    threads = [threading.Thread(target=one) for one in what]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30.0)
    assert not any(thread.is_alive() for thread in threads)


# --- targets ---


def test_targets_are_set_and_given_back(store: Store) -> None:
    assert store.targets.all() == {}
    store.targets.put("risk", 3)
    store.targets.put("risk", 0)
    store.targets.put("fraud", 7)
    assert dict(store.targets.all()) == {"risk": 0, "fraud": 7}
    store.targets.put("risk", None)
    store.targets.put("nobody", None)
    assert dict(store.targets.all()) == {"fraud": 7}


# --- journal ---


def note(kind: str = "rollout.phase", *, service: str = "risk", **body: object) -> Note:
    return Note(at=NOW, actor="ann", kind=kind, why="because", service=service, rollout=f"{service}-r1", body=body)


def test_events_are_numbered_without_gaps_and_chained(store: Store) -> None:
    first = store.journal.append([note("a", number=1), note("b", umlaut="ü", nested={"list": [1, 2.5, None, True]})])
    second = store.journal.append([note("c")])
    events = [*first, *second]
    assert [event.seq for event in events] == [1, 2, 3]
    assert events[0].previous == "0" * 64
    assert [event.previous for event in events[1:]] == [event.hash for event in events[:-1]]
    assert list(store.journal.read(0, 10)) == events
    assert (events[1].at, events[1].actor, events[1].body) == (NOW, "ann", {"umlaut": "ü", "nested": {"list": [1, 2.5, None, True]}})
    assert store.journal.verify() == 3


def test_an_empty_journal_is_intact(store: Store) -> None:
    assert store.journal.append([]) == ()
    assert store.journal.verify() == 0
    assert store.journal.read(0, 10) == store.journal.last(10) == ()


def test_reading_filters_by_number_service_and_kind(store: Store) -> None:
    store.journal.append([note("rollout.phase"), note("action.intent"), note("action.outcome", service="fraud"), note("action.intent"), note("acting")])

    def seqs(found: Sequence[Event]) -> list[int]:
        return [event.seq for event in found]

    assert seqs(store.journal.read(2, 10)) == [3, 4, 5]
    assert seqs(store.journal.read(0, 2)) == [1, 2]
    assert seqs(store.journal.read(0, 10, service="fraud")) == [3]
    assert seqs(store.journal.read(0, 10, kind="action.")) == [2, 3, 4]
    assert seqs(store.journal.read(0, 10, service="risk", kind="action.intent")) == [2, 4]
    assert seqs(store.journal.read(0, 10, kind="%")) == [], "no pattern, a beginning"
    assert seqs(store.journal.last(2)) == [4, 5]
    assert seqs(store.journal.last(2, service="risk")) == [4, 5]
    assert seqs(store.journal.last(10, service="fraud")) == [3]


def test_a_batch_is_all_or_nothing(store: Store) -> None:
    store.journal.append([note("a")])
    with pytest.raises(BadInput):
        store.journal.append([note("b"), note("c", wrong={1, 2})])
    with pytest.raises(BadInput):
        store.journal.append([note("b"), note("c", price=float("nan"))])
    assert [event.kind for event in store.journal.read(0, 10)] == ["a"]
    assert store.journal.verify() == 1


@pytest.mark.parametrize("body", [{"token": "x"}, {"deep": [{"Api-Key": "x"}]}, {"PASSWORD": None}], ids=str)
def test_secrets_are_refused_by_name_and_never_repeated(store: Store, body: dict[str, object]) -> None:
    with pytest.raises(BadInput) as refusal:
        store.journal.append([note("a", **body)])
    assert "looks like a secret" in refusal.value.message
    assert "'x'" not in str(refusal.value)


def test_writers_at_once_keep_one_chain(store: Store) -> None:
    at_once([lambda number=number: [store.journal.append([note(f"writer-{number}", n=n), note("second")]) for n in range(10)] for number in range(6)])
    assert store.journal.verify() == 120
    kinds = [event.kind for event in store.journal.read(0, 200)]
    assert kinds[1::2] == ["second"] * 60, "the two of a batch stay together"


def test_a_follower_is_told_of_growth(store: Store) -> None:
    assert not store.wait(0, 0.05)
    later = threading.Timer(0.1, lambda: store.journal.append([note("a")]))
    later.start()
    assert store.wait(0, 5.0)
    assert store.wait(0, 0.0)
    assert not store.wait(1, 0.05)
    later.join()


# --- leases ---


def test_a_lease_belongs_to_one_until_it_ends(store: Store) -> None:
    assert store.leases.acquire("a", "first", 10.0, NOW) == 1
    assert store.leases.acquire("a", "second", 10.0, NOW + timedelta(seconds=9.9)) is None
    assert store.leases.holder("a", NOW) == "first"
    assert store.leases.holder("b", NOW) is None
    assert store.leases.acquire("b", "second", 10.0, NOW) == 1, "names do not meet"


def test_renewing_keeps_the_fence_and_lengthens_the_time(store: Store) -> None:
    store.leases.acquire("a", "first", 10.0, NOW)
    assert store.leases.acquire("a", "first", 10.0, NOW + timedelta(seconds=8)) == 1
    assert store.leases.acquire("a", "second", 10.0, NOW + timedelta(seconds=15)) is None
    assert store.leases.holder("a", NOW + timedelta(seconds=17.9)) == "first"


def test_whoever_takes_an_ended_lease_gets_a_higher_fence_even_its_last_holder(store: Store) -> None:
    store.leases.acquire("a", "first", 10.0, NOW)
    after = NOW + timedelta(seconds=10)
    assert store.leases.holder("a", after) is None
    assert store.leases.acquire("a", "first", 10.0, after) == 2
    assert store.leases.acquire("a", "second", 10.0, after + timedelta(seconds=10)) == 3
    assert store.leases.acquire("a", "first", 10.0, after + timedelta(seconds=11)) is None


def test_a_released_lease_is_free_at_once_and_its_fence_goes_on_growing(store: Store) -> None:
    store.leases.acquire("a", "first", 10.0, NOW)
    store.leases.release("a", "second")
    assert store.leases.holder("a", NOW) == "first", "not ours: nothing happens"
    store.leases.release("a", "first")
    store.leases.release("a", "first")
    store.leases.release("never", "first")
    assert store.leases.holder("a", NOW) is None
    assert store.leases.acquire("a", "second", 10.0, NOW) == 2


def test_of_many_who_want_a_lease_at_once_one_gets_it(store: Store) -> None:
    got: list[int | None] = []
    at_once([lambda number=number: got.append(store.leases.acquire("a", f"holder-{number}", 10.0, NOW)) for number in range(8)])
    assert sorted(got, key=str) == [1] + [None] * 7


def test_times_compare_as_times_whatever_their_fractions(store: Store) -> None:
    store.leases.acquire("a", "first", 0.5, NOW)
    assert store.leases.holder("a", NOW + timedelta(seconds=0.4)) == "first"
    assert store.leases.holder("a", NOW + timedelta(seconds=0.5)) is None
    store.leases.acquire("b", "first", 1.0, NOW + timedelta(microseconds=1))
    assert store.leases.holder("b", NOW + timedelta(seconds=1)) == "first"
    assert store.leases.holder("b", NOW + timedelta(seconds=1, microseconds=1)) is None


# --- tokens ---


def token(name: str, hash: str) -> Token:
    return Token(name=name, role=Role.VIEWER, hash=hash, created_at=NOW, expires_at=NOW + timedelta(days=1))


def test_tokens_are_kept_by_name_and_found_by_hash(store: Store) -> None:
    store.tokens.put(token("ci", "aa"))
    store.tokens.put(replace(token("bob", "bb"), expires_at=None))
    assert [one.name for one in store.tokens.all()] == ["bob", "ci"]
    assert store.tokens.find("aa") == token("ci", "aa")
    assert store.tokens.find("cc") is None


def test_a_token_name_exists_once(store: Store) -> None:
    store.tokens.put(token("ci", "aa"))
    with pytest.raises(Refused):
        store.tokens.put(token("ci", "bb"))
    assert store.tokens.find("bb") is None
    store.tokens.remove("ci")
    assert store.tokens.find("aa") is None
    store.tokens.put(token("ci", "bb"))
    with pytest.raises(NotFound):
        store.tokens.remove("nobody")


# --- answers ---


def test_the_first_answer_under_a_key_stays(store: Store) -> None:
    assert store.answers.find("k") is None
    store.answers.put("k", "request", '{"a":1}', NOW)
    store.answers.put("k", "other", '{"a":2}', NOW)
    assert store.answers.find("k") == ("request", '{"a":1}')


def test_answers_are_kept_for_a_day(store: Store) -> None:
    store.answers.put("old", "r", "{}", NOW)
    store.answers.put("day", "r", "{}", NOW + timedelta(hours=24))
    assert store.answers.find("old") is not None
    store.answers.put("new", "r", "{}", NOW + timedelta(hours=24, seconds=1))
    assert store.answers.find("old") is None
    assert store.answers.find("day") is not None


FOUND = Finding(kind="drift", subject="scorecard x thin x cash", asks=Asks.ACT, n=1204, said="the champion's scorecard has drifted")
STANDS = Concerns(service="risk", standing=(Concern(release="1.5.0-51ab77c0", finding=FOUND, since=NOW),))


def test_what_stands_is_kept_by_service_with_its_events(store: Store) -> None:
    assert store.findings.all() == {}
    told = Note(at=NOW, actor="ops", kind="finding.raised", why="it has drifted", service="risk")
    saved = store.findings.save(STANDS, 1, [told])
    assert saved == replace(STANDS, version=1)
    assert store.findings.all() == {"risk": saved}
    assert [event.kind for event in store.journal.read(0, 10)] == ["finding.raised"]
    cleared = store.findings.save(replace(saved, standing=()), 1)
    assert store.findings.all() == {"risk": Concerns(service="risk", version=2)}
    assert cleared.version == 2


@pytest.mark.parametrize("version, fence", [(0, 2), (2, 2), (1, 1)])
def test_what_was_settled_on_something_old_or_by_an_old_holder_is_refused_whole(store: Store, version: int, fence: int) -> None:
    saved = store.findings.save(STANDS, 1)
    store.rollouts.save(rollout(), 2)
    with pytest.raises(StaleRevision):
        store.findings.save(replace(STANDS, version=version), fence, [Note(at=NOW, actor="ops", kind="finding.raised", why="", service="risk")])
    assert (store.findings.all(), store.journal.read(0, 10)) == ({"risk": saved}, ())
