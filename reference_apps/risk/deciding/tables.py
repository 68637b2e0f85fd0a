"""Decision tables at work: which rules hit, and what our hit policies make of them. Plain cells are asked as predicates, all others by zen-engine."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import zen
from numpy.typing import NDArray

from reference_apps.risk.deciding import hits, unary
from reference_apps.risk.deciding.facts import Columns
from reference_apps.risk.deciding.hits import Hit, Result
from reference_apps.risk.model import Facts, Flow, Outcome
from reference_apps.risk.packages import jdm
from reference_apps.risk.packages.model import Package, Role, Table, Variable

STRICTER = {Outcome.PASS: 0, Outcome.REVIEW: 1, Outcome.REJECT: 2}
LONGER = {Flow.FAST: 0, Flow.NORMAL: 1, Flow.EXTENDED: 2}
LEAST_FLOW = Flow.FAST


@dataclass(frozen=True, slots=True, kw_only=True)
class Ruling:
    """What all tables of a package say together. `problem`: a table had no result, so a person must look; `segment` None: none was named."""

    outcome: Outcome = Outcome.PASS
    rules: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()
    flow: Flow = LEAST_FLOW
    most_fen: int | None = None
    segment: str | None = None
    problem: str = ""


Cells = tuple[tuple[tuple[str, unary.Cell], ...], ...]
"""By rule: the variable, and what must hold of it."""


@dataclass(frozen=True, slots=True)
class Ready:
    """A table that can run: `cells` are those that its rules really ask, None where only the engine can tell; `literals` its outputs by rule."""

    table: Table
    fields: tuple[str, ...]
    rules: tuple[str, ...]
    cells: Cells | None
    literals: tuple[Mapping[str, Any], ...]


class Tables:
    """All tables of a package, in their order. Safe to use from several threads. Not `plain`: the engine is asked about every cell."""

    def __init__(self, package: Package, codes: Mapping[str, Mapping[str, int]], *, plain: bool = True) -> None:
        contents = {each.name: zen.ZenDecisionContent(jdm.prepared(each.graph)) for each in package.tables}
        self._engine = zen.ZenEngine({"loader": contents.__getitem__})
        self._ready = tuple(_ready(each, package.variables, codes, plain) for each in package.tables)
        self._segments = package.router.segments
        self.ids = tuple(rule for each in self._ready if each.table.role is Role.RULE for rule in each.rules)

    def rule(self, facts: Facts, scene: str) -> Ruling:
        """Run every table on one question's complete facts."""
        known: dict[str, Any] = {**facts, "scene": scene}
        results = []
        for each in self._ready:
            result = hits.apply(each.table, each.fields, self._hits(each, known))
            known[each.table.name] = result.value
            results.append(result)
        return self._together(results)

    def rule_all(self, columns: Columns, known: Sequence[Facts], scene: str) -> tuple[list[Ruling], NDArray[np.int64]]:
        """Run every table on many questions: return the rulings there are, and which one each question got. `known` are the complete facts, if need be."""
        found: list[list[Result]] = []
        places = np.zeros(len(columns), dtype=np.int64)
        for each in self._ready:
            if each.cells is None:
                return self._one_by_one(known, scene)
            results, which = _by_pattern(each, columns)
            found.append(results)
            places = places * len(results) + which
        seen, which = np.unique(places, return_inverse=True)
        return [self._together(_unpacked(int(key), found)) for key in seen], which

    @property
    def needs_facts(self) -> bool:
        """Whether the engine must be asked row by row, because some cell is more than a plain comparison."""
        return any(each.cells is None for each in self._ready)

    def _one_by_one(self, known: Sequence[Facts], scene: str) -> tuple[list[Ruling], NDArray[np.int64]]:
        places: dict[Ruling, int] = {}
        which = [places.setdefault(self.rule(facts, scene), len(places)) for facts in known]
        return list(places), np.array(which, dtype=np.int64)

    def _hits(self, each: Ready, known: dict[str, Any]) -> list[Hit]:
        """Find the rules that hit; a table of plain cells is asked itself, which takes a tenth of the time."""
        if each.cells is not None:
            hit = (at for at, rule in enumerate(each.cells) if all(cell.holds(known[name]) for name, cell in rule))
            return [Hit(each.rules[at], each.literals[at]) for at in hit]
        rows: Any = self._engine.evaluate(each.table.name, known)["result"] or []
        return [Hit(row[jdm.RULE], {field: row.get(field) for field in each.fields}) for row in rows]

    def _together(self, results: Sequence[Result]) -> Ruling:
        said = [(ready.table, result) for ready, result in zip(self._ready, results, strict=True)]
        rows = [row for table, result in said if table.role is Role.RULE for row in _rows(result)]
        named = [result.value["segment"] for table, result in said if table.role is Role.SEGMENT and not result.problem]
        outcomes = [Outcome(row["outcome"]) for row in rows if row.get("outcome")]
        flows = [Flow(row["flow"]) for row in rows if row.get("flow")]
        limits = [int(row["limit_fen"]) for row in rows if row.get("limit_fen")]
        has_segments = any(table.role is Role.SEGMENT for table, _ in said)
        return Ruling(
            outcome=max(outcomes, key=STRICTER.__getitem__, default=Outcome.PASS),
            rules=tuple(rule for table, result in said if table.role is Role.RULE for rule in result.rules),
            reasons=tuple(row["reason"] for row in rows if row.get("reason")),
            flow=max(flows, key=LONGER.__getitem__, default=LEAST_FLOW),
            most_fen=min(limits, default=None),
            segment=next(iter(named), None) if has_segments else self._segments[0],
            problem=next((result.problem for table, result in said if result.problem and table.role is not Role.VALUE), ""),
        )


