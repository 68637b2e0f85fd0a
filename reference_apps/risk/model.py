"""What a decision is made of: frozen facts in, an outcome with its reasons out. Values only; money in fen, rates as Decimal fractions."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

Fact = bool | int | float | str | None
Facts = Mapping[str, Fact]
"""Facts by name; None means that we do not know."""


class Outcome(StrEnum):
    """What risk says; the automatic part of an approval knows no fourth answer."""

    PASS = "pass"
    REVIEW = "review"
    REJECT = "reject"


class Flow(StrEnum):
    """How much is asked before a loan is approved."""

    FAST = "fast"
    NORMAL = "normal"
    EXTENDED = "extended"


class CapAction(StrEnum):
    """What happens to an offer above the tenant's cap."""

    REFUSE = "refuse"
    CLAMP = "clamp"
    WARN = "warn"


@dataclass(frozen=True, slots=True)
class Cap:
    """A tenant's policy: the highest irr*12 an offer may have, and what happens above it."""

    irr12: Decimal
    action: CapAction


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is decided: complete facts, in a scene, with the configured price table and the tenant's cap.

    `failed` names variables that a source before the one they came from should have given, and could not.
    """

    facts: Facts
    scene: str
    table: str
    cap: Cap | None = None
    failed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class BinPoints:
    """What one characteristic counted for: `bin` says which group, `lost` how many points the best group has more."""

    characteristic: str
    bin: str
    points: float
    lost: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """What the customer is offered; limit, rate, fee and flow come from one row. `irr12` and `effective` are what it costs, fee included."""

    grade: str
    limit_fen: int
    annual_rate: Decimal
    fee_rate: Decimal
    flow: Flow
    irr12: Decimal
    effective: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """What the model said: `margin` is ln odds of bad. `bias` and the contributions by feature, in the model's order, sum to it."""

    probability: float
    margin: float
    bias: float
    contributions: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """An outcome and everything that led to it. `score` None: it could not be computed. Reasons are codes, the weightiest first.

    `scorecard` and `model` name what decided (None: nothing did); `estimate` is the model's, `probability` what the score itself means.
    """

    outcome: Outcome
    offer: Offer | None
    score: float | None
    points: tuple[BinPoints, ...]
    rules_hit: tuple[str, ...]
    reasons: tuple[str, ...]
    missing_evidence: tuple[str, ...] = ()
    failed_sources: tuple[str, ...] = ()
    segment: str | None = None
    scorecard: str | None = None
    model: str | None = None
    prices: str | None = None
    probability: float | None = None
    estimate: Estimate | None = None
