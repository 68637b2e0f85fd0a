"""What the documents say is what the code does: the picture of the phases, the tables of the rules, the verbs."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from ctl.decide import diagram, sizing
from ctl.model.rollout import TRANSITIONS, Phase
from ctl.model.service import Gate, RolloutPolicy, Share, Strategy

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
RULES = (DOCS / "rollout-rules.md").read_text()
LINK = re.compile(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)")


def rows(heading: str) -> Iterator[list[str]]:
    """Yield the rows of the first table below a heading."""
    lines = iter(RULES.split(f"\n{heading}\n", 1)[1].splitlines())
    for line in list(until_end(lines))[2:]:
        yield [cell.strip() for cell in line.strip("|").split("|")]


def until_end(lines: Iterator[str]) -> Iterator[str]:
    begun = False
    for line in lines:
        if line.startswith("|"):
            begun = True
            yield line
        elif begun:
            return


def test_the_picture_of_the_phases_is_drawn_from_the_table() -> None:
    drawn = RULES.split("<!-- phases: generated from TRANSITIONS -->\n", 1)[1].split("<!-- /phases -->", 1)[0]
    assert drawn == f"```mermaid\n{diagram.mermaid(TRANSITIONS)}\n```\n", "draw it anew with ctl.decide.diagram.mermaid(TRANSITIONS)"


def test_every_arrow_is_in_the_picture() -> None:
    arrows = {tuple(line.split(" --> ")) for line in map(str.strip, diagram.mermaid(TRANSITIONS).splitlines()) if "-->" in line}
    expected = {(phase.value, to.value) for phase, onward in TRANSITIONS.items() for to in onward}
    ends = {(phase.value, "[*]") for phase, onward in TRANSITIONS.items() if not onward}
    assert arrows == expected | ends | {("[*]", "planned")}


def test_every_phase_is_explained() -> None:
    after = RULES.split("<!-- /phases -->", 1)[1]
    explained = {name.strip() for line in after.splitlines() if line.startswith("| ") for name in line.split("|")[1].split(",")}
    assert {phase.value for phase in Phase} <= explained


def test_the_table_of_bounds_is_right() -> None:
    def share(text: str) -> Share:
        return Share(value=int(text.removesuffix(" %")), percent=text.endswith(" %"))

    found = list(rows("## Bounds"))
    assert len(found) == 4
    for surge, unavailable, desired, resolved in found:
        assert sizing.resolve(share(surge), share(unavailable), int(desired)) == tuple(int(one) for one in resolved.split(", "))


def test_every_strategy_and_every_limit_is_named() -> None:
    for strategy in Strategy:
        assert strategy.value in RULES
    fields = {*RolloutPolicy.__slots__, *Gate.__slots__} - {"steps", "gate", "strategy", "surge", "unavailable"}
    assert [name for name in sorted(fields) if f"`{name}" not in RULES and f".{name}" not in RULES] == []


def test_the_verbs_are_those_of_the_table_of_tests() -> None:
    verbs = json.loads((ROOT / "tests" / "decide" / "verbs.json").read_text())["verbs"]
    explained = {row[0].replace("--", "") for row in rows("## What a person may do")}
    assert set(verbs) <= explained


@pytest.mark.parametrize("path", sorted([*DOCS.rglob("*.md"), ROOT / "README.md", ROOT / "CHANGELOG.md"]), ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(path: Path) -> None:
    broken = [target for target in LINK.findall(path.read_text()) if not (path.parent / target).exists()]
    assert broken == []
