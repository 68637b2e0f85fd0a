"""Where the traffic goes: from shares of releases to routes over instances that can carry them. Pure."""

from collections.abc import Mapping, Sequence, Set

from ctl.decide.groups import Standing
from ctl.model.fleet import Instance, InstancePhase, RegistryEntry, RouteEntry, Routes
from ctl.model.plan import Action, Deregister, Register, SetRoutes
from ctl.model.situation import Situation


def by_count(groups: Sequence[Standing], leaving: Set[str]) -> dict[str, int]:
    """Return shares in proportion to the instances that can carry traffic and are not about to leave: equal traffic per instance."""
    return shares({group.release: len(carriers(group, leaving)) for group in groups})


def shares(parts: Mapping[str, int]) -> dict[str, int]:
    """Turn parts into whole percents that sum to 100, by the largest remainder; a positive part gets at least 1, and nothing comes of nothing."""
    positive = {release: part for release, part in parts.items() if part > 0}
    whole = sum(positive.values())
    result = {release: max(1, part * 100 // whole) for release, part in positive.items()}
    by_remainder = sorted(positive, key=lambda release: (-(positive[release] * 100 % whole), release))
    for release in by_remainder[: max(0, 100 - sum(result.values()))]:
        result[release] += 1
    if sum(result.values()) > 100:
        result[max(result, key=lambda release: (result[release], release))] -= sum(result.values()) - 100
    return result


def carriers(group: Standing, leaving: Set[str]) -> tuple[Instance, ...]:
    """Return who carries the group's traffic: the available ones, READY before STANDBY, without those that are about to leave."""
    staying = tuple(instance for instance in group.available if instance.id not in leaving)
    ready = tuple(instance for instance in staying if instance.phase is InstancePhase.READY)
    return ready or staying


def wanted(situation: Situation, groups: Sequence[Standing], weights: Mapping[str, int], leaving: Set[str]) -> Routes:
    """Return the routes that give each release its weight.

    Weight of a release that has nobody to carry it goes to the others in proportion. Where nobody at all is available, traffic stays with those
    that are ready, then with those that had it (they restart in place, and the gateway holds requests for them): refusing everything helps nobody.
    """
    carrying = {group.release: carriers(group, leaving) for group in groups}
    able = {release: weight for release, weight in weights.items() if weight > 0 and carrying.get(release)}
    if able:
        return _routes(situation, shares(able), carrying)
    if any(carrying.values()):
        return _routes(situation, shares({release: len(instances) for release, instances in carrying.items()}), carrying)
    return _last_resort(situation, groups, leaving)


def _last_resort(situation: Situation, groups: Sequence[Standing], leaving: Set[str]) -> Routes:
    staying = {group.release: tuple(one for one in group.members if one.id not in leaving) for group in groups}
    ready = {release: tuple(one for one in members if one.phase is InstancePhase.READY) for release, members in staying.items()}
    if not any(ready.values()):
        routed = situation.routes.instance_ids
        ready = {release: tuple(one for one in members if one.id in routed) for release, members in staying.items()}
    return _routes(situation, shares({release: len(members) for release, members in ready.items()}), ready)


def _routes(situation: Situation, weights: Mapping[str, int], carrying: Mapping[str, tuple[Instance, ...]]) -> Routes:
    entries = []
    for release in sorted(weights):
        instances = sorted(carrying[release], key=lambda instance: instance.id)
        ids, addresses = tuple(instance.id for instance in instances), tuple(instance.address for instance in instances)
        entries.append(RouteEntry(release=release, weight_pct=weights[release], instances=ids, addresses=addresses))
    return Routes(service=situation.service, entries=tuple(entries), revision=situation.routes.revision)


def differs(wanted: Routes, applied: Routes) -> bool:
    """Whether two routes send traffic differently; their revisions do not matter."""
    return _essence(wanted) != _essence(applied)


def _essence(routes: Routes) -> frozenset[tuple[str, int, frozenset[tuple[str, str]]]]:
    rows = (entry for entry in routes.entries if entry.weight_pct > 0 and entry.instances)
    return frozenset((entry.release, entry.weight_pct, frozenset(zip(entry.instances, entry.addresses, strict=True))) for entry in rows)


def moves(situation: Situation, routes: Routes, groups: Sequence[Standing]) -> list[Action]:
    """Return the actions that bring gateway and registry to `routes`; none where they already stand so."""
    actions: list[Action] = []
    if differs(routes, situation.routes):
        actions.append(SetRoutes(service=situation.service, routes=routes))
    if situation.registered is None:
        return actions
    wanted_entries = {entry.id: entry for entry in _entries(situation, routes, groups)}
    known = {entry.id: entry for entry in situation.registered}
    new = tuple(entry for id, entry in sorted(wanted_entries.items()) if known.get(id) != entry)
    gone = tuple(sorted(set(known) - set(wanted_entries)))
    if new:
        actions.append(Register(service=situation.service, entries=new))
    if gone:
        actions.append(Deregister(service=situation.service, ids=gone))
    return actions


def _entries(situation: Situation, routes: Routes, groups: Sequence[Standing]) -> list[RegistryEntry]:
    routed = routes.instance_ids
    members = (instance for group in groups for instance in group.members if instance.id in routed)
    return [RegistryEntry(id=one.id, service=situation.service, release=one.release, address=one.address, zone=one.zone) for one in members]
