"""How long a rollout takes: three instances that are ready in one second, alone; then thirty such services at once."""

import os
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import monotonic

from bench.daemon import cpu_s
from bench.machine import Machine, wait_until
from bench.report import Report, percentile
from ctl.client import RemotePlane
from ctl.model.view import RolloutView

SERVICES = 30
START_MS = 1000
SERVICE = """\
name: {name}
domain: bench
summary: A service that needs one second until it is ready.
owner: bench
tier: 2
replicas: {{local: 3}}
config: {{sample.start_ms: "{start_ms}"}}
rollout: {{strategy: rolling, surge: 1, unavailable: 0}}
environments:
  local: {{rollout: {{min_ready_s: 0.5, bake_s: 1, drain_s: 10, healthy_deadline_s: 30, progress_deadline_s: 60}}}}
"""


def run(report: Report) -> None:
    """Release every service once, roll one alone, then all at once; the CPU they need is what they may slow each other by."""
    with tempfile.TemporaryDirectory(prefix="msxfctl-bench-") as folder:
        names = _catalog(Path(folder) / "catalog")
        machine = Machine(Path(folder) / "home", environ={"MSXFCTL_CATALOG": str(Path(folder) / "catalog")})
        machine.up()
        try:
            plane = RemotePlane(machine.home / "msxfctl.sock", timeout_s=60)
            _rolled(plane, names, "1.0.0")
            alone = _rolled(plane, names[:1], "1.1.0")[0]
            report.at_most("a rollout of 3 instances, ready in 1 s, surge 1", alone["took_s"], 8, "s")
            daemon, began, busy = machine.daemon_pid(), monotonic(), _busy_s()
            before = cpu_s(daemon)
            together = _rolled(plane, names, "1.2.0")
            took, spent = monotonic() - began, _busy_s() - busy
            report.note("thirty at once, from the first to the last", took, "s")
            report.note("thirty at once, median of one", percentile([one["took_s"] for one in together], 0.5), "s")
            report.note("thirty at once, the slowest", max(one["took_s"] for one in together), "s")
            report.note("daemon's CPU for thirty rollouts", cpu_s(daemon) - before, "s")
            cores = os.cpu_count() or 1
            report.at_most("thirty at once against one, beyond the CPU all of it needed", took - alone["took_s"] - spent / cores, 2, "s")
            report.at_least("rollouts certified", sum(1 for one in together if one["phase"] == "certified"), SERVICES, "rollouts")
        finally:
            machine.down()


def _catalog(folder: Path) -> list[str]:
    """Write a catalog of services on the generic workload and return their names."""
    names = [f"second-{number:02}" for number in range(SERVICES)]
    (folder / "bench").mkdir(parents=True)
    for name in names:
        (folder / "bench" / f"{name}.yaml").write_text(SERVICE.format(name=name, start_ms=START_MS))
    return names


def _rolled(plane: RemotePlane, names: Sequence[str], version: str) -> list[RolloutView]:
    with ThreadPoolExecutor(4) as hands:
        list(hands.map(lambda name: plane.build(name, version), names))
        started = [one["id"] for one in hands.map(lambda name: plane.deploy(name, version), names)]
    wait_until(f"{len(names)} rollouts to {version}", lambda: not plane.status()["rolling"], within_s=180, every_s=0.1)
    return [plane.rollout(one) for one in started]


def _busy_s() -> float:
    """Return the CPU seconds that all processes of this machine have used together."""
    fields = [int(number) for number in Path("/proc/stat").read_text().splitlines()[0].split()[1:]]
    return (sum(fields) - fields[3] - fields[4]) / os.sysconf("SC_CLK_TCK")
