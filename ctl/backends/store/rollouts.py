"""Rollouts and releases in SQLite; a rollout is written by compare-and-set under a fence, in one transaction."""

import json
from collections.abc import Mapping, Sequence

from sqlalchemy import Connection, func, select, text, update
from sqlalchemy.dialects.sqlite import insert

from ctl.backends.store import admission, journal
from ctl.backends.store.chain import Link
from ctl.backends.store.engine import Database
from ctl.backends.store.rows import FENCE, RELEASE, ROLLOUT
from ctl.errors import NotFound
from ctl.model import codec
from ctl.model.event import Note
from ctl.model.release import Release
from ctl.model.rollout import Phase, Rollout

# Written out, not bound: SQLite uses a partial index only where it can see the condition.
_ACTIVE = select(ROLLOUT.c.body).where(text("place != ''")).order_by(ROLLOUT.c.service)
_CERTIFIED = select(ROLLOUT.c.service, func.max(ROLLOUT.c.revision).label("revision")).where(ROLLOUT.c.phase == Phase.CERTIFIED.value)
_LAST_GOOD = _CERTIFIED.group_by(ROLLOUT.c.service).subquery()
_STABLE = select(ROLLOUT.c.service, ROLLOUT.c.to_release).join(
    _LAST_GOOD, (ROLLOUT.c.service == _LAST_GOOD.c.service) & (ROLLOUT.c.revision == _LAST_GOOD.c.revision)
)


class SqlReleases:
    """Releases by service and id."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def put(self, release: Release) -> None:
        body = codec.canonical(codec.to_json(release))
        row = {"service": release.service, "id": release.id, "built_at": codec.iso(release.built_at), "body": body}
        with self._database.write(f"keep release {release.id} of {release.service}") as connection:
            connection.execute(insert(RELEASE).values(row).on_conflict_do_nothing(index_elements=["service", "id"]))

    def get(self, service: str, release: str) -> Release:
        with self._database.read(f"read release {release} of {service}") as connection:
            body = connection.execute(select(RELEASE.c.body).where(RELEASE.c.service == service, RELEASE.c.id == release)).scalar_one_or_none()
        if body is None:
            raise NotFound(f"{service} has no release {release!r}", remedy=f"see `msxfctl history {service}`")
        return codec.from_json(Release, json.loads(body))

    def find(self, service: str) -> Sequence[Release]:
        newest = select(RELEASE.c.body).where(RELEASE.c.service == service).order_by(RELEASE.c.built_at.desc(), RELEASE.c.number.desc())
        with self._database.read(f"read the releases of {service}") as connection:
            bodies = connection.execute(newest).scalars().all()
        return tuple(codec.from_json(Release, json.loads(body)) for body in bodies)


class SqlRollouts:
    """Rollouts by id; of a service at most one moves and at most one is planned. Every round of the loop asks for the active ones: each state is read once."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known: dict[str, Rollout] = {}

    def active(self) -> Sequence[Rollout]:
        with self._database.read("read the active rollouts") as connection:
            bodies = connection.execute(_ACTIVE).scalars().all()
        known = self._known
        self._known = {body: known.get(body) or codec.from_json(Rollout, json.loads(body)) for body in bodies}
        return tuple(sorted(self._known.values(), key=lambda rollout: (rollout.service, rollout.revision)))

    def load(self, rollout: str) -> Rollout:
        with self._database.read(f"read rollout {rollout}") as connection:
            body = connection.execute(select(ROLLOUT.c.body).where(ROLLOUT.c.id == rollout)).scalar_one_or_none()
        if body is None:
            raise NotFound(f"there is no rollout {rollout!r}", remedy="see `msxfctl history SERVICE`")
        return codec.from_json(Rollout, json.loads(body))

    def history(self, service: str, limit: int) -> Sequence[Rollout]:
        newest = select(ROLLOUT.c.body).where(ROLLOUT.c.service == service).order_by(ROLLOUT.c.revision.desc()).limit(limit)
        with self._database.read(f"read the rollouts of {service}") as connection:
            return _rollouts(connection.execute(newest).scalars().all())

    def stable(self) -> Mapping[str, str]:
        with self._database.read("read the stable releases") as connection:
            return {row.service: row.to_release for row in connection.execute(_STABLE)}

    def save(self, rollout: Rollout, fence: int, notes: Sequence[Note] = ()) -> Rollout:
        links: Sequence[Link] = ()
        with self._database.write(f"save rollout {rollout.id} of {rollout.service}") as connection:
            highest = connection.execute(select(FENCE.c.fence).where(FENCE.c.service == rollout.service)).scalar_one_or_none() or 0
            stored = _standing(connection, rollout.id)
            admission.check(rollout, stored, fence=fence, highest=highest)
            _check_others(connection, rollout, is_new=stored is None)
            saved = admission.grown(rollout)
            _write(connection, saved, is_new=stored is None)
            if fence > highest:
                row = {"service": rollout.service, "fence": fence}
                connection.execute(insert(FENCE).values(row).on_conflict_do_update(index_elements=["service"], set_={"fence": fence}))
            if notes:
                links = journal.write(connection, notes)
        for link in links[-1:]:
            self._database.journal.notify(link.seq)
        return saved


def _rollouts(bodies: Sequence[str]) -> tuple[Rollout, ...]:
    return tuple(codec.from_json(Rollout, json.loads(body)) for body in bodies)


def _standing(connection: Connection, rollout: str) -> admission.Standing | None:
    row = connection.execute(select(ROLLOUT.c.service, ROLLOUT.c.version, ROLLOUT.c.phase).where(ROLLOUT.c.id == rollout)).one_or_none()
    return row and admission.Standing(service=row.service, version=row.version, phase=Phase(row.phase))


def _check_others(connection: Connection, rollout: Rollout, *, is_new: bool) -> None:
    if is_new:
        mine = select(ROLLOUT.c.revision).where(ROLLOUT.c.service == rollout.service, ROLLOUT.c.revision == rollout.revision)
        admission.check_new(rollout, connection.execute(mine).scalars().all())
    taken = admission.place(rollout)
    if taken:
        other = select(ROLLOUT.c.id).where(ROLLOUT.c.service == rollout.service, ROLLOUT.c.place == taken, ROLLOUT.c.id != rollout.id)
        admission.check_place(rollout, connection.execute(other).scalars().first())


def _write(connection: Connection, saved: Rollout, *, is_new: bool) -> None:
    row = {
        "revision": saved.revision,
        "version": saved.version,
        "phase": saved.phase.value,
        "place": admission.place(saved),
        "to_release": saved.to_release,
        "body": codec.canonical(codec.to_json(saved)),
    }
    if is_new:
        connection.execute(insert(ROLLOUT).values(id=saved.id, service=saved.service, **row))
    else:
        connection.execute(update(ROLLOUT).where(ROLLOUT.c.id == saved.id).values(row))
