"""Decision packages: what is read, what is refused and how it is named, and the hash that is the content's name."""

import copy
import json
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from reference_apps.risk.packages import jdm, monotone, reading, writing
from reference_apps.risk.packages.faults import BadPackage

FILES = reading.contents(reading.SHIPPED)
PACKAGE = reading.read()
Documents = dict[str, Any]


def documents() -> Documents:
    return {name: json.loads(content) for name, content in FILES.items() if name.endswith(".json")}


def refused(changed: Documents) -> str:
    with pytest.raises(BadPackage) as caught:
        reading.parse({name: writing.encoded(each) for name, each in changed.items()}, "here")
    return str(caught.value)


def test_the_shipped_package_is_whole() -> None:
    assert PACKAGE.hash == reading.digest(FILES)
    assert PACKAGE.router.scenes == ("cash", "3c", "rent", "beauty", "instalment")
    assert jdm.rule_ids(PACKAGE.tables[0].graph) == ("R01", "R02", "R03", "R04", "R05", "R06", "R07")


def test_what_is_written_is_what_is_read(tmp_path: Path) -> None:
    written = writing.write(tmp_path / "one", documents() | {"docs/card.md": "# A card\n"})
    assert reading.read(tmp_path / "one").hash == written.hash != PACKAGE.hash
    with pytest.raises(FileExistsError):
        writing.write(tmp_path / "one", documents())
    assert [path.name for path in tmp_path.iterdir()] == ["one"]


def test_the_hash_names_names_and_bytes() -> None:
    assert reading.digest({"a": b"b", "c": b""}) != reading.digest({"a": b"", "c": b"b"}) != reading.digest({"ab": b"", "c": b"b"})


def put(*path: Any) -> Callable[[Any], Callable[[Documents], None]]:
    """Return `put(file, key, ...)(value)`: a change of a document, in place."""

    def by(value: Any) -> Callable[[Documents], None]:
        def change(made: Documents) -> None:
            node = made
            for step in path[:-1]:
                node = node[step]
            node[path[-1]] = value

        return change

    return by


def gone(name: str) -> Callable[[Documents], None]:
    return lambda made: made.pop(name)


def cell(rule: int, column: str, text: str) -> Callable[[Documents], None]:
    return lambda made: jdm.table(made["rules/hard.json"])["rules"][rule].update({column: text})


def node(kind: str) -> Callable[[Documents], None]:
    return lambda made: made["rules/hard.json"]["nodes"].append({"id": "x", "type": kind, "name": "x", "content": {}})


