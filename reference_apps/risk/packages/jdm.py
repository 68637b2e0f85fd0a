"""Decision tables as JDM graphs: the one table that ends in the output, made ready for the engine. Pure; what could give two answers is refused."""

import copy
import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import zen

from reference_apps.risk.packages.faults import Fault

RULE = "_rule"
KINDS = frozenset({"inputNode", "outputNode", "decisionTableNode", "expressionNode"})
UNSTEADY = re.compile(r"\brand\s*\(|\bd\s*\(\s*\)|[\"'](now|today|yesterday|tomorrow)[\"']|\bnow\s*\(|\btoday\s*\(")
NOT_READ = ("inputField", "outputPath", "passThrough")

Graph = Mapping[str, Any]


def table(graph: Graph) -> dict[str, Any]:
    """Return the content of the table that ends in the output. Raises LookupError when there is not exactly one."""
    outputs = {node["id"] for node in graph["nodes"] if node["type"] == "outputNode"}
    last = {edge["sourceId"] for edge in graph["edges"] if edge["targetId"] in outputs}
    found = [node for node in graph["nodes"] if node["id"] in last]
    if len(found) != 1 or found[0]["type"] != "decisionTableNode":
        raise LookupError("exactly one decision table must lead to the output")
    content: dict[str, Any] = found[0]["content"]
    return content


def is_plain(graph: Graph) -> bool:
    """Whether there is nothing in the graph but its table, so that the table sees the facts themselves."""
    return sorted(node["type"] for node in graph["nodes"]) == ["decisionTableNode", "inputNode", "outputNode"]


def prepared(graph: Graph) -> str:
    """Return the graph as the engine gets it: its table says every rule that hits, with the rule's id, in the order of the rules."""
    made = copy.deepcopy(dict(graph))
    content = table(made)
    content["hitPolicy"] = "collect"
    content["outputs"] = [*content["outputs"], {"id": RULE, "name": RULE, "field": RULE}]
    content["rules"] = [{**rule, RULE: json.dumps(rule["_id"])} for rule in content["rules"]]
    return json.dumps(made)


def rule_ids(graph: Graph) -> tuple[str, ...]:
    return tuple(rule["_id"] for rule in table(graph)["rules"])


def output_fields(graph: Graph) -> tuple[str, ...]:
    return tuple(output["field"] for output in table(graph)["outputs"])


def literals(graph: Graph, field: str) -> list[tuple[str, Any]]:
    """Return (rule id, value) of an output column where the value is written down as such; an empty cell is None."""
    content = table(graph)
    columns = [output["id"] for output in content["outputs"] if output["field"] == field]
    return [(rule["_id"], literal(rule.get(column, ""))) for column in columns for rule in content["rules"] if is_literal(rule.get(column, ""))]


def is_literal(cell: str) -> bool:
    try:
        literal(cell)
    except ValueError:
        return False
    return True


def literal(cell: str) -> Any:
    """Return the value that an output cell writes down: JSON, empty for None. Raises ValueError for an expression."""
    value = json.loads(cell) if cell.strip() else None
    if isinstance(value, list | dict):
        raise ValueError(f"{cell} is no single value")
    return value


def faults(file: str, graph: Any) -> list[Fault]:
    """Say what is wrong with a graph; empty when the engine takes it and it always gives the same answer."""
    try:
        found = [*_node_faults(file, graph), *_table_faults(file, table(graph))]
        if not found:
            zen.ZenEngine({"loader": lambda key: prepared(graph)}).get_decision("graph").validate()
    except (KeyError, TypeError, AttributeError, LookupError) as error:
        why = f"this is no decision table in a JDM graph: {type(error).__name__} {error}"
        return [Fault(file, "", why, "nodes input -> decision table -> output, with edges")]
    except (RuntimeError, ValueError) as error:
        return [Fault(file, "", f"the engine refuses it: {str(error).splitlines()[0][:300]}")]
    return found


def _node_faults(file: str, graph: Graph) -> Iterator[Fault]:
    for node in graph["nodes"]:
        if node["type"] not in KINDS:
            yield Fault(file, f"nodes.{node['id']}", f"a {node['type']} may not decide", f"use {', '.join(sorted(KINDS))}")
    for text in _texts(graph["nodes"]):
        if found := UNSTEADY.search(text):
            yield Fault(file, "nodes", f"{found[0].strip()!r} gives another answer each time", "make it a variable, so that it is frozen with the decision")


def _table_faults(file: str, content: Mapping[str, Any]) -> Iterator[Fault]:
    ids = [rule.get("_id", "") for rule in content["rules"]]
    for rule_id in sorted({each for each in ids if ids.count(each) > 1}):
        yield Fault(file, "rules", f"rule {rule_id or '(without _id)'} stands there twice", "give every rule an _id of its own")
    if "" in ids:
        yield Fault(file, "rules", "a rule has no _id", "decisions name the rules that hit by _id")
    for name in NOT_READ:
        if content.get(name):
            yield Fault(file, f"table.{name}", "it is not supported", "leave it out")
    if content.get("executionMode", "single") != "single":
        yield Fault(file, "table.executionMode", "only single is supported", 'write "single"')
    for rule in content["rules"]:
        yield from (Fault(file, f"rule {rule.get('_id', '')}", problem, "the engine would never hit it") for problem in _cell_faults(content, rule))
    for output in content["outputs"]:
        if output["field"] == RULE or "." in output["field"]:
            yield Fault(file, f"outputs.{output['field']}", "an output needs a plain name", f"rename it; {RULE} is ours")


def _cell_faults(content: Mapping[str, Any], rule: Mapping[str, Any]) -> Iterator[str]:
    """Compile every cell: the engine itself takes a cell that it cannot read for one that does not apply, and says nothing."""
    for column in content["inputs"]:
        cell = rule.get(column["id"], "")
        if cell.strip() and (why := _refused(zen.compile_unary_expression if column.get("field") else zen.compile_expression, cell)):
            yield f"{column.get('field') or column['id']} {cell!r} cannot be read: {why}"
    for column in content["outputs"]:
        cell = rule.get(column["id"], "")
        if cell.strip() and (why := _refused(zen.compile_expression, cell)):
            yield f"{column['field']} {cell!r} cannot be read: {why}"


def _refused(compiled: Callable[[str], Any], cell: str) -> str:
    try:
        compiled(cell)
    except RuntimeError as error:
        return str(error).splitlines()[0]
    return ""


def _texts(node: Any) -> Iterator[str]:
    if isinstance(node, str):
        yield node
    elif isinstance(node, Mapping):
        for each in node.values():
            yield from _texts(each)
    elif isinstance(node, list):
        for each in node:
            yield from _texts(each)
