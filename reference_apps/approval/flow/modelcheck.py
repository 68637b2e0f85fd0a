"""Proves a flow before it is published: walks every path of every profile, conditions taken both ways, and names the first path that cheats. Pure.

A path's state is finite (where it is, what it has behind it, bounded counts), so the walk over states is the walk over all paths, loops included.
"""

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from reference_apps.approval.flow.model import (
    APPROVED,
    BACK,
    DONE,
    ENDS,
    PRICING_KINDS,
    RECEIVED,
    REJECTED,
    Edge,
    Flow,
    Kind,
    Outcome,
    Stage,
)
from reference_apps.approval.flow.standing import Standing, after, is_open, lacks, taking

MOST_STATES = 200_000


@dataclass(frozen=True, slots=True)
class State:
    """A point of a path: about to enter `at`, under a profile; `came_from` is the stage that led to people or to a wait."""

    at: str
    profile: str
    standing: Standing
    came_from: str = ""


@dataclass(frozen=True, slots=True)
class Step:
    """One way on: the outcome that leads there, None where a profile skips the stage."""

    outcome: Outcome | None
    to: State


@dataclass(slots=True)
class Walk:
    """Everything a flow can do: the states found, each with the state it was first reached from, and the ways on."""

    flow: Flow
    came: dict[State, State | None] = field(default_factory=dict)
    onward: dict[State, tuple[Step, ...]] = field(default_factory=dict)
    is_whole: bool = True

    def path(self, state: State) -> str:
        """Return the shortest path to a state, as it is printed: `received -> risk -> approved`."""
        names, here = [], state
        while True:
            names.append(APPROVED if _pays(self.flow, here.at) else here.at)
            before = self.came[here]
            if before is None:
                return " -> ".join([RECEIVED, *reversed(names)])
            here = before


def check(flow: Flow) -> tuple[str, ...]:
    """Return what is wrong with a flow, the offending path first in each line; empty for one that may be published."""
    walk = walked(flow)
    if not walk.is_whole:
        return (f"the flow has more than {MOST_STATES:,} states; make bounds (`most`) smaller or split it",)
    return tuple(dict.fromkeys([*_cheating(walk), *_endless(walk), *_circling(flow), *_dead(walk)]))


def walked(flow: Flow) -> Walk:
    """Walk every path of a flow, breadth first."""
    begun = State(flow.start, flow.default_profile, Standing())
    walk, ahead = Walk(flow, {begun: None}), deque([begun])
    while ahead:
        state = ahead.popleft()
        walk.onward[state] = tuple(steps(flow, state))
        for step in walk.onward[state]:
            if step.to not in walk.came:
                walk.came[step.to] = state
                ahead.append(step.to)
        if len(walk.came) > MOST_STATES:
            walk.is_whole = False
            break
    return walk


def steps(flow: Flow, state: State) -> Iterator[Step]:
    """Yield every way on from a state: each outcome, each edge that may be taken, each profile that a price may choose."""
    stage = flow.stages.get(state.at)
    if stage is None:
        return
    if flow.skips(state.profile, stage.name):
        for _, edge, standing in _ways(stage, Outcome.PASS, state.standing):
            yield Step(None, State(edge.to, state.profile, standing, state.came_from))
        return
    for outcome in sorted(stage.edges):
        if outcome in _impossible(flow, stage, state):
            continue
        for _, edge, standing in _ways(stage, outcome, after(stage, outcome, state.standing)):
            for profile in _profiles(flow, stage, outcome, state.profile):
                yield Step(outcome, _entered(edge, State(stage.name, profile, standing, state.came_from), stage, outcome))


def _impossible(flow: Flow, stage: Stage, state: State) -> frozenset[Outcome]:
    """Return the outcomes that a wait cannot have: it is exhausted when the supplements are used up, and only then."""
    if stage.kind is not Kind.WAIT:
        return frozenset()
    used_up = state.standing.supplements >= flow.supplements
    return frozenset({Outcome.SUPPLIED, Outcome.EXPIRED}) if used_up else frozenset({Outcome.EXHAUSTED})


def _ways(stage: Stage, outcome: Outcome, standing: Standing) -> Iterator[tuple[int, Edge, Standing]]:
    """Yield the edges that may be taken: a condition may hold or not, a bound may not be passed, and nothing stands behind an edge that always holds."""
    for place, edge in enumerate(stage.edges[outcome]):
        if is_open(stage, outcome, place, standing):
            yield place, edge, taking(stage, outcome, place, standing)
            if not edge.when:
                return


