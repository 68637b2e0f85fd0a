"""A decision as JSON: money in fen, rates as decimal text, reasons in plain words. Pure; no clock, so the same question has the same bytes as answer."""

import hashlib
import json
from typing import Any

from reference_apps.risk import pricing
from reference_apps.risk.bodies import DecisionBody
from reference_apps.risk.model import Cap, Decision, Offer, PriceRow
from reference_apps.risk.package import Package

Json = dict[str, Any]


def decision(asked: DecisionBody, made: Decision, package: Package, table: str, cap: Cap | None) -> Json:
    frozen = asked.model_dump(mode="json")
    return {
        "decision_id": _decision_id(frozen, package.hash, table, cap),
        "application_id": asked.application_id,
        "outcome": str(made.outcome),
        "offer": _offer(made.offer) if made.offer else None,
        "score": made.score,
        "points": [{"characteristic": each.characteristic, "bin": each.bin, "points": each.points} for each in made.points],
        "base_points": package.scorecard.base,
        "rules_hit": list(made.rules_hit),
        "rules_checked": [rule.id for rule in package.rules],
        "reasons": [{"code": code, **package.reasons[code]} for code in made.reasons],
        "missing_evidence": list(made.missing_evidence),
        "cap": _cap(cap),
        "price_table": table,
        "package": package.hash,
        "inputs": frozen,
    }


def _offer(offer: Offer) -> Json:
    return {
        "grade": offer.grade,
        "limit_fen": offer.limit_fen,
        "annual_rate": str(offer.annual_rate),
        "flow": str(offer.flow),
        "irr12": str(pricing.irr12(offer)),
        "effective_rate": str(pricing.effective(offer)),
    }


def _cap(cap: Cap | None) -> Json | None:
    return {"irr12": str(cap.irr12), "action": str(cap.action)} if cap else None


def _decision_id(frozen: Json, package_hash: str, table: str, cap: Cap | None) -> str:
    """Name a decision by everything it depends on."""
    whole = json.dumps([frozen, package_hash, table, _cap(cap)], sort_keys=True, separators=(",", ":"))
    return "D" + hashlib.sha256(whole.encode()).hexdigest()[:24]


def package(held: Package, table: str) -> Json:
    """Return what is in force: the package's hash, its rules and its price tables."""
    return {
        "package": held.hash,
        "price_table": table,
        "prices": {name: [_row(row) for row in rows] for name, rows in held.prices.items()},
        "rules": [rule.id for rule in held.rules],
    }


def _row(row: PriceRow) -> Json:
    return {"min_score": row.min_score, **_offer(pricing.offer(row)), "requires": list(row.requires)}
