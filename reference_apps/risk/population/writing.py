"""A population as CSV, line by line: the same seed gives the same bytes; what is not known is an empty field."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from reference_apps.risk.population import customers


def lines(n: int, seed: int) -> Iterator[str]:
    """Yield the header and n lines, each with its line end. Raises ValueError for n or seed below 0."""
    yield ",".join(customers.FIELDS) + "\n"
    for chunk in customers.chunks(n, seed):
        yield from (",".join(row) + "\n" for row in zip(*(_texts(chunk[name]) for name in customers.FIELDS), strict=True))


def _texts(column: Any) -> list[str]:
    if column.dtype.kind == "f":
        return ["" if np.isnan(value) else str(int(value)) for value in column.tolist()]
    return [str(value) for value in column.tolist()]
