"""One line of the journal, chained to the one before it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """Something to be journalled: an event before it has its place in the chain.

    `kind` is a dotted word: "rollout.phase", "action.intent", "action.outcome", "target.set", "token.created", ... `body` is JSON-ready.
    """

    at: datetime
    actor: str
    kind: str
    why: str
    service: str = ""
    rollout: str = ""
    body: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Event(Note):
    """A journalled note: `seq` has no gaps from 1; `hash` is the SHA-256 over `previous` and the canonical JSON of the rest."""

    seq: int
    previous: str
    hash: str
