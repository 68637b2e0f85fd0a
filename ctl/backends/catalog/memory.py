"""A catalog in memory: for tests and simulations."""

import hashlib
from collections.abc import Iterable

from ctl.model import codec
from ctl.model.service import CatalogSnapshot, Service


class MemoryCatalog:
    """Holds services; replace() changes them, as an edit of the files would."""

    def __init__(self, services: Iterable[Service] = (), *, environment: str = "local") -> None:
        self._environment = environment
        self.replace(services)

    def snapshot(self) -> CatalogSnapshot:
        return self._snapshot

    def replace(self, services: Iterable[Service]) -> None:
        """Hold these services from now on."""
        known = {service.name: service for service in sorted(services, key=lambda service: service.name)}
        content = codec.canonical({name: codec.to_json(service) for name, service in known.items()})
        revision = hashlib.sha256(content.encode()).hexdigest()
        self._snapshot = CatalogSnapshot(services=known, revision=revision, environment=self._environment)
