"""What other services may answer: checked before it is believed. More than we need is welcome, less is not."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from reference_apps.approval.model import Offer, Reason, RiskSaid

Positive = Annotated[int, Meta(gt=0)]
Count = Annotated[int, Meta(ge=0, le=100_000)]
Fen = Annotated[int, Meta(ge=0, le=10**13)]
Verdict = Literal["pass", "step-up", "review", "block"]


class FraudAnswer(Struct, frozen=True):
    """What is to be done, and the case in which fraud looks into it, if it does."""

    verdict: Verdict
    case: Annotated[str, Meta(max_length=64)] = ""


class IdentityAnswer(Struct, frozen=True):
    """Whether the person is who they say."""

    verdict: Verdict


class RiskOffer(Struct, frozen=True):
    limit_fen: Positive
    annual_rate: Annotated[str, Meta(pattern=r"^(0(\.[0-9]{1,8})?|1(\.0{1,8})?)\Z")]
    flow: Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_]{0,39}\Z")]
    grade: str = ""

    def to_offer(self) -> Offer:
        return Offer(limit_fen=self.limit_fen, annual_rate=self.annual_rate, flow=self.flow, grade=self.grade)


class RiskAnswer(Struct, frozen=True):
    outcome: Literal["pass", "review", "reject"]
    offer: RiskOffer | None
    missing_evidence: tuple[str, ...]
    reasons: tuple[Reason, ...]
    decision_id: str = ""
    package: str = ""

    def to_said(self) -> RiskSaid:
        offer = self.offer.to_offer() if self.offer else None
        named = {"decision_id": self.decision_id, "package": self.package}
        return RiskSaid(outcome=self.outcome, offer=offer, missing=self.missing_evidence, reasons=self.reasons, **named)


class ShoppingAnswer(Struct, frozen=True):
    """What a bureau says of a customer's shopping, over twelve months."""

    orders_12m: Count
    spend_12m_fen: Fen


class RecordAnswer(Struct, frozen=True):
    """What the central bank's credit bureau says of a customer."""

    pboc_record: Literal["good", "ordinary", "none", "bad"]


class LoanAnswer(Struct, frozen=True):
    loan_id: Annotated[str, Meta(min_length=1)]
    principal_fen: int
