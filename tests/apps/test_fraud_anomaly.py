"""Half-space trees: the compiled forest says what the paper's walk says, its state is a function of the log, and what it says changes no verdict."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import msgspec
import prometheus_client
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reference_apps.fraud.door import views
from reference_apps.fraud.features import oddness
from reference_apps.fraud.features.graph import Ties
from reference_apps.fraud.features.shard import ALL, GRAPH_BIT, Shard, merged
from reference_apps.fraud.features.trees import ENOUGH, MILLION, Forest, Trees, planted
from reference_apps.fraud.keeping import record
from reference_apps.fraud.keeping.snapshots import Mark, Snapshots
from reference_apps.fraud.model import Event
from reference_apps.fraud.policy import policy
from reference_apps.fraud.serving.desk import Desk
from reference_apps.fraud.serving.replay import replay
from reference_apps.fraud.simulating import story
from tests.apps.fraud_work import event

POLICY = policy.load()
TOLD = story.tell(5, days=6, customers=500)
LOG = list(enumerate(TOLD.events, 1))


@dataclass
class Node:
    """A node of the paper: the masses of the reference window and of the latest one."""

    reference: int = 0
    latest: int = 0


@dataclass
class Walk:
    """The paper's algorithm, node by node: score against the reference, add to the latest, swap when the window is full."""

    trees: Trees
    nodes: list[dict[int, Node]] = field(default_factory=list)
    seen: int = 0

    def observe(self, point: Sequence[float]) -> int | None:
        self.nodes = self.nodes or [{number: Node() for number in range(1, 2 ** (self.trees.depth + 1))} for _ in self.trees.cuts]
        score = sum(self._score(tree, nodes, point) for tree, nodes in zip(self.trees.cuts, self.nodes, strict=True))
        is_first = self.seen < self.trees.window
        self.seen += 1
        for tree, nodes in zip(self.trees.cuts, self.nodes, strict=True):
            for number in self._path(tree, point):
                nodes[number].latest += 1
        if self.seen % self.trees.window == 0:
            for node in (node for nodes in self.nodes for node in nodes.values()):
                node.reference, node.latest = node.latest, 0
        even = self.trees.count * self.trees.window
        return None if is_first else int(MILLION * even / (even + score) + 0.5)

    def _path(self, tree: tuple[tuple[int, float], ...], point: Sequence[float]) -> list[int]:
        path = [1]
        while path[-1] < 2**self.trees.depth:
            dimension, place = tree[path[-1]]
            path.append(2 * path[-1] + (point[dimension] >= place))
        return path

    def _score(self, tree: tuple[tuple[int, float], ...], nodes: dict[int, Node], point: Sequence[float]) -> int:
        for depth, number in enumerate(self._path(tree, point)):
            mass = nodes[number].reference
            if mass <= ENOUGH * self.trees.window or depth == self.trees.depth:
                return mass * 2**depth
        raise AssertionError("a path ends in a leaf")


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 10**6), st.integers(1, 5), st.integers(1, 5), st.integers(1, 40))
def test_the_compiled_forest_says_what_the_walk_of_the_paper_says(seed: int, dimensions: int, depth: int, window: int) -> None:
    trees = planted(dimensions, f"test {seed}", count=4, depth=depth, window=window)
    luck, forest, walk = Random(seed), Forest(trees), Walk(trees)
    for number in range(3 * window + 5):
        point = [luck.choice((0.0, 0.5, 1.0, luck.random())) for _ in range(dimensions)]
        assert forest.observe(trees.leaves(point)) == walk.observe(point)
        if number % 7 == 0:
            forest = Forest.unpack(trees, forest.pack())


@given(st.integers(0, 10**6))
def test_trees_come_from_their_seed_alone_and_cut_inside_their_range(seed: int) -> None:
    trees = planted(3, f"s{seed}", count=2, depth=4, window=10)
    assert trees.cuts == planted(3, f"s{seed}", count=2, depth=4, window=10).cuts
    assert trees.cuts != planted(3, f"t{seed}", count=2, depth=4, window=10).cuts
    assert all(-2 < place < 3 for tree in trees.cuts for _, place in tree)


