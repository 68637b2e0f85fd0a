"""What supervisor and launcher say to each other, and what the launcher writes down about each process it started. No imports of the model: it stays light."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ctl.backends.runtimes.local import files, processes
from ctl.backends.runtimes.local.processes import Process

VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """Start this: one process of one instance. `folder` is its working directory, `record` and `lock` and `log` are paths."""

    id: str
    generation: int
    port: int
    argv: tuple[str, ...]
    environment: Mapping[str, str]
    folder: str
    record: str
    lock: str
    log: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of an order: a process, or why there is none. `held` means that a process of this instance lives."""

    id: str
    pid: int = 0
    started: int = 0
    held: bool = False
    error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One process of an instance, as run/instances/<id>.json keeps it. Times are seconds since the epoch.

    `log_from` is the size its log had at its start. `status` is the exit status, negative for a signal; None while it runs, and for ever where the
    launcher did not live to see the end.
    """

    id: str
    generation: int
    pid: int
    started: int
    boot: str
    launcher_pid: int
    launcher_started: int
    port: int
    began_at: float
    log_from: int = 0
    ended_at: float | None = None
    status: int | None = None

    @property
    def process(self) -> Process:
        return Process(self.pid, self.started)

    @property
    def launcher(self) -> Process:
        return Process(self.launcher_pid, self.launcher_started)

    @property
    def is_running(self) -> bool:
        return self.ended_at is None and self.boot == processes.boot() and processes.is_alive(self.process)

    @property
    def has_just_ended(self) -> bool:
        """Whether it runs no more and its launcher is about to write down how it ended."""
        return self.ended_at is None and self.boot == processes.boot() and not processes.is_alive(self.process) and processes.is_alive(self.launcher)


def order(data: Mapping[str, Any]) -> Order:
    """Read an order. Raises KeyError, TypeError, ValueError."""
    return Order(**{**data, "argv": tuple(data["argv"]), "environment": dict(data["environment"])})


def plain(value: Order | Outcome | Record) -> dict[str, Any]:
    return asdict(value)


def read_record(path: Path) -> Record | None:
    """Return what is written about an instance's last process; None when nothing readable is."""
    data = files.read(path)
    try:
        return Record(**data) if data is not None else None
    except TypeError:
        return None


def write_record(path: Path, record: Record) -> None:
    files.write(path, plain(record))
