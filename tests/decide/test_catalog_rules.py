"""What must hold in a catalog: the stories of catalog_rules.json for one service, then what is wrong between services."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from ctl.decide import catalog_rules
from ctl.model import codec
from ctl.model.catalog import Entry, Finding
from ctl.model.service import Layer, Service

STORIES = json.loads((Path(__file__).parent / "catalog_rules.json").read_text(encoding="utf-8"))
PLAIN = {"name": "risk", "domain": "risk", "owner": "team", "tier": 1, "kind": "http", "artifact": {"include": ["app"], "command": ["python"]}}
OTHER = Entry(name="other")


def service(changes: Mapping[str, Any]) -> Service:
    return codec.from_json(Service, PLAIN | changes)


def said(findings: tuple[Finding, ...]) -> list[tuple[str, str, str]]:
    return [(one.service, ".".join(map(str, one.field)), one.message) for one in findings]


@pytest.mark.parametrize("story", STORIES, ids=lambda story: str(story["story"]))
def test_story(story: Mapping[str, Any]) -> None:
    entry = Entry(name="risk", services={"local": service(story["service"]), "prod": service(story["service"])})
    findings = catalog_rules.judge([entry, OTHER])
    assert [[field, message] for _, field, message in said(findings)] == story["findings"]
    assert all(one.remedy for one in findings), "every finding says what to do"
    assert all(one.environment == "" for one in findings), "what is wrong everywhere is said once"


def test_what_is_wrong_in_one_environment_names_it() -> None:
    entry = Entry(name="risk", services={"local": service({"rollout": {"min_ready_s": 400}}), "prod": service({})})
    [finding] = catalog_rules.judge([entry])
    assert finding.environment == "local"


def test_an_entry_that_could_not_be_read_is_judged_by_its_dependencies_alone() -> None:
    unread = Entry(name="risk", depends_on=("other", "nowhere"))
    assert said(catalog_rules.judge([unread, OTHER])) == [("risk", "depends_on.1", 'no service "nowhere"')]


def test_a_wrong_name_comes_with_the_right_one() -> None:
    findings = catalog_rules.judge([Entry(name="approval", depends_on=("fruad",)), Entry(name="fraud")])
    assert [one.remedy for one in findings] == ["did you mean fraud?"]


def test_a_cycle_stands_at_the_arrow_that_closes_it() -> None:
    entries = [Entry(name="approval", depends_on=("risk", "contract")), Entry(name="contract", depends_on=("approval",)), Entry(name="risk")]
    assert said(catalog_rules.judge(entries)) == [("approval", "depends_on.1", "cycle: approval → contract → approval")]


def test_every_service_after_the_first_with_a_port_is_told_so() -> None:
    entries = [Entry(name="a", ports={"http": 0, "sftp": 2022}), Entry(name="b", ports={"ssh": 2022}), Entry(name="c", ports={"http": 0})]
    assert said(catalog_rules.judge(entries)) == [("b", "ports.ssh", "2022 is a port of a as well")]


def test_arrows_go_down() -> None:
    layers = {"sms": Layer.BASE, "risk": Layer.MIDDLE, "app": Layer.FRONT}
    allowed = {("app", "risk"), ("app", "sms"), ("risk", "sms")}
    for one in layers:
        for other in set(layers) - {one}:
            findings = catalog_rules.judge([Entry(name=one, layer=layers[one], depends_on=(other,)), Entry(name=other, layer=layers[other])])
            assert bool(findings) == ((one, other) not in allowed), f"{one} on {other}"
