"""What must hold for decision tables, so that a decision can rely on what they say. Pure."""

from collections.abc import Iterator

from reference_apps.risk.model import Flow, Outcome
from reference_apps.risk.packages import jdm
from reference_apps.risk.packages.faults import Fault
from reference_apps.risk.packages.model import HitPolicy, Package, Role, Table

SINGLE = frozenset({HitPolicy.UNIQUE, HitPolicy.ANY, HitPolicy.PRIORITY, HitPolicy.FIRST})
AGGREGATES = frozenset({HitPolicy.SUM, HitPolicy.LEAST, HitPolicy.MOST, HitPolicy.COUNT})
ORDERED = frozenset({HitPolicy.PRIORITY, HitPolicy.OUTPUT_ORDER})
SAYS = frozenset({"outcome", "reason", "flow", "limit_fen"})
OWN = frozenset({"scene", "segment"})


def faults(package: Package) -> Iterator[Fault]:
    names = [each.name for each in package.tables]
    for name in sorted({each for each in names if names.count(each) > 1 or each in package.variables or each in OWN}):
        yield Fault("manifest.json", f"tables.{name}", "the name is taken", "give every table a name that no variable and no other table has")
    known = {*package.variables, "scene"}
    for table in package.tables:
        yield from (Fault("manifest.json", f"tables.{table.name}", problem, remedy) for problem, remedy in _policy_faults(table))
        yield from (Fault(table.file, place, problem, remedy) for place, problem, remedy in _column_faults(table, known))
        if table.role is Role.RULE:
            yield from (Fault(table.file, f"rule {rule}", problem, remedy) for rule, problem, remedy in _rule_faults(table))
        known.add(table.name)
    yield from _segment_faults(package)


def _policy_faults(table: Table) -> Iterator[tuple[str, str]]:
    outputs = jdm.output_fields(table.graph)
    if table.hit_policy in AGGREGATES and len(outputs) != 1:
        yield f"{table.hit_policy} adds up one output, not {len(outputs)}", "give the table one output, or use C"
    if table.hit_policy in ORDERED and not table.priorities:
        yield f"{table.hit_policy} needs priorities", "list the output values, the highest priority first"
    for field in table.priorities:
        if field not in outputs:
            yield f"priorities name {field}, which is no output", f"use {', '.join(outputs)}"
            continue
        for rule, value in jdm.literals(table.graph, field):
            if value not in table.priorities[field]:
                yield f"rule {rule} says {field} {value!r}, which has no priority", f"add it to priorities.{field}"


def _column_faults(table: Table, known: set[str]) -> Iterator[tuple[str, str, str]]:
    if not jdm.is_plain(table.graph):
        return
    for column in jdm.table(table.graph)["inputs"]:
        name = column.get("field", "")
        if name.isidentifier() and name not in known:
            yield f"inputs.{name}", f"there is no variable {name}", "declare it in variables.json; an unknown one would never hit"


def _rule_faults(table: Table) -> Iterator[tuple[str, str, str]]:
    if table.hit_policy in AGGREGATES:
        yield "*", f"a rule cannot say {table.hit_policy}", "use role value, or another hit policy"
    for field in jdm.output_fields(table.graph):
        if field not in SAYS:
            yield "*", f"a rule says nothing with {field}", f"use {', '.join(sorted(SAYS))}"
    allowed = {"outcome": (None, *(each.value for each in Outcome if each is not Outcome.PASS)), "flow": (None, *(each.value for each in Flow))}
    for field, values in allowed.items():
        for rule, value in jdm.literals(table.graph, field):
            if value not in values:
                yield rule, f"{field} {value!r}: a rule may refuse, send to review or lengthen the flow, not pass", f"use {', '.join(filter(None, values))}"
    for rule, value in jdm.literals(table.graph, "limit_fen"):
        if value is not None and (not isinstance(value, int) or value <= 0):
            yield rule, f"limit_fen {value!r} is no amount", "give whole fen above 0"
    if "reason" not in jdm.output_fields(table.graph):
        yield "*", "there is no output reason", "every rule names the code of its reason"
    for rule, value in jdm.literals(table.graph, "reason"):
        if not isinstance(value, str):
            yield rule, f"reason {value!r} is no code", "name a code of reasons.json"


def _segment_faults(package: Package) -> Iterator[Fault]:
    naming = [each for each in package.tables if each.role is Role.SEGMENT]
    if len(naming) > 1:
        yield Fault("manifest.json", "tables", "more than one table names the segment", "leave one")
    if not naming and len(package.router.segments) > 1:
        yield Fault("manifest.json", "tables", "no table names the segment", 'add one with role "segment", or leave one segment')
    for table in naming:
        if table.hit_policy not in SINGLE or jdm.output_fields(table.graph) != ("segment",):
            yield Fault(table.file, "", "it must give one output, segment, by U, A, P or F", "change the table or its hit policy")
        for rule, value in jdm.literals(table.graph, "segment"):
            if value not in package.router.segments:
                yield Fault(table.file, f"rule {rule}", f"{value!r} is no segment", f"use {', '.join(package.router.segments)}")
