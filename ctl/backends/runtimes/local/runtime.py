"""The local runtime: instances are processes of this machine. This is its door: safe for any thread, in front of a supervisor with a loop of its own.

Of all that look at one home, one at a time may act: whoever holds run/runtime.lock. The others observe; what they are asked to do raises LeaseHeld.
"""

import asyncio
import os
import resource
import threading
from collections.abc import Callable, Coroutine, Mapping, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as LateError
from contextlib import suppress
from datetime import datetime
from time import monotonic
from typing import Any, TypeVar

import uvloop

from ctl.backends.runtimes.local import locks, logfiles, site
from ctl.backends.runtimes.local.roster import Roster
from ctl.backends.runtimes.local.site import Site
from ctl.backends.runtimes.local.starting import Dispatch, Supplies
from ctl.backends.runtimes.local.supervisor import Supervisor
from ctl.errors import BackendError, LeaseHeld, NotFound
from ctl.model.fleet import Group
from ctl.model.release import Release
from ctl.ports import Clock, Wake

CALL_S, LOOK_S, LEAD_S = 90.0, 0.5, 0.5
MOST_FILES = 65536
T = TypeVar("T")


class LocalRuntime:
    """Instances as processes under `site.home`.

    With `supervise` it keeps them up from the start, or as soon as nobody else does; without, from its first change on.
    """

    def __init__(self, site: Site, supplies: Supplies, clock: Clock, *, supervise: bool = False) -> None:
        self._site = site
        self._loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()
        self._roster = Roster(site, self._loop)
        self._dispatch = Dispatch(site, supplies)
        self.clock = clock
        self._started: Supervisor | None = None
        self._thread = threading.Thread(target=self._run, name="local-runtime", daemon=True)
        self._turn = threading.RLock()
        self._lead: int | None = None
        self._seen: frozenset[tuple[str, int]] = frozenset()
        self._look_again_at = 0.0
        self._is_closed = False
        if supervise and not self._take_lead():
            self._submit(self._wait_for_lead())

    def observe(self) -> Mapping[str, tuple[Group, ...]]:
        if self._lead is None:
            self._look()
        return self._roster.view

    def ensure(self, release: Release, count: int) -> None:
        for name in (release.service, release.id):
            site.require_plain(name)
        self._act(f"start instances of {release.service} {release.id}", lambda supervisor: supervisor.ensure(release, count))

    def drain(self, ids: Sequence[str], deadline: datetime) -> None:
        async def drain(supervisor: Supervisor) -> None:
            supervisor.drain(ids, deadline)

        self._act("drain instances", drain)

    def remove(self, service: str, release: str) -> None:
        self._act(f"remove {service} {release}", lambda supervisor: supervisor.remove(service, release))

    def logs(self, instance: str, last: int) -> Sequence[str]:
        try:
            if site.is_plain(instance):
                return logfiles.tail(self._site.log(instance), last)
        except FileNotFoundError:
            pass
        except OSError as error:
            raise BackendError(f"could not read the log of {instance}", found=str(error)) from error
        raise NotFound(f"there is no log of an instance {instance!r}", remedy="see the instances there are with `msxfctl status SERVICE`")

    def on_change(self, wake: Wake) -> None:
        self._roster.wakes.append(wake)

    def close(self, *, stop_instances: bool = False, within_s: float = 10.0) -> None:
        """End supervision: everything goes on running, or everything is drained within this time, and killed after it. Repeating it is harmless.

        Raises LeaseHeld, BackendError when instances are to be stopped and cannot be.
        """
        with self._turn:
            if self._is_closed:
                return
            if stop_instances:
                self._act("stop all instances", lambda supervisor: supervisor.stop_all(within_s), timeout_s=CALL_S + within_s)
            self._is_closed = True
            self._end()

    def _act(self, what: str, verb: Callable[[Supervisor], Coroutine[Any, Any, None]], *, timeout_s: float = CALL_S) -> None:
        """Carry out a change, in the loop, as the one who may. Raises LeaseHeld, BackendError and what the verb raises."""
        if not self._take_lead():
            holder = locks.holder(self._site.runtime_lock)
            raise LeaseHeld(f"could not {what}: process {holder} supervises {self._site.home}", remedy=f"ask that process, or end it: `kill {holder}`")
        self._wait(what, self._submit(verb(self._supervisor())), timeout_s)

    def _take_lead(self) -> bool:
        """Become the one who acts, unless somebody else is."""
        with self._turn:
            if self._lead is not None:
                return True
            supervisor = self._supervisor()
            try:
                self._site.prepare()
                lead = locks.hold_signed(self._site.runtime_lock)
            except OSError as error:
                raise BackendError(f"could not use {self._site.home}", found=str(error), remedy="make the state folder writable for this user") from error
            if lead is not None:
                self._wait("take up the instances that run", self._submit(supervisor.adopt(acting=True)), CALL_S)
                self._lead = lead
            return lead is not None

    async def _wait_for_lead(self) -> None:
        while not self._is_closed and not await self._loop.run_in_executor(self._dispatch.workers, self._take_lead):
            await asyncio.sleep(LEAD_S)

    def _look(self) -> None:
        """Observe without acting: read the records again when they have changed, and ask every instance how it is."""
        with self._turn:
            if self._lead is not None or monotonic() < self._look_again_at:
                return
            seen = _fingerprint(self._site)
            if seen != self._seen or self._started is None:
                supervisor = self._supervisor()
                self._wait("look at the instances that run", self._submit(supervisor.adopt(acting=False)), CALL_S)
                self._wait("ask the instances that run", self._submit(supervisor.settle()), CALL_S)
                self._seen = seen
            self._look_again_at = monotonic() + LOOK_S

    def _supervisor(self) -> Supervisor:
        with self._turn:
            if self._is_closed:
                raise BackendError("the local runtime has been closed")
            if self._started is None:
                _allow_many_files()
                self._thread.start()
                self._started = self._wait("begin to supervise", self._submit(self._begin()), CALL_S)
            return self._started

    async def _begin(self) -> Supervisor:
        return Supervisor(self._site, self._roster, self._dispatch, self.clock)

    def _submit(self, work: Coroutine[Any, Any, T]) -> "Future[T]":
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    def _wait(self, what: str, future: "Future[T]", timeout_s: float) -> T:
        try:
            return future.result(timeout_s)
        except LateError as error:
            raise BackendError(f"could not {what}", found=f"not done after {timeout_s:.0f} s") from error
        except OSError as error:
            raise BackendError(f"could not {what}", found=str(error)) from error

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()
        under_way = asyncio.all_tasks(self._loop)
        for task in under_way:
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*under_way, return_exceptions=True))
        self._loop.close()

    def _end(self) -> None:
        if self._started is None:
            self._loop.close()
        else:
            self._loop.call_soon_threadsafe(self._started.let_go)
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(CALL_S)
        self._dispatch.workers.shutdown(wait=False, cancel_futures=True)
        if self._lead is not None:
            os.close(self._lead)
            self._lead = None


def _fingerprint(site: Site) -> frozenset[tuple[str, int]]:
    """Return what tells one state of the records from another."""
    found = set()
    for folder in (site.groups, site.instances):
        for entry in os.scandir(folder) if folder.exists() else ():
            with suppress(FileNotFoundError):
                found.add((entry.path, entry.stat().st_mtime_ns))
    return frozenset(found)


def _allow_many_files() -> None:
    """Every instance costs two descriptors; the usual soft limit is too low for a fleet."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = min(hard, MOST_FILES) if hard != resource.RLIM_INFINITY else MOST_FILES
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
