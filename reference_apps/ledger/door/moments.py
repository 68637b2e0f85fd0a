"""Moments in a query: RFC 3339 with its offset, or nanoseconds since 1970. Pure."""

import re
from datetime import UTC, datetime

from ctl.kit.problem import Problem
from reference_apps.ledger.algebra.model import LAST_NS, SECOND_NS

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
FORM = re.compile(r"(\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?([Zz]|[+-]\d\d:\d\d)", re.ASCII)


def read(field: str, text: str) -> int:
    """Return a moment in nanoseconds. Raises Problem (422) naming the field."""
    if text.isascii() and text.isdigit() and int(text) <= LAST_NS:
        return int(text)
    found = FORM.fullmatch(text)
    try:
        if found is None:
            raise ValueError("not in that form")
        passed = datetime.fromisoformat(f"{found[1]}{found[3]}".upper()) - EPOCH
    except ValueError as error:
        remedy = "send RFC 3339 such as 2026-01-31T16:00:00Z (with + written as %2B), or nanoseconds since 1970"
        raise Problem(422, "bad_input", f"{field}: {text!r} is no moment ({error})", remedy=remedy) from error
    return (passed.days * 86_400 + passed.seconds) * SECOND_NS + int((found[2] or "0").ljust(9, "0"))
