"""The settled reading: windows as they stand once no event can come in time any more. A pure function of the log.

An event's settled windows are emitted when the watermark (the newest event time less L) has passed it, and hold every event of that window, whatever its place
in the log, peers of the same moment too. An event that comes behind the watermark is late: it gets no settled windows, and counts in those emitted later.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from heapq import heappop, heappush

from reference_apps.fraud.features.keystate import Figures, KeyState
from reference_apps.fraud.features.moving import Entry
from reference_apps.fraud.features.shard import BEFORE_ALL, IS_MANY, KEYED
from reference_apps.fraud.features.spec import FAMILIES, LATENESS_MS, NOTHING
from reference_apps.fraud.model import Event

Key = tuple[str, int, str]


@dataclass(frozen=True, slots=True)
class Settled:
    """The settled windows of one event; of several contacts, the highest of each figure."""

    position: int
    figures: tuple[Figures, ...]


class Settling:
    """Takes in the log in its order and hands out what settles."""

    def __init__(self) -> None:
        self.newest = BEFORE_ALL
        self.late = 0
        self._waiting: list[tuple[int, int, Event]] = []
        self._states: dict[Key, KeyState] = {}

    def take(self, position: int, event: Event) -> list[Settled]:
        """Take in the next event and return what settles by it, in event time, then in the order of the log."""
        if event.at_ms < self.newest - LATENESS_MS:
            self.late += 1
            self._observe([(position, event)])
            return []
        heappush(self._waiting, (event.at_ms, position, event))
        self.newest = max(self.newest, event.at_ms)
        return self._settle(self.newest - LATENESS_MS)

    def finish(self) -> list[Settled]:
        """Return what still waits, as if the watermark had passed it."""
        return self._settle(2**62)

    def _settle(self, watermark: int) -> list[Settled]:
        found: list[Settled] = []
        while self._waiting and self._waiting[0][0] < watermark:
            peers = []
            moment = self._waiting[0][0]
            while self._waiting and self._waiting[0][0] == moment:
                _, position, event = heappop(self._waiting)
                peers.append((position, event))
            found += self._observe(peers)
        return found

    def _observe(self, peers: list[tuple[int, Event]]) -> list[Settled]:
        """Count events of one moment, then read the windows of each: the last one that a key was shown stands for all of the moment."""
        figures: dict[Key, Figures] = {}
        for _, event in peers:
            for key, entry in _keys(event):
                state = self._states.get(key)
                if state is None:
                    state = self._states[key] = KeyState()
                figures[key] = state.observe(entry)
        return [Settled(position, _highest(event, figures)) for position, event in peers]


def _keys(event: Event) -> Iterator[tuple[Key, Entry]]:
    for number, (key, entry) in enumerate(KEYED(event)):
        for each in dict.fromkeys(key) if IS_MANY[number] else (key,) if key else ():
            yield (event.kind, number, each), entry


def _highest(event: Event, figures: dict[Key, Figures]) -> tuple[Figures, ...]:
    found: list[Figures] = [NOTHING] * len(FAMILIES)
    for key, _ in _keys(event):
        number = key[1]
        found[number] = figures[key] if found[number] is NOTHING else tuple(map(max, found[number], figures[key]))
    return tuple(found)


def run(log: Iterable[tuple[int, Event]]) -> Iterator[Settled]:
    """Yield the settled windows of a whole log; what its end leaves open settles at last."""
    settling = Settling()
    for position, event in log:
        yield from settling.take(position, event)
    yield from settling.finish()
