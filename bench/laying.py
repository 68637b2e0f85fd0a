"""Long logs of fraud laid down in bulk: the files an instance would have left, each state written once, in the order of its table.

States are per key, so some tables are built at a time; three processes share the work: one does the log, the graph and the cases, the others the windows.
"""

import gc
import itertools
import multiprocessing
import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from math import ceil
from pathlib import Path
from typing import Any

from bench.frauding import KINDS, Life
from ctl.kit.database import Database
from reference_apps.fraud.cases import reading
from reference_apps.fraud.cases.book import Book
from reference_apps.fraud.features import oddness
from reference_apps.fraud.features.graph import Ties
from reference_apps.fraud.features.keystate import KeyState
from reference_apps.fraud.features.shard import GRAPH_BIT, IS_MANY, KEYED, SLOTS, Shard
from reference_apps.fraud.features.spec import FAMILIES, NOTHING
from reference_apps.fraud.keeping import record
from reference_apps.fraud.keeping.log import ENCODER, JUDGE, NOTABLE, SCHEMA
from reference_apps.fraud.keeping.snapshots import MOVE, Snapshots, edition
from reference_apps.fraud.model import Event, Judgement, Verdict

MONTH_MS = 30 * 86_400_000
UNSAVED = 20_000
AT_ONCE = 1_700_000
"""All keys of so many events are held at a time."""
BATCH = 20_000
PATIENCE_S = 600.0
FORK = multiprocessing.get_context("fork")

LOG = "INSERT INTO log (position, event_id, taken_by, content) VALUES (?, ?, 'fraud-1', ?)"
LINK = "INSERT OR IGNORE INTO links (one, other) VALUES (?, ?)"
STATE = "INSERT INTO states (name, key, position, content) VALUES (?, ?, ?, ?)"
PASSED = Judgement(Verdict.PASS, (20_000,) * 11, ())


def lay_down(folder: Path, count: int, *, unsaved: int = UNSAVED) -> None:
    """Write a log of `count` judged events over the last 30 days, and its snapshots without the `unsaved` newest. Raises ChildProcessError."""
    folder.mkdir(parents=True, exist_ok=True)
    Database(folder / "events.db", SCHEMA).close()
    Snapshots(folder).close()
    for name in ("events.db", f"features-{edition()}.db"):
        with _bulk(folder / name) as connection:
            connection.execute("PRAGMA journal_mode=DELETE")
    events = Life(count, seed=9, span_ms=MONTH_MS, begin_ms=int(time.time() * 1000) - MONTH_MS)
    halves = (partial(_lay_windows, kinds=("login",)), partial(_lay_windows, kinds=("application", "payment")))
    works = [FORK.Process(target=work, args=(folder, events, max(0, count - unsaved))) for work in (_lay_log, *halves)]
    for work in works:
        work.start()
    for work in works:
        work.join()
    if any(work.exitcode for work in works):
        raise ChildProcessError(f"the log was not laid down: exit codes {[work.exitcode for work in works]}")


def _lay_log(folder: Path, events: Life, saved: int) -> None:
    """Write the log, the snapshot of the graph with the slots' position, and that of the cases."""
    gc.disable()
    shard, book = Shard(GRAPH_BIT), Book()
    edges = sorted({*range(0, events.count, BATCH), saved, events.count})
    with _bulk(folder / "events.db") as connection:
        for begin, end in itertools.pairwise(edges):
            _lay_rows(connection, events, range(begin, end), (shard, book))
            if end == saved:
                book.go_to(saved)
                reading.write(folder, reading.snapshot(book), "fraud-1")
                _save(folder, shard, saved)


def _lay_rows(connection: sqlite3.Connection, events: Life, numbers: range, states: tuple[Shard, Book]) -> None:
    """Write these events with their judgements, and show them to the graph and the cases."""
    shard, book = states
    rows, judged, notable, plain = [], [], [], _judged(Ties())
    for number in numbers:
        event, position, content = events[number], number + 1, plain
        ties = _shown(shard, position, event)
        if ties.linked:
            content = _judged(ties)
            notable.append((position,))
            book.event(position, event, record.read(content))
        rows.append((position, event.id, ENCODER.encode(event)))
        judged.append((position, content))
    connection.execute("BEGIN")
    connection.executemany(LOG, rows)
    connection.executemany(JUDGE, judged)
    connection.executemany(NOTABLE, notable)
    connection.execute("COMMIT")


def _shown(shard: Shard, position: int, event: Event) -> Ties:
    """Show an event to the graph and the anomaly detector alone, as the shard would."""
    ties = shard._ties(event)
    oddness.observe(shard._forests, position, event, ties)
    shard.applied, shard.newest = position, max(shard.newest, event.at_ms)
    return ties


def _judged(ties: Ties) -> bytes:
    return record.write(PASSED, "0" * 16, [NOTHING] * 7, ties, 0)


def _lay_windows(folder: Path, events: Life, saved: int, *, kinds: Sequence[str]) -> None:
    """Write the snapshot of these kinds' windows: a kind at a time, and of one with very many events some of the families."""
    gc.disable()
    for kind in kinds:
        numbers = [number for number in range(saved) if KINDS[number % len(KINDS)] == kind]
        parts = min(len(FAMILIES), ceil(len(numbers) / AT_ONCE))
        for part in range(parts):
            tables = {number: dict[str, list[Any]]() for number in range(part, len(FAMILIES), parts)}
            for number in numbers:
                _gather(number + 1, events[number], tables)
            with _bulk(folder / f"features-{edition()}.db") as connection:
                for number, held in tables.items():
                    states = list(_states(f"{kind}|{FAMILIES[number]}", held, saved))
                    connection.execute("BEGIN IMMEDIATE")
                    connection.executemany(STATE, states)
                    connection.execute("COMMIT")


def _gather(position: int, event: Event, tables: Mapping[int, dict[str, list[Any]]]) -> None:
    """Put an event to each of its keys, with the position of the last one in front."""
    keyed = KEYED(event)
    for number, held in tables.items():
        keys, entry = keyed[number]
        for key in dict.fromkeys(keys) if IS_MANY[number] else (keys,):
            found = held.get(key)
            if found is None:
                held[key] = [position, entry]
            else:
                found[0] = position
                found.append(entry)


def _states(name: str, held: dict[str, list[Any]], saved: int) -> Iterator[tuple[str, str, int, bytes]]:
    for key in sorted(held):
        seen, *entries = held.pop(key)
        state = KeyState()
        state.seen = seen
        for entry in entries:
            state.take_in(entry)
        yield name, key, saved, state.pack()


def _save(folder: Path, shard: Shard, saved: int) -> None:
    """Write the states of the graph, its links, and where the snapshot stands."""
    newest, links = shard.newest, shard.barrier()
    while shard.pack(BATCH):
        pass
    packed = shard.take_packed()
    packed.sort()
    with _bulk(folder / f"features-{edition()}.db") as connection:
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany(STATE, ((name, key, saved, content) for name, key, content in packed))
        connection.executemany(LINK, sorted(links))
        connection.executemany(MOVE, [(slot, saved, newest) for slot in range(SLOTS + 1)])
        connection.execute("COMMIT")


@contextmanager
def _bulk(path: Path) -> Iterator[sqlite3.Connection]:
    """A database that is being prepared: nothing in it needs to outlive a crash yet."""
    connection = sqlite3.connect(path, timeout=PATIENCE_S, isolation_level=None)
    try:
        for pragma in ("journal_mode=OFF", "synchronous=OFF", "cache_size=-500000"):
            connection.execute(f"PRAGMA {pragma}")
        yield connection
    finally:
        connection.close()
