"""Leases in SQLite: who may act, under a fence that grows with every new holder."""

from datetime import datetime, timedelta

from sqlalchemy import select, update
from sqlalchemy.dialects.sqlite import insert

from ctl.backends.store.engine import Database
from ctl.backends.store.rows import LEASE
from ctl.model import codec


class SqlLeases:
    """Leases by name. An expired or released lease belongs to nobody: taking it, even again, grows the fence."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def acquire(self, name: str, holder: str, ttl_s: float, now: datetime) -> int | None:
        with self._database.write(f"take lease {name}") as connection:
            row = connection.execute(select(LEASE.c.holder, LEASE.c.fence, LEASE.c.until).where(LEASE.c.name == name)).one_or_none()
            is_held = row is not None and bool(row.holder) and codec.iso(now) < row.until
            if row is not None and is_held and row.holder != holder:
                return None
            fence = 1 if row is None else int(row.fence) + (0 if is_held else 1)
            values = {"holder": holder, "fence": fence, "until": codec.iso(now + timedelta(seconds=ttl_s))}
            connection.execute(insert(LEASE).values(name=name, **values).on_conflict_do_update(index_elements=["name"], set_=values))
        return fence

    def release(self, name: str, holder: str) -> None:
        with self._database.write(f"give lease {name} back") as connection:
            connection.execute(update(LEASE).where(LEASE.c.name == name, LEASE.c.holder == holder).values(holder=""))

    def holder(self, name: str, now: datetime) -> str | None:
        asked = select(LEASE.c.holder).where(LEASE.c.name == name, LEASE.c.holder != "", LEASE.c.until > codec.iso(now))
        with self._database.read(f"look at lease {name}") as connection:
            return connection.execute(asked).scalar_one_or_none()
