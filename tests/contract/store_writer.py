"""A process that writes to a store until it is killed: each state of a rollout with its note, and events in batches of two."""

import sys
from dataclasses import replace
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

from ctl.backends.store.engine import open_engine
from ctl.backends.store.journal import SqlJournal
from ctl.backends.store.rollouts import SqlRollouts
from ctl.model.event import Note
from ctl.model.rollout import Phase, Rollout
from ctl.model.service import RolloutPolicy

NOW = datetime(2030, 1, 1, tzinfo=UTC)


def note(kind: str, service: str, **body: object) -> Note:
    return Note(at=NOW, actor="writer", kind=kind, why="because", service=service, body=body)


def main(path: str, service: str, times: int) -> None:
    database = open_engine(Path(path))
    journal, rollouts = SqlJournal(database), SqlRollouts(database)
    known = rollouts.history(service, 1)
    born = {"phase_since": NOW, "started_at": NOW, "last_progress_at": NOW, "actor": "writer", "policy": RolloutPolicy()}
    state = known[0] if known else Rollout(id=f"{service}-r1", service=service, revision=1, from_release=None, to_release="a", **born)
    print("ready", flush=True)
    for number in count(1) if times == 0 else range(1, times + 1):
        state = replace(state, phase=Phase.STEPPING, failures=state.version + 1)
        state = rollouts.save(state, 1, [note("saved", service, version=state.version + 1)])
        journal.append([note("first", service, number=number), note("second", service, number=number)])
    database.close()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
