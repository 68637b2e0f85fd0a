"""Conditions of edges, in zen-engine's expression language: compiled once, evaluated on named facts, sandboxed. No language of our own.

A condition is true or false. Whatever else it comes to (a fact that is not there compared with a number, say) is Unclear, never false: an unclear
condition must not quietly open the next edge.
"""

import json
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import zen

FACTS = frozenset({
    "age", "amount_fen", "annual_rate", "asked_fen", "grade", "has_jd", "has_pboc", "has_taobao", "limit_fen", "missing", "other_debt_fen", "pboc_record",
    "periods", "profile", "supplements", "tenant", "zhima_score",
})  # fmt: skip
"""What a condition may ask about. `missing` is the list of what risk said it lacks; a fact that is unknown is null."""

WORDS = frozenset({
    "and", "or", "not", "in", "true", "false", "null", "len", "contains", "startsWith", "endsWith", "matches", "lower", "upper", "abs", "min", "max", "floor",
    "ceil", "round", "some", "all", "none", "one",
})  # fmt: skip
"""Words of the language that depend on the facts alone: none reads a clock or throws dice."""

_TEXT = re.compile(r"\"[^\"]*\"|'[^']*'|`[^`]*`")
_NAME = re.compile(r"(?<![\w.])[A-Za-z_]\w*")
_ASSIGNS = re.compile(r"(?<![=!<>])=(?!=)")
LONGEST = 500


class Unclear(Exception):
    """A condition came to neither true nor false."""


def mistake(condition: str) -> str:
    """Return what is wrong with a condition, empty when it may be used."""
    if len(condition) > LONGEST:
        return f"it is {len(condition)} characters long; {LONGEST} are allowed"
    bare = _TEXT.sub(" ", condition)
    if _ASSIGNS.search(bare):
        return "it assigns with '='; compare with '=='"
    unknown = sorted(set(_NAME.findall(bare)) - FACTS - WORDS)
    if unknown:
        return f"it asks about {', '.join(unknown)}; the facts are {', '.join(sorted(FACTS))}"
    wrong = zen.validate_expression(condition)
    return f"{wrong['source']} ({wrong['type']})" if wrong else ""


def holds(condition: str, facts: Mapping[str, Any]) -> bool:
    """Return whether a condition holds; an empty one does. Raises Unclear."""
    if not condition:
        return True
    try:
        said = _compiled(condition).evaluate(dict(facts))
    except RuntimeError as error:
        raise Unclear(f"{condition!r} cannot be decided: {_short(error)}") from error
    if said is True or said is False:
        return bool(said)
    raise Unclear(f"{condition!r} comes to {said!r}, neither true nor false")


@lru_cache(maxsize=4096)
def _compiled(condition: str) -> "zen.Expression":
    return zen.compile_expression(condition)


def _short(error: RuntimeError) -> str:
    first = str(error).split("\n", 1)[0]
    try:
        return str(json.loads(first)["source"])
    except (ValueError, KeyError, TypeError):
        return first[:200]
