"""The measured figures as Markdown tables. Pure."""

from collections.abc import Iterator, Mapping, Sequence

from reference_apps.fraud.simulating.measuring import ModelFigures, VerdictFigures

MODELS_HEAD = ("model", "incidents", "events", "precision", "recall", "incidents caught", "AUC", "alerts", "anomaly AUC")
YUAN = 100


def of_models(figures: Sequence[ModelFigures], anomalies: Mapping[str, float | None]) -> Iterator[str]:
    """Yield a row for each model."""
    yield _row(MODELS_HEAD)
    yield _row(["---", *["--:"] * (len(MODELS_HEAD) - 1)])
    for each in figures:
        shares = (_pct(each.precision), _pct(each.recall), _pct(each.caught))
        yield _row((each.model, each.incidents, each.labelled, *shares, _auc(each.auc), _pct(each.alerts, 2), _auc(anomalies[each.model])))


def of_verdicts(figures: VerdictFigures, anomalies: Mapping[str, float | None]) -> Iterator[str]:
    """Yield what all together achieved, a line each."""
    yield _row(("all together", ""))
    yield _row(("---", "--:"))
    yield _row(("events, of them fraud", f"{figures.events:,}, {figures.labelled:,}"))
    yield _row(("precision of review and block", _pct(figures.precision)))
    yield _row(("fraud reviewed or blocked", _pct(figures.recall)))
    yield _row(("fraud at least stepped up", _pct(figures.stepped_up)))
    yield _row(("incidents with a review or block", _pct(figures.caught)))
    yield _row(("money that fraud asked for, stopped by review or block", f"{figures.money_fen // YUAN:,} yuan, {_pct(figures.stopped)}"))
    for name, shares in (("events", figures.honest_events), ("customers in thirty days", figures.honest_customers)):
        yield _row((f"honest {name}: stepped up / reviewed / blocked", " / ".join(_pct(share, 2) for share in shares)))
    yield _row(("anomaly detector in shadow: AUC over all fraud", _auc(anomalies["all"])))


def _row(cells: Sequence[object]) -> str:
    return f"| {' | '.join(map(str, cells))} |"


def _pct(share: float | None, digits: int = 1) -> str:
    return "-" if share is None else f"{100 * share:.{digits}f} %"


def _auc(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
