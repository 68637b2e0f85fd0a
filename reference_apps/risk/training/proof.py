"""Served equals trained: the package, read back and compiled as serving compiles it, is asked about rows and compared with what training says of them."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from reference_apps.risk.deciding import scoring, trees
from reference_apps.risk.measures.vectors import Vector
from reference_apps.risk.packages.model import Package
from reference_apps.risk.training import judging, logistic
from reference_apps.risk.training.exporting import MAIN
from reference_apps.risk.training.faults import refuse
from reference_apps.risk.training.mapping import Mapping as Meaning
from reference_apps.risk.training.table import Table

MOST_ROWS = 2_000
MOST_DIFFERENCE, MOST_POINTS = 1e-12, 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """The largest differences found over `rows`: of the trees' margin, of the scorecard's p(bad), and of its score in points."""

    rows: int
    margin: float
    probability: float
    points: float


def prove(package: Package, table: Table, log_odds: dict[str, Vector], meaning: Meaning) -> Proof:
    """Compare, and raise BadTraining for any difference above 1e-12 (points: 1e-9). Scorecards rounded to whole points may differ by their rounding."""
    picked = np.linspace(0, table.size - 1, min(MOST_ROWS, table.size)).astype(int)
    card = scoring.compiled(package.scorecards[MAIN], {name: each.type for name, each in package.variables.items()})
    forest = trees.compiled(package.models[MAIN])
    served = [_served(card, forest, facts) for facts in facts_of(table, meaning, picked)]
    margins, scores, bad = (np.array(column) for column in zip(*served, strict=True))
    trained = log_odds["scorecard"][picked]
    found = Proof(
        rows=picked.size,
        margin=_largest(margins - log_odds["gbdt"][picked]),
        probability=_largest(bad - logistic.probability(trained)),
        points=_largest(scores - judging.to_score(trained, meaning.scaling)),
    )
    if found.margin > MOST_DIFFERENCE or not _score_is_exact(found, package):
        raise refuse("package", f"it does not serve what was trained: {found}", "this is a fault of the exporter; nothing was written")
    return found


def _score_is_exact(found: Proof, package: Package) -> bool:
    card = package.scorecards[MAIN]
    if card.is_integer:
        return found.points <= 0.5 * len(card.characteristics)
    return found.probability <= MOST_DIFFERENCE and found.points <= MOST_POINTS


def facts_of(table: Table, meaning: Meaning, picked: Any) -> list[dict[str, Any]]:
    """Return rows as the facts of a decision: None for what is missing."""
    columns = {each.name: _plain(table.columns[each.name][picked].tolist()) for each in meaning.variables}
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def _plain(values: list[Any]) -> list[Any]:
    return [None if value is None or value != value else value for value in values]


def _served(card: scoring.Card, forest: trees.Forest, facts: dict[str, Any]) -> tuple[float, float, float]:
    counted = card.count(facts)
    assert counted is not None, "no characteristic is required"
    score = card.score(counted)
    return forest.estimate(facts).margin, score, card.probability(score) or 0.0


def _largest(differences: Vector) -> float:
    return float(np.abs(differences).max())
