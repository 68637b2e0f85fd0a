"""What people put into the log beside events and lists: what they do about cases and about rules. Values only; `id` is the sender's, `by` who they are."""

from enum import StrEnum
from typing import Any

import msgspec


class Outcome(StrEnum):
    """What a case came to."""

    CONFIRMED = "confirmed_fraud"
    FALSE_ALARM = "false_alarm"
    INCONCLUSIVE = "inconclusive"


class Note(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Something a person did, at `at_ms` by the clock of the instance that took it in. Whether it has an effect is decided by what stands before it."""

    id: str
    by: str
    at_ms: int


class Claim(Note, frozen=True, kw_only=True):
    """Takes a case until `until_ms`; `over`: also from somebody who holds it."""

    case: int
    until_ms: int
    over: bool = False


class Release(Note, frozen=True, kw_only=True):
    """Gives a case back; `over`: also when somebody else holds it."""

    case: int
    over: bool = False


class Decision(Note, frozen=True, kw_only=True):
    """Says what a case, as it stood at `version`, came to."""

    case: int
    version: int
    outcome: Outcome
    text: str = ""


class Trial(Note, frozen=True, kw_only=True):
    """What a rule (`content` is the hash of its text) would have done over `events` events; `table` is the whole answer."""

    rule: str
    content: str
    events: int
    table: dict[str, Any]


class Switch(Note, frozen=True, kw_only=True):
    """Puts a rule in force from here on, in its state `active` or `shadow`. `basis`: what it was switched on by, `reason`: why, where nothing else stands."""

    told: dict[str, Any]
    content: str
    basis: str = ""
    reason: str = ""

    @property
    def rule(self) -> str:
        return str(self.told["id"])

    @property
    def is_active(self) -> bool:
        return bool(self.told["state"] == "active")


AnyNote = Claim | Release | Decision | Trial | Switch
