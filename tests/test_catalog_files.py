"""The company's catalog: valid in every environment, of the right shape, with an example and a schema that say what the files are read by."""

import re
import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from ctl.backends.catalog import folder as catalogs
from ctl.backends.catalog import jsonschema, reading
from ctl.backends.catalog.fields import ServiceFile
from ctl.backends.catalog.folder import YamlCatalog
from ctl.decide import catalog
from ctl.decide.catalog_rules import judge
from ctl.model.service import CatalogSnapshot, Handover, Kind, Layer, Share, Strategy

CATALOG = Path(__file__).parent.parent / "catalog"
APPS = ("risk", "fraud", "approval", "ledger")


@pytest.fixture(scope="module")
def company() -> CatalogSnapshot:
    return YamlCatalog(CATALOG, "local", judge=judge).snapshot()


# --- the company ---


def test_the_whole_catalog_is_valid_in_every_environment() -> None:
    assert catalogs.mistakes(CATALOG, judge=judge) == []
    revisions = {YamlCatalog(CATALOG, environment, judge=judge).snapshot().revision for environment in ("local", "staging", "prod")}
    assert len(revisions) == 1


def test_it_is_a_platform_base_a_big_middle_and_small_fronts(company: CatalogSnapshot) -> None:
    assert len(company.services) >= 312
    assert catalogs.count(CATALOG) == len(company.services)
    layers = Counter(service.layer for service in company.services.values())
    assert layers[Layer.MIDDLE] > layers[Layer.BASE] > layers[Layer.FRONT] > 20


def test_its_services_are_not_copies_of_each_other(company: CatalogSnapshot) -> None:
    services = company.services.values()
    assert len({service.summary for service in services}) == len(services)
    numbered = {name for name in company.services if re.search(r"\d$", name)}
    assert numbered <= {"h5", "customer-360"}, "real names, not numbers"
    assert len({service.owner for service in services}) >= 25
    assert Counter(service.tier for service in services).keys() == {0, 1, 2, 3}
    assert {service.kind for service in services} == set(Kind)
    assert {service.rollout.strategy for service in services} == set(Strategy)


def test_its_map_is_believable(company: CatalogSnapshot) -> None:
    levels = catalog.levels(catalog.graph(company.services))
    assert 5 <= max(levels.values()) <= 8
    few = [service for service in company.services.values() if 1 <= len(service.depends_on) <= 4]
    assert len(few) > 0.9 * len(levels)
    assert {"app", "h5", "mini-program"} <= set(catalog.impact(company.services, "sms").fronts)


def test_tier_0_never_misses_an_instance(company: CatalogSnapshot) -> None:
    assert {service.rollout.unavailable.value for service in company.services.values() if service.tier == 0} == {0}


def test_the_four_apps_stand_as_the_demo_needs_them(company: CatalogSnapshot) -> None:
    known = company.services
    assert {name: known[name].replicas for name in APPS} == {"risk": 3, "fraud": 2, "approval": 2, "ledger": 1}
    assert {service.replicas for name, service in known.items() if name not in APPS} == {1}
    assert set(known["approval"].depends_on) == {"fraud", "risk", "ledger"}
    assert known["risk"].depends_on == known["fraud"].depends_on == known["ledger"].depends_on == ()
    assert [name for name, service in known.items() if service.handover is Handover.STANDBY] == ["ledger"]
    for name in APPS:
        assert known[name].artifact.include == ("ctl/__init__.py", "ctl/kit", "reference_apps/__init__.py", f"reference_apps/{name}")
        assert known[name].artifact.command == ("python", "-m", f"reference_apps.{name}")
    assert known["sms"].artifact.command == ("python", "-m", "reference_apps.sample")


def test_risk_has_a_short_canary_on_one_machine_and_a_long_one_in_prod(company: CatalogSnapshot) -> None:
    local, prod = company.services["risk"].rollout, YamlCatalog(CATALOG, "prod", judge=judge).snapshot().services["risk"].rollout
    assert [(step.weight_pct, step.step_s) for step in local.steps] == [(20, 5), (50, 4)]
    assert (local.gate.window_s, local.gate.min_requests, local.gate.max_error_pct, local.gate.max_p99_ratio, local.gate.min_p99_ms) == (3, 8, 1, 3, 150)
    assert (local.min_ready_s, local.bake_s, local.drain_s) == (0.5, 1, 10)
    assert [(step.weight_pct, step.step_s) for step in prod.steps] == [(1, 300), (5, 300), (25, 300), (50, 300)]
    assert prod.surge == Share(value=25, percent=True)
    assert prod.bake_s == 600


# --- the example and the schema ---


def test_the_example_has_every_field_there_is() -> None:
    document = reading.read("example.yaml", (CATALOG / "example.yaml").read_bytes())
    written = {".".join(part for part in path if isinstance(part, str)) for path in document.lines}
    known = set(fields(ServiceFile.model_json_schema()))
    assert {"rollout.gate.window_s", "rollout.steps.pause", "degrade.without", "limits.burst", "artifact.include"} <= known
    assert sorted(known - written) == []


def fields(schema: dict[str, Any]) -> Iterable[str]:
    """Every dotted field of a JSON Schema; the fields of one environment's rollout are those of rollout."""

    def below(node: dict[str, Any], path: str) -> Iterable[str]:
        node = schema["$defs"][node["$ref"].removeprefix("#/$defs/")] if "$ref" in node else node
        for each in (node, node.get("items", {}), *node.get("anyOf", ())):
            if "$ref" in each and each is not node:
                yield from below(each, path)
            for name, field in each.get("properties", {}).items():
                here = f"{path}.{name}" if path else name
                yield here
                yield from below(field, here)

    return [field for field in below(schema, "") if not field.startswith("environments.")]


def test_the_schema_for_editors_is_the_one_the_files_are_read_by() -> None:
    written = (CATALOG / "schema" / "service.schema.json").read_text(encoding="utf-8")
    assert written == jsonschema.service_schema(), "python -m ctl.backends.catalog.jsonschema catalog/schema/service.schema.json"


# --- speed ---


def test_it_is_read_fast_and_not_again_while_nothing_changes(company: CatalogSnapshot) -> None:
    backend = YamlCatalog(CATALOG, "local", judge=judge)
    began = time.process_time()
    first = backend.snapshot()
    cold_s = time.process_time() - began
    began = time.process_time()
    assert all(backend.snapshot() is first for _ in range(20))
    idle_s = (time.process_time() - began) / 20
    assert cold_s < 1.5, "the goal is 0.3 s; a busy machine gets some leave"
    assert idle_s < 0.02, "the goal is 2 ms"
    assert first == company
