"""What a case is made of. Changed by the book alone, which is a function of the log; times are milliseconds since 1970, money is fen."""

from enum import StrEnum

import msgspec

from reference_apps.fraud.keeping.record import Said
from reference_apps.fraud.notes import Outcome


class State(StrEnum):
    """Where a case stands. `merged`: it went into an older one when their rings became one."""

    OPEN = "open"
    DECIDED = "decided"
    MERGED = "merged"


class Told(StrEnum):
    """What came of what a person wanted."""

    DONE = "done"
    UNCHANGED = "unchanged"
    UNKNOWN = "unknown"
    HELD = "held"
    UNCLAIMED = "unclaimed"
    STALE = "stale"
    DECIDED = "decided"


class Alert(msgspec.Struct, kw_only=True):
    """A review or a block: its event, what it names, why, the numbers of the models that were above their median, and the case it belongs to."""

    position: int
    event_id: str
    kind: str
    at_ms: int
    account: str
    phone: str
    keys: dict[str, list[str]]
    amount_fen: int
    verdict: int
    reasons: list[Said]
    models: list[int]
    case: int = 0


class Case(msgspec.Struct, kw_only=True):
    """Alerts of one ring. `version` grows with each alert, each merger and the decision. `holder` has it until `until_ms`, or has decided it."""

    id: int
    version: int
    state: State = State.OPEN
    alerts: list[int] = []
    holder: str = ""
    until_ms: int = 0
    outcome: Outcome | None = None
    text: str = ""
    decided_ms: int = 0
    into: int = 0

    def is_held(self, at_ms: int) -> bool:
        return bool(self.holder) and at_ms < self.until_ms


class Shadow(msgspec.Struct, kw_only=True):
    """How often a rule in shadow held since position `since`, by the verdict that was given."""

    since: int
    hits: list[int] = msgspec.field(default_factory=lambda: [0, 0, 0, 0])

    def count(self, verdict: int) -> None:
        self.hits[verdict] += 1
