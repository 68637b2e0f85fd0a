"""The charts of a trained package, from its evaluation: distributions, ROC, KS, calibration, bads by month. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

from reference_apps.risk.report import drawing
from reference_apps.risk.report.drawing import Dot, Plot, Scale

TITLES = {"scorecard": "Scorecard", "gbdt": "Trees"}
GROUND = "ground"
Json = Mapping[str, Any]


def distribution(model: Json, name: str) -> Plot:
    """Return how goods and bads score: shares of each, so that both are seen however few bads there are."""
    rows = model["scores"]
    sizes = {kind: max(1, sum(row[kind] for row in rows)) for kind in ("goods", "bads")}
    x = drawing.across(rows[0]["from"], rows[-1]["to"])
    y = drawing.upward(drawing.round_above(max(row[kind] / sizes[kind] for row in rows for kind in sizes)))
    bars = tuple(
        drawing.bar(x, y, (row["from"], row["to"]), row[kind] / sizes[kind], kind, f"{row['from']:.0f} to {row['to']:.0f}: {row[kind]:,} {kind}")
        for kind in sizes
        for row in rows
    )
    keys = (("goods", f"goods ({sizes['goods']:,})"), ("bads", f"bads ({sizes['bads']:,})"))
    about = f"{TITLES[name]}: share of goods and bads by score"
    return Plot(about=about, x_ticks=drawing.numbers(x), y_ticks=drawing.shares(y), x_name="score", keys=keys, bars=bars)


def roc(models: Json) -> Plot:
    """Return the ROC curves of all models."""
    x, y = drawing.across(0, 1), drawing.upward(1)
    lines = [drawing.line([(0, 0), (1, 1)], x, y, GROUND)]
    lines += [drawing.line([(each["lost"], each["caught"]) for each in model["curve"]], x, y, name) for name, model in models.items()]
    keys = tuple((name, f"{TITLES[name]}, AUC {model['auc']['value']:.3f}") for name, model in models.items())
    about = "ROC: bads (up) and goods (across) refused at every cut"
    return Plot(about=about, x_ticks=drawing.shares(x), y_ticks=drawing.shares(y), x_name="goods refused", keys=keys, lines=tuple(lines))


def ks(model: Json, name: str) -> Plot:
    """Return the shares of goods and bads below each score, and where they lie furthest apart."""
    points = [each for each in model["curve"] if each["score"] is not None]
    x, y = drawing.across(min(each["score"] for each in points), max(each["score"] for each in points)), drawing.upward(1)
    widest = max(points, key=lambda each: abs(each["caught"] - each["lost"]))
    lines = [drawing.line([(widest["score"], widest["lost"]), (widest["score"], widest["caught"])], x, y, GROUND)]
    lines += [drawing.line([(each["score"], each[share]) for each in points], x, y, kind) for share, kind in (("caught", "bads"), ("lost", "goods"))]
    keys = (("bads", "bads up to it"), ("goods", "goods up to it"), (GROUND, f"KS {model['ks']['value']:.3f} at {widest['score']:.0f}"))
    about = f"{TITLES[name]}: share of bads and goods up to each score"
    return Plot(about=about, x_ticks=drawing.numbers(x), y_ticks=drawing.shares(y), x_name="score", keys=keys, lines=tuple(lines))


def calibration(models: Json) -> Plot:
    """Return predicted against observed shares of bads, a dot for each tenth."""
    highest = drawing.round_above(max(max(each["predicted"], each["observed"]) for model in models.values() for each in model["calibration"]))
    x, y = drawing.across(0, highest), drawing.upward(highest)
    dots = tuple(_dot(x, y, name, each) for name, model in models.items() for each in model["calibration"])
    keys = tuple((name, f"{TITLES[name]}, mean distance {model['calibration_error']:.2%}") for name, model in models.items())
    ground = (drawing.line([(0, 0), (highest, highest)], x, y, GROUND),)
    about = "Predicted (across) and observed (up) shares of bads, a dot for each tenth"
    return Plot(about=about, x_ticks=drawing.shares(x), y_ticks=drawing.shares(y), x_name="predicted", keys=keys, lines=ground, dots=dots)


def _dot(x: Scale, y: Scale, name: str, each: Json) -> Dot:
    title = f"{TITLES[name]}: {each['n']:,} customers, predicted {each['predicted']:.2%}, was {each['observed']:.2%}"
    return Dot(x.at(each["predicted"]), y.at(each["observed"]), name, title)


def months(rows: Sequence[Json]) -> Plot:
    """Return the share of bads by month."""
    x = drawing.across(0, len(rows))
    y = drawing.upward(drawing.round_above(max(row["bads"] / row["n"] for row in rows)))
    told = [f"{row['month']}: {row['bads']:,} of {row['n']:,} bad" for row in rows]
    bars = tuple(drawing.bar(x, y, (at + 0.1, at + 0.9), row["bads"] / row["n"], "bads", told[at]) for at, row in enumerate(rows))
    every = max(1, len(rows) // 6)
    labels = tuple(drawing.Tick(x.at(at + 0.5), str(row["month"])) for at, row in enumerate(rows) if at % every == 0)
    return Plot(about="Share of bads by month", x_ticks=labels, y_ticks=drawing.shares(y), x_name="", bars=bars)
