"""All groups of one home: the snapshot others see, the records on disk, and who is told of changes. Changes are gathered and go out together."""

import asyncio
import logging
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType

from ctl.backends.runtimes.local import files
from ctl.backends.runtimes.local.site import Site
from ctl.backends.runtimes.local.slots import Cohort, GroupRecord, Slot
from ctl.errors import BadInput
from ctl.model import codec
from ctl.model.fleet import Group, InstancePhase
from ctl.ports import Wake

log = logging.getLogger(__name__)
AGAIN_S = 1.0


class Roster:
    """Owned by the supervisor's thread; `view` may be read, and `wakes` appended to, by any. Only one that `keeps` writes to the disk."""

    def __init__(self, site: Site, loop: asyncio.AbstractEventLoop) -> None:
        self.view: Mapping[str, tuple[Group, ...]] = MappingProxyType({})
        self.wakes: list[Wake] = []
        self.keeps = False
        self.starting = 0
        self._site = site
        self._loop = loop
        self._cohorts: dict[str, dict[str, Cohort]] = {}
        self._slots: dict[str, Slot] = {}
        self._changed: set[str] = set()
        self._unwritten: dict[tuple[str, str], Cohort] = {}
        self._flush_due: asyncio.Handle | None = None

    def cohort(self, service: str, release: str) -> Cohort | None:
        return self._cohorts.get(service, {}).get(release)

    def cohorts(self) -> Iterator[Cohort]:
        return (cohort for of_service in list(self._cohorts.values()) for cohort in list(of_service.values()))

    def slots(self) -> Iterator[Slot]:
        return iter(list(self._slots.values()))

    def slot(self, instance: str) -> Slot | None:
        return self._slots.get(instance)

    def ports(self) -> set[int]:
        """Return every port that a slot has, whether or not something listens there now."""
        return {slot.port for slot in self._slots.values()}

    def add(self, cohort: Cohort) -> None:
        self._cohorts.setdefault(cohort.release.service, {})[cohort.release.id] = cohort
        self.changed(cohort)

    def has(self, cohort: Cohort) -> bool:
        return self.cohort(*cohort.key) is cohort

    def forget(self, cohort: Cohort) -> None:
        """Leave the group out from now on, without touching the disk."""
        self._cohorts.get(cohort.release.service, {}).pop(cohort.release.id, None)
        for slot in list(cohort.slots.values()):
            self.drop(slot)
        self.changed(cohort)

    def erase(self, cohort: Cohort) -> None:
        """Leave the group out and delete its record."""
        self.forget(cohort)
        if self.keeps:
            path(self._site, cohort).unlink(missing_ok=True)

    def drop(self, slot: Slot) -> None:
        slot.stop_timer()
        slot.is_dropped = True
        slot.cohort.slots.pop(slot.number, None)
        self._slots.pop(slot.id, None)
        self.changed(slot.cohort)

    def changed(self, cohort: Cohort) -> None:
        """Have the group written and shown at the end of this round of the loop."""
        self._slots.update((slot.id, slot) for slot in cohort.slots.values())
        self._changed.add(cohort.release.service)
        self._unwritten[cohort.key] = cohort
        if self._flush_due is None:
            self._flush_due = self._loop.call_soon(self.try_flush)

    def flush(self) -> None:
        """Write and show what has changed, now. Raises OSError; what could not be written is tried again."""
        if self._flush_due is not None:
            self._flush_due.cancel()
            self._flush_due = None
        self._show()
        for key, cohort in list(self._unwritten.items()):
            if self.keeps and self.has(cohort):
                files.write(path(self._site, cohort), codec.to_json(cohort.record()))
            del self._unwritten[key]

    def try_flush(self) -> None:
        """Like flush(), for changes that must not wait for the disk."""
        try:
            self.flush()
        except OSError as error:
            log.warning("what runs could not be written down, next try in %.0f s: %s", AGAIN_S, error)
            self._flush_due = self._loop.call_later(AGAIN_S, self.try_flush)

    def _show(self) -> None:
        changed, self._changed = self._changed, set()
        if not changed:
            return
        self.starting = sum(slot.phase is InstancePhase.STARTING for slot in self._slots.values())
        seen = {**self.view, **{service: self._look(service) for service in changed}}
        self.view = MappingProxyType({service: groups for service, groups in seen.items() if groups})
        for service in changed:
            for wake in self.wakes:
                wake(service)

    def _look(self, service: str) -> tuple[Group, ...]:
        return tuple(cohort.group(self._site.zone) for cohort in self._cohorts.get(service, {}).values())


def path(site: Site, cohort: Cohort) -> Path:
    return site.groups / f"{cohort.release.service}@{cohort.release.id}.json"


def read(site: Site) -> Iterable[GroupRecord]:
    """Return the groups on record; a damaged one is logged and left out."""
    for each in sorted(site.groups.glob("*.json")) if site.groups.exists() else ():
        data = files.read(each)
        if data is None:
            continue
        try:
            yield codec.from_json(GroupRecord, data)
        except BadInput as error:
            log.warning("%s holds no group and is left out: %s", each, error.found)
