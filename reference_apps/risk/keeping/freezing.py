"""Frozen inputs: everything a decision depends on besides its package, as canonical JSON, and the way back. Pure."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from reference_apps.risk import views
from reference_apps.risk.deciding.decider import Decider
from reference_apps.risk.keeping.log import Entry, Shadow
from reference_apps.risk.model import Cap, CapAction, Decision, Question
from reference_apps.risk.packages.checks import misfit
from reference_apps.risk.packages.model import Package
from reference_apps.risk.variables.resolving import Resolved

Frozen = Mapping[str, Any]


def freeze(asked: Mapping[str, Any], resolved: Resolved, scene: str, table: str, cap: Cap | None) -> dict[str, Any]:
    """Return the inputs of a decision as a document."""
    origins = {name: {"from": each.origin, "as_of": each.as_of.isoformat() if each.as_of else None} for name, each in resolved.known.items()}
    same = {"asked": dict(asked), "scene": scene, "table": table, "cap": views.cap(cap)}
    return {**same, "known": resolved.facts, "origins": origins, "failed": dict(resolved.failed)}


def question(frozen: Frozen, decider: Decider) -> Question:
    """Return the question that frozen inputs are, for a package: what is known is completed as that package says."""
    cap = frozen["cap"]
    return Question(
        facts=decider.complete(frozen["known"]),
        scene=frozen["scene"],
        table=frozen["table"],
        cap=Cap(Decimal(cap["irr12"]), CapAction(cap["action"])) if cap else None,
        failed=tuple(name for name in frozen["failed"] if name in decider.package.variables),
    )


def why_not(frozen: Frozen, package: Package) -> str:
    """Say why a package cannot decide these inputs; empty when it can."""
    if frozen["scene"] not in package.router.scenes:
        return f"it has no scene {frozen['scene']}"
    if frozen["table"] not in package.prices:
        return f"it has no price table {frozen['table']}"
    known = {name: value for name, value in frozen["known"].items() if name in package.variables}
    return next((f"{name} is not what it takes for one: {why}" for name, value in known.items() if (why := misfit(package.variables[name], value))), "")


def entry(frozen: Frozen, made: Decision, decider: Decider, at_ms: int) -> Entry:
    """Return a decision as it is logged and answered."""
    inputs = views.canonical(frozen)
    named = views.decision_id(inputs, decider.package.hash)
    asked = frozen["asked"]
    return Entry(
        decision_id=named,
        application_id=asked["application_id"],
        customer_id=asked["customer_id"],
        tenant=asked["tenant"],
        frozen=inputs,
        output=output(frozen, made, decider, named),
        **_common(frozen, made, decider, at_ms),
    )


def shadow(of: Entry, frozen: Frozen, made: Decision, decider: Decider, at_ms: int) -> Shadow:
    """Return what a challenger says of a decision, as it is logged."""
    return Shadow(decision_id=of.decision_id, output=output(frozen, made, decider, of.decision_id), **_common(frozen, made, decider, at_ms))


def output(frozen: Frozen, made: Decision, decider: Decider, named: str) -> bytes:
    """Return the answer's bytes."""
    return views.canonical(views.decision(frozen, made, decider, named))


def _common(frozen: Frozen, made: Decision, decider: Decider, at_ms: int) -> dict[str, Any]:
    return {
        "at_ms": at_ms,
        "scene": frozen["scene"],
        "segment": made.segment,
        "package": decider.package.hash,
        "scorecard": made.scorecard,
        "model": made.model,
        "outcome": str(made.outcome),
        "grade": made.offer.grade if made.offer else None,
        "score": made.score,
        "probability": made.estimate.probability if made.estimate else None,
    }
