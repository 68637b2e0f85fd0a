"""One instance at work: events that arrive together are logged with one synchronisation, then their features are gathered, then each is judged and answered.

Nobody is answered before the event is on the disk. The judgement is a function of the log, so it may be written after the answer: who dies in between leaves an
event that any other instance judges the same.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from secrets import token_hex
from time import monotonic

import msgspec

from ctl.kit.database import DatabaseFailed
from ctl.kit.problem import Problem
from reference_apps.fraud.features.graph import Ties
from reference_apps.fraud.features.shard import GRAPH_BIT, Partial
from reference_apps.fraud.features.spec import NOTHING
from reference_apps.fraud.keeping import record
from reference_apps.fraud.keeping.log import Appended, Item, Judged, Log
from reference_apps.fraud.keeping.snapshots import Snapshots, edition
from reference_apps.fraud.keeping.writer import Writer
from reference_apps.fraud.model import Event, Listing, Verdict
from reference_apps.fraud.models.scoring import Look
from reference_apps.fraud.notes import Claim, Note, Switch
from reference_apps.fraud.policy import switching
from reference_apps.fraud.policy.judge import judge
from reference_apps.fraud.policy.policy import Policy
from reference_apps.fraud.serving import figured
from reference_apps.fraud.serving.circle import Circle
from reference_apps.fraud.serving.follower import Follower, Known, is_whole
from reference_apps.fraud.sharing.members import Card, Members

MOST_AT_ONCE = 512
SPACED_S = 0.001
"""Commits begin no closer together than that: each costs as much as judging an event, however many it holds. Whoever comes alone waits for nothing."""
GATHER_S = 6.0
"""How long an event's features may take, when an instance has just died and its keys are being taken over."""
AGAIN_S = 0.02
WRITE_BEHIND_S = 0.05
FLOOR_S = 0.25
SNAPSHOT_S, SNAPSHOT_EVENTS = 10.0, 15_000
"""How often features are written down at least and at most: who takes over keys replays no more events than that, in two or three seconds."""
SNAPSHOT = "fraud snapshot"
CLOSE_S = 20.0

log = logging.getLogger("fraud.desk")


class Job:
    """One item that waits to be logged, and for its answer: the position, and for an event the judgement."""

    __slots__ = ("done", "item")

    def __init__(self, item: Item) -> None:
        self.item = item
        self.done: asyncio.Future[tuple[int, bytes]] = asyncio.get_running_loop().create_future()


