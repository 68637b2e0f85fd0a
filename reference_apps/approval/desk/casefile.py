"""A case as a reviewer sees it: who asks for what, what was found, why it needs a person. Values only; the page and the API show them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Words = tuple[str, str]
"""The same in English and Chinese."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One step behind the case: its stage, what it came to, and why."""

    at_ms: int
    stage: str
    outcome: str
    by: str = ""
    reasons: tuple[Words, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """One thing known of the applicant: what they declared, and what was pulled. Empty: unknown."""

    name: str
    declared: str = ""
    pulled: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseFile:
    """What a reviewer needs to know. `why` is what asked for a person; `offer` is empty before a price was offered."""

    case_id: str
    customer: str
    status: str
    flow: str
    profile: str
    summary: str
    applicant: tuple[tuple[str, str], ...]
    offer: tuple[tuple[str, str], ...]
    why: tuple[Words, ...]
    checks: tuple[Check, ...]
    evidence: tuple[Evidence, ...]
    raw: Mapping[str, Any]
