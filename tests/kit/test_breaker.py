"""Breaker and retry budget: what they let through, whatever the order of calls, answers and time, and that a half-open breaker lets through exactly one."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ctl.kit.breaker import Breaker, BudgetPolicy, Permit, Policy, RetryBudget, State

POLICY = Policy(failures=3, first_s=1.0, longest_s=4.0, probe_s=10.0)


def opened(at_s: float = 0.0) -> Breaker:
    breaker = Breaker(POLICY)
    for _ in range(POLICY.failures):
        breaker.failed(leave(breaker, at_s), at_s)
    return breaker


def leave(breaker: Breaker, at_s: float) -> Permit:
    permit = breaker.ask(at_s)
    assert permit is not None
    return permit


def test_failures_in_a_row_open_it_and_a_success_between_them_does_not() -> None:
    breaker = Breaker(POLICY)
    for _ in range(10):
        breaker.failed(leave(breaker, 0), 0)
        breaker.failed(leave(breaker, 0), 0)
        breaker.succeeded(leave(breaker, 0))
    assert breaker.state(0) is State.CLOSED
    assert opened().state(0.999) is State.OPEN
    assert opened().ask(0.999) is None
    assert opened(at_s=5).open_for_s(5.25) == 0.75


def test_half_open_lets_exactly_one_probe_through_whose_success_closes_it() -> None:
    breaker = opened()
    probe = leave(breaker, 1.0)
    assert (breaker.state(1.0), probe.is_probe) == (State.HALF_OPEN, True)
    assert [breaker.ask(1.0) for _ in range(50)] == [None] * 50
    breaker.succeeded(probe)
    assert breaker.state(1.0) is State.CLOSED
    assert all(breaker.ask(1.0) is not None for _ in range(50))


@pytest.mark.parametrize("times, open_s", [(0, 1.0), (1, 2.0), (2, 4.0), (3, 4.0), (40, 4.0)])
def test_a_probe_that_fails_opens_it_for_twice_as_long_up_to_the_longest(times: int, open_s: float) -> None:
    breaker, now = opened(), 0.0
    for _ in range(times):
        now += breaker.open_for_s(now)
        breaker.failed(leave(breaker, now), now)
    assert breaker.open_for_s(now) == open_s


def test_a_probe_that_went_away_makes_room_for_the_next_one() -> None:
    breaker = opened()
    breaker.dropped(leave(breaker, 1.0))
    assert leave(breaker, 1.0).is_probe
    assert breaker.ask(1.0 + POLICY.probe_s - 0.001) is None
    assert leave(breaker, 1.0 + POLICY.probe_s).is_probe, "one that is never heard of is given up"


def test_answers_from_before_it_opened_say_nothing_new() -> None:
    breaker = Breaker(POLICY)
    late = [leave(breaker, 0) for _ in range(20)]
    for permit in late[:3]:
        breaker.failed(permit, 0)
    for permit in late[3:10]:
        breaker.failed(permit, 0.5)
    assert breaker.open_for_s(0.5) == 0.5, "the pause counts from when it opened"
    breaker.succeeded(late[10])
    assert breaker.state(0.5) is State.OPEN, "one that was asked before does not close it"


def answered(breaker: Breaker, what: str, permit: Permit, now: float) -> None:
    if what == "bad":
        breaker.failed(permit, now)
    else:
        {"good": breaker.succeeded, "drop": breaker.dropped}[what](permit)


moves = st.lists(st.tuples(st.sampled_from(("ask", "good", "bad", "drop")), st.floats(0, 3), st.integers(0, 9)), max_size=120)


@settings(deadline=None, max_examples=300)
@given(moves)
def test_whatever_happens_open_lets_none_through_and_half_open_at_most_one(said: list[tuple[str, float, int]]) -> None:
    breaker, now, out = Breaker(POLICY), 0.0, []
    probe_at: float | None = None
    for what, later, which in said:
        now += later if what == "ask" else 0.0
        if what == "ask":
            state, permit = breaker.state(now), breaker.ask(now)
            if state is State.CLOSED:
                assert permit is not None
                assert not permit.is_probe
            if state is State.OPEN:
                assert permit is None
            if permit is not None and permit.is_probe:
                assert state is State.HALF_OPEN
                assert probe_at is None or now >= probe_at + POLICY.probe_s, "one probe at a time"
                probe_at = now
            if permit is not None:
                out.append(permit)
        elif out:
            permit = out.pop(which % len(out))
            current = permit.is_probe and not any(other.is_probe and other.turn > permit.turn for other in out)
            answered(breaker, what, permit, now)
            if current:
                probe_at = None
    assert 0 <= breaker.open_for_s(now) <= POLICY.longest_s


def test_the_budget_lets_a_share_of_the_calls_be_repeated_and_a_few_a_second_anyway() -> None:
    budget = RetryBudget(BudgetPolicy(share=0.5, floor_per_s=2.0, most=4.0))
    assert [budget.spend(0) for _ in range(6)] == [True] * 4 + [False] * 2
    for _ in range(4):
        budget.earn()
    assert [budget.spend(0) for _ in range(3)] == [True, True, False]
    assert [budget.spend(1.0) for _ in range(3)] == [True, True, False]
    assert [budget.spend(1_000.0) for _ in range(5)] == [True] * 4 + [False], "no more is saved up than `most`"


@settings(deadline=None, max_examples=200)
@given(st.lists(st.one_of(st.just("earn"), st.floats(-5, 5)), max_size=200))
def test_the_budget_is_never_overspent_and_a_clock_that_jumps_back_gives_nothing(said: list[str | float]) -> None:
    policy = BudgetPolicy(share=0.2, floor_per_s=3.0, most=5.0)
    budget, now, furthest, earned, spent = RetryBudget(policy), 100.0, 100.0, 0, 0
    budget.spend(now)
    for each in said:
        if isinstance(each, str):
            budget.earn()
            earned += 1
        else:
            now += each
            furthest = max(furthest, now)
            spent += budget.spend(now)
    assert spent <= policy.most + earned * policy.share + (furthest - 100.0) * policy.floor_per_s + 1e-6
