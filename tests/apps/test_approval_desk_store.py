"""Tasks, reviewers and papers on disk: four eyes held by the rows themselves, races with one winner, claims that outlive a restart."""

import sqlite3
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ctl.kit.database import Database, DatabaseFailed
from ctl.kit.problem import Problem
from reference_apps.approval.desk import accounts, store, tasks
from reference_apps.approval.desk.papers import Attachment
from reference_apps.approval.desk.people import Reviewer, Role
from reference_apps.approval.desk.refusals import NotDone
from reference_apps.approval.desk.store import SCHEMA, Line, Wish
from reference_apps.approval.desk.tasks import LEASE_MS, Outcome, Ruling, State, Stay, Task
from reference_apps.approval.desk.work import Desk

HOUR = 3_600_000
STAY = Stay(case_id="app-1", stage="first_review", visit=1, skill="credit", amount_fen=200_000, flow_version="f1", sla_ms=4 * HOUR)
LI, ANNA, BAO = (Reviewer(id=name, name=name.title(), skills=("credit",), ceiling_fen=500_000) for name in ("li", "anna", "bao"))
SUN = Reviewer(id="sun", name="Sun", skills=(), role=Role.SUPERVISOR)
LOW = Reviewer(id="low", name="Low", skills=("credit",), ceiling_fen=100)


@dataclass
class World:
    """A desk over a file, a clock that goes where it is told, and the decisions that moved a case on."""

    folder: Path
    now: int = 0
    moved: list[str] = field(default_factory=list)
    open: list[Database] = field(default_factory=list)

    def desk(self) -> Desk:
        self.open.append(Database(self.folder / "approval.db", SCHEMA))
        return Desk(self.open[-1], self, lambda: self.now)

    def decided(self, connection: sqlite3.Connection, task: Task, now_ms: int) -> None:
        assert connection.in_transaction
        assert task.decision is not None
        self.moved.append(f"{task.id} {task.decision.outcome} {task.decision.person}")

    def task(self, **other: object) -> Task:
        with self.open[0].write() as connection:
            return store.open_task(connection, tasks.opened(replace(STAY, **other), self.now))  # type: ignore[arg-type]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    made.desk()
    with made.open[0].write() as connection:
        for person in (LI, ANNA, BAO, SUN, LOW):
            accounts.add(connection, person, 0)
    yield made
    for database in made.open:
        database.close()


def approve(task: Task) -> Ruling:
    return Ruling(outcome=Outcome.APPROVE, version=task.version)


def codes(calls: Sequence[object]) -> Counter[str]:
    return Counter(each.code if isinstance(each, Problem) else type(each).__name__ for each in calls)


def attempt(work: object) -> object:
    try:
        return work()  # type: ignore[operator]
    except Problem as refused:
        return refused


def test_a_task_is_opened_once(world: World) -> None:
    first = world.task()
    world.now = HOUR
    assert world.task() == first
    with world.open[0].read() as connection:
        assert [line.kind for line in store.history(connection, "app-1")] == ["opened"]


def test_of_many_who_claim_at_once_one_has_it(world: World) -> None:
    task = world.task()
    desks = [world.desk() for _ in range(4)]
    with ThreadPoolExecutor(12) as pool:
        calls = list(pool.map(lambda n: attempt(lambda: desks[n % 4].claim((LI, ANNA, BAO)[n % 3], task.id)), range(24)))
    found = desks[0].folder(task.id)
    assert found.task.claimant in {"li", "anna", "bao"}
    assert codes(calls) == {"Task": 8, "held": 16}
    assert [line.kind for line in found.lines] == ["opened", "claimed"], "the winner's further claims at the same instant change nothing"


def test_a_decision_sent_many_times_at_once_is_one_decision(world: World) -> None:
    held = world.desk().claim(LI, world.task().id)
    desks = [world.desk() for _ in range(4)]
    with ThreadPoolExecutor(8) as pool:
        ruled = list(pool.map(lambda n: desks[n % 4].decide(LI, held.id, approve(held)), range(16)))
    assert Counter(each.applied for each in ruled) == {True: 1, False: 15}
    assert len({each.task.decision for each in ruled}) == 1
    assert world.moved == [f"{held.id} approve li"]


