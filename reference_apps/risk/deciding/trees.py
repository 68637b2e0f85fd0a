"""Gradient-boosted trees, compiled: one row by walking, many rows by masks. Both add the same doubles in the same order, so that they agree to the last bit.

Many rows: a feature's values fall into few bins, between its thresholds; a bin says for every node of that feature which side it takes, and so which leaves
it rules out. One word of bits per tree, a bit per leaf: what all features leave standing is the leaf (after Lucchese et al., QuickScorer, 2015).
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reference_apps.risk.deciding.scoring import sigmoid
from reference_apps.risk.model import Estimate, Fact, Facts
from reference_apps.risk.packages.model import Feature, Model, Tree

Doubles = NDArray[np.float64]
CHUNK = 8_192
WIDTHS: tuple[tuple[int, Any], ...] = ((8, np.uint8), (16, np.uint16), (32, np.uint32), (64, np.uint64))


@dataclass(frozen=True, slots=True)
class Walked:
    """A tree for one row: its nodes, and per leaf what its path adds to the features."""

    tree: Tree
    added: Mapping[int, tuple[tuple[int, float], ...]]


@dataclass(frozen=True, slots=True)
class Masked:
    """A tree for many rows: (feature, mask by bin) for the features it asks, and values and contributions by leaf, from left to right."""

    masks: tuple[tuple[int, NDArray[Any]], ...]
    values: Doubles
    added: tuple[tuple[int, Doubles], ...]


@dataclass(frozen=True, slots=True)
class Forest:
    """A compiled model. `bounds` are a feature's thresholds over all trees (of categories: the codes between them)."""

    of: Model
    bias: float
    codes: tuple[Mapping[str, int], ...]
    walked: tuple[Walked, ...]
    bounds: tuple[Doubles, ...]
    masked: tuple[Masked, ...]
    by_name: tuple[int, ...]

    def estimate(self, facts: Facts) -> Estimate:
        """Return margin, probability and contributions of one row."""
        row = [_number(facts[feature.variable], codes) for feature, codes in zip(self.of.features, self.codes, strict=True)]
        margin, contributions = self.of.base, [0.0] * len(row)
        for each in self.walked:
            leaf = _leaf(each.tree, row)
            margin += each.tree.value[leaf]
            for feature, value in each.added[leaf]:
                contributions[feature] += value
        return Estimate(probability=sigmoid(margin), margin=margin, bias=self.bias, contributions=tuple(contributions))

    def estimates(self, columns: Sequence[Doubles]) -> tuple[Doubles, Doubles]:
        """Return margins and contributions [feature, row] of many rows; a column a feature, NaN for missing, categories as codes."""
        size = len(columns[0])
        margins, contributions = np.full(size, self.of.base), np.zeros((len(columns), size))
        for begin in range(0, size, CHUNK):
            part = slice(begin, begin + CHUNK)
            bins = [self._bins(at, column[part]) for at, column in enumerate(columns)]
            for tree in self.masked:
                leaves = _leaves(tree, bins)
                margins[part] += tree.values[leaves]
                for feature, values in tree.added:
                    contributions[feature, part] += values[leaves]
        return margins, contributions

    def _bins(self, feature: int, column: Doubles) -> NDArray[np.int64]:
        """Return in which bin each value is: how many thresholds lie below it; the last bin is for missing ones."""
        bounds = self.bounds[feature]
        found = np.searchsorted(bounds, column, side="left")
        found[np.isnan(column)] = len(bounds) + 1
        return found

    def heaviest(self, contributions: Sequence[float]) -> int | None:
        """Return the feature that adds most to p(bad), equal ones by name; None: none adds anything."""
        best = max(self.by_name, key=lambda at: contributions[at])
        return best if contributions[best] > 0 else None


def compiled(model: Model) -> Forest:
    """Compile a checked model."""
    codes = tuple({word: at for at, word in enumerate(feature.categories)} for feature in model.features)
    bounds = tuple(_bounds(model, at, feature) for at, feature in enumerate(model.features))
    bias = model.base
    for tree in model.trees:
        bias += tree.value[0]
    by_name = tuple(sorted(range(len(model.features)), key=lambda at: model.features[at].name))
    walked, masked = tuple(_walked(tree) for tree in model.trees), tuple(_masked(model, tree, bounds) for tree in model.trees)
    return Forest(model, bias, codes, walked, bounds, masked, by_name)


