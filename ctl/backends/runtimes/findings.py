"""What an instance's readiness answer says it has found. Pure; whoever answers is not trusted: what is malformed is left out, and much is cut short."""

import json
import re
from collections.abc import Mapping
from typing import Any

from ctl.model.finding import Asks, Finding

MOST, MOST_SUBJECT, MOST_SAID, MOST_N = 16, 120, 300, 10**12
KIND = re.compile(r"[a-z][a-z0-9-]{0,31}")


def read(body: bytes) -> tuple[Finding, ...] | None:
    """Return the findings of an answer, those that ask for most first; None where it has no list of them."""
    if b'"findings"' not in body:
        return None
    try:
        said = json.loads(body)
    except ValueError:
        return None
    listed = said.get("findings") if isinstance(said, dict) else None
    if not isinstance(listed, list):
        return None
    found = {each.key: each for each in map(_finding, listed) if each is not None}
    return tuple(sorted(found.values(), key=lambda each: (each.asks is not Asks.ACT, *each.key))[:MOST])


def _finding(given: Any) -> Finding | None:
    if not isinstance(given, Mapping):
        return None
    kind, subject, asks, n, said = (given.get(name) for name in ("kind", "subject", "asks", "n", "said"))
    if not (isinstance(kind, str) and KIND.fullmatch(kind) and isinstance(subject, str) and isinstance(said, str) and asks in set(Asks)):
        return None
    if not isinstance(n, int) or isinstance(n, bool) or not 0 <= n <= MOST_N:
        return None
    return Finding(kind=kind, subject=_plain(subject, MOST_SUBJECT), asks=Asks(asks), n=n, said=_plain(said, MOST_SAID))


def _plain(text: str, most: int) -> str:
    """Return text on one line, without what a terminal would take for a command."""
    return "".join(char if char.isprintable() else " " for char in text)[:most].strip()
