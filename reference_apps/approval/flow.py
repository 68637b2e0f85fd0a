"""How a case moves: what to ask next, and what an answer does to it. Pure: the time is an argument, and whoever asks is told, not called.

Missing data, silence and errors lead to waiting or to a person, never to an approval.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, assert_never

from reference_apps.approval import words
from reference_apps.approval.model import (
    MANDATORY,
    Case,
    EvidenceSaid,
    FraudSaid,
    LedgerSaid,
    Reason,
    RiskSaid,
    Said,
    Stage,
    Status,
    Unavailable,
    Unusable,
)

SHOPS = ("taobao", "jd")


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """How often a service that cannot be had is asked, and how long apart: doubling from `first_ms` to `longest_ms`."""

    attempts: int = 8
    first_ms: int = 1_000
    longest_ms: int = 30_000

    def pause_ms(self, attempt: int) -> int:
        return int(min(self.longest_ms, self.first_ms * 2 ** (attempt - 1)))


def advance(case: Case, said: Said, retry: Retry, now_ms: int) -> Case:
    """Return the case after an answer; always one version further."""
    match said:
        case FraudSaid():
            moved = _after_fraud(case, said)
        case RiskSaid():
            moved = _after_risk(case, said)
        case EvidenceSaid():
            moved = _after_evidence(case, said)
        case LedgerSaid():
            moved = replace(_passed(case, Stage.DONE), status=Status.DISBURSED, loan_id=said.loan_id)
        case Unavailable():
            moved = _later(case, said, retry, now_ms)
        case Unusable():
            moved = _to_person(case, words.unusable(said.service, said.why))
        case _:
            assert_never(said)
    kept = moved if isinstance(said, Unavailable) else replace(moved, attempts=0)
    return replace(kept, version=case.version + 1, updated_ms=now_ms)


def resumed(case: Case, now_ms: int) -> Case:
    """Return a parked case as it goes on where it stopped, with its attempts before it again."""
    return replace(case, status=Status.RUNNING, resumable=False, reasons=(), attempts=0, retry_ms=None, version=case.version + 1, updated_ms=now_ms)


def retried(case: Case, now_ms: int) -> Case:
    """Return a waiting case as it goes on by itself: its attempts still count."""
    return replace(case, status=Status.RUNNING, retry_ms=None, version=case.version + 1, updated_ms=now_ms)


def _after_fraud(case: Case, said: FraudSaid) -> Case:
    match said.verdict:
        case "pass":
            return _passed(case, Stage.RISK)
        case "block":
            return _rejected(case, (words.reason("fraud_block"),))
        case "review" | "step-up":
            return _to_person(case, words.reason(f"fraud_{said.verdict}"))
        case other:
            return _to_person(case, words.unusable("fraud", f"it said {other!r}"))


def _after_risk(case: Case, said: RiskSaid) -> Case:
    priced = replace(case, offer=said.offer, reasons=said.reasons)
    if said.outcome == "reject":
        return _rejected(priced, said.reasons)
    if said.missing and not case.evidence:
        return replace(priced, stage=Stage.EVIDENCE)
    if said.outcome != "pass" or said.offer is None or said.missing:
        return _to_person(priced, words.reason("risk_review"), *said.reasons)
    return _approved(_passed(priced, Stage.DISBURSE), said.offer.limit_fen)


def _approved(case: Case, limit_fen: int) -> Case:
    """Approve: the loan is what was asked for, but never above the limit that was priced."""
    if not set(case.passed) >= MANDATORY:
        return _to_person(case, words.reason("stage_skipped"))
    asked = case.application.get("amount_fen") or limit_fen
    note = (words.reason("amount_is_limit"),) if asked > limit_fen else ()
    return replace(case, amount_fen=min(asked, limit_fen), reasons=note)


def _after_evidence(case: Case, said: EvidenceSaid) -> Case:
    if any(shop not in said.found for shop in SHOPS):
        return replace(_to_person(case, words.reason("evidence_unavailable")), resumable=True)
    return replace(_passed(case, Stage.RISK), evidence=dict(said.found))


def _later(case: Case, said: Unavailable, retry: Retry, now_ms: int) -> Case:
    attempts = case.attempts + 1
    if attempts >= retry.attempts:
        parked = _to_person(case, words.unavailable(said.service, said.why, gave_up=True))
        return replace(parked, resumable=True, attempts=attempts)
    due_ms = now_ms + retry.pause_ms(attempts)
    reason = words.unavailable(said.service, said.why, gave_up=False)
    return replace(case, status=Status.WAITING, resumable=True, reasons=(reason,), attempts=attempts, retry_ms=due_ms)


def _passed(case: Case, following: Stage) -> Case:
    passed = case.passed if case.stage in case.passed else (*case.passed, case.stage)
    return replace(case, stage=following, passed=passed)


def _rejected(case: Case, reasons: tuple[Reason, ...]) -> Case:
    return replace(case, status=Status.REJECTED, stage=Stage.DONE, reasons=reasons)


def _to_person(case: Case, *reasons: Reason) -> Case:
    return replace(case, status=Status.MANUAL, reasons=reasons)


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
        "pboc_record": declared["pboc_record"],
        "other_debt_fen": asked["other_debt_fen"],
        "amount_fen": asked["amount_fen"],
        "periods": asked["periods"],
        **{shop: case.evidence.get(shop) for shop in SHOPS},
    }


def ledger_question(case: Case) -> Mapping[str, Any]:
    """Return the loan to be paid out. Raises ValueError for a case that nobody approved."""
    if case.stage is not Stage.DISBURSE or case.offer is None or case.amount_fen is None or not set(case.passed) >= MANDATORY:
        raise ValueError(f"application {case.id} is not approved: stage {case.stage}, passed {', '.join(case.passed)}")
    return {
        "reference": case.id,
        "customer": case.application["customer"]["id"],
        "tenant": case.application["tenant"],
        "principal_fen": case.amount_fen,
        "annual_rate": case.offer.annual_rate,
        "periods": case.application["periods"],
    }


def disbursement_key(case: Case) -> str:
    """Return the key under which this case is paid out: one per case, whatever is retried."""
    return f"disburse-{case.id}"
