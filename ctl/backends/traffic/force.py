"""Which routes are in force, and which are waited for. Plain state: no IO; whoever uses it holds the lock."""

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

from ctl.backends.traffic import effective
from ctl.model.fleet import Routes


class InForce:
    """`routes` is replaced as a whole at every change, so that it can be read without the lock."""

    def __init__(self) -> None:
        self.routes: Mapping[str, Routes] = MappingProxyType({})
        self.pending: set[str] = set()

    def begin(self, asked: Mapping[str, Routes], actual: Mapping[str, Routes] | None) -> None:
        """Take the first answer of the gateway. None: it is down, and will come back with what was asked for."""
        found = asked if actual is None else actual
        self.routes = MappingProxyType({service: _known_as(one, asked.get(service)) for service, one in found.items()})

    def expect(self, asked: Mapping[str, Routes]) -> None:
        """Wait for those that differ from what is in force."""
        self.pending.update(service for service, one in asked.items() if one is not (known := self._of(service)) and not effective.equal(one, known))

    def see(self, actual: Mapping[str, Routes], asked: Mapping[str, Routes]) -> list[str]:
        """Take an answer of the gateway about the `asked` services, and return those whose routes are in force now as they were asked for."""
        done = [service for service, one in asked.items() if service in actual and effective.equal(one, actual[service])]
        changed = {service: _known_as(actual[service], asked[service]) for service in asked if service in actual}
        moved = {service: one for service, one in changed.items() if not effective.equal(one, self._of(service)) or service in done}
        if moved:
            self.routes = MappingProxyType({**self.routes, **moved})
        self.pending.difference_update(done)
        return done

    def _of(self, service: str) -> Routes:
        return self.routes.get(service) or Routes(service=service)


def _known_as(actual: Routes, asked: Routes | None) -> Routes:
    """Return what is in force: as it was asked for, where that is the same; only we know its revision and order."""
    if asked is not None and effective.equal(actual, asked):
        return asked
    return replace(actual, revision=max(0, asked.revision - 1) if asked else 0)
