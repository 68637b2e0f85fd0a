"""The map of the catalog: who stands on whom. Pure: graphs are mappings from a service to what it depends on; names that are no key are ignored."""

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from difflib import get_close_matches
from graphlib import CycleError, TopologicalSorter

from ctl.errors import BadInput
from ctl.model.service import Layer, Service

Graph = Mapping[str, Sequence[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Missing:
    """A dependency on a service that does not exist; `near` is the existing name that looks most like it (empty: none does)."""

    service: str
    dependency: str
    near: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Clash:
    """Services that ask for the same port number."""

    number: int
    services: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Impact:
    """Who suffers when a service is down: those that call it, all that stand on it, and the fronts among them, each by name."""

    direct: tuple[str, ...]
    all: tuple[str, ...]
    fronts: tuple[str, ...]


def graph(services: Mapping[str, Service]) -> dict[str, tuple[str, ...]]:
    """Return what each service depends on."""
    return {name: service.depends_on for name, service in services.items()}


def reversed_graph(depends: Graph) -> dict[str, tuple[str, ...]]:
    """Return who depends on each service, by name."""
    found: dict[str, list[str]] = {name: [] for name in depends}
    for name in sorted(depends):
        for dependency in dict.fromkeys(depends[name]):
            if dependency in found:
                found[dependency].append(name)
    return {name: tuple(dependents) for name, dependents in found.items()}


def reach(depends: Graph, start: str) -> frozenset[str]:
    """Return everything that `start` stands on, directly or not; itself only where it is on a cycle."""
    seen: set[str] = set()
    waiting = list(depends.get(start, ()))
    while waiting:
        name = waiting.pop()
        if name in depends and name not in seen:
            seen.add(name)
            waiting.extend(depends[name])
    return frozenset(seen)


def order(depends: Graph) -> tuple[str, ...]:
    """Return every service after all that it depends on; ties by name. Raises BadInput showing a cycle."""
    at = levels(depends)
    return tuple(sorted(at, key=lambda name: (at[name], name)))


def levels(depends: Graph) -> dict[str, int]:
    """Return how high each service stands: the length of its longest path down, 0 where it depends on nothing. Raises BadInput showing a cycle."""
    loops = cycles(depends)
    if loops:
        raise BadInput(f"the catalog has no levels: cycle {shown(loops[0])}", remedy="break one edge")
    at: dict[str, int] = {}
    for name in TopologicalSorter(_within(depends)).static_order():
        at[name] = max((at[each] + 1 for each in depends[name] if each in depends), default=0)
    return {name: at[name] for name in sorted(at)}


def cycles(depends: Graph) -> tuple[tuple[str, ...], ...]:
    """Return the shortest cycle of every knot of services that stand on each other, each beginning with its first name; empty: there is none."""
    knots = _knots(_within(depends))
    return tuple(sorted(_shortest(depends, knot) for knot in knots))


def shown(cycle: Sequence[str]) -> str:
    """Write a cycle as a person would: approval → contract → file → approval."""
    return " → ".join((*cycle, cycle[0]))


def impact(services: Mapping[str, Service], name: str) -> Impact:
    """Say who suffers when `name` is down."""
    dependents = reversed_graph(graph(services))
    everyone = tuple(sorted(reach(dependents, name) - {name}))
    fronts = tuple(each for each in everyone if services[each].layer is Layer.FRONT)
    return Impact(direct=dependents.get(name, ()), all=everyone, fronts=fronts)


def missing(depends: Graph) -> tuple[Missing, ...]:
    """Return every dependency that is no service, by service."""
    lost = [(name, dependency) for name in sorted(depends) for dependency in dict.fromkeys(depends[name]) if dependency not in depends]
    return tuple(Missing(service=name, dependency=each, near=nearest(each, (known for known in depends if known != name))) for name, each in lost)


def clashes(ports: Mapping[str, Iterable[int]]) -> tuple[Clash, ...]:
    """Return every fixed port number (not 0) that more than one service asks for; `ports` is by service."""
    users: dict[int, list[str]] = {}
    for name in sorted(ports):
        for number in sorted(set(ports[name]) - {0}):
            users.setdefault(number, []).append(name)
    return tuple(Clash(number=number, services=tuple(names)) for number, names in sorted(users.items()) if len(names) > 1)


def nearest(word: str, known: Iterable[str]) -> str:
    """Return the known word that looks most like `word`; empty where none does."""
    return next(iter(get_close_matches(word, list(known), 1)), "")


def _within(depends: Graph) -> dict[str, list[str]]:
    return {name: [each for each in depends[name] if each in depends] for name in depends}


def _knots(depends: Mapping[str, Sequence[str]]) -> list[frozenset[str]]:
    """Return the strongly connected components that hold a cycle."""
    tied = _tied(depends)
    inner = {name: [each for each in depends[name] if each in tied] for name in tied}
    below = {name: reach(inner, name) for name in sorted(tied)}
    return list({frozenset(each for each in below[name] if name in below[each]) for name in below if name in below[name]})


def _tied(depends: Mapping[str, Sequence[str]]) -> frozenset[str]:
    """Return the services that never come free when everything without open dependencies is taken away again and again: none without a cycle."""
    sorter = TopologicalSorter(depends)
    with suppress(CycleError):
        sorter.prepare()
    free: set[str] = set()
    while ready := sorter.get_ready():
        free.update(ready)
        sorter.done(*ready)
    return frozenset(depends.keys() - free)


def _shortest(depends: Graph, knot: frozenset[str]) -> tuple[str, ...]:
    return min((_way_back(depends, start, knot) for start in sorted(knot)), key=lambda cycle: (len(cycle), cycle))


def _way_back(depends: Graph, start: str, knot: frozenset[str]) -> tuple[str, ...]:
    """Return the shortest way from `start` back to it, breadth first."""
    came_from: dict[str, str] = {}
    waiting = deque([start])
    while waiting:
        name = waiting.popleft()
        for each in sorted(set(depends[name]) & knot):
            if each == start:
                return _path(came_from, start, name)
            if each not in came_from:
                came_from[each] = name
                waiting.append(each)
    raise AssertionError(f"{start} is on no cycle")


def _path(came_from: Mapping[str, str], start: str, end: str) -> tuple[str, ...]:
    path = [end]
    while path[-1] != start:
        path.append(came_from[path[-1]])
    return tuple(reversed(path))
