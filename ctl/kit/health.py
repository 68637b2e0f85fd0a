"""What an app itself says about its health: it takes no new traffic while it has a reason not to, and it may say what it finds wrong with its release."""

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

MOST_FINDINGS, MOST_SUBJECT, MOST_SAID = 16, 120, 300
KIND = re.compile(r"[a-z][a-z0-9-]{0,31}")

_reasons: dict[str, str] = {}
_notes: dict[str, str] = {}
_findings: dict[str, tuple["Finding", ...]] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something an instance finds wrong with what its release carries, by `kind` ("drift") and `subject`.

    `asks` act: the release may not be promoted, and msxfctl may go back from it; watch: nothing follows. `n`: how many observations it rests on.
    `said` is one sentence for people.
    """

    kind: str
    subject: str
    asks: Literal["watch", "act"]
    n: int
    said: str

    def __post_init__(self) -> None:
        if not KIND.fullmatch(self.kind):
            raise ValueError(f"a finding's kind is {self.kind!r}; write a lower-case word such as drift")
        if self.asks not in ("watch", "act") or self.n < 0:
            raise ValueError(f"a finding asks {self.asks!r} on {self.n} observations; it asks watch or act, on 0 or more")
        if not 0 < len(self.subject) <= MOST_SUBJECT or not 0 < len(self.said) <= MOST_SAID:
            raise ValueError(f"a finding has a subject of 1 to {MOST_SUBJECT} characters and a sentence of 1 to {MOST_SAID}")


def unready(reason: str, *, part: str = "app") -> None:
    """Answer readiness probes with "unready" and this reason, until ready() of the same part. Requests that come all the same are served."""
    _reasons[part] = reason


def ready(*, part: str = "app") -> None:
    """Take the part's reason back; none there: nothing happens."""
    _reasons.pop(part, None)


def note(text: str, *, part: str = "app") -> None:
    """Let readiness probes see something that is no reason to leave the traffic; an empty text takes the part's note back."""
    if text:
        _notes[part] = text
    else:
        _notes.pop(part, None)


def findings(found: Sequence[Finding] | None, *, part: str = "app") -> None:
    """Say what the part finds wrong now, in the place of what it said before.

    Empty: it has looked, and nothing is wrong. None: it does not know (yet), so that what is known from elsewhere stays as it is.
    """
    if found is None:
        _findings.pop(part, None)
    else:
        _findings[part] = tuple(found)


def notes() -> str:
    """Return what the app lets probes see; empty when there is nothing."""
    return "; ".join(_notes.values())


def seen() -> dict[str, Any]:
    """Return what a ready answer says beside its state; the findings that ask for most first, and at most MOST_FINDINGS of them."""
    told: dict[str, Any] = {"note": notes()} if _notes else {}
    if _findings:
        found = sorted((each for part in _findings.values() for each in part), key=lambda each: each.asks)
        told["findings"] = [asdict(each) for each in found[:MOST_FINDINGS]]
    return told


def reason() -> str:
    """Return why the app is not ready; empty when it is."""
    return "; ".join(_reasons.values())
