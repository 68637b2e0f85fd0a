"""Honest evaluation: estimates are for rows that no fit, of bins or anything else, has seen. By time where a time column is mapped, else by seeded folds."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from reference_apps.risk.measures.vectors import Vector
from reference_apps.risk.training.faults import refuse
from reference_apps.risk.training.mapping import Mapping as Meaning
from reference_apps.risk.training.table import LEAST_EACH, Table

Rows = npt.NDArray[np.int64]
Estimator = Callable[[Table], Mapping[str, Callable[[Table], Vector]]]
"""Fits everything to a table and returns, by model, what estimates ln odds of bad for another."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimates:
    """What was estimated for rows not seen: `rows` of the table, the margins by model, and in words how it was done."""

    rows: Rows
    log_odds: Mapping[str, Vector]
    how: str


def stratified(bad: Vector, folds: int, seed: int) -> list[Rows]:
    """Part rows into folds, each with its share of goods and bads; the same seed parts them the same way."""
    dice = np.random.Generator(np.random.PCG64(seed))
    fold = np.empty(bad.size, dtype=np.int64)
    for label in (0, 1):
        rows = np.flatnonzero(bad == label)
        fold[rows[np.argsort(dice.random(rows.size), kind="stable")]] = np.arange(rows.size) % folds
    return [np.flatnonzero(fold == number) for number in range(folds)]


def by_folds(table: Table, folds: int, seed: int, estimator: Estimator) -> Estimates:
    """Estimate each fold by what was fitted to the others; the estimates of all folds are judged together."""
    log_odds: dict[str, Vector] = {}
    for held in stratified(table.bad, folds, seed):
        known = np.setdiff1d(np.arange(table.size), held)
        for model, estimate in estimator(table.part(known)).items():
            log_odds.setdefault(model, np.empty(table.size))[held] = estimate(table.part(held))
    how = f"{folds} folds, stratified, seed {seed}; each row estimated by a fit that did not see it"
    return Estimates(rows=np.arange(table.size), log_odds=log_odds, how=how)


def in_time(table: Table, meaning: Meaning) -> tuple[Rows, Rows]:
    """Return the rows to learn from and the later ones that judge. Raises BadTraining when either side is too small."""
    assert meaning.time is not None
    assert table.time is not None
    later = np.array([text >= meaning.time.begin for text in table.time.tolist()])
    for name, side in (("before", ~later), ("from", later)):
        goods, bads = int((table.bad[side] == 0).sum()), int(table.bad[side].sum())
        if min(goods, bads) < LEAST_EACH:
            found = f"{goods} good and {bads} bad rows {name} {meaning.time.begin}; it goes from {min(table.time)} to {max(table.time)}"
            raise refuse(f"column {meaning.time.column}", found, f"move time.from, so that both sides have {LEAST_EACH} of each, or leave time out for folds")
    return np.flatnonzero(~later), np.flatnonzero(later)


def groups(table: Table) -> Iterator[tuple[str, str, npt.NDArray[np.bool_]]]:
    """Yield (scene, segment, rows) of every pair that occurs, "*" where not mapped; first all rows as ("*", "*")."""
    yield "*", "*", np.ones(table.size, dtype=bool)
    scene = table.scene if table.scene is not None else np.full(table.size, "*", dtype=object)
    segment = table.segment if table.segment is not None else np.full(table.size, "*", dtype=object)
    for pair in sorted(set(zip(scene.tolist(), segment.tolist(), strict=True)) - {("*", "*")}):
        yield pair[0], pair[1], (scene == pair[0]) & (segment == pair[1])
