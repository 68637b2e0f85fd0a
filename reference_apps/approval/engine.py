"""The cases of one instance: taken in, carried on, changed by people and applicants, and picked up where a dead instance left them.

Every case runs here at most once at a time; what somebody else has moved on is left alone.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from sqlite3 import Connection
from typing import Any, TypeVar

from ctl.kit.database import DatabaseFailed
from ctl.kit.problem import Problem
from reference_apps.approval import store as cases
from reference_apps.approval.commits import Commits
from reference_apps.approval.flow import advance, migration
from reference_apps.approval.flow.advance import Refused, Retry
from reference_apps.approval.flow.model import Flow
from reference_apps.approval.model import Case, Judgement, Status
from reference_apps.approval.published import Published, Unpublished
from reference_apps.approval.services import Services
from reference_apps.approval.store import Known, Store, noted
from reference_apps.approval.way import Way, unknown

MOST_AT_ONCE = 16
LOOK_S = 0.05

Result = TypeVar("Result")
Also = Callable[[Connection, Case], None]
"""What else belongs into the commit of a decision; whatever it raises takes the decision back."""

Permit = Callable[[Connection, Case], Mapping[str, str]]
"""Whether somebody may change a case as it stands in the transaction: returns what its history says of them, or raises."""

log = logging.getLogger("approval.engine")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rhythm:
    """How often the engine says that it lives and looks for cases to pick up, and how long a request waits for another instance's work."""

    sweep_s: float = 1.0
    patience_s: float = 8.0
    farewell_s: float = 5.0


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def _nothing() -> None:
    """Nobody else has anything to sweep."""


def _of_itself(*_: Any) -> Mapping[str, str]:
    """Nobody has to be asked, and nobody is named."""
    return {}


