"""Cases as JSON, for applicants and operators. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from reference_apps.approval import words
from reference_apps.approval.flow.model import FlowId
from reference_apps.approval.model import FINAL, Case, Status
from reference_apps.approval.store import Event

Json = dict[str, Any]


def application(case: Case) -> Json:
    en, zh = words.next_step(case)
    return {
        "application_id": case.id,
        "status": str(case.status),
        "stage": str(case.stage),
        "customer": {"id": case.application["customer"]["id"], "name": case.application["customer"]["name"]},
        "flow": case.offer.flow if case.offer else None,
        "offer": asdict(case.offer) if case.offer else None,
        "asked_fen": case.application["amount_fen"],
        "amount_fen": case.amount_fen,
        "periods": case.application["periods"],
        "loan_id": case.loan_id,
        "reasons": [asdict(reason) for reason in case.reasons],
        "next": {"en": en, "zh": zh},
        "resumable": case.resumable,
        "attempts": case.attempts,
        "retry_at": iso(case.retry_ms) if case.retry_ms is not None else None,
        "passed": list(case.passed),
        "flow_version": flow_name(case.flow),
        "profile": case.profile,
        "supplements": case.standing.supplements,
        "created_at": iso(case.created_ms),
        "updated_at": iso(case.updated_ms),
    }


def with_history(case: Case, history: Sequence[Event]) -> Json:
    lines = [{"version": event.version, "at": iso(event.at_ms), "kind": event.kind, **event.body} for event in history]
    return application(case) | {"evidence": dict(case.evidence), "history": lines}


def summary(counts: Mapping[str, int]) -> Json:
    """Return the number of applications by status, every status named; `open` are those that are not final."""
    by_status = {str(status): counts.get(str(status), 0) for status in Status}
    total = sum(counts.values())
    return {
        "total": total,
        "by_status": by_status,
        "open": sum(count for status, count in by_status.items() if status not in FINAL),
        "accounted": sum(by_status.values()) == total,
    }


def flow(flow_id: FlowId, published_ms: int) -> Json:
    return flow_name(flow_id) | {"published_at": iso(published_ms)}


def flow_name(flow_id: FlowId) -> Json:
    return {"name": flow_id.name, "version": flow_id.version, "hash": flow_id.hash}


def iso(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="milliseconds")
