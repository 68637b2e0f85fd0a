"""Where the traffic goes: from shares of releases to routes over instances that can carry them. Pure."""

from collections.abc import Mapping, Sequence, Set

from ctl.decide.groups import Standing
from ctl.model.fleet import Instance, InstancePhase, RegistryEntry, RouteEntry, Routes
from ctl.model.plan import Action, Deregister, Register, SetRoutes
from ctl.model.situation import Situation


def by_count(groups: Sequence[Standing], leaving: Set[str]) -> dict[str, int]:
    """Return shares in proportion to the instances that can carry traffic and are not about to leave: equal traffic per instance."""
    return shares({release: len(instances) for release, instances in carriers(groups, leaving).items()})


def shares(parts: Mapping[str, int]) -> dict[str, int]:
    """Turn parts into whole percents that sum to 100, by the largest remainder; a positive part gets at least 1, and nothing comes of nothing."""
    positive = {release: part for release, part in parts.items() if part > 0}
    whole = sum(positive.values())
    result = {release: max(1, part * 100 // whole) for release, part in positive.items()}
    rounded_down = [release for release, part in positive.items() if part * 100 >= whole]
    by_remainder = sorted(rounded_down, key=lambda release: (-(positive[release] * 100 % whole), release))
    for release in by_remainder[: max(0, 100 - sum(result.values()))]:
        result[release] += 1
    if sum(result.values()) > 100:
        result[max(result, key=lambda release: (result[release], release))] -= sum(result.values()) - 100
    return result


def carriers(groups: Sequence[Standing], leaving: Set[str]) -> dict[str, tuple[Instance, ...]]:
    """Return who carries each group's traffic: the available ones that are not about to leave; standbys only once no writer is among them."""
    staying = {group.release: tuple(one for one in group.available if one.id not in leaving) for group in groups}
    ready = {release: tuple(one for one in instances if one.phase is InstancePhase.READY) for release, instances in staying.items()}
    return ready if any(ready.values()) else staying


def wanted(situation: Situation, groups: Sequence[Standing], weights: Mapping[str, int], leaving: Set[str]) -> Routes:
    """Return the routes that give each release its weight; a release that `weights` does not name gets nothing.

    Weight of a release that has nobody to carry it goes to the others in proportion; those with weight 0 come in where no other can carry anything.
    Where nobody at all is available, traffic stays with those that are ready, then with those that had it (they restart in place, and the gateway
    holds requests for them): refusing everything helps nobody.
    """
    named = [group for group in groups if group.release in weights]
    carrying = carriers(named, leaving)
    able = {release: weight for release, weight in weights.items() if weight > 0 and carrying.get(release)}
    if able:
        return _routes(situation, shares(able), carrying)
    if any(carrying.values()):
        return _equally(situation, carrying)
    staying = {group.release: tuple(one for one in group.members if one.id not in leaving) for group in named}
    return _equally(situation, _last_resort(situation, staying, {release for release, weight in weights.items() if weight > 0}))


def held(situation: Situation, groups: Sequence[Standing], leaving: Set[str]) -> Routes:
    """Return routes with the weights in force, each carried by who can, or else by who has it now; only what is gone altogether loses its weight."""
    able = carriers(groups, leaving)
    routed = situation.routes.instance_ids
    had = {group.release: tuple(one for one in group.members if one.id in routed and one.id not in leaving) for group in groups}
    carrying = {release: able[release] or had[release] for release in able}
    in_force = {entry.release: entry.weight_pct for entry in situation.routes.entries if carrying.get(entry.release)}
    return _routes(situation, shares(in_force), carrying)


def _last_resort(situation: Situation, staying: Mapping[str, tuple[Instance, ...]], preferred: Set[str]) -> dict[str, tuple[Instance, ...]]:
    """Return who is ready, else who has traffic now; of each kind those of the `preferred` releases alone where there are any."""
    routed = situation.routes.instance_ids
    ready = {release: tuple(one for one in members if one.phase is InstancePhase.READY) for release, members in staying.items()}
    had = {release: tuple(one for one in members if one.id in routed) for release, members in staying.items()}
    for found in (ready, had):
        mine = {release: members for release, members in found.items() if members and release in preferred}
        if mine or any(found.values()):
            return mine or found
    return {}


def _equally(situation: Situation, carrying: Mapping[str, tuple[Instance, ...]]) -> Routes:
    return _routes(situation, shares({release: len(instances) for release, instances in carrying.items()}), carrying)


def _routes(situation: Situation, weights: Mapping[str, int], carrying: Mapping[str, tuple[Instance, ...]]) -> Routes:
    pairs = {release: sorted((instance.id, instance.address) for instance in carrying[release]) for release in weights}
    entries = tuple(_entry(release, weights[release], pairs[release]) for release in sorted(weights))
    return Routes(service=situation.service, entries=entries, revision=situation.routes.revision)


def _entry(release: str, weight_pct: int, pairs: Sequence[tuple[str, str]]) -> RouteEntry:
    return RouteEntry(release=release, weight_pct=weight_pct, instances=tuple(id for id, _ in pairs), addresses=tuple(address for _, address in pairs))


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
