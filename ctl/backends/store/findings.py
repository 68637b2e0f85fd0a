"""What stands about each service, in SQLite: written by compare-and-set under the service's fence, with its events, in one transaction."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace

from sqlalchemy import select
from sqlalchemy.dialects.sqlite import insert

from ctl.backends.store import admission, journal
from ctl.backends.store.chain import Link
from ctl.backends.store.engine import Database
from ctl.backends.store.rows import FENCE, FINDING
from ctl.model import codec
from ctl.model.event import Note
from ctl.model.finding import Concerns


class SqlFindings:
    """Findings by service; the fence is the one that rollouts are saved under."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def all(self) -> Mapping[str, Concerns]:
        with self._database.read("read what was found") as connection:
            bodies = connection.execute(select(FINDING.c.body).order_by(FINDING.c.service)).scalars().all()
        found = (codec.from_json(Concerns, json.loads(body)) for body in bodies)
        return {each.service: each for each in found}

    def save(self, concerns: Concerns, fence: int, notes: Sequence[Note] = ()) -> Concerns:
        service, saved = concerns.service, replace(concerns, version=concerns.version + 1)
        row = {"version": saved.version, "body": codec.canonical(codec.to_json(saved))}
        links: Sequence[Link] = ()
        with self._database.write(f"save what was found about {service}") as connection:
            highest = connection.execute(select(FENCE.c.fence).where(FENCE.c.service == service)).scalar_one_or_none() or 0
            stored = connection.execute(select(FINDING.c.version).where(FINDING.c.service == service)).scalar_one_or_none() or 0
            admission.check_concerns(concerns, stored, fence=fence, highest=highest)
            connection.execute(insert(FINDING).values(service=service, **row).on_conflict_do_update(index_elements=["service"], set_=row))
            if notes:
                links = journal.write(connection, notes)
        for link in links[-1:]:
            self._database.journal.notify(link.seq)
        return saved
