"""The content of a journal record: its entries as bytes, and back. Pure.

Version 3 is binary: a head, then per entry the counts, the accounts, the transfers, the expired and the burnt ids, and the rest as canonical JSON. Before it
a body was JSON as a whole, which is still read; a ledger of that time cannot read this one and stops. Version 4 is the same with a step of a day's end in
it, which a ledger of version 3 would overlook: it stops too.
"""

import json
import struct
from collections.abc import Iterable, Sequence
from dataclasses import replace

from reference_apps.ledger.algebra.layout import ACCOUNT, TRANSFER, Records, batch_of
from reference_apps.ledger.algebra.model import Account, Transfer
from reference_apps.ledger.keeping import canonical, entry, packing
from reference_apps.ledger.keeping.entry import Entry

VERSION, DAY_VERSION = 3, 4
MAGIC = b"LEDG"
HEAD, COUNTS = struct.Struct("<4sHHI"), struct.Struct("<5I")
ID_BYTES = 16


def write(entries: Sequence[Entry]) -> bytes:
    """Return the body of a record with these entries."""
    version = DAY_VERSION if any(one.day for one in entries) else VERSION
    return HEAD.pack(MAGIC, version, 0, len(entries)) + b"".join(part for one in entries for part in _parts(one))


def read(body: bytes) -> tuple[Entry, ...]:
    """Return the entries of a body, of whatever version. Raises ValueError for one to come, or one that was never written."""
    if body[:1] == b"[":
        return tuple(entry.from_json(row) for row in json.loads(body))
    magic, version, _, count = HEAD.unpack_from(body)
    if magic != MAGIC or version not in (VERSION, DAY_VERSION):
        raise ValueError(f"a record of the journal is of version {version}; this ledger reads up to version {DAY_VERSION}: run a newer release")
    raw, place, entries = memoryview(body), HEAD.size, []
    for _ in range(count):
        one, place = _entry(raw, place)
        entries.append(one)
    if place != len(body):
        raise ValueError(f"a record of the journal has {len(body)} bytes, of which its entries take {place}")
    return tuple(entries)


def _parts(one: Entry) -> tuple[bytes, ...]:
    rest = entry.to_json(one)
    written = canonical.encode(rest) if rest else b""
    counts = COUNTS.pack(len(one.accounts), len(one.transfers), len(one.expired), len(one.burnt), len(written))
    accounts, transfers = packing.pack(batch_of(one.accounts, ACCOUNT)), packing.pack(batch_of(one.transfers, TRANSFER))
    return counts, accounts, transfers, _ids(one.expired), _ids(one.burnt), written


def _entry(raw: memoryview, begin: int) -> tuple[Entry, int]:
    accounts, transfers, expired, burnt, rest = COUNTS.unpack_from(raw, begin)
    place = begin + COUNTS.size
    opened, taken = packing.unpack(raw[place:], accounts, ACCOUNT)
    place += taken
    moved, taken = packing.unpack(raw[place:], transfers, TRANSFER)
    place += taken
    cuts = place + expired * ID_BYTES, place + (expired + burnt) * ID_BYTES, place + (expired + burnt) * ID_BYTES + rest
    others = entry.from_json(json.loads(bytes(raw[cuts[1] : cuts[2]]))) if rest else Entry()
    accounts_read: Records[Account] = Records(opened)
    transfers_read: Records[Transfer] = Records(moved)
    ids = tuple(_read_ids(raw[place : cuts[0]])), tuple(_read_ids(raw[cuts[0] : cuts[1]]))
    return replace(others, accounts=accounts_read, transfers=transfers_read, expired=ids[0], burnt=ids[1]), cuts[2]


def _ids(ids: Iterable[int]) -> bytes:
    return b"".join(each.to_bytes(ID_BYTES, "little") for each in ids)


def _read_ids(raw: memoryview) -> Iterable[int]:
    return (int.from_bytes(raw[place : place + ID_BYTES], "little") for place in range(0, len(raw), ID_BYTES))
