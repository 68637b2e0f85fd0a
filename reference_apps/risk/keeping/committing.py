"""Group commit: whoever decides waits until his entry is on the disk; all that wait at the same time share one commit."""

import asyncio
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from time import monotonic, sleep

from reference_apps.risk.keeping.log import Entry, Shadow

MOST_TOGETHER = 512
SPACED_S = 0.002
"""Commits begin no closer together than that: each costs much of what a decision does, however many it holds. Whoever comes alone waits for nothing."""


@dataclass(frozen=True, slots=True)
class _Waiting:
    """An entry, and the loop's way to hear of it (None: nobody waits)."""

    entry: Entry | Shadow
    done: "asyncio.Future[None] | None"


class GroupCommit:
    """Entries to `append`, from one event loop; the commits run in a thread of their own, one after the other."""

    def __init__(self, append: Callable[[Sequence[Entry | Shadow]], None]) -> None:
        self._append = append
        self._waiting: SimpleQueue[_Waiting | None] = SimpleQueue()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = threading.Thread(target=self._run, name="decision-log", daemon=True)

    async def add(self, entry: Entry) -> None:
        """Return when the entry is on the disk. Raises what `append` raised: then nothing of the group is known to be logged."""
        loop = self._begun()
        done: asyncio.Future[None] = loop.create_future()
        self._waiting.put(_Waiting(entry, done))
        await done

    def add_later(self, shadow: Shadow) -> None:
        """Log it with the next commit; nobody waits for it, and it is lost if that fails."""
        self._begun()
        self._waiting.put(_Waiting(shadow, None))

    async def close(self) -> None:
        """Commit what waits, and end the thread."""
        if self._loop is not None:
            self._waiting.put(None)
            await asyncio.to_thread(self._thread.join)

    def _begun(self) -> asyncio.AbstractEventLoop:
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
            self._thread.start()
        return self._loop

    def _run(self) -> None:
        going, begun = True, 0.0
        while going:
            group, going = self._next_group(begun + SPACED_S)
            begun = monotonic()
            if group:
                self._commit(group)

    def _next_group(self, not_before: float) -> tuple[list[_Waiting], bool]:
        """Wait for one, then take all that are there; False: it was the last group."""
        group: list[_Waiting] = []
        each = self._waiting.get()
        sleep(max(0.0, not_before - monotonic()))
        while each is not None:
            group.append(each)
            if len(group) == MOST_TOGETHER:
                return group, True
            try:
                each = self._waiting.get_nowait()
            except Empty:
                return group, True
        return group, False

    def _commit(self, group: Sequence[_Waiting]) -> None:
        failed: Exception | None = None
        try:
            self._append([each.entry for each in group])
        except Exception as error:  # whatever went wrong, those who wait must hear of it
            failed = error
        assert self._loop is not None
        waiting = [each.done for each in group if each.done is not None]
        if waiting and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(_tell, waiting, failed)


def _tell(waiting: Sequence["asyncio.Future[None]"], failed: Exception | None) -> None:
    for done in waiting:
        if done.done():
            continue
        if failed is None:
            done.set_result(None)
        else:
            done.set_exception(failed)
