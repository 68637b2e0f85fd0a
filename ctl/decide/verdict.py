"""Is the new release worse? The plain threshold verdict over windows of traffic. Pure; missing data never improves a verdict."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from ctl.model.fleet import Reading
from ctl.model.rollout import Measurement, Rollout, Side, Verdict
from ctl.model.service import Gate

KEPT = 10


def side(readings: Sequence[Reading], release: str | None) -> Side:
    """Sum up one release's traffic; its p99 comes from the merged histogram where there is one, else from the slowest instance."""
    mine = [reading for reading in readings if reading.release == release]
    return Side(requests=sum(one.requests for one in mine), errors=sum(one.errors for one in mine), p99_ms=_p99(mine))


def measure(target: Side, stable: Side | None, gate: Gate, at: datetime) -> Measurement:
    """Judge one window: target against stable, by error rate first, then by p99. Without a stable that has traffic (None) the limits alone decide."""
    verdict, why = _judge(target, stable, gate)
    return Measurement(at=at, verdict=verdict, target=target, stable=stable or Side(), why=why)


def doubted(measurement: Measurement, silent: int) -> Measurement:
    """Take an OK back when `silent` instances that had traffic said nothing: their part may be the bad one."""
    if not silent or measurement.verdict is not Verdict.OK:
        return measurement
    return replace(measurement, verdict=Verdict.UNKNOWN, why=f"{silent} instances with traffic say nothing about it; of the rest, {measurement.why}")


def due_in_s(rollout: Rollout, since: datetime, now: datetime) -> float:
    """Return the seconds until a whole window has passed since traffic began (`since`) and since the last measurement; 0 or less: it has."""
    last = rollout.measurements[-1].at if rollout.measurements else since
    return rollout.policy.gate.window_s - (now - max(last, since)).total_seconds()


def counted(rollout: Rollout, measurement: Measurement) -> tuple[tuple[Measurement, ...], int]:
    """Return the kept measurements and the cumulative failures with this one counted; successes never take a failure back."""
    failures = rollout.failures + (measurement.verdict is Verdict.HARM)
    return (*rollout.measurements, measurement)[-KEPT:], failures


def _judge(target: Side, stable: Side | None, gate: Gate) -> tuple[Verdict, str]:
    if target.requests < gate.min_requests:
        return Verdict.UNKNOWN, f"{target.requests} of {gate.min_requests} requests needed for a verdict"
    seen = f"error rate {target.error_pct:.1f} % (limit {gate.max_error_pct:g} %)" + (f" against {stable.error_pct:.1f} %" if stable else "")
    if target.error_pct > gate.max_error_pct and (stable is None or target.error_pct > stable.error_pct):
        return Verdict.HARM, seen
    return _judge_speed(target, stable, gate) or (Verdict.OK, seen)


def _judge_speed(target: Side, stable: Side | None, gate: Gate) -> tuple[Verdict, str] | None:
    if stable is None:
        return None
    if target.p99_ms is None:
        return Verdict.UNKNOWN, f"none of {target.requests} requests was timed"
    if target.p99_ms < gate.min_p99_ms:
        return None
    if stable.p99_ms is None:
        return Verdict.UNKNOWN, f"p99 {target.p99_ms:.0f} ms, and the release before it has none to compare with"
    if target.p99_ms <= stable.p99_ms * gate.max_p99_ratio:
        return None
    return Verdict.HARM, f"p99 {target.p99_ms:.0f} ms against {stable.p99_ms:.0f} ms (limit {gate.max_p99_ratio:g} times)"


def _p99(readings: Sequence[Reading]) -> float | None:
    merged: dict[float, int] = {}
    for reading in readings:
        for edge_s, count in reading.buckets:
            merged[edge_s] = merged.get(edge_s, 0) + count
    if merged:
        return _quantile(sorted(merged.items()), 0.99)
    return max((reading.p99_ms for reading in readings if reading.p99_ms is not None), default=None)


def _quantile(cumulative: Sequence[tuple[float, int]], q: float) -> float | None:
    """Prometheus' histogram_quantile, in ms: linear inside the bucket, the last finite edge for what lies beyond it."""
    total = cumulative[-1][1]
    if total <= 0:
        return None
    rank, below_edge, below_count = q * total, 0.0, 0
    for edge_s, count in cumulative:
        if count >= rank:
            if edge_s == float("inf"):
                return below_edge * 1000.0
            return (below_edge + (edge_s - below_edge) * (rank - below_count) / max(count - below_count, 1)) * 1000.0
        below_edge, below_count = edge_s, count
    return below_edge * 1000.0
