"""What is wanted, as the store has it now: active rollouts, stable releases, targets. Re-read when it may have changed."""

import logging
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from ctl.control.doors import Doors
from ctl.errors import BadInput
from ctl.model.finding import Concerns
from ctl.model.rollout import Rollout
from ctl.model.service import CatalogSnapshot, Service

log = logging.getLogger(__name__)
STALE_AFTER = timedelta(seconds=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """One reading of the desired state. `current` is the rollout that acts, `queued` the services where a newer one waits."""

    catalog: CatalogSnapshot
    current: Mapping[str, Rollout]
    queued: Mapping[str, Rollout]
    stable: Mapping[str, str]
    targets: Mapping[str, int]
    concerns: Mapping[str, Concerns]

    def count(self, service: Service) -> int:
        """Return how many instances are wanted: an operator's target, or else the catalog's number."""
        return self.targets.get(service.name, service.replicas)


class Desired:
    """Reads the desired state; what seldom changes is kept for a few seconds, unless somebody says that it changed."""

    def __init__(self, doors: Doors) -> None:
        self._doors = doors
        self._lock = threading.Lock()
        self._stable: Mapping[str, str] = {}
        self._targets: Mapping[str, int] = {}
        self._concerns: Mapping[str, Concerns] = {}
        self._catalog: CatalogSnapshot | None = None
        self._read_at: datetime | None = None

    def changed(self) -> None:
        """Forget what was kept: a rollout ended, or a target was set."""
        with self._lock:
            self._read_at = None

    def read(self) -> Wanted:
        """Return the desired state now. Raises BackendError; BadInput only when the catalog has never been valid."""
        current, queued = split(self._doors.rollouts.active())
        with self._lock:
            self._refresh()
            assert self._catalog is not None
            return Wanted(
                catalog=self._catalog, current=current, queued=queued, stable=self._stable, targets=self._targets, concerns=self._concerns
            )

    def _refresh(self) -> None:
        now = self._doors.clock.now()
        if self._catalog is not None and self._read_at is not None and now - self._read_at < STALE_AFTER:
            return
        self._stable, self._targets = self._doors.rollouts.stable(), self._doors.targets.all()
        self._concerns = self._doors.findings.all()
        self._catalog = self._newest_catalog()
        self._read_at = now

    def _newest_catalog(self) -> CatalogSnapshot:
        """A catalog that has become wrong changes nothing: the last good one stays, and `doctor` and `catalog validate` say what is wrong."""
        try:
            return self._doors.catalog.snapshot()
        except BadInput as mistakes:
            if self._catalog is None:
                raise
            log.warning("the catalog has mistakes; the last good one stays in force: %s", mistakes.message.splitlines()[0])
            return self._catalog


def split(active: Sequence[Rollout]) -> tuple[dict[str, Rollout], dict[str, Rollout]]:
    """Tell the rollout that acts from the one that waits for it, by service: the oldest acts; a younger one is PLANNED until it has ended."""
    current: dict[str, Rollout] = {}
    queued: dict[str, Rollout] = {}
    for rollout in sorted(active, key=lambda rollout: rollout.revision):
        (queued if rollout.service in current else current)[rollout.service] = rollout
    return current, queued
