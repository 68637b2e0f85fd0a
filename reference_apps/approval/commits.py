"""Group commit: work that arrives while the disk is busy shares the next transaction and its one synchronisation.

A piece of work that fails is taken out and told so; the others are done again without it, so a piece must be able to run twice.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from contextlib import AbstractContextManager
from sqlite3 import Connection
from typing import Any, TypeVar

from ctl.kit.database import DatabaseFailed

MOST = 256

Result = TypeVar("Result")
Work = Callable[[Connection], Any]
Transaction = Callable[[], AbstractContextManager[Connection]]


class Commits:
    """The way to the disk for one event loop; `transaction` is used in the thread of `disk` only."""

    def __init__(self, transaction: Transaction, disk: Executor) -> None:
        self._transaction, self._disk = transaction, disk
        self._queue: list[tuple[Work, asyncio.Future[Any]]] = []
        self._writer: asyncio.Task[None] | None = None
        self.count = 0

    async def __call__(self, work: Callable[[Connection], Result]) -> Result:
        """Do work in a transaction and return its result once that is on the disk. Raises what the work raises, or DatabaseFailed."""
        done: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._queue.append((work, done))
        if self._writer is None:
            self._writer = asyncio.create_task(self._write(), name="group commit")
        return await done

    async def _write(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            while self._queue:
                group, self._queue = self._queue[:MOST], self._queue[MOST:]
                try:
                    results = await loop.run_in_executor(self._disk, self._together, [work for work, _ in group])
                except RuntimeError as error:  # the disk's thread has ended
                    results = [DatabaseFailed(str(error))] * len(group)
                except BaseException:  # we are ended: nobody is left waiting for ever
                    for _, done in [*group, *self._queue]:
                        done.cancel()
                    raise
                self.count += 1
                for (_, done), result in zip(group, results, strict=True):
                    _tell(done, result)
        finally:
            self._writer = None

    def _together(self, works: list[Work]) -> list[Any]:
        """Return each work's result, or the exception that ended it."""
        results: list[Any] = [None] * len(works)
        left = list(range(len(works)))
        while left:
            failed: int | None = None
            try:
                with self._transaction() as connection:
                    for number in left:
                        failed = number
                        results[number] = works[number](connection)
                    failed = None
                return results
            except Exception as error:  # whatever work raises belongs to whoever gave it
                if failed is None:
                    return [error if number in left else result for number, result in enumerate(results)]
                results[failed] = error
                left.remove(failed)
        return results


def _tell(done: "asyncio.Future[Any]", result: Any) -> None:
    if done.done():
        return
    if isinstance(result, Exception):
        done.set_exception(result)
    else:
        done.set_result(result)
