"""The one writer: requests that arrive together are booked on a draft, made durable with one synchronisation, and only then answered.

Reads see committed books only; a batch that the disk did not take leaves no trace in memory. A large batch that is plain is a record of its own, and
is looked at while the one before it is on its way to the disk.
"""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ctl.kit.problem import Problem
from reference_apps.ledger.algebra import core
from reference_apps.ledger.algebra.fast import Prepared
from reference_apps.ledger.books import Books
from reference_apps.ledger.keeping import bulkwork, entry, frozen, journals, record, reply, snapshot
from reference_apps.ledger.keeping import journal as journal_port
from reference_apps.ledger.keeping.bulkwork import Bulk, Outcome, Planned
from reference_apps.ledger.keeping.entry import Entry
from reference_apps.ledger.keeping.frozen import Freezing
from reference_apps.ledger.keeping.journal import Fenced, Head, Journal, Unreachable, Unwritable
from reference_apps.ledger.keeping.journals import Place
from reference_apps.ledger.keeping.record import Record
from reference_apps.ledger.keeping.reply import Key, Reply
from reference_apps.ledger.keeping.schedule import Policy, Schedule
from reference_apps.ledger.loans import chart

MOST_AT_ONCE = 500
"""Requests that share one synchronisation at most."""
LEAD_S = 0.05
"""How often a standby on another machine looks whether the writer is gone."""
READ_AGAIN_S = 0.5
BEFORE_ALL_NS = 0
"""When the chart of new books is opened: before anything that may be imported into them."""
SWEEP_S = SNAPSHOT_LOOK_S = 1.0
"""How often an idle desk looks for pending transfers whose time has come, and whether a snapshot is due."""

Answer = tuple[int, Mapping[str, Any]]
Command = Callable[[Books, int], Answer]
"""Books a request on a draft at a time (ns) and returns its HTTP status and body. Raises Problem: the draft is dropped."""

log = logging.getLogger("ledger.desk")
DEFAULT = Policy()


@dataclass(frozen=True, slots=True)
class Job:
    """One request that waits for the desk."""

    command: Command
    key: Key | None
    done: "asyncio.Future[Any]"


@dataclass(frozen=True, slots=True)
class StillJob:
    """Somebody waits for the books to stand still for a moment; it is done with the books as they are then."""

    done: "asyncio.Future[Freezing]"


@dataclass(frozen=True, slots=True)
class BulkJob:
    """A large batch that waits for the desk; it is done with its outcome."""

    bulk: Bulk
    done: "asyncio.Future[Outcome]"


AnyJob = Job | BulkJob | StillJob


