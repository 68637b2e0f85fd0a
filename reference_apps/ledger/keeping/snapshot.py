"""Snapshots on disk: a folder for each, a file for each column, and a manifest that proves them; only whole ones are ever seen under their name.

A start takes the newest that is sound and belongs to this journal; every other is passed over with a line in the log, never an error.
"""

import hashlib
import json
import logging
import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from reference_apps.ledger.books import Books
from reference_apps.ledger.keeping import canonical, frozen
from reference_apps.ledger.keeping.frozen import Frozen
from reference_apps.ledger.keeping.journal import Head, Journal
from reference_apps.ledger.keeping.record import Broken

FORMAT = 1
KEPT = 2
MANIFEST, LINES, HALF_DONE = "manifest.json", "lines.jsonl", ".writing"
PART_BYTES = 2**22
BREATH_LINES, BREATH_S = 32, 0.0005
"""Lines are made under the interpreter's lock: after so many, others get their turn."""

Part = TypeVar("Part", bytes, memoryview)

log = logging.getLogger("ledger.snapshot")


class Unfit(Exception):
    """A snapshot that cannot be used: why."""


class Abandoned(Exception):
    """Writing was told to stop: there is no snapshot of it."""


def write(folder: Path, kept: Frozen, is_over: Callable[[], bool] = lambda: False) -> Path:
    """Write a snapshot under `folder` and return its place; older ones but one are removed.

    Raises OSError, and Abandoned once `is_over` says so; nothing is left then.
    """
    place, draft = folder / f"{kept.head[0]:012d}", folder / HALF_DONE
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    try:
        files = {f"{name}.bin": _write_parts(draft / f"{name}.bin", _until(is_over, _parts(column))) for name, column in kept.columns.items()}
        files[LINES] = _write_parts(draft / LINES, _until(is_over, _lines(kept)))
        manifest = {"format": FORMAT, "seq": kept.head[0], "hash": kept.head[1], "last_ns": kept.last_ns, "rows": dict(kept.rows), "files": files}
        _write_parts(draft / MANIFEST, iter([json.dumps(manifest | {"proof": _proof(manifest)}, indent=1).encode()]))
        _sync_folder(draft)
        shutil.rmtree(place, ignore_errors=True)
        draft.rename(place)
        _sync_folder(folder)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    for old in places(folder)[KEPT:]:
        shutil.rmtree(old, ignore_errors=True)
    return place


def _until(is_over: Callable[[], bool], parts: Iterator[Part]) -> Iterator[Part]:
    for part in parts:
        if is_over():
            raise Abandoned
        yield part


def _proof(manifest: Mapping[str, Any]) -> str:
    return hashlib.sha256(canonical.encode({name: value for name, value in manifest.items() if name != "proof"})).hexdigest()


def places(folder: Path) -> list[Path]:
    """Return where snapshots are, the newest first."""
    return sorted((each for each in folder.glob("[0-9]*") if each.is_dir()), reverse=True) if folder.is_dir() else []


def newest(folder: Path | None, journal: Journal) -> tuple[Books, int]:
    """Return books from the newest usable snapshot with the number of their last record; empty ones and 0 when there is none."""
    for place in places(folder) if folder else ():
        began = time.monotonic()
        try:
            books, seq = _read(place, journal)
        except (Unfit, OSError) as error:
            log.warning("snapshot %s is passed over: %s", place.name, error)
            continue
        log.info("snapshot %s read in %.1f s", place.name, time.monotonic() - began)
        return books, seq
    return Books(), 0


def _read(place: Path, journal: Journal) -> tuple[Books, int]:
    """Return the books of a snapshot. Raises Unfit, OSError."""
    manifest = _manifest(place)
    _check_belongs(journal, (manifest["seq"], manifest["hash"]))
    books = Books()
    columns = _make_columns(books, manifest)
    with ThreadPoolExecutor(max_workers=2) as readers:
        list(readers.map(lambda name: _fill(place, name, columns[name], manifest["files"][f"{name}.bin"]), columns))
    try:
        frozen.finish(books, manifest["last_ns"], map(json.loads, _checked_lines(place / LINES, manifest["files"][LINES])))
    except (ValueError, KeyError, TypeError) as error:
        raise Unfit(f"its lines cannot be taken in: {error}") from error
    return books, int(manifest["seq"])