def test_two_people_with_the_same_task_in_front_of_them(world: World) -> None:
    """Li's lease ran out while he was reading, Anna claimed; both decide at the same moment."""
    desk = world.desk()
    lis = desk.claim(LI, world.task().id)
    world.now = LEASE_MS
    annas = desk.claim(ANNA, lis.id)
    desks = {"li": world.desk(), "anna": world.desk()}
    with ThreadPoolExecutor(2) as pool:
        late = pool.submit(lambda: attempt(lambda: desks["li"].decide(LI, lis.id, approve(lis))))
        good = pool.submit(lambda: attempt(lambda: desks["anna"].decide(ANNA, annas.id, approve(annas))))
        assert codes([good.result()]) == {"Ruled": 1}
        refused = late.result()
    assert isinstance(refused, NotDone)
    assert refused.status == 409
    assert refused.code in ("held", "already_decided")
    assert world.moved == [f"{lis.id} approve anna"]


def test_a_late_decision_gets_what_was_decided(world: World) -> None:
    desk = world.desk()
    held = desk.claim(LI, world.task().id)
    desk.decide(LI, held.id, approve(held))
    for person, outcome in ((ANNA, Outcome.APPROVE), (LI, Outcome.REJECT)):
        late = attempt(lambda: desk.decide(person, held.id, Ruling(outcome=outcome, version=held.version, code="policy", text="no")))  # noqa: B023
        assert isinstance(late, NotDone)
        assert (late.code, late.body()["decision"]["person"], late.body()["decision"]["outcome"]) == ("already_decided", "li", "approve")
    assert len(world.moved) == 1


def test_the_second_pair_of_eyes_is_another(world: World) -> None:
    desk = world.desk()
    first = desk.claim(LI, world.task().id)
    desk.decide(LI, first.id, approve(first))
    second = world.task(stage="re_check")
    assert second.acted == {"li": "decided first_review"}
    assert codes([attempt(lambda: desk.claim(LI, second.id)), attempt(lambda: desk.delegate(ANNA, second.id, "li"))]) == {"four_eyes": 2}
    assert [each.id for each in desk.folder(second.id).candidates] == ["anna", "bao"]
    held = desk.claim(ANNA, second.id)
    desk.decide(ANNA, second.id, approve(held))
    third = world.task(visit=2)
    assert set(third.acted) == {"li", "anna"}


def test_the_rows_refuse_what_the_code_forgot(world: World) -> None:
    """A task in memory that knows nothing of the first review, as a bug would have it, is not written as decided."""
    desk = world.desk()
    first = desk.claim(LI, world.task().id)
    desk.decide(LI, first.id, approve(first))
    second = world.task(stage="re_check")
    forgetful = tasks.claim(replace(second, acted={}), LI, world.now)
    assert isinstance(forgetful, Task)
    line = Line(task_id=second.id, at_ms=0, kind="claimed", person="li", body={})
    with world.open[0].write() as connection:
        store.write(connection, second, forgetful, line)
        decided = tasks.decide(forgetful, LI, approve(forgetful), world.now)
        assert isinstance(decided, Task)
        refused = store.write(connection, forgetful, decided, line)
    assert refused is not None
    assert (refused.code, refused.said) == ("four_eyes", "Li has acted on this case already: decided first_review")
    assert desk.folder(second.id).task.state is State.CLAIMED
    for sql in (
        "UPDATE tasks SET state = 'decided', decided_by = 'bao' WHERE stage = 're_check'",
        "UPDATE tasks SET state = 'open' WHERE stage = 'first_review'",
        "UPDATE tasks SET decided_by = 'anna' WHERE stage = 'first_review'",
    ):
        with pytest.raises(DatabaseFailed, match=r"four eyes|does not change"), world.open[0].write() as connection:
            connection.execute(sql)