class Desk:
    """Use it from one event loop only."""

    def __init__(self, folder: Path, instance: str, policy: Policy) -> None:
        self.instance, self._shipped = instance, policy
        self._policies: dict[int, Policy] = {0: policy}
        self.log = Log(folder, instance)
        self._snapshots = Snapshots(folder)
        self.follower = Follower(self.log, self._snapshots)
        card = Card(name=instance, port=0, token=token_hex(16), edition=edition())
        self.circle = Circle(Members(folder / "members", card), self.follower, self._tell)
        self._writer = Writer(folder, instance)
        self._waiting: list[Job] = []
        self._has_come = asyncio.Event()
        self._judged: list[Judged] = []
        self._judging: dict[int, asyncio.Future[tuple[int, bytes]]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        """Join the others, replay what is to be owned, and begin to work."""
        began = monotonic()
        await asyncio.gather(self._writer.open(), self.circle.join())
        for work in (self._work, self._write_behind, self._look_after, self.circle.watch):
            self._spawn(work())
        log.info("serves: position %d, replayed in %.1f s", self.follower.position, monotonic() - began)

    async def close(self) -> None:
        """Hand over to the others, write down what is still to be written, and part."""
        await self.circle.leave()
        self._snapshots.rest = 0.0  # nobody waits for a decision any more
        snapshots = {task for task in self._tasks if task.get_name() == SNAPSHOT}
        if snapshots:
            await asyncio.wait(snapshots, timeout=CLOSE_S)
        is_free = all(task.done() for task in snapshots)
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        try:
            await self._log(())
            await self.follower.raise_floor()
            if is_free and self.follower.floor >= self.follower.position:
                await self.follower.snapshot()
        except DatabaseFailed as error:
            log.error("the last snapshot was not written; the next start replays more: %s", error)
        await self.circle.part()
        await self._writer.close()
        self._snapshots.close()
        self.log.close()

    async def check(self, event: Event) -> tuple[int, bytes]:
        """Log an event and return its position and judgement. One that is logged already keeps the judgement it got.

        Raises Problem: 422 when the id was used for another event, 503 when it could not be logged or judged.
        """
        return await self._submit(event)

    async def enlist(self, listing: Listing) -> int:
        """Log an entry of a list and return its position; it is in force for every event that stands behind it. Raises Problem (503)."""
        return (await self._submit(listing))[0]

    async def note(self, note: Note) -> int:
        """Log what a person did and return its position; sent again under its id, it stands where it stood. Raises Problem (503)."""
        return (await self._submit(note))[0]

    async def judged(self, position: int, written: bytes | None) -> bytes:
        """Return the judgement of an event of the log. Raises Problem (503) while it cannot be made."""
        if written is None:
            written = await asyncio.to_thread(self.log.judgement, position)
        return written if written is not None else (await self._judge_later(position))[1]

    async def logged(self, event: Event) -> Event:
        """Return an event as it stands in the log."""
        found = await asyncio.to_thread(self.log.find, event.id)
        return found[1] if found is not None else event

    def policy_after(self, switches: Sequence[Switch]) -> Policy:
        """Return the policy in force after these switches, all there have been up to a place in the log."""
        found = self._policies.get(len(switches))
        if found is None:
            found = self._policies[len(switches)] = switching.switched(self._shipped, switches)
        return found

    @property
    def policy(self) -> Policy:
        return self.policy_after(self.follower.switches)

    async def _submit(self, item: Item) -> tuple[int, bytes]:
        job = Job(item)
        self._waiting.append(job)
        self._has_come.set()
        return await job.done

    async def _work(self) -> None:
        begun = 0.0
        while True:
            await self._has_come.wait()
            await asyncio.sleep(max(0.0, begun + SPACED_S - monotonic()))
            begun = monotonic()
            batch, self._waiting = self._waiting[:MOST_AT_ONCE], self._waiting[MOST_AT_ONCE:]
            if not self._waiting:
                self._has_come.clear()
            try:
                self._answer(batch, await self._log([job.item for job in batch]))
            except DatabaseFailed as error:
                for job in batch:
                    _fail(job.done, _not_logged(error))

    async def _log(self, items: Sequence[Item]) -> list[Appended]:
        """Log items and what was judged meanwhile, and follow the log to there. Raises DatabaseFailed."""
        judged, self._judged = self._judged, []
        try:
            appended = await self._writer.append(items, judged)
            self.follower.follow([(each.position, item) for each, item in zip(appended, items, strict=True)], self.instance)
        except (DatabaseFailed, asyncio.CancelledError):
            self._judged = judged + self._judged  # written twice, the first stays
            raise
        return appended

    def _answer(self, batch: Sequence[Job], appended: Sequence[Appended]) -> None:
        """Answer what can be answered now; the rest waits for what other members know."""
        for job, each in zip(batch, appended, strict=True):
            if not isinstance(job.item, Listing) and each.known is not None and not _is_same(each.known, job.item):
                _fail(job.done, _reused(job.item.id))
            elif not isinstance(job.item, Event):
                _tell_job(job.done, (each.position, b""))
            else:
                self._answer_event(job, each.position)

    def _answer_event(self, job: Job, position: int) -> None:
        known = self.follower.known.get(position)
        if known is not None and known.judged is None and is_whole(known.partial):
            self._judge(position, known, known.partial)
        if known is not None and known.judged is not None:
            _tell_job(job.done, (position, known.judged))
        else:
            self._spawn(self._answer_later(job, position))

    async def _answer_later(self, job: Job, position: int) -> None:
        try:
            written = await asyncio.to_thread(self.log.judgement, position) if position not in self.follower.known else None
            _tell_job(job.done, (position, written) if written is not None else await self._judge_later(position))
        except Problem as problem:
            _fail(job.done, problem)
        except DatabaseFailed as error:
            _fail(job.done, _not_logged(error))

    async def _judge_later(self, position: int) -> tuple[int, bytes]:
        """Judge an event once all is known of it; everybody who asks for it meanwhile waits for the same judgement."""
        judging = self._judging.get(position)
        if judging is None:
            judging = self._judging[position] = asyncio.ensure_future(self._gather(position))
            judging.add_done_callback(lambda _: self._judging.pop(position, None))
        return await asyncio.shield(judging)

    async def _gather(self, position: int) -> tuple[int, bytes]:
        deadline = monotonic() + GATHER_S
        while monotonic() < deadline:
            known = self.follower.known.get(position)
            if known is None:
                written = await asyncio.to_thread(self.log.judgement, position)
                if written is not None:
                    return position, written
            else:
                if known.judged is None:
                    whole = await self.circle.gather(position, known.partial)
                    if whole is not None and known.judged is None:
                        self._judge(position, known, whole)
                if known.judged is not None:
                    return position, known.judged
            await asyncio.sleep(AGAIN_S)
        remedy = "send it again with the same event_id: it is logged"
        raise Problem(503, "not_judged", f"the features of the event at {position} are being taken over by another instance", remedy=remedy)

    def _judge(self, position: int, known: Known, whole: Partial) -> None:
        figures = tuple(NOTHING if each is None else each for each in whole.figures)
        ties = whole.ties or Ties()
        policy = self.policy_after(known.switches)
        made = judge(policy, Look(known.event, figures, ties), known.listings, known.late_ms)
        known.judged = record.write(made, policy.id, figures, ties, known.late_ms, odd=whole.odd)
        figured.note(whole.odd)
        self._judged.append((position, known.judged, made.verdict >= Verdict.REVIEW or bool(ties.linked or made.shadow)))

    async def _tell(self, positions: Sequence[int]) -> list[Partial | None]:
        if positions and max(positions) > self.follower.position:
            self.follower.catch_up(max(positions))
        return self.follower.tell(positions) if positions else [Partial(self.follower.slots, (), None)]

    async def _write_behind(self) -> None:
        """Write judgements when no event comes that would take them along."""
        while True:
            await asyncio.sleep(WRITE_BEHIND_S)
            if self._judged and not self._waiting:
                await self._or_later(lambda: self._log(()))

    async def _look_after(self) -> None:
        """Follow what others write, judge what the dead left unjudged, and write snapshots."""
        snapshot_s = monotonic()
        while True:
            await asyncio.sleep(FLOOR_S)
            if not await self._or_later(self._follow):
                continue
            behind = self.follower.position - self.follower.snapshot_at
            if behind >= SNAPSHOT_EVENTS or (behind and monotonic() - snapshot_s >= SNAPSHOT_S):
                snapshot_s = monotonic()
                if not any(task.get_name() == SNAPSHOT for task in self._tasks):
                    self._spawn(self._snapshot(), SNAPSHOT)

    async def _snapshot(self) -> None:
        await self._or_later(self.follower.snapshot)

    async def _follow(self) -> None:
        unjudged = await self.follower.raise_floor(MOST_AT_ONCE)
        if self.follower.end > self.follower.position:
            self.follower.catch_up()
        self._adopt(unjudged)

    def _adopt(self, unjudged: Sequence[int]) -> None:
        """Judge what this instance left in an earlier life; whoever owns the graph also judges what was left by one that is no more."""
        waiting = [position for position in unjudged if (known := self.follower.known.get(position)) and known.judged is None and position not in self._judging]
        alive, is_heir = self.circle.names() if waiting else (), bool(self.follower.slots & GRAPH_BIT)
        for position in waiting:
            taken_by = self.follower.known[position].taken_by
            if taken_by == self.instance or (is_heir and taken_by not in alive):
                self._spawn(self._adopt_one(position))

    async def _adopt_one(self, position: int) -> None:
        try:
            await self._judge_later(position)
        except (Problem, DatabaseFailed) as error:
            log.warning("event at %d waits for its judgement: %s", position, error)

    async def _or_later(self, work: Callable[[], Awaitable[object]]) -> bool:
        """Do a piece of upkeep; a disk that fails is tried again the next time."""
        try:
            await work()
        except DatabaseFailed as error:
            log.warning("upkeep has to wait: %s", error)
            return False
        return True

    def _spawn(self, work: "Awaitable[None]", name: str = "fraud desk") -> None:
        task = asyncio.ensure_future(work)
        assert isinstance(task, asyncio.Task)
        task.set_name(name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _is_same(known: Item, sent: Item) -> bool:
    return _timeless(known) == _timeless(sent)


def _timeless(item: Item) -> Item:
    if isinstance(item, Listing):
        return item
    return msgspec.structs.replace(item, at_ms=0, until_ms=0) if isinstance(item, Claim) else msgspec.structs.replace(item, at_ms=0)


def _tell_job(done: "asyncio.Future[tuple[int, bytes]]", answer: tuple[int, bytes]) -> None:
    if not done.done():
        done.set_result(answer)


def _fail(done: "asyncio.Future[tuple[int, bytes]]", problem: Problem) -> None:
    if not done.done():
        done.set_exception(problem)


def _reused(event_id: str) -> Problem:
    return Problem(422, "event_id_reused", f"event_id: {event_id} was used before for something else", remedy="use a new id for a new event")


def _not_logged(error: DatabaseFailed) -> Problem:
    return Problem(503, "not_logged", f"the event could not be logged: {error}", remedy="send it again with the same event_id")
