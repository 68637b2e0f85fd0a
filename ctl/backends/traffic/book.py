"""The routes that were asked for, in one file of the home: what a gateway starts from, shared by all processes that work on this home."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ctl.backends.traffic import site
from ctl.backends.traffic.site import Site
from ctl.errors import BadInput
from ctl.model import codec
from ctl.model.fleet import Routes

Identity = tuple[int, int, int]


class RouteBook:
    """Routes by service. It remembers what it read and looks again when somebody else has written; one service's text is made once."""

    def __init__(self, where: Site) -> None:
        self._site = where
        self.path = where.folder / "routes.json"
        self._known: tuple[Identity | None, Mapping[str, Routes]] = None, {}  # one tuple: threads see the routes with the identity they belong to
        self._texts: dict[str, tuple[Routes, str]] = {}

    def has_moved(self) -> bool:
        """Whether the file is another one than was last read or written here. Costs one stat()."""
        return _identity(self.path) != self._known[0]

    def read(self) -> Mapping[str, Routes]:
        """Return the routes, the same object until they change. A damaged file is as good as none: the next tick asks again for what it lacks."""
        identity, (read_from, routes) = _identity(self.path), self._known
        if identity != read_from:
            routes = parse(site.read(self.path))
            self._known = identity, routes
        return routes

    @contextmanager
    def changing(self) -> Iterator[dict[str, Routes]]:
        """Give the newest routes to be changed in place, alone among all processes, and keep them at the end. Raises BackendError."""
        with self._site.alone("routes"):
            routes = dict(self.read())
            yield routes
            site.replace(self.path, self._text(routes))
            self._known = _identity(self.path), routes

    def _text(self, routes: Mapping[str, Routes]) -> str:
        for service, one in routes.items():
            if self._texts.get(service, (None, ""))[0] is not one:
                self._texts[service] = (one, json.dumps(codec.to_json(one), separators=(",", ":")))
        return '{"routes":[\n' + ",\n".join(self._texts[service][1] for service in routes) + "\n]}\n"


def parse(text: str) -> Mapping[str, Routes]:
    """Read what a book wrote; anything else is no routes."""
    try:
        found = [codec.from_json(Routes, one) for one in _listed(text)]
    except (BadInput, ValueError):
        return {}
    return {one.service: one for one in found}


def _listed(text: str) -> list[Any]:
    data = json.loads(text or "{}")
    found = data.get("routes") if isinstance(data, dict) else None
    return found if isinstance(found, list) else []


def _identity(path: Path) -> Identity:
    try:
        found = path.stat()
    except OSError:
        return 0, 0, 0
    return found.st_ino, found.st_mtime_ns, found.st_size
