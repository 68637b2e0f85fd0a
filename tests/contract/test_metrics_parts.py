"""How scraped text becomes counts, and counts become readings."""

import itertools
import math
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest

from ctl.backends.metrics import exposition, series
from ctl.backends.metrics.exposition import Counts
from ctl.backends.metrics.series import Series
from ctl.decide import verdict
from ctl.model.fleet import Reading

EDGES = (0.01, 0.1, 1.0)
INF = float("inf")


def counts(requests: int, errors: int = 0) -> Counts:
    """Return counts of requests that took 50 ms each."""
    return Counts(requests, errors, (*EDGES, INF), (0, requests, requests, requests))


routes = st.text(st.characters(codec="utf-8", exclude_categories=("Cs",)), max_size=8)


@given(st.lists(st.tuples(routes, st.sampled_from(("200", "404", "499", "500", "503")), st.floats(0, 2)), max_size=12))
@settings(deadline=None, max_examples=60)
def test_text_is_read_as_it_was_meant_whatever_a_label_holds(served: list[tuple[str, str, float]]) -> None:
    registry = CollectorRegistry()
    total = Counter("http_requests_total", "Requests.", ("code", "route"), registry=registry)
    took = Histogram("http_request_duration_seconds", "Time.", ("route",), buckets=EDGES, registry=registry)
    Counter("other_requests_total", "Not these.", ("code",), registry=registry).labels("500").inc(1000)
    for route, code, seconds in served:
        total.labels(code, route).inc()
        took.labels(route).observe(seconds)
    found = exposition.parse(generate_latest(registry).decode())
    assert (found.requests, found.errors) == (len(served), sum(1 for _, code, _ in served if code >= "500"))
    if served:
        assert dict(zip(found.edges, found.counts, strict=True)) == {edge: sum(1 for *_, took in served if took <= edge) for edge in (*EDGES, INF)}


def test_an_instance_without_requests_has_counted_none() -> None:
    assert exposition.parse("") == exposition.parse("# HELP x y\nx 1\n") == Counts()


def test_more_buckets_than_anybody_has_are_nonsense() -> None:
    with pytest.raises(ValueError, match="buckets"):
        exposition.parse("".join(f'http_request_duration_seconds_bucket{{le="{edge}"}} 1\n' for edge in range(1000)))


@given(st.lists(st.integers(0, 50), min_size=2, max_size=40), st.integers(1, 12))
@settings(deadline=None, max_examples=80)
def test_windows_side_by_side_add_up(added: list[int], window: int) -> None:
    line, total = Series(), 0
    for second, more in enumerate(added):
        total += more
        line.add(1000.0 + second, counts(total), generation=1, born_s=0.0)
    end = len(added) - 1
    begin = max(0, end - window)
    increase = line.over(float(end - begin), 1000.0 + end)
    assert increase
    assert increase.requests == sum(added[begin + 1 :])
    assert (increase.from_s, increase.to_s) == (1000.0 + begin, 1000.0 + end)
    assert increase.buckets == ((0.01, 0), *((edge, increase.requests) for edge in (0.1, 1.0, INF)))


@given(st.lists(st.tuples(st.integers(0, 20), st.booleans()), min_size=2, max_size=30))
@settings(deadline=None, max_examples=80)
def test_restarts_never_make_less_of_it(steps: list[tuple[int, bool]]) -> None:
    """Each step serves so many requests, after a restart or not; a restart is seen by its generation, even where the counter did not fall."""
    line, raw, generation, whole = Series(), 0, 1, 0
    for second, (more, restarts) in enumerate(steps):
        if restarts and second:
            raw, generation = 0, generation + 1
        raw += more
        whole += more
        line.add(1000.0 + second, counts(raw, raw), generation=generation, born_s=999.5)
    increase = line.over(1000.0, 1000.0 + len(steps))
    assert increase
    assert (increase.requests, increase.errors, increase.buckets[-1]) == (whole, whole, (INF, whole))


def test_a_counter_that_falls_was_reset_whatever_the_generation_says() -> None:
    line = Series()
    for second, raw in enumerate((100, 110, 3, 5)):
        line.add(1000.0 + second, counts(raw), generation=1, born_s=0.0)
    increase = line.over(100.0, 1010.0)
    assert increase
    assert increase.requests == 10 + 5


def test_an_instance_born_in_the_window_counts_from_zero_and_one_seen_late_from_its_first_sample() -> None:
    young, old = Series(), Series()
    for second in (0, 1):
        young.add(1000.0 + second, counts(40 + second), generation=1, born_s=998.0)
        old.add(1000.0 + second, counts(40 + second), generation=1, born_s=10.0)
    one, other = young.over(10.0, 1001.5), old.over(10.0, 1001.5)
    assert one
    assert other
    assert (one.requests, one.from_s, other.requests, other.from_s) == (41, 998.0, 1, 1000.0)


def test_one_sample_says_nothing_unless_it_tells_a_whole_life() -> None:
    young, old = Series(), Series()
    young.add(1000.0, counts(5), generation=1, born_s=995.0)
    old.add(1000.0, counts(5), generation=1, born_s=10.0)
    increase = young.over(10.0, 1001.0)
    assert increase
    assert increase.requests == 5
    assert old.over(10.0, 1001.0) is None
    assert Series().over(10.0, 1001.0) is None


def test_a_gap_is_not_counted_into_the_window() -> None:
    line = Series()
    for at_s, raw in ((1000.0, 10), (1300.0, 9000), (1301.0, 9001)):
        line.add(at_s, counts(raw), generation=1, born_s=0.0)
    increase = line.over(10.0, 1302.0)
    assert increase
    assert increase.requests == 1, "what happened between 1000 and 1300 may have been before the window"


def test_ten_minutes_are_kept_and_not_more() -> None:
    line = Series()
    for second in range(2000):
        line.add(float(second), counts(second), generation=1, born_s=-1e6)
    assert line.newest_s == 1999.0
    for window_s in (10.0, 60.0, 119.0):
        increase = line.over(window_s, 1999.0)
        assert increase
        assert increase.requests == window_s
    increase = line.over(590.0, 1999.0)
    assert increase
    assert increase.requests == pytest.approx(590, abs=series.EVERY)
    increase = line.over(5000.0, 1999.0)
    assert increase
    assert increase.requests <= 620


def test_samples_out_of_order_are_left_out() -> None:
    line = Series()
    for at_s, raw in ((1000.0, 1), (1001.0, 2), (1000.5, 50), (1001.0, 60)):
        line.add(at_s, counts(raw), generation=1, born_s=0.0)
    increase = line.over(10.0, 1002.0)
    assert increase
    assert increase.requests == 1


def running(added: list[int]) -> tuple[tuple[float, int], ...]:
    return tuple(zip((*EDGES, INF), itertools.accumulate(added), strict=True))


cumulative = st.lists(st.integers(0, 30), min_size=4, max_size=4).map(running)


@given(cumulative)
@settings(deadline=None, max_examples=80)
def test_p99_is_the_one_of_the_judge(buckets: tuple[tuple[float, int], ...]) -> None:
    requests, at = buckets[-1][1], datetime(2030, 1, 1, tzinfo=UTC)
    said = Reading(service="risk", release="a", instance="a-1", requests=requests, errors=0, p99_ms=None, window_s=1.0, at=at, buckets=buckets)
    judged = verdict.side([said], "a").p99_ms
    ours = series.quantile_ms(buckets, 0.99)
    assert ours == judged or (ours is not None and judged is not None and math.isclose(ours, judged))
