"""Whether a newer version of a flow accepts a case's history, and the case as it stands there. Pure.

The way behind the case is walked again in the new version, with the model check's own steps. Only if it leads to where the case stands is it moved.
"""

from collections import deque
from collections.abc import Iterable
from dataclasses import replace

from reference_apps.approval.flow.advance import Refused
from reference_apps.approval.flow.model import Flow
from reference_apps.approval.flow.modelcheck import State, steps
from reference_apps.approval.flow.standing import Standing
from reference_apps.approval.model import FINAL, Case, Status, Trod


def migrated(new: Flow, case: Case, now_ms: int) -> Case:
    """Return the case in the new version of its flow. Raises Refused saying at which step the new version would have gone elsewhere."""
    if case.flow.name != new.id.name:
        raise Refused("other_flow", f"application {case.id} is in the flow {case.flow.name}, not in {new.id.name}")
    if case.status in FINAL or case.status is Status.RUNNING or case.standing.paying:
        why = "has ended" if case.status in FINAL else "is on its way" if case.status is Status.RUNNING else "may have been paid out"
        raise Refused("not_at_rest", f"application {case.id} {why}; only a case that waits or is with a person changes its flow")
    if case.profile not in new.profiles:
        raise Refused("history", f"{new.id} has no profile {case.profile}; it has {', '.join(new.profiles)}")
    there = [state for state in _walked(new, case.trail) if (state.at, state.profile) == (case.stage, case.profile)]
    if not there:
        raise Refused("history", f"after {_told(case.trail)} {new.id} does not lead to {case.stage}, where application {case.id} stands")
    stands = min(there, key=_order)
    version = case.version + 1
    came_from, resumable = stands.came_from, case.resumable and (case.status is not Status.MANUAL or stands.came_from == case.came_from)
    moved = case.but(flow=new.id, standing=stands.standing, came_from=came_from, resumable=resumable, version=version)
    return moved.but(updated_ms=max(now_ms, case.updated_ms))


def _walked(flow: Flow, trail: tuple[Trod, ...]) -> set[State]:
    """Return every state that a way may lead to. Raises Refused at the first step that the flow does not know."""
    here = _passing(flow, [State(flow.start, flow.default_profile, Standing())])
    for number, trod in enumerate(trail):
        at = _at(here, trod.stage)
        if not at:
            found = ", ".join(sorted({state.at for state in here}))
            raise Refused("history", f"after {_told(trail[:number])} {flow.id} goes to {found}, and the case went to {trod.stage}")
        ahead = [step.to for state in at for step in steps(flow, state) if step.outcome is trod.outcome]
        if not ahead:
            raise Refused("history", f"{flow.id} has no edge for {trod.stage} {trod.outcome}, which is behind the case")
        here = _passing(flow, ahead)
    return here


def _at(here: set[State], stage: str) -> list[State]:
    """Return the states at a stage, and those sent back to it by hand from where it had failed."""
    resumed = [replace(state, at=stage, came_from="") for state in here if state.at != stage and state.came_from == stage]
    return [state for state in here if state.at == stage] or resumed


def _passing(flow: Flow, states: Iterable[State]) -> set[State]:
    """Return the states where something is done: through every stage that the profile skips."""
    found: set[State] = set()
    ahead = deque(states)
    while ahead:
        state = ahead.popleft()
        if flow.skips(state.profile, state.at):
            ahead.extend(step.to for step in steps(flow, state))
        else:
            found.add(state)
    return found


def _told(trail: tuple[Trod, ...]) -> str:
    return ", ".join(f"{trod.stage} {trod.outcome}" for trod in trail) or "the start"


def _order(state: State) -> tuple[int, list[str], list[tuple[str, str, int, int]]]:
    """Of several standings that the same way may leave, the one with the least behind it."""
    return len(state.standing.settled), sorted(state.standing.settled), sorted(state.standing.taken)
