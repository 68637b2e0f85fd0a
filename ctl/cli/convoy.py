"""Deploying several services: each when those it stands on are live, at most so many at once; one that goes wrong keeps its dependents back."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING, Any

from ctl.cli import watching
from ctl.cli.asked import Asked
from ctl.cli.following import Follower
from ctl.cli.look import Look
from ctl.cli.paint import wrap
from ctl.cli.reach import Reached
from ctl.cli.screens import errors, marks, rollouts
from ctl.cli.show import Screen
from ctl.cli.watching import GOOD, LATE, WAITS, Watch
from ctl.errors import CtlError, NotFound, Refused

if TYPE_CHECKING:
    from ctl.ports import Plane

PARTIAL, ALL_FAILED = 6, 1
HELD_BACK = "held_back"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What is wished of every service."""

    version: str
    strategy: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Convoy:
    """The services, what is wished of each, and how many may go at once."""

    services: tuple[str, ...]
    wish: Wish
    parallel: int = 1
    wait: bool = True
    timeout_s: float | None = None


class Course:
    """Which services have begun, ended, or may not begin."""

    def __init__(self, convoy: Convoy, plane: "Plane") -> None:
        self._plane = plane
        self._convoy = convoy
        self._needs = needs(plane, convoy.services)
        self._waiting = list(_in_order(self._needs))
        self.watches: list[Watch] = []
        self.failed: dict[str, CtlError] = {}

    def step(self) -> bool:
        """Begin what may begin now; return whether more is to come."""
        for service in tuple(self._waiting):
            blocked = self._blocked_by(service)
            if blocked:
                self._waiting.remove(service)
                said = f"{service} was not begun: it stands on {', '.join(blocked)}"
                self.failed[service] = Refused(said, remedy=f"msxfctl deploy {service} --version {self._convoy.wish.version}")
            elif self._may_begin(service):
                self._waiting.remove(service)
                self._begin(service)
        return bool(self._waiting)

    def _may_begin(self, service: str) -> bool:
        if not self._convoy.wait:
            return True
        live = {watch.view["service"] for watch in self.watches if watch.result == GOOD}
        running = sum(1 for watch in self.watches if not watch.is_over)
        return running < self._convoy.parallel and self._needs[service] <= live

    def _blocked_by(self, service: str) -> list[str]:
        ended = {watch.view["service"] for watch in self.watches if watch.is_over and watch.result != GOOD}
        return sorted(self._needs[service] & (ended | set(self.failed)))

    def _begin(self, service: str) -> None:
        wish = self._convoy.wish
        try:
            started = self._plane.deploy(service, wish.version, reason=wish.reason, strategy=wish.strategy)
        except CtlError as error:
            self.failed[service] = error
        else:
            self.watches.append(Watch(view=started))

    @property
    def unbegun(self) -> tuple[str, ...]:
        return tuple(self._waiting)


def sail(asked: Asked, there: Reached, convoy: Convoy) -> int:
    """Deploy them all, say how each went, and return the exit status."""
    screen, course = Screen(asked), Course(convoy, there.plane)
    screen.say(f"{marks.count(len(convoy.services), 'service')} to {convoy.wish.version}, {convoy.parallel} at once: {', '.join(course.unbegun)}")
    follower = Follower(asked, there, screen)
    if convoy.wait:
        try:
            if not follower.follow(course.watches, timeout_s=convoy.timeout_s, step=course.step):
                screen.say(f"not over after {convoy.timeout_s:g} s; what was begun goes on")
        except KeyboardInterrupt:
            return follower.detach(course.watches)
    else:
        course.step()
    screen.answer("deploys/1", {"deploys": [*_bodies(course)]}, lambda look: _lines(course, look))
    return _status(course, wait=convoy.wait)


def _status(course: Course, *, wait: bool) -> int:
    results = [watch.result for watch in course.watches] if wait else [GOOD for _ in course.watches]
    bad = len(course.failed) + sum(1 for result in results if result == watching.BAD)
    if bad:
        return ALL_FAILED if bad == len(course.failed) + len(results) else PARTIAL
    if LATE in results or course.unbegun:
        return watching.EXIT[LATE]
    return watching.EXIT[WAITS] if WAITS in results else 0


def _bodies(course: Course) -> Iterable[dict[str, Any]]:
    for watch in course.watches:
        yield {"service": watch.view["service"], "result": watch.result, "rollout": watch.view, "error": None}
    for service, error in course.failed.items():
        yield {"service": service, "result": watching.BAD, "rollout": None, "error": errors.document(error)}
    for service in course.unbegun:
        yield {"service": service, "result": HELD_BACK, "rollout": None, "error": None}


def _lines(course: Course, look: Look) -> Iterable[str]:
    good = sum(1 for watch in course.watches if watch.result == GOOD)
    total = len(course.watches) + len(course.failed) + len(course.unbegun)
    yield look.paint("bold", f"{good} of {marks.count(total, 'service')} {'is' if total == 1 else 'are'} live")
    for watch in course.watches:
        why = watch.view["abort_why"] or watch.view["paused_why"] or f"Undo: {watch.view['undo']}"
        said = wrap(f"  {watch.view['service']} {marks.journey(watch.view)}   {rollouts.place(watch.view)}   {why}", look.wide, "    ")
        yield from (marks.end(watch.view["phase"], look) + said[0][1:], *said[1:])
    for service, error in course.failed.items():
        said = wrap(f"  {service}   {' '.join(filter(None, (error.message, error.found)))}   {error.remedy}".rstrip(), look.wide, "    ")
        yield from (look.paint("bad", marks.FAILED) + said[0][1:], *said[1:])
    yield from (f"{marks.STOPPED} {service}   not begun" for service in course.unbegun)


def ordered(plane: "Plane", services: Sequence[str]) -> Sequence[str]:
    """Return the services so that each comes after those it stands on. Raises NotFound, Refused for a circle."""
    return services if len(services) == 1 else _in_order(needs(plane, services))


def needs(plane: "Plane", services: Iterable[str]) -> dict[str, frozenset[str]]:
    """Return for each service those of the others that it stands on, directly or through services that are not deployed now."""
    below: dict[str, set[str]] = {}
    graph, chosen = plane.graph(), dict.fromkeys(services)
    for name in chosen:
        _require_known(name, graph["services"])
    for upper, lower in graph["edges"]:
        below.setdefault(upper, set()).add(lower)
    return {service: frozenset(_reach(service, below) & set(chosen) - {service}) for service in chosen}


def _require_known(name: str, known: Sequence[str]) -> None:
    if name in known:
        return
    from difflib import get_close_matches

    near = get_close_matches(name, known, 1)
    raise NotFound(f"there is no service {name!r} in the catalog", remedy=f"did you mean {near[0]}?" if near else "msxfctl services lists them")


def _reach(service: str, below: Mapping[str, set[str]]) -> set[str]:
    found, waiting = set[str](), [service]
    while waiting:
        fresh = below.get(waiting.pop(), set()) - found
        found |= fresh
        waiting += fresh
    return found


def _in_order(needed: Mapping[str, frozenset[str]]) -> tuple[str, ...]:
    try:
        return tuple(TopologicalSorter({service: sorted(below) for service, below in needed.items()}).static_order())
    except CycleError as error:
        raise Refused(f"these services stand on one another: {' → '.join(error.args[1])}", remedy="msxfctl catalog validate") from error
