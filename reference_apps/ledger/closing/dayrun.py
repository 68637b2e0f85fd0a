"""Runs the ends of days through the desk, one limited command after the other, so that requests go between; what it has done is in the books, not here."""

import asyncio
import logging
from collections.abc import Callable
from datetime import date

from ctl.kit.problem import Problem
from reference_apps.ledger.books import Books
from reference_apps.ledger.closing import dayend, subledger
from reference_apps.ledger.closing.daystep import DayEnd, Stage
from reference_apps.ledger.keeping.desk import Answer, Desk
from reference_apps.ledger.keeping.reply import Key

LEARNT_AT_ONCE = 2_000
"""Loans that are learnt before others have their turn: some 10 ms."""

log = logging.getLogger("ledger.dayend")


class DayRun:
    """At most one run at a time. `why` says what stopped the last one, if anything did; `most_loans` and `most_asked` bound a step, see dayend.accrue."""

    def __init__(self, desk: Desk, today: Callable[[], date], most_loans: int = dayend.MOST_LOANS, most_asked: int = dayend.MOST_ASKED) -> None:
        self._desk, self._today = desk, today
        self.most_loans, self.most_asked = most_loans, most_asked
        self._running: asyncio.Task[None] | None = None
        self._target: date | None = None
        self.why = ""

    @property
    def is_running(self) -> bool:
        return self._running is not None and not self._running.done()

    async def start(self, day: date, key: Key | None = None) -> DayEnd:
        """Begin the day's end or go on with it, and return how it stands; its days are worked off behind. Raises Problem when it may not begin."""
        if self.is_running and self._target is not None and self._target != day:
            detail = f"day: the end of {self._target} is running, found {day}"
            raise Problem(409, "day_end_running", detail, remedy="wait for it: GET /v1/day-ends/{day}")
        await self._desk.submit(self._beginning(day), key)
        known = self._desk.books.dayends.get(day.toordinal()) or dayend.newest(self._desk.books)
        if known is None:
            raise Problem(409, "not_begun", f"the end of {day} has not begun", remedy="send it again under a new key")
        if not self.is_running and (known.day < day or known.stage is not Stage.DONE):
            self._target, self.why = day, ""
            self._running = asyncio.create_task(self._run(day), name="ledger day end")
        return known

    async def finished(self) -> None:
        """Wait until nothing runs."""
        if self._running is not None:
            await asyncio.wait({self._running})

    async def _run(self, day: date) -> None:
        try:
            while (known := dayend.newest(self._desk.books)) is not None and (known.day < day or known.stage is not Stage.DONE):
                await self._step(known, day)
                await asyncio.sleep(0)
        except Problem as error:
            self.why = str(error)
            log.error("the end of %s has stopped: %s", day, error)
        except Exception as error:  # whatever stops a run is told to whoever asks how it stands
            self.why = f"{type(error).__name__}: {error}"
            log.exception("the end of %s has stopped", day)
        else:
            log.info("the end of %s is done", day)

    async def _step(self, known: DayEnd, target: date) -> None:
        match known.stage:
            case Stage.DONE:
                await self._desk.submit(self._beginning(target))
            case Stage.ACCRUAL:
                await learn(self._desk.books)
                await self._submit(lambda books, now_ns: dayend.accrue(books, known.day, now_ns, self.most_loans, self.most_asked))
            case Stage.CHARGE_OFF:
                await learn(self._desk.books)
                for loan_id in dayend.to_charge_off(self._desk.books, known.day):
                    await self._charge_off(known.day, loan_id)
                await learn(self._desk.books)
                await self._submit(lambda books, now_ns: dayend.end(books, known.day, now_ns))

    async def _charge_off(self, day: date, loan_id: str) -> None:
        await self._submit(lambda books, now_ns: dayend.charge_off(books, day, loan_id, self._today(), now_ns))

    async def _submit(self, step: Callable[[Books, int], DayEnd]) -> None:
        def run(books: Books, now_ns: int) -> Answer:
            step(books, now_ns)
            return 200, {}

        await self._desk.submit(run)

    def _beginning(self, day: date) -> Callable[[Books, int], Answer]:
        def run(books: Books, now_ns: int) -> Answer:
            dayend.begin(books, day, self._today(), now_ns)
            return 202, {"day": day.isoformat()}

        return run


async def learn(books: Books, most: int = LEARNT_AT_ONCE) -> None:
    """Have the columns know every loan, letting others have their turn after so many."""
    while not subledger.learn(books, most):
        await asyncio.sleep(0)
