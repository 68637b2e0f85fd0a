"""The map of the catalog: the stories of catalog.json, then what must hold for every graph."""

import json
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ctl.decide import catalog
from ctl.errors import BadInput
from ctl.model.service import ArtifactSource, Kind, Layer, Service

STORIES = json.loads((Path(__file__).parent / "catalog.json").read_text(encoding="utf-8"))
NAMES = "abcdefgh"
graphs = st.dictionaries(st.sampled_from(NAMES), st.lists(st.sampled_from(NAMES), max_size=4).map(tuple), max_size=len(NAMES))
dags = graphs.map(lambda depends: {name: tuple(each for each in below if each > name) for name, below in depends.items()})
Graph = Mapping[str, Sequence[str]]


def service(name: str, depends_on: Sequence[str] = (), layer: Layer = Layer.MIDDLE) -> Service:
    source = ArtifactSource(include=("app",), command=("python",))
    return Service(name=name, domain="risk", owner="team", tier=2, kind=Kind.HTTP, artifact=source, depends_on=tuple(depends_on), layer=layer)


def closure(depends: Graph) -> set[tuple[str, str]]:
    """Who stands on whom, worked out the slow way: by adding arrows until none is new."""
    pairs = {(name, each) for name, below in depends.items() for each in below if each in depends}
    while True:
        more = pairs | {(one, far) for one, near in pairs for other, far in pairs if near == other}
        if more == pairs:
            return pairs
        pairs = more


@pytest.mark.parametrize("story", STORIES, ids=lambda story: str(story["story"]))
def test_story(story: Mapping[str, Any]) -> None:
    depends = story["depends"]
    assert [catalog.shown(cycle) for cycle in catalog.cycles(depends)] == story["cycles"]
    assert [[one.service, one.dependency, one.near] for one in catalog.missing(depends)] == story["missing"]
    if story["levels"] is None:
        with pytest.raises(BadInput, match=story["cycles"][0]):
            catalog.levels(depends)
    else:
        assert catalog.levels(depends) == story["levels"]
    services = {name: service(name, below) for name, below in depends.items()}
    for name, (direct, everyone) in story.get("impact", {}).items():
        found = catalog.impact(services, name)
        assert [list(found.direct), list(found.all)] == [direct, everyone]


def test_impact_names_the_fronts_that_go_down_with_it() -> None:
    services = {one.name: one for one in (service("sms"), service("notify", ["sms"]), service("app", ["notify"], Layer.FRONT), service("h5", (), Layer.FRONT))}
    assert catalog.impact(services, "sms").fronts == ("app",)


def test_two_services_with_one_port_number_clash_and_a_chosen_one_never_does() -> None:
    assert catalog.clashes({"a": [0, 8080], "b": [0, 9000], "c": [8080]}) == (catalog.Clash(number=8080, services=("a", "c")),)


@given(dags)
@settings(deadline=None)
def test_levels_are_the_longest_paths(depends: Graph) -> None:
    levels = catalog.levels(depends)
    assert levels.keys() == depends.keys()
    for name, below in depends.items():
        known = [levels[each] for each in below if each in depends]
        assert levels[name] == (max(known) + 1 if known else 0)
    placed = catalog.order(depends)
    assert all(placed.index(each) < placed.index(name) for name, below in depends.items() for each in below if each in depends)


@given(graphs)
@settings(deadline=None, max_examples=200)
def test_a_cycle_is_found_exactly_where_there_is_one(depends: Graph) -> None:
    below = closure(depends)
    tied = {name for name in depends if (name, name) in below}
    found = catalog.cycles(depends)
    assert bool(found) == bool(tied)
    for cycle in found:
        assert len(set(cycle)) == len(cycle), "no service twice"
        assert all(after in depends[before] for before, after in pairwise((*cycle, cycle[0]))), "every arrow of it is really there"
    knots = {frozenset(other for other in tied if {(name, other), (other, name)} <= below) for name in tied}
    assert len(found) == len(knots), "one cycle for every knot"
    for knot in knots:
        assert any(set(cycle) <= knot for cycle in found)


@given(graphs)
@settings(deadline=None)
def test_impact_is_the_transitive_closure_upwards(depends: Graph) -> None:
    below = closure(depends)
    services = {name: service(name, each, Layer.FRONT if name in "abc" else Layer.BASE) for name, each in depends.items()}
    for name in depends:
        found = catalog.impact(services, name)
        assert set(found.all) == {one for one, under in below if under == name} - {name}
        assert set(found.direct) - {name} == {one for one, each in depends.items() if name in each} - {name}
        assert list(found.fronts) == sorted(set(found.all) & set("abc"))
        assert catalog.reach(depends, name) == {under for one, under in below if one == name}
