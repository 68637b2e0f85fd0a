"""An application as a case: where it stands, what is known, and why. Values only; money in fen, rates as decimal text, times in ms since 1970."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, ClassVar


class Status(StrEnum):
    """Where a case stands. WAITING goes on by itself, MANUAL needs a person, REJECTED and DISBURSED are final."""

    RUNNING = "running"
    WAITING = "waiting"
    MANUAL = "manual"
    REJECTED = "rejected"
    DISBURSED = "disbursed"


class Stage(StrEnum):
    """What comes next."""

    FRAUD = "fraud"
    RISK = "risk"
    EVIDENCE = "evidence"
    DISBURSE = "disburse"
    DONE = "done"


FINAL = frozenset({Status.REJECTED, Status.DISBURSED})
MANDATORY = frozenset({Stage.FRAUD, Stage.RISK})
"""Stages without which nothing is ever approved."""


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One application. `version` grows with every transition; `passed` are the stages it has behind it; `resumable`: it can go on as it is.

    `application` is the body as it was accepted. `evidence` is what was pulled, by source ("taobao", "jd").
    """

    id: str
    application: Mapping[str, Any]
    created_ms: int
    updated_ms: int
    version: int = 1
    status: Status = Status.RUNNING
    stage: Stage = Stage.FRAUD
    passed: tuple[Stage, ...] = ()
    evidence: Mapping[str, Any] = field(default_factory=dict)
    offer: Offer | None = None
    amount_fen: int | None = None
    loan_id: str | None = None
    reasons: tuple[Reason, ...] = ()
    resumable: bool = False
    attempts: int = 0
    retry_ms: int | None = None


@dataclass(frozen=True, slots=True)
class FraudSaid:
    """Fraud's verdict: pass, step-up, review or block."""

    kind: ClassVar[str] = "fraud_said"
    verdict: str


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
class EvidenceSaid:
    """What was found, by source; a source that is not there could not be had."""

    kind: ClassVar[str] = "evidence_found"
    found: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class LedgerSaid:
    """The loan is paid out."""

    kind: ClassVar[str] = "disbursed"
    loan_id: str


@dataclass(frozen=True, slots=True)
class Unavailable:
    """The service gave no answer or failed: the same question may be answered later."""

    kind: ClassVar[str] = "unavailable"
    service: str
    why: str


@dataclass(frozen=True, slots=True)
class Unusable:
    """The service refused the question or its answer makes no sense: asking again would not help."""

    kind: ClassVar[str] = "unusable"
    service: str
    why: str


Said = FraudSaid | RiskSaid | EvidenceSaid | LedgerSaid | Unavailable | Unusable
