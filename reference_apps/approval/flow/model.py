"""A flow as data: stages, edges and profiles; and the engine's own rules that no flow can weaken: what a kind may say, what it settles, what is mandatory.

Values only. Times in seconds. A flow is frozen once read: the same content has the same hash for ever.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

RECEIVED, APPROVED = "received", "approved"
REJECTED, DONE = "rejected", "done"
BACK = "back"
ENDS = frozenset({REJECTED, DONE})
RESERVED = frozenset({RECEIVED, APPROVED, REJECTED, DONE, BACK})
"""Names that are no stage's: where paths begin and end, and the way back to the stage that led here."""

MOST_SUPPLEMENTS = 3


class Check(StrEnum):
    """What must be settled before money leaves the house."""

    CONSENT = "consent"
    IDENTITY = "identity"
    FRAUD = "fraud"
    RISK = "risk"
    AFFORDABILITY = "affordability"
    RATE_CAP = "rate_cap"


MANDATORY = frozenset({Check.CONSENT, Check.FRAUD, Check.RISK, Check.AFFORDABILITY, Check.RATE_CAP})
"""Checks of every flow. IDENTITY joins them in a flow that has a stage for it."""

CLEARABLE = frozenset({Check.IDENTITY, Check.FRAUD, Check.RISK, Check.AFFORDABILITY})
"""Checks that two people may clear when the check asked for a person. Nobody clears consent or the rate cap."""

PRICED = frozenset({Check.RISK, Check.AFFORDABILITY, Check.RATE_CAP})
"""Checks that look at what is known of the applicant: whatever is supplied or pulled opens them again."""


class Outcome(StrEnum):
    """What a stage can come to."""

    PASS = "pass"
    MANUAL = "manual"
    REJECT = "reject"
    MISSING = "missing"
    TIMEOUT = "timeout"
    ERROR = "error"
    PAID = "paid"
    SUPPLIED = "supplied"
    EXPIRED = "expired"
    EXHAUSTED = "exhausted"
    APPROVE = "approve"
    RETURN = "return"


FAILED = frozenset({Outcome.MISSING, Outcome.TIMEOUT, Outcome.ERROR})
"""Outcomes that are no answer: they lead towards an approval only through people, a supplement, or the same stage asked again."""


class Kind(StrEnum):
    """What a stage does."""

    FRAUD = "fraud"
    RISK = "risk"
    PRICING = "pricing"
    IDENTITY = "identity"
    BUREAU = "bureau"
    TAOBAO = "taobao"
    JD = "jd"
    DISBURSE = "disburse"
    WAIT = "wait"
    REVIEW = "review"
    REPAIR = "repair"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What the engine knows of a kind: the outcomes that need an edge, those that may have one, and the checks that its pass settles."""

    outcomes: frozenset[Outcome]
    may: frozenset[Outcome] = frozenset()
    settles: frozenset[Check] = frozenset()


_CALL = frozenset({Outcome.TIMEOUT, Outcome.ERROR})
_PULL = Rule(outcomes=_CALL | {Outcome.PASS, Outcome.MISSING})
_DECISION = _CALL | {Outcome.PASS, Outcome.MANUAL, Outcome.REJECT, Outcome.MISSING}

RULES: Mapping[Kind, Rule] = {
    Kind.FRAUD: Rule(outcomes=_CALL | {Outcome.PASS, Outcome.MANUAL, Outcome.REJECT}, settles=frozenset({Check.FRAUD})),
    Kind.RISK: Rule(outcomes=_DECISION, settles=PRICED),
    Kind.PRICING: Rule(outcomes=_DECISION, settles=frozenset({Check.RATE_CAP})),
    Kind.IDENTITY: Rule(outcomes=_DECISION, settles=frozenset({Check.IDENTITY})),
    Kind.BUREAU: _PULL,
    Kind.TAOBAO: _PULL,
    Kind.JD: _PULL,
    Kind.DISBURSE: Rule(outcomes=_CALL | {Outcome.PAID}),
    Kind.WAIT: Rule(outcomes=frozenset({Outcome.SUPPLIED, Outcome.EXPIRED, Outcome.EXHAUSTED})),
    Kind.REVIEW: Rule(outcomes=frozenset({Outcome.APPROVE, Outcome.REJECT}), may=frozenset({Outcome.RETURN})),
    Kind.REPAIR: Rule(outcomes=frozenset({Outcome.APPROVE}), may=frozenset({Outcome.REJECT, Outcome.RETURN})),
}
PULLS = frozenset({Kind.BUREAU, Kind.TAOBAO, Kind.JD})
"""Kinds that bring data."""

PRICING_KINDS = frozenset({Kind.RISK, Kind.PRICING})
"""Kinds whose answer chooses the profile."""

PEOPLE = frozenset({Kind.REVIEW, Kind.REPAIR})
"""Kinds in which a person decides. A review judges the case and needs a second person; a repair only sends it back to what failed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    """Where an outcome leads: the first edge whose condition holds and that was not yet taken `most` times (0: no bound)."""

    to: str
    when: str = ""
    most: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One step. `edges` by outcome, in order; `attempts` overrides how often a silent service is asked (0: as configured).

    Of a wait: `deadline_s` and what it `asks` the applicant for. Of people's stages: the `skill` needed, `sla_s`, the stages whose people must not
    decide here (`four_eyes_with`), and the checks that an approval here `clears`.
    """

    name: str
    kind: Kind
    edges: Mapping[Outcome, tuple[Edge, ...]]
    optional: bool = False
    attempts: int = 0
    deadline_s: int = 0
    asks: tuple[str, ...] = ()
    skill: str = ""
    sla_s: int = 0
    four_eyes_with: tuple[str, ...] = ()
    clears: frozenset[Check] = frozenset()

    @property
    def is_manual(self) -> bool:
        return self.kind in PEOPLE

    @property
    def is_automatic(self) -> bool:
        return self.kind not in PEOPLE and self.kind is not Kind.WAIT


@dataclass(frozen=True, slots=True, order=True)
class FlowId:
    """Which flow, in which version, with which content."""

    name: str
    version: int
    hash: str

    def __str__(self) -> str:
        return f"{self.name} v{self.version} ({self.hash[:12]})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """A flow: `profiles` are the optional stages that each profile skips; `default_profile` holds until a price was offered."""

    id: FlowId
    start: str
    stages: Mapping[str, Stage]
    profiles: Mapping[str, frozenset[str]]
    default_profile: str
    supplements: int = MOST_SUPPLEMENTS
    mandatory: frozenset[Check] = field(init=False)
    """What this flow must settle: the engine's checks, and identity where it has a stage for it."""

    def __post_init__(self) -> None:
        knows_identity = any(stage.kind is Kind.IDENTITY for stage in self.stages.values())
        object.__setattr__(self, "mandatory", MANDATORY | {Check.IDENTITY} if knows_identity else MANDATORY)

    def skips(self, profile: str, stage: str) -> bool:
        return stage in self.profiles.get(profile, frozenset())
