"""Turns a case and its history into what a reviewer sees. Pure."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from reference_apps.approval import views, words
from reference_apps.approval.desk import tasks
from reference_apps.approval.desk.casefile import CaseFile, Check, Evidence, Words
from reference_apps.approval.model import Case, Offer
from reference_apps.approval.store import Event

SHOPS = {"taobao": "Taobao, 12 months", "jd": "JD, 12 months"}
RECORDS = {"good": "good", "ordinary": "ordinary", "none": "none at the central bank", "bad": "bad"}


def case_file(case: Case, history: Sequence[Event]) -> CaseFile:
    """Return a case as its reviewers see it."""
    checks = tuple(_check(event) for event in history if "at" in event.body)
    return CaseFile(
        case_id=case.id,
        customer=case.application["customer"]["name"],
        status=str(case.status),
        flow=str(case.flow),
        profile=case.profile,
        summary=_summary(case),
        applicant=_applicant(case),
        offer=_offer(case, case.offer) if case.offer else (),
        why=tuple((reason.en, reason.zh) for reason in case.reasons) or _asked_by(checks),
        checks=checks,
        evidence=_evidence(case),
        raw=views.with_history(case, history),
    )


def amount_fen(case: Case) -> int:
    """Return the most that a case may come to: never more than what is offered; 0 while neither an amount was asked for nor a price made."""
    asked, limit = case.application["amount_fen"], case.offer.limit_fen if case.offer else None
    return case.amount_fen or min(asked or limit or 0, limit or asked or 0)


def _asked_by(checks: Sequence[Check]) -> tuple[Words, ...]:
    """Return why the last automatic step that was not content asked for a person: at a re-check, that is still what it is about."""
    asked = [check.reasons for check in checks if not check.by and check.reasons]
    return asked[-1] if asked else ()


def _summary(case: Case) -> str:
    asked = case.application["amount_fen"]
    amount = f"{tasks.yuan(asked)} yuan" if asked else "as much as is offered"
    return f"{case.application['customer']['name']} asks for {amount} over {case.application['periods']} months"


def _applicant(case: Case) -> tuple[tuple[str, str], ...]:
    asked, customer = case.application, case.application["customer"]
    rows = [
        ("Name", customer["name"]),
        ("Customer", customer["id"]),
        ("Age", str(customer["age"])),
        ("Phone", customer["phone"]),
        ("Device", asked["device"]),
        ("Contacts", ", ".join(asked["contacts"]) or "none given"),
        ("Debt elsewhere", f"{tasks.yuan(asked['other_debt_fen'])} yuan"),
        ("Brought in by", asked.get("agent") or "the applicant"),
    ]
    return tuple(rows)


def _offer(case: Case, offer: Offer) -> tuple[tuple[str, str], ...]:
    rate = Decimal(offer.annual_rate) * 100
    rows = [
        ("Loan, yuan", tasks.yuan(amount_fen(case))),
        ("Limit, yuan", tasks.yuan(offer.limit_fen)),
        ("Rate a year", f"{rate.normalize():f} %"),
        ("Term", f"{case.application['periods']} months"),
        ("Grade", offer.grade or "none"),
    ]
    return tuple(rows)


def _evidence(case: Case) -> tuple[Evidence, ...]:
    declared, pulled = case.application["evidence"], case.evidence
    score, record = declared["zhima_score"], declared["pboc_record"]
    known = [
        Evidence(name="Zhima score", declared=str(score) if score is not None else ""),
        Evidence(name="Central bank record", declared=RECORDS.get(str(record), ""), pulled=RECORDS.get(str(pulled.get("pboc_record")), "")),
        *(Evidence(name=name, declared=_shopping(declared[shop]), pulled=_shopping(pulled.get(shop))) for shop, name in SHOPS.items()),
    ]
    if pulled.get("fraud_case"):
        known.append(Evidence(name="Case at the fraud desk", pulled=pulled["fraud_case"]))
    documents = case.application.get("documents") or ()
    return (*known, *(Evidence(name="Document brought later", declared=reference) for reference in documents))


def _shopping(found: Any) -> str:
    return f"{found['orders_12m']:,} orders, {tasks.yuan(found['spend_12m_fen'])} yuan" if isinstance(found, Mapping) else ""


def _check(event: Event) -> Check:
    body = event.body
    outcome = str(body.get("outcome") or "waits")
    return Check(at_ms=event.at_ms, stage=str(body["at"]), outcome=outcome, by=str(body.get("person", "")), reasons=_reasons(event))


def _reasons(event: Event) -> tuple[Words, ...]:
    body = event.body
    said: list[Words] = [(reason["en"], reason["zh"]) for reason in body.get("reasons", ())]
    if event.kind == "unavailable":
        said.append(_worded(words.unavailable(body["service"], body["why"], gave_up=body.get("outcome") is not None)))
    if event.kind == "unusable":
        said.append(_worded(words.unusable(body["service"], body["why"])))
    verdict = f"{str(event.kind).removesuffix('_said')}_{body.get('verdict')}"
    if verdict in words.REASONS:
        said.append(words.REASONS[verdict])
    if body.get("note"):
        said.append((f"“{body['note']}”", ""))
    return tuple(said)


def _worded(reason: Any) -> Words:
    return reason.en, reason.zh
