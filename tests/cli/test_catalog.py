"""The catalog's commands over the real files of this project: without a plane, without a store; or from a server that is named."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli.console import Console

ROOT = Path(__file__).parents[2]


@pytest.fixture
def files(console: Console, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Console]:
    """A console over this project's catalog, in a home that must stay empty and with a plane that must not be opened."""
    monkeypatch.setenv("MSXFCTL_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("MSXFCTL_ROOT", str(ROOT))
    yield console
    assert console.plane.calls == []
    assert not (tmp_path / "home").exists(), "no store is opened"


def document(files: Console, *args: str) -> Any:
    ran = files.run("catalog", *args, "-o", "json")
    assert ran.status == 0, ran.err
    return ran.document


def test_list_filters(files: Console) -> None:
    everything = document(files, "list")
    assert (everything["schema"], everything["environment"], len(everything["services"]) >= 310) == ("msxfctl/catalog/1", "local", True)
    chosen = document(files, "list", "--tier", "0", "--domain", "lending")["services"]
    assert chosen == [one for one in everything["services"] if (one["tier"], one["domain"]) == (0, "lending")]
    assert document(files, "list", "--owner", "nobody")["services"] == []
    text = files.run("catalog", "list", "--color", "never", terminal=True).out
    assert text.startswith(f"{len(everything['services'])} services   environment local   revision {everything['revision'][:8]}")


def test_show_prints_what_is_declared(files: Console) -> None:
    spec = document(files, "show", "risk")
    assert (spec["name"], spec["rollout"]["strategy"]) == ("risk", "canary")
    text = files.run("catalog", "show", "risk").out
    assert "\nscale\n  min  2\n  max  60\n" in text
    assert "  surge                     25 %\n" in text
    assert "    - weight_pct  20\n      pause       no\n" in text


@pytest.mark.parametrize("command", ["show", "graph", "impact"])
def test_an_unknown_service_has_a_neighbour(command: str, files: Console) -> None:
    ran = files.run("catalog", command, "aproval")
    assert (ran.status, "did you mean approval?" in ran.err) == (4, True)


def test_graph_shows_what_a_service_stands_on(files: Console) -> None:
    found = document(files, "graph", "approval")
    assert ["approval", "risk"] in found["edges"]
    lines = files.run("catalog", "graph", "approval").out.splitlines()
    assert lines[0] == f"approval stands on {len(found['services']) - 1} services"
    assert "    risk" in lines
    assert files.run("catalog", "graph").out.splitlines()[0].split() == ["LEVEL", "SERVICE", "NEEDS"]


def test_impact_says_who_suffers(files: Console) -> None:
    found = document(files, "impact", "risk")
    assert "approval" in found["direct"]
    assert f"when risk is down: {len(found['direct'])} suffer" in (said := files.run("catalog", "impact", "risk").out)
    assert "  at once  " in said


def test_validate_without_a_mistake(files: Console) -> None:
    assert document(files, "validate")["mistakes"] == []
    assert files.run("catalog", "validate").out.startswith("● 312 services, no mistake.")


def test_validate_names_every_mistake_in_one_run(files: Console, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "catalog"
    shutil.copytree(ROOT / "catalog", folder)
    monkeypatch.setenv("MSXFCTL_CATALOG", str(folder))
    (risk,) = folder.glob("*/risk.yaml")
    risk.write_text(risk.read_text() + "tear: 0\n")
    (approval,) = folder.glob("*/approval.yaml")
    approval.write_text(approval.read_text().replace("fraud", "fruad"))
    ran = files.run("catalog", "validate")
    assert ran.status == 1
    assert "did you mean" in ran.out
    assert f"{risk.relative_to(tmp_path)}:" in ran.out
    assert f"{approval.relative_to(tmp_path)}:" in ran.out
    assert "mistakes in 312 services; nothing was loaded." in ran.out.splitlines()[-1]
    said = files.run("catalog", "validate", "-o", "json").document
    assert {Path(one["file"]).name for one in said["mistakes"]} == {"risk.yaml", "approval.yaml"}
    assert files.run("catalog", "list").status == 2, "and nothing of it is loaded"


def test_schema_is_the_file_that_editors_use(files: Console) -> None:
    assert json.loads(files.run("catalog", "schema").out) == json.loads((ROOT / "catalog" / "schema" / "service.schema.json").read_text())


def test_without_a_catalog_it_says_where_it_looked(files: Console, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MSXFCTL_CATALOG", "/nowhere/at/all")
    ran = files.run("catalog", "list")
    assert (ran.status, "/nowhere/at/all" in ran.err) == (2, True)
