"""Homes full of real processes, looked at from outside: what the kernel says runs, whatever any runtime believes."""

import json
import os
import subprocess
import sys
import urllib.request
from contextlib import suppress
from pathlib import Path
from typing import Any

from ctl.model.fleet import Instance

ROOT = Path(__file__).resolve().parents[2]
SUPERVISES = """
import sys, time
from pathlib import Path
from ctl.model.fleet import InstancePhase
from tests.contract import stages

home, service, mode, count = Path(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4])
runtime = stages.local_runtime(home)
runtime.ensure(stages.release(service, mode=mode), count)
stages.wait_until(lambda: stages.phases(runtime, service) == [InstancePhase.READY] * count)
if "drain" in sys.argv:
    runtime.drain([one.id for one in stages.instances(runtime, service)], runtime.clock.now() + stages.timedelta(seconds=float(sys.argv[6])))
print("so far", flush=True)
time.sleep(3600)
"""


def supervisor(home: Path, service: str, mode: str, count: int, *more: str) -> "subprocess.Popen[str]":
    """Start another process that brings up instances and goes on supervising them; returned when they are ready."""
    command = [sys.executable, "-c", SUPERVISES, str(home), service, mode, str(count), *more]
    other = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert other.stdout is not None
    assert other.stdout.readline() == "so far\n"
    return other


def running(home: Path, service: str = "") -> set[int]:
    """Return every process that writes into the log of an instance of the service (empty: of any), in whatever way it came to it."""
    found = set()
    for entry in Path("/proc").iterdir():
        with suppress(OSError):
            if entry.name.isdecimal() and _is_log(home, os.readlink(entry / "fd" / "1"), service):
                found.add(int(entry.name))
    return found


def _is_log(home: Path, path: str, service: str) -> bool:
    folder, _, name = path.rpartition("/")
    return folder == str(home / "logs") and name.startswith(f"{service}-" if service else "") and name != "launcher.log"


def launcher(home: Path) -> int:
    return int((home / "run" / "launcher.lock").read_text())


def is_running(pid: int) -> bool:
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    return False


def ask(instance: Instance, path: str) -> Any:
    """Ask an instance directly and return its JSON answer."""
    with urllib.request.urlopen(f"http://{instance.address}{path}", timeout=5) as answer:
        return json.load(answer)


def private_mb(pid: int) -> float:
    """Return the memory that ends with this process alone, in MB."""
    rows = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:])
    return sum(int(rows[name].split()[0]) for name in ("Private_Clean", "Private_Dirty")) / 1024
