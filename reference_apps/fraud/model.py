"""What fraud knows and says: events, features, verdicts. Values only; times are milliseconds since 1970, money is fen."""

from dataclasses import dataclass
from enum import IntEnum, StrEnum


class Verdict(IntEnum):
    """What is to be done, from lenient to strict: the strictest one wins."""

    PASS = 0
    STEP_UP = 1
    REVIEW = 2
    BLOCK = 3

    @property
    def word(self) -> str:
        return self.name.lower().replace("_", "-")


class Family(StrEnum):
    """What events are counted by."""

    ACCOUNT = "account"
    DEVICE = "device"
    PHONE = "phone"


class ListKind(StrEnum):
    """Lists, strongest first."""

    BLOCK = "block"
    GREY = "grey"
    WHITE = "white"


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happened. `device` and `phone` empty: unknown."""

    id: str
    kind: str
    at_ms: int
    account: str
    device: str = ""
    phone: str = ""
    contacts: tuple[str, ...] = ()
    amount_fen: int = 0

    def key(self, family: Family) -> str:
        match family:
            case Family.ACCOUNT:
                return self.account
            case Family.DEVICE:
                return self.device
            case Family.PHONE:
                return self.phone


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """An entry of a list: in force for events at `from_ms` <= t < `until_ms`."""

    kind: ListKind
    family: Family
    value: str
    from_ms: int
    until_ms: int
    reason: str


@dataclass(frozen=True, slots=True)
class Window:
    """What one window holds for one key: the events of (t - length, t], the current one included; `sum_fen` is their money."""

    count: int
    sum_fen: int
    accounts: int
    devices: int
    phones: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelResult:
    """What one model says. `probability` None: no score, because a required input was missing."""

    model: str
    probability: float | None
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """Why: a code, words, and how much it weighs (1 for hard rules and lists)."""

    code: str
    text: str
    weight: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """The answer to one event: the verdict, the models' results and at most five reasons, the weightiest first."""

    verdict: Verdict
    models: tuple[ModelResult, ...]
    reasons: tuple[Reason, ...]
