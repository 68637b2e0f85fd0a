"""When a snapshot is due, and the thread that writes one beside the desk."""

import asyncio
import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

from reference_apps.ledger.keeping import snapshot
from reference_apps.ledger.keeping.frozen import Frozen
from reference_apps.ledger.keeping.snapshot import Abandoned

log = logging.getLogger("ledger.snapshot")


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """A snapshot is due after so many records, bytes of journal, or seconds with a change; at a clean end after so many bytes."""

    records: int = 20_000
    bytes: int = 2**28
    age_s: float = 3600.0
    bytes_at_end: int = 2**22


class Schedule:
    """Counts what the newest snapshot does not hold, and writes the next one. Without a folder there are none."""

    def __init__(self, folder: Path | None, policy: Policy, clock_s: Callable[[], float] = monotonic) -> None:
        self.folder, self._policy, self._clock_s = folder, policy, clock_s
        self._records = self._bytes = 0
        self._since_s = clock_s()
        self._is_over = threading.Event()
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="snapshot")

    def wrote(self, size: int) -> None:
        """Count a record of the journal."""
        self._records, self._bytes = self._records + 1, self._bytes + size

    def is_due(self) -> bool:
        policy, age_s = self._policy, self._clock_s() - self._since_s
        return self.folder is not None and (self._records >= policy.records or self._bytes >= policy.bytes or (self._records > 0 and age_s >= policy.age_s))

    def is_worth_it_at_end(self, kept: Frozen) -> bool:
        """Return whether reading a snapshot will be quicker than replaying what it replaces, and long enough to matter."""
        return self.folder is not None and self._bytes >= self._policy.bytes_at_end and kept.size <= self._bytes

    async def write(self, kept: Frozen) -> None:
        """Write a snapshot. A failure is logged and changes nothing: the journal has everything; the next is due as if this one had been written."""
        if self.folder is None:
            return
        folder, began_s = self.folder, self._clock_s()
        self._records, self._bytes, self._since_s = 0, 0, began_s
        try:
            place = await asyncio.get_running_loop().run_in_executor(self._thread, lambda: snapshot.write(folder, kept, self._is_over.is_set))
            log.info("snapshot %s written in %.1f s", place.name, self._clock_s() - began_s)
        except Abandoned:
            log.info("snapshot after record %d given up: the ledger ends", kept.head[0])
        except OSError as error:
            log.error("snapshot after record %d could not be written: %s", kept.head[0], error)

    def stop(self) -> None:
        """Give up what is being written."""
        self._is_over.set()

    async def end(self, kept: Frozen) -> None:
        """Write a last snapshot if it is worth it, and stop the thread."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self._is_over.clear)
        if self.is_worth_it_at_end(kept):
            await self.write(kept)
        self._thread.shutdown()
