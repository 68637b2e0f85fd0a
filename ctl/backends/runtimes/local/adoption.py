"""Taking up what runs already: groups from their records, processes by id and start time, drains with the deadline they had."""

import logging
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

from ctl.backends.runtimes.local import burial, locks, readiness, roster, wire
from ctl.backends.runtimes.local.keeper import SERVING, Keeper
from ctl.backends.runtimes.local.roster import Roster
from ctl.backends.runtimes.local.site import Site
from ctl.backends.runtimes.local.slots import Cohort, GroupRecord, Slot, SlotRecord
from ctl.model.fleet import InstancePhase

log = logging.getLogger(__name__)


class Adoption:
    """One look at the records of a home. `known` are the slots as this process has seen them up to now; the same process keeps what was heard of it."""

    def __init__(self, site: Site, groups: Roster, keeper: Keeper, known: Mapping[str, Slot]) -> None:
        self._site = site
        self._groups = groups
        self._keeper = keeper
        self._known = known

    def adopt(self) -> None:
        """Take up every group on record: what lives is watched and asked, what is dead restarts, what drains goes on draining."""
        for record in roster.read(self._site):
            self._adopt_group(record)

    async def sweep(self) -> None:
        """End what belongs to no slot: a process that was started and never written down by its supervisor, and files without a process."""
        for path in [path for path in strays(self._site) if self._groups.slot(path.stem) is None]:
            record = wire.read_record(self._site.record(path.stem))
            if await burial.kill(self._site, path.stem, None):
                await burial.how_it_ended(self._site, path.stem, record.generation if record else 0)
                self._site.record(path.stem).unlink(missing_ok=True)
                locks.discard(self._site.lock(path.stem))
                log.info("%s belonged to no group and is gone", path.stem)

    def _adopt_group(self, record: GroupRecord) -> None:
        cohort = Cohort(record.release, record.next_number)
        for each in record.slots:
            slot = cohort.slots[each.number] = _slot(cohort, each)
        self._groups.add(cohort)
        for slot in list(cohort.slots.values()):
            self._adopt_slot(slot)

    def _adopt_slot(self, slot: Slot) -> None:
        written = wire.read_record(self._site.record(slot.id))
        if written is not None and (written.is_running or written.has_just_ended):
            self._adopt_living(slot, written)
        elif slot.is_draining:
            if self._keeper.acting:
                self._keeper.begin_drain(slot)
        elif written is None and slot.generation == 0:
            if self._keeper.acting:
                self._keeper.start_in(slot, 0.0)
        else:
            self._adopt_dead(slot, written)

    def _adopt_living(self, slot: Slot, written: wire.Record) -> None:
        before = self._known.get(slot.id)
        if before is not None and before.process == written.process and not slot.is_draining:
            slot.phase, slot.since, slot.reason, slot.standing = before.phase, before.since, before.reason, before.standing
            slot.generation, slot.created_at = before.generation, before.created_at
        elif written.generation > slot.generation:
            slot.generation, slot.created_at = written.generation, _moment(written.began_at)
            if not slot.is_draining:
                slot.phase, slot.since = InstancePhase.STARTING, slot.created_at
        if slot.standing.phase is not slot.phase:
            slot.standing = readiness.adopted(slot.phase, slot.reason)
        self._keeper.take_up(slot, written.process)
        if slot.is_draining and self._keeper.acting:
            self._keeper.begin_drain(slot)

    def _adopt_dead(self, slot: Slot, written: wire.Record | None) -> None:
        ended_at = written.ended_at if written is not None else None
        ready_s = ended_at - slot.since.timestamp() if ended_at is not None and slot.phase in SERVING else 0.0
        was_up = slot.phase is not InstancePhase.UNREADY
        slot.generation = max(slot.generation, written.generation if written is not None else 0)
        self._keeper.dead(slot, self._keeper.epitaph(slot, written), ready_s)
        if ended_at is not None and was_up:
            slot.since = _moment(ended_at)


def strays(site: Site) -> Iterator[Path]:
    """Return the record and lock files of all instances."""
    return (path for pattern in ("*.json", "*.lock") for path in site.instances.glob(pattern) if not path.name.startswith("."))


def _slot(cohort: Cohort, record: SlotRecord) -> Slot:
    return Slot(
        cohort,
        record.number,
        record.port,
        generation=record.generation,
        streak=record.streak,
        phase=record.phase,
        since=record.since,
        created_at=record.created_at,
        reason=record.reason,
        drain_by=record.drain_by,
    )


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
