"""A task's verbs, alone and in every order: one decision at most, never the same person twice on a case, and time never decides."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reference_apps.approval.desk import tasks
from reference_apps.approval.desk.people import Reviewer, Role
from reference_apps.approval.desk.tasks import LEASE_MS, MOST_LEVELS, Outcome, Refused, Ruling, State, Stay, Task, Why

HOUR = 3_600_000
STAY = Stay(case_id="app-1", stage="first_review", visit=1, skill="credit", amount_fen=200_000, flow_version="f1", sla_ms=4 * HOUR)
LI = Reviewer(id="li.wei", name="Li Wei", skills=("credit",), ceiling_fen=500_000)
ANNA = Reviewer(id="anna", name="Anna", skills=("credit",), ceiling_fen=500_000)
SUN = Reviewer(id="sun", name="Sun", skills=(), ceiling_fen=500_000, role=Role.SUPERVISOR)
SMALL = Reviewer(id="small", name="Small", skills=("credit",), ceiling_fen=199_999)
OTHER = Reviewer(id="other", name="Other", skills=("fraud",))
GONE = replace(ANNA, id="gone", name="Gone", active=False)
PEOPLE = (LI, ANNA, SUN, SMALL, OTHER, GONE)


def task() -> Task:
    return tasks.opened(STAY, 0)


def ok(result: Task | Refused) -> Task:
    assert isinstance(result, Task), result
    return result


def refused(result: Task | Refused) -> Refused:
    assert isinstance(result, Refused), result
    return result


def approve(version: int) -> Ruling:
    return Ruling(outcome=Outcome.APPROVE, version=version)


def test_claim_decide_and_decide_again() -> None:
    held = ok(tasks.claim(task(), LI, 10))
    assert (held.state, held.claimant, held.lease_until_ms) == (State.CLAIMED, "li.wei", 10 + LEASE_MS)
    done = ok(tasks.decide(held, LI, approve(held.version), 20))
    assert done.decision is not None
    assert (done.state, done.decision.outcome, done.decision.person) == (State.DECIDED, Outcome.APPROVE, "li.wei")
    assert done.acted == {"li.wei": "decided first_review"}
    assert tasks.decide(done, LI, approve(held.version), 30) == done
    assert tasks.decide(done, ANNA, Ruling(outcome=Outcome.REJECT, version=held.version, code="x", text="y"), 30) == done


def test_a_claim_is_a_lease() -> None:
    held = ok(tasks.claim(task(), LI, 0))
    no = refused(tasks.claim(held, ANNA, LEASE_MS - 1))
    assert (no.why, no.code, no.holder, no.until_ms) == (Why.CONFLICT, "held", "Li Wei", LEASE_MS)
    longer = ok(tasks.claim(held, LI, 100))
    assert (longer.version, longer.lease_until_ms) == (held.version, 100 + LEASE_MS)
    assert ok(tasks.claim(held, ANNA, LEASE_MS)).claimant == "anna"
    assert refused(tasks.decide(held, LI, approve(held.version), LEASE_MS)).code == "not_claimed"


@pytest.mark.parametrize(("person", "code"), [(SMALL, "above_ceiling"), (OTHER, "no_skill"), (SUN, "no_skill"), (GONE, "not_active")])
def test_who_may_not_take_a_task(person: Reviewer, code: str) -> None:
    no = refused(tasks.claim(task(), person, 0))
    assert (no.why, no.code) == (Why.FORBIDDEN, code)
    assert person.name in no.said
    assert no.remedy


def test_who_brought_the_case_in_may_not_decide_it() -> None:
    brought = tasks.bar(task(), "li.wei", "brought the application in")
    no = refused(tasks.claim(brought, LI, 0))
    assert (no.code, no.said) == ("four_eyes", "Li Wei has acted on this case already: brought the application in")
    assert tasks.bar(brought, "li.wei", "edited the case") == brought
    lost = tasks.bar(ok(tasks.claim(task(), LI, 0)), "li.wei", "edited the case")
    assert (lost.state, lost.claimant) == (State.OPEN, None)


def test_release() -> None:
    held = ok(tasks.claim(task(), LI, 0))
    assert ok(tasks.release(held, LI, 1)).state is State.OPEN
    assert refused(tasks.release(held, ANNA, 1)).code == "held"
    assert ok(tasks.release(held, SUN, 1)).state is State.OPEN
    assert tasks.release(task(), LI, 1) == task()


def test_delegate() -> None:
    held = ok(tasks.claim(task(), LI, 0))
    given_on = ok(tasks.delegate(held, LI, ANNA, 5))
    assert (given_on.claimant, given_on.lease_until_ms) == ("anna", 5 + LEASE_MS)
    assert tasks.delegate(given_on, ANNA, LI, 6) != given_on
    assert refused(tasks.delegate(held, LI, LI, 5)).code == "to_oneself"
    assert refused(tasks.delegate(held, LI, SMALL, 5)).code == "above_ceiling"
    assert refused(tasks.delegate(held, LI, GONE, 5)).code == "not_active"
    assert refused(tasks.delegate(held, ANNA, replace(LI, id="third"), 5)).code == "held"
    acted = tasks.bar(held, "anna", "decided first_review")
    assert refused(tasks.delegate(acted, LI, ANNA, 5)).code == "four_eyes"
    assert refused(tasks.delegate(tasks.bar(task(), "li.wei", "edited the case"), LI, ANNA, 5)).code == "four_eyes"


def test_a_decision_needs_a_claim_the_version_seen_and_a_reason() -> None:
    held = ok(tasks.claim(task(), LI, 0))
    assert refused(tasks.decide(task(), LI, approve(1), 1)).code == "not_claimed"
    assert refused(tasks.decide(held, ANNA, approve(held.version), 1)).code == "held"
    assert refused(tasks.decide(held, LI, approve(held.version - 1), 1)).code == "changed_meanwhile"
    for outcome in (Outcome.REJECT, Outcome.RETURN):
        assert refused(tasks.decide(held, LI, Ruling(outcome=outcome, version=held.version, code="policy", text="  "), 1)).why is Why.INVALID
        assert refused(tasks.decide(held, LI, Ruling(outcome=outcome, version=held.version, text="because"), 1)).code == "reason_missing"
    done = ok(tasks.decide(held, LI, Ruling(outcome=Outcome.REJECT, version=held.version, code="policy", text=" because "), 1))
    assert done.decision is not None
    assert (done.decision.code, done.decision.text) == ("policy", "because")


def test_an_overdue_task_rises_level_by_level_and_stays_undecided() -> None:
    late = held = ok(tasks.claim(task(), LI, 4 * HOUR - 1))
    assert tasks.escalate(late, 4 * HOUR - 1) == late
    late = tasks.escalate(late, 100 * HOUR)
    assert (late.level, late.due_ms, late.claimant, late.escalate_ms) == (1, 4 * HOUR, "li.wei", 8 * HOUR)
    late = tasks.escalate(late, 100 * HOUR)
    assert (late.level, late.escalate_ms) == (MOST_LEVELS, None)
    assert tasks.escalate(late, 10_000 * HOUR) == late
    assert ok(tasks.decide(tasks.escalate(held, 4 * HOUR), LI, approve(held.version), 4 * HOUR)).decision is not None
    assert ok(tasks.claim(late, SUN, 100 * HOUR)).claimant == "sun"
    assert refused(tasks.claim(replace(late, amount_fen=500_001), SUN, 100 * HOUR)).code == "above_ceiling"


def test_a_task_that_is_taken_back_is_over() -> None:
    gone = tasks.withdraw(ok(tasks.claim(task(), LI, 0)))
    assert (gone.state, gone.claimant) == (State.WITHDRAWN, None)
    assert refused(tasks.claim(gone, ANNA, 1)).code == "withdrawn"
    assert refused(tasks.decide(gone, LI, approve(gone.version), 1)).code == "withdrawn"
    done = ok(tasks.decide(ok(tasks.claim(task(), LI, 0)), LI, approve(2), 1))
    assert tasks.withdraw(done) == done
    assert refused(tasks.release(done, LI, 2)).code == "already_decided"


class Desk:
    """A case with two tasks one after the other, and a clock that may jump; checks after every event what must always hold."""

    def __init__(self) -> None:
        self.now = 0
        self.task = tasks.opened(STAY, 0)
        self.decided: list[Task] = []

    def did(self, result: Task | Refused) -> None:
        if isinstance(result, Refused):
            assert result.said
            assert result.remedy
            return
        assert result.version >= self.task.version
        assert result.level >= self.task.level
        assert result.due_ms == self.task.due_ms
        assert set(result.acted) >= set(self.task.acted)
        assert (result.state is State.CLAIMED) == (result.claimant is not None and result.decision is None)
        before, self.task = self.task, result
        if result.decision is not None and before.decision is None:
            assert result.decision.person not in before.acted
            assert before.claimant == result.decision.person
            self.decided.append(result)
            self._next(result)

    def _next(self, done: Task) -> None:
        if len(self.decided) < 3:
            opened = tasks.opened(replace(STAY, stage="re_check", visit=len(self.decided)), self.now)
            self.task = replace(opened, acted=done.acted)

    def time(self, ms: int) -> None:
        self.now = max(0, self.now + ms)
        before = self.task
        after = tasks.escalate(tasks.settled(self.task, self.now), self.now)
        assert (after.decision is None) == (before.decision is None)
        self.did(after)
        if self.task.state is State.CLAIMED:
            assert self.task.lease_until_ms is not None
            assert self.task.lease_until_ms > self.now


people = st.sampled_from((*PEOPLE, LI, ANNA, replace(ANNA, id="bao", name="Bao"), replace(ANNA, id="cui", name="Cui")))
events = st.one_of(
    st.tuples(st.just("claim"), people),
    st.tuples(st.just("release"), people),
    st.tuples(st.just("delegate"), people, people),
    st.tuples(st.just("decide"), people, st.sampled_from(Outcome), st.integers(0, 1), st.sampled_from(["", "policy"])),
    st.tuples(st.just("work"), people),
    st.tuples(st.just("work"), people),
    st.tuples(st.just("bar"), people),
    st.tuples(st.just("time"), st.integers(-HOUR, 10 * HOUR)),
)


@settings(max_examples=400, deadline=None)
@given(st.lists(events, min_size=5, max_size=40))
def test_in_whatever_order_things_happen(story: list[tuple[Any, ...]]) -> None:
    desk = Desk()
    for verb, *about in story:
        match verb:
            case "claim":
                desk.did(tasks.claim(desk.task, about[0], desk.now))
            case "release":
                desk.did(tasks.release(desk.task, about[0], desk.now))
            case "delegate":
                desk.did(tasks.delegate(desk.task, about[0], about[1], desk.now))
            case "decide":
                ruling = Ruling(outcome=about[1], version=desk.task.version - about[2], code=about[3], text=about[3])
                desk.did(tasks.decide(desk.task, about[0], ruling, desk.now))
            case "work":
                desk.did(tasks.claim(desk.task, about[0], desk.now))
                desk.did(tasks.decide(desk.task, about[0], approve(desk.task.version), desk.now))
            case "bar":
                desk.did(tasks.bar(desk.task, about[0].id, "edited the case"))
            case "time":
                desk.time(about[0])
    deciders = [done.decision.person for done in desk.decided if done.decision]
    assert len(deciders) == len(set(deciders))
    assert not {person.id for person in (SMALL, OTHER, GONE)} & set(deciders)


@given(st.integers(0, 10**13), people)
def test_the_amount_is_said_where_it_forbids(amount_fen: int, person: Reviewer) -> None:
    no = tasks.barred(replace(task(), amount_fen=amount_fen), person)
    assert (no is not None and no.code == "above_ceiling") == (person.active and amount_fen > person.ceiling_fen)
    assert tasks.yuan(200_000) == "2,000.00"
