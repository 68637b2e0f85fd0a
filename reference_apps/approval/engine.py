"""Carries cases from stage to stage: claims them, asks, writes each transition, and picks up what a dead instance left behind."""

import asyncio
import logging
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import TypeVar

from ctl.kit.database import DatabaseFailed
from ctl.kit.problem import Problem
from reference_apps.approval import flow
from reference_apps.approval.flow import Retry
from reference_apps.approval.model import Case, Status
from reference_apps.approval.services import Services
from reference_apps.approval.store import Lost, Store

MOST_AT_ONCE = 16
LOOK_S = 0.05

Result = TypeVar("Result")

log = logging.getLogger("approval.engine")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rhythm:
    """How often the engine says that it lives and looks for cases to pick up, and how long a request waits for another instance's work."""

    sweep_s: float = 1.0
    patience_s: float = 8.0
    farewell_s: float = 5.0


def now_ms() -> int:
    return time.time_ns() // 1_000_000


class Engine:
    """Runs the cases of one instance on one event loop; the store is used from one thread of its own."""

    def __init__(self, store: Store, services: Services, retry: Retry, rhythm: Rhythm) -> None:
        self._store, self._services, self._retry, self._rhythm = store, services, retry, rhythm
        self._disk = ThreadPoolExecutor(max_workers=1, thread_name_prefix="store")
        self._taking = asyncio.Lock()
        self._running: dict[str, asyncio.Task[Case]] = {}
        self._pulse: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to look for cases that should go on."""
        await self.stored(self._store.arrive)
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
        self._store.close()

    async def submit(self, case: Case, body_hash: str) -> Case:
        """Take an application in and carry it as far as it goes now. The same id and body again: the case as it stands, or as it then ends.

        Raises Problem (422) when the id was used for another application.
        """
        async with self._taking:
            known = await self.stored(lambda: self._store.receive(case, body_hash))
            task = self._started(case) if known is None else None
        if task is not None:
            return await asyncio.shield(task)
        if known is not None and known.body_hash != body_hash:
            detail = f"application {case.id} was sent before with another body"
            raise Problem(422, "idempotency_key_reused", detail, remedy="send the first body again, or use a new Idempotency-Key")
        return await self._settled(await self.find(case.id))

    async def resume(self, case_id: str) -> Case:
        """Let a parked case go on. Raises Problem: unknown (404), or nothing that can go on by itself (409)."""
        task = await self._take(case_id, lambda: self._store.resume(case_id, now_ms()))
        if task is not None:
            return await asyncio.shield(task)
        stands = await self.find(case_id)
        if stands.status in (Status.RUNNING, Status.DISBURSED):
            return await self._settled(stands)
        detail = f"application {case_id} is {stands.status}: {'; '.join(each.en for each in stands.reasons)}"
        raise Problem(409, "not_resumable", detail, remedy="only a case that waits for a service or for data can be resumed")

    async def find(self, case_id: str) -> Case:
        """Return a case. Raises Problem (404)."""
        case = await self.stored(lambda: self._store.find(case_id))
        if case is None:
            raise Problem(404, "application_not_found", f"there is no application {case_id}", remedy="GET /v1/applications lists them")
        return case

    async def stored(self, work: Callable[[], Result]) -> Result:
        """Do work with the store in the store's thread."""
        return await asyncio.get_running_loop().run_in_executor(self._disk, work)

    async def _settled(self, case: Case) -> Case:
        """Wait for a case that runs somewhere to stop, and take it over when its holder has died; a case that does not stop in time is returned as it is."""
        deadline = time.monotonic() + self._rhythm.patience_s
        while case.status is Status.RUNNING and time.monotonic() < deadline:
            task = await self._claim(case.id)
            if task is not None:
                return await asyncio.shield(task)
            await asyncio.sleep(LOOK_S)
            case = await self.find(case.id)
        return case

    async def _claim(self, case_id: str) -> "asyncio.Task[Case] | None":
        return await self._take(case_id, lambda: self._store.claim(case_id, now_ms()))

    async def _take(self, case_id: str, work: Callable[[], Case | None]) -> "asyncio.Task[Case] | None":
        """Return the task that runs a case here, begun now if `work` gets the case from the store; one at a time, so that no case runs here twice."""
        async with self._taking:
            if case_id in self._running:
                return self._running[case_id]
            taken = await self.stored(work)
            return self._started(taken) if taken is not None else None

    def _started(self, case: Case) -> "asyncio.Task[Case]":
        """Run a case that we hold. Whoever waits for the task shields it: they may go away, the case goes on."""
        task = asyncio.create_task(self._run(case), name=f"application {case.id}")
        self._running[case.id] = task
        task.add_done_callback(lambda _: self._running.pop(case.id, None))
        return task

    async def _run(self, case: Case) -> Case:
        try:
            while case.status is Status.RUNNING:
                case = await self._step(case)
        except Lost as error:
            log.warning("%s", error)
            return await self.find(case.id)
        except DatabaseFailed as error:
            log.error("application %s stops at %s: %s", case.id, case.stage, error)
            raise Problem(503, "not_stored", f"application {case.id} could not be stored: {error}", remedy="send it again with the same key") from error
        if case.status not in (Status.DISBURSED, Status.REJECTED):
            log.warning("application %s is %s: %s", case.id, case.status, "; ".join(reason.en for reason in case.reasons))
        return case

    async def _step(self, case: Case) -> Case:
        said = await self._services.ask(case)
        moved = flow.advance(case, said, self._retry, now_ms())
        await self.stored(lambda: self._store.save(moved, said.kind, asdict(said)))
        return moved

    async def _beat_and_sweep(self) -> None:
        while True:
            try:
                if self._running:
                    await self.stored(lambda: self._store.beat(now_ms()))
                await self._sweep()
            except DatabaseFailed as error:
                log.error("the sweep found the store failing: %s", error)
            await asyncio.sleep(self._rhythm.sweep_s)

    async def _sweep(self) -> None:
        """Pick up cases that wait and are due, and cases whose holder has died."""
        room = MOST_AT_ONCE - len(self._running)
        if room <= 0:
            return
        due = await self.stored(lambda: self._store.due(now_ms(), MOST_AT_ONCE + len(self._running)))
        for case_id in [each for each in due if each not in self._running][:room]:
            task = await self._claim(case_id)
            if task is not None:
                log.info("application %s is picked up", case_id)
                task.add_done_callback(_seen)


def _seen(task: "asyncio.Task[Case]") -> None:
    """A picked-up case has nobody to be told: its failure is in the log, and the next sweep tries again."""
    if not task.cancelled():
        task.exception()

