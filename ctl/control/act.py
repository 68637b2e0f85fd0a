"""The only place where effects leave: each action of a decision, carried out through its port, with its intent and its outcome in the journal."""

import hashlib
from collections.abc import Sequence
from typing import assert_never

from ctl.control.doors import Doors
from ctl.decide import foresee
from ctl.errors import CtlError
from ctl.model import codec
from ctl.model.event import Note
from ctl.model.plan import Action, Deregister, DrainInstances, EnsureGroup, Register, RemoveGroup, SetRoutes
from ctl.model.rollout import Rollout

INTENT, OUTCOME = "action.intent", "action.outcome"


def carry_out(doors: Doors, actions: Sequence[Action], rollout: Rollout | None, why: str) -> CtlError | None:
    """Journal every intent, do the actions in order, journal every outcome. Stops at the first that fails and returns its error."""
    doors.journal.append([_note(doors, action, rollout, INTENT, why) for action in actions])
    outcomes: list[Note] = []
    failed: CtlError | None = None
    for action in actions:
        failed = _attempt(doors, action)
        outcomes.append(_note(doors, action, rollout, OUTCOME, failed.message if failed else why, result="failed" if failed else "ok"))
        if failed:
            break
    skipped = actions[len(outcomes) :]
    outcomes += [_note(doors, action, rollout, OUTCOME, "not tried: an earlier action failed", result="skipped") for action in skipped]
    doors.journal.append(outcomes)
    return failed


def action_id(action: Action, rollout: Rollout | None) -> str:
    """Name an intention: the same one always has the same id."""
    place = (rollout.id, rollout.revision, rollout.step) if rollout else ("", 0, 0)
    argument = {name: value for name, value in codec.to_json(action).items() if name != "deadline"}
    return hashlib.sha256(codec.canonical([*place, type(action).__name__, argument]).encode()).hexdigest()[:16]


def _attempt(doors: Doors, action: Action) -> CtlError | None:
    try:
        _perform(doors, action)
    except CtlError as error:
        return error
    return None


def _perform(doors: Doors, action: Action) -> None:
    match action:
        case EnsureGroup():
            doors.runtime.ensure(doors.releases.get(action.service, action.release), action.count)
        case SetRoutes():
            doors.traffic.set_routes(action.routes)
        case DrainInstances():
            doors.runtime.drain(action.ids, action.deadline)
        case RemoveGroup():
            doors.runtime.remove(action.service, action.release)
        case Register():
            doors.registry.register(action.entries)
        case Deregister():
            doors.registry.deregister(action.ids)
        case _:
            assert_never(action)


def _note(doors: Doors, action: Action, rollout: Rollout | None, kind: str, why: str, *, result: str = "") -> Note:
    body = {"id": action_id(action, rollout), "action": type(action).__name__, "does": foresee.describe(action)}
    if kind == INTENT:
        body["arguments"] = codec.to_json(action)
    if result:
        body["result"] = result
    return Note(at=doors.clock.now(), actor=doors.holder, kind=kind, why=why, service=action.service, rollout=rollout.id if rollout else "", body=body)
