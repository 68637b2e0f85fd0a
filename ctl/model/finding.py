"""What instances find wrong with what they run, and what the control plane keeps of it: a finding stands by release until its instances say otherwise."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

DRIFT = "drift"


class Asks(StrEnum):
    """What a finding asks for. WATCH: to be seen, nothing follows; ACT: the release may not be promoted while it stands."""

    WATCH = "watch"
    ACT = "act"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What an instance says about its own release: `kind` and `subject` name it, `n` is how many observations it rests on, `said` is one sentence."""

    kind: str
    subject: str
    asks: Asks
    n: int
    said: str

    @property
    def key(self) -> tuple[str, str]:
        """Return what tells findings of one release apart."""
        return self.kind, self.subject


@dataclass(frozen=True, slots=True, kw_only=True)
class Concern:
    """A finding that stands about a release, since it was first seen."""

    release: str
    finding: Finding
    since: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Concerns:
    """Everything that stands about a service, oldest first; `version` 0 has never been stored."""

    service: str
    standing: tuple[Concern, ...] = ()
    version: int = 0
