"""Better evidence never gets less: what the parts of a package must show for it, checked whole. Pure; sufficient, so a package that passes keeps it."""

import itertools
from collections.abc import Iterator, Sequence

import numpy as np

from reference_apps.risk.model import Flow, Outcome
from reference_apps.risk.packages.faults import Fault
from reference_apps.risk.packages.model import Better, Cell, Combination, Model, Package, PriceRow, Tree

EASE = {Flow.FAST: 2, Flow.NORMAL: 1, Flow.EXTENDED: 0}
STRICT = {Outcome.PASS: 0, Outcome.REVIEW: 1, Outcome.REJECT: 2}
Boxes = tuple["np.ndarray[tuple[int, ...], np.dtype[np.float64]]", "np.ndarray[tuple[int, ...], np.dtype[np.float64]]"]


def faults(package: Package) -> Iterator[Fault]:
    """Say where better evidence could get less: price tables, combinations, scorecards and models of variables that declare `better`."""
    for name, rows in package.prices.items():
        yield from (Fault("prices.json", name, problem, "sort the rows best first; limit falls, rate and fee rise") for problem in price_faults(rows))
    for combination in package.combinations.values():
        yield from (Fault(f"combinations {combination.name}", *each) for each in combination_faults(combination))
    yield from _direction_faults(package)
    for model in package.models.values():
        yield from (Fault(f"models {model.name}", *each) for each in _model_faults(package, model))


def price_faults(table: Sequence[PriceRow]) -> list[str]:
    """Say where a better score would get less: a lower limit, a higher rate or fee, or a longer flow. Empty: the table is monotone."""
    found = []
    for better, worse in itertools.pairwise(table):
        pair = f"rows {better.grade} and {worse.grade}"
        if better.min_score <= worse.min_score:
            found.append(f"{pair}: min_score does not fall from row to row")
        if better.limit_fen < worse.limit_fen:
            found.append(f"{pair}: the better score gets the lower limit")
        if better.annual_rate > worse.annual_rate or better.fee_rate > worse.fee_rate:
            found.append(f"{pair}: the better score gets the higher rate or fee")
        if EASE[better.flow] < EASE[worse.flow]:
            found.append(f"{pair}: the better score gets the longer flow")
        if not set(better.requires) <= set(worse.requires):
            found.append(f"{pair}: the better score is asked for more evidence")
    return found


def combination_faults(combination: Combination) -> Iterator[tuple[str, str, str]]:
    """Yield (place, problem, remedy): bands must rise, cells must be as many, and a better band is never treated more strictly."""
    rows, columns = len(combination.score_from) + 1, len(combination.bad_from) + 1
    for name in ("score_from", "bad_from"):
        bands = getattr(combination, name)
        if list(bands) != sorted(set(bands)):
            yield name, "the bands do not rise", "sort them"
    if len(combination.cells) != rows or any(len(row) != columns for row in combination.cells):
        yield "cells", f"{rows} rows of {columns} cells are needed", "one more than the bounds, each way"
        return
    strict = [[_strictness(cell) for cell in row] for row in combination.cells]
    for row, column in itertools.product(range(rows), range(columns)):
        here = strict[row][column]
        worse = [strict[row - 1][column]] if row else []
        worse += [strict[row][column + 1]] if column + 1 < columns else []
        if any(not all(mine <= theirs for mine, theirs in zip(here, other, strict=True)) for other in worse):
            problem = "a better band is treated more strictly than a worse one beside it"
            yield f"cells.{row}.{column}", problem, "let outcomes soften with score and with falling p(bad)"


def _strictness(cell: Cell) -> tuple[int, float, float]:
    """Return what a cell costs in every respect; where nothing is offered, nothing can be worse."""
    if cell.outcome is Outcome.REJECT:
        return STRICT[cell.outcome], np.inf, np.inf
    return STRICT[cell.outcome], cell.down, -EASE[cell.flow or Flow.FAST]


def _direction_faults(package: Package) -> Iterator[Fault]:
    """Variables that declare `better` must be used that way by every scorecard and model."""
    way = {name: 1 if each.better is Better.HIGHER else -1 for name, each in package.variables.items() if each.better}
    for card in package.scorecards.values():
        for each in card.characteristics:
            steps = [after.points - before.points for before, after in itertools.pairwise(each.bins)]
            if each.variable in way and any(way[each.variable] * step < 0 for step in steps):
                problem = f"better values of {each.variable} get fewer points"
                yield Fault(f"scorecards {card.name}", each.id, problem, "correct the bins, or the variable's better")
            words = tuple(word for one in each.bins for word in one.values)
            if each.variable in way and words and not _in_order(package, each.variable, words):
                yield Fault(f"scorecards {card.name}", each.id, f"the bins do not follow the order of {each.variable}'s values", "reorder them")
    for model in package.models.values():
        for feature in model.features:
            if feature.variable in way and feature.monotone != -way[feature.variable]:
                declared = "down" if way[feature.variable] > 0 else "up"
                yield Fault(f"models {model.name}", f"features.{feature.name}", f"{feature.variable} has a better way", f'declare "monotone": "{declared}"')


