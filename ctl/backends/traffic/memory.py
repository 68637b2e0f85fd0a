"""A gateway in memory: for tests and simulations. It applies routes at once, or late on purpose, and fails when told to."""

import threading
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from types import MappingProxyType

from ctl.backends.traffic import effective
from ctl.errors import BackendError
from ctl.model.fleet import Routes
from ctl.ports import Clock, Wake

BASE = "http://gateway.memory"


class MemoryTraffic:
    """Routes by service. They get in force `lag_s` after they were asked for, at the first look after that; `reachable = False` makes every call fail."""

    def __init__(self, clock: Clock, *, lag_s: float = 0.0) -> None:
        self.lag_s = lag_s
        self.reachable = True
        self._clock = clock
        self._turn = threading.Lock()
        self._asked: dict[str, Routes] = {}
        self._in_force: Mapping[str, Routes] = MappingProxyType({})
        self._coming: list[tuple[datetime, Routes]] = []
        self._wakes: list[Wake] = []

    def routes(self) -> Mapping[str, Routes]:
        self._require_reachable()
        for service in self._settle():
            self._tell(service)
        return self._in_force

    def set_routes(self, routes: Routes) -> None:
        self._require_reachable()
        wanted = effective.effective(routes)
        with self._turn:
            last = self._asked.get(routes.service) or Routes(service=routes.service)
            if effective.equal(last, wanted):
                return
            self._asked[routes.service] = replace(wanted, revision=last.revision + 1)
            self._coming.append((self._clock.now() + timedelta(seconds=self.lag_s), self._asked[routes.service]))
        if not self.lag_s:
            self.routes()

    def address(self) -> str:
        return BASE

    def on_change(self, wake: Wake) -> None:
        self._wakes.append(wake)

    def _settle(self) -> list[str]:
        """Put in force what is due, and return whose routes that changed."""
        if not self._coming:
            return []
        with self._turn:
            now = self._clock.now()
            due = [routes for moment, routes in self._coming if moment <= now]
            self._coming = [(moment, routes) for moment, routes in self._coming if moment > now]
            if due:
                self._in_force = MappingProxyType({**self._in_force, **{routes.service: routes for routes in due}})
        return [routes.service for routes in due]

    def _tell(self, service: str) -> None:
        for wake in self._wakes:
            wake(service)

    def _require_reachable(self) -> None:
        if not self.reachable:
            raise BackendError("could not ask the gateway in memory", found="it is switched off", remedy="switch it on again")
