"""One instance's hands on the cases: its book follows the log, and what a person does is logged first; the book says what came of it.

Every instance keeps the whole book, so any of them answers. Nothing is decided by who was asked: two who claim a case at two instances stand in the log
one after the other, and both instances read that.
"""

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from time import monotonic

from ctl.kit.database import DatabaseFailed
from ctl.kit.problem import Problem
from reference_apps.fraud.cases import reading
from reference_apps.fraud.cases.book import Book
from reference_apps.fraud.cases.model import Case, Told
from reference_apps.fraud.notes import Note
from reference_apps.fraud.serving.desk import Desk

LOOK_S, AGAIN_S = 0.25, 0.02
SETTLE_S = 10.0
"""How long the events before a note may take to be judged, when an instance has just died."""
SNAPSHOT_S = 300.0
"""A snapshot holds every link there is: what came in five minutes is soon read again."""

log = logging.getLogger("fraud.cases")


class CaseDesk:
    """Use it from the desk's event loop only."""

    def __init__(self, desk: Desk, folder: Path, now: Callable[[], datetime]) -> None:
        self.desk, self._folder, self.now = desk, folder, now
        self.book = Book()
        self._reading = asyncio.Lock()
        self._written = 0
        self._watching: asyncio.Task[None] | None = None

    def now_ms(self) -> int:
        return int(self.now().timestamp() * 1000)

    async def open(self) -> None:
        """Read the last snapshot, and begin to follow the log from there; the desk must be open."""
        self.book = await asyncio.to_thread(reading.restored, self._folder)
        if self.book.kept.position > await asyncio.to_thread(self.desk.log.last):
            self.book = Book()
        self._written = self.book.kept.position
        self._watching = asyncio.create_task(self._watch(), name="fraud cases")

    async def close(self) -> None:
        """Write a last snapshot; the desk must still be open."""
        if self._watching is not None:
            self._watching.cancel()
            await asyncio.gather(self._watching, return_exceptions=True)
        await self._snapshot()

    async def catch_up(self, is_asked: bool = True) -> None:
        """Read what is notable and judged by now, or, if nobody asked, by the desk's last look. Raises DatabaseFailed."""
        async with self._reading:
            if is_asked:
                await self.desk.follower.raise_floor()
            up_to = self.desk.follower.floor
            while self.book.kept.position < up_to:
                rows = await asyncio.to_thread(self.desk.log.notable, self.book.kept.position, up_to, reading.CHUNK)
                reading.take(self.book, rows)
                if len(rows) < reading.CHUNK:
                    self.book.go_to(up_to)

    async def case(self, number: int) -> Case:
        """Return a case as it stands by now. Raises Problem (404)."""
        await self.catch_up()
        found = self.book.find(number)
        if found is None:
            raise Problem(404, "case_not_found", f"there is no case-{number}", remedy="GET /v1/cases lists them; an alert becomes one once it is judged")
        return found

    async def put(self, note: Note) -> Told:
        """Log what a person did, and return what came of it. Raises Problem (422: the id was used for something else, 503)."""
        position, deadline = await self.desk.note(note), monotonic() + SETTLE_S
        while self.book.kept.position < position:
            if monotonic() > deadline:
                remedy = "send it again with the same request_id: it is logged"
                raise Problem(503, "not_settled", f"events before position {position} are still being judged", remedy=remedy)
            await self.catch_up()
            if self.book.kept.position < position:
                await asyncio.sleep(AGAIN_S)
        return self.book.kept.told[note.id]

    async def _watch(self) -> None:
        written_s = monotonic()
        while True:
            await asyncio.sleep(LOOK_S)
            try:
                await self.catch_up(is_asked=False)
                await self._pay()
            except (DatabaseFailed, Problem) as error:
                log.warning("the cases wait: %s", error)
            if monotonic() - written_s >= SNAPSHOT_S:
                written_s = monotonic()
                await self._snapshot()

    async def _pay(self) -> None:
        """Log the entries of the block list that confirmed frauds are owed. If two instances do it, the entry is the same."""
        for entry in list(self.book.kept.owed.values()):
            await self.desk.enlist(entry)
        if self.book.kept.owed:
            await self.catch_up()

    async def _snapshot(self) -> None:
        content = bytearray()
        async with self._reading:
            position = self.book.kept.position
            if position == self._written:
                return
            for piece in reading.slices(self.book):
                content += piece
                await asyncio.sleep(0)
        try:
            await asyncio.to_thread(reading.write, self._folder, content, self.desk.instance)
            self._written = position
        except OSError as error:
            log.warning("the cases' snapshot was not written; the next start reads more: %s", error)
