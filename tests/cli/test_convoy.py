"""Deploying several services: in the order of their dependencies, so many at once, and what happens to the rest when one goes wrong."""

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ctl.cli import convoy
from ctl.errors import BackendError, NotFound
from ctl.model.view import RolloutView
from tests.cli.console import Console
from tests.cli.memory_plane import Frame, MemoryPlane, rollout, service

ALL = ("approval", "risk", "fraud")


class Fleet(MemoryPlane):
    """Every rollout takes three looks; `bad` services are taken back. Remembers how many ran at once."""

    def __init__(self, *, bad: Sequence[str] = (), paused: Sequence[str] = ()) -> None:
        super().__init__()
        self.ends = dict.fromkeys(bad, "rolled_back") | dict.fromkeys(paused, "paused")
        self.most = 0

    def deploy(self, service: str, version: str, *, reason: str = "", strategy: str = "", approve: str = "") -> RolloutView:
        self._called("deploy", service=service, version=version)
        end = self.ends.get(service, "certified")
        self.story(service, frame(service), frame(service), frame(service, end))
        self.most = max(self.most, sum(1 for frames in self.stories.values() if frames[0][0]["phase"] == "stepping"))
        return self.stories[service][0][0]

    @property
    def begun(self) -> list[str]:
        return [arguments["service"] for name, arguments in self.calls if name == "deploy"]


def frame(name: str, phase: str = "stepping") -> Frame:
    why = f"{name} does harm" if phase == "rolled_back" else ""
    return rollout(name, phase, id=f"{name}-r7", abort_why=why), service(name)


def sail(plane: MemoryPlane, *more: str, services: Sequence[str] = ALL) -> Any:
    return Console(plane=plane).run("deploy", *services, "--version", "1.5.0", *more)


def test_dependencies_go_first_one_at_a_time() -> None:
    ran = sail(plane := Fleet())
    assert ran.status == 0
    assert sorted(plane.begun[:2]) == ["fraud", "risk"], "approval stands on both, on fraud through gateway"
    assert plane.begun[2] == "approval"
    assert plane.most == 1
    assert ran.out.splitlines()[0] == "3 of 3 services are live"


def test_parallel_lets_strangers_go_together() -> None:
    assert sail(plane := Fleet(), "--parallel", "5").status == 0
    assert plane.most == 2, "approval still waits for both"
    assert plane.begun[2] == "approval"


def test_one_that_goes_wrong_keeps_back_what_stands_on_it() -> None:
    ran = sail(plane := Fleet(bad=["risk"]), "-o", "json")
    assert (ran.status, "approval" in plane.begun) == (6, False)
    told = {each["service"]: each for each in ran.document["deploys"]}
    assert {name: each["result"] for name, each in told.items()} == {"fraud": "good", "risk": "bad", "approval": "bad"}
    assert told["approval"]["error"]["message"] == "approval was not begun: it stands on risk"
    assert told["risk"]["rollout"]["abort_why"] == "risk does harm"


def test_the_rest_is_kept_back_all_the_way_up() -> None:
    plane = Fleet(bad=["product"])
    plane.known["product"] = service("product")
    ran = sail(plane, services=("approval", "risk", "product"))
    assert (ran.status, plane.begun) == (1, ["product"])
    assert ran.out.count("was not begun") == 2


def test_one_that_cannot_begin_counts_as_failed() -> None:
    plane = Fleet()
    plane.failing["deploy"] = NotFound("nothing is built as 1.5.0")
    ran = sail(plane, services=("risk", "fraud"))
    assert (ran.status, ran.out.splitlines()[0]) == (1, "0 of 2 services are live")
    assert "nothing is built as 1.5.0" in ran.out


def test_one_that_waits_for_a_person_is_9_and_keeps_its_dependents_back() -> None:
    assert sail(Fleet(paused=["fraud"]), services=("fraud", "risk")).status == 9
    assert sail(Fleet(paused=["fraud"])).status == 6


def test_no_wait_begins_them_all() -> None:
    assert sail(plane := Fleet(), "--no-wait").status == 0
    assert sorted(plane.begun) == sorted(ALL)


def test_a_timeout_leaves_the_rest_unbegun() -> None:
    plane = Fleet(paused=[])
    plane.ends = dict.fromkeys(ALL, "stepping")
    ran = sail(plane, "--timeout", "20ms", "-o", "json")
    assert (ran.status, len(plane.begun)) == (7, 1)
    assert sorted(each["result"] for each in ran.document["deploys"]) == ["held_back", "held_back", "under way"]


def test_a_service_named_twice_goes_once() -> None:
    assert sail(plane := Fleet(), services=("risk", "risk")).status == 0
    assert plane.begun == ["risk"]


def test_a_circle_is_refused() -> None:
    plane = Fleet()
    plane.edges = [["risk", "fraud"], ["fraud", "risk"]]
    ran = sail(plane, services=("risk", "fraud"))
    assert (ran.status, plane.begun) == (3, [])
    assert "stand on one another" in ran.err


def test_a_plane_that_fails_half_way_is_no_silence() -> None:
    plane = Fleet()
    plane.failing["graph"] = BackendError("no daemon answers")
    assert (sail(plane).status, plane.begun) == (5, [])


names = st.sampled_from("abcdefgh")


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(names, names), max_size=14), st.sets(names, min_size=2))
def test_nobody_goes_before_what_it_stands_on(pairs: list[tuple[str, str]], chosen: set[str]) -> None:
    plane = MemoryPlane()
    plane.known = {name: service(name) for name in "abcdefgh"}
    plane.edges = [[max(pair), min(pair)] for pair in pairs if pair[0] != pair[1]]
    order = list(convoy.ordered(plane, sorted(chosen)))
    assert sorted(order) == sorted(chosen)
    needed = convoy.needs(plane, sorted(chosen))
    assert all(order.index(below) < order.index(name) for name, under in needed.items() for below in under)


def test_a_name_that_nobody_knows_is_not_found() -> None:
    with pytest.raises(NotFound):
        convoy.needs(MemoryPlane(), ["risk", "nobody"])
