"""The shapes that CLI and API show of the catalog: complete, JSON-ready, in a stable order."""

import json

import pytest

from ctl.backends.catalog.memory import MemoryCatalog
from ctl.control import mapping
from ctl.model.service import ArtifactSource, CatalogSnapshot, Kind, Layer, Service

SOURCE = ArtifactSource(include=("app",), command=("python", "-m", "app"))


def service(name: str, *depends_on: str, layer: Layer = Layer.MIDDLE) -> Service:
    return Service(name=name, domain="lending", owner="team", tier=1, kind=Kind.HTTP, artifact=SOURCE, depends_on=depends_on, layer=layer)


@pytest.fixture
def snapshot() -> CatalogSnapshot:
    services = [service("app", "approval", "sms", layer=Layer.FRONT), service("approval", "risk", "ledger"), service("risk"), service("ledger")]
    return MemoryCatalog([*services, service("sms", layer=Layer.BASE)], environment="prod").snapshot()


def test_everything_is_each_service_with_all_its_fields(snapshot: CatalogSnapshot) -> None:
    shown = mapping.everything(snapshot)
    assert json.loads(json.dumps(shown)) == shown
    assert (shown["revision"], shown["environment"]) == (snapshot.revision, "prod")
    assert list(shown["services"]) == ["app", "approval", "ledger", "risk", "sms"]
    assert shown["services"]["app"]["depends_on"] == ["approval", "sms"]
    assert shown["services"]["app"]["rollout"]["strategy"] == "rolling"


def test_the_graph_has_every_arrow_from_who_calls_to_who_is_called(snapshot: CatalogSnapshot) -> None:
    assert mapping.graph(snapshot) == {
        "services": ["app", "approval", "ledger", "risk", "sms"],
        "edges": [["app", "approval"], ["app", "sms"], ["approval", "risk"], ["approval", "ledger"]],
        "levels": {"app": 2, "approval": 1, "ledger": 0, "risk": 0, "sms": 0},
    }


def test_the_graph_of_a_service_is_what_it_stands_on(snapshot: CatalogSnapshot) -> None:
    assert mapping.graph(snapshot, "approval") == {
        "services": ["approval", "ledger", "risk"],
        "edges": [["approval", "risk"], ["approval", "ledger"]],
        "levels": {"approval": 1, "ledger": 0, "risk": 0},
    }


def test_impact_is_who_suffers(snapshot: CatalogSnapshot) -> None:
    assert mapping.impact(snapshot, "ledger") == {"service": "ledger", "direct": ["approval"], "all": ["app", "approval"], "fronts": ["app"]}
    assert mapping.impact(snapshot, "app") == {"service": "app", "direct": [], "all": [], "fronts": []}
