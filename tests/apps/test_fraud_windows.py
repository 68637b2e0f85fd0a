"""Windows of fraud: both readings equal brute force and DuckDB, longer ones never count less, order within L does not matter to what has settled."""

import random
from collections.abc import Iterator, Sequence

import duckdb
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reference_apps.fraud.features import keystate, panes, settled, spec, sql
from reference_apps.fraud.features.keystate import KeyState
from reference_apps.fraud.features.shard import Shard
from reference_apps.fraud.features.sketch import Sketch
from reference_apps.fraud.features.spec import DAY_MS, FAMILIES, LATENESS_MS, NOTHING, SPEC, WIDTH
from reference_apps.fraud.model import Event
from tests.apps.fraud_work import BEGIN_MS, brute_force, event, keys_of, settled_brute_force, shuffled_log

MINUTE_MS = 60_000


def online(log: Sequence[Event]) -> list[tuple[tuple[int, ...], ...]]:
    shard = Shard()
    return [tuple(found or NOTHING for found in shard.apply(position, each).figures) for position, each in enumerate(log, 1)]


def counts(log: Sequence[Event], family: str = "account") -> list[int]:
    return list(online(log)[-1][FAMILIES.index(family)][::WIDTH])


def test_the_documented_example() -> None:
    log = [event(number, BEGIN_MS + at, account="a") for number, at in enumerate((0, 30_000, 60_000))]
    assert counts(log)[0] == 2, "at 60 s the event of second 0 is out: (t - w, t]"
    assert counts([event(8, BEGIN_MS, account="a"), event(9, BEGIN_MS, account="a")])[0] == 2, "an event of the same moment that stands before counts"
    assert counts([event(8, BEGIN_MS + 1, account="a"), event(9, BEGIN_MS, account="a")]) == [1] * 6, "what happened later does not, although it stands before"


def test_windows_of_days_are_daily_panes() -> None:
    noon = BEGIN_MS // DAY_MS * DAY_MS + DAY_MS // 2
    log = [event(number, noon - days * DAY_MS, account="a") for number, days in enumerate((31, 30, 29, 7, 6, 2, 1, 0))]
    assert counts(log) == [1, 1, 1, 1, 4, 6], "7 d are today and six days before; 30 d today and 29; what is 24 h old to the moment is out"
    assert counts([*log, event(99, noon - 3 * DAY_MS, account="a")])[4:] == [3, 6], "a late one counts the days up to its own"


def test_the_spec_is_checked() -> None:
    assert SPEC.place("device", "24h", "phone") == (1, 3 * WIDTH + 4)
    for place in (("shoe", "24h", "count"), ("device", "2h", "count"), ("device", "24h", "merchant")):
        with pytest.raises(ValueError, match=r"declare"):
            SPEC.place(*place)


minutes = st.one_of(st.integers(0, 12), st.integers(0, 3_000), st.integers(0, 60_000), st.sampled_from((0, 10, 60, 1_440, 1_441, 10_080)))
events = st.builds(
    lambda minutes, keys, amount, contacts, kind: (
        keys | {"at_ms": BEGIN_MS + minutes * MINUTE_MS, "amount_fen": amount, "contacts": tuple(contacts), "kind": kind}
    ),
    minutes,
    st.fixed_dictionaries(
        {
            "account": st.sampled_from("ab"),
            "device": st.sampled_from(("", "d", "e")),
            "phone": st.sampled_from(("", "p")),
            "merchant": st.sampled_from(("", "m")),
        }
    ),
    st.integers(0, 500),
    st.lists(st.sampled_from("xyz"), max_size=2),
    st.sampled_from(("application", "application", "login")),
)
logs = st.lists(events, min_size=1, max_size=60).map(lambda found: [event(number, **each) for number, each in enumerate(found)])


