"""Metrics in memory: they say what tests and simulations have them say."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from ctl.errors import BackendError
from ctl.model.fleet import Reading


class MemoryMetrics:
    """Readings by instance; one that is older than the window asked for is missing. `reachable = False` makes every call fail."""

    def __init__(self) -> None:
        self.reachable = True
        self._readings: dict[str, dict[str, Reading]] = {}

    def put(self, readings: Sequence[Reading]) -> None:
        """Have these said from now on, each in the place of what its instance said before."""
        for reading in readings:
            self._readings.setdefault(reading.service, {})[reading.instance] = reading

    def clear(self, service: str) -> None:
        """Have nothing said about a service."""
        self._readings.pop(service, None)

    def read(self, services: Iterable[str], window_s: float, now: datetime) -> Mapping[str, tuple[Reading, ...]]:
        if not self.reachable:
            raise BackendError("could not read the metrics in memory", found="they are switched off", remedy="switch them on again")
        begin = now - timedelta(seconds=window_s)
        return {service: tuple(one for one in self._readings.get(service, {}).values() if begin < one.at <= now) for service in services}
