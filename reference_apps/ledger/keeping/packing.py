"""Records of accounts and transfers as bytes of the journal: few as they are, many column by column, since most columns say little. Pure.

The bytes follow from the records alone. A column is left out when it is zero, written once when it is constant, by its first value when it rises by
one, and in 32 bits when that is enough.
"""

import numpy as np
from numpy.typing import NDArray

from reference_apps.ledger.algebra.layout import RECORD_BYTES, Batch

ROWS_BELOW = 16
"""Records that are written as they are: below it, columns would save little."""
ZERO, CONSTANT, RISING, HALF, WHOLE = range(5)
_Column = NDArray[np.unsignedinteger]


def pack(batch: Batch) -> bytes:
    """Return the records as bytes."""
    if len(batch) < ROWS_BELOW:
        return batch.tobytes()
    packed = [_column(np.ascontiguousarray(batch[name])) for name in batch.dtype.names or ()]
    return bytes(kind for kind, _ in packed) + b"".join(content for _, content in packed)


def unpack(raw: memoryview, count: int, dtype: np.dtype[np.void]) -> tuple[Batch, int]:
    """Return the records that `pack` wrote at the beginning of `raw`, and how many bytes they took. Raises ValueError for bytes it never writes."""
    if count < ROWS_BELOW:
        return np.frombuffer(raw, dtype, count), count * RECORD_BYTES
    batch, names = np.zeros(count, dtype), dtype.names or ()
    place = len(names)
    for name, kind in zip(names, raw[:place], strict=True):
        if kind != ZERO:
            place += _fill(batch[name], kind, raw[place:])
    return batch, place


def _column(column: _Column) -> tuple[int, bytes]:
    first, last, size = column.item(0), column.item(-1), column.dtype.itemsize
    if first == last and (column == column[0]).all():
        return (CONSTANT, column[:1].tobytes()) if first else (ZERO, b"")
    if size == 8 and last - first == len(column) - 1 and (column[1:] - column[:-1] == 1).all():
        return RISING, column[:1].tobytes()
    if size == 8 and column.max() < 2**32:
        return HALF, column.astype("<u4").tobytes()
    return WHOLE, column.tobytes()


def _fill(column: _Column, kind: int, raw: memoryview) -> int:
    """Write what was packed into a column of zeros; return how many bytes it took."""
    stored = np.dtype("<u4") if kind == HALF else column.dtype
    count = len(column) if kind in (HALF, WHOLE) else 1
    found: _Column = np.frombuffer(raw, stored, count)
    if kind == RISING:
        column[:] = np.arange(found.item(0), found.item(0) + len(column), dtype=np.uint64)
    elif kind in (CONSTANT, HALF, WHOLE):
        column[:] = found
    else:
        raise ValueError(f"a column of kind {kind}; this ledger knows kinds up to {WHOLE}: run a newer release")
    return count * stored.itemsize
