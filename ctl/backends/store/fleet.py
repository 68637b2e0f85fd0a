"""Targets and the embedded registry in SQLite."""

import json
from collections.abc import Mapping, Sequence
from itertools import groupby
from operator import attrgetter

from sqlalchemy import delete, select
from sqlalchemy.dialects.sqlite import insert

from ctl.backends.store.engine import Database
from ctl.backends.store.rows import REGISTRY, TARGET
from ctl.model import codec
from ctl.model.fleet import RegistryEntry

_CHUNK = 500


class SqlTargets:
    """Wanted sizes by service."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def all(self) -> Mapping[str, int]:
        with self._database.read("read the targets") as connection:
            return {row.service: row.count_ for row in connection.execute(select(TARGET.c.service, TARGET.c.count.label("count_")))}

    def put(self, service: str, count: int | None) -> None:
        with self._database.write(f"set the target of {service}") as connection:
            if count is None:
                connection.execute(delete(TARGET).where(TARGET.c.service == service))
            else:
                row = insert(TARGET).values(service=service, count=count)
                connection.execute(row.on_conflict_do_update(index_elements=["service"], set_={"count": count}))


class SqlRegistry:
    """The embedded registry: instances by id. Rows are turned into entries once; every round of the loop asks for all of them."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known: dict[str, RegistryEntry] = {}

    def instances(self) -> Mapping[str, tuple[RegistryEntry, ...]]:
        with self._database.read("read the registry") as connection:
            bodies = connection.execute(select(REGISTRY.c.body).order_by(REGISTRY.c.service, REGISTRY.c.id)).scalars().all()
        self._known = {body: self._known.get(body) or codec.from_json(RegistryEntry, json.loads(body)) for body in bodies}
        return {service: tuple(entries) for service, entries in groupby(self._known.values(), key=attrgetter("service"))}

    def register(self, entries: Sequence[RegistryEntry]) -> None:
        if not entries:
            return
        rows = [{"id": entry.id, "service": entry.service, "body": codec.canonical(codec.to_json(entry))} for entry in entries]
        new = insert(REGISTRY)
        replace = new.on_conflict_do_update(index_elements=["id"], set_={"service": new.excluded.service, "body": new.excluded.body})
        with self._database.write(f"register {len(rows)} instances") as connection:
            connection.execute(replace, rows)

    def deregister(self, ids: Sequence[str]) -> None:
        if not ids:
            return
        with self._database.write(f"deregister {len(ids)} instances") as connection:
            for start in range(0, len(ids), _CHUNK):
                connection.execute(delete(REGISTRY).where(REGISTRY.c.id.in_(ids[start : start + _CHUNK])))
