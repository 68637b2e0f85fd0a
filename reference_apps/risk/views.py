"""A decision as JSON: money in fen, rates as decimal text, reasons in plain words. Pure; no clock, so the same question has the same bytes as answer."""

import hashlib
from collections.abc import Mapping
from typing import Any

import msgspec

from reference_apps.risk.deciding import pricing
from reference_apps.risk.deciding.decider import USUAL_MONTHS, Decider
from reference_apps.risk.model import Cap, Decision, Estimate, Offer
from reference_apps.risk.packages.model import Package, PriceRow, Variable

Json = dict[str, Any]


def canonical(document: Any) -> bytes:
    """Return the one way to write a document: keys sorted, no blanks, UTF-8; doubles with the fewest digits that bring back every bit."""
    return msgspec.json.encode(document, order="sorted")


def decision_id(frozen: bytes, package_hash: str) -> str:
    """Name a decision by everything it depends on."""
    return "D" + hashlib.sha256(package_hash.encode() + b"\n" + frozen).hexdigest()[:24]


def decision(frozen: Mapping[str, Any], made: Decision, decider: Decider, named: str) -> Json:
    """Return a decision with all that led to it; `frozen` are its inputs, `named` its id."""
    package, asked = decider.package, frozen["asked"]
    return {
        "decision_id": named,
        "application_id": asked["application_id"],
        "scene": frozen["scene"],
        "segment": made.segment,
        "outcome": str(made.outcome),
        "offer": offer(made.offer) if made.offer else None,
        "score": made.score,
        "probability": made.probability,
        "scorecard": made.scorecard,
        "points": [{"characteristic": each.characteristic, "bin": each.bin, "points": each.points} for each in made.points],
        "base_points": package.scorecards[made.scorecard].base if made.scorecard else None,
        "model": _estimate(package, made.model, made.estimate),
        "rules_hit": list(made.rules_hit),
        "rules_checked": list(decider.tables.ids),
        "reasons": [{"code": code, **package.reasons[code]} for code in made.reasons],
        "missing_evidence": list(made.missing_evidence),
        "failed_sources": dict(frozen["failed"]),
        "cap": frozen["cap"],
        "price_table": made.prices or frozen["table"],
        "package": package.hash,
        "variables": {name: {"value": value, **frozen["origins"][name]} for name, value in frozen["known"].items()},
        "inputs": asked,
    }


def _estimate(package: Package, model: str | None, estimate: Estimate | None) -> Json | None:
    if model is None or estimate is None:
        return None
    features = package.models[model].features
    contributions = [{"feature": each.name, "margin": value} for each, value in zip(features, estimate.contributions, strict=True)]
    return {"name": model, "probability": estimate.probability, "margin": estimate.margin, "bias": estimate.bias, "contributions": contributions}


def offer(made: Offer) -> Json:
    return {
        "grade": made.grade,
        "limit_fen": made.limit_fen,
        "annual_rate": str(made.annual_rate),
        "fee_rate": str(made.fee_rate),
        "flow": str(made.flow),
        "irr12": str(made.irr12),
        "effective_rate": str(made.effective),
    }


def cap(value: Cap | None) -> Json | None:
    return {"irr12": str(value.irr12), "action": str(value.action)} if value else None


def package(held: Package, table: str, challenger: Package | None) -> Json:
    """Return what is in force: hashes, rules, price tables, routes and the input schema."""
    return {
        "package": held.hash,
        "name": held.name,
        "version": held.version,
        "challenger": challenger.hash if challenger else None,
        "price_table": table,
        "prices": {name: [_row(row) for row in rows] for name, rows in held.prices.items()},
        "scenes": list(held.router.scenes),
        "segments": list(held.router.segments),
        "rules": [rule["_id"] for each in held.tables if each.role == "rule" for rule in _rules(each.graph)],
        "variables": {name: _variable(each) for name, each in held.variables.items()},
    }


def _rules(graph: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [rule for node in graph["nodes"] if node["type"] == "decisionTableNode" for rule in node["content"]["rules"]]


def _row(row: PriceRow) -> Json:
    return {"min_score": row.min_score, **offer(pricing.offer(row, USUAL_MONTHS)), "requires": list(row.requires)}


def _variable(each: Variable) -> Json:
    ranged = {name: getattr(each, name) for name in ("least", "most", "default") if getattr(each, name) is not None}
    words = {"values": list(each.values)} if each.values else {}
    sources = [{"from": source.origin, "field": source.field} for source in each.sources]
    return {"type": str(each.type), **ranged, **words, "missing": str(each.missing), "sources": sources}
