"""From a wish to actions: differences against the observation, in the order that keeps every request served. Pure."""

from collections.abc import Mapping, Sequence, Set
from datetime import timedelta

from ctl.decide import groups as reading
from ctl.decide import routing
from ctl.decide.groups import Standing
from ctl.decide.view import View, Wish
from ctl.model.fleet import Instance, InstancePhase, Routes
from ctl.model.plan import Action, DrainInstances, EnsureGroup, RemoveGroup
from ctl.model.situation import Situation

SOON_S, LOOK_S, IDLE_S = 0.05, 1.0, 30.0


def carry_out(situation: Situation, groups: Sequence[Standing], wish: Wish) -> tuple[Action, ...]:
    """Turn a wish into actions: grow, then routes without those who leave, then drain whoever is already out of the routes in force.

    One direction of size at a time: nobody is taken away while anything can grow. Who can carry traffic stays until an heir has it.
    """
    routed = situation.routes.instance_ids
    grow = within(situation, groups, wish.grow)
    leaving = leaves(situation, groups, {} if grow else wish.take)
    out = ids_of(leaving)
    actions: list[Action] = [EnsureGroup(service=situation.service, release=release, count=count) for release, count in grow.items()]
    routes = _routes(situation, groups, wish, out)
    actions += routing.moves(situation, routes, groups)
    if not grow:
        able = set() if routed & routes.instance_ids or not routes.entries else {one.id for group in groups for one in group.available}
        actions += _drains(situation, leaving, routed | able)
        actions += _forgotten(situation, groups)
    return tuple(actions)


def leaves(situation: Situation, groups: Sequence[Standing], take: Mapping[str, int]) -> dict[str, tuple[Instance, ...]]:
    """Choose who goes of each group."""
    return {group.release: reading.leaves_first(group, take.get(group.release, 0), situation.routes.instance_ids) for group in groups}


def ids_of(instances: Mapping[str, tuple[Instance, ...]]) -> frozenset[str]:
    return frozenset(one.id for members in instances.values() for one in members)


def within(situation: Situation, groups: Sequence[Standing], grow: Mapping[str, int]) -> dict[str, int]:
    """Cut growth down to what `max_total` leaves room for; whoever is named first grows first."""
    size = {group.release: group.size for group in groups}
    most = situation.policy.max_total
    room = sum(grow.values()) if most is None else most - sum(size.values())
    fits: dict[str, int] = {}
    for release, count in grow.items():
        more = min(count - size.get(release, 0), room)
        if more > 0:
            fits[release] = size.get(release, 0) + more
            room -= more
    return fits


def _routes(situation: Situation, groups: Sequence[Standing], wish: Wish, out: Set[str]) -> Routes:
    if wish.hold:
        return routing.held(situation, groups, out)
    if wish.weights is not None:
        return routing.wanted(situation, groups, wish.weights, out)
    return routing.wanted(situation, groups, {group.release: 0 for group in groups} | routing.by_count(groups, out), out)


def _drains(situation: Situation, leaving: Mapping[str, tuple[Instance, ...]], needed: frozenset[str]) -> list[Action]:
    deadline = situation.now + timedelta(seconds=situation.policy.drain_s)
    gone = {release: tuple(one.id for one in instances if one.id not in needed) for release, instances in leaving.items()}
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