def _manifest(place: Path) -> dict[str, Any]:
    try:
        manifest: dict[str, Any] = json.loads((place / MANIFEST).read_bytes())
        kind, proof = manifest["format"], manifest["proof"]
    except (ValueError, KeyError, TypeError) as error:
        raise Unfit(f"its manifest cannot be read: {error!r}") from error
    if kind != FORMAT:
        raise Unfit(f"it is of format {kind}; this ledger reads format {FORMAT}")
    if proof != _proof(manifest):
        raise Unfit("its manifest is not what was written")
    return manifest


def _check_belongs(journal: Journal, head: Head) -> None:
    try:
        found = next(journal.records(after=head[0] - 1), None)
    except Broken as error:
        raise Unfit(f"the journal has no record {head[0]} that proves itself: {error}") from error
    if found is None or found.hash != head[1]:
        raise Unfit(f"it was made of another journal: record {head[0]} has another hash there")


def _make_columns(books: Books, manifest: Mapping[str, Any]) -> dict[str, NDArray[np.unsignedinteger]]:
    """Make empty columns as long as the manifest says, and return those that files fill, by table and name."""
    made: dict[str, NDArray[np.unsignedinteger]] = {}
    names = [name.removesuffix(".bin") for name in manifest["files"] if name != LINES]
    for table, columns in frozen.tables(books.tables).items():
        own = [name.partition(".")[2] for name in names if name.partition(".")[0] == table]
        if table not in manifest["rows"] or not set(own) <= set(columns.names()):
            raise Unfit(f"its columns of {table} are not those of this ledger")
        made |= {f"{table}.{name}": column for name, column in columns.begin_with(manifest["rows"][table], own).items()}
    if len(made) != len(names):
        raise Unfit("it has columns of tables that this ledger does not know")
    return made


def _fill(place: Path, name: str, column: NDArray[np.unsignedinteger], promised: str) -> None:
    path, raw, hashed = place / f"{name}.bin", column.data.cast("B"), hashlib.sha256()
    if path.stat().st_size != len(raw):
        raise Unfit(f"{path.name} has {path.stat().st_size} bytes instead of {len(raw)}")
    with path.open("rb", buffering=0) as file:
        for begin in range(0, len(raw), PART_BYTES):
            part = raw[begin : begin + PART_BYTES]
            if file.readinto(part) != len(part):
                raise Unfit(f"{path.name} ends early")
            hashed.update(part)
    if hashed.hexdigest() != promised:
        raise Unfit(f"{path.name} is not what was written")


def _checked_lines(path: Path, promised: str) -> list[bytes]:
    raw = path.read_bytes()
    if hashlib.sha256(raw).hexdigest() != promised:
        raise Unfit(f"{path.name} is not what was written")
    return raw.splitlines()


def _write_parts(path: Path, parts: Iterator[bytes] | Iterator[memoryview]) -> str:
    """Write a file to the disk and return its SHA-256."""
    hashed = hashlib.sha256()
    with path.open("wb") as file:
        for part in parts:
            file.write(part)
            hashed.update(part)
        file.flush()
        os.fsync(file.fileno())
    return hashed.hexdigest()


def _parts(column: NDArray[np.unsignedinteger]) -> Iterator[memoryview]:
    raw = column.data.cast("B")
    return (raw[begin : begin + PART_BYTES] for begin in range(0, len(raw), PART_BYTES))


def _lines(kept: Frozen) -> Iterator[bytes]:
    for number, line in enumerate(kept.lines(), 1):
        yield json.dumps(line, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"
        if number % BREATH_LINES == 0:
            time.sleep(BREATH_S)


def _sync_folder(folder: Path) -> None:
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