def _model_faults(package: Package, model: Model) -> Iterator[tuple[str, str, str]]:
    for at, feature in enumerate(model.features):
        if feature.monotone and feature.categories and not _in_order(package, feature.variable, feature.categories):
            yield f"features.{feature.name}", "monotone needs the categories in the order of the variable's values", "reorder them"
        elif feature.monotone and (tree := first_unsteady(model, at)) is not None:
            yield f"trees.{tree}", f"{feature.name} is declared monotone and is not", "train with the constraint, or leave it out"


def _in_order(package: Package, variable: str, words: Sequence[str]) -> bool:
    values = package.variables[variable].values if variable in package.variables else ()
    return [value for value in values if value in words] == list(words)


def first_unsteady(model: Model, feature: int) -> int | None:
    """Return the first tree in which more of a feature can go against its declared direction; None: there is none."""
    way = model.features[feature].monotone
    return next((number for number, tree in enumerate(model.trees) if feature in tree.feature and not _is_steady(model, tree, feature, way)), None)


def _is_steady(model: Model, tree: Tree, feature: int, way: int) -> bool:
    """Look at its splits, and where they do not show it, compare every two leaves that one value of the feature apart could reach."""
    if _splits_are_ordered(tree, feature, way):
        return True
    if any(codes is not None and tree.feature[node] == feature and not _cuts_once(codes) for node, codes in enumerate(tree.codes)):
        return False
    leaves = [node for node, each in enumerate(tree.feature) if each == -1]
    low, high = _boxes(model, tree, leaves)
    value = np.array([tree.value[leaf] for leaf in leaves])
    meet = np.ones((len(leaves), len(leaves)), dtype=bool)
    for other in range(len(model.features)):
        if other != feature:
            meet &= np.maximum(low[:, None, other], low[None, :, other]) < np.minimum(high[:, None, other], high[None, :, other])
    below = high[:, None, feature] <= low[None, :, feature]
    return not bool((meet & below & (way * (value[None, :] - value[:, None]) < 0)).any())


def _splits_are_ordered(tree: Tree, feature: int, way: int) -> bool:
    """Whether at every split by the feature no leaf of the lower side passes one of the upper side, which trainers that take the constraint see to.

    That is enough whatever the other features are, missing or words in any grouping: two values part at such a split, or nowhere.
    """
    least, most = list(tree.value), list(tree.value)
    ordered = True
    for node in reversed(range(len(tree.feature))):
        if tree.feature[node] == -1:
            continue
        left, right = tree.left[node], tree.right[node]
        least[node], most[node] = min(least[left], least[right]), max(most[left], most[right])
        if tree.feature[node] == feature:
            codes = tree.codes[node]
            steady = most[left] <= least[right] if way > 0 else least[left] >= most[right]
            ordered = ordered and steady and (codes is None or _cuts_once(codes))
    return ordered


def _boxes(model: Model, tree: Tree, leaves: Sequence[int]) -> Boxes:
    """Return for each leaf and feature the interval (low, high] that leads there; splits by category are intervals of codes only where they cut once."""
    size = len(model.features)
    low, high = np.full((len(tree.feature), size), -np.inf), np.full((len(tree.feature), size), np.inf)
    for node, feature in enumerate(tree.feature):
        if feature == -1:
            continue
        left, right = tree.left[node], tree.right[node]
        low[left], high[left], low[right], high[right] = low[node], high[node], low[node], high[node]
        codes = tree.codes[node]
        if codes is None:
            high[left, feature] = min(high[left, feature], tree.threshold[node])
            low[right, feature] = max(low[right, feature], tree.threshold[node])
        elif _cuts_once(codes):
            high[left, feature] = min(high[left, feature], len(codes) - 0.5)
            low[right, feature] = max(low[right, feature], len(codes) - 0.5)
    return low[list(leaves)], high[list(leaves)]


def _cuts_once(codes: frozenset[int]) -> bool:
    """Whether the codes that go left are the lowest ones, so that the split is a threshold."""
    return sorted(codes) == list(range(len(codes)))
