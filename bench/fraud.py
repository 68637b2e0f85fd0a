"""Fraud: what models are worth on towns they were not set by, events a second, answers over HTTP at a steady rate, and the start with a long log."""

import gc
import os
import shutil
import tempfile
import time
from pathlib import Path

from bench.frauding import Instance, answer_times_ms, life
from bench.laying import UNSAVED, lay_down
from bench.report import Report, percentile
from reference_apps.fraud.__main__ import LOOK_FOR_GARBAGE
from reference_apps.fraud.policy import policy
from reference_apps.fraud.serving.replay import replay
from reference_apps.fraud.simulating import measuring

IN_PROCESS, ROUNDS = 60_000, 3
RATE, SECONDS = 2_000, 30
"""Long enough for a snapshot to be made and written meanwhile."""
LONG_LOG = int(os.environ.get("BENCH_FRAUD_EVENTS", "1000000"))


def run(report: Report) -> None:
    """Measure all four; the long log has a million events unless BENCH_FRAUD_EVENTS says otherwise: laying down ten million takes a quarter of an hour."""
    gc.set_threshold(*LOOK_FOR_GARBAGE)  # as instances run
    report.at_least("events, features and eleven models, one process", _events_a_second(), 15_000, "events/s")
    _worth(report)
    folder = Path(tempfile.mkdtemp(prefix="fraud-"))
    try:
        for count in (1, 2):
            _over_http(report, folder / f"http-{count}", count)
        _restart(report, folder / "long")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _worth(report: Report) -> None:
    """Play the held-out towns; `python -m reference_apps.fraud measure` prints the same as tables."""
    held = policy.load()
    seen = measuring.play(held, measuring.HELD_OUT_SEEDS)
    for each in measuring.of_models(held, seen):
        report.note(f"{each.model}: AUC on held-out towns", each.auc or 0.0, "")
        report.note(f"{each.model}: incidents caught", 100 * each.caught, "%")
    together, odd = measuring.of_verdicts(seen), measuring.of_anomalies(seen)["all"]
    report.note("incidents of fraud with a review or block", 100 * together.caught, "%")
    report.note("precision of review and block", 100 * (together.precision or 0.0), "%")
    report.note("honest events reviewed or blocked", 100 * sum(together.honest_events[1:]), "%")
    report.note("anomaly detector in shadow: AUC", odd or 0.0, "")


def _events_a_second() -> float:
    """Return the best of some rounds, by the process's own time: the machine may have other work."""
    held, log, best = policy.load(), list(enumerate(life(IN_PROCESS), 1)), 0.0
    for _ in range(ROUNDS):
        began = time.process_time()
        judged = sum(1 for _ in replay(held, log))
        best = max(best, judged / (time.process_time() - began))
    return best


def _over_http(report: Report, folder: Path, instances: int) -> None:
    served = [Instance(folder, number + 1) for number in range(instances)]
    try:
        for instance in served:
            instance.ready(30)
        answer_times_ms([instance.port for instance in served], 400, 2, seed=1)
        took_ms = answer_times_ms([instance.port for instance in served], RATE, SECONDS, seed=2)
        named = f"{RATE} events/s over HTTP, {instances} instance{'s' if instances > 1 else ''}"
        report.at_most(f"{named}: p99", percentile(took_ms, 0.99), 5, "ms")
        report.note(f"{named}: median", percentile(took_ms, 0.5), "ms")
    finally:
        for instance in served:
            instance.stop()


def _restart(report: Report, folder: Path) -> None:
    """Start on files as a kill leaves them, many events not in any snapshot, stop, and start on what a clean stop leaves. The files were just written: warm."""
    lay_down(folder, LONG_LOG)
    for left in (f"a kill, {UNSAVED:,} events in no snapshot", "a clean stop"):
        instance = Instance(folder, 1)
        try:
            took_s = instance.ready(600)
            answer_times_ms([instance.port], 50, 1, seed=3)
            report.at_most(f"restart with {LONG_LOG:,} logged events after {left}, until it serves", took_s, 30, "s")
            report.note(f"memory after that start ({LONG_LOG:,} events, {left})", instance.resident_mb(), "MB")
        finally:
            instance.stop()
