"""What an answer means for the stage that asked: its outcome, its reasons, and what the case knows afterwards. Pure.

Missing data, silence and errors are outcomes of their own; none of them is ever a pass.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, assert_never

from reference_apps.approval import words
from reference_apps.approval.flow.model import Flow, Outcome
from reference_apps.approval.model import (
    Case,
    FraudSaid,
    IdentitySaid,
    LedgerSaid,
    Pulled,
    Reason,
    RiskSaid,
    Said,
    StillPriced,
    Unavailable,
    Unusable,
)


@dataclass(frozen=True, slots=True)
class Heard:
    """The outcome of a stage, why, what the case has learnt (fields of Case), and what risk lacks."""

    outcome: Outcome
    reasons: tuple[Reason, ...] = ()
    learnt: Mapping[str, Any] = field(default_factory=dict)
    missing: tuple[str, ...] = ()


def heard(flow: Flow, case: Case, said: Said) -> Heard:
    """Return what an answer comes to."""
    match said:
        case FraudSaid():
            found = _verdict("fraud", said.verdict)
            return replace(found, learnt={"evidence": {**case.evidence, "fraud_case": said.case}}) if said.case else found
        case IdentitySaid():
            return _verdict("identity", said.verdict)
        case RiskSaid():
            return _risk(flow, case, said)
        case StillPriced():
            return Heard(Outcome.PASS if case.offer is not None and case.priced == case.inputs else Outcome.MISSING)
        case Pulled():
            return _pulled(case, said)
        case LedgerSaid():
            return Heard(Outcome.PAID, learnt={"loan_id": said.loan_id})
        case Unavailable():
            return Heard(Outcome.TIMEOUT, (words.unavailable(said.service, said.why, gave_up=True),))
        case Unusable():
            return Heard(Outcome.ERROR, (words.unusable(said.service, said.why),))
        case _:
            assert_never(said)


VERDICTS = {"pass": Outcome.PASS, "block": Outcome.REJECT, "review": Outcome.MANUAL, "step-up": Outcome.MANUAL}


def _verdict(service: str, verdict: str) -> Heard:
    outcome = VERDICTS.get(verdict)
    if outcome is None:
        return Heard(Outcome.ERROR, (words.unusable(service, f"it said {verdict!r}"),))
    return Heard(outcome, () if outcome is Outcome.PASS else (words.reason(f"{service}_{verdict}"),))


def _risk(flow: Flow, case: Case, said: RiskSaid) -> Heard:
    """Take over the offer and its profile. An offer for a flow that has no profile here makes no sense."""
    offer = said.offer
    if offer is not None and offer.flow not in flow.profiles:
        why = f"it chose the flow {offer.flow!r}; {flow.id} knows {', '.join(flow.profiles)}"
        return Heard(Outcome.ERROR, (words.unusable("risk", why),))
    learnt = {"offer": offer, "profile": offer.flow, "priced": case.inputs} if offer else {"offer": None, "priced": -1}
    if said.outcome == "reject":
        return Heard(Outcome.REJECT, said.reasons, learnt)
    if said.missing:
        return Heard(Outcome.MISSING, (words.reason("risk_review"), *said.reasons), learnt, said.missing)
    if said.outcome != "pass" or offer is None:
        return Heard(Outcome.MANUAL, (words.reason("risk_review"), *said.reasons), learnt)
    return Heard(Outcome.PASS, said.reasons, learnt)


def _pulled(case: Case, said: Pulled) -> Heard:
    if said.found is None:
        return Heard(Outcome.MISSING, (words.reason("evidence_unavailable"),))
    return Heard(Outcome.PASS, learnt={"evidence": {**case.evidence, said.source: said.found}, "inputs": case.inputs + 1})