TREE = ("models/main.json", "trees", 0)
WRONG: dict[str, tuple[Callable[[Documents], None], str]] = {
    "a missing file": (gone("lists.json"), "lists.json: the file is missing"),
    "a file nobody names": (put("extra.json")({}), "extra.json: no part of the manifest names this file"),
    "an unknown field": (put("routes.json", "speed")(1), "routes.json speed: Extra inputs are not permitted"),
    "another format": (put("manifest.json", "format")(3), "manifest.json format: Input should be 2"),
    "a better score gets less": (put("prices.json", "standard", 0, "limit_fen")(100), "rows A and B: the better score gets the lower limit"),
    "a better score pays more": (put("prices.json", "standard", 2, "annual_rate")("0.05"), "rows B and C: the better score gets the higher rate"),
    "a better score pays a fee": (put("prices.json", "standard", 0, "fee_rate")("0.02"), "the better score gets the higher rate or fee"),
    "a better score waits longer": (put("prices.json", "standard", 0, "flow")("extended"), "the better score gets the longer flow"),
    "a better score must show more": (put("prices.json", "standard", 0, "requires")(["taobao"]), "the better score is asked for more evidence"),
    "scores that do not fall": (put("prices.json", "standard", 0, "min_score")(600), "min_score does not fall"),
    "a rate that is no number": (put("prices.json", "standard", 0, "annual_rate")("ten"), "prices.json standard.0.annual_rate"),
    "a rate above 1": (put("prices.json", "standard", 2, "annual_rate")("25"), "prices.json standard.2.annual_rate"),
    "evidence nobody can have": (put("prices.json", "standard", 2, "requires")(["crystal_ball"]), "unknown evidence crystal_ball"),
    "an empty table": (put("prices.json", "standard")([]), "prices.json standard: List should have at least 1 item"),
    "points that fall": (put("scorecards/main.json", "characteristics", 0, "bins", 5, "points")(1), "zhima_score: declared monotone, but the points fall"),
    "bins that do not rise": (put("scorecards/main.json", "characteristics", 0, "bins", 1, "from")(900), "zhima_score: the bins do not rise"),
    "a variable nobody declares": (put("scorecards/main.json", "characteristics", 0, "variable")("shoe"), "there is no variable shoe"),
    "better evidence gets fewer points": (put("variables.json", "variables", 2, "better")("lower"), "better values of zhima_score get fewer points"),
    "a rule twice": (cell(1, "_id", "R01"), "rule R01 stands there twice"),
    "a rule that passes": (cell(1, "outcome", '"pass"'), "rule R02: outcome 'pass': a rule may refuse, send to review"),
    "a rule without a reason": (cell(1, "reason", ""), "rule R02: reason None is no code"),
    "a cell that does not compile": (cell(1, "age", "> > 60"), "rule R02: age '> > 60' cannot be read"),
    "an answer by chance": (cell(1, "age", "rand(100)"), "'rand(' gives another answer each time"),
    "a column nobody knows": (lambda made: jdm.table(made["rules/hard.json"])["inputs"][0].update({"field": "shoe"}), "inputs.shoe: there is no variable shoe"),
    "a function": (node("functionNode"), "a functionNode may not decide"),
    "no graph": (put("rules/hard.json")([]), "this is no decision table in a JDM graph"),
    "a list that is not there": (put("lists.json")({}), "no list blacklist"),
    "a reason without words": (put("reasons.json", "too_old")({"en": "too old"}), "reasons.json too_old.zh: Field required"),
    "a reason that is not there": (lambda made: made["reasons.json"].pop("too_old"), "reasons.json too_old: it needs a text in en and zh"),
    "a sum over the policy": (put("manifest.json", "tables", 0, "hit_policy")("C+"), "C+ adds up one output, not 2"),
    "order without priorities": (put("manifest.json", "tables", 0, "hit_policy")("O"), "O needs priorities"),
    "a value without priority": (put("manifest.json", "tables", 0, "priorities")({"outcome": ["review"]}), "outcome 'reject', which has no priority"),
    "a segment nobody declares": (put("routes.json", "segments")(["thin"]), "'thick' is no segment"),
    "a route that is not there": (put("routes.json", "routes")([{"scene": "rent", "scorecard": "main"}]), "no route for scene cash, segment thin"),
    "a route to nowhere": (put("routes.json", "routes", 0, "scorecard")("gone"), "routes.0.scorecard: there is no scorecard gone"),
    "half a dual wheel": (put("routes.json", "routes", 0, "model")(None), "model and combination go together"),
    "a default outside the range": (put("variables.json", "variables", 9, "default")(99), "periods: its default does not fit: 99 is above 60"),
    "a source nobody has": (put("variables.json", "variables", 2, "sources", 0, "from")("oracle"), "there is no source oracle"),
    "a sum of nothing known": (put("variables.json", "variables", 6, "sum_of")(["shoe"]), "it is made from shoe"),
    "a combination turned round": (put("combinations/main.json", "cells")([["pass"] * 3, ["pass"] * 3, ["pass"] * 3, ["reject"] * 3]), "treated more strictly"),
    "a combination with a hole": (put("combinations/main.json", "cells", 0)(["pass"]), "4 rows of 3 cells are needed"),
    "a tree that bites itself": (put(*TREE, "left")([0, -1, -1]), "trees.0: a child does not stand behind its parent"),
    "a tree with a loose node": (put(*TREE, "right")([1, -1, -1]), "trees.0: a node has not exactly one parent"),
    "arrays of unlike length": (put(*TREE, "value")([0.0]), "trees.0: the arrays are not all of the same length"),
    "a feature that is not there": (put(*TREE, "feature")([9, -1, -1]), "trees.0: a node splits by a feature that is not there"),
    "a tree against its direction": (put(*TREE, "value")([0.0, -1.0, 1.0]), "trees.0: zhima_score is declared monotone and is not"),
    "a model that ignores better": (put("models/main.json", "features", 0, "monotone")("no"), 'declare "monotone": "down"'),
    "codes that are no categories": (put("models/main.json", "trees", 5, "codes", 0)([7]), "codes that are none of its categories"),
}  # fmt: skip


