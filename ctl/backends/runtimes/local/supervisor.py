"""The verbs of the local runtime, as its loop carries them out: groups come, grow, shrink and go here."""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from time import monotonic

from ctl.backends.runtimes.local import burial, locks
from ctl.backends.runtimes.local.adoption import Adoption
from ctl.backends.runtimes.local.keeper import Keeper
from ctl.backends.runtimes.local.roster import Roster
from ctl.backends.runtimes.local.site import Site
from ctl.backends.runtimes.local.slots import Cohort, Slot
from ctl.backends.runtimes.local.starting import Dispatch
from ctl.errors import BackendError, CtlError
from ctl.model.release import Release
from ctl.ports import Clock

POLL_S, SETTLE_S = 0.01, 0.7


class Supervisor:
    """Belongs to one event loop; every method is for that loop's thread."""

    def __init__(self, site: Site, roster: Roster, dispatch: Dispatch, clock: Clock) -> None:
        self._site = site
        self._roster = roster
        self._dispatch = dispatch
        self._clock = clock
        self._keeper = Keeper(site, roster, dispatch, clock)

    async def adopt(self, *, acting: bool) -> None:
        """Take up what the records say, afresh; what this process has heard of the same processes stays. Only one that is `acting` changes anything."""
        known = {slot.id: slot for slot in self._roster.slots()}
        self.let_go()
        for cohort in self._roster.cohorts():
            self._roster.forget(cohort)
        self._keeper.acting = self._roster.keeps = acting
        adoption = Adoption(self._site, self._roster, self._keeper, known)
        adoption.adopt()
        self._roster.try_flush()
        if acting:
            self._keeper.spawn(adoption.sweep())

    async def settle(self) -> None:
        """Wait until every running instance has been asked once, though not for long."""
        deadline = monotonic() + SETTLE_S
        while not self._keeper.is_settled and monotonic() < deadline:
            await asyncio.sleep(POLL_S)
        self._roster.try_flush()

    def let_go(self) -> None:
        """Stop watching everything; all of it goes on."""
        for slot in self._roster.slots():
            self._keeper.let_go(slot)

    async def ensure(self, release: Release, count: int) -> None:
        """Start what is missing. Raises NotFound, DigestMismatch, BackendError, OSError; then nothing new is left behind."""
        if self._keeper.is_closing:
            raise BackendError(f"could not start instances of {release.service}", found="everything is being stopped")
        cohort = await self._joined(release)
        try:
            await self._grow(cohort, count)
        finally:
            cohort.turn.release()

    def drain(self, ids: Sequence[str], deadline: datetime) -> None:
        """Tell these to go, once it is on record that they should, if the disk allows it."""
        leaving = [slot for slot in map(self._roster.slot, ids) if slot is not None and not slot.is_draining]
        for slot in leaving:
            self._keeper.drain(slot, deadline)
        self._roster.try_flush()
        for slot in leaving:
            self._keeper.begin_drain(slot)

    async def remove(self, service: str, release: str) -> None:
        """Kill what is left of a group and forget it. Raises BackendError when something of it cannot be killed."""
        cohort = self._roster.cohort(service, release)
        if cohort is None:
            return
        async with cohort.turn:
            if not self._roster.has(cohort):
                return
            cohort.is_closing = True
            try:
                await self._end(cohort)
            finally:
                cohort.is_closing = False
            self._roster.erase(cohort)
            self._roster.try_flush()

    async def stop_all(self, within_s: float) -> None:
        """Drain every instance within this time, kill what is left, forget all groups and end the launcher. Raises BackendError."""
        self._keeper.is_closing = True
        deadline = self._clock.now() + timedelta(seconds=within_s)
        for slot in self._roster.slots():
            if not slot.is_draining or slot.drain_by is None or slot.drain_by > deadline:
                self._keeper.drain(slot, deadline)
        self._roster.try_flush()
        for slot in self._roster.slots():
            self._keeper.begin_drain(slot)
        await self._emptied(monotonic() + within_s + burial.GIVE_UP_S)
        for cohort in list(self._roster.cohorts()):
            await self.remove(*cohort.key)
        if not await asyncio.get_running_loop().run_in_executor(self._dispatch.workers, self._dispatch.launcher.end):
            raise BackendError("could not end the launcher of instances", found="it still has children")

    async def _joined(self, release: Release) -> Cohort:
        """Return the release's group with its turn held; it is made where there is none."""
        while True:
            cohort = self._roster.cohort(release.service, release.id)
            if cohort is None:
                cohort = Cohort(release)
                self._roster.add(cohort)
            await cohort.turn.acquire()
            if self._roster.has(cohort):
                return cohort
            cohort.turn.release()

    async def _grow(self, cohort: Cohort, count: int) -> None:
        missing = count - sum(1 for _ in cohort.members)
        new = [self._added(cohort) for _ in range(missing)]
        try:
            self._roster.flush()
            if new:
                burial.revive(self._site, cohort.release.service, [slot.id for slot in new])
                await self._keeper.launch(cohort, new)
        except (CtlError, OSError):
            for slot in new:
                await self._undo(slot)
            raise
        finally:
            self._roster.try_flush()

    async def _undo(self, slot: Slot) -> None:
        """Drop a slot whose start failed; a launcher that died before it answered may have started it all the same."""
        self._keeper.let_go(slot)
        if await burial.kill(self._site, slot.id, slot.process):
            self._roster.drop(slot)
            self._site.record(slot.id).unlink(missing_ok=True)
            locks.discard(self._site.lock(slot.id))
        else:
            self._keeper.drain(slot, self._clock.now())
            self._keeper.begin_drain(slot)

    def _added(self, cohort: Cohort) -> Slot:
        slot = cohort.add(self._dispatch.new_port(self._roster.ports()), self._clock.now())
        self._roster.changed(cohort)
        return slot

    async def _end(self, cohort: Cohort) -> None:
        slots = list(cohort.slots.values())
        for slot in slots:
            self._keeper.let_go(slot)
            if not slot.is_draining:
                self._keeper.drain(slot, self._clock.now())
        self._roster.try_flush()
        is_over = await asyncio.gather(*(self._killed(slot) for slot in slots))
        if not all(is_over):
            left = [slot.id for slot, over in zip(slots, is_over, strict=True) if not over]
            raise BackendError(f"could not end all of {cohort.release.service} {cohort.release.id}", found=f"processes of {', '.join(left)} cannot be killed")

    async def _killed(self, slot: Slot) -> bool:
        if not await burial.kill(self._site, slot.id, slot.process):
            return False
        await burial.how_it_ended(self._site, slot.id, slot.generation)
        burial.bury(self._site, slot.cohort.release.service, slot.id)
        return True

    async def _emptied(self, deadline: float) -> None:
        while any(True for _ in self._roster.slots()) and monotonic() < deadline:
            await asyncio.sleep(POLL_S)
