"""The catalog's commands: from the files of this machine without any plane, or from a server that is named."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import ctl
from ctl.model.view import MistakeView
from tests.cli.console import Console
from tests.cli.memory_plane import MemoryPlane

MISTAKES = [
    MistakeView(file="catalog/middle/risk.yaml", line=14, field="replicas.prod", message='"three" is not a number', remedy="write 3"),
    MistakeView(file="catalog/front/h5.yaml", line=9, field="", message='duplicate key "owner" (first at line 4)', remedy="keep one"),
]


@pytest.fixture
def files(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> SimpleNamespace:
    """Put a wiring in place that knows a catalog and its mistakes, and nothing else: no store, no daemon."""
    (tmp_path / "catalog" / "middle").mkdir(parents=True)
    for name in ("risk", "fraud", "approval", "ledger"):
        (tmp_path / "catalog" / "middle" / f"{name}.yaml").touch()
    monkeypatch.setenv("MSXFCTL_CATALOG", str(tmp_path / "catalog"))
    known = SimpleNamespace(plane=MemoryPlane(), mistakes=list[MistakeView]())
    wiring = SimpleNamespace(
        open_catalog=lambda settings: known.plane, catalog_mistakes=lambda settings: known.mistakes, catalog_schema=lambda: {"type": "object"}
    )
    monkeypatch.setattr(ctl, "wiring", wiring, raising=False)
    return known


def document(console: Console, *args: str) -> Any:
    ran = console.run("catalog", *args, "-o", "json")
    assert ran.status == 0, ran.err
    assert console.plane.calls == [], "the plane is not opened"
    return ran.document


def test_list_filters(files: SimpleNamespace, console: Console) -> None:
    files.plane.known["fraud"]["spec"]["tier"] = 0
    assert [spec["name"] for spec in document(console, "list")["services"]] == ["approval", "fraud", "ledger", "risk"]
    assert [spec["name"] for spec in document(console, "list", "--tier", "0")["services"]] == ["fraud"]
    assert document(console, "list", "--owner", "nobody", "--domain", "middle")["services"] == []
    text = console.run("catalog", "list", "--color", "never", terminal=True).out
    assert text.startswith("4 services   environment local   revision a1b2c3d4")


def test_show_prints_what_is_declared(files: SimpleNamespace, console: Console) -> None:
    assert document(console, "show", "risk")["scale"] == {"min": 1, "max": 12}
    text = console.run("catalog", "show", "risk").out
    assert "\nscale\n  min            1\n  max            12\n" in text
    assert "depends_on     feature-store, product" in text
    assert "  - route          /\n    rps            200" in text


def test_show_of_an_unknown_service(files: SimpleNamespace, console: Console) -> None:
    ran = console.run("catalog", "show", "fruad")
    assert (ran.status, "did you mean fraud?" in ran.err) == (4, True)


def test_graph_and_impact(files: SimpleNamespace, console: Console) -> None:
    assert document(console, "graph")["edges"] == files.plane.edges
    assert document(console, "impact", "risk")["fronts"] == ["app", "h5"]
    assert "when risk is down: 1 suffer at once, 3 in all, 2 fronts among them" in console.run("catalog", "impact", "risk").out
    assert "    gateway\n      fraud" in console.run("catalog", "graph", "approval").out
    assert "    2  approval  gateway, risk" in console.run("catalog", "graph").out


def test_validate_without_a_mistake(files: SimpleNamespace, console: Console) -> None:
    assert console.run("catalog", "validate").out.startswith("● 4 services, no mistake.")
    assert document(console, "validate")["mistakes"] == []


def test_validate_names_every_mistake(files: SimpleNamespace, console: Console) -> None:
    files.mistakes = MISTAKES
    ran = console.run("catalog", "validate")
    assert ran.status == 1
    assert 'catalog/middle/risk.yaml:14   replicas.prod: "three" is not a number   write 3\n' in ran.out
    assert 'catalog/front/h5.yaml:9   duplicate key "owner" (first at line 4)   keep one\n' in ran.out
    assert "2 mistakes in 4 services; nothing was loaded." in ran.out
    assert console.run("catalog", "validate", "-o", "json").document["mistakes"] == MISTAKES


def test_schema_is_json_whatever_was_asked(files: SimpleNamespace, console: Console) -> None:
    assert json.loads(console.run("catalog", "schema").out) == {"type": "object"}
