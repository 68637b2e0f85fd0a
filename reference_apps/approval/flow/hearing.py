"""What an answer means for the stage that asked: its outcome, its reasons, and what the case knows afterwards. Pure.

Missing data, silence and errors are outcomes of their own; none of them is ever a pass.
"""

from dataclasses import dataclass, replace
from typing import assert_never

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
    """The outcome of a stage, the case with what it learnt, why, and what risk lacks."""

    outcome: Outcome
    case: Case
    reasons: tuple[Reason, ...] = ()
    missing: tuple[str, ...] = ()


def heard(flow: Flow, case: Case, said: Said) -> Heard:
    """Return what an answer comes to."""
    match said:
        case FraudSaid():
            return _verdict(case, "fraud", said.verdict)
        case IdentitySaid():
            return _verdict(case, "identity", said.verdict)
        case RiskSaid():
            return _risk(flow, case, said)
        case StillPriced():
            return Heard(Outcome.PASS if case.offer is not None and case.priced == case.inputs else Outcome.MISSING, case)
        case Pulled():
            return _pulled(case, said)
        case LedgerSaid():
            return Heard(Outcome.PAID, replace(case, loan_id=said.loan_id))
        case Unavailable():
            return Heard(Outcome.TIMEOUT, case, (words.unavailable(said.service, said.why, gave_up=True),))
        case Unusable():
            return Heard(Outcome.ERROR, case, (words.unusable(said.service, said.why),))
        case _:
            assert_never(said)


VERDICTS = {"pass": Outcome.PASS, "block": Outcome.REJECT, "review": Outcome.MANUAL, "step-up": Outcome.MANUAL}


def _verdict(case: Case, service: str, verdict: str) -> Heard:
    outcome = VERDICTS.get(verdict)
    if outcome is None:
        return Heard(Outcome.ERROR, case, (words.unusable(service, f"it said {verdict!r}"),))
    return Heard(outcome, case, () if outcome is Outcome.PASS else (words.reason(f"{service}_{verdict}"),))


def _risk(flow: Flow, case: Case, said: RiskSaid) -> Heard:
    """Take over the offer and its profile. An offer for a flow that has no profile here makes no sense."""
    if said.offer is not None and said.offer.flow not in flow.profiles:
        why = f"it chose the flow {said.offer.flow!r}; {flow.id} knows {', '.join(flow.profiles)}"
        return Heard(Outcome.ERROR, case, (words.unusable("risk", why),))
    priced = replace(case, offer=said.offer, profile=said.offer.flow if said.offer else case.profile, priced=case.inputs if said.offer else -1)
    if said.outcome == "reject":
        return Heard(Outcome.REJECT, priced, said.reasons)
    if said.missing:
        return Heard(Outcome.MISSING, priced, (words.reason("risk_review"), *said.reasons), said.missing)
    if said.outcome != "pass" or said.offer is None:
        return Heard(Outcome.MANUAL, priced, (words.reason("risk_review"), *said.reasons))
    return Heard(Outcome.PASS, priced, said.reasons)


def _pulled(case: Case, said: Pulled) -> Heard:
    if said.found is None:
        return Heard(Outcome.MISSING, case, (words.reason("evidence_unavailable"),))
    return Heard(Outcome.PASS, replace(case, evidence={**case.evidence, said.source: said.found}, inputs=case.inputs + 1))