@settings(deadline=None, max_examples=150)
@given(logs, st.sampled_from((2, 5, 24)), st.booleans())
def test_online_windows_equal_brute_force(log: list[Event], busy: int, is_ordered: bool) -> None:
    """Whatever the order of the log, and from however few events on windows have moving heads."""
    log = sorted(log, key=lambda each: each.at_ms) if is_ordered else log
    usual, keystate.BUSY = keystate.BUSY, busy
    try:
        found = online(log)
    finally:
        keystate.BUSY = usual
    for place, current in enumerate(log):
        for number, family in enumerate(SPEC.families):
            expected = [brute_force(family, key, current, log[:place]) for key in keys_of(family, current)]
            assert found[place][number] == (tuple(map(max, *expected, expected[0])) if expected else NOTHING), (place, family.name)
            for figure in range(WIDTH):
                row = found[place][number][figure::WIDTH]
                assert list(row) == sorted(row), "a longer window never counts less"


@settings(deadline=None, max_examples=25)
@given(logs)
def test_settled_windows_equal_brute_force_and_emitted_ones_stay(log: list[Event]) -> None:
    found = {each.position: each.figures for each in settled.run(enumerate(log))}
    for place, current in enumerate(log):
        for number, family in enumerate(SPEC.families):
            expected = [settled_brute_force(family, key, place, log) for key in keys_of(family, current)]
            if place not in found:
                assert set(expected) <= {None}, "only a late event settles nothing of its own"
            else:
                known = [each for each in expected if each is not None]
                assert found[place][number] == (tuple(map(max, *known, known[0])) if known else NOTHING)
    settling, emitted = settled.Settling(), list[settled.Settled]()
    for position, each in enumerate(log):
        emitted += settling.take(position, each)
    assert all(found[each.position] == each.figures for each in emitted), "what more of the log could come changes nothing that was emitted"


@settings(deadline=None, max_examples=60)
@given(logs, st.randoms(use_true_random=False))
def test_a_shuffle_within_l_leaves_settled_windows_unchanged(log: list[Event], dice: random.Random) -> None:
    log = sorted(log, key=lambda each: each.at_ms)
    arrivals = {each.id: each.at_ms + dice.randrange(LATENESS_MS) for each in log}
    other = sorted(log, key=lambda each: arrivals[each.id])

    def by_id(order: list[Event]) -> dict[str, tuple[tuple[int, ...], ...]]:
        return {order[each.position].id: each.figures for each in settled.run(enumerate(order))}

    assert by_id(other) == by_id(log)


@settings(deadline=None, max_examples=60)
@given(logs, st.integers(0, 60))
def test_a_key_that_is_packed_and_unpacked_goes_on_as_if_nothing_was(log: list[Event], when: int) -> None:
    straight, broken = KeyState(), KeyState()
    for place, each in enumerate(log):
        if place == when:
            packed = broken.pack()
            broken = KeyState.unpack(packed)
            assert broken.pack() == packed
        entry = (each.at_ms, each.amount_fen, each.device, each.phone)
        assert straight.observe(entry) == broken.observe(entry)
    assert straight.pack() == broken.pack()


def test_above_a_thousand_distinct_values_days_estimate_and_hours_stay_exact() -> None:
    days = [event(number, BEGIN_MS + number * MINUTE_MS, merchant="m") for number in range(4_000)]
    found = [row[FAMILIES.index("merchant")] for row in online(days)]
    exact, week, month = 3 * WIDTH + 3, 4 * WIDTH + 3, 5 * WIDTH + 3
    assert found[999][week] == found[999][month] == 1_000
    assert [row[exact] for row in found[2_000:]] == [1_440] * 2_000
    assert all(abs(row[week] / number - 1) < 0.1 for number, row in enumerate(found[1_000:], 1_001))
    assert any(row[week] != number for number, row in enumerate(found, 1))
    assert all(row[exact] <= row[week] <= row[month] for row in found)


def test_a_sketch_is_a_function_of_the_set() -> None:
    values = [f"v{number}" for number in range(20_000)]
    whole, parts = Sketch().with_values(values), Sketch().with_values(values[:9_000])
    parts.merge(Sketch().with_values(reversed(values[7_000:])))
    assert parts.registers == whole.registers
    assert parts.estimate() == whole.estimate()
    assert abs(whole.estimate() / 20_000 - 1) < 0.08
    assert panes.size(set(values[:7])) == 7


COLUMNS = ("position", "kind", "at_ms", "amount_fen", "account", "device", "phone", "network", "address", "merchant", "contacts")


