"""What every Catalog must do, over every backend."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from ctl.backends.catalog.folder import YamlCatalog
from ctl.backends.catalog.memory import MemoryCatalog
from ctl.decide.catalog_rules import judge
from ctl.model.service import ArtifactSource, Kind, Service
from ctl.ports import Catalog

SOURCE = ArtifactSource(include=("reference_apps/risk",), command=("python", "-m", "reference_apps.risk"))
PLAIN = Service(name="plain", domain="risk", owner="team", tier=2, kind=Kind.HTTP, artifact=SOURCE, summary="Does its work.")


def service(name: str, *, tier: int = 2, depends_on: tuple[str, ...] = ()) -> Service:
    return replace(PLAIN, name=name, tier=tier, depends_on=depends_on)


@dataclass(frozen=True)
class Case:
    """A catalog, and how its content is changed from outside."""

    catalog: Catalog
    put: Callable[[Iterable[Service]], None]


def write(folder: Path, services: Iterable[Service]) -> None:
    """Write what the contract varies; the rest is the same in every file."""
    wanted = {f"{one.name}.yaml": one for one in services}
    domain = folder / "risk"
    domain.mkdir(parents=True, exist_ok=True)
    for stale in domain.iterdir():
        if stale.name not in wanted:
            stale.unlink()
    for file, one in wanted.items():
        lines = [f"name: {one.name}", "domain: risk", "owner: team", f"tier: {one.tier}", f"summary: {one.summary}"]
        lines += ["artifact:", "  include: [reference_apps/risk]", "  command: [python, -m, reference_apps.risk]"]
        lines += [f"depends_on: [{', '.join(one.depends_on)}]"]
        (domain / file).write_text("\n".join(lines) + "\n")


@pytest.fixture(params=["memory", "yaml"])
def case(request: pytest.FixtureRequest, tmp_path: Path) -> Case:
    if request.param == "memory":
        held = MemoryCatalog(environment="staging")
        return Case(held, held.replace)
    folder = tmp_path / "catalog"
    folder.mkdir()
    return Case(YamlCatalog(folder, "staging", judge=judge), lambda services: write(folder, services))


def test_an_empty_catalog_is_valid(case: Case) -> None:
    snapshot = case.catalog.snapshot()
    assert snapshot.services == {}
    assert snapshot.environment == "staging"


def test_services_come_by_name_and_in_its_order(case: Case) -> None:
    case.put([service("sms", tier=1), service("approval", depends_on=("sms",))])
    services = case.catalog.snapshot().services
    assert list(services) == ["approval", "sms"]
    assert services["approval"] == service("approval", depends_on=("sms",))
    assert services["sms"].tier == 1


def test_the_revision_is_that_of_the_content(case: Case) -> None:
    case.put([service("sms")])
    first = case.catalog.snapshot().revision
    assert first
    assert case.catalog.snapshot().revision == first
    case.put([service("sms", tier=0)])
    changed = case.catalog.snapshot().revision
    assert changed != first
    case.put([service("sms")])
    assert case.catalog.snapshot().revision == first, "the same content again has the same revision"


def test_a_change_is_seen_at_the_next_look(case: Case) -> None:
    case.put([service("sms"), service("email")])
    before = case.catalog.snapshot()
    case.put([service("sms", tier=0)])
    assert list(case.catalog.snapshot().services) == ["sms"]
    assert list(before.services) == ["email", "sms"], "a snapshot that was given stays as it was"
