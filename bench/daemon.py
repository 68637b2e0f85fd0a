"""What the daemon costs with the whole catalog: memory, CPU of a tick over all services, CPU when nothing happens."""

import os
import tempfile
from pathlib import Path
from time import monotonic, process_time, sleep

from bench.machine import Machine
from bench.report import Report
from bench.simulated import Simulation, catalog_of

WATCHED_S = 20.0
SETTLING_S = 5.0
TICKS = 20


def run(report: Report) -> None:
    """Measure a real daemon from outside, and one round of ticks in this process."""
    with tempfile.TemporaryDirectory(prefix="msxfctl-bench-") as folder:
        machine = Machine(Path(folder) / "home")
        machine.up()
        try:
            machine.ask("services")
            sleep(SETTLING_S)
            pid = machine.daemon_pid()
            before, began = cpu_s(pid), monotonic()
            sleep(WATCHED_S)
            report.at_most("daemon when nothing happens", 100 * (cpu_s(pid) - before) / (monotonic() - began), 2, "% of a core")
            report.at_most("daemon resident with the whole catalog", resident_mb(pid), 150, "MB")
        finally:
            machine.down()
    simulation = Simulation(catalog_of(310, replicas=3))
    simulation.release_everything()
    began = process_time()
    for _ in range(TICKS):
        simulation.tick_everything()
    report.at_most("one tick over 310 idle services", 1000 * (process_time() - began) / TICKS, 50, "ms CPU")


def cpu_s(pid: int) -> float:
    """Return the CPU seconds a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident_mb(pid: int) -> float:
    """Return the resident set of a process."""
    line = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmRSS:"))
    return int(line.split()[1]) / 1024