def _number(fact: Fact, codes: Mapping[str, int]) -> float | None:
    """Return a value as the trees see it; None is missing, and so is a word that is no category."""
    if isinstance(fact, str):
        code = codes.get(fact)
        return None if code is None else float(code)
    return None if fact is None else float(fact)


def _leaf(tree: Tree, row: Sequence[float | None]) -> int:
    node = 0
    while (feature := tree.feature[node]) != -1:
        node = tree.left[node] if _goes_left(tree, node, row[feature]) else tree.right[node]
    return node


def _goes_left(tree: Tree, node: int, value: float | None) -> bool:
    if value is None:
        return tree.missing_left[node]
    codes = tree.codes[node]
    return value <= tree.threshold[node] if codes is None else value in codes


def _paths(tree: Tree) -> dict[int, list[tuple[int, float]]]:
    """Return for each leaf, from left to right, the steps to it: (feature, what the step adds)."""
    found: dict[int, list[tuple[int, float]]] = {}
    open_nodes: list[tuple[int, list[tuple[int, float]]]] = [(0, [])]
    while open_nodes:
        node, steps = open_nodes.pop()
        feature = tree.feature[node]
        if feature == -1:
            found[node] = steps
            continue
        for child in (tree.right[node], tree.left[node]):
            open_nodes.append((child, [*steps, (feature, tree.value[child] - tree.value[node])]))
    return found


def _summed(steps: Sequence[tuple[int, float]]) -> dict[int, float]:
    added: dict[int, float] = {}
    for feature, value in steps:
        added[feature] = added.get(feature, 0.0) + value
    return added


def _walked(tree: Tree) -> Walked:
    return Walked(tree, {leaf: tuple(sorted(_summed(steps).items())) for leaf, steps in _paths(tree).items()})


def _bounds(model: Model, at: int, feature: Feature) -> Doubles:
    """Return the values between which no tree sees a difference, ascending; a bin reaches up to and with its bound, the last one to infinity."""
    if feature.categories:
        return np.arange(len(feature.categories) - 1, dtype=float)
    nodes = ((tree, node) for tree in model.trees for node, asked in enumerate(tree.feature) if asked == at)
    return np.array(sorted({tree.threshold[node] for tree, node in nodes}), dtype=float)


def _masked(model: Model, tree: Tree, bounds: Sequence[Doubles]) -> Masked:
    paths = _paths(tree)
    leaves = list(paths)
    width = next(kind for most, kind in WIDTHS if len(leaves) <= most)
    below = _below(tree, leaves)
    masks = []
    for feature in sorted({each for each in tree.feature if each != -1}):
        nodes = [node for node, asked in enumerate(tree.feature) if asked == feature]
        last = float(len(bounds[feature])) if model.features[feature].categories else math.inf
        values = [*map(float, bounds[feature]), last, None]
        masks.append((feature, np.array([_standing(tree, nodes, below, value) for value in values], dtype=width)))
    summed = [_summed(paths[leaf]) for leaf in leaves]
    features = sorted({feature for each in summed for feature in each})
    added = tuple((feature, np.array([each.get(feature, 0.0) for each in summed])) for feature in features)
    return Masked(tuple(masks), np.array([tree.value[leaf] for leaf in leaves]), added)


def _below(tree: Tree, leaves: Sequence[int]) -> list[int]:
    """Return for each node the bits of the leaves below it."""
    bits = [0] * len(tree.feature)
    for at, leaf in enumerate(leaves):
        bits[leaf] = 1 << at
    for node in reversed(range(len(tree.feature))):
        if tree.feature[node] != -1:
            bits[node] = bits[tree.left[node]] | bits[tree.right[node]]
    return bits


def _standing(tree: Tree, nodes: Sequence[int], below: Sequence[int], value: float | None) -> int:
    """Return the bits of the leaves that a value leaves standing: each node of its feature rules out the side that is not taken."""
    standing = below[0]
    for node in nodes:
        standing &= ~below[tree.right[node] if _goes_left(tree, node, value) else tree.left[node]]
    return standing


def _leaves(tree: Masked, bins: Sequence[NDArray[np.int64]]) -> NDArray[Any]:
    if not tree.masks:
        return np.zeros(len(bins[0]), dtype=np.int64)
    feature, mask = tree.masks[0]
    standing = mask[bins[feature]]
    for feature, mask in tree.masks[1:]:
        standing &= mask[bins[feature]]
    found: NDArray[Any] = np.bitwise_count(standing - standing.dtype.type(1))
    return found
