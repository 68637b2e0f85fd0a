"""The daemon as a process: starting it detached, waiting until it answers, and waiting until it is gone."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ctl.errors import CtlError, TimedOut

if TYPE_CHECKING:
    from ctl.settings import Settings

POLL_S = 0.05
ANSWER_S = 2.0
LAST_LINES = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """The home's daemon: its process (None: there is none), whether it answers, and where it writes."""

    pid: int | None
    answers: bool
    log: Path


def standing(settings: "Settings") -> Standing:
    """Look at the home's daemon."""
    return Standing(pid=pid_of(settings), answers=is_ready(settings.socket), log=log_of(settings))


def log_of(settings: "Settings") -> Path:
    """Return the file that a detached daemon writes to."""
    return settings.home / "logs" / "daemon.log"


def pid_of(settings: "Settings") -> int | None:
    """Return the process of the daemon, if it lives."""
    try:
        pid = int((settings.home / "run" / "daemon.pid").read_text())
    except (OSError, ValueError):
        return None
    return pid if is_alive(pid) else None


def is_alive(pid: int) -> bool:
    """Whether the process runs; one that has ended and waits for its parent does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (OSError, IndexError):
        return False
    return state not in ("Z", "X")


def is_ready(path: Path) -> bool:
    """Ask the daemon's /readyz. A socket that nobody listens at, or no answer in time, is a no."""
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
            line.settimeout(ANSWER_S)
            line.connect(str(path))
            line.sendall(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            return line.recv(64).split(b" ")[1:2] == [b"200"]
    except OSError:
        return False


def start(settings: "Settings", command: Sequence[str] = (sys.executable, "-m", "ctl.daemon")) -> "subprocess.Popen[bytes]":
    """Start the daemon in a session of its own, so that it outlives this terminal, with its output in the log."""
    log = log_of(settings)
    settings.home.mkdir(mode=0o700, parents=True, exist_ok=True)
    log.parent.mkdir(mode=0o700, exist_ok=True)
    known = {"MSXFCTL_HOME": settings.home, "MSXFCTL_ROOT": settings.root, "MSXFCTL_CATALOG": settings.catalog}
    environment = {**os.environ, **{name: str(path) for name, path in known.items()}}
    with log.open("ab") as output:
        return subprocess.Popen(
            list(command), cwd=settings.root, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
        )


def wait_ready(settings: "Settings", child: "subprocess.Popen[bytes]", timeout_s: float) -> None:
    """Wait until the daemon is ready. Raises CtlError with its last lines when it ends instead, TimedOut when the time is over."""
    deadline, log = time.monotonic() + timeout_s, log_of(settings)
    while not is_ready(settings.socket):
        status = child.poll()
        if status is not None:
            raise CtlError(f"the daemon ended with status {status} before it was ready", found=last_lines(log), remedy=f"the whole log: {log}")
        if time.monotonic() >= deadline:
            remedy = f"it goes on starting; see {log}, then msxfctl status"
            raise TimedOut(f"the daemon is not ready after {timeout_s:g} s", found=last_lines(log), remedy=remedy)
        time.sleep(POLL_S)


def wait_gone(pid: int, timeout_s: float) -> None:
    """Wait until the process is gone. Raises TimedOut; it goes on ending."""
    deadline = time.monotonic() + timeout_s
    while is_alive(pid):
        if time.monotonic() >= deadline:
            raise TimedOut(f"the daemon (process {pid}) still runs after {timeout_s:g} s", remedy="it goes on ending; look again with msxfctl doctor")
        time.sleep(POLL_S)


def last_lines(log: Path, number: int = LAST_LINES) -> str:
    """Return the end of the log."""
    try:
        lines = log.read_text(errors="replace").splitlines()
    except OSError:
        return "it wrote nothing"
    return "\n".join(lines[-number:]) or "it wrote nothing"
