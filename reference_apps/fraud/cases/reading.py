"""Brings a book up to what the log says: from its last snapshot, or from the beginning. The snapshot can be deleted at any time.

A snapshot is a row of slices, each with its length in front, so that no single step of making one takes long.
"""

import os
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

import msgspec

from reference_apps.fraud.cases.book import Book, Kept
from reference_apps.fraud.keeping import record
from reference_apps.fraud.keeping.log import Item, Log
from reference_apps.fraud.model import Event, Listing

CODEC = "2"
"""Grows when cases are formed or kept differently: older snapshots are then not read."""
CHUNK = 200
"""So many rows are taken in at a time: decisions get their turn in between."""
SLICE_LINKS, SLICE_ALERTS = 5_000, 500
"""What a slice of a snapshot holds at most: about a millisecond's work."""
LENGTH_BYTES = 4

ENCODER = msgspec.msgpack.Encoder()
DECODER = msgspec.msgpack.Decoder(Kept)

Notable = tuple[int, Item, bytes | None]


def take(book: Book, rows: Iterable[Notable]) -> None:
    """Take in rows of the log."""
    for position, item, judged in rows:
        if isinstance(item, Event):
            if judged is None:
                raise ValueError(f"the event at {position} is not judged: the book must not be read so far yet")
            book.event(position, item, record.read(judged))
        elif isinstance(item, Listing):
            book.listing(position, item)
        else:
            book.note(position, item)


def read_on(book: Book, log: Log, up_to: int, most: int = CHUNK) -> bool:
    """Read some more of the log; False: the book has come to `up_to`, up to where every event is judged. Raises DatabaseFailed."""
    rows = log.notable(book.kept.position, up_to, most)
    take(book, rows)
    if len(rows) == most:
        return True
    book.go_to(up_to)
    return False


def whole(log: Log) -> Book:
    """Return the book of a log, read from its beginning to the first event without a judgement."""
    book, waiting = Book(), log.unjudged(0, 1)
    up_to = waiting[0] - 1 if waiting else log.last()
    while read_on(book, log, up_to):
        continue
    return book


def path_of(folder: Path) -> Path:
    return folder / f"cases-{CODEC}.snapshot"


def snapshot(book: Book) -> bytes:
    """Return all of a book as bytes; the same log gives the same bytes."""
    return b"".join(slices(book))


def slices(book: Book) -> Iterator[bytes]:
    """Yield a snapshot piece by piece. The book must not change meanwhile."""
    kept = book.kept
    yield _framed(msgspec.structs.replace(kept, links=[], alerts={}))
    for begin in range(0, len(kept.links), SLICE_LINKS):
        yield _framed(Kept(links=kept.links[begin : begin + SLICE_LINKS]))
    alerts = iter(kept.alerts.items())
    while some := dict(islice(alerts, SLICE_ALERTS)):
        yield _framed(Kept(alerts=some))


def _framed(kept: Kept) -> bytes:
    content = ENCODER.encode(kept)
    return len(content).to_bytes(LENGTH_BYTES) + content


def joined(content: bytes) -> Kept:
    """Return what `snapshot` gave bytes of. Raises MsgspecError."""
    kept, *others = [DECODER.decode(piece) for piece in _pieces(content)] or [Kept()]
    for other in others:
        kept.links += other.links
        kept.alerts |= other.alerts
    return kept


def _pieces(content: bytes) -> Iterator[bytes]:
    place = 0
    while place < len(content):
        begin = place + LENGTH_BYTES
        place = begin + int.from_bytes(content[place:begin])
        yield content[begin:place]


def write(folder: Path, content: bytes | bytearray, by: str) -> None:
    """Put a snapshot in place, whole or not at all. Raises OSError."""
    path = path_of(folder)
    new = path.with_name(f"{path.name}.{by}")
    with new.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)


def restored(folder: Path) -> Book:
    """Return the book of the last snapshot; without one that can be read, an empty one."""
    try:
        return Book(joined(path_of(folder).read_bytes()))
    except (OSError, msgspec.MsgspecError):
        return Book()
