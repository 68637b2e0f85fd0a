"""Half-space trees (Tan, Ting, Liu, "Fast anomaly detection for streaming data", IJCAI 2011): where much was seen lately is ordinary, where little was is odd.

Trees are made from a seed, without data: each cuts the space in half, again and again, along dimensions picked at random. What is learnt is how many of the
last `window` points lay in each leaf. Masses only change when a window is full, so nothing is walked: all trees together are compiled into one function from a
point to its leaves, and each leaf has its score ready until the next turn. Pure; the same points give the same bytes.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from operator import getitem
from random import Random

import msgspec
import numpy as np
import numpy.typing as npt

MILLION = 1_000_000
DEEPEST = 8
ENOUGH = 0.1
"""A path ends early where no more than this share of the window lay: the paper's size limit."""

Leaves = tuple[int, ...]
Masses = npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Trees:
    """Trees over points of so many dimensions, each in [0, 1]. `cuts`: for each tree, by the number of the node from 1 on (children
    2n and 2n + 1), dimension and place."""

    count: int
    depth: int
    window: int
    cuts: tuple[tuple[tuple[int, float], ...], ...]

    @property
    def limit(self) -> float:
        return ENOUGH * self.window

    def expression(self, points: Sequence[str]) -> str:
        """Return all leaves as one expression; `points` names each dimension."""
        return "(" + ", ".join(_node(tree, 1, self.depth, points) for tree in self.cuts) + ",)"

    @cached_property
    def leaves(self) -> Callable[[Sequence[float]], Leaves]:
        """The leaf of each tree that a point lies in, from 0 on."""
        names = [f"x[{number}]" for number in range(1 + max(dimension for tree in self.cuts for dimension, _ in tree))]
        made: Callable[[Sequence[float]], Leaves] = eval(f"lambda x: {self.expression(names)}", {"__builtins__": {}})
        return made


def planted(dimensions: int, seed: str, *, count: int, depth: int, window: int) -> Trees:
    """Return the trees of a seed. Each has a work range of its own that covers [0, 1], off its middle by chance. Raises ValueError beyond a depth of 8."""
    if not 1 <= depth <= DEEPEST:
        raise ValueError(f"depth is {depth}; a leaf is kept as one byte, so plant trees of depth 1 to {DEEPEST}")
    luck = Random(seed)
    return Trees(count=count, depth=depth, window=window, cuts=tuple(_tree(luck, dimensions, depth) for _ in range(count)))


def _tree(luck: Random, dimensions: int, depth: int) -> tuple[tuple[int, float], ...]:
    ranges = {1: [_work_range(luck) for _ in range(dimensions)]}
    cuts = [(0, 0.0)]
    for number in range(1, 2**depth):
        ranged, dimension = ranges.pop(number), luck.randrange(dimensions)
        low, high = ranged[dimension]
        middle = (low + high) / 2
        cuts.append((dimension, middle))
        for child, half in ((2 * number, (low, middle)), (2 * number + 1, (middle, high))):
            ranges[child] = [*ranged[:dimension], half, *ranged[dimension + 1 :]]
    return tuple(cuts)


def _work_range(luck: Random) -> tuple[float, float]:
    centre = luck.random()
    reach = 2 * max(centre, 1 - centre)
    return centre - reach, centre + reach


def _node(tree: Sequence[tuple[int, float]], number: int, depth: int, points: Sequence[str]) -> str:
    if number >= 2**depth:
        return str(number - 2**depth)
    dimension, place = tree[number]
    left, right = (_node(tree, child, depth, points) for child in (2 * number, 2 * number + 1))
    return f"({left} if {points[dimension]} < {place!r} else {right})"


class Packed(msgspec.Struct, frozen=True, array_like=True):
    """A forest as it is kept: the last place of the log it was shown, the masses of the last window and the leaves of this one."""

    seen: int
    masses: bytes
    pending: bytes


class Forest:
    """What was learnt. `seen`: the last place of the log that it was shown."""

    __slots__ = ("_full", "_masses", "_pending", "_scores", "_trees", "seen")

    def __init__(self, trees: Trees) -> None:
        self.seen = 0
        self._trees, self._full = trees, trees.count * trees.window
        self._pending = bytearray()
        self._masses: Masses | None = None
        self._scores: list[list[int]] = []

    def observe(self, leaves: Leaves) -> int | None:
        """Take in a point and return how odd it is, in millionths, against the window before this one; None during the first."""
        odd = self._odd(sum(map(getitem, self._scores, leaves))) if self._scores else None
        self._pending += bytes(leaves)
        if len(self._pending) == self._full:
            self._turn(_counted(self._trees, np.frombuffer(self._pending, np.uint8).reshape(-1, self._trees.count)))
            self._pending = bytearray()
        return odd

    def _odd(self, score: int) -> int:
        """Return 1 where nothing ever was, a half where as much was as if points were spread evenly, and near 0 where nearly all were."""
        even = self._trees.count * self._trees.window
        return (2 * MILLION * even + even + score) // (2 * (even + score))

    def _turn(self, masses: Masses) -> None:
        self._masses = masses
        self._scores = leaf_scores(self._trees, masses).tolist()

    def pack(self) -> bytes:
        masses = b"" if self._masses is None else self._masses.astype("<u4").tobytes()
        return ENCODER.encode(Packed(self.seen, masses, bytes(self._pending)))

    @staticmethod
    def unpack(trees: Trees, content: bytes) -> "Forest":
        kept, made = DECODER.decode(content), Forest(trees)
        made.seen = kept.seen
        if kept.masses:
            made._turn(np.frombuffer(kept.masses, "<u4").astype(np.int64).reshape(trees.count, -1))
        made._pending = bytearray(kept.pending)
        return made


def leaf_scores(trees: Trees, masses: Masses) -> Masses:
    """Return each leaf's score: mass times two to the depth, of the first node on the way to it that has little enough, or of the leaf."""
    scores = masses << trees.depth
    for depth in range(trees.depth - 1, -1, -1):
        above = masses.reshape(trees.count, 2**depth, -1).sum(axis=2)
        below = 2 ** (trees.depth - depth)
        scores = np.where(np.repeat(above <= trees.limit, below, axis=1), np.repeat(above << depth, below, axis=1), scores)
    return scores


def _counted(trees: Trees, leaves: npt.NDArray[np.uint8]) -> Masses:
    width = 2**trees.depth
    places = leaves + np.arange(trees.count) * width
    return np.bincount(places.ravel(), minlength=trees.count * width).reshape(trees.count, width)


ENCODER = msgspec.msgpack.Encoder()
DECODER = msgspec.msgpack.Decoder(Packed)
