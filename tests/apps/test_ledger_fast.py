"""The fast path against one event at a time: the same answers, sums, journal bytes and replayed books, at the edge of everything that forbids it."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import permutations
from random import Random
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reference_apps.ledger.algebra import bulk, core, fast, layout
from reference_apps.ledger.algebra.accounttable import NARROW
from reference_apps.ledger.algebra.idtable import IdTable
from reference_apps.ledger.algebra.model import LAST_NS, SECOND_NS, U128, Account, Status, Transfer
from reference_apps.ledger.books import Books
from reference_apps.ledger.keeping import body, packing
from reference_apps.ledger.keeping.entry import Entry
from tests.apps.ledger_fast import (
    BURNT,
    CLOSED,
    FOREIGN,
    FREE,
    FULL,
    FUNDS,
    HELD,
    KNOWN,
    LIMITED,
    MIRRORED,
    SHUT,
    START,
    WIDE,
    Way,
    history,
    move,
    numbered,
    plan,
    prepared,
    state,
)  # fmt: skip

LATER = START + SECOND_NS
PLAIN = move(0, 10, 11, 7)
FAST: dict[str, list[Transfer]] = {
    "one plain transfer": [PLAIN],
    "nothing moved": [replace(PLAIN, amount=0)],
    "the limit reached exactly": [move(0, LIMITED, 10, 40), move(0, LIMITED, 11, FUNDS - 30 - 40)],
    "the other limit reached exactly": [move(0, 10, MIRRORED, FUNDS)],
    "a limited account on its free side": [move(0, 10, LIMITED, 10**6), move(0, MIRRORED, 10, 10**6)],
    "a sum that reaches 2^62 exactly": [move(0, FULL, 10, FUNDS)],
    "ids with equal halves": [replace(PLAIN, id=5), replace(PLAIN, id=5 << 64), replace(PLAIN, id=5 << 64 | 5)],
    "imported ones": [replace(PLAIN, flags=256, timestamp=LATER - ago) for ago in (500, 3, 2)],
    "an account with a large id": [replace(PLAIN, debit_account_id=2**100, user_data_128=2**127, user_data_64=2**63, user_data_32=2**31)],
}
SLOW: dict[str, list[Transfer]] = {
    "a limit that is passed": [move(0, LIMITED, 10, FUNDS - 30 + 1)],
    "a limit that binds, were it not for an earlier event": [move(0, 10, LIMITED, 50), move(0, LIMITED, 10, FUNDS)],
    "the other limit that is passed": [move(0, 10, MIRRORED, FUNDS), move(0, 11, MIRRORED, 1)],
    "a sum that passes 2^62": [move(0, FULL, 10, FUNDS + 1)],
    "an account beyond 2^62": [move(0, 10, WIDE, 1)],
    "an amount beyond 2^62": [replace(PLAIN, amount=NARROW + 1)],
    "amounts that pass 2^62 together": [replace(PLAIN, amount=NARROW // 2 + 1)] * 2,
    "amounts whose sum passes 2^64": [replace(PLAIN, amount=NARROW)] * 8,
    "an amount beyond 64 bits": [replace(PLAIN, amount=2**64)],
    "an id that is known": [replace(PLAIN, id=KNOWN)],
    "an id that is burnt": [replace(PLAIN, id=BURNT)],
    "an id twice": [replace(PLAIN, id=5), replace(PLAIN, id=5)],
    "a wide id twice": [replace(PLAIN, id=5 << 64 | 1), replace(PLAIN, id=5 << 64 | 1)],
    "the id zero": [PLAIN, replace(PLAIN, code=2)],
    "the largest id": [replace(PLAIN, id=U128)],
    "an account that is not there": [replace(PLAIN, debit_account_id=77)],
    "an account with half its id": [replace(PLAIN, credit_account_id=2**100 + 10)],
    "an account closed by its flag": [replace(PLAIN, credit_account_id=CLOSED)],
    "an account closed by a transfer": [replace(PLAIN, debit_account_id=SHUT)],
    "accounts of two ledgers": [replace(PLAIN, debit_account_id=FOREIGN)],
    "another ledger than the accounts'": [replace(PLAIN, ledger=2)],
    "one account on both sides": [replace(PLAIN, debit_account_id=11)],
    "imported ones of one moment": [replace(PLAIN, flags=256, timestamp=LATER - 9)] * 2,
    "imported ones out of order": [replace(PLAIN, flags=256, timestamp=LATER - ago) for ago in (8, 9)],
    "an imported one of the past": [replace(PLAIN, flags=256, timestamp=START)],
    "an imported one of the present": [replace(PLAIN, flags=256, timestamp=LATER + 3)],
    "an imported one beyond all time": [replace(PLAIN, flags=256, timestamp=2**63)],
    "an imported reservation": [replace(PLAIN, flags=256 | 2, timestamp=LATER - 9)],
    "a timestamp": [replace(PLAIN, timestamp=1)],
    "a timeout": [replace(PLAIN, timeout=1)],
    "a pending id": [replace(PLAIN, pending_id=HELD)],
    "no code": [replace(PLAIN, code=0)],
    "no ledger": [replace(PLAIN, ledger=0)],
    **{f"flag {2**bit}": [replace(PLAIN, flags=2**bit)] for bit in range(16)},
}


def both(way: Way, other: Way, events: Sequence[Transfer], now_ns: int) -> bool:
    """Take a batch both ways and compare all there is to compare; return whether the fast path was taken."""
    was_fast = live_alike(way, other, events, now_ns)
    assert way.state() == state(way.replayed())
    return was_fast


def live_alike(way: Way, other: Way, events: Sequence[Transfer], now_ns: int) -> bool:
    """Take a batch both ways and compare results, bytes and books; return whether the fast path was taken."""
    planned = plan(way.books, events, now_ns)
    results = way.apply(planned) if planned else way.one_by_one(events, now_ns)
    assert results == other.one_by_one(events, now_ns)
    assert [each.body for each in way.journal] == [each.body for each in other.journal]
    assert way.state() == other.state()
    assert way.books.last_ns == other.books.last_ns
    return planned is not None


@pytest.mark.parametrize("events", FAST.values(), ids=FAST)
def test_what_may_be_taken_at_once_is(events: list[Transfer]) -> None:
    assert both(Way(), Way(), numbered(events, 1), LATER)


@pytest.mark.parametrize("name", SLOW)
def test_what_needs_a_closer_look_gets_it(name: str) -> None:
    events = SLOW[name] if name == "the id zero" else numbered(SLOW[name], 1)
    company = [replace(PLAIN, id=500 + number) for number in range(3)]
    for batch in (events, company + events, events + company):
        assert not both(Way(), Way(), batch, LATER)


def test_an_expiry_that_is_due_comes_first() -> None:
    for passed_ns, is_fast in ((3 * SECOND_NS + 7, True), (3 * SECOND_NS + 8, False)):
        assert both(Way(), Way(), [replace(PLAIN, id=1)], START + passed_ns) is is_fast


OPENED = LATER - 10
BESIDE = [
    (move(50, 10, 11, 1, timestamp=OPENED), "imported_event_timestamp_must_not_regress"),
    (move(50, 77, 11, 1, timestamp=OPENED - 1), "imported_event_timestamp_must_postdate_debit_account"),
    (move(50, 11, 77, 1, timestamp=OPENED - 1), "imported_event_timestamp_must_postdate_credit_account"),
    (move(50, 77, 11, 1, timestamp=OPENED + 1), "created"),
    (move(50, 10, 11, 1, timestamp=OPENED - 1), "created"),
]


@pytest.mark.parametrize("event, status", BESIDE)
def test_an_imported_one_stands_after_its_accounts_and_at_no_account_s_moment(event: Transfer, status: str) -> None:
    way, other = Way(), Way()
    for each in (way, other):
        each.one_by_one([Account(id=77, ledger=1, code=1, flags=16, timestamp=OPENED)], LATER)
    batch = [replace(event, flags=256)]
    assert [str(each.status) for each in core.create_transfers(way.books.draft(), batch, LATER)] == [status]
    assert both(way, other, batch, LATER) is (status == "created")


def test_accounts_and_transfers_of_history_are_taken_at_once_one_batch_after_the_other() -> None:
    way, other, now_ns = Way(), Way(), LATER
    for number in range(3):
        begin = LATER - 900 + 200 * number
        accounts = [Account(id=1000 * (number + 1) + each, ledger=1, code=1, flags=16, timestamp=begin + each) for each in range(50)]
        ready = fast.prepare_accounts(way.books, layout.accounts_batch(accounts))
        planned = fast.plan_accounts(way.books, ready, now_ns) if ready else None
        assert planned is not None
        assert way.apply(planned) == other.one_by_one(accounts, now_ns)
        moves = [move(5000 * (number + 1) + each, accounts[each].id, 10, 1, flags=256, timestamp=begin + 100 + each) for each in range(50)]
        assert both(way, other, moves, now_ns)
        assert not both(way, other, [replace(moves[0], id=4000 + number)], now_ns), "its moment has passed"
        beside = [Account(id=700 + number, ledger=1, code=1, flags=16, timestamp=begin + 149)]
        ready = fast.prepare_accounts(way.books, layout.accounts_batch(beside))
        assert ready is not None
        assert fast.plan_accounts(way.books, ready, now_ns) is None, "a transfer has that moment"


def test_no_timestamp_passes_the_last_one() -> None:
    way = Way()
    way.books.last_ns = LAST_NS - 2
    way.books.timers.own.clear()
    batch = [replace(PLAIN, id=number) for number in (1, 2, 3)]
    assert plan(way.books, batch[:2], LATER) is not None
    assert plan(way.books, batch, LATER) is None


pairs = st.sampled_from(list(permutations((10, 11, FREE, 2**100), 2)) * 4 + [(LIMITED, 10), (11, MIRRORED), (10, LIMITED), (MIRRORED, 11)])
usual = st.builds(lambda pair, amount: move(0, *pair, amount), pairs, st.integers(0, 12))
strange = st.sampled_from([event for batch in SLOW.values() for event in batch])
fitting = st.sampled_from([event for batch in FAST.values() for event in batch])
odd_ = st.one_of(*[st.none()] * 5, strange, fitting)
ids = st.sampled_from((0,) * 20 + (3, KNOWN, BURNT))
clocks = st.sampled_from((0, 0, 0, -SECOND_NS, SECOND_NS, 4 * SECOND_NS))
batch_ = st.tuples(st.lists(usual, min_size=1, max_size=24), odd_, ids, clocks, st.sampled_from((False, False, True)))
Batches = list[tuple[list[Transfer], Transfer | None, int, int, bool]]


def same_both_ways(batches: Batches) -> None:
    way, other, now_ns = Way(), Way(), LATER
    sent: list[list[Transfer]] = []
    for number, (events, odd, known, passed, is_history) in enumerate(batches):
        now_ns += passed
        whole = [*events, odd] if odd else events
        whole[0] = replace(whole[0], id=whole[0].id or known)
        batch = numbered(whole, 1000 * (number + 1))
        batch = history(way.books, batch, now_ns) if is_history else batch
        sent.append(batch)
        live_alike(way, other, batch, now_ns)
        balanced(way.books)
    assert way.state() == state(way.replayed())
    before = sums(way.books)
    for batch in sent:
        again = way.one_by_one(batch, way.books.last_ns)
        assert Status.CREATED not in {result.status for result in again}
    core.expire(other.books, way.books.last_ns)
    assert sums(way.books) in (before, sums(other.books)), "sent again, nothing moves but what expires"


@settings(deadline=None, max_examples=130)
@given(st.lists(batch_, min_size=4, max_size=5))
def test_both_ways_are_the_same(batches: Batches) -> None:
    same_both_ways(batches)


@pytest.mark.nightly
@pytest.mark.timeout(3600)
@settings(deadline=None, max_examples=2600)
@given(st.lists(batch_, min_size=4, max_size=5))
def test_both_ways_are_the_same_all_night(batches: Batches) -> None:
    same_both_ways(batches)


def sums(books: Books) -> dict[int, tuple[int, ...]]:
    return {each.id: (each.debits_pending, each.debits_posted, each.credits_pending, each.credits_posted) for each in books.accounts.own.values()}


def balanced(books: Books) -> None:
    for ledger in (1, 2):
        accounts = [each for each in books.accounts.own.values() if each.ledger == ledger]
        assert sum(each.debits_posted for each in accounts) == sum(each.credits_posted for each in accounts)
        assert sum(each.debits_pending for each in accounts) == sum(each.credits_pending for each in accounts)
    limited, mirrored = books.accounts.own[LIMITED], books.accounts.own[MIRRORED]
    assert limited.debits_pending + limited.debits_posted <= limited.credits_posted
    assert mirrored.credits_pending + mirrored.credits_posted <= mirrored.debits_posted


@pytest.mark.parametrize("seed", range(3))
def test_large_batches_one_prepared_while_the_other_is_on_its_way(seed: int) -> None:
    """Ids that the batch before has used, limits that it has used up: found when the plan is made."""
    dice, way, other, fast_ones = Random(seed), Way(), Way(), 0
    batches = [_random_batch(dice, 1 + 2000 * number, 400) for number in range(8)]
    before: Any = None
    ready = prepared(way.books, batches[0])
    for number, events in enumerate(batches):
        planned = fast.plan_transfers(way.books, ready, LATER, before) if ready else None
        ready = prepared(way.books, batches[number + 1]) if number < 7 else None
        results = way.apply(planned) if planned else way.one_by_one(events, LATER)
        if planned is None:
            ready = prepared(way.books, batches[number + 1]) if number < 7 else None
        before, fast_ones = planned, fast_ones + (planned is not None)
        assert results == other.one_by_one(events, LATER)
    assert 0 < fast_ones < 8
    assert [each.hash for each in way.journal] == [each.hash for each in other.journal]
    assert way.state() == other.state() == state(way.replayed())


def _random_batch(dice: Random, first: int, count: int) -> list[Transfer]:
    """Mostly new ids, now and then one of the batch before; mostly free accounts, now and then much from a limited one."""
    again = dice.random() < 0.3
    batch = [move(first + number, *dice.sample((FREE, 10, 11, 2**100), 2), dice.randrange(1000)) for number in range(count)]
    if again and first > 2000:
        batch[7] = replace(batch[7], id=first - 2000 + 7)
    return [*batch, move(first + count, LIMITED, FREE, 30)] if dice.random() < 0.4 else batch


def test_accounts_are_opened_both_ways_alike() -> None:
    opened = [Account(id=number << 60, ledger=1, code=7, flags=number % 3 * 2, user_data_64=number, user_data_128=number << 70) for number in range(1, 200)]
    odd = {
        "plain": opened,
        "known": [*opened, replace(opened[0], id=FREE)],
        "twice": [*opened, opened[3]],
        "both limits": [*opened, replace(opened[0], id=99, flags=6)],
        "linked": [replace(opened[0], id=99, flags=1), *opened],
        "with sums": [*opened, replace(opened[0], id=99, credits_posted=1)],
        "no code": [*opened, replace(opened[0], id=99, code=0)],
        "no ledger": [*opened, replace(opened[0], id=99, ledger=0)],
        "zero": [*opened, replace(opened[0], id=0)],
        "closed": [*opened, replace(opened[0], id=99, flags=32)],
        "history": [*opened, replace(opened[0], id=99, flags=8)],
        "reserved flag": [*opened, replace(opened[0], id=99, flags=64)],
        "imported and not": [*opened, replace(opened[0], id=99, flags=16, timestamp=LATER - 1)],
        "imported": [replace(each, flags=each.flags | 16, timestamp=LATER - 900 + place) for place, each in enumerate(opened)],
        "stamped": [*opened, replace(opened[0], id=99, timestamp=1)],
    }
    for name, batch in odd.items():
        way, other = Way(), Way()
        ready = fast.prepare_accounts(way.books, layout.accounts_batch(batch))
        planned = fast.plan_accounts(way.books, ready, LATER) if ready else None
        assert (planned is not None) == (name in ("plain", "closed", "history", "imported")), name
        results = way.apply(planned) if planned else way.one_by_one(batch, LATER)
        assert results == other.one_by_one(batch, LATER)
        assert [each.body for each in way.journal] == [each.body for each in other.journal]
        assert way.state() == other.state() == state(way.replayed())
        moved = [move(1, 99 if name == "closed" else 3 << 60, 10, 5)]
        assert both(way, other, moved, LATER) is (name != "closed")


def test_an_account_that_becomes_narrow_again_is_fast_again() -> None:
    way, other = Way(), Way()
    held = move(1, 10, 11, NARROW, flags=2), move(2, 10, 11, NARROW, flags=2)
    void = [replace(move(number, 0, 0, 0), ledger=0, code=0, pending_id=number - 2, flags=8) for number in (3, 4)]
    assert not both(way, other, held, LATER)
    assert not both(way, other, [replace(PLAIN, id=5)], LATER), "an account with 2^63 reserved is beside the columns"
    assert not both(way, other, void, LATER)
    assert both(way, other, [replace(PLAIN, id=6)], LATER)


def test_replay_takes_mixed_records_in_their_order() -> None:
    way = Way()
    mixed: list[Transfer] = []
    for number in range(1, 400):
        flags = 2 if number % 50 == 0 else 0
        mixed.append(move(number, *((10, 11) if number % 2 else (11, 10)), number, flags=flags))
    mixed.append(replace(move(1000, 0, 0, U128), ledger=0, code=0, pending_id=50, flags=4))
    mixed.append(move(1001, 10, WIDE, 3))
    way.one_by_one(mixed, LATER)
    assert state(way.replayed()) == way.state()
    with pytest.raises(ValueError, match="transfer 3 moves an account that is not in the books"):
        bulk.replay(Books(), layout.transfers_batch(mixed[2:30]))


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 60), st.randoms(use_true_random=False))
def test_what_is_packed_is_unpacked(count: int, dice: Any) -> None:
    values = {"zero": lambda _: 0, "same": lambda _: 2**31, "rising": lambda n: 2**40 + n}
    values |= {"small": lambda _: dice.randrange(2**32), "large": lambda _: dice.randrange(2**64)}
    batch = np.zeros(count, layout.TRANSFER)
    for name in layout.TRANSFER.names or ():
        kind = dice.choice(list(values))
        batch[name] = [values[kind](number) & (2 ** (8 * batch[name].dtype.itemsize) - 1) for number in range(count)]
    raw = packing.pack(batch)
    found, taken = packing.unpack(memoryview(raw + b"rest"), count, layout.TRANSFER)
    assert (found.tobytes(), taken) == (batch.tobytes(), len(raw))
    records: layout.Records[Transfer] = layout.Records(batch)
    assert layout.transfers_batch(records).tobytes() == batch.tobytes()


def test_a_body_that_is_not_one_of_ours_is_refused() -> None:
    written = body.write([Entry(burnt=(1, 2), expired=(3,))])
    assert body.read(written) == (Entry(burnt=(1, 2), expired=(3,)),)
    with pytest.raises(ValueError, match="version 5"):
        body.read(written[:4] + b"\x05" + written[5:])
    with pytest.raises(ValueError, match="of which its entries take"):
        body.read(written + b"x")
    columns = bytearray(packing.pack(layout.transfers_batch([move(number, 1, 2, 3) for number in range(1, 20)])))
    columns[0] = 9
    with pytest.raises(ValueError, match="kind 9"):
        packing.unpack(memoryview(columns), 19, layout.TRANSFER)


@pytest.mark.parametrize("step", [1, 2**32, 2**63 // 5])
def test_ids_are_found_through_every_growth(step: int) -> None:
    table, known = IdTable(), {}
    dice = Random(step)
    for begin in range(0, 40_000, 997):
        numbers = np.arange(begin, begin + 997, dtype=np.uint64)
        lo, hi = numbers * np.uint64(step), numbers % np.uint64(3)
        assert (table.find(lo, hi) == -1).all()
        first = table.add(lo, hi)
        assert (table.find(lo, hi) == np.arange(first, first + 997)).all()
        known |= {int(low) | int(high) << 64: first + place for place, (low, high) in enumerate(zip(lo, hi, strict=True))}
        single = (begin + 1) << 65
        assert table.find_one(single) == -1
        known[single] = table.add_one(single)
    for wanted in dice.sample(sorted(known), 2000):
        assert table.find_one(wanted) == known[wanted]
        assert table.id(known[wanted]) == wanted
    assert len(table) == len(known)