def test_a_failed_step_may_be_tried_again_by_the_same_person(world: World) -> None:
    desk = world.desk()
    for visit in (1, 2):
        again = desk.claim(LI, world.task(stage="trouble", visit=visit, judges=False).id)
        assert desk.decide(LI, again.id, approve(again)).applied
    review = world.task()
    assert codes([attempt(lambda: desk.claim(LI, review.id))]) == {"four_eyes": 1}
    assert desk.queue(LI, Wish()).total == 0
    held = desk.claim(ANNA, review.id)
    desk.decide(ANNA, review.id, approve(held))
    third = world.task(stage="trouble", visit=3, judges=False)
    assert codes([attempt(lambda: desk.claim(ANNA, third.id))]) == {"four_eyes": 1}
    assert (desk.queue(ANNA, Wish()).total, desk.queue(LI, Wish()).total) == (0, 1)
    held = desk.claim(LI, third.id)
    with world.open[0].write() as connection:
        store.bar(connection, "app-1", "li", "edited the case", world.now)
    assert codes([attempt(lambda: desk.decide(LI, held.id, approve(held)))]) == {"four_eyes": 1}, "an edit weighs more than a repair"


def test_who_edits_a_case_loses_it(world: World) -> None:
    desk = world.desk()
    held = desk.claim(LI, world.task().id)
    with world.open[0].write() as connection:
        store.bar(connection, "app-1", "li", "edited the case", 5)
        store.bar(connection, "app-1", "li", "edited the case again", 6)
    now = desk.folder(held.id).task
    assert (now.state, now.acted) == (State.OPEN, {"li": "edited the case"})
    assert codes([attempt(lambda: desk.decide(LI, held.id, approve(held)))]) == {"four_eyes": 1}


def test_queues_by_skill_amount_and_urgency(world: World) -> None:
    desk = world.desk()
    for n in range(5):
        world.now = HOUR * (5 - n)
        world.task(case_id=f"app-{n}", amount_fen=500_000 if n != 2 else 500_001)
    world.task(case_id="app-9", skill="fraud")
    first = desk.queue(LI, Wish(limit=2))
    assert ([each.case_id for each in first.items], first.total, first.overdue) == (["app-4", "app-3"], 4, 0)
    rest = desk.queue(LI, Wish(limit=3, after=first.after or ""))
    assert ([each.case_id for each in rest.items], rest.after) == (["app-1", "app-0"], None)
    assert desk.queue(LOW, Wish()).total == 0
    held = desk.claim(ANNA, first.items[0].id)
    assert desk.queue(LI, Wish()).total == 3
    assert desk.queue(LI, Wish(scope="all")).total == 4
    assert [each.id for each in desk.queue(ANNA, Wish(scope="mine")).items] == [held.id]
    world.now += LEASE_MS
    assert [each.state for each in desk.queue(LI, Wish()).items] == [State.OPEN] * 4
    world.now = 20 * HOUR
    assert desk.queue(LI, Wish()).overdue == 4


