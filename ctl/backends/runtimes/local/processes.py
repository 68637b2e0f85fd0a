"""Processes of this machine by id and start time, which together name one process for as long as the machine is up."""

import os
import signal
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from ctl.errors import BackendError

DEAD = "ZX"


@dataclass(frozen=True, slots=True)
class Process:
    """`started` is in clock ticks after boot, as /proc has it."""

    pid: int
    started: int


@dataclass(frozen=True, slots=True)
class Stat:
    """What /proc/<pid>/stat says: `state` is one letter, Z and X are dead."""

    state: str
    group: int
    session: int
    started: int


def parse_stat(text: str) -> Stat:
    """Read a line of /proc/<pid>/stat; the command in it may hold blanks and brackets. Raises ValueError."""
    fields = text.rpartition(")")[2].split()
    if len(fields) < 20:
        raise ValueError(f"{text!r} is no line of /proc/<pid>/stat")
    return Stat(state=fields[0], group=int(fields[2]), session=int(fields[3]), started=int(fields[19]))


def stat(pid: int) -> Stat | None:
    """Return what the kernel says about a process; None when there is none."""
    try:
        return parse_stat(Path(f"/proc/{pid}/stat").read_text(errors="replace"))
    except (FileNotFoundError, ProcessLookupError):
        return None


def identify(pid: int) -> Process | None:
    """Return the process that has this id now."""
    found = stat(pid)
    return Process(pid, found.started) if found else None


def is_alive(process: Process) -> bool:
    """Whether this very process still runs; one that has ended and was not reaped does not."""
    found = stat(process.pid)
    return found is not None and found.started == process.started and found.state not in DEAD


def watch(process: Process) -> int | None:
    """Return a descriptor that becomes readable when the process ends; None when it has ended already. Raises BackendError."""
    try:
        descriptor = os.pidfd_open(process.pid)
    except ProcessLookupError:
        return None
    except OSError as error:
        raise BackendError(f"could not watch process {process.pid}", found=str(error), remedy="this runtime needs Linux 5.3 or newer") from error
    if is_alive(process):
        return descriptor
    os.close(descriptor)
    return None


def close(descriptor: int) -> None:
    """Give back what watch() returned."""
    os.close(descriptor)


def tell(process: Process, number: signal.Signals) -> None:
    """Send a signal to this very process; one that has ended hears nothing."""
    descriptor = watch(process)
    if descriptor is None:
        return
    with suppress(ProcessLookupError):
        signal.pidfd_send_signal(descriptor, number)
    os.close(descriptor)


def kill_group(process: Process) -> None:
    """Kill the process and everything in its group; nothing is hit when its number belongs to somebody else by now."""
    found = stat(process.pid)
    if found is not None and found.started != process.started:
        return
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    if found is not None:  # between its birth and its setsid() it has no group of its own
        with suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGKILL)


def kill_session(process: Process) -> None:
    """Kill whatever is left of the process's session, in whichever group; looks at every process of the machine, so: last resort."""
    leader = stat(process.pid)
    if leader is not None and leader.started != process.started:
        return
    for pid, found in _all():
        if found.session == process.pid:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def runs(process: Process) -> bool:
    """Whether the process or anything in its group still runs."""
    if is_alive(process):
        return True
    try:
        os.killpg(process.pid, 0)
    except (ProcessLookupError, PermissionError):
        return False
    return any(found.group == process.pid and found.state not in DEAD for _, found in _all())  # those that nobody has reaped do not count


def _all() -> Iterator[tuple[int, Stat]]:
    for entry in Path("/proc").iterdir():
        found = stat(int(entry.name)) if entry.name.isdecimal() else None
        if found is not None:
            yield int(entry.name), found


@cache
def boot() -> str:
    """Return the id of this machine's boot: start times of another boot mean nothing."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