class Desk:
    """Takes commands from any task of one event loop; `on_fenced` is called once a newer writer has taken over."""

    def __init__(
        self, place: Place, on_fenced: Callable[[], None], clock_ns: Callable[[], int] = time.time_ns, snapshots: Path | None = None, policy: Policy = DEFAULT
    ) -> None:
        self.place = place
        self._schedule = Schedule(snapshots, policy)
        self.head: Head = journal_port.first_head()
        self.books = Books()
        self.fenced = False
        self._cut_off = False
        self._on_fenced, self._clock_ns = on_fenced, clock_ns
        self._disk = ThreadPoolExecutor(max_workers=1, thread_name_prefix="journal")
        self._waiting: deque[AnyJob] = deque()
        self._arrived = asyncio.Event()
        self._on_its_way: asyncio.Task[Planned | None] | None = None
        self._journal: Journal | None = None
        self._tasks: tuple[asyncio.Task[None], ...] = ()

    async def open(self, epoch: int = 0) -> None:
        """Become the writer: begin an epoch (not below `epoch`), rebuild the books from the journal, open what the chart has more of, begin to work."""
        self._journal = opened = await self._on_disk(lambda: journals.open_at(self.place))
        while not await self._on_disk(opened.try_lead):
            await asyncio.sleep(LEAD_S)
        await self._on_disk(lambda: opened.begin_epoch(epoch))
        self.books = await self._on_disk(lambda: self._replay(opened))
        if missing := [account for account in chart.accounts() if self.books.accounts.get(account.id) is None]:
            opening = self.books.draft()
            core.create_accounts(opening, missing, self._clock_ns() if len(self.books.tables.accounts) else BEFORE_ALL_NS)
            await self._make_durable(self._journal, [entry.of_draft(opening, self.books)])
            opening.keep()
        for control in (each for each in chart.Control if chart.taken(self.books.accounts.get(int(each)), each)):
            log.error("account %d is not the chart's %s: somebody else opened it; what would be posted to it is refused", control, chart.name(int(control)))
        work = {"ledger desk": self._work(self._journal), "ledger expiry": self._sweep(), "ledger snapshots": self._take_snapshots()}
        self._tasks = tuple(asyncio.create_task(each, name=name) for name, each in work.items())
        log.info("books open: epoch %d, %d loans, %d transfers", self._journal.epoch, len(self.books.loans.own), len(self.books.tables.transfers))

    async def close(self) -> None:
        """Stop taking commands and close the journal. What was answered is durable already."""
        self._schedule.stop()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._on_its_way is not None:
            await asyncio.gather(self._on_its_way, return_exceptions=True)
        if self._tasks and not self.fenced and not self._cut_off:
            await self._schedule.end(frozen.freeze(self.books, self.head))
        if self._journal is not None:
            await self._on_disk(self._journal.close)
        self._disk.shutdown()

    async def submit(self, command: Command, key: Key | None = None) -> Answer:
        """Run a command and return its answer once it is durable. With a key that was answered before, return that answer and change nothing.

        Raises Problem as the command does; 503 when this is no longer the writer, or when the disk fails.
        """
        answer: Answer = await self._answer(lambda done: Job(command, key, done))
        return answer

    async def submit_bulk(self, bulk: Bulk) -> Outcome:
        """Book a large batch as a record of its own, and return what became of its events once that is durable. Raises Problem (503) as `submit`."""
        outcome: Outcome = await self._answer(lambda done: BulkJob(bulk, done))
        return outcome

    async def _answer(self, job: Callable[["asyncio.Future[Any]"], AnyJob]) -> Any:
        if self.fenced:
            raise _not_the_writer()
        if self._cut_off:
            raise _not_durable()
        waiting = job(asyncio.get_running_loop().create_future())
        self._waiting.append(waiting)
        self._arrived.set()
        return await waiting.done

    async def _work(self, journal: Journal) -> None:
        while True:
            await self._arrived.wait()
            match self._waiting[0]:
                case BulkJob() as first:
                    self._waiting.popleft()
                    await self._serve_bulk(journal, first)
                case StillJob() as first:
                    self._waiting.popleft()
                    await self._settled()
                    _tell(first, await self._freezing())
                case _:
                    await self._settled()
                    await self._serve(journal, self._together())
            if not self._waiting:
                self._arrived.clear()

    def _together(self) -> list[Job]:
        """Take the small requests that wait at the front."""
        batch: list[Job] = []
        while len(batch) < MOST_AT_ONCE and self._waiting and isinstance(self._waiting[0], Job):
            batch.append(self._waiting.popleft())  # type: ignore[arg-type]
        return batch

    async def _serve_bulk(self, journal: Journal, job: BulkJob) -> None:
        """Look at the batch while the one before is on its way, then send it on its own. One that is not plain is booked event by event."""
        books, prepared = self.books, bulkwork.prepare(self.books, job.bulk)
        before = await self._settled()
        planned = self._planned(job.bulk, prepared if books is self.books else None, before)
        if planned is None:
            await self._serve(journal, [Job(bulkwork.one_by_one(job.bulk), None, job.done)])
        else:
            self._on_its_way = asyncio.create_task(self._send(journal, job, planned), name="ledger bulk")

    def _planned(self, bulk: Bulk, prepared: Prepared | None, before: Planned | None) -> Planned | None:
        """Plan against the books as they are by now; what could not be prepared before may be possible now."""
        if prepared is None:
            prepared, before = bulkwork.prepare(self.books, bulk), None
        return bulkwork.plan(self.books, bulk, prepared, self._clock_ns(), before) if prepared else None

    async def _settled(self) -> Planned | None:
        """Wait for the large batch that is on its way, and return what it did."""
        if self._on_its_way is None:
            return None
        done = await asyncio.shield(self._on_its_way)
        self._on_its_way = None
        return done

    async def _send(self, journal: Journal, job: BulkJob, planned: Planned) -> Planned | None:
        if not await self._is_durable(journal, [planned.entry()], [job]):
            return None
        planned.apply(self.books)
        _tell(job, planned.outcome())
        return planned

    async def _freezing(self) -> Freezing:
        """Begin to hold on to the books while nothing is booked."""
        going = Freezing(self.books)
        await self._on_disk(lambda: going.share(self.head))
        return going

    async def _sweep(self) -> None:
        """Release what has expired when no transfer comes that would."""
        while not self.fenced:
            await asyncio.sleep(SWEEP_S)
            if core.due(self.books, self._clock_ns()):
                try:
                    await self.submit(_expire)
                except Problem as error:
                    log.warning("expiry has to wait: %s", error)

    async def _take_snapshots(self) -> None:
        """Write a snapshot when one is due; the books stand still only while it begins, and what changes in them is copied between batches."""
        while not self.fenced:
            await asyncio.sleep(SNAPSHOT_LOOK_S)
            if self._schedule.is_due():
                try:
                    going: Freezing = await self._answer(StillJob)
                    while not going.step():
                        await asyncio.sleep(0)
                    await self._schedule.write(going.frozen)
                except Problem as error:
                    log.warning("the snapshot has to wait: %s", error)

    async def _serve(self, journal: Journal, batch: list[Job]) -> None:
        draft, entries = self.books.draft(), []
        outcomes: list[Any] = []
        for job in batch:
            outcome, changed = _book(job, draft, self._clock_ns())
            outcomes.append(outcome)
            entries += [changed] if changed else []
        if await self._is_durable(journal, entries, batch):
            draft.keep()
            for job, outcome in zip(batch, outcomes, strict=True):
                _tell(job, outcome)

    async def _is_durable(self, journal: Journal, entries: list[Entry], batch: Sequence[AnyJob]) -> bool:
        """Make a record of the entries durable. If that fails, tell the batch so, and return False once the books are those of the journal again."""
        try:
            if entries:
                await self._make_durable(journal, entries)
        except Fenced as error:
            self._lose(error)
            _tell_all(batch, _not_the_writer())
            return False
        except (Unwritable, Unreachable) as error:
            log.error("%s; the books are read again from the journal", error)
            await self._read_again(journal, batch)
            return False
        return True

    async def _make_durable(self, journal: Journal, entries: list[Entry]) -> None:
        def append() -> Record:
            new = record.write(entries, self.head, journal.epoch, self._clock_ns())
            journal.append(new)
            return new

        written = await self._on_disk(append)
        self.head = written.seq, written.hash
        self._schedule.wrote(len(written.body))

    async def _on_disk(self, work: Callable[[], Any]) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._disk, work)

    async def _read_again(self, journal: Journal, batch: Sequence[AnyJob]) -> None:
        """Rebuild the books once the journal can be read: only it knows what of the failed batch is there. Until then nobody is kept waiting."""
        self._cut_off = True
        while not await self._is_read_again(journal):
            _tell_all(batch, _not_durable())
            await asyncio.sleep(READ_AGAIN_S)
        self._cut_off = False
        _tell_all(batch, _not_durable())

    async def _is_read_again(self, journal: Journal) -> bool:
        try:
            self.books = await self._on_disk(lambda: self._replay(journal))
        except Fenced as error:
            self._lose(error)
        except Unreachable as error:
            log.error("the journal cannot be read yet: %s", error)
            return False
        return True

    def _replay(self, journal: Journal) -> Books:
        """Return the books of the journal: the newest snapshot, and what came after it."""
        books, seq = snapshot.newest(self._schedule.folder, journal)
        for found in journal.records(after=seq):
            for one in record.read(found):
                entry.fold(books, one)
            self._schedule.wrote(len(found.body))
        self.head = journal.head()
        return books

    def _lose(self, error: Fenced) -> None:
        log.error("%s; this instance stops", error)
        self.fenced = True
        self._on_fenced()