people = st.builds(
    Reviewer, id=st.sampled_from("abc"), name=st.just("N"), skills=st.lists(st.sampled_from(["credit", "fraud"]), max_size=2).map(tuple),
    ceiling_fen=st.integers(0, 3), role=st.sampled_from(Role),
)  # fmt: skip
stays = st.builds(
    Stay, case_id=st.sampled_from(["x", "y"]), stage=st.just("s"), visit=st.integers(1, 99), skill=st.sampled_from(["credit", "fraud"]),
    amount_fen=st.integers(0, 3), flow_version=st.just("f"), sla_ms=st.integers(1, 5), judges=st.booleans(),
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(people, st.lists(stays, max_size=8), st.dictionaries(st.tuples(st.sampled_from(["x", "y"]), st.sampled_from("abc")), st.booleans()), st.integers(0, 9))
def test_the_queue_shows_exactly_what_one_may_take(person: Reviewer, lay: list[Stay], acted: dict[tuple[str, str], bool], now: int) -> None:
    connection = sqlite3.connect(":memory:")
    connection.executescript(SCHEMA)
    for (case_id, who), judged in acted.items():
        connection.execute("INSERT INTO actors VALUES (?, ?, 'did', NULL, 0, ?)", (case_id, who, judged))
    made = [store.open_task(connection, tasks.opened(stay, number)) for number, stay in enumerate(lay)]
    for task in {task.id: task for task in made}.values():
        raised = tasks.escalate(task, now)
        store.write(connection, task, raised, Line(task_id=task.id, at_ms=now, kind="escalated", body={}))
    every = [store.find(connection, task_id) for task_id in {task.id: None for task in made}]
    mine = [task for task in every if task is not None and tasks.barred(task, person) is None]
    wish = Wish(scope="all", limit=100)
    found = store.queue(connection, person, wish, now)
    assert {task.id for task in found} == {task.id for task in mine}
    assert [task.due_ms for task in found] == sorted(task.due_ms for task in mine)
    assert store.count(connection, person, wish, now) == (len(mine), sum(task.due_ms <= now for task in mine))
    connection.close()


def test_what_time_does_to_tasks(world: World) -> None:
    desk = world.desk()
    task = world.task()
    desk.claim(LI, task.id)
    assert desk.sweep() == 0
    assert desk.queue(SUN, Wish()).total == 0
    world.now = 1_000 * HOUR
    assert (desk.sweep(), desk.sweep(), desk.sweep()) == (1, 1, 0)
    world.now = 0
    assert desk.sweep() == 0
    found = desk.folder(task.id)
    assert (found.task.level, found.task.state, found.task.decision, found.task.due_ms) == (2, State.OPEN, None, 4 * HOUR)
    assert [line.kind for line in found.lines] == ["opened", "claimed", "lease_expired", "escalated", "escalated"]
    assert desk.queue(SUN, Wish()).total == 1
    assert world.moved == []


def test_a_restart_keeps_claims_and_sessions(world: World) -> None:
    held = world.desk().claim(LI, world.task().id)
    with world.open[0].write() as connection:
        token = accounts.add(connection, replace(LI, id="new", name="New"), 0)
    session = world.desk().sign_in(token)
    assert session is not None
    for database in world.open:
        database.close()
    world.open.clear()
    again = world.desk()
    assert again.folder(held.id).task == held
    assert (person := again.by_session(session)) is not None
    assert person.id == "new"
    assert again.decide(LI, held.id, approve(held)).applied


def test_a_token_opens_the_desk_until_it_is_revoked(world: World) -> None:
    desk = world.desk()
    with world.open[0].write() as connection:
        token = accounts.add(connection, replace(LI, id="new", name="New"), 0)
    assert len(token) >= 43
    session = desk.sign_in(token)
    assert session is not None
    assert desk.sign_in(token + "x") is None
    assert desk.by_session(session + "x") is None
    held = desk.claim(replace(LI, id="new", name="New"), world.task().id)
    world.now = accounts.SESSION_MS
    assert desk.by_session(session) is None
    world.now = 0
    with world.open[0].write() as connection:
        assert accounts.revoke(connection, "new")
        assert not accounts.revoke(connection, "nobody")
    assert (desk.by_token(token), desk.by_session(session), desk.sign_in(token)) == (None, None, None)
    assert codes([attempt(lambda: desk.decide(replace(LI, id="new"), held.id, approve(held)))]) == {"not_active": 1}
    everything = b"".join(path.read_bytes() for path in world.folder.iterdir())
    assert token.encode() not in everything
    assert session.encode() not in everything


def test_notes_and_papers_are_kept_once(world: World) -> None:
    desk = world.desk()
    task = world.task()
    for text in ("called", "called", "called again", "called"):
        desk.note(LI, task.id, text)
    desk.note(ANNA, task.id, "called")
    paper = Attachment(at_ms=1, person="li", name="pay.pdf", media_type="application/pdf", sha256="0" * 64, reference="file:1")
    desk.attach(task.id, paper)
    desk.attach(task.id, paper)
    found = desk.folder(task.id)
    assert [(each.person, each.text) for each in found.notes] == [("li", "called"), ("li", "called again"), ("li", "called"), ("anna", "called")]
    assert found.attachments == (paper,)
    with pytest.raises(Problem, match="no task nothing"):
        desk.note(LI, "nothing", "called")
