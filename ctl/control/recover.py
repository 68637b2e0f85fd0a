"""After a crash: every journalled intent without an outcome gets one, before the first tick."""

from ctl.control import act
from ctl.control.doors import Doors
from ctl.decide import recovery
from ctl.model import codec, plan
from ctl.model.event import Event, Note
from ctl.model.fleet import Fleet
from ctl.model.plan import Action

LOOK_BACK = 2000
KINDS: dict[str, type[Action]] = {
    kind.__name__: kind for kind in (plan.EnsureGroup, plan.SetRoutes, plan.DrainInstances, plan.RemoveGroup, plan.Register, plan.Deregister)
}


def close_open_intents(doors: Doors, fleet: Fleet) -> int:
    """Journal an outcome for every open intent and return how many there were.

    An effect that can be seen is ok, recovered; one that cannot is unknown, and the next tick issues the same action id again if it is still wanted.
    """
    notes = [_outcome(doors, event, fleet) for event in _open(doors)]
    if notes:
        doors.journal.append(notes)
    return len(notes)


def _open(doors: Doors) -> list[Event]:
    waiting: dict[tuple[str, str], Event] = {}
    for event in doors.journal.last(LOOK_BACK):
        key = (event.rollout, str(event.body.get("id", "")))
        if event.kind == act.INTENT:
            waiting[key] = event
        elif event.kind == act.OUTCOME:
            waiting.pop(key, None)
    return list(waiting.values())


def _outcome(doors: Doors, event: Event, fleet: Fleet) -> Note:
    kind = KINDS.get(str(event.body.get("action")))
    action = codec.from_json(kind, event.body["arguments"]) if kind else None
    seen = action is not None and recovery.is_visible(action, fleet)
    body = {key: value for key, value in event.body.items() if key != "arguments"} | {"result": "ok" if seen else "unknown", "recovered": True}
    why = "found done after a restart" if seen else "not seen after a restart; the next tick decides again"
    return Note(at=doors.clock.now(), actor=doors.holder, kind=act.OUTCOME, why=why, service=event.service, rollout=event.rollout, body=body)
