"""The graph of fraud, declared once and worked out twice: event by event as it is served, and as SQL over the whole log. The difference is zero rows."""

import random
from collections.abc import Sequence

import duckdb
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reference_apps.fraud.features import graphsql
from reference_apps.fraud.features.graph import PUBLIC
from reference_apps.fraud.features.shard import Shard
from reference_apps.fraud.model import Event, Family, Listing, ListKind
from tests.apps.fraud_work import BEGIN_MS, event, shuffled_log

Item = Event | Listing
Ties = tuple[int, ...]


def served(log: Sequence[Item]) -> list[Ties]:
    """Return position and ties of each event, as an instance has them."""
    shard, found = Shard(), []
    for position, item in enumerate(log, 1):
        if isinstance(item, Listing):
            shard.note(position, item)
        else:
            ties = shard.apply(position, item).ties
            found.append((position, *(getattr(ties, name) for name in graphsql.COLUMNS)))
    return found


def queried(log: Sequence[Item]) -> list[Ties]:
    """Return the same from DuckDB."""
    database = duckdb.connect(config={"threads": 2})
    database.execute("CREATE TABLE log (position BIGINT, at_ms BIGINT, account VARCHAR, device VARCHAR, contacts VARCHAR[])")
    database.execute("CREATE TABLE marks (position BIGINT, account VARCHAR, is_bad BOOLEAN)")
    numbered = list(enumerate(log, 1))
    events = [(position, each.at_ms, each.account, each.device, list(each.contacts)) for position, each in numbered if isinstance(each, Event)]
    marks = [(position, each.value, each.until_ms > each.from_ms) for position, each in numbered if isinstance(each, Listing)]
    fill(database, "log", events, ("BIGINT[]", "BIGINT[]", "VARCHAR[]", "VARCHAR[]", "VARCHAR[][]"))
    fill(database, "marks", marks, ("BIGINT[]", "VARCHAR[]", "BOOLEAN[]"))
    return database.execute(f"SELECT position, {', '.join(graphsql.COLUMNS)} FROM ({graphsql.online()}) ORDER BY position").fetchall()


def fill(database: duckdb.DuckDBPyConnection, table: str, rows: Sequence[tuple[object, ...]], types: Sequence[str]) -> None:
    """Insert rows a column at a time: row by row takes longer than the query."""
    columns = ", ".join(f"unnest(CAST(? AS {each}))" for each in types)
    database.execute(f"INSERT INTO {table} SELECT {columns}", [list(column) for column in zip(*rows, strict=True)] or [[] for _ in types])


def marked(account: str, is_bad: bool) -> Listing:
    until_ms = BEGIN_MS + 1_000 if is_bad else BEGIN_MS
    return Listing(kind=ListKind.BLOCK, family=Family.ACCOUNT, value=account, from_ms=BEGIN_MS, until_ms=until_ms, reason="seen before")


def with_marks(log: Sequence[Event], seed: int) -> list[Item]:
    """Put accounts on the block list and take some of them off again, between the events."""
    dice, found = random.Random(seed), list[Item]()
    for each in log:
        if dice.random() < 0.05:
            found.append(marked(dice.choice(log).account, dice.random() < 0.7))
        found.append(each)
    return found


def assert_no_difference(log: Sequence[Item]) -> list[Ties]:
    ours, theirs = served(log), queried(log)
    difference = [pair for pair in zip(ours, theirs, strict=True) if pair[0] != pair[1]]
    assert difference == [], difference[:3]
    return ours


def test_a_shuffled_log_with_marks_has_no_difference() -> None:
    found = assert_no_difference(with_marks(shuffled_log(4_000, seed=11, keys=6_000), seed=11))
    assert max(ties[2] for ties in found) > 20, "there are rings"
    assert any(ties[4] for ties in found), "some are near a bad account"


def test_a_public_device_takes_in_nobody_further() -> None:
    log = [event(number, BEGIN_MS + number, device="tablet of a shop") for number in range(PUBLIC + 20)]
    again = [msgspec.structs.replace(each, id=f"again {each.id}", at_ms=each.at_ms + 1_000) for each in log]
    found = assert_no_difference([*log, *again])
    assert [found[place][1] for place in (PUBLIC - 1, PUBLIC, -1)] == [PUBLIC - 1, PUBLIC, PUBLIC], "who stands outside sees all of it"
    assert [found[place][2] for place in (-21, -1)] == [PUBLIC, 1]


@pytest.mark.nightly
@pytest.mark.timeout(1200)
def test_a_long_shuffled_log_has_no_difference() -> None:
    assert_no_difference(with_marks(shuffled_log(300_000, seed=12, keys=900_000), seed=12))


events = st.builds(
    lambda account, device, contacts, minutes: {"account": account, "device": device, "contacts": tuple(contacts), "at_ms": BEGIN_MS + minutes * 60_000},
    st.sampled_from("abcdef"),
    st.sampled_from(("", "d", "e", "f")),
    st.lists(st.sampled_from("xyz"), max_size=3),
    st.one_of(st.integers(0, 3_000), st.sampled_from((0, 1_440, 1_441))),
)
marks = st.tuples(st.sampled_from("abcdef"), st.booleans())


@settings(deadline=None, max_examples=40)
@given(st.lists(st.one_of(events, events, marks), min_size=1, max_size=25))
def test_any_small_log_has_no_difference(told: list[dict[str, object] | tuple[str, bool]]) -> None:
    log = [event(number, **each) if isinstance(each, dict) else marked(*each) for number, each in enumerate(told)]
    if any(isinstance(each, Event) for each in log):
        assert_no_difference(log)
