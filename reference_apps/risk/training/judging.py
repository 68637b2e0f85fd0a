"""What estimates are worth, as a document: ranking with confidence, calibration, curves, by scene and segment, by month; and how later rows moved. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from reference_apps.risk.measures import calibration, drift, outcomes, ranking
from reference_apps.risk.measures.drift import Frozen
from reference_apps.risk.measures.ranking import Curve, Interval
from reference_apps.risk.measures.vectors import Vector
from reference_apps.risk.training import evaluation, logistic, scorecards
from reference_apps.risk.training.evaluation import Estimates
from reference_apps.risk.training.mapping import Mapping as Meaning
from reference_apps.risk.training.mapping import ScalingForm
from reference_apps.risk.training.table import LEAST_EACH, Table

CURVE_POINTS, BARS = 100, 30
Json = dict[str, Any]


def judged(estimates: Estimates, table: Table, meaning: Meaning) -> Json:
    """Return the whole evaluation; `table` holds the rows that were estimated."""
    models = {name: model(log_odds, table.bad, meaning.scaling) for name, log_odds in estimates.log_odds.items()}
    return {
        "how": estimates.how,
        "n": table.size,
        "bads": table.bads,
        "models": models,
        "groups": groups(estimates.log_odds, table),
        "months": months(table),
        "vintages": vintages(table),
    }


def model(log_odds: Vector, bad: Vector, scaling: ScalingForm) -> Json:
    """Return what one model's estimates are worth. Scores are on the scorecard's scale."""
    predicted = logistic.probability(log_odds)
    bins = calibration.calibration(predicted, bad)
    auc = ranking.auc_interval(log_odds, bad)
    drawn = ranking.curve(log_odds, bad)
    return {
        "auc": interval(auc),
        "ks": interval(ranking.ks_interval(log_odds, bad)),
        "gini": 2 * auc.value - 1,
        "brier": calibration.brier(predicted, bad),
        "calibration_error": calibration.calibration_error(bins),
        "calibration": [{name: getattr(each, name) for name in ("low", "high", "n", "predicted", "observed")} for each in bins],
        "curve": curve(drawn, scaling),
        "scores": distribution(to_score(log_odds, scaling), bad),
    }


def interval(found: Interval) -> Json:
    return {"value": found.value, "low": found.low, "high": found.high}


def to_score(log_odds: Vector, scaling: ScalingForm) -> Vector:
    """Return scores of ln odds of bad."""
    score: Vector = scorecards.offset(scaling) - scorecards.factor(scaling) * log_odds
    return score


def curve(drawn: Curve, scaling: ScalingForm) -> list[Json]:
    """Return at most 100 points of a curve, and always the one with the largest distance."""
    picked = {*np.linspace(0, drawn.caught.size - 1, CURVE_POINTS).astype(int).tolist(), int(np.abs(drawn.caught - drawn.lost).argmax())}
    scores = to_score(np.where(np.isinf(drawn.estimate), np.nan, drawn.estimate), scaling)
    return [{"score": _known(scores[at]), "caught": float(drawn.caught[at]), "lost": float(drawn.lost[at])} for at in sorted(picked)]


def _known(score: float) -> float | None:
    return None if np.isnan(score) else float(score)


def distribution(scores: Vector, bad: Vector) -> list[Json]:
    """Return 30 bars of equal width between the outer half percents: how many goods and bads score in each; who scores beyond is in the outer bars."""
    low, high = np.quantile(scores, (0.005, 0.995))
    edges = np.linspace(low, high if high > low else low + 1, BARS + 1)
    places = np.clip(np.searchsorted(edges, scores, side="right") - 1, 0, BARS - 1)
    bads, whole = np.bincount(places, weights=bad, minlength=BARS), np.bincount(places, minlength=BARS)
    return [{"from": float(edges[at]), "to": float(edges[at + 1]), "goods": int(whole[at] - bads[at]), "bads": int(bads[at])} for at in range(BARS)]


def groups(log_odds: Mapping[str, Vector], table: Table) -> list[Json]:
    """Return AUC and KS of each model by scene and segment; None where there are too few to say."""
    rows = []
    for scene, segment, picked in evaluation.groups(table):
        bads, n = int(table.bad[picked].sum()), int(picked.sum())
        enough = n >= drift.LEAST_N and min(bads, n - bads) >= LEAST_EACH
        for name, margins in log_odds.items():
            figures = (ranking.auc(margins[picked], table.bad[picked]), ranking.ks(margins[picked], table.bad[picked])) if enough else (None, None)
            rows.append({"model": name, "scene": scene, "segment": segment, "n": n, "bads": bads, "auc": figures[0], "ks": figures[1]})
    return rows


def months(table: Table) -> list[Json]:
    """Return customers and bads by the time column's value, in order; empty where none is mapped."""
    if table.time is None:
        return []
    values, places = np.unique(table.time.astype(str), return_inverse=True)
    n, bads = np.bincount(places), np.bincount(places, weights=table.bad)
    return [{"month": str(value), "n": int(n[at]), "bads": int(bads[at])} for at, value in enumerate(values)]


