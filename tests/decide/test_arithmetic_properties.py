"""What holds for the arithmetic alone: sizes, shares of traffic, verdicts."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from ctl.decide import routing, sizing, verdict
from ctl.decide.sizing import Size
from ctl.model.fleet import Reading
from ctl.model.rollout import Phase, Rollout, Side, Verdict
from ctl.model.service import Gate
from tests.decide.histories import BRISK, examples, shares
from tests.decide.world import EPOCH

sizes = st.integers(0, 12)
groups = st.builds(lambda size, out: Size("", size, max(0, size - out)), sizes, st.integers(0, 12))


@examples
@given(shares, shares, st.integers(0, 400))
def test_bounds_never_both_vanish_and_never_exceed_what_is_wanted(surge: sizing.Share, unavailable: sizing.Share, desired: int) -> None:
    more, less = sizing.resolve(surge, unavailable, desired)
    assert (more, less) == (0, 0) if desired == 0 else more + less >= 1
    assert 0 <= less <= desired
    for most in range(desired, desired + more + 2):
        room, gap = sizing.capped(more, less, desired, most)
        assert desired + room <= most
        assert desired == 0 or room + gap >= 1, "something can always move"


@examples
@given(groups, st.lists(groups, max_size=3), st.integers(0, 12), st.integers(0, 12))
def test_shrinking_never_takes_what_is_needed(target: Size, others: list[Size], desired: int, unavailable: int) -> None:
    olds = [Size(f"old-{number}", old.size, old.available) for number, old in enumerate(others)]
    take = sizing.shrunk(target, olds, desired, min(unavailable, desired))
    least = desired - min(unavailable, desired)
    left = target.available
    for old in olds:
        taken = take.get(old.release, 0)
        assert 0 <= taken <= old.size
        left += min(old.available, old.size - taken)
    had = target.available + sum(old.available for old in olds)
    assert left >= min(least, had), "unhealthy ones go first, so what is available falls only to the least"
    broken = sum(old.size - old.available for old in olds)
    budget = target.available + sum(old.size for old in olds) - least
    assert sum(take.values()) >= min(broken, max(0, budget)), "a broken old instance never stays in the way"


@examples
@given(sizes, sizes, st.integers(0, 12), st.integers(0, 6))
def test_growing_stays_within_desired_and_surge(target: int, others: int, desired: int, surge: int) -> None:
    size = sizing.grown(target, target + others, desired, surge)
    assert size <= max(desired, 0)
    assert size <= target or size + others <= desired + surge


@examples
@given(st.lists(st.integers(1, 60), min_size=2, max_size=4), st.integers(1, 60), st.integers(0, 20))
def test_a_resize_keeps_proportions_and_reaches_exactly_what_is_allowed(counts: list[int], desired: int, surge: int) -> None:
    rows = [(f"r{number}", count) for number, count in enumerate(counts)]
    before, allowed = sum(counts), desired + surge
    result = sizing.resized(rows, desired, surge, before)
    assert sum(result.values()) == allowed or (allowed < before and sum(result.values()) <= allowed + len(rows))
    first = max(rows, key=lambda row: (row[1], int(row[0][1:]) if allowed > before else -int(row[0][1:])))[0]
    for release, size in rows:
        if release != first and result[release] != size:
            off = abs(result[release] - size * allowed / before)
            assert off <= max(1, len(rows) / 2), "within one instance for two groups; what is left over lies on the first visited"
        assert (result[release] - size) * (allowed - before) >= 0, "nobody moves against the change"


@examples
@given(st.integers(1, 40), st.integers(0, 100))
def test_a_canary_with_a_split_can_carry_its_weight(desired: int, weight: int) -> None:
    size = sizing.canary_with_split(desired, weight)
    assert size * 100 >= desired * weight
    assert size <= desired
    assert (size == 0) == (weight == 0)


@examples
@given(st.integers(1, 40), st.integers(0, 100), st.integers(0, 1))
def test_a_canary_without_a_split_comes_as_near_as_counts_can(desired: int, weight: int, surge: int) -> None:
    canary, stable = sizing.canary_without_split(desired, weight, surge)
    assert canary + stable in ((desired, desired + 1) if surge else (desired,))
    assert abs(100 * canary / (canary + stable) - weight) <= 100 / (canary + stable), "never a whole instance off"
    if 0 < weight < 100 and (desired > 1 or surge):
        assert canary > 0
        assert stable > 0


@examples
@given(st.dictionaries(st.sampled_from("abcde"), st.integers(0, 3000), max_size=5))
def test_shares_are_whole_percents_that_sum_to_100(parts: dict[str, int]) -> None:
    found = routing.shares(parts)
    assert sum(found.values()) == (100 if any(parts.values()) else 0)
    assert set(found) == {release for release, part in parts.items() if part > 0}
    assert all(percent >= 1 for percent in found.values())
    for release, percent in found.items():
        exact = 100 * parts[release] / sum(parts.values())
        assert percent <= exact + 1
        assert percent >= min(exact, 50) - len(found)


readings = st.lists(
    st.builds(
        Reading,
        service=st.just("risk"),
        release=st.sampled_from(["old", "new"]),
        instance=st.sampled_from("abcd"),
        requests=st.integers(0, 500),
        errors=st.integers(0, 20),
        p99_ms=st.none() | st.integers(1, 400).map(float),
        window_s=st.just(10.0),
        at=st.just(EPOCH),
    ),
    min_size=7,
    max_size=8,
    unique_by=lambda reading: (reading.release, reading.instance),
)


def judged(found: list[Reading]) -> Verdict:
    target, stable = verdict.side(found, "new"), verdict.side(found, "old")
    return verdict.doubted(verdict.measure(target, stable, Gate(), EPOCH), 8 - len(found)).verdict


@examples
@given(readings, st.integers(0, 7))
def test_a_verdict_never_becomes_ok_by_data_that_is_missing(found: list[Reading], which: int) -> None:
    whole = judged(found)
    fewer = [reading for number, reading in enumerate(found) if number != which]
    assert judged(fewer) is not Verdict.OK or whole is Verdict.OK or fewer == found
    timeless = [replace(reading, p99_ms=None) if reading.release == "new" else reading for reading in found]
    assert judged(timeless) is not Verdict.OK or whole is Verdict.OK


@examples
@given(st.lists(st.sampled_from(Verdict), max_size=40))
def test_a_failed_window_stays_counted_whatever_comes_after_it(verdicts: list[Verdict]) -> None:
    times = {"phase_since": EPOCH, "started_at": EPOCH, "last_progress_at": EPOCH}
    rollout = Rollout(id="r", service="risk", revision=1, from_release=None, to_release="new", policy=BRISK, phase=Phase.JUDGING, actor="ann", **times)
    for number, one in enumerate(verdicts):
        measurement = replace(verdict.measure(Side(), Side(), Gate(), EPOCH), verdict=one)
        kept, failures = verdict.counted(rollout, measurement)
        rollout = replace(rollout, measurements=kept, failures=failures)
        assert rollout.failures == verdicts[: number + 1].count(Verdict.HARM)
        assert len(kept) <= verdict.KEPT


def test_p99_is_prometheus_histogram_quantile() -> None:
    buckets = ((0.1, 50), (0.2, 90), (0.5, 99), (1.0, 100), (float("inf"), 100))
    one = Reading(service="risk", release="new", instance="a", requests=100, errors=0, p99_ms=None, window_s=10.0, at=EPOCH, buckets=buckets)
    assert verdict.side([one], "new").p99_ms == 500.0
    assert verdict.side([replace(one, buckets=((0.1, 0), (0.2, 100), (float("inf"), 100)))], "new").p99_ms == 199.0
    beyond = replace(one, buckets=((0.1, 10), (float("inf"), 100)))
    assert verdict.side([beyond], "new").p99_ms == 100.0, "what lies beyond the last finite edge counts as that edge"
    twice = [one, replace(one, instance="b")]
    assert verdict.side(twice, "new").p99_ms == 500.0, "merged buckets, not the mean of two quantiles"
    assert verdict.side([replace(one, buckets=(), p99_ms=7.0), replace(one, instance="b", buckets=(), p99_ms=9.0)], "new").p99_ms == 9.0
