"""How quickly the command answers, whole process, with the whole catalog behind a daemon."""

import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from threading import Timer
from time import perf_counter

from bench.machine import ROOT, Failed, Machine
from bench.report import Report, percentile

RUNS = 30
LIMIT_S = 30.0


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
    """Wait without a timeout of subprocess, which looks only every 50 ms; a timer ends what hangs."""
    began = perf_counter()
    command = subprocess.Popen([Path(sys.executable).parent / "msxfctl", *words], env=machine.environ, cwd=ROOT, stdout=subprocess.DEVNULL)
    guard = Timer(LIMIT_S, command.kill)
    guard.start()
    status = command.wait()
    took = perf_counter() - began
    guard.cancel()
    if status:
        raise Failed(f"msxfctl {' '.join(words)} ended with {status}")
    return took
