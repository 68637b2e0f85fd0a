"""Replay: decide again from the frozen inputs with the package of then, and compare the bytes. Deterministic; the log is only read."""

import itertools
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from reference_apps.risk import views
from reference_apps.risk.deciding.decider import Decider
from reference_apps.risk.deciding.many import decide_many
from reference_apps.risk.keeping import freezing
from reference_apps.risk.keeping.log import Entry
from reference_apps.risk.packages.shelf import Shelf

MOST_PACKAGES, TOGETHER = 16, 1_000


@dataclass(frozen=True, slots=True)
class Replayed:
    """A logged decision and the bytes that it has today."""

    entry: Entry
    output: bytes

    @property
    def is_same(self) -> bool:
        return self.output == self.entry.output


class Replay:
    """Replays decisions with the packages kept on a shelf, each made ready once."""

    def __init__(self, shelf: Shelf) -> None:
        self._decider = lru_cache(MOST_PACKAGES)(lambda package_hash: Decider(shelf.find(package_hash)))

    def one(self, entry: Entry) -> Replayed:
        """Decide an entry again. Raises BadPackage when its package is not kept here any more."""
        decider = self._decider(entry.package)
        frozen = json.loads(entry.frozen)
        made = decider.decide(freezing.question(frozen, decider))
        again = freezing.entry(frozen, made, decider, entry.at_ms)
        return Replayed(entry, again.output)

    def all(self, entries: Iterable[Entry]) -> Iterator[Replayed]:
        """Decide entries again, many at once: the same bytes must come out of the arrays too."""
        remaining = iter(entries)
        while group := list(itertools.islice(remaining, TOGETHER)):
            for package_hash in dict.fromkeys(each.package for each in group):
                mine = [each for each in group if each.package == package_hash]
                yield from self._together(self._decider(package_hash), mine)

    def _together(self, decider: Decider, entries: Sequence[Entry]) -> Iterator[Replayed]:
        frozen = [json.loads(each.frozen) for each in entries]
        made = decide_many(decider, [freezing.question(each, decider) for each in frozen])
        for entry, inputs, decision in zip(entries, frozen, made, strict=True):
            yield Replayed(entry, freezing.output(inputs, decision, decider, views.decision_id(entry.frozen, decider.package.hash)))
