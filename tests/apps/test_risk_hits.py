"""Decision tables: each hit policy of DMN as the standard defines it, run through the engine, and many rows the same as one by one."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reference_apps.risk.deciding import hits, unary
from reference_apps.risk.deciding.facts import Columns
from reference_apps.risk.deciding.hits import Hit
from reference_apps.risk.deciding.tables import Tables, vocabulary
from reference_apps.risk.model import Fact, Flow, Outcome
from reference_apps.risk.packages import reading, writing
from reference_apps.risk.packages.model import HitPolicy, Package, Role, Table, Type, Variable

SHIPPED = {name: json.loads(content) for name, content in reading.contents(reading.SHIPPED).items()}
Rule = tuple[Mapping[str, str], Mapping[str, Any]]


def graph(inputs: Sequence[str], outputs: Sequence[str], rules: Sequence[Rule]) -> dict[str, Any]:
    """Build a JDM graph: each rule is its cells by input and its values by output; rules are named 1, 2, 3 ..."""
    rows = []
    for number, (asked, said) in enumerate(rules, 1):
        cells = {f"in_{name}": asked.get(name, "") for name in inputs} | {f"out_{name}": json.dumps(said[name]) if name in said else "" for name in outputs}
        rows.append({"_id": str(number), **cells})
    content = {
        "hitPolicy": "first",
        "inputs": [{"id": f"in_{name}", "name": name, "field": name} for name in inputs],
        "outputs": [{"id": f"out_{name}", "name": name, "field": name} for name in outputs],
        "rules": rows,
    }
    nodes = [
        {"id": "i", "type": "inputNode", "name": "i"},
        {"id": "t", "type": "decisionTableNode", "name": "t", "content": content},
        {"id": "o", "type": "outputNode", "name": "o"},
    ]
    return {"nodes": nodes, "edges": [{"id": "1", "sourceId": "i", "targetId": "t"}, {"id": "2", "sourceId": "t", "targetId": "o"}]}


def package(tables: Sequence[tuple[dict[str, Any], dict[str, Any]]]) -> Package:
    """Return the shipped package with other tables: (manifest entry, graph)."""
    made = {name: each for name, each in SHIPPED.items() if not name.startswith("rules/")}
    listed = [{**entry, "file": f"rules/{entry['name']}.json"} for entry, _ in tables]
    made |= {"manifest.json": SHIPPED["manifest.json"] | {"tables": listed}, "routes.json": SHIPPED["routes.json"] | {"segments": ["thin"]}}
    made["routes.json"]["routes"] = [{"scorecard": "main"}]
    made |= {f"rules/{entry['name']}.json": each for entry, each in tables}
    return reading.parse({name: writing.encoded(each) for name, each in made.items()}, "here")


def asked(policy: str, table: dict[str, Any], facts: Mapping[str, Fact], **more: Any) -> hits.Result:
    """Run one value table on facts through the engine."""
    held = package([({"name": "asked", "role": "value", "hit_policy": policy, **more}, table)])
    tables = Tables(held, vocabulary(held))
    ready = tables._ready[0]
    return hits.apply(ready.table, ready.fields, tables._hits(ready, dict(facts)))


# One table with overlapping rules, read by every policy.
RISK_RULES = (
    ({"age": "< 25"}, {"rate": 15, "class": "high"}),
    ({"age": "< 65", "periods": "> 24"}, {"rate": 10, "class": "medium"}),
    ({"age": ">= 18"}, {"rate": 5, "class": "low"}),
)
CLASSES = ["low", "medium", "high"]
YOUNG_AND_LONG = {"age": 20, "periods": 36}


@pytest.mark.parametrize(
    "policy, facts, value, rules",
    [
        ("U", {"age": 16, "periods": 12}, {"rate": 15, "class": "high"}, ("1",)),
        ("F", YOUNG_AND_LONG, {"rate": 15, "class": "high"}, ("1",)),
        ("P", YOUNG_AND_LONG, {"rate": 5, "class": "low"}, ("3",)),
        ("R", YOUNG_AND_LONG, [{"rate": 15, "class": "high"}, {"rate": 10, "class": "medium"}, {"rate": 5, "class": "low"}], ("1", "2", "3")),
        ("O", YOUNG_AND_LONG, [{"rate": 5, "class": "low"}, {"rate": 10, "class": "medium"}, {"rate": 15, "class": "high"}], ("3", "2", "1")),
        ("C", YOUNG_AND_LONG, [{"rate": 15, "class": "high"}, {"rate": 10, "class": "medium"}, {"rate": 5, "class": "low"}], ("1", "2", "3")),
    ],
)
def test_which_hits_count(policy: str, facts: dict[str, Fact], value: Any, rules: tuple[str, ...]) -> None:
    more = {"priorities": {"class": CLASSES}} if policy in "PO" else {}
    found = asked(policy, graph(("age", "periods"), ("rate", "class"), RISK_RULES), facts, **more)
    assert (found.value, found.rules, found.problem) == (value, rules, "")


@pytest.mark.parametrize("policy, value", [("C+", 30), ("C<", 5), ("C>", 15), ("C#", 3)])
def test_what_hits_add_up_to(policy: str, value: int) -> None:
    rules = [(cells, {"rate": said["rate"]}) for cells, said in RISK_RULES]
    found = asked(policy, graph(("age", "periods"), ("rate",), rules), YOUNG_AND_LONG)
    assert (found.value, found.rules) == (value, ("1", "2", "3"))


def test_a_sum_counts_equal_outputs_each() -> None:
    rules = [({"age": "> 1"}, {"rate": 5}), ({"age": "> 2"}, {"rate": 5})]
    assert asked("C+", graph(("age",), ("rate",), rules), {"age": 9}).value == 10
    assert asked("C#", graph(("age",), ("rate",), rules), {"age": 9}).value == 2


def test_overlap_breaks_unique_and_disagreement_breaks_any() -> None:
    table = graph(("age", "periods"), ("rate", "class"), RISK_RULES)
    assert asked("U", table, YOUNG_AND_LONG).problem == "rules_conflict"
    assert asked("A", table, YOUNG_AND_LONG).problem == "rules_conflict"
    same = graph(("age",), ("class",), [({"age": "< 30"}, {"class": "low"}), ({"age": "< 40"}, {"class": "low"})])
    found = asked("A", same, {"age": 20})
    assert (found.value, found.rules, found.problem) == ({"class": "low"}, ("1",), "")


def test_priorities_of_two_outputs_count_from_left_to_right_and_ties_stay_in_order() -> None:
    rules = [({}, {"a": "y", "b": "x"}), ({}, {"a": "x", "b": "y"}), ({}, {"a": "x", "b": "x"}), ({}, {"a": "x", "b": "x"})]
    both = {"priorities": {"a": ["x", "y"], "b": ["x", "y"]}}
    assert asked("O", graph(("age",), ("a", "b"), rules), {"age": 1}, **both).rules == ("3", "4", "2", "1")
    assert asked("P", graph(("age",), ("a", "b"), rules), {"age": 1}, **both).rules == ("3",)


@pytest.mark.parametrize("policy", ["U", "A", "F", "R", "C", "C#"])
def test_no_hit_is_the_default_or_no_result(policy: str) -> None:
    table = graph(("age",), ("rate",), [({"age": "> 100"}, {"rate": 1})])
    assert asked(policy, table, {"age": 50}).problem == "no_result"
    found = asked(policy, table, {"age": 50}, default={"rate": 7})
    assert (found.value, found.rules, found.problem) == ({"rate": 7}, (), "")


def test_an_output_without_a_number_adds_up_to_nothing() -> None:
    made = Table(name="t", role=Role.VALUE, file="", hit_policy=HitPolicy.SUM, graph={}, priorities={}, has_default=False, default=None)
    assert hits.apply(made, ("x",), [Hit("1", {"x": 1}), Hit("2", {"x": None})]).problem == "rules_conflict"
    assert hits.apply(made, ("x",), [Hit("1", {"x": 1}), Hit("2", {"x": True})]).problem == "rules_conflict"


def rulings(tables: Sequence[tuple[dict[str, Any], dict[str, Any]]], known: Mapping[str, Fact]) -> Any:
    held = package(tables)
    made, facts = Tables(held, vocabulary(held)), {name: known.get(name) for name in held.variables}
    one = made.rule(facts, "cash")
    if not made.needs_facts:
        many, which = made.rule_all(Columns(held, vocabulary(held), [known]), (), "cash")
        assert many[which[0]] == one
    return one


REASON = "too_old"


def test_rules_refuse_route_and_cap_together() -> None:
    rules = [
        ({"age": "> 50"}, {"reason": "too_old", "flow": "extended"}),
        ({"age": "> 55"}, {"reason": "age", "limit_fen": 100_000}),
        ({"age": "> 58"}, {"reason": "too_much_debt", "outcome": "review", "limit_fen": 50_000}),
    ]
    tables = [({"name": "soft", "role": "rule", "hit_policy": "R", "default": []}, graph(("age",), ("outcome", "reason", "flow", "limit_fen"), rules))]
    made = rulings(tables, {"age": 60})
    assert (made.outcome, made.flow, made.most_fen, made.rules) == (Outcome.REVIEW, Flow.EXTENDED, 50_000, ("1", "2", "3"))
    assert made.reasons == ("too_old", "age", "too_much_debt")
    assert rulings(tables, {"age": 52}).outcome is Outcome.PASS
    assert rulings(tables, {"age": None}).rules == (), "what is missing hits no rule"


def test_a_table_may_stand_on_another_ones_result() -> None:
    counted = graph(("age",), ("n",), [({"age": "> 30"}, {"n": 1}), ({"age": "> 40"}, {"n": 1})])
    second = graph(("signs",), ("reason", "outcome"), [({"signs": ">= 2"}, {"reason": REASON, "outcome": "review"})])
    tables = [
        ({"name": "signs", "role": "value", "hit_policy": "C#", "default": 0}, counted),
        ({"name": "judged", "role": "rule", "hit_policy": "R", "default": []}, second),
    ]
    assert rulings(tables, {"age": 45}).rules == ("1",)
    assert rulings(tables, {"age": 35}).rules == ()


def test_a_rule_table_without_a_result_is_a_problem_and_never_a_pass() -> None:
    table = graph(("age",), ("reason", "outcome"), [({"age": "< 10"}, {"reason": REASON, "outcome": "reject"})])
    made = rulings([({"name": "holes", "role": "rule", "hit_policy": "R"}, table)], {"age": 30})
    assert made.problem == "no_result"


cells = st.one_of(
    st.just(""),
    st.just("null"),
    st.builds("{} {}".format, st.sampled_from(("<", "<=", ">", ">=", "==", "!=")), st.integers(-50, 150)),
    st.builds("{}{}..{}{}".format, st.sampled_from("[("), st.integers(0, 40), st.integers(40, 90), st.sampled_from("])")),
    st.lists(st.integers(0, 99).map(str), min_size=1, max_size=3).map(", ".join),
)
words = st.one_of(st.just(""), st.just("null"), st.lists(st.sampled_from(('"bad"', '"none"', '"good"')), min_size=1, max_size=2, unique=True).map(", ".join))
flags = st.sampled_from(("", "true", "false"))
known = st.fixed_dictionaries(
    {
        "age": st.none() | st.integers(-10, 130),
        "pboc_record": st.sampled_from((None, "bad", "none", "ordinary", "good")),
        "customer_id": st.sampled_from(("blacklisted-1", "mike")),
    }
)


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.tuples(cells, words, flags), min_size=1, max_size=12), st.lists(known, min_size=1, max_size=20),
    st.sampled_from(("U", "A", "F", "R", "C", "P", "O")), st.booleans(),
)  # fmt: skip
def test_plain_cells_say_what_the_engine_says(rows: list[tuple[str, str, str]], asked: list[dict[str, Fact]], policy: str, has_default: bool) -> None:
    rules = [({"age": age, "pboc_record": word, "blacklisted": flag}, {"reason": ("age", "too_old")[at % 2]}) for at, (age, word, flag) in enumerate(rows)]
    entry = {"name": "random", "role": "rule", "hit_policy": policy}
    entry |= {"priorities": {"reason": ["too_old", "age"]}} if policy in "PO" else {}
    held = package([(entry | ({"default": []} if has_default else {}), graph(("age", "pboc_record", "blacklisted"), ("reason",), rules))])
    codes = vocabulary(held)
    tables = Tables(held, codes)
    assert not tables.needs_facts, "all of these cells are plain"
    complete = [dict.fromkeys(held.variables) | each | {"blacklisted": each["customer_id"] == "blacklisted-1"} for each in asked]
    made, which = tables.rule_all(Columns(held, codes, asked), (), "cash")
    engine = Tables(held, codes, plain=False)
    assert [made[at] for at in which] == [tables.rule(each, "cash") for each in complete] == [engine.rule(each, "cash") for each in complete]


@pytest.mark.parametrize("cell", ["> 1 and < 5", "not(5)", "$ % 2 == 0", "age > 3", "> 0.5"])
def test_what_is_more_than_plain_is_left_to_the_engine(cell: str) -> None:
    assert unary.compiled(cell, Variable(name="age", type=Type.INTEGER), {}) is None
    held = package([({"name": "odd", "role": "rule", "hit_policy": "R", "default": []}, graph(("age",), ("reason",), [({"age": cell}, {"reason": REASON})]))])
    tables = Tables(held, vocabulary(held))
    assert tables.needs_facts
    facts = [dict.fromkeys(held.variables) | {"age": age} for age in (0, 1, 4, 6, None)]
    made, which = tables.rule_all(Columns(held, vocabulary(held), facts), facts, "cash")
    assert [made[at] for at in which] == [tables.rule(each, "cash") for each in facts]


def test_a_number_with_a_fraction_is_left_to_the_engine() -> None:
    assert unary.compiled("> 1", Variable(name="income", type=Type.NUMBER), {}) is None
    whole = unary.compiled("> 1", Variable(name="age", type=Type.INTEGER), {})
    assert whole is not None
    assert whole.over(np.array([0, 1, 2, np.nan])).tolist() == [False, False, True, False] == [whole.holds(each) for each in (0, 1, 2, None)]
