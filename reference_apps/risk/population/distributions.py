"""Random numbers of a population, made from uniform doubles of PCG64 alone, so that a seed means the same numbers wherever it is used."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Vector = npt.NDArray[np.float64]
Whole = npt.NDArray[np.int64]


class Stream:
    """The numbers of one chunk: `size` at a time. Chunk k of a seed is the same whatever was drawn from the others."""

    def __init__(self, seed: int, chunk: int, size: int) -> None:
        self._bits = np.random.Generator(np.random.PCG64(np.random.SeedSequence(entropy=seed, spawn_key=(chunk,))))
        self.size = size

    def uniform(self) -> Vector:
        """Return U, uniform in [0, 1)."""
        return self._bits.random(self.size)

    def normal(self) -> Vector:
        """Return N, standard normal (Box and Muller)."""
        radius, turn = np.sqrt(-2 * np.log1p(-self.uniform())), 2 * np.pi * self.uniform()
        drawn: Vector = radius * np.cos(turn)
        return drawn

    def chance(self, share: float | Vector) -> npt.NDArray[np.bool_]:
        """Return who is hit, with this probability."""
        hit: npt.NDArray[np.bool_] = self.uniform() < share
        return hit

    def one_of(self, words: Sequence[str], weights: Sequence[float]) -> npt.NDArray[Any]:
        """Return one of the words each, by weights that sum to 1."""
        places = np.searchsorted(np.cumsum(weights)[:-1], self.uniform(), side="right")
        return np.asarray(words, dtype=object)[places]


def clipped(values: Vector, least: float, most: float) -> Whole:
    """Round to whole numbers from `least` to `most`."""
    return np.clip(np.rint(values), least, most).astype(np.int64)


def stepped(values: Vector, step: int) -> Whole:
    """Round to multiples of `step`."""
    return np.rint(values / step).astype(np.int64) * step


def hidden(values: Whole, gone: npt.NDArray[np.bool_]) -> Vector:
    """Return the values with NaN where they are not known."""
    return np.where(gone, np.nan, values)
