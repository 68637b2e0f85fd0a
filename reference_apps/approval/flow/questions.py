"""What the other services are asked about a case, and under which key it is paid out. Pure: the same case asks the same thing for ever."""

from collections.abc import Mapping
from typing import Any

from reference_apps.approval.flow.advance import is_approved
from reference_apps.approval.flow.model import Flow
from reference_apps.approval.model import Case

SHOPS = ("taobao", "jd")


def fraud_question(case: Case) -> Mapping[str, Any]:
    """Return what fraud is asked; the event's id derives from the case, so that asking twice counts once."""
    asked = case.application
    return {
        "event_id": f"application:{case.id}",
        "kind": "application",
        "account": asked["customer"]["id"],
        "phone": asked["customer"]["phone"],
        "device": asked["device"],
        "contacts": asked["contacts"],
        "amount_fen": asked["amount_fen"] or 0,
    }


def risk_question(case: Case) -> Mapping[str, Any]:
    """Return what risk is asked: what the applicant declared, and what was pulled so far."""
    asked, declared = case.application, case.application["evidence"]
    return {
        "application_id": case.id,
        "tenant": asked["tenant"],
        "customer_id": asked["customer"]["id"],
        "age": asked["customer"]["age"],
        "zhima_score": declared["zhima_score"],
        "pboc_record": case.evidence.get("pboc_record", declared["pboc_record"]),
        "other_debt_fen": asked["other_debt_fen"],
        "amount_fen": asked["amount_fen"],
        "periods": asked["periods"],
        **{shop: case.evidence.get(shop) for shop in SHOPS},
    }


def ledger_question(flow: Flow, case: Case) -> Mapping[str, Any]:
    """Return the loan to be paid out. Raises ValueError for a case that is not approved."""
    question = owed(flow, case)
    if question is None:
        passed = ", ".join(sorted(case.standing.settled))
        raise ValueError(f"application {case.id} is not approved: stage {case.stage}, status {case.status}, settled {passed}")
    return question


def owed(flow: Flow, case: Case) -> Mapping[str, Any] | None:
    """Return what has to be paid out now, None for a case that is not approved."""
    if not is_approved(flow, case) or case.offer is None:
        return None
    return {
        "reference": case.id,
        "customer": case.application["customer"]["id"],
        "tenant": case.application["tenant"],
        "principal_fen": case.amount_fen,
        "annual_rate": case.offer.annual_rate,
        "periods": case.application["periods"],
    }


def disbursement_key(case_id: str) -> str:
    """Return the key under which a case is paid out: one per case, whatever is retried."""
    return f"disburse-{case_id}"
