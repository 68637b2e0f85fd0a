"""An application as a case: where it stands, what is known, and why. Values only; money in fen, rates as decimal text, times in ms since 1970."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, ClassVar

from reference_apps.approval.copied import Copied
from reference_apps.approval.flow.model import FlowId, Outcome
from reference_apps.approval.flow.standing import Standing


class Status(StrEnum):
    """Where a case stands. WAITING goes on by itself or with what the applicant brings, MANUAL needs a person, REJECTED and DISBURSED are final."""

    RUNNING = "running"
    WAITING = "waiting"
    MANUAL = "manual"
    REJECTED = "rejected"
    DISBURSED = "disbursed"


FINAL = frozenset({Status.REJECTED, Status.DISBURSED})
DONE = "done"
"""The stage of a final case."""


@dataclass(frozen=True, slots=True)
class Reason:
    """Why, for programs (code) and in plain words."""

    code: str
    en: str
    zh: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """What risk offers; the loan has exactly this rate and at most this limit."""

    limit_fen: int
    annual_rate: str
    flow: str
    grade: str = ""


@dataclass(frozen=True, slots=True)
class Trod:
    """One step of the way behind a case: the stage and what it came to."""

    stage: str
    outcome: Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What a person decides in a stage of people: approve, reject or return; `reasons` are codes, `note` is for colleagues."""

    person: str
    outcome: Outcome
    reasons: tuple[str, ...] = ()
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A judgement as it stands in the case; `entered` is the version with which the case had come into the stage."""

    stage: str
    person: str
    outcome: Outcome
    at_ms: int
    entered: int


@dataclass(frozen=True, kw_only=True)
class Case(Copied):
    """One application in one version of a flow. `version` grows with every transition; `entered` is the version at which it came into its stage.

    `application` is the body as it was accepted, with what was supplied since. `evidence` is what was pulled, by source. `inputs` counts their changes and
    `priced` is the count at which the offer was made (-1: never). `came_from` is the stage to go back to, `resumable`: it can go on there as it is.
    """

    id: str
    application: Mapping[str, Any]
    flow: FlowId
    stage: str
    created_ms: int
    updated_ms: int
    version: int = 1
    entered: int = 1
    status: Status = Status.RUNNING
    profile: str = ""
    standing: Standing = Standing()
    trail: tuple[Trod, ...] = ()
    came_from: str = ""
    evidence: Mapping[str, Any] = field(default_factory=dict)
    inputs: int = 0
    priced: int = -1
    offer: Offer | None = None
    amount_fen: int | None = None
    loan_id: str | None = None
    reasons: tuple[Reason, ...] = ()
    resumable: bool = False
    attempts: int = 0
    retry_ms: int | None = None
    judgements: tuple[Judged, ...] = ()

    @property
    def passed(self) -> tuple[str, ...]:
        """Return the stages that were passed, in order, each once."""
        good = (Outcome.PASS, Outcome.PAID, Outcome.APPROVE)
        return tuple(dict.fromkeys(trod.stage for trod in self.trail if trod.outcome in good))


@dataclass(frozen=True, slots=True)
class FraudSaid:
    """Fraud's verdict: pass, step-up, review or block; `case` is where fraud looks into it, if it does."""

    kind: ClassVar[str] = "fraud_said"
    verdict: str
    case: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RiskSaid:
    """Risk's decision: pass, review or reject; `missing` is evidence that its flow needs, `package` the hash of the rules that decided."""

    kind: ClassVar[str] = "risk_said"
    outcome: str
    offer: Offer | None
    missing: tuple[str, ...]
    reasons: tuple[Reason, ...]
    decision_id: str = ""
    package: str = ""


@dataclass(frozen=True, slots=True)
class StillPriced:
    """Nothing has changed since the offer was made: it stands."""

    kind: ClassVar[str] = "still_priced"


@dataclass(frozen=True, slots=True)
class IdentitySaid:
    """Whether the person is who they say: yes, no or unsure."""

    kind: ClassVar[str] = "identity_said"
    verdict: str


@dataclass(frozen=True, slots=True)
class Pulled:
    """What a source knows of the customer; None: it has nothing, and nothing was declared either."""

    kind: ClassVar[str] = "evidence_found"
    source: str
    found: Any


@dataclass(frozen=True, slots=True)
class LedgerSaid:
    """The loan is paid out."""

    kind: ClassVar[str] = "disbursed"
    loan_id: str


@dataclass(frozen=True, slots=True)
class Unavailable:
    """The service gave no answer or failed: the same question may be answered later. Unless it `counts`, it was not even asked."""

    kind: ClassVar[str] = "unavailable"
    service: str
    why: str
    counts: bool = True


@dataclass(frozen=True, slots=True)
class Unusable:
    """The service refused the question or its answer makes no sense: asking again would not help."""

    kind: ClassVar[str] = "unusable"
    service: str
    why: str


Said = FraudSaid | RiskSaid | StillPriced | IdentitySaid | Pulled | LedgerSaid | Unavailable | Unusable
