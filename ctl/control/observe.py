"""One look at everything that runs, as an immutable Fleet, and the part of it that one service's decision needs."""

import itertools
import logging
from collections.abc import Mapping

from ctl.control.desired import Wanted
from ctl.control.doors import Doors
from ctl.decide import finding
from ctl.errors import BackendError
from ctl.model.finding import Concerns
from ctl.model.fleet import Fleet, Reading, RegistryEntry, Routes
from ctl.model.rollout import Rollout
from ctl.model.service import Service
from ctl.model.situation import Situation

log = logging.getLogger(__name__)


class Observer:
    """Looks once for all services; the sequence number of each look is higher than of every look that began before it."""

    def __init__(self, doors: Doors) -> None:
        self._doors = doors
        self._numbers = itertools.count(1)
        self.begun = 0

    def begin(self) -> int:
        """Number the look that begins now: what is read from here on is newer than everything done before."""
        self.begun = next(self._numbers)
        return self.begun

    def look(self, number: int | None = None) -> Fleet:
        """Return one observation, of the look that was begun under `number`. Raises BackendError when runtime or gateway cannot be asked:
        not knowing is no reason to act.
        """
        seq = self.begin() if number is None else number
        return Fleet(
            groups=self._doors.runtime.observe(),
            routes=self._doors.traffic.routes(),
            registered=self._registered(),
            observed_at=self._doors.clock.now(),
            seq=seq,
        )

    def situation(self, service: Service, wanted: Wanted, fleet: Fleet) -> Situation:
        """Return what a decision about `service` may know; traffic is read only while a rollout needs it."""
        rollout = wanted.current.get(service.name)
        registered = None if fleet.registered is UNKNOWN else fleet.registered.get(service.name, ())
        return Situation(
            service=service.name,
            policy=rollout.policy if rollout else service.rollout,
            handover=service.handover,
            desired=wanted.count(service),
            stable=wanted.stable.get(service.name),
            groups=fleet.groups.get(service.name, ()),
            routes=fleet.routes.get(service.name) or Routes(service=service.name),
            registered=registered,
            readings=self._readings(rollout) if rollout else (),
            queued=service.name in wanted.queued,
            held=held(service, wanted, fleet),
            now=self._doors.clock.now(),
        )

    def _readings(self, rollout: Rollout) -> tuple[Reading, ...]:
        try:
            return self._doors.metrics.read([rollout.service], rollout.policy.gate.window_s, self._doors.clock.now()).get(rollout.service, ())
        except BackendError as error:
            log.warning("no traffic figures for %s: %s", rollout.service, error.message)
            return ()

    def _registered(self) -> Mapping[str, tuple[RegistryEntry, ...]]:
        try:
            return self._doors.registry.instances()
        except BackendError as error:
            log.warning("the registry cannot be asked, its entries stay as they are: %s", error.message)
            return UNKNOWN


def held(service: Service, wanted: Wanted, fleet: Fleet) -> str:
    """Say why the service's rollout may not be promoted now; empty: it may."""
    rollout = wanted.current.get(service.name)
    if rollout is None:
        return ""
    before = wanted.concerns.get(service.name) or Concerns(service=service.name)
    return finding.held(finding.settle(before, fleet.groups.get(service.name, ()), fleet.observed_at).now, rollout, service.rollout)


UNKNOWN: Mapping[str, tuple[RegistryEntry, ...]] = {}
