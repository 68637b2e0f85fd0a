"""One record of the journal: a batch of entries, chained to the record before it by SHA-256. Pure."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from reference_apps.ledger.keeping import body as content
from reference_apps.ledger.keeping.entry import Entry

GENESIS = "0" * 64


class Broken(Exception):
    """The journal does not prove itself: what was found at which record."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A batch as it is stored: `body` is the bytes that were hashed, `epoch` the writer's term."""

    seq: int
    epoch: int
    at_ns: int
    body: bytes
    previous: str
    hash: str


def write(entries: Sequence[Entry], head: tuple[int, str], epoch: int, at_ns: int) -> Record:
    """Return the next record after `head` (seq, hash)."""
    seq, previous = head[0] + 1, head[1]
    body = content.write(entries)
    return Record(seq=seq, epoch=epoch, at_ns=at_ns, body=body, previous=previous, hash=digest(seq, epoch, at_ns, previous, body))


def read(record: Record) -> tuple[Entry, ...]:
    """Return the entries of a record."""
    return content.read(record.body)


def check(record: Record, head: tuple[int, str], last_epoch: int) -> None:
    """Check a record against its place. Raises Broken saying what differs."""
    seq, previous = head[0] + 1, head[1]
    if record.seq != seq:
        raise Broken(f"record {seq} is missing; the next one stored is {record.seq}")
    if record.previous != previous:
        raise Broken(f"record {seq} does not follow the one before it: it names {record.previous[:12]}, which has {previous[:12]}")
    if record.epoch < last_epoch:
        raise Broken(f"record {seq} was written in epoch {record.epoch}, after epoch {last_epoch} had begun")
    if digest(record.seq, record.epoch, record.at_ns, record.previous, record.body) != record.hash:
        raise Broken(f"record {seq} was changed: its content no longer gives its hash {record.hash[:12]}")


def digest(seq: int, epoch: int, at_ns: int, previous: str, body: bytes) -> str:
    """Return the record's hash over its place, its predecessor and its content."""
    hashed = hashlib.sha256(f"{previous}\n{seq}\n{epoch}\n{at_ns}\n".encode())
    hashed.update(body)
    return hashed.hexdigest()