def table_of(log: Sequence[Event], folder: str) -> duckdb.DuckDBPyConnection:
    """Return a database with the log as a table, read from JSON lines."""
    lines = [msgspec.json.encode({name: place if name == "position" else getattr(each, name) for name in COLUMNS}) for place, each in enumerate(log, 1)]
    with open(f"{folder}/log.jsonl", "wb") as file:
        file.write(b"\n".join(lines))
    database = duckdb.connect(config={"threads": 2})
    types = {name: "BIGINT" if name in ("position", "at_ms", "amount_fen") else "VARCHAR[]" if name == "contacts" else "VARCHAR" for name in COLUMNS}
    database.execute(f"CREATE TABLE log AS SELECT * FROM read_json('{folder}/log.jsonl', format = 'newline_delimited', columns = {types})")
    return database


def by_key(log: Sequence[Event]) -> Iterator[tuple[str, list[tuple[int | str, ...]]]]:
    """Yield, for each family, the rows that the serving process has: position, key, figures."""
    for family in SPEC.families:
        states: dict[tuple[str, str], KeyState] = {}
        rows: list[tuple[int | str, ...]] = []
        for position, each in enumerate(log, 1):
            entry = (each.at_ms, each.amount_fen, getattr(each, family.distinct[0]), getattr(each, family.distinct[1]))
            for key in keys_of(family, each):
                rows.append((position, key, *states.setdefault((each.kind, key), KeyState()).observe(entry)))
        yield family.name, rows


def assert_no_difference(database: duckdb.DuckDBPyConnection, query: str, names: Sequence[str], rows: list[tuple[int | str, ...]]) -> None:
    found = database.execute(f"SELECT position, key, {', '.join(chr(34) + name + chr(34) for name in names)} FROM ({query}) ORDER BY position, key").fetchall()
    rows = sorted(rows)
    assert len(found) == len(rows)
    difference = [(theirs, ours) for theirs, ours in zip(found, rows, strict=True) if theirs != ours]
    assert difference == [], difference[:3]


def compare_online(log: list[Event], folder: str) -> None:
    database = table_of(log, folder)
    for family, rows in by_key(log):
        assert_no_difference(database, sql.online(family), sql.columns(family), rows)


def test_a_shuffled_log_has_no_difference_between_serving_and_sql(tmp_path_factory: pytest.TempPathFactory) -> None:
    compare_online(shuffled_log(4_000, seed=7), str(tmp_path_factory.mktemp("log")))


def test_a_merchant_of_thousands_has_no_difference_between_serving_and_sql(tmp_path_factory: pytest.TempPathFactory) -> None:
    log = shuffled_log(2_500, seed=6, keys=4_000, hot=0.95, days=12)
    assert max(row[FAMILIES.index("merchant")][-2] for row in online(log)) > spec.EXACT_DISTINCT, "some are estimated"
    compare_online(log, str(tmp_path_factory.mktemp("log")))


@pytest.mark.nightly
@pytest.mark.timeout(1200)
def test_a_shuffled_log_of_300_000_events_has_no_difference(tmp_path_factory: pytest.TempPathFactory) -> None:
    compare_online(shuffled_log(300_000, seed=8, hot=0.01), str(tmp_path_factory.mktemp("log")))


def test_settled_windows_have_no_difference_between_serving_and_sql(tmp_path_factory: pytest.TempPathFactory) -> None:
    log = shuffled_log(3_000, seed=9, hot=0.1)
    database = table_of(log, str(tmp_path_factory.mktemp("log")))
    found = list(settled.run(enumerate(log, 1)))
    assert len(found) < len(log), "some were late"
    for number, family in enumerate(SPEC.families):
        if not family.many:
            keyed = [(each, keys_of(family, log[each.position - 1])) for each in found]
            rows = [(each.position, keys[0], *each.figures[number]) for each, keys in keyed if keys]
            assert_no_difference(database, sql.settled(family.name), sql.columns(family.name), rows)


def test_the_spec_that_contradicts_itself_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    told = {"windows": [{"name": "1h", "length_s": 3600}, {"name": "60s", "length_s": 60}], "families": []}
    monkeypatch.setattr(spec.yaml, "safe_load", lambda _: told)
    spec.load.cache_clear()
    with pytest.raises(ValueError, match="each longer than the one before"):
        spec.load()
    spec.load.cache_clear()
