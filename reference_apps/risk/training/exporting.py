"""A trained scorecard and trees as the documents of a decision package: alone, or in the place of a base package's own. Pure."""

import json
from collections.abc import Mapping
from typing import Any

from reference_apps.risk.packages import checks, reading
from reference_apps.risk.packages.model import Package
from reference_apps.risk.training import boosting, pricing
from reference_apps.risk.training.binning import Binned
from reference_apps.risk.training.boosting import Boosted, Feature
from reference_apps.risk.training.mapping import Mapping as Meaning
from reference_apps.risk.training.mapping import VariableForm
from reference_apps.risk.training.scorecards import Scorecard

MAIN = "main"
MONOTONE = {"higher": "up", "lower": "down", None: "no"}
REPLACED = ("scorecards/", "models/", "combinations/", reading.DOCS)
Documents = dict[str, Any]


def documents(card: Scorecard, boosted: Boosted, meaning: Meaning, bad_rate: float, base: Package | None) -> Documents:
    """Return all files of the package but its docs. Raises BadTraining."""
    kept = _kept(base)
    prices = pricing.rescaled(kept["prices.json"], meaning, bad_rate) if base else pricing.plain_tables(meaning, bad_rate)
    combinations = {name: pricing.combination(rows, meaning.scaling) for name, rows in prices.items()}
    routes = _routes(kept["routes.json"], prices)
    parts = {f"combinations/{name}.json": each for name, each in combinations.items()}
    return {
        **kept,
        **parts,
        "manifest.json": _manifest(kept["manifest.json"], meaning, sorted(combinations)),
        "variables.json": {"variables": _variables(kept["variables.json"]["variables"], meaning)},
        "scorecards/main.json": scorecard(card, meaning),
        "models/main.json": model(boosted),
        "prices.json": prices,
        "routes.json": routes,
        "reasons.json": _reasons(kept["reasons.json"], meaning),
    }


def _kept(base: Package | None) -> Documents:
    """Return what the base keeps; without one, what an empty package begins with."""
    files = base.files if base else reading.contents(reading.SHIPPED)
    if base:
        return {name: json.loads(content) if name.endswith(".json") else content for name, content in files.items() if not name.startswith(REPLACED)}
    reasons = json.loads(files["reasons.json"])
    return {
        "manifest.json": {"format": 2, "tables": []},
        "lists.json": {},
        "variables.json": {"variables": []},
        "prices.json": {},
        "routes.json": {"scenes": ["all"], "default_scene": "all", "segments": ["all"], "routes": [{"scene": "*", "segment": "*"}]},
        "reasons.json": {code: reasons[code] for code in checks.OWN_REASONS},
    }


def _manifest(base: Mapping[str, Any], meaning: Meaning, combinations: list[str]) -> Documents:
    parts = {"scorecards": {MAIN: "scorecards/main.json"}, "models": {MAIN: "models/main.json"}}
    named = {name: f"combinations/{name}.json" for name in combinations}
    return {"format": base["format"], "name": meaning.name, "version": meaning.version, "tables": base["tables"], **parts, "combinations": named}


def _routes(base: Mapping[str, Any], prices: Mapping[str, Any]) -> Documents:
    """Let the new parts decide everywhere; each route keeps its price table, and takes the combination that was made for it."""
    first = next(iter(prices))
    rows = [{**row, "scorecard": MAIN, "model": MAIN, "combination": row.get("prices") or first} for row in base["routes"]]
    return {**base, "routes": rows}


def _variables(base: list[Documents], meaning: Meaning) -> list[Documents]:
    known = {each["name"] for each in base}
    return [*base, *(_variable(each) for each in meaning.variables if each.name not in known)]


def _variable(each: VariableForm) -> Documents:
    made: Documents = {"name": each.name, "type": each.type}
    if each.values:
        made["values"] = list(each.values)
    if each.better:
        made["better"] = each.better
    if each.sum_of:
        return made | {"sum_of": list(each.sum_of)}
    sources = [{"from": each.source.origin, "field": each.source.field}] if each.source else []
    return made | {"sources": [*sources, {"from": "declared", "field": each.name}]}


def scorecard(card: Scorecard, meaning: Meaning) -> Documents:
    """Return scorecards/main.json."""
    by_name = {each.name: each for each in meaning.variables}
    rows = [_characteristic(each, by_name[each.name], float(b)) for each, b in zip(card.bins, card.logistic.coefficients, strict=True)]
    scaling = meaning.scaling.model_dump()
    return {"kind": "woe", "intercept": card.logistic.intercept, "scaling": scaling, "rounding": meaning.rounding, "characteristics": rows}


def _characteristic(binned: Binned, variable: VariableForm, coefficient: float) -> Documents:
    cells = [{"woe": woe, "good": good, "bad": bad} for woe, good, bad in zip(binned.woes, binned.goods, binned.bads, strict=True)]
    if binned.words:
        bins = [{"is": list(words), **cell} for words, cell in zip(binned.words, cells, strict=False)]
    else:
        bins = [{**({} if at == 0 else {"from": binned.cuts[at - 1]}), **cells[at]} for at in range(binned.regular)]
    special = [{"value": value, **cells[binned.regular + at]} for at, value in enumerate(variable.special)]
    monotone = "no" if variable.type == "text" and not variable.better else MONOTONE[variable.better]
    made: Documents = {"id": variable.name, "variable": variable.name, "monotone": monotone, "coefficient": coefficient, "missing": cells[-1]}
    return made | ({"special": special} if special else {}) | {"bins": bins}


def model(boosted: Boosted) -> Documents:
    """Return models/main.json."""
    return {"kind": "gbdt", "base": 0.0, "features": [_feature(each) for each in boosted.features], "trees": boosting.trees(boosted)}


def _feature(each: Feature) -> Documents:
    named: Documents = {"name": each.variable.name, "variable": each.variable.name, "monotone": {1: "up", -1: "down", 0: "no"}[each.way]}
    return named | ({"categories": list(each.categories)} if each.categories else {})


def _reasons(base: Mapping[str, Any], meaning: Meaning) -> Documents:
    own = {each.name: each.reason.model_dump() if each.reason else _plain(each.name) for each in meaning.variables if each.reason or each.name not in base}
    return {**base, **own}


def _plain(name: str) -> dict[str, str]:
    spoken = name.replace("_", " ")
    return {"en": f"The value of {spoken} counts for less than its best group.", "zh": f"{spoken} 低于最优分组。"}
