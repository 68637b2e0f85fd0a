"""The arrays that the measures take, and how they are checked. Pure."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Vector = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
Numbers = Sequence[float] | npt.NDArray[Any]


def vector(numbers: Numbers) -> Vector:
    """Return the numbers as doubles; None is missing (NaN)."""
    return np.asarray(numbers, dtype=np.float64)


def is_bad(labels: Numbers) -> Flags:
    """Return who was bad. Raises ValueError for a label that is neither 0 (good) nor 1 (bad)."""
    given = vector(labels)
    strange = given[(given != 0) & (given != 1)]
    if strange.size:
        raise ValueError(f"a label is 0 (good) or 1 (bad), not {strange[0]:g}")
    bad: Flags = given == 1
    return bad
