"""Whether predicted probabilities come true: by bin of the prediction, and as one figure. Pure."""

from dataclasses import dataclass

import numpy as np

from reference_apps.risk.measures.vectors import Numbers, is_bad, vector


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibrated:
    """One bin: n customers with predictions from `low` to `high`, the mean prediction, and the share that was bad in fact."""

    low: float
    high: float
    n: int
    predicted: float
    observed: float


def calibration(predictions: Numbers, labels: Numbers, *, bins: int = 10) -> tuple[Calibrated, ...]:
    """Return bins of as equal size as ties allow, the lowest predictions first. Empty input: no bins."""
    predicted, bad = vector(predictions), is_bad(labels)
    if not predicted.size:
        return ()
    edges = np.unique(np.quantile(predicted, np.linspace(0, 1, bins + 1)[1:-1]))
    places = np.searchsorted(edges, predicted, side="left")
    groups = [(predicted[places == place], bad[places == place]) for place in np.unique(places)]
    return tuple(
        Calibrated(low=float(p.min()), high=float(p.max()), n=p.size, predicted=float(p.mean()), observed=float(was.mean())) for p, was in groups
    )


def calibration_error(bins: tuple[Calibrated, ...]) -> float:
    """Return the mean distance of prediction and outcome over the bins, weighted by their size; 0 without bins."""
    whole = sum(each.n for each in bins)
    return sum(each.n * abs(each.predicted - each.observed) for each in bins) / whole if whole else 0.0


def brier(predictions: Numbers, labels: Numbers) -> float:
    """Return the mean squared error of probabilities; 0 is best. Raises ValueError without predictions."""
    predicted, bad = vector(predictions), is_bad(labels)
    if not predicted.size:
        raise ValueError("the Brier score of nobody is not defined")
    return float(((predicted - bad) ** 2).mean())