def vintages(table: Table) -> list[Json]:
    """Return how many loans of each month were ever 30 days or more late; empty where days past due or time are not mapped."""
    if table.time is None or table.days_past_due is None:
        return []
    loans = [(month, int(days)) for month, days in zip(table.time.tolist(), table.days_past_due.tolist(), strict=True) if days.strip().lstrip("-").isdigit()]
    return [{"month": each.month, "loans": each.loans, "late": each.late, "late_share": each.late_share} for each in outcomes.vintages(loans)]


def reference(log_odds: Mapping[str, Vector], table: Table, meaning: Meaning) -> Json:
    """Return how scores, probabilities and variables lay in training, frozen for monitoring: over all, and by scene and segment where there are enough."""
    score, probability = to_score(log_odds["scorecard"], meaning.scaling), logistic.probability(log_odds["gbdt"])
    rows = []
    for scene, segment, picked in evaluation.groups(table):
        if picked.sum() >= drift.LEAST_N or scene == segment == "*":
            frozen = {"score": drift.frozen_numbers(score[picked]).record(), "probability": drift.frozen_numbers(probability[picked]).record()}
            variables = {each.name: frozen_column(table.columns[each.name][picked]).record() for each in meaning.variables}
            place = {"scene": scene, "segment": segment, "n": int(picked.sum()), "bad_rate": float(table.bad[picked].mean())}
            rows.append({**place, **frozen, "variables": variables})
    return {"n": table.size, "groups": rows}


def frozen_column(column: Any) -> Frozen:
    return drift.frozen_words(column.tolist()) if column.dtype == object else drift.frozen_numbers(column)


def later(training: Mapping[str, Any], log_odds: Mapping[str, Vector], table: Table, meaning: Meaning) -> list[Json]:
    """Return how the later rows moved against training: PSI of score and probability, CSI of each variable."""
    overall = training["groups"][0]
    moved = [
        ("psi", "score", Frozen.of(overall["score"]), to_score(log_odds["scorecard"], meaning.scaling)),
        ("psi", "probability", Frozen.of(overall["probability"]), logistic.probability(log_odds["gbdt"])),
    ]
    columns: Sequence[Any] = [("csi", each.name, Frozen.of(overall["variables"][each.name]), table.columns[each.name]) for each in meaning.variables]
    return [_moved(kind, name, frozen, values) for kind, name, frozen, values in (*moved, *columns)]


def _moved(kind: str, name: str, frozen: Frozen, values: Any) -> Json:
    given = values.tolist() if values.dtype == object else values
    shift = drift.shift(frozen, given)
    return {"kind": kind, "name": name, "value": shift, "verdict": str(drift.verdict(shift, len(given))), "n": len(given)}
