"""The writer lock of a single-writer service: one process at a time holds it, and each holder has a higher epoch than those before it."""

import asyncio
import fcntl
import os
import threading
from pathlib import Path

LOCK, EPOCH = "writer.lock", "writer.epoch"
_epoch = 0


def epoch() -> int:
    """Return the epoch under which this process writes; 0 while it does not hold the lock.

    A store that keeps the highest epoch it has seen can refuse a writer that comes late with a lower one.
    """
    return _epoch


class WriterLock:
    """An flock on <folder>/writer.lock. The kernel frees it when the process dies, however it dies."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._changing = threading.Lock()
        self._given_up = False
        self._held: int | None = None

    async def acquire(self) -> None:
        """Wait until the lock is ours, without turning; a cancelled wait gives it up for good. Raises OSError, ValueError (an epoch that is no number)."""
        loop = asyncio.get_running_loop()
        taken: asyncio.Future[None] = loop.create_future()
        threading.Thread(target=self._wait, args=(loop, taken), name="writer-lock", daemon=True).start()
        try:
            await taken
        except asyncio.CancelledError:
            self.release()
            raise

    def release(self) -> None:
        """Give the lock back, or up; it cannot be acquired again through this object."""
        global _epoch
        with self._changing:
            self._given_up = True
            held, self._held = self._held, None
            if held is not None:
                _epoch = 0
                os.close(held)

    def _wait(self, loop: asyncio.AbstractEventLoop, taken: "asyncio.Future[None]") -> None:
        """Runs in a thread of its own: nothing can wake a blocked flock, so a thread that is no longer waited for gives back at once what it gets."""
        try:
            self._take()
        except (OSError, ValueError) as error:
            _tell(loop, taken, error)
        else:
            _tell(loop, taken, None)

    def _take(self) -> None:
        global _epoch
        self._folder.mkdir(parents=True, exist_ok=True)
        lock = os.open(self._folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            with self._changing:
                if not self._given_up:
                    _epoch = _next_epoch(self._folder)
                    self._held, lock = lock, -1
        finally:
            if lock >= 0:
                os.close(lock)


def _next_epoch(folder: Path) -> int:
    """Grow the epoch, durably before anything is written under it."""
    path = folder / EPOCH
    grown = (int(path.read_text()) if path.exists() else 0) + 1
    fresh = folder / f"{EPOCH}.new"
    with fresh.open("w") as file:
        file.write(f"{grown}\n")
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
    directory = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
    return grown


def _tell(loop: asyncio.AbstractEventLoop, taken: "asyncio.Future[None]", error: Exception | None) -> None:
    def finish() -> None:
        if taken.done():
            return
        if error is None:
            taken.set_result(None)
        else:
            taken.set_exception(error)

    if not loop.is_closed():
        loop.call_soon_threadsafe(finish)
