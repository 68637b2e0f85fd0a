"""What a package's report says: its parts as rows, and what training wrote into it, where it was trained. Pure."""

import json
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from reference_apps.risk.measures import woe
from reference_apps.risk.packages import reading
from reference_apps.risk.packages.model import Bin, Cell, Characteristic, Combination, Model, Package, PriceRow, Scorecard
from reference_apps.risk.report import charts

CARD, EVALUATION = reading.DOCS + "card.json", reading.DOCS + "evaluation.json"
Json = dict[str, Any]


class Unreadable(Exception):
    """A file that training wrote is not what it should be; the message names it."""


def contents(package: Package) -> Json:
    """Return everything that the templates show. Raises Unreadable."""
    card, evaluation = _document(package, CARD), _document(package, EVALUATION)
    files = json.loads(package.files["manifest.json"])["scorecards"]
    written = {name: json.loads(package.files[files[name]]) for name in package.scorecards}
    try:
        return {
            "package": package,
            "scorecards": [scorecard(each, written[name]) for name, each in package.scorecards.items()],
            "models": [model(each, card) for each in package.models.values()],
            "prices": [{"name": name, "rows": [price(row) for row in rows]} for name, rows in package.prices.items()],
            "combinations": [combination(each) for each in package.combinations.values()],
            "routes": package.router.routes,
            "card": card,
            "evaluation": evaluation,
            "charts": _charts(evaluation) if evaluation else None,
            "groups": _groups(evaluation["groups"]) if evaluation else [],
            "drift": sorted(evaluation.get("drift", []), key=lambda row: (row["kind"] != "psi", -row["value"])) if evaluation else [],
        }
    except (KeyError, TypeError, IndexError, ValueError, AttributeError) as error:
        raise Unreadable(f"{CARD} or {EVALUATION} lacks something: {type(error).__name__} {error}; train the package again") from error


def _document(package: Package, name: str) -> Any:
    if name not in package.files:
        return None
    try:
        return json.loads(package.files[name])
    except ValueError as error:
        raise Unreadable(f"{name} is no JSON: {error}; train the package again, or take the file out") from error


def _charts(evaluation: Mapping[str, Any]) -> Json:
    models = evaluation["models"]
    return {
        "titles": [charts.TITLES[name] for name in models],
        "distributions": [charts.distribution(each, name) for name, each in models.items()],
        "ks": [charts.ks(each, name) for name, each in models.items()],
        "roc": charts.roc(models),
        "calibration": charts.calibration(models),
        "months": charts.months(evaluation["months"]) if len(evaluation["months"]) > 1 else None,
    }


def _groups(rows: Sequence[Mapping[str, Any]]) -> list[Json]:
    """Return one row by scene and segment, with AUC and KS of each model."""
    found: dict[tuple[str, str], Json] = {}
    for row in rows:
        scene, segment = (name.replace("*", "all") for name in (row["scene"], row["segment"]))
        place = found.setdefault((scene, segment), {"scene": scene, "segment": segment, "n": row["n"], "bads": row["bads"], "figures": []})
        place["figures"].append((row["auc"], row["ks"]))
    return list(found.values())


def scorecard(card: Scorecard, written: Mapping[str, Any]) -> Json:
    """Return a scorecard's characteristics; `written` is its file, which may have counts."""
    counted = {each["id"]: each for each in written["characteristics"]}
    rows = [_characteristic(each, counted[each.id]) for each in card.characteristics]
    most = max(abs(cell["points"]) for row in rows for cell in row["bins"]) or 1.0
    for row in rows:
        for cell in row["bins"]:
            cell["share"] = round(100 * abs(cell["points"]) / most, 1)
    return {"name": card.name, "base": card.base, "scaling": card.scaling, "characteristics": rows}


def _characteristic(each: Characteristic, raw: Mapping[str, Any]) -> Json:
    special = zip([bin for _, bin in each.special], raw.get("special", [{}] * len(each.special)), strict=False)
    pairs = [*zip(each.bins, raw.get("bins", [{}] * len(each.bins)), strict=False), *special, (each.missing, raw.get("missing", {}))]
    cells = [_cell(bin, cell) for bin, cell in pairs]
    goods, bads = [cell["good"] or 0 for cell in cells], [cell["bad"] or 0 for cell in cells]
    information = woe.information_value(goods, bads) if sum(goods) and sum(bads) else None
    return {"id": each.id, "variable": each.variable, "monotone": each.monotone, "bins": cells, "information": information}


def _cell(bin: Bin, raw: Mapping[str, Any]) -> Json:
    good, bad = raw.get("good"), raw.get("bad")
    rate = bad / (good + bad) if good is not None and bad is not None and good + bad else None
    return {"label": bin.label, "points": bin.points, "woe": bin.woe, "good": good, "bad": bad, "rate": rate}


def model(each: Model, card: Any) -> Json:
    """Return a model's features, the weightiest first where training said what they weigh."""
    gains = {row["name"]: row["gain"] or 0.0 for row in card["features"]} if card else {}
    names = [{"name": feature.name, "monotone": feature.monotone, "gain": gains.get(feature.name)} for feature in each.features]
    return {"name": each.name, "trees": len(each.trees), "features": sorted(names, key=lambda row: -(row["gain"] or 0.0))}


def price(row: PriceRow) -> Json:
    """Return a row of a price table: amounts in yuan, rates in percent."""
    amount = f"{Decimal(row.limit_fen) / 100:,.2f}"
    rates = {"rate": f"{row.annual_rate * 100:.2f} %", "fee": f"{row.fee_rate * 100:.2f} %"}
    return {"grade": row.grade, "min_score": row.min_score, "limit": amount, **rates, "flow": str(row.flow), "requires": ", ".join(row.requires)}


def combination(each: Combination) -> Json:
    """Return a combination with the names of its bands, the best score first."""
    scores, bads = each.score_from, each.bad_from
    rows = [f"from {score:g}" for score in reversed(scores)] + ([f"below {scores[0]:g}"] if scores else ["any"])
    columns = ([f"below {bads[0]:.1%}"] if bads else ["any"]) + [f"from {bad:.1%}" for bad in bads]
    return {"name": each.name, "columns": columns, "rows": list(zip(rows, [[_said(cell) for cell in row] for row in reversed(each.cells)], strict=True))}


def _said(cell: Cell) -> Json:
    more = [f"{cell.down} down"] if cell.down else []
    more += [str(cell.flow)] if cell.flow and cell.outcome != "reject" else []
    return {"outcome": str(cell.outcome), "more": ", ".join(more)}
