"""The double-entry core: the worked example, the order of the checks, and what holds after every event."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reference_apps.ledger.algebra import core
from reference_apps.ledger.algebra.model import U128, Account, AccountFlag, Result, Status, Transfer
from reference_apps.ledger.books import Books
from reference_apps.ledger.keeping import body, entry

NOW = 1_000_000
LINKED = 1


def account(number: int, **fields: Any) -> Account:
    return Account(**{"id": number, "ledger": 1, "code": 1, **fields})


def transfer(number: int, debit: int, credit: int, amount: int, **fields: Any) -> Transfer:
    return Transfer(**{"id": number, "debit_account_id": debit, "credit_account_id": credit, "amount": amount, "ledger": 1, "code": 1, **fields})


def books() -> Books:
    """Accounts 1 (free), 2 (debits must not exceed credits), 3 (credits must not exceed debits), 4 (another ledger)."""
    opened = Books()
    flags = (0, AccountFlag.DEBITS_MUST_NOT_EXCEED_CREDITS, AccountFlag.CREDITS_MUST_NOT_EXCEED_DEBITS)
    events = [*(account(number, flags=int(flag)) for number, flag in enumerate(flags, 1)), account(4, ledger=2)]
    assert {result.status for result in core.create_accounts(opened, events, NOW)} == {Status.CREATED}
    return opened


def statuses(results: Sequence[Result]) -> list[str]:
    return [str(result.status) for result in results]


def post(kept: Books, *events: Transfer) -> list[str]:
    return statuses(core.create_transfers(kept, events, NOW))


def sums(kept: Books) -> dict[int, tuple[int, int]]:
    return {number: (each.debits_posted, each.credits_posted) for number, each in kept.accounts.own.items()}


def test_the_worked_example() -> None:
    kept = books()
    assert post(kept, transfer(10, 1, 2, 500)) == ["created"]
    assert post(kept, transfer(11, 2, 1, 700)) == ["exceeds_credits"]
    assert post(kept, transfer(10, 1, 2, 500), transfer(10, 1, 2, 400)) == ["exists", "exists_with_different_amount"]
    assert post(kept, transfer(12, 1, 2, 300)) == ["created"]
    assert post(kept, transfer(11, 2, 1, 700), transfer(13, 2, 1, 700)) == ["id_already_failed", "created"]
    assert post(kept, transfer(14, 1, 2, 50, flags=LINKED), transfer(15, 2, 1, 200)) == ["linked_event_failed", "exceeds_credits"]
    assert sums(kept)[2] == (700, 800)
    assert post(kept, transfer(14, 1, 2, 50)) == ["created"], "the undone member's id is free again"
    assert post(kept, transfer(15, 2, 1, 1)) == ["id_already_failed"], "the failing member's id is burnt, although its chain was undone"


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"timestamp": 5}, "timestamp_must_be_zero"),
    ({"flags": 512}, "reserved_flag"),
    ({"id": 0}, "id_must_not_be_zero"),
    ({"id": U128}, "id_must_not_be_int_max"),
    ({"id": 9, "debit_account_id": 0}, "exists_with_different_debit_account_id"),
    ({"debit_account_id": 0}, "debit_account_id_must_not_be_zero"),
    ({"debit_account_id": U128}, "debit_account_id_must_not_be_int_max"),
    ({"credit_account_id": 0}, "credit_account_id_must_not_be_zero"),
    ({"credit_account_id": U128}, "credit_account_id_must_not_be_int_max"),
    ({"credit_account_id": 1}, "accounts_must_be_different"),
    ({"pending_id": 1}, "pending_id_must_be_zero"),
    ({"timeout": 1}, "timeout_reserved_for_pending_transfer"),
    ({"ledger": 0}, "ledger_must_not_be_zero"),
    ({"code": 0}, "code_must_not_be_zero"),
    ({"debit_account_id": 77}, "debit_account_not_found"),
    ({"credit_account_id": 77}, "credit_account_not_found"),
    ({"credit_account_id": 4}, "accounts_must_have_the_same_ledger"),
    ({"ledger": 2}, "transfer_must_have_the_same_ledger_as_accounts"),
    ({"amount": U128}, "overflows_debits_posted"),
    ({"debit_account_id": 2, "credit_account_id": 3}, "exceeds_credits"),
    ({"credit_account_id": 3}, "exceeds_debits"),
]


@pytest.mark.parametrize("wrong, status", WRONG, ids=[status for _, status in WRONG])
def test_each_check_has_its_status_and_changes_nothing(wrong: dict[str, Any], status: str) -> None:
    kept = books()
    assert post(kept, transfer(9, 1, 2, 1)) == ["created"]
    before = sums(kept)
    assert post(kept, replace(transfer(20, 1, 2, 100), **wrong)) == [status]
    assert sums(kept) == before


def _mix(first: dict[str, Any], second: dict[str, Any]) -> bool:
    """Whether both faults can stand in one event: not two of the same field, of the accounts, or of an id that exists."""
    accounts = {"debit_account_id", "credit_account_id"}
    return not set(first) & set(second) and not (set(first) & accounts and set(second) & accounts) and 9 not in (first.get("id"), second.get("id"))


PAIRS = [(first, second) for number, first in enumerate(WRONG) for second in WRONG[number + 1 :] if _mix(first[0], second[0])]


@pytest.mark.parametrize("first, second", PAIRS, ids=[f"{first[1]} before {second[1]}" for first, second in PAIRS])
def test_of_two_faults_the_one_that_is_checked_first_is_named(first: tuple[dict[str, Any], str], second: tuple[dict[str, Any], str]) -> None:
    kept = books()
    assert post(kept, transfer(6, 3, 2, 1), transfer(7, 2, 3, 1), transfer(8, 1, 2, 1)) == ["created"] * 3, "no account is at zero"
    assert post(kept, replace(transfer(20, 1, 2, 100), **first[0], **second[0])) == [first[1]]


DIFFERENT: list[dict[str, Any]] = [
    {"flags": LINKED}, {"pending_id": 1}, {"timeout": 1}, {"debit_account_id": 3}, {"credit_account_id": 3}, {"amount": 2},
    {"user_data_128": 1}, {"user_data_64": 1}, {"user_data_32": 1}, {"ledger": 2}, {"code": 2},
]  # fmt: skip


@pytest.mark.parametrize("first", range(1, len(DIFFERENT)))
def test_an_id_that_exists_names_the_first_difference(first: int) -> None:
    kept = books()
    original = transfer(9, 1, 2, 1)
    post(kept, original)
    several = {name: value for fields in DIFFERENT[first:] for name, value in fields.items()}
    assert post(kept, replace(original, **several)) == [f"exists_with_different_{next(iter(DIFFERENT[first]))}"]


def test_account_statuses() -> None:
    kept = books()
    cases = [
        (account(1), "exists"),
        (account(1, code=2, ledger=9), "exists_with_different_ledger"),
        (account(0), "id_must_not_be_zero"),
        (account(U128), "id_must_not_be_int_max"),
        (account(9, flags=64), "reserved_flag"),
        (account(9, flags=6), "flags_are_mutually_exclusive"),
        (account(9, debits_posted=1), "debits_posted_must_be_zero"),
        (account(9, credits_posted=1), "credits_posted_must_be_zero"),
        (account(9, ledger=0), "ledger_must_not_be_zero"),
        (account(9, code=0), "code_must_not_be_zero"),
        (account(9, timestamp=1), "timestamp_must_be_zero"),
    ]
    assert statuses(core.create_accounts(kept, [event for event, _ in cases], NOW)) == [status for _, status in cases]
    assert 9 not in kept.accounts.own


def test_a_chain_that_is_still_open_at_the_end_of_the_batch() -> None:
    kept = books()
    good, open_end = transfer(30, 1, 2, 5, flags=LINKED), transfer(31, 1, 2, 5, flags=LINKED)
    assert post(kept, good, open_end) == ["linked_event_failed", "linked_event_chain_open"]
    broken = transfer(32, 77, 2, 5, flags=LINKED)
    assert post(kept, broken, open_end) == ["debit_account_not_found", "linked_event_chain_open"]
    closed = transfer(33, 1, 2, 5, flags=LINKED), transfer(34, 2, 1, 4, flags=LINKED), transfer(35, 2, 1, 1)
    assert post(kept, *closed) == ["created"] * 3, "later members see earlier ones"


def test_timestamps_rise_strictly_even_when_the_clock_goes_back() -> None:
    kept = books()
    first = core.create_transfers(kept, [transfer(number, 1, 2, 1) for number in (40, 41)], NOW + 1000)
    second = core.create_transfers(kept, [transfer(42, 1, 2, 1), transfer(40, 1, 2, 1)], NOW - 500)
    stamps = [result.timestamp for result in (*first, second[0])]
    assert stamps == sorted(set(stamps))
    assert stamps[1] == NOW + 1000, "event i of n gets batch - n + i + 1"
    assert second[1] == Result(Status.EXISTS, first[0].timestamp), "exists has the original's timestamp"


transfers = st.builds(
    transfer,
    st.integers(1, 25),
    st.integers(1, 5),
    st.integers(1, 5),
    st.integers(0, 60),
    flags=st.sampled_from((0, 0, LINKED)),
    ledger=st.sampled_from((1, 1, 1, 2)),
)
batches = st.lists(st.lists(transfers, min_size=1, max_size=8), max_size=8)


@settings(deadline=None, max_examples=150)
@given(batches)
def test_invariants(several: list[list[Transfer]]) -> None:
    kept, replayed = books(), Books()
    entry.fold(replayed, entry.of_draft(kept, Books()))
    for batch in several:
        before, known = sums(kept), set(kept.transfers.own)
        draft = kept.draft()
        results = core.create_transfers(draft, batch, NOW)
        facts = entry.of_draft(draft, kept)
        draft.keep()
        entry.fold(replayed, body.read(body.write([facts]))[0])
        _balanced(kept)
        _all_or_nothing(batch, results)
        moved = [event for event, result in zip(batch, results, strict=True) if result.status is Status.CREATED]
        assert {event.id for event in moved} == set(kept.transfers.own) - known
        assert (sums(kept) != before) == any(event.amount for event in moved)
        again = core.create_transfers(kept, batch, NOW)
        _resent(results, again)
        assert sums(kept) == sums(replayed), "resending changes nothing, and replay is the live state"
    assert (kept.transfers.own, kept.burnt.own) == (replayed.transfers.own, replayed.burnt.own)


def _balanced(kept: Books) -> None:
    for ledger in (1, 2):
        accounts = [each for each in kept.accounts.own.values() if each.ledger == ledger]
        assert sum(each.debits_posted for each in accounts) == sum(each.credits_posted for each in accounts)
    assert kept.accounts.own[2].debits_posted <= kept.accounts.own[2].credits_posted
    assert kept.accounts.own[3].credits_posted <= kept.accounts.own[3].debits_posted


def _all_or_nothing(batch: Sequence[Transfer], results: Sequence[Result]) -> None:
    chain: list[Status] = []
    for event, result in zip(batch, results, strict=True):
        chain.append(result.status)
        if not event.flags & LINKED:
            assert all(status is Status.CREATED for status in chain) or all(status is not Status.CREATED for status in chain)
            chain = []
    assert all(status is not Status.CREATED for status in chain), "an open chain creates nothing"


def _resent(first: Sequence[Result], second: Sequence[Result]) -> None:
    transient = {"debit_account_not_found", "credit_account_not_found", "exceeds_credits", "exceeds_debits"}
    for before, after in zip(first, second, strict=True):
        assert after.status is not Status.CREATED
        if str(before.status) in transient:
            assert after.status in (Status.ID_ALREADY_FAILED, Status.LINKED_EVENT_FAILED) or str(after.status).startswith("exists")
