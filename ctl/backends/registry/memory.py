"""A registry in memory: for tests and simulations."""

import threading
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from ctl.model.fleet import RegistryEntry


class MemoryRegistry:
    """Instances by id; instances() lists them by service, then id, from a view that is made anew only where something changed."""

    def __init__(self) -> None:
        self._turn = threading.Lock()
        self._entries: dict[str, RegistryEntry] = {}
        self._view: Mapping[str, tuple[RegistryEntry, ...]] = {}

    def instances(self) -> Mapping[str, tuple[RegistryEntry, ...]]:
        return MappingProxyType(self._view)

    def register(self, entries: Sequence[RegistryEntry]) -> None:
        with self._turn:
            touched = {self._entries[entry.id].service for entry in entries if entry.id in self._entries} | {entry.service for entry in entries}
            self._entries.update((entry.id, entry) for entry in entries)
            self._show(touched)

    def deregister(self, ids: Sequence[str]) -> None:
        with self._turn:
            gone = [self._entries.pop(each) for each in ids if each in self._entries]
            self._show({entry.service for entry in gone})

    def _show(self, touched: set[str]) -> None:
        kept: dict[str, list[RegistryEntry]] = {service: [] for service in touched}
        for entry in self._entries.values():
            if entry.service in kept:
                kept[entry.service].append(entry)
        anew = {service: tuple(sorted(entries, key=lambda entry: entry.id)) for service, entries in kept.items()}
        view = {**self._view, **anew}
        self._view = {service: view[service] for service in sorted(view) if view[service]}
