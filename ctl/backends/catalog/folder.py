"""The catalog as a folder of YAML files: one file a service, loaded whole or not at all, and read again only when a file has changed."""

import threading
from difflib import get_close_matches
from pathlib import Path

from ctl.backends.catalog import listing as listed
from ctl.backends.catalog.listing import Listing
from ctl.backends.catalog.loading import Loaded, Loader
from ctl.errors import BadInput, CatalogMistakes
from ctl.model.catalog import Judge
from ctl.model.service import CatalogSnapshot
from ctl.model.view import MistakeView


class YamlCatalog:
    """The services of `folder` as `environment` sees them."""

    def __init__(self, folder: Path, environment: str, *, judge: Judge) -> None:
        self._folder = folder
        self._environment = environment
        self._loader = Loader(folder, judge, environment)
        self._turn = threading.Lock()
        self._listing: Listing | None = None
        self._loaded = Loaded()
        self._snapshot: CatalogSnapshot | None = None

    def snapshot(self) -> CatalogSnapshot:
        """Return every service. Raises CatalogMistakes with all of them, BadInput for an unknown environment or no folder."""
        with self._turn:
            listing = listed.scan(self._folder)
            if listing != self._listing:
                self._loaded = self._loader.load(listing)
                self._listing, self._snapshot = listing, None
            if self._snapshot is None:
                self._snapshot = self._made(self._loaded)
            return self._snapshot

    def _made(self, loaded: Loaded) -> CatalogSnapshot:
        if loaded.mistakes:
            raise CatalogMistakes(loaded.mistakes, services=loaded.files)
        known = list(loaded.services)
        if self._environment not in known:
            near = get_close_matches(self._environment, known, 1)
            remedy = f"did you mean {near[0]}?" if near else f"set MSXFCTL_ENV to one of {', '.join(known)}"
            raise BadInput(f"the catalog has no environment {self._environment!r}", found=f"{listed.ENVIRONMENTS} has {', '.join(known)}", remedy=remedy)
        services = dict(sorted(loaded.services[self._environment].items()))
        return CatalogSnapshot(services=services, revision=loaded.revision, environment=self._environment)


def mistakes(folder: Path, *, judge: Judge) -> list[MistakeView]:
    """Return every mistake of the folder, in the order of files and lines, of all environments and of the documented example; empty: it is valid."""
    loaded = Loader(folder, judge, "local").load(listed.scan(folder), example=True)
    return [MistakeView(file=one.file, line=one.line, field=one.field, message=one.message, remedy=one.remedy) for one in loaded.mistakes]


def count(folder: Path) -> int:
    """Return how many services' files the folder holds, right or wrong."""
    return sum(map(listed.is_service, listed.scan(folder)))
