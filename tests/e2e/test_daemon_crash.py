"""The real daemon is killed at journalled steps of real rollouts and started again: each ends right, nobody is started twice, no request fails."""

from collections.abc import Iterator
from typing import Any

import pytest

from bench.load import Load
from tests.e2e.gateways import until
from tests.e2e.plant import Plant, assert_none_failed, running_plant, under_load

AT = (
    ("desk", "rollout.phase", "planned", 1),
    ("desk", "action.intent", "have 1 of", 1),
    ("desk", "action.outcome", "send the traffic: 67 %", 1),
    ("desk", "action.intent", "drain 1 of", 2),
    ("desk", "action.outcome", "have 3 of", 1),
    ("desk", "rollout.phase", "baking", 1),
    ("lane", "rollout.phase", "judging", 1),
    ("lane", "action.outcome", "send the traffic: 50 %", 1),
    ("book", "action.intent", "have 1 of", 1),
    ("book", "action.outcome", "drain 1 of", 1),
)


@pytest.fixture(scope="module")
def plant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plant]:
    with running_plant(tmp_path_factory.mktemp("crash")) as plant:
        yield plant


@pytest.fixture(scope="module")
def load(plant: Plant) -> Iterator[Load]:
    with under_load(plant) as load:
        yield load


def is_at(event: dict[str, Any], kind: str, step: str) -> bool:
    said = str(event.get("to") or event.get("does"))
    return bool(event["kind"] == kind and said.startswith(step))


@pytest.mark.parametrize("service, kind, step, nth", AT, ids=[f"{service}-{kind}-{step}-{nth}".replace(" ", "-") for service, kind, step, nth in AT])
def test_killed_at(plant: Plant, load: Load, service: str, kind: str, step: str, nth: int) -> None:
    seen = plant.last_event()
    rollout = plant.release(service)

    def reached() -> bool:
        return len([event for event in plant.events(after=seen) if event["rollout"] == rollout and is_at(event, kind, step)]) >= nth

    until(f"{nth} x {kind} {step}", reached)
    plant.kill_daemon()
    assert not any(is_at(event, "rollout.phase", "certified") for event in plant.events(after=seen)), "it was killed too late to prove anything"
    plant.machine.up()
    plant.certified(rollout)
    plant.settled(service)
    plant.untouched(service)
    plant.no_open_intents()
    plant.intact()
    assert load.tally.failures == []


def test_no_request_failed_in_all_of_it(load: Load) -> None:
    assert_none_failed(load.stop())
