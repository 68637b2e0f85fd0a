"""How quickly the command answers, whole process, with the whole catalog behind a daemon."""

import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from time import perf_counter

from bench.machine import ROOT, Machine
from bench.report import Report, percentile

RUNS = 30


def run(report: Report) -> None:
    """Time `msxfctl services` and `msxfctl status` from exec to exit."""
    with tempfile.TemporaryDirectory(prefix="msxfctl-bench-") as folder:
        machine = Machine(Path(folder) / "home")
        machine.up()
        try:
            for words in (["services"], ["status"]):
                times = [_timed(machine, words) for _ in range(RUNS + 2)][2:]
                report.at_most(f"msxfctl {words[0]}, median", median(times) * 1000, 120, "ms")
                report.note(f"msxfctl {words[0]}, p90", percentile(times, 0.9) * 1000, "ms")
            report.at_least("services in the catalog", len(machine.ask("services")["services"]), 310, "services")
        finally:
            machine.down()


def _timed(machine: Machine, words: list[str]) -> float:
    began = perf_counter()
    subprocess.run([Path(sys.executable).parent / "msxfctl", *words], env=machine.environ, cwd=ROOT, stdout=subprocess.DEVNULL, check=True, timeout=30)
    return perf_counter() - began
