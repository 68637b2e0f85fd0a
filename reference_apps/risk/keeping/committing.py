"""Group commit: whoever decides waits until his entry is on the disk; all that wait at the same time share one commit."""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from reference_apps.risk.keeping.log import Entry, Shadow

MOST_TOGETHER = 512


@dataclass(frozen=True, slots=True)
class _Waiting:
    entry: Entry | Shadow
    done: "asyncio.Future[None] | None"


class GroupCommit:
    """Entries to `append`, from the event loop only; the commits run in a thread of their own, one after the other."""

    def __init__(self, append: Callable[[Sequence[Entry | Shadow]], None]) -> None:
        self._append = append
        self._waiting: list[_Waiting] = []
        self._thread = ThreadPoolExecutor(1, "decision-log")
        self._running: asyncio.Task[None] | None = None

    async def add(self, entry: Entry) -> None:
        """Return when the entry is on the disk. Raises what `append` raised: then nothing of the group is known to be logged."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._queue(_Waiting(entry, done))
        await done

    def add_later(self, shadow: Shadow) -> None:
        """Log it with the next commit; nobody waits for it, and it is lost if that fails."""
        self._queue(_Waiting(shadow, None))

    async def close(self) -> None:
        """Commit what waits, and end the thread."""
        while self._running is not None:
            await self._running
        self._thread.shutdown()

    def _queue(self, waiting: _Waiting) -> None:
        self._waiting.append(waiting)
        if self._running is None:
            self._running = asyncio.get_running_loop().create_task(self._commit())

    async def _commit(self) -> None:
        loop = asyncio.get_running_loop()
        while self._waiting:
            group, self._waiting = self._waiting[:MOST_TOGETHER], self._waiting[MOST_TOGETHER:]
            try:
                await loop.run_in_executor(self._thread, self._append, [each.entry for each in group])
            except Exception as error:  # whatever went wrong, those who wait must hear of it
                _tell(group, error)
            else:
                _tell(group, None)
        self._running = None


def _tell(group: Sequence[_Waiting], error: Exception | None) -> None:
    for each in group:
        if each.done is None or each.done.done():
            continue
        if error is None:
            each.done.set_result(None)
        else:
            each.done.set_exception(error)
