"""From a wish to actions: differences against the observation, in the order that keeps every request served. Pure."""

from collections.abc import Mapping, Sequence
from datetime import timedelta

from ctl.decide import groups as reading
from ctl.decide import routing
from ctl.decide.groups import Standing
from ctl.decide.view import View, Wish
from ctl.model.fleet import Instance, InstancePhase, Routes
from ctl.model.plan import Action, DrainInstances, EnsureGroup, RemoveGroup
from ctl.model.situation import Situation

SOON_S, LOOK_S, IDLE_S = 0.05, 1.0, 30.0


def carry_out(situation: Situation, groups: Sequence[Standing], wish: Wish, *, empty: bool = False) -> tuple[Action, ...]:
    """Turn a wish into actions: grow, then routes without those who leave, then drain whoever is already out of the routes in force."""
    routed = situation.routes.instance_ids
    leaving = {group.release: reading.leaves_first(group, wish.take.get(group.release, 0), routed) for group in groups}
    out = {instance.id for instances in leaving.values() for instance in instances}
    weights = wish.weights if wish.weights is not None else routing.by_count(groups, out)
    routes = Routes(service=situation.service) if empty else routing.wanted(situation, groups, weights, out)
    actions: list[Action] = [EnsureGroup(service=situation.service, release=release, count=count) for release, count in wish.grow.items()]
    actions += routing.moves(situation, routes, groups)
    if not wish.grow:
        actions += _drains(situation, leaving, routed)
        actions += _forgotten(situation, groups)
    return tuple(actions)


def _drains(situation: Situation, leaving: Mapping[str, tuple[Instance, ...]], routed: frozenset[str]) -> list[Action]:
    deadline = situation.now + timedelta(seconds=situation.policy.drain_s)
    gone = {release: tuple(one.id for one in instances if one.id not in routed) for release, instances in leaving.items()}
    return [DrainInstances(service=situation.service, release=release, ids=ids, deadline=deadline) for release, ids in gone.items() if ids]


def _forgotten(situation: Situation, groups: Sequence[Standing]) -> list[Action]:
    """Groups of other releases that are empty and still have a record are forgotten."""
    known = {group.release for group in situation.groups if not group.instances}
    keep = {situation.stable, groups[-1].release if groups else None}
    return [RemoveGroup(service=situation.service, release=group.release) for group in groups if group.release in known and group.release not in keep]


def patience(situation: Situation, seen: View) -> float:
    """Seconds until an instance can become available by time alone; else the usual look."""
    return max(SOON_S, min(LOOK_S, coming(situation, seen.all)))


def coming(situation: Situation, groups: Sequence[Standing]) -> float:
    """Seconds until the next instance becomes available by time alone; infinite where none is on its way."""
    ready = (InstancePhase.READY, InstancePhase.STANDBY)
    waits = (_until_available(one, situation) for group in groups for one in group.members if one.phase in ready)
    return min((wait for wait in waits if wait > 0), default=float("inf"))


def _until_available(instance: Instance, situation: Situation) -> float:
    return situation.policy.min_ready_s - (situation.now - instance.since).total_seconds()
