"""A registry in memory: for tests and simulations."""

import threading
from collections.abc import Mapping, Sequence

from ctl.model.fleet import RegistryEntry


class MemoryRegistry:
    """Instances by id; instances() lists them by service, then id."""

    def __init__(self) -> None:
        self._turn = threading.Lock()
        self._entries: dict[str, RegistryEntry] = {}

    def instances(self) -> Mapping[str, tuple[RegistryEntry, ...]]:
        with self._turn:
            ordered = sorted(self._entries.values(), key=lambda entry: (entry.service, entry.id))
        found: dict[str, list[RegistryEntry]] = {}
        for entry in ordered:
            found.setdefault(entry.service, []).append(entry)
        return {service: tuple(entries) for service, entries in found.items()}

    def register(self, entries: Sequence[RegistryEntry]) -> None:
        with self._turn:
            self._entries.update((entry.id, entry) for entry in entries)

    def deregister(self, ids: Sequence[str]) -> None:
        with self._turn:
            for each in ids:
                self._entries.pop(each, None)
