"""The model card: what was learnt from which data, how good it is and how sure that is, what was left out and why, and where it should not be trusted. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from importlib.metadata import version
from typing import Any

from reference_apps.risk.measures import drift, woe
from reference_apps.risk.training.boosting import Boosted
from reference_apps.risk.training.mapping import Mapping as Meaning
from reference_apps.risk.training.proof import Proof
from reference_apps.risk.training.scorecards import Scorecard
from reference_apps.risk.training.table import Table

LIBRARIES = ("lightgbm", "optbinning", "numpy")
TOO_GOOD_AUC = 0.95
FEW_IN_A_BIN = 30
TITLES = {"scorecard": "Scorecard", "gbdt": "Gradient-boosted trees"}
Json = dict[str, Any]


def card(meaning: Meaning, table: Table, fitted: tuple[Scorecard, Boosted], evaluation: Mapping[str, Any], proof: Proof) -> Json:
    """Return the card as a document; `table` holds the rows that were learnt from."""
    scorecard, boosted = fitted
    return {
        "name": meaning.name,
        "version": meaning.version,
        "about": meaning.about,
        "data": _data(meaning, table),
        "evaluation": {"how": evaluation["how"], "n": evaluation["n"], "bads": evaluation["bads"]},
        "metrics": {name: _figures(each) for name, each in evaluation["models"].items()},
        "features": list(_features(meaning, scorecard, boosted)),
        "excluded": [{"column": name, "why": why} for name, why in sorted(meaning.excluded.items())],
        "limits": list(_limits(meaning, table, scorecard, evaluation)),
        "parameters": {"trees": boosted.rounds, "seed": meaning.seed, "scaling": meaning.scaling.model_dump(), "rounding": meaning.rounding},
        "served_equals_trained": asdict(proof),
        "made_with": {name: version(name) for name in LIBRARIES},
    }


def _data(meaning: Meaning, table: Table) -> Json:
    times = {"from": min(table.time.tolist()), "to": max(table.time.tolist())} if table.time is not None else None
    label = {"column": meaning.label.column, "good": list(meaning.label.good), "bad": list(meaning.label.bad), "meaning": meaning.label.meaning}
    counted = {"n": table.size, "bads": table.bads, "bad_rate": table.bads / table.size, "dropped": table.dropped}
    return {"sha256": table.digest, **counted, "times": times, "label": label}


def _figures(model: Mapping[str, Any]) -> Json:
    return {name: model[name] for name in ("auc", "ks", "gini", "brier", "calibration_error")}


def _features(meaning: Meaning, scorecard: Scorecard, boosted: Boosted) -> Iterator[Json]:
    bins = {each.name: each for each in scorecard.all_bins}
    coefficients = {each.name: float(b) for each, b in zip(scorecard.bins, scorecard.logistic.coefficients, strict=True)}
    errors = {each.name: float(e) for each, e in zip(scorecard.bins, scorecard.logistic.errors, strict=True)}
    gains = boosted.gains()
    for each in meaning.variables:
        name, binned = each.name, bins.get(each.name)
        information = binned.information if binned else None
        yield {
            "name": name,
            "column": "" if each.sum_of else each.place,
            "sum_of": list(each.sum_of),
            "better": each.better,
            "information": information,
            "strength": None if information is None else str(woe.strength(information)),
            "coefficient": coefficients.get(name),
            "standard_error": errors.get(name),
            "left_out": scorecard.left_out.get(name, "" if binned else "not asked for"),
            "gain": gains.get(name),
        }


def _limits(meaning: Meaning, table: Table, scorecard: Scorecard, evaluation: Mapping[str, Any]) -> Iterator[str]:
    yield "It was learnt from customers whose outcome is known, that is, from those who were once accepted: of others it knows nothing (no reject inference)."
    if meaning.time is None:
        yield "There is no time column: the folds do not show how it ages. The figures judge the procedure; the package itself was then fitted to all rows."
    if table.dropped:
        yield f"{table.dropped} rows whose label says neither good nor bad were left out."
    if table.unused:
        yield f"Columns that the mapping does not name were not used: {', '.join(table.unused)}."
    for name, model in evaluation["models"].items():
        if model["auc"]["value"] > TOO_GOOD_AUC:
            yield f"{TITLES[name]}: an AUC of {model['auc']['value']:.3f} is too good to be true; look for a variable that knows the outcome."
    for each in scorecard.all_bins:
        if woe.strength(each.information) is woe.Strength.SUSPECT:
            yield f"{each.name} has an information value of {each.information:.2f}, above .5: make sure that it was known before the decision."
        few = [good + bad for good, bad in zip(each.goods[: each.regular], each.bads[: each.regular], strict=True) if good + bad < FEW_IN_A_BIN]
        rare = sum(0 < good + bad < FEW_IN_A_BIN for good, bad in zip(each.goods[each.regular :], each.bads[each.regular :], strict=True))
        if few or rare:
            yield f"{each.name} has a bin with fewer than {FEW_IN_A_BIN} customers: its points are a guess."
    small = sorted({f"{each['scene']} / {each['segment']}" for each in evaluation["groups"] if each["auc"] is None})
    if small:
        yield f"Fewer than {drift.LEAST_N} customers judged it in scene / segment {', '.join(small)}: nothing is said of it there."
    moved = [each["name"] for each in evaluation.get("drift", ()) if each["verdict"] == drift.Verdict.ACT]
    if moved:
        yield f"The later rows have moved from those it learnt from: {', '.join(moved)} (index of .25 or more)."


def markdown(document: Mapping[str, Any]) -> str:
    """Return the card for people."""
    return "\n".join([*_head(document), *_metrics(document), *_table(document), *_rest(document)]) + "\n"


def _head(card: Mapping[str, Any]) -> Iterator[str]:
    data, judged = card["data"], card["evaluation"]
    yield f"# Model card: {card['name']} {card['version']}\n"
    if card["about"]:
        yield f"{card['about']}\n"
    times = f", {data['times']['from']} to {data['times']['to']}" if data["times"] else ""
    label = data["label"]
    meaning = f": {label['meaning']}" if label["meaning"] else ""
    yield f"- Learnt from {data['n']:,} customers{times}, {data['bads']:,} bad ({data['bad_rate']:.2%}); SHA-256 of the table {data['sha256']}"
    yield f"- Bad is {label['column']} {', '.join(label['bad'])}{meaning}"
    yield f"- Judged on {judged['n']:,} customers, {judged['bads']:,} bad: {judged['how']}"
    proof = card["served_equals_trained"]
    yield f"- Served equals trained: {proof['rows']:,} rows, largest difference {proof['margin']:.0e} (trees), {proof['probability']:.0e} (scorecard)"
    yield f"- Made with {', '.join(f'{name} {number}' for name, number in card['made_with'].items())}; seed {card['parameters']['seed']}\n"


def _metrics(card: Mapping[str, Any]) -> Iterator[str]:
    yield "| model | AUC (95 %) | KS (95 %) | Gini | Brier | calibration error |\n|---|---|---|---|---|---|"
    for name, each in card["metrics"].items():
        auc, ks = (f"{each[kind]['value']:.3f} ({each[kind]['low']:.3f} to {each[kind]['high']:.3f})" for kind in ("auc", "ks"))
        yield f"| {TITLES[name]} | {auc} | {ks} | {each['gini']:.3f} | {each['brier']:.4f} | {each['calibration_error']:.4f} |"
    yield ""


def _table(card: Mapping[str, Any]) -> Iterator[str]:
    yield "## Variables\n"
    yield "| variable | better | information value | coefficient | share of the trees' gain | left out of the scorecard |\n|---|---|---|---|---|---|"
    for each in card["features"]:
        information = "" if each["information"] is None else f"{each['information']:.3f} {each['strength']}"
        coefficient = "" if each["coefficient"] is None else f"{each['coefficient']:.3f} ± {each['standard_error']:.3f}"
        gain = "" if each["gain"] is None else f"{each['gain']:.1%}"
        yield f"| {each['name']} | {each['better'] or ''} | {information} | {coefficient} | {gain} | {each['left_out']} |"
    yield ""


def _rest(card: Mapping[str, Any]) -> Iterator[str]:
    if card["excluded"]:
        yield "## Excluded\n"
        yield from (f"- {each['column']}: {each['why']}" for each in card["excluded"])
        yield ""
    yield "## Limits\n"
    yield from (f"- {limit}" for limit in card["limits"])
