"""The keeper of processes: starts them in their slots, asks them how they are, restarts what ends unasked, sees off what is drained.

It reacts to events in the supervisor's loop. One that is not `acting` only looks: it starts nothing, ends nothing and writes nothing.
"""

import asyncio
import logging
import signal
from collections.abc import Coroutine, Sequence
from datetime import datetime
from typing import Any

from ctl.backends.runtimes import backoff
from ctl.backends.runtimes.local import burial, endings, logfiles, processes, readiness, wire
from ctl.backends.runtimes.local.prober import Prober
from ctl.backends.runtimes.local.processes import Process
from ctl.backends.runtimes.local.readiness import Heard, Standing
from ctl.backends.runtimes.local.roster import Roster
from ctl.backends.runtimes.local.site import Site
from ctl.backends.runtimes.local.slots import Cohort, Slot
from ctl.backends.runtimes.local.starting import Dispatch
from ctl.backends.runtimes.local.wire import Outcome
from ctl.errors import CtlError
from ctl.model.fleet import InstancePhase
from ctl.model.service import Handover
from ctl.ports import Clock

log = logging.getLogger(__name__)
SERVING = (InstancePhase.READY, InstancePhase.STANDBY)
AGAIN_S = 5.0


class Keeper:
    """Changes slots, and nothing but slots; groups come and go by the supervisor's hand."""

    def __init__(self, site: Site, roster: Roster, dispatch: Dispatch, clock: Clock) -> None:
        self.acting = False
        self.is_closing = False
        self._site = site
        self._roster = roster
        self._dispatch = dispatch
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._prober = Prober(self._loop, self._heard, self._wait_s)
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def is_settled(self) -> bool:
        """Whether every running instance has been asked at least once."""
        return self._prober.is_settled

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run something in the loop; an error in it is logged."""
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._finished)

    def take_up(self, slot: Slot, process: Process) -> None:
        """Watch the slot's process, and ask it how it is unless it is on its way out."""
        slot.process = process
        slot.pidfd = processes.watch(process)
        if slot.pidfd is None:
            self._loop.call_soon(self._ended, slot, process)
            return
        self._loop.add_reader(slot.pidfd, self._ended, slot, process)
        if not slot.is_draining:
            self._prober.watch(slot)

    def let_go(self, slot: Slot) -> None:
        """Neither watch nor ask nor do anything about the slot; its process goes on."""
        slot.stop_timer()
        self._prober.forget(slot)
        if slot.pidfd is not None:
            self._loop.remove_reader(slot.pidfd)
            processes.close(slot.pidfd)
            slot.pidfd = None

    async def launch(self, cohort: Cohort, slots: Sequence[Slot]) -> None:
        """Start a process in each of these slots of a group whose turn is held. Raises CtlError, OSError when none could be started."""
        self._dispatch.renew_ports(slots, self._roster.ports())
        for slot in slots:
            slot.is_launching = True
        try:
            outcomes = await self._loop.run_in_executor(self._dispatch.workers, self._dispatch.send, cohort.release, slots)
        finally:
            for slot in slots:
                slot.is_launching = False
        for slot, outcome in zip(slots, outcomes, strict=True):
            self._launched(slot, outcome)

    def drain(self, slot: Slot, deadline: datetime) -> None:
        """Mark the slot as leaving; begin_drain() tells its process once that is on record."""
        slot.stop_timer()
        self._prober.forget(slot)
        slot.drain_by = deadline
        self._enter(slot, InstancePhase.DRAINING, "")

    def begin_drain(self, slot: Slot) -> None:
        """Tell a draining slot's process to end, and end it at its deadline; a slot without one is gone at once. Harmless to repeat."""
        slot.stop_timer()
        if slot.process is None:
            if not slot.is_launching:
                self.spawn(self.finish(slot))
            return
        assert slot.drain_by is not None
        processes.tell(slot.process, signal.SIGTERM)
        self._hurry_heirs(slot)
        left_s = (slot.drain_by - self._clock.now()).total_seconds()
        slot.timer = self._loop.call_later(max(0.0, left_s), processes.kill_group, slot.process)

    async def finish(self, slot: Slot) -> None:
        """See to it that nothing of a draining slot runs, and forget it."""
        is_over = await burial.kill(self._site, slot.id, slot.process)
        if slot.is_dropped or slot.cohort.is_closing:
            return
        if not is_over:
            self._enter(slot, InstancePhase.DRAINING, "its processes cannot be killed")
            slot.timer = self._loop.call_later(AGAIN_S, lambda: self.spawn(self.finish(slot)))
            return
        try:
            burial.bury(self._site, slot.cohort.release.service, slot.id)
        except OSError as error:
            log.warning("%s is gone, but its records could not be deleted: %s", slot.id, error)
        self._roster.drop(slot)

    def dead(self, slot: Slot, reason: str, ready_s: float) -> None:
        """A slot has no process, though it should have one: it gets one after its back-off."""
        slot.streak = backoff.streak_after(slot.streak, ready_s)
        self._enter(slot, InstancePhase.UNREADY, reason)
        if self.acting:
            self.start_in(slot, backoff.delay_s(slot.streak))

    def start_in(self, slot: Slot, delay_s: float) -> None:
        slot.stop_timer()
        slot.timer = self._loop.call_later(delay_s, lambda: self.spawn(self._start(slot)))

    def _launched(self, slot: Slot, outcome: Outcome) -> None:
        if outcome.held:
            self._found_running(slot)
        elif outcome.error:
            self._not_started(slot, outcome.error)
        else:
            self._begun(slot, slot.generation + 1, Process(outcome.pid, outcome.started))

    def _found_running(self, slot: Slot) -> None:
        """Its lock is held: a process that we had not heard of is as good as a new one."""
        record = wire.read_record(self._site.record(slot.id))
        if record is not None and record.is_running:
            self._begun(slot, record.generation, record.process)
        else:
            self._not_started(slot, "something of its last process still runs")

    def _not_started(self, slot: Slot, why: str) -> None:
        if slot.is_draining:
            self.begin_drain(slot)
        elif not slot.is_dropped:
            self.dead(slot, f"could not be started: {why}", 0.0)

    def _begun(self, slot: Slot, generation: int, process: Process) -> None:
        slot.generation, slot.created_at = generation, self._clock.now()
        slot.standing, slot.verdict = Standing(reason=slot.reason), ""
        if not slot.is_draining:
            self._enter(slot, InstancePhase.STARTING, slot.reason)
        self.take_up(slot, process)
        if slot.is_draining:
            self.begin_drain(slot)

    async def _start(self, slot: Slot) -> None:
        cohort = slot.cohort
        async with cohort.turn:
            if slot.is_dropped or slot.is_draining or slot.process is not None or cohort.is_closing or self.is_closing:
                return
            try:
                if not await burial.kill(self._site, slot.id, None):
                    self._not_started(slot, "processes of its last life cannot be killed")
                    return
                await self.launch(cohort, [slot])
            except CtlError as error:
                self._not_started(slot, f"{error.message} ({error.found})" if error.found else error.message)
            except OSError as error:
                self._not_started(slot, str(error))

    def _ended(self, slot: Slot, process: Process) -> None:
        """The process has ended: it takes no more traffic from this moment; how it ended is found out next."""
        ready_s = (self._clock.now() - slot.since).total_seconds() if slot.phase in SERVING else 0.0
        self.let_go(slot)
        if not slot.is_draining:
            self._enter(slot, InstancePhase.UNREADY, "its process has ended")
        self.spawn(self._after_end(slot, process, ready_s))
        self._hurry_heirs(slot)

    async def _after_end(self, slot: Slot, process: Process, ready_s: float) -> None:
        record = await burial.how_it_ended(self._site, slot.id, slot.generation)
        if slot.is_dropped or slot.cohort.is_closing or slot.process != process:
            return
        if slot.is_draining and self.acting:
            await self.finish(slot)
            return
        slot.process = None
        self.dead(slot, slot.verdict or self.epitaph(slot, record), ready_s)

    def epitaph(self, slot: Slot, record: wire.Record | None) -> str:
        """Say how the slot's last process ended."""
        if record is None:
            return endings.describe(None, None, "")
        lasted_s = record.ended_at - record.began_at if record.ended_at is not None else None
        return endings.describe(record.status, lasted_s, logfiles.last_words(self._site.log(slot.id), record.log_from))

    def _heard(self, slot: Slot, answer: Heard) -> None:
        before = slot.standing
        now = slot.standing = readiness.after(before, answer, self._site.pace)
        if now.phase is not slot.phase or now.reason != slot.reason:
            self._enter(slot, now.phase, now.reason)
        elif now.findings != before.findings:
            self._roster.changed(slot.cohort)
        if self.acting and slot.process is not None and readiness.is_dead(now, self._age_s(slot), self._site.pace):
            slot.verdict = f"did not answer {now.silent} probes in a row and was killed"
            self._prober.forget(slot)
            processes.kill_group(slot.process)

    def _hurry_heirs(self, slot: Slot) -> None:
        """A writer is going: whoever stands by for its lock is asked often for a while, to be seen ready when it is."""
        service = slot.cohort.release.service
        if slot.cohort.release.handover is not Handover.STANDBY:
            return
        for heir in self._roster.slots():
            if heir.phase is InstancePhase.STANDBY and heir.cohort.release.service == service:
                heir.hurried_until = self._loop.time() + self._site.pace.quick_for_s
                self._prober.hurry(heir)

    def _wait_s(self, slot: Slot) -> float:
        if self._loop.time() < slot.hurried_until:
            return self._site.pace.quick_s
        in_phase_s = (self._clock.now() - slot.since).total_seconds()
        health = slot.cohort.release.health
        age_s, starting = self._age_s(slot), self._roster.starting
        return readiness.wait_s(slot.standing, health, self._site.pace, age_s=age_s, in_phase_s=in_phase_s, starting=starting)

    def _age_s(self, slot: Slot) -> float:
        return (self._clock.now() - slot.created_at).total_seconds()

    def _enter(self, slot: Slot, phase: InstancePhase, reason: str) -> None:
        if phase is not slot.phase:
            slot.since = self._clock.now()
        slot.phase, slot.reason = phase, reason
        self._roster.changed(slot.cohort)

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            log.error("the local runtime met an error it does not know", exc_info=task.exception())