def _profiles(flow: Flow, stage: Stage, outcome: Outcome, profile: str) -> tuple[str, ...]:
    """Return the profiles that may hold after an outcome: a price chooses any of them, or leaves it at that."""
    said = (Outcome.PASS, Outcome.MANUAL, Outcome.MISSING)
    return (profile, *sorted(set(flow.profiles) - {profile})) if stage.kind in PRICING_KINDS and outcome in said else (profile,)


def _entered(edge: Edge, left: State, stage: Stage, outcome: Outcome) -> State:
    """Return the state that an edge leads to; automatic stages leave behind where a case goes back to."""
    came_from = left.came_from
    if stage.is_automatic:
        came_from = "" if outcome in (Outcome.PASS, Outcome.PAID) else stage.name
    to = (came_from or BACK) if edge.to == BACK else edge.to
    return State(to, left.profile, left.standing, came_from)


def _pays(flow: Flow, name: str) -> bool:
    return name in flow.stages and flow.stages[name].kind is Kind.DISBURSE


def _cheating(walk: Walk) -> Iterator[str]:
    """Name paths that pay out without what is mandatory, go on from a rejection, leave a payout half done, or go back to nowhere."""
    said: set[str] = set()
    for state in walk.came:
        wrongs = lacks(walk.flow, state.standing) if _pays(walk.flow, state.at) else []
        if state.at == BACK:
            wrongs.append("there is nothing to go back to")
        wrongs += _left(walk, state)
        for wrong in wrongs:
            if wrong not in said:
                said.add(wrong)
                yield f"{walk.path(state)}: {wrong} (profile {state.profile})"


def _left(walk: Walk, state: State) -> list[str]:
    """Return what is wrong with the way a state was entered first, judged by the stage before it."""
    wrongs, stage = [], walk.flow.stages.get(state.at)
    if state.standing.paying and state.at != DONE:
        held = stage is not None and stage.kind in (Kind.DISBURSE, Kind.REPAIR)
        if not held:
            wrongs.append(f"money may be on its way, and the case goes to {state.at}")
    for step in walk.onward.get(state, ()):
        is_rejection = step.outcome is Outcome.REJECT
        goes = walk.flow.stages.get(step.to.at)
        if is_rejection and step.to.at != REJECTED and not (goes is not None and goes.kind is Kind.WAIT):
            wrongs.append(f"a rejection of {state.at} goes on to {step.to.at}; it ends or waits for a supplement")
    return wrongs


def _endless(walk: Walk) -> Iterator[str]:
    """Name states from which no end can be reached."""
    back: dict[State, list[State]] = {}
    for state, onward in walk.onward.items():
        for step in onward:
            back.setdefault(step.to, []).append(state)
    ahead = deque(state for state in walk.came if state.at in ENDS)
    reached = set(ahead)
    while ahead:
        for before in back.get(ahead.popleft(), ()):
            if before not in reached:
                reached.add(before)
                ahead.append(before)
    stuck = next((state for state in walk.came if state not in reached and state.at != BACK), None)
    if stuck is not None:
        yield f"{walk.path(stuck)}: no end can be reached from {stuck.at} (profile {stuck.profile})"


def _circling(flow: Flow) -> Iterator[str]:
    """Name a circle that a case could run in for ever by itself: every circle needs a bounded edge, a supplement, or a person in it."""
    free: Mapping[str, list[str]] = {
        name: [edge.to for edges in stage.edges.values() for edge in edges if not edge.most and edge.to in flow.stages]
        for name, stage in flow.stages.items()
        if stage.is_automatic
    }
    for name in free:
        circle = _circle(free, name)
        if circle:
            yield f"{' -> '.join(circle)}: goes round by itself without end; bound one of its edges with `most`"
            return


def _circle(free: Mapping[str, list[str]], start: str) -> list[str]:
    """Return a circle through `start`, itself first and last; empty when there is none."""
    before: dict[str, str] = {}
    ahead = deque([start])
    while ahead:
        here = ahead.popleft()
        for there in free.get(here, ()):
            if there == start:
                return _back(before, start, here)
            if there not in before and there in free:
                before[there] = here
                ahead.append(there)
    return []


def _back(before: Mapping[str, str], start: str, last: str) -> list[str]:
    names = [start, last] if last != start else [start]
    while names[-1] != start:
        names.append(before[names[-1]])
    return [start, *reversed(names[1:-1]), start] if len(names) > 1 else [start, start]


def _dead(walk: Walk) -> Iterator[str]:
    """Name stages that no path enters, or that every path skips."""
    entered = {state.at for state in walk.came if not walk.flow.skips(state.profile, state.at)}
    for name in walk.flow.stages:
        if name not in entered:
            yield f"{name}: no path enters this stage; lead an edge to it or remove it"
