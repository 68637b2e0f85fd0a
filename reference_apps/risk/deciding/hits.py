"""The hit policies of DMN over the rules that hit: which of them count, in which order, or what they add up to. Pure.

After OMG DMN 1.3, 8.2.11. Where the standard leaves the result undefined (overlap under U, disagreement under A, an output without priority), there is no
result and the problem is named; no hit gives the default, and without one there is no result either.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from reference_apps.risk.packages.model import HitPolicy, Table

Row = Mapping[str, Any]
CONFLICT, NO_RESULT = "rules_conflict", "no_result"


@dataclass(frozen=True, slots=True)
class Hit:
    """A rule that hit, with its outputs."""

    rule: str
    outputs: Row


@dataclass(frozen=True, slots=True)
class Result:
    """What a table says: outputs of one rule, a list of them, or a number; `rules` are those that count. `problem` not empty: there is no result."""

    value: Any
    rules: tuple[str, ...]
    problem: str = ""


def apply(table: Table, fields: Sequence[str], hits: Sequence[Hit]) -> Result:
    """Apply a table's hit policy to the hits in the order of the rules; `fields` are its outputs in their order."""
    if not hits:
        return Result(table.default, ()) if table.has_default else Result(None, (), NO_RESULT)
    match table.hit_policy:
        case HitPolicy.UNIQUE:
            return _one(hits[0]) if len(hits) == 1 else _conflict(hits)
        case HitPolicy.ANY:
            return _one(hits[0]) if all(hit.outputs == hits[0].outputs for hit in hits) else _conflict(hits)
        case HitPolicy.FIRST:
            return _one(hits[0])
        case HitPolicy.PRIORITY | HitPolicy.OUTPUT_ORDER:
            return _ranked(table, fields, hits)
        case HitPolicy.RULE_ORDER | HitPolicy.COLLECT:
            return _all(hits)
        case _:
            return _collected(table.hit_policy, fields[0], hits)


def _one(hit: Hit) -> Result:
    return Result(dict(hit.outputs), (hit.rule,))


def _all(hits: Sequence[Hit]) -> Result:
    return Result([dict(hit.outputs) for hit in hits], _rules(hits))


def _conflict(hits: Sequence[Hit]) -> Result:
    return Result(None, _rules(hits), CONFLICT)


def _ranked(table: Table, fields: Sequence[str], hits: Sequence[Hit]) -> Result:
    """Rank by the outputs from left to right, each by its list of priorities; equal ones stay in the order of the rules."""
    by = [field for field in fields if field in table.priorities]
    if any(hit.outputs.get(field) not in table.priorities[field] for hit in hits for field in by):
        return _conflict(hits)
    ranked = sorted(hits, key=lambda hit: [table.priorities[field].index(hit.outputs.get(field)) for field in by])
    return _one(ranked[0]) if table.hit_policy is HitPolicy.PRIORITY else _all(ranked)


def _collected(policy: HitPolicy, field: str, hits: Sequence[Hit]) -> Result:
    if policy is HitPolicy.COUNT:
        return Result(len(hits), _rules(hits))
    values: list[Any] = [hit.outputs.get(field) for hit in hits]
    if not all(isinstance(value, int | float) and not isinstance(value, bool) for value in values):
        return _conflict(hits)
    added = sum(values) if policy is HitPolicy.SUM else min(values) if policy is HitPolicy.LEAST else max(values)
    return Result(added, _rules(hits))


def _rules(hits: Sequence[Hit]) -> tuple[str, ...]:
    return tuple(hit.rule for hit in hits)
