"""The process dies at every write it makes, before or after the write took effect; another one takes over and the rollout ends the same."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest

from ctl.backends.clock import ManualClock
from ctl.backends.runtimes.memory import MemoryRuntime
from ctl.control.doors import Doors
from ctl.model.rollout import Phase
from ctl.model.service import Handover, Strategy
from tests.control.stage import Figures, Stage, a_service, memory_doors, rolled_by

WRITES = {"ensure", "drain", "remove", "set_routes", "register", "deregister", "append", "save"}


class Died(Exception):
    """The process was killed; nothing in it catches this."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """A rollout of 1.1.0 over a live 1.0.0, and how it must end."""

    strategy: Strategy = Strategy.ROLLING
    handover: Handover = Handover.NONE
    error_pct: int = 0
    aborts: bool = False
    ends: Phase = Phase.CERTIFIED


STORIES = {
    "rolling": Story(),
    "canary": Story(strategy=Strategy.CANARY),
    "blue-green": Story(strategy=Strategy.BLUE_GREEN),
    "standby": Story(handover=Handover.STANDBY),
    "bad canary": Story(strategy=Strategy.CANARY, error_pct=50, ends=Phase.ROLLED_BACK),
    "aborted canary": Story(strategy=Strategy.CANARY, aborts=True, ends=Phase.ROLLED_BACK),
}


class Mortal:
    """A port whose n-th write (counted over all ports) kills the process, before the write or right after it took effect."""

    def __init__(self, port: Any, count: Callable[[str], None]) -> None:
        self._port, self._count = port, count

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._port, name)
        if name not in WRITES:
            return found

        def write(*args: Any, **more: Any) -> Any:
            self._count(f"before {name}")
            answer = found(*args, **more)
            self._count(f"after {name}")
            return answer

        return write


class Fate:
    """Counts the moments around every write and kills at one of them; `at` None lets live and only counts."""

    def __init__(self, at: int | None = None) -> None:
        self.at, self.moments = at, []

    def count(self, moment: str) -> None:
        self.moments.append(moment)
        if len(self.moments) - 1 == self.at:
            raise Died(moment)

    def over(self, doors: Doors) -> Doors:
        ports = ("runtime", "traffic", "registry", "journal", "rollouts")
        return replace(doors, **{name: Mortal(getattr(doors, name), self.count) for name in ports})


class Witness:
    """Remembers every process that was ever there, as (slot, generation)."""

    def __init__(self, doors: Doors) -> None:
        assert isinstance(doors.runtime, MemoryRuntime)
        self._runtime = doors.runtime
        self.seen: set[tuple[str, int]] = set()
        doors.runtime.on_change(self.look)

    def look(self, service: str) -> None:
        groups = self._runtime.observe().get(service, ())
        self.seen.update((one.id, one.generation) for group in groups for one in group.instances)


def prepared(story: Story) -> tuple[Doors, Witness]:
    """Return doors behind which 1.0.0 is live and 1.1.0 has just been asked for."""
    replicas = 1 if story.handover is Handover.STANDBY else 3
    doors = memory_doors([a_service(replicas=replicas, policy=rolled_by(story.strategy), handover=story.handover)])
    witness = Witness(doors)
    stage = Stage(doors)
    stage.live("1.0.0")
    stage.settle()
    assert isinstance(doors.metrics, Figures)
    doors.metrics.error_pct["1.1.0"] = story.error_pct
    stage.build("1.1.0")
    stage.plane.deploy("risk", "1.1.0")
    return doors, witness


def lived(story: Story, stage: Stage) -> None:
    if story.aborts and not stage.last().abort_why:
        stage.go(until=lambda: not stage.active() or stage.last().phase is Phase.JUDGING or bool(stage.last().abort_why))
        if stage.active() and not stage.last().abort_why:
            stage.plane.abort("risk", reason="told to")
    stage.go()
    stage.settle()


def moments(story: Story) -> list[str]:
    fate = Fate()
    lived(story, Stage(fate.over(prepared(story)[0])))
    return fate.moments


def result(doors: Doors, witness: Witness) -> dict[str, Any]:
    """Return what must be the same whether or not somebody died: the end, the fleet, the traffic, and every process that was ever started."""
    stage = Stage(doors)
    ended = stage.last()
    return {
        "phase": ended.phase,
        "outcome": ended.outcome.split(":")[0],
        "sizes": stage.sizes(),
        "weights": stage.weights(),
        "registered": sorted(entry.release for entry in doors.registry.instances()["risk"]),
        "stable": doors.rollouts.stable(),
        "started": sorted(witness.seen),
        "phases": stage.phases(ended.id),
    }


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "moment" in metafunc.fixturenames:
        cases = [(name, number, moment) for name, story in STORIES.items() for number, moment in enumerate(moments(story))]
        metafunc.parametrize(("name", "number", "moment"), cases, ids=[f"{name}-{number}-{moment.replace(' ', '-')}" for name, number, moment in cases])


EXPECTED: dict[str, dict[str, Any]] = {}


def expected(name: str) -> dict[str, Any]:
    if name not in EXPECTED:
        doors, witness = prepared(STORIES[name])
        lived(STORIES[name], Stage(doors))
        EXPECTED[name] = result(doors, witness)
    return EXPECTED[name]


@pytest.mark.parametrize("name", STORIES)
def test_undisturbed(name: str) -> None:
    assert expected(name)["phase"] is STORIES[name].ends
    assert {generation for _, generation in expected(name)["started"]} == {1}


def test_killed_at(name: str, number: int, moment: str) -> None:
    story, fate = STORIES[name], Fate(number)
    doors, witness = prepared(story)
    with pytest.raises(Died, match=moment):
        lived(story, Stage(fate.over(doors)))
    clock = doors.clock
    assert isinstance(clock, ManualClock)
    clock.advance(0.3)
    heir = Stage(replace(doors, holder="second"), is_gone=lambda holder: holder == "first")
    heir.recover()
    lived(story, heir)
    assert result(doors, witness) == expected(name)
    assert doors.journal.verify() == len(heir.events())
    outcomes = heir.events("action.outcome")
    for event in heir.events("action.intent"):
        assert [each for each in outcomes if each.seq > event.seq and each.body["id"] == event.body["id"]], f"no outcome of {event.body['does']}"


def test_every_kind_of_write_is_died_at() -> None:
    seen = {moment.split(" ")[1] for story in STORIES.values() for moment in moments(story)}
    assert seen == WRITES
