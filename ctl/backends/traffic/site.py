"""Where the gateway of one home keeps its files, and how one of them is replaced: a reader sees the old one or the new one, never half of it."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ctl.errors import BackendError

SOCKET = "gateway.sock"


@dataclass(frozen=True, slots=True)
class Site:
    """The paths below `home`, which may be absent until prepare()."""

    home: Path

    @property
    def folder(self) -> Path:
        return self.home / "gateway"

    @property
    def run(self) -> Path:
        return self.home / "run"

    @property
    def log(self) -> Path:
        return self.home / "logs" / "gateway.log"

    @property
    def pid(self) -> Path:
        return self.run / "gateway.pid"

    def prepare(self) -> None:
        """Make the folders. Raises BackendError."""
        try:
            self.home.mkdir(mode=0o700, parents=True, exist_ok=True)
            for folder in (self.folder, self.run, self.log.parent):
                folder.mkdir(exist_ok=True)
        except OSError as error:
            raise unwritable(self.home, error) from error

    @contextmanager
    def alone(self, what: str) -> Iterator[None]:
        """Keep every other process of this home, and every other thread, out of `what` meanwhile."""
        self.prepare()
        try:
            descriptor = os.open(self.run / f"gateway-{what}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise unwritable(self.run, error) from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)


def replace(path: Path, text: str) -> None:
    """Give `path` this content in one step. Raises BackendError."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        beside.write_text(text)
        beside.replace(path)
    except OSError as error:
        raise unwritable(path, error) from error


def read(path: Path) -> str:
    """Return the content; empty when there is no such file. Raises BackendError."""
    try:
        return path.read_text()
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise BackendError(f"could not read {path}", found=str(error)) from error


def unwritable(path: Path, error: OSError) -> BackendError:
    return BackendError(f"could not write {path}", found=str(error), remedy="make room there, or make it writable for this user")
