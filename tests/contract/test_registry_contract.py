"""What every registry must do; the same tests over memory and over the embedded one in SQLite."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from ctl.backends.registry.memory import MemoryRegistry
from ctl.backends.store.engine import open_engine
from ctl.backends.store.fleet import SqlRegistry
from ctl.model.fleet import RegistryEntry
from ctl.ports import Registry


@pytest.fixture(params=["memory", "sqlite"])
def registry(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Registry]:
    if request.param == "memory":
        yield MemoryRegistry()
        return
    database = open_engine(tmp_path / "state.db")
    yield SqlRegistry(database)
    database.close()


def entry(number: int, *, service: str = "risk", address: str = "127.0.0.1:1") -> RegistryEntry:
    return RegistryEntry(id=f"{service}-1.0.0-aa-{number}", service=service, release="1.0.0-aa", address=address, zone="a")


def test_a_new_registry_knows_nobody(registry: Registry) -> None:
    assert dict(registry.instances()) == {}


def test_instances_are_listed_by_service_in_order(registry: Registry) -> None:
    registry.register([entry(2), entry(1), entry(1, service="fraud")])
    registry.register([entry(3)])
    assert dict(registry.instances()) == {"fraud": (entry(1, service="fraud"),), "risk": (entry(1), entry(2), entry(3))}


def test_registering_again_replaces(registry: Registry) -> None:
    registry.register([entry(1)])
    registry.register([entry(1, address="127.0.0.1:2")])
    registry.register([entry(1, address="127.0.0.1:2")])
    assert registry.instances()["risk"] == (entry(1, address="127.0.0.1:2"),)
    registry.register([replace(entry(1), service="fraud")])
    assert set(registry.instances()) == {"fraud"}, "an id is in one place"


def test_deregistering_takes_away_and_unknown_ids_are_nothing_to_do(registry: Registry) -> None:
    registry.register([entry(1), entry(2)])
    registry.deregister([entry(1).id, "nobody"])
    registry.deregister([])
    registry.register([])
    assert registry.instances()["risk"] == (entry(2),)
    registry.deregister([entry(2).id])
    assert "risk" not in registry.instances()


def test_thousands_at_once(registry: Registry) -> None:
    many = [entry(number) for number in range(3000)]
    registry.register(many)
    assert len(registry.instances()["risk"]) == 3000
    registry.deregister([one.id for one in many[:2999]])
    assert registry.instances()["risk"] == (entry(2999),)


def test_what_was_returned_does_not_change(registry: Registry) -> None:
    registry.register([entry(1)])
    before = registry.instances()
    registry.deregister([entry(1).id])
    assert before["risk"] == (entry(1),)