class Engine:
    """Runs the cases of one instance on one event loop; the store is written from one thread and read from another.

    `on_sweep` is called in the writing thread with every sweep.
    """

    def __init__(self, store: Store, services: Services, retry: Retry, rhythm: Rhythm, flows: Published, clock_ms: Callable[[], int] = now_ms) -> None:
        self._store, self._rhythm, self._clock_ms = store, rhythm, clock_ms
        self.flows = flows
        self._disk = ThreadPoolExecutor(max_workers=1, thread_name_prefix="store")
        self._readers = ThreadPoolExecutor(max_workers=1, thread_name_prefix="reading")
        self.commit = Commits(store.write, self._disk)
        self._way = Way(store, services, retry, flows, self.commit, clock_ms)
        self._taking = asyncio.Lock()
        self._running: dict[str, asyncio.Task[Known]] = {}
        self._picked = 0
        self._unreadable: set[str] = set()
        self._pulse: asyncio.Task[None] | None = None
        self.on_sweep: Callable[[], None] = _nothing

    def now_ms(self) -> int:
        """Say what time it is for cases."""
        return self._clock_ms()

    async def start(self) -> None:
        """Publish the flows that came with us, and begin to look for cases that should go on. Raises FlowRefused."""
        await self.stored(self._store.arrive)
        await self.stored(lambda: self.flows.publish(self._clock_ms()))
        self._pulse = asyncio.create_task(self._beat_and_sweep(), name="approval sweep")

    async def stop(self) -> None:
        """Pick up no more, let running cases end if they soon do, and give up the rest for others to claim."""
        if self._pulse is not None:
            self._pulse.cancel()
            await asyncio.gather(self._pulse, return_exceptions=True)
        if self._running:
            await asyncio.wait(self._running.values(), timeout=self._rhythm.farewell_s)
        for task in self._running.values():
            task.cancel()
        await asyncio.gather(*self._running.values(), return_exceptions=True)
        await self.stored(self._store.leave)
        self._disk.shutdown()
        self._readers.shutdown()
        self._store.close()

    async def submit(self, case_id: str, application: Mapping[str, Any], body_hash: str) -> Case:
        """Take an application in and carry it as far as it goes now. The same id and body again: the case as it stands, or as it then ends.

        Raises Problem (422) when the id was used for another application.
        """
        task = self._running.get(case_id) or self._started(case_id, self._admitted(case_id, application, body_hash))
        found = await asyncio.shield(task)
        if found.body_hash != body_hash:
            detail = f"application {case_id} was sent before with another body"
            raise Problem(422, "idempotency_key_reused", detail, remedy="send the first body again, or use a new Idempotency-Key")
        return await self._settled(found.case)

    async def resume(self, case_id: str, permit: Permit = _of_itself) -> Case:
        """Let a parked case go on. Raises Problem: unknown (404), or nothing that can go on by itself (409)."""
        stands = await self.find(case_id)
        if stands.status in (Status.RUNNING, Status.DISBURSED):
            return await self._settled(stands)
        return await self._changed(case_id, "resumed", lambda flow, case: advance.resumed(flow, case, self._clock_ms()), permit)

    async def supply(self, case_id: str, change: Callable[[Case], Mapping[str, Any] | None]) -> Case:
        """Take in what the applicant brings and let the case go on; a `change` of None was brought before. Raises Problem: unknown (404), not asked (409)."""

        def brought(flow: Flow, case: Case) -> Case:
            changed = change(case)
            return case if changed is None else advance.supplied(flow, case, changed, self._clock_ms())

        return await self._changed(case_id, "supplied", brought)

    async def migrate(self, case_id: str, version: int | None, permit: Permit = _of_itself) -> Case:
        """Move a case to another published version of its flow. Raises Problem: unknown (404), or its history does not fit (409)."""
        case = await self.find(case_id)
        new = await self.read(lambda: self.flows.version(case.flow.name, version))
        if new is None:
            detail = f"version {version} of the flow {case.flow.name} is not published"
            raise Problem(404, "flow_not_found", detail, remedy="GET /v1/flows lists what is published")
        return await self._changed(case_id, "migrated", lambda _, stands: _to_version(new, stands, self._clock_ms()), permit)

    async def decided(self, case_id: str, stage: str, judgement: Judgement, *, entered: int | None = None, also: Also | None = None) -> Case:
        """Decide a case that is with people at `stage`, in one commit with `also`, and carry it on. A repeated or late decision gets the stored result.

        `entered` is the version with which the case had come into the stage: it names the visit. Raises Problem: unknown (404), the outcome has no edge
        or the person acted before (409).
        """
        changed = await self._commit_change(case_id, lambda connection: self.judge(connection, case_id, stage, judgement, entered=entered, also=also))
        return await self._gone_on(changed)

    def judge(
        self, connection: Connection, case_id: str, stage: str, judgement: Judgement, *, entered: int | None = None, also: Also | None = None
    ) -> Known | None:
        """Decide a case in a transaction of somebody else's: `decided` without the commit and without going on, which `pick_up` does. None: no such case.

        Raises Refused. `also` is called only when this decision counts.
        """

        def decide(flow: Flow, case: Case) -> Case:
            if case.stage != stage or case.status is not Status.MANUAL or entered not in (None, case.entered):
                return case
            return advance.judged(flow, case, judgement, self._clock_ms())

        body = {"person": judgement.person, "outcome": judgement.outcome, "codes": list(judgement.reasons), "note": judgement.note}
        return self._change(connection, case_id, "judged", decide, body, also)

    def send_to_repair(self, connection: Connection, case_id: str) -> None:
        """Have a person look at a payout that was stopped, in a transaction of somebody else's; one that was not is left alone."""
        self._change(connection, case_id, "stopped", lambda flow, case: advance.sent_to_repair(flow, case, self._clock_ms()), {}, None)

    async def pick_up(self, case_id: str) -> Case:
        """Carry on a case that should run and that nobody alive carries, and return it as it then stands."""
        return await self._settled(await self.find(case_id))

    async def find(self, case_id: str) -> Case:
        """Return a case. Raises Problem (404)."""
        case = await self.read(lambda: self._store.find(case_id))
        if case is None:
            raise unknown(case_id)
        return case

    async def stored(self, work: Callable[[], Result]) -> Result:
        """Do work with the store in the thread that writes."""
        return await asyncio.get_running_loop().run_in_executor(self._disk, work)

    async def read(self, work: Callable[[], Result]) -> Result:
        """Do work with the store in the thread that reads."""
        return await asyncio.get_running_loop().run_in_executor(self._readers, work)

    async def _settled(self, case: Case) -> Case:
        """Wait for a case that runs somewhere to stop, and take it over when its holder has died; a case that does not stop in time is returned as it is."""
        deadline = time.monotonic() + self._rhythm.patience_s
        while case.status is Status.RUNNING and time.monotonic() < deadline:
            task = await self._claim(case.id)
            if task is not None:
                case = (await asyncio.shield(task)).case  # it may still run: somebody else was quicker
                continue
            await asyncio.sleep(LOOK_S)
            case = await self.find(case.id)
        return case

    async def _changed(self, case_id: str, kind: str, how: Callable[[Flow, Case], Case], permit: Permit = _of_itself) -> Case:
        """Do something to a case at rest in one commit, and carry it on. Raises Problem, and what `permit` raises."""

        def change(connection: Connection) -> Known | None:
            stands = cases.known(connection, case_id)
            return self._change(connection, case_id, kind, how, permit(connection, stands.case), None) if stands is not None else None

        return await self._gone_on(await self._commit_change(case_id, change))

    async def _commit_change(self, case_id: str, work: Callable[[Connection], Known | None]) -> Known:
        try:
            changed = await self.commit(work)
        except Refused as error:
            raise Problem(409, error.code, str(error), remedy=REMEDIES.get(error.code, "")) from error
        if changed is None:
            raise unknown(case_id)
        return changed

    def _change(
        self, connection: Connection, case_id: str, kind: str, how: Callable[[Flow, Case], Case], body: Mapping[str, Any], also: Also | None
    ) -> Known | None:
        """Do something to a case inside a transaction; `how` returning the case itself changes nothing."""
        known = cases.known(connection, case_id)
        if known is None:
            return None
        before, flow = self.flows.named(known.case)
        after = how(flow, before)
        if after is before:
            return known
        self._store.change(connection, self.flows.of(after.flow), before, after, noted(after, kind, {"at": before.stage, **body}))
        if also is not None:
            also(connection, after)
        return Known(after, known.body_hash)

    async def _gone_on(self, known: Known) -> Case:
        if known.case.status is not Status.RUNNING:
            return known.case
        return await self._settled(known.case)

    async def _claim(self, case_id: str) -> "asyncio.Task[Known] | None":
        """Return the task that runs a case here, begun now if the case may be taken; one at a time, so that no case runs here twice."""
        async with self._taking:
            running = self._running.get(case_id)
            if running is not None and not running.done():
                return running
            taken = await self.commit(lambda connection: self._taken(connection, case_id))
            return self._started(case_id, self._way.gone(taken, taken.case.version, [])) if taken is not None else None

    def _taken(self, connection: Connection, case_id: str) -> Known | None:
        """Take over a case that nobody alive holds, or wake one that waits and is due; None when nothing is to be run here."""
        now = self._clock_ms()
        known = cases.known(connection, case_id)
        if known is not None and known.case.status is Status.WAITING and (known.case.retry_ms or 0) <= now:
            kind = "retried" if known.case.resumable else "expired"
            woken = self._change(connection, case_id, kind, lambda flow, case: advance.woken(flow, case, now), {"attempts": known.case.attempts}, None)
            return woken if woken is not None and woken.case.status is Status.RUNNING else None
        claimed = self._store.claim(connection, case_id, now)
        return Known(claimed, known.body_hash if known else "") if claimed is not None else None

    def _started(self, case_id: str, way: Coroutine[Any, Any, Known]) -> "asyncio.Task[Known]":
        """Walk a way in a task. Whoever waits for the task shields it: they may go away, the case goes on."""
        task = asyncio.create_task(way, name=f"application {case_id}")
        self._running[case_id] = task
        task.add_done_callback(lambda done: self._running.pop(case_id, None) if self._running.get(case_id) is done else None)
        return task

    async def _admitted(self, case_id: str, application: Mapping[str, Any], body_hash: str) -> Known:
        with self._store.glance() as connection:
            known = cases.known(connection, case_id)
        if known is not None:
            return known
        case = advance.begun(self.flows.newest, case_id, application, self._clock_ms())
        return await self._way.gone(Known(case, body_hash), 0, [noted(case, "received", {})])

    async def _beat_and_sweep(self) -> None:
        while True:
            try:
                if self._running:
                    await self.commit(lambda connection: self._store.beat(connection, self._clock_ms()))
                await self.read(self.flows.refresh)
                await self._sweep()
                await self.stored(self.on_sweep)
            except DatabaseFailed as error:
                log.error("the sweep found the store failing: %s", error)
            await asyncio.sleep(self._rhythm.sweep_s)

    async def _sweep(self) -> None:
        """Pick up cases that wait and are due, and cases whose holder has died."""
        room = MOST_AT_ONCE - self._picked
        if room <= 0:
            return
        passed_over = self._running.keys() | self._unreadable
        due = await self.read(lambda: self._store.due(self._clock_ms(), MOST_AT_ONCE + len(passed_over)))
        for case_id in [each for each in due if each not in passed_over][:room]:
            task = await self._claimed(case_id)
            if task is not None:
                log.info("application %s is picked up", case_id)
                self._picked += 1
                task.add_done_callback(self._seen)

    async def _claimed(self, case_id: str) -> "asyncio.Task[Known] | None":
        """Claim a case for the sweep. One that cannot be read must not keep the others waiting: it is passed over until we start again."""
        try:
            return await self._claim(case_id)
        except (Unpublished, LookupError, TypeError, ValueError) as error:
            log.error("application %s cannot be gone on with here: %s: %s", case_id, type(error).__name__, error)
            self._unreadable.add(case_id)
            return None

    def _seen(self, task: "asyncio.Task[Known]") -> None:
        """A picked-up case has nobody to be told: its failure is in the log, and the next sweep tries again."""
        self._picked -= 1
        error = None if task.cancelled() else task.exception()
        if error is not None and not isinstance(error, Problem):
            log.error("%s cannot be gone on with here", task.get_name(), exc_info=error)
            self._unreadable.add(task.get_name().removeprefix("application "))


REMEDIES = {
    "not_resumable": "only a case that waits for a service or for data can be resumed",
    "not_asked": "GET /v1/applications/{id}/applicant says what is asked for, if anything",
    "four_eyes": "let somebody decide who has not acted on this case",
    "history": "leave the case in its version: it ends there",
    "not_at_rest": "try again when the case waits or is with a person",
}


def _to_version(new: Flow, case: Case, at_ms: int) -> Case:
    return case if case.flow == new.id else migration.migrated(new, case, at_ms)
