"""One msxfctl on this machine, in a folder of its own: brought up, driven through its own commands, taken down."""

import json
import os
import subprocess
import sys
from pathlib import Path
from time import monotonic, sleep
from typing import Any

ROOT = Path(__file__).resolve().parent.parent


class Failed(Exception):
    """A command of msxfctl did not do what the story needs."""


class Machine:
    """Runs `msxfctl` against its own state folder. Commands are the product's own; nothing is called behind its back."""

    def __init__(self, home: Path, *, environ: dict[str, str] | None = None) -> None:
        self.home = home
        self.environ = {**os.environ, "MSXFCTL_HOME": str(home), "MSXFCTL_ROOT": str(ROOT), "NO_COLOR": "1", **(environ or {})}

    def run(self, *argv: str, timeout_s: float = 120.0, may_fail: bool = False) -> subprocess.CompletedProcess[str]:
        """Run one command. Raises Failed with what it printed."""
        command = [sys.executable, "-m", "ctl.cli.main", *argv]
        done = subprocess.run(command, env=self.environ, cwd=ROOT, capture_output=True, text=True, timeout=timeout_s, check=False)
        if done.returncode and not may_fail:
            raise Failed(f"msxfctl {' '.join(argv)} ended with {done.returncode}:\n{done.stderr.strip()[-2000:]}\n{done.stdout.strip()[-500:]}")
        return done

    def ask(self, *argv: str, timeout_s: float = 120.0) -> Any:
        """Run one command with -o json and return its document."""
        return json.loads(self.run(*argv, "-o", "json", timeout_s=timeout_s).stdout)

    def up(self) -> None:
        self.run("up", timeout_s=60)

    def down(self) -> None:
        self.run("down", timeout_s=90, may_fail=True)

    def daemon_pid(self) -> int:
        """Return the daemon's process id. Raises Failed when there is none."""
        try:
            return int((self.home / "run" / "daemon.pid").read_text())
        except (OSError, ValueError) as error:
            raise Failed(f"no daemon runs in {self.home}") from error

    def gateway_pid(self) -> int:
        """Return the gateway's process id. Raises Failed when there is none."""
        try:
            return int((self.home / "run" / "gateway.pid").read_text().split()[0])
        except (OSError, ValueError, IndexError) as error:
            raise Failed(f"no gateway runs in {self.home}") from error


def wait_until(what: str, check: Any, *, within_s: float, every_s: float = 0.05) -> float:
    """Poll until `check()` is true and return how long it took. Raises Failed at the deadline."""
    began = monotonic()
    while not check():
        if monotonic() - began > within_s:
            raise Failed(f"{what}: not within {within_s:g} s")
        sleep(every_s)
    return monotonic() - began
