"""Cases as JSON text for the store, and back. Pure. Cases of releases that had no flows yet are read as cases of the first version of the loan flow."""

from collections.abc import Mapping
from typing import Any

import msgspec

from reference_apps.approval.flow.model import Check, FlowId, Outcome
from reference_apps.approval.flow.standing import BEGUN, Standing
from reference_apps.approval.model import DONE, Case, Judged, Offer, Reason, Status, Trod

Json = dict[str, Any]

OLD_STAGES = {"evidence": "taobao"}
OLD_SETTLES = {"fraud": {Check.FRAUD}, "risk": {Check.RISK, Check.AFFORDABILITY, Check.RATE_CAP}}
FIRST_FLOW = FlowId("loan", 1, "")
"""Whose hash is empty: the first version of the loan flow that was published."""


def encode(case: Case) -> str:
    return text(_written(case))


def text(value: Any) -> str:
    """Return a value as compact JSON; a dataclass in it is taken as its fields."""
    return msgspec.json.encode(value).decode()


def _written(case: Case) -> Json:
    standing, offer, flow = case.standing, case.offer, case.flow
    return {
        "id": case.id,
        "application": case.application,
        "flow": [flow.name, flow.version, flow.hash],
        "stage": case.stage,
        "created_ms": case.created_ms,
        "updated_ms": case.updated_ms,
        "version": case.version,
        "entered": case.entered,
        "status": case.status,
        "profile": case.profile,
        "settled": sorted(standing.settled),
        "asked": sorted(standing.asked),
        "alone": sorted(standing.alone),
        "gaps": sorted(standing.gaps),
        "taken": sorted(standing.taken),
        "supplements": standing.supplements,
        "paying": standing.paying,
        "trail": [(trod.stage, trod.outcome) for trod in case.trail],
        "came_from": case.came_from,
        "evidence": case.evidence,
        "inputs": case.inputs,
        "priced": case.priced,
        "offer": [offer.limit_fen, offer.annual_rate, offer.flow, offer.grade] if offer else None,
        "amount_fen": case.amount_fen,
        "loan_id": case.loan_id,
        "reasons": [(reason.code, reason.en, reason.zh) for reason in case.reasons],
        "resumable": case.resumable,
        "attempts": case.attempts,
        "retry_ms": case.retry_ms,
        "judgements": [(each.stage, each.person, each.outcome, each.at_ms, each.entered) for each in case.judgements],
    }


def plain(written: str) -> Any:
    """Return what a JSON text says."""
    return msgspec.json.decode(written)


def decode(written: str) -> Case:
    row = plain(written)
    return _read(row) if "flow" in row else _read_old(row)


def _read(row: Mapping[str, Any]) -> Case:
    offer = row["offer"]
    return Case(
        id=row["id"],
        application=row["application"],
        flow=FlowId(*row["flow"]),
        stage=row["stage"],
        created_ms=row["created_ms"],
        updated_ms=row["updated_ms"],
        version=row["version"],
        entered=row["entered"],
        status=Status(row["status"]),
        profile=row["profile"],
        standing=_standing(row),
        trail=tuple(Trod(stage, Outcome(outcome)) for stage, outcome in row["trail"]),
        came_from=row["came_from"],
        evidence=row["evidence"],
        inputs=row["inputs"],
        priced=row["priced"],
        offer=Offer(limit_fen=offer[0], annual_rate=offer[1], flow=offer[2], grade=offer[3]) if offer else None,
        amount_fen=row["amount_fen"],
        loan_id=row["loan_id"],
        reasons=tuple(Reason(*reason) for reason in row["reasons"]),
        resumable=row["resumable"],
        attempts=row["attempts"],
        retry_ms=row["retry_ms"],
        judgements=tuple(Judged(stage=each[0], person=each[1], outcome=Outcome(each[2]), at_ms=each[3], entered=each[4]) for each in row["judgements"]),
    )


def _standing(row: Mapping[str, Any]) -> Standing:
    return Standing(
        settled=frozenset(Check(each) for each in row["settled"]),
        asked=frozenset(Check(each) for each in row["asked"]),
        alone=frozenset(row["alone"]),
        gaps=frozenset(row["gaps"]),
        taken=frozenset((stage, outcome, place, times) for stage, outcome, place, times in row["taken"]),
        supplements=row["supplements"],
        paying=row["paying"],
    )


def _read_old(row: Mapping[str, Any]) -> Case:
    """Read a case of before there were flows: where it stood is a stage of the first flow, and what it had passed is settled."""
    passed: list[str] = row["passed"]
    settled = BEGUN.union(*(OLD_SETTLES.get(stage, set()) for stage in passed))
    stage, offer = OLD_STAGES.get(row["stage"], row["stage"]), row["offer"]
    return Case(
        id=row["id"],
        application=row["application"],
        flow=FIRST_FLOW,
        stage=stage,
        created_ms=row["created_ms"],
        updated_ms=row["updated_ms"],
        version=row["version"],
        entered=row["version"],
        status=Status(row["status"]),
        profile=offer["flow"] if offer else "normal",
        standing=Standing(settled=settled),
        trail=tuple(Trod(OLD_STAGES.get(each, each), Outcome.PAID if each == "disburse" else Outcome.PASS) for each in passed if each != DONE),
        came_from=stage if row["resumable"] else "",
        evidence=row["evidence"],
        inputs=1 if row["evidence"] else 0,
        priced=(1 if row["evidence"] else 0) if offer else -1,
        offer=Offer(**offer) if offer else None,
        amount_fen=row["amount_fen"],
        loan_id=row["loan_id"],
        reasons=tuple(Reason(**reason) for reason in row["reasons"]),
        resumable=row["resumable"],
        attempts=row["attempts"],
        retry_ms=row["retry_ms"],
    )
