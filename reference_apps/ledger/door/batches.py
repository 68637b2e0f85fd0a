"""Bodies with many accounts or transfers, straight to records: a body that is in order, and only such a one; every other is for the door's models to name
what is wrong with it. Pure.
"""

from collections.abc import Sequence
from itertools import chain
from typing import Any, ClassVar

import msgspec
import numpy as np
from msgspec import UNSET, UnsetType
from numpy.typing import NDArray

from reference_apps.ledger.algebra.layout import ACCOUNT, LOW, RECORD_BYTES, TRANSFER, Batch
from reference_apps.ledger.algebra.model import RESOLVING, U128, Account, Transfer
from reference_apps.ledger.door import views
from reference_apps.ledger.door.bodies import TRANSFER_FLAG
from reference_apps.ledger.keeping.bulkwork import AT_LEAST, Created, Outcome

MOST_EVENTS = 8_000
MOST_BYTES = 8 * 2**20
"""Of a body with as many events as there may be, each written out at full length."""
MOST_DIGITS = 39
_Wide = int | str
_Left_out = int | UnsetType


class AccountRow(msgspec.Struct, forbid_unknown_fields=True):
    """An account as it is sent."""

    id: _Wide
    ledger: int
    code: int
    flags: int = 0
    user_data_128: _Wide = 0
    user_data_64: _Wide = 0
    user_data_32: int = 0
    timestamp: _Wide = 0

    dtype: ClassVar[np.dtype[np.void]] = ACCOUNT
    kind: ClassVar[type[Account]] = Account


class TransferRow(msgspec.Struct, forbid_unknown_fields=True):
    """A transfer as it is sent."""

    id: _Wide
    amount: _Wide
    debit_account_id: _Wide | UnsetType = UNSET
    credit_account_id: _Wide | UnsetType = UNSET
    ledger: _Left_out = UNSET
    code: _Left_out = UNSET
    flags: int | list[str] = 0
    pending_id: _Wide = 0
    timeout: int = 0
    user_data_128: _Wide = 0
    user_data_64: _Wide = 0
    user_data_32: int = 0
    timestamp: _Wide = 0

    dtype: ClassVar[np.dtype[np.void]] = TRANSFER
    kind: ClassVar[type[Transfer]] = Transfer


Decoder = msgspec.json.Decoder[list[AccountRow]] | msgspec.json.Decoder[list[TransferRow]]
Events = Batch | tuple[Account | Transfer, ...]
LARGEST = {
    name: U128 if f"{name}_hi" in dtype.fields else int(np.iinfo(dtype[name]).max)
    for dtype in (ACCOUNT, TRANSFER)
    for name in dtype.names or ()
    if dtype.fields
}
ACCOUNTS, TRANSFERS = msgspec.json.Decoder(list[AccountRow]), msgspec.json.Decoder(list[TransferRow])


def read(raw: bytes, decoder: Decoder) -> Events | None:
    """Return the events of a JSON body, few as values and many as records; None when it is not altogether in order."""
    try:
        rows: Sequence[Any] = decoder.decode(raw)
        if not 0 < len(rows) <= MOST_EVENTS:
            return None
        return _batch(rows) if len(rows) >= AT_LEAST else tuple(_value(row) for row in rows)
    except (msgspec.MsgspecError, ValueError, OverflowError):
        return None


def records(raw: bytes, dtype: np.dtype[np.void]) -> Batch:
    """Return the events of a body of records, as they are. Raises ValueError saying what does not fit."""
    count, rest = divmod(len(raw), RECORD_BYTES)
    if rest or not 0 < count <= MOST_EVENTS:
        raise ValueError(f"{len(raw)} bytes; it must be 1 to {MOST_EVENTS} records of {RECORD_BYTES} bytes")
    return np.frombuffer(raw, dtype)


def _value(row: Any) -> Account | Transfer:
    """Return a row as a value. Raises ValueError as `_batch`."""
    fields: dict[str, int] = {}
    for name in row.__struct_fields__:
        sent = getattr(row, name)
        if sent is UNSET:
            sent = _inherited(sent, row)
        fields[name] = value = sent if isinstance(sent, int) else _named(sent) if name == "flags" else _digits(sent)
        if not 0 <= value <= LARGEST[name]:
            raise ValueError(f"{name}: out of range")
    made: Account | Transfer = row.kind(**fields)
    return made


def _batch(rows: Sequence[Any]) -> Batch:
    """Return rows as records. Raises ValueError for a value out of range, a flag that is none, or a field that may not be left out."""
    batch = np.zeros(len(rows), rows[0].dtype)
    for name in rows[0].__struct_fields__:
        column = [getattr(row, name) for row in rows]
        if name == "flags":
            column = [each if isinstance(each, int) else _named(each) for each in column]
        elif UNSET in column:
            column = [_inherited(each, row) for each, row in zip(column, rows, strict=True)]
        if f"{name}_hi" in batch.dtype.fields:
            batch[name], batch[f"{name}_hi"] = _wide(column)
        else:
            batch[name] = _narrow(column, batch.dtype[name])
    return batch


def _named(flags: Sequence[str]) -> int:
    if not all(name in TRANSFER_FLAG for name in flags):
        raise ValueError("an unknown flag")
    return sum(TRANSFER_FLAG[name] for name in set(flags))


def _inherited(value: Any, row: TransferRow) -> Any:
    """Return a field, 0 where a post or void leaves it to its pending transfer."""
    if value is not UNSET:
        return value
    flags = row.flags if isinstance(row.flags, int) else _named(row.flags)
    if not flags & RESOLVING:
        raise ValueError("a field that may not be left out")
    return 0


def _wide(column: list[Any]) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    whole = _whole(column)
    if min(whole) < 0 or max(whole) > U128:
        raise ValueError("beyond 128 bits")
    if max(whole) <= LOW:
        return np.array(whole, np.uint64), np.zeros(len(whole), np.uint64)
    return np.array([value & LOW for value in whole], np.uint64), np.array([value >> 64 for value in whole], np.uint64)


def _narrow(column: list[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
    whole = _whole(column)
    if min(whole) < 0 or max(whole) > np.iinfo(dtype).max:
        raise ValueError(f"beyond {dtype}")
    return np.array(whole, dtype)


def _whole(column: list[Any]) -> list[int]:
    """Return numbers, some of which may have been sent as their digits."""
    if str not in set(map(type, column)):
        return column
    return [each if isinstance(each, int) else _digits(each) for each in column]


def _digits(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= MOST_DIGITS):
        raise ValueError("no whole number")
    return int(text)


_CREATED = tuple(f'{"," if index else ""}{{"index":{index},"status":"created","timestamp":' for index in range(MOST_EVENTS))


def answer(outcome: Outcome) -> bytes:
    """Return what became of the events as a JSON body."""
    if not isinstance(outcome, Created):
        return msgspec.json.encode(views.results(outcome))
    stamps = map(str, range(outcome.first_ns, outcome.first_ns + outcome.count))
    rows = chain.from_iterable(zip(_CREATED[: outcome.count], stamps, "}" * outcome.count, strict=True))
    return f'{{"results":[{"".join(rows)}]}}'.encode()
