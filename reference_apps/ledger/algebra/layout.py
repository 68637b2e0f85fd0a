"""Accounts and transfers as records of 128 bytes, little-endian: what a batch, the journal and the columns are made of. Pure.

A field of 128 bits is two of 64: `<name>` the low half, `<name>_hi` the high one.
"""

import struct
from collections.abc import Iterable, Iterator, Sequence
from operator import attrgetter
from typing import Any, Generic, TypeVar, overload

import numpy as np
from numpy.typing import NDArray

from reference_apps.ledger.algebra.model import Account, Transfer

RECORD_BYTES = 128
LOW = 2**64 - 1
Batch = NDArray[np.void]
"""Records of one of the two types below, one after the other."""
U64s = NDArray[np.uint64]
Rows = NDArray[np.intp]

WIDE_TRANSFER = ("id", "debit_account_id", "credit_account_id", "amount", "pending_id", "user_data_128")
NARROW_TRANSFER = (("user_data_64", "Q"), ("user_data_32", "I"), ("timeout", "I"), ("ledger", "I"), ("code", "H"), ("flags", "H"), ("timestamp", "Q"))
WIDE_ACCOUNT = ("id", "debits_pending", "debits_posted", "credits_pending", "credits_posted", "user_data_128")
NARROW_ACCOUNT = (("user_data_64", "Q"), ("user_data_32", "I"), ("reserved", "I"), ("ledger", "I"), ("code", "H"), ("flags", "H"), ("timestamp", "Q"))


def _dtype(wide: Sequence[str], narrow: Sequence[tuple[str, str]]) -> np.dtype[np.void]:
    halves = [(half, "<u8") for name in wide for half in (name, f"{name}_hi")]
    return np.dtype(halves + [(name, {"Q": "<u8", "I": "<u4", "H": "<u2"}[kind]) for name, kind in narrow])


TRANSFER, ACCOUNT = _dtype(WIDE_TRANSFER, NARROW_TRANSFER), _dtype(WIDE_ACCOUNT, NARROW_ACCOUNT)
_STRUCT = struct.Struct("<12QQIIIHHQ")
_TRANSFER_WIDE, _TRANSFER_NARROW = attrgetter(*WIDE_TRANSFER), attrgetter(*(name for name, _ in NARROW_TRANSFER))
_ACCOUNT_WIDE = attrgetter(*WIDE_ACCOUNT)


def transfer_bytes(value: Transfer) -> bytes:
    """Return a transfer as its record."""
    return _STRUCT.pack(*_halves(_TRANSFER_WIDE(value)), *_TRANSFER_NARROW(value))


def account_bytes(value: Account) -> bytes:
    """Return an account as its record; what closed it is not part of it."""
    narrow = (value.user_data_64, value.user_data_32, 0, value.ledger, value.code, value.flags, value.timestamp)
    return _STRUCT.pack(*_halves(_ACCOUNT_WIDE(value)), *narrow)


def _halves(wide: Iterable[int]) -> Iterator[int]:
    for value in wide:
        yield value & LOW
        yield value >> 64


def transfer_from(record: bytes | memoryview) -> Transfer:
    """Return the transfer that a record holds."""
    row = _STRUCT.unpack(record)
    return Transfer(
        id=row[0] | row[1] << 64,
        debit_account_id=row[2] | row[3] << 64,
        credit_account_id=row[4] | row[5] << 64,
        amount=row[6] | row[7] << 64,
        pending_id=row[8] | row[9] << 64,
        user_data_128=row[10] | row[11] << 64,
        user_data_64=row[12],
        user_data_32=row[13],
        timeout=row[14],
        ledger=row[15],
        code=row[16],
        flags=row[17],
        timestamp=row[18],
    )


def account_from(record: bytes | memoryview) -> Account:
    """Return the account that a record holds."""
    row = _STRUCT.unpack(record)
    return Account(
        id=row[0] | row[1] << 64,
        debits_pending=row[2] | row[3] << 64,
        debits_posted=row[4] | row[5] << 64,
        credits_pending=row[6] | row[7] << 64,
        credits_posted=row[8] | row[9] << 64,
        user_data_128=row[10] | row[11] << 64,
        user_data_64=row[12],
        user_data_32=row[13],
        ledger=row[15],
        code=row[16],
        flags=row[17],
        timestamp=row[18],
    )


def transfers_batch(values: Iterable[Transfer]) -> Batch:
    """Return transfers as records."""
    return np.frombuffer(b"".join(map(transfer_bytes, values)), TRANSFER)


def accounts_batch(values: Iterable[Account]) -> Batch:
    """Return accounts as records."""
    return np.frombuffer(b"".join(map(account_bytes, values)), ACCOUNT)


Kind = TypeVar("Kind", Account, Transfer)


class Records(Sequence[Kind], Generic[Kind]):
    """A batch of records as a sequence of values, made when they are asked for; equal to any sequence of the same values."""

    __slots__ = ("batch",)

    def __init__(self, batch: Batch) -> None:
        self.batch = batch

    def __len__(self) -> int:
        return len(self.batch)

    @overload
    def __getitem__(self, place: int) -> Kind: ...
    @overload
    def __getitem__(self, place: slice) -> "Records[Kind]": ...
    def __getitem__(self, place: int | slice) -> "Kind | Records[Kind]":
        if isinstance(place, slice):
            return Records(self.batch[place])
        return self._value(self.batch[place].tobytes())

    def __iter__(self) -> Iterator[Kind]:
        raw = memoryview(self.batch.tobytes())
        for begin in range(0, len(raw), RECORD_BYTES):
            yield self._value(raw[begin : begin + RECORD_BYTES])

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and len(self) == len(other) and all(one == two for one, two in zip(self, other, strict=True))

    def __hash__(self) -> int:
        return hash(tuple(self))

    def _value(self, record: bytes | memoryview) -> Kind:
        made: Any = transfer_from(record) if self.batch.dtype == TRANSFER else account_from(record)
        return made  # type: ignore[no-any-return]


def batch_of(values: Sequence[Account] | Sequence[Transfer], dtype: np.dtype[np.void]) -> Batch:
    """Return values as records; those that are records already as they are."""
    if isinstance(values, Records):
        return values.batch
    made: Any = values
    return transfers_batch(made) if dtype == TRANSFER else accounts_batch(made)