def _rows(result: Result) -> list[Mapping[str, Any]]:
    if isinstance(result.value, list):
        return result.value
    return [] if result.value is None else [result.value]


def _ready(table: Table, variables: Mapping[str, Variable], codes: Mapping[str, Mapping[str, int]], plain: bool) -> Ready:
    content, fields = jdm.table(table.graph), jdm.output_fields(table.graph)
    outputs = {output["id"]: output["field"] for output in content["outputs"]}
    cells = [(rule["_id"], {field: rule.get(column, "") for column, field in outputs.items()}) for rule in content["rules"]]
    asked = None
    if plain and jdm.is_plain(table.graph) and all(jdm.is_literal(cell) for _, row in cells for cell in row.values()):
        asked = _asked(content, variables, codes)
    literals = tuple({field: jdm.literal(cell) for field, cell in row.items()} for _, row in cells) if asked is not None else ()
    return Ready(table, fields, jdm.rule_ids(table.graph), asked, literals)


def _asked(content: Mapping[str, Any], variables: Mapping[str, Variable], codes: Mapping[str, Mapping[str, int]]) -> Cells | None:
    """Return every rule as the cells that it really asks; None when a cell is more than a plain comparison."""
    made = []
    for rule in content["rules"]:
        asked = [(column.get("field", ""), rule.get(column["id"], "")) for column in content["inputs"]]
        row = [(name, unary.compiled(cell, variables[name], codes.get(name, {})) if name in variables else None) for name, cell in asked if cell.strip()]
        if any(cell is None for _, cell in row):
            return None
        made.append(tuple((name, cell) for name, cell in row if cell is not None))
    return tuple(made)


def _by_pattern(each: Ready, columns: Columns) -> tuple[list[Result], NDArray[np.int64]]:
    """Find which rules hit in every row, and apply the hit policy once to each pattern that occurs."""
    assert each.cells is not None
    hit = np.ones((len(each.rules), len(columns)), dtype=bool)
    for at, rule in enumerate(each.cells):
        for name, cell in rule:
            hit[at] &= cell.over(columns.column(name))
    packed = np.packbits(hit, axis=0)
    key = packed[0].astype(np.int64) if len(packed) == 1 else _narrowed(packed)
    _, first, which = np.unique(key, return_index=True, return_inverse=True)
    results = []
    for row in first:
        found = [Hit(each.rules[at], each.literals[at]) for at in np.flatnonzero(hit[:, row])]
        results.append(hits.apply(each.table, each.fields, found))
    return results, which


def _narrowed(packed: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Number the patterns of a table with more than eight rules."""
    key = np.zeros(packed.shape[1], dtype=np.int64)
    for part in packed:
        _, key = np.unique(key * 256 + part, return_inverse=True)
    return key


def _unpacked(key: int, found: Sequence[Sequence[Result]]) -> list[Result]:
    parts = []
    for results in reversed(found):
        key, place = divmod(key, len(results))
        parts.append(results[place])
    return parts[::-1]


def vocabulary(package: Package) -> dict[str, dict[str, int]]:
    """Return a code for every word that any part of the package mentions, by text variable."""
    words: dict[str, dict[str, int]] = {name: dict.fromkeys(each.values, 0) for name, each in package.variables.items()}
    for card in package.scorecards.values():
        for each in card.characteristics:
            words[each.variable] |= dict.fromkeys((word for one in each.bins for word in one.values), 0)
            words[each.variable] |= dict.fromkeys((value for value, _ in each.special if isinstance(value, str)), 0)
    for model in package.models.values():
        for feature in model.features:
            words[feature.variable] |= dict.fromkeys(feature.categories, 0)
    for table in package.tables:
        for name, cell in _cells(table):
            if name in words and unary.WORDS.fullmatch(cell.strip()):
                words[name] |= dict.fromkeys(json.loads(f"[{cell}]"), 0)
    return {name: {word: code for code, word in enumerate(known)} for name, known in words.items()}


def _cells(table: Table) -> list[tuple[str, str]]:
    content = jdm.table(table.graph)
    return [(column.get("field", ""), rule.get(column["id"], "")) for column in content["inputs"] for rule in content["rules"]]