def _expire(books: Books, now_ns: int) -> Answer:
    core.expire(books, now_ns)
    return 200, {}


def _book(job: Job, draft: Books, now_ns: int) -> tuple[Any, Entry | None]:
    """Book one request on the batch's draft; an error leaves nothing of it there."""
    try:
        if job.key is not None and (stored := draft.replies.get(job.key.scope)) is not None:
            known = reply.check(stored, job.key)
            return (known.status, known.body), None
        own = draft.draft()
        answer = job.command(own, now_ns)
        if job.key is not None:
            own.replies.put(job.key.scope, Reply(job.key.body_hash, *answer))
        changed = entry.of_draft(own, draft)
        own.keep()
        return answer, changed
    except Exception as error:  # whatever one request brings about is its own answer: the writer goes on for all others
        return error, None


def _tell(job: AnyJob, outcome: Any) -> None:
    if job.done.done():
        return
    if isinstance(outcome, Exception):
        job.done.set_exception(outcome)
    else:
        job.done.set_result(outcome)


def _tell_all(batch: Sequence[AnyJob], outcome: Exception) -> None:
    for job in batch:
        _tell(job, outcome)


def _not_the_writer() -> Problem:
    return Problem(503, "not_the_writer", "a newer instance keeps the books now", remedy="send it again", unprocessed=True)


def _not_durable() -> Problem:
    return Problem(503, "not_durable", "the journal could not be written", remedy="send it again with the same key; it is booked once at most")
