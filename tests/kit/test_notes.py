"""What a ready instance lets its probes see."""

import json
from typing import Any

import pytest

from ctl.backends.runtimes import findings
from ctl.kit import health
from ctl.kit.health import Finding
from ctl.kit.life import Life


def test_a_note_stands_beside_ready_and_nothing_follows_from_it() -> None:
    life = Life()
    life.open()
    health.note("a model has drifted", part="models")
    health.note("the table is a week old", part="table")
    assert life.readiness() == (200, {"state": "ready", "note": "a model has drifted; the table is a week old"})
    health.note("", part="models")
    health.note("", part="table")
    assert life.readiness() == (200, {"state": "ready"})


def found(at: int = 0, **more: Any) -> Finding:
    return Finding(**{"kind": "drift", "subject": f"model {at}", "asks": "act", "n": 1204, "said": "it has drifted", **more})


def test_findings_are_said_beside_ready_and_nothing_is_not_the_same_as_none() -> None:
    life = Life()
    life.open()
    health.findings([], part="models")
    assert life.readiness() == (200, {"state": "ready", "findings": []})
    health.findings([found(), found(1, asks="watch")], part="models")
    health.findings([found(2)], part="books")
    said = life.readiness()[1]["findings"]
    assert [(each["subject"], each["asks"]) for each in said] == [("model 0", "act"), ("model 2", "act"), ("model 1", "watch")]
    assert [each.subject for each in findings.read(json.dumps(life.readiness()[1]).encode()) or ()] == ["model 0", "model 2", "model 1"]
    for part in ("models", "books"):
        health.findings(None, part=part)
    assert life.readiness() == (200, {"state": "ready"})


def test_the_gravest_are_said_where_there_are_many() -> None:
    health.findings([*(found(at, asks="watch") for at in range(30)), found(30)], part="models")
    said = health.seen()["findings"]
    health.findings(None, part="models")
    assert (len(said), said[0]["subject"]) == (health.MOST_FINDINGS, "model 30")


@pytest.mark.parametrize("wrong", [{"kind": "Drift"}, {"kind": ""}, {"subject": ""}, {"subject": "x" * 121}, {"said": "x" * 301}, {"n": -1}, {"asks": "now"}])
def test_a_finding_that_cannot_be_said_is_refused_where_it_is_made(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="finding"):
        found(**wrong)