def test_what_is_far_from_the_crowd_is_odder_and_it_gets_used_to_a_new_crowd() -> None:
    trees = planted(2, "crowd", count=25, depth=8, window=100)
    forest, luck = Forest(trees), Random(1)

    def crowd(centre: float) -> int | None:
        return forest.observe(trees.leaves([centre + luck.uniform(-0.05, 0.05), centre + luck.uniform(-0.05, 0.05)]))

    assert [crowd(0.3) for _ in range(100)] == [None] * 100, "nothing is said before there is something to compare with"
    ordinary, far = crowd(0.3), forest.observe(trees.leaves([0.95, 0.9]))
    assert ordinary is not None
    assert far is not None
    assert ordinary < 100_000 < 900_000 < far
    later = [crowd(0.9) for _ in range(300)][-1]
    assert later is not None
    assert later < 100_000


def test_every_dimension_lies_between_0_and_1() -> None:
    for kind, read in oddness.DIMENSIONS.items():
        point = eval(f"lambda e, t: ({', '.join(read)},)", {"min": min})
        for each in [event(1, kind=kind), *(one for one in TOLD.events if one.kind == kind)]:
            assert all(0 <= value <= 1 for value in point(each, Ties(9, 20, 9, 1, 40))), each


@pytest.mark.parametrize("when", [10, 1_700])
def test_snapshot_and_replay_are_a_continuous_run(tmp_path: Path, when: int) -> None:
    """Also while a snapshot is packed bit by bit and the forest is touched meanwhile."""
    snapshots, whole = Snapshots(tmp_path), Shard()
    expected = [whole.apply(*each).odd for each in LOG]
    assert sum(each is not None for each in expected) > len(LOG) / 4
    first = Shard(GRAPH_BIT, snapshots.fetch)
    assert [first.apply(*each).odd for each in LOG[:when]] == expected[:when]
    mark, links = Mark(first.applied, first.newest), first.barrier()
    for each in LOG[when : when + 50]:
        first.apply(*each)
        first.pack(3)
    while first.pack(1_000):
        pass
    snapshots.write(GRAPH_BIT, mark, first.take_packed(), links)
    second = Shard(GRAPH_BIT, snapshots.fetch)
    second.applied, second.newest = mark.position, mark.newest
    second.restore_links(links)
    assert [second.apply(*each).odd for each in LOG[when:]] == expected[when:]
    snapshots.close()


def test_the_owner_of_the_graph_says_it_for_all_and_hands_it_over() -> None:
    whole, rest, graph = Shard(), Shard(ALL & ~GRAPH_BIT), Shard(GRAPH_BIT)
    for position, each in LOG[:1_800]:
        apart = rest.apply(position, each), graph.apply(position, each)
        assert apart[0].odd is None
        assert merged(apart) == whole.apply(position, each)
    rest.absorb(graph)
    graph.keep(0)
    for position, each in LOG[1_800:2_000]:
        assert rest.apply(position, each) == whole.apply(position, each)


def test_served_and_replayed_say_the_same_and_it_changes_no_verdict(tmp_path: Path) -> None:
    async def story() -> list[bytes]:
        desk, served = Desk(tmp_path, "fraud-1", POLICY), []
        await desk.open()
        for begin in range(0, 1_500, 100):
            served += [judged for _, judged in await asyncio.gather(*(desk.check(each) for _, each in LOG[begin : begin + 100]))]
        await desk.close()
        return served

    replayed = list(replay(POLICY, LOG[:1_500]))
    assert asyncio.run(story()) == [each.record(POLICY) for each in replayed]
    odd = [each for each in replayed if each.odd is not None]
    assert odd
    last = odd[-1]
    said = json.loads(msgspec.json.encode(views.answer(last.position, last.event, record.read(last.record(POLICY)))))
    assert said["anomaly"] == pytest.approx(last.odd / MILLION)  # type: ignore[operator]  # it is said
    without = record.write(last.judgement, POLICY.id, last.figures, last.ties, last.late_ms)
    assert record.read(without).judgement() == record.read(last.record(POLICY)).judgement()
    assert record.read(without).odd is None
    assert b"fraud_anomaly_score_bucket" in prometheus_client.generate_latest()


def test_a_judgement_kept_by_an_older_release_is_read() -> None:
    judged = next(iter(replay(POLICY, [(1, Event(id="e", kind="login", at_ms=1, account="a", device="d", phone="p"))])))
    older = msgspec.msgpack.encode(msgspec.msgpack.decode(judged.record(POLICY))[:-1])
    assert record.read(older).odd is None
    assert record.read(older).judgement() == judged.judgement
