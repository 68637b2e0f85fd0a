"""What one instance counted over time, and what of it falls into a window. Pure: no clock, no IO. Times are seconds since 1970."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from ctl.backends.metrics.exposition import Counts

FINE, EVERY, COARSE = 120, 5, 96  # the last two minutes as they came, every fifth of the eight minutes before
SLACK_S = 6.0  # how much older than a window the sample may be that it is counted from

Buckets = tuple[tuple[float, int], ...]


@dataclass(frozen=True, slots=True)
class Sample:
    """Counts at a moment. They never fall: what a process counted that has ended since is in them."""

    at_s: float
    counts: Counts


@dataclass(frozen=True, slots=True)
class Increase:
    """What was added between two moments; `buckets` are cumulative (edge in seconds, count)."""

    requests: int
    errors: int
    buckets: Buckets
    from_s: float
    to_s: float


class Series:
    """Samples of one instance, at most ten minutes of them."""

    def __init__(self) -> None:
        self._fine: deque[Sample] = deque()
        self._coarse: deque[Sample] = deque(maxlen=COARSE)
        self._passed = 0
        self._before = Counts()
        self._last = Counts()
        self._generation = 0
        self._born_s = 0.0

    def add(self, at_s: float, counts: Counts, *, generation: int, born_s: float) -> None:
        """Add what a process of this generation, started at `born_s`, has counted until `at_s`; a time that is not later than the last is left out."""
        if self._fine and at_s <= self._fine[-1].at_s:
            return
        if not self._fine:
            self._born_s = born_s
        elif generation != self._generation or _has_fallen(self._last, counts):
            self._before = _sum(self._before, self._last)
        self._generation, self._last = generation, counts
        self._fine.append(Sample(at_s, _sum(self._before, counts)))
        if len(self._fine) > FINE:
            self._thin(self._fine.popleft())

    def over(self, window_s: float, now_s: float) -> Increase | None:
        """Return what was added in (now - window, now]; None where no two samples say so.

        The life of an instance that was started inside the window is inside it as a whole: it is counted from zero. One that was only seen late is
        counted from the first sample: what it did before may have been long ago.
        """
        begin_s = now_s - window_s
        inside = [sample for sample in (*self._coarse, *self._fine) if begin_s < sample.at_s <= now_s]
        if not inside:
            return None
        base = self._base(begin_s) or inside[0]
        return _between(base, inside[-1]) if base is not inside[-1] else None

    def _base(self, begin_s: float) -> Sample | None:
        samples = (*self._coarse, *self._fine)
        if samples[0].at_s > begin_s:
            return Sample(self._born_s, Counts()) if self._born_s > begin_s else None
        last_before = next(sample for sample in reversed(samples) if sample.at_s <= begin_s)
        return last_before if begin_s - last_before.at_s <= SLACK_S else None

    @property
    def newest_s(self) -> float:
        """When the last sample was taken; 0 before there is one."""
        return self._fine[-1].at_s if self._fine else 0.0

    def _thin(self, sample: Sample) -> None:
        if self._passed % EVERY == 0:
            self._coarse.append(sample)
        self._passed += 1


def quantile_ms(buckets: Sequence[tuple[float, int]], q: float) -> float | None:
    """Return a quantile out of cumulative buckets, as Prometheus' histogram_quantile has it: linear inside a bucket, the last finite edge beyond it."""
    total = buckets[-1][1] if buckets else 0
    if total <= 0:
        return None
    rank, below_edge, below_count = q * total, 0.0, 0
    for edge_s, count in buckets:
        if count >= rank:
            if edge_s == float("inf"):
                break
            return (below_edge + (edge_s - below_edge) * (rank - below_count) / max(count - below_count, 1)) * 1000.0
        below_edge, below_count = edge_s, count
    return below_edge * 1000.0


def _between(base: Sample, last: Sample) -> Increase:
    before = dict(zip(base.counts.edges, base.counts.counts, strict=True))
    buckets = tuple((edge, count - before.get(edge, 0)) for edge, count in zip(last.counts.edges, last.counts.counts, strict=True))
    requests, errors = last.counts.requests - base.counts.requests, last.counts.errors - base.counts.errors
    return Increase(requests, errors, buckets, base.at_s, last.at_s)


def _has_fallen(before: Counts, after: Counts) -> bool:
    counted = dict(zip(after.edges, after.counts, strict=True))
    return (
        after.requests < before.requests
        or after.errors < before.errors
        or any(counted.get(edge, 0) < count for edge, count in zip(before.edges, before.counts, strict=True))
    )


def _sum(one: Counts, other: Counts) -> Counts:
    if not one.requests and not one.counts:
        return other
    buckets = dict(zip(one.edges, one.counts, strict=True))
    for edge, count in zip(other.edges, other.counts, strict=True):
        buckets[edge] = buckets.get(edge, 0) + count
    edges = tuple(sorted(buckets))
    return Counts(one.requests + other.requests, one.errors + other.errors, edges, tuple(buckets[edge] for edge in edges))
