"""File locks that the kernel gives back when their last holder dies, however it dies."""

import fcntl
import os
from pathlib import Path


def hold(path: Path) -> int | None:
    """Lock the file, which is made where absent, and return its descriptor; None when somebody else holds it."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return None
        if _is_at(descriptor, path):
            return descriptor
        os.close(descriptor)  # deleted by its former holder between the two calls: a lock on it would keep nobody out


def hold_signed(path: Path) -> int | None:
    """Like hold(), and write this process's id into the file, for holder()."""
    descriptor = hold(path)
    if descriptor is not None:
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
    return descriptor


def holder(path: Path) -> int | None:
    """Return the process id that the last holder wrote; None when there is none to read."""
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return None


def is_held(path: Path) -> bool:
    """Whether a process holds the lock now."""
    if not path.exists():
        return False
    descriptor = hold(path)
    if descriptor is None:
        return True
    os.close(descriptor)
    return False


def discard(path: Path) -> bool:
    """Delete a lock file that nobody holds; False when somebody does."""
    if not path.exists():
        return True
    descriptor = hold(path)
    if descriptor is None:
        return False
    path.unlink(missing_ok=True)
    os.close(descriptor)
    return True


def _is_at(descriptor: int, path: Path) -> bool:
    try:
        there = path.stat()
    except FileNotFoundError:
        return False
    here = os.fstat(descriptor)
    return (here.st_ino, here.st_dev) == (there.st_ino, there.st_dev)
