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
class PriceRow:
    """One row of the price table: who has at least `min_score` gets this limit, rate and flow; `requires` names evidence the flow needs."""

    grade: str
    min_score: int
    limit_fen: int
    annual_rate: Decimal
    flow: Flow
    requires: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class BinPoints:
    """What one characteristic counted for: `bin` says which group, `lost` how many points the best group has more."""

    characteristic: str
    bin: str
    points: int
    lost: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """What the customer is offered; limit, rate and flow come from one row."""

    grade: str
    limit_fen: int
    annual_rate: Decimal
    flow: Flow


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """An outcome and everything that led to it. `score` None: it could not be computed. Reasons are codes, the weightiest first."""

    outcome: Outcome
    offer: Offer | None
    score: int | None
    points: tuple[BinPoints, ...]
    rules_hit: tuple[str, ...]
    reasons: tuple[str, ...]
    missing_evidence: tuple[str, ...] = ()