@pytest.mark.parametrize("change, found", WRONG.values(), ids=WRONG)
def test_a_wrong_package_is_refused_and_the_fault_is_named(change: Callable[[Documents], None], found: str) -> None:
    made = documents()
    change(made)
    assert found in refused(made)


def test_all_faults_are_named_at_once() -> None:
    made = documents()
    for name in ("a better score gets less", "a list that is not there", "a segment nobody declares"):
        WRONG[name][0](made)
    said = refused(made)
    assert all(WRONG[name][1] in said for name in ("a better score gets less", "a list that is not there", "a segment nobody declares"))


@pytest.mark.parametrize(
    "content, found",
    [
        (b"{", "cannot be read"),
        (b"\xff\xfe", "cannot be read"),
        (b'{"a": 1, "a": 2}', "the key 'a' stands twice"),
        (b"null", "it is null"),
        (b"[]", "valid dictionary"),
    ],
)
def test_garbage_is_refused(content: bytes, found: str) -> None:
    with pytest.raises(BadPackage, match=found):
        reading.parse({**FILES, "lists.json": content}, "here")


def test_no_folder_is_no_package(tmp_path: Path) -> None:
    with pytest.raises(BadPackage, match=r"manifest\.json: it cannot be read"):
        reading.read(tmp_path)


def test_a_package_has_its_time() -> None:
    made = documents()
    made["manifest.json"]["effective"] = {"from": "2026-02-01", "until": "2026-12-31"}
    files = {name: writing.encoded(each) for name, each in made.items()}
    assert reading.parse(files, "here").effective_from == date(2026, 2, 1)
    assert reading.parse(files, "here", date(2026, 12, 31)).effective_until == date(2026, 12, 31)
    for day, found in ((date(2026, 1, 31), "it is in effect from 2026-02-01 on"), (date(2027, 1, 1), "it was in effect until 2026-12-31")):
        with pytest.raises(BadPackage, match=found):
            reading.parse(files, "here", day)


def test_points_come_from_woe_as_the_worked_example_says() -> None:
    """PDO 20, 600 at 50:1; b0 -3.2, b (-0.9, -0.8), WoE (0.45, -0.30): points 301.4135 + 282.8027 = 584.2163."""
    made = documents()
    both = [("zhima_score", -0.9, 0.45), ("age", -0.8, -0.30)]
    made["scorecards/main.json"] = {
        "kind": "woe", "intercept": -3.2, "scaling": {"pdo": 20, "base_score": 600, "base_odds": 50},
        "characteristics": [{"id": name, "variable": name, "coefficient": b, "missing": {"woe": 0}, "bins": [{"woe": woe}]} for name, b, woe in both],
    }  # fmt: skip
    card = reading.parse({name: writing.encoded(each) for name, each in made.items()}, "here").scorecards["main"]
    assert [round(each.bins[0].points, 4) for each in card.characteristics] == [301.4135, 282.8027]
    assert not card.is_integer
    made["scorecards/main.json"]["rounding"] = "whole"
    whole = reading.parse({name: writing.encoded(each) for name, each in made.items()}, "here").scorecards["main"]
    assert [each.bins[0].points for each in whole.characteristics] == [301.0, 283.0]
    assert whole.is_integer


def test_every_tree_of_the_shipped_model_keeps_its_directions() -> None:
    model = PACKAGE.models["main"]
    assert [monotone.first_unsteady(model, at) for at, feature in enumerate(model.features) if feature.monotone] == [None] * 4
    assert copy.deepcopy(model) == model
