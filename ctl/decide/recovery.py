"""Has an action that was meant to happen happened? Pure: compares an intent with an observation."""

from typing import assert_never

from ctl.decide import routing
from ctl.model.fleet import Fleet, Group, InstancePhase, Routes
from ctl.model.plan import Action, Deregister, DrainInstances, EnsureGroup, Register, RemoveGroup, SetRoutes


def is_visible(action: Action, fleet: Fleet) -> bool:
    """Whether the observation shows the action's effect."""
    match action:
        case EnsureGroup():
            group = _group(fleet, action.service, action.release)
            return group is not None and sum(one.is_counted for one in group.instances) >= action.count
        case SetRoutes():
            return not routing.differs(action.routes, fleet.routes.get(action.service) or Routes(service=action.service))
        case DrainInstances():
            group = _group(fleet, action.service, action.release)
            members = group.instances if group else ()
            return all(one.phase in (InstancePhase.DRAINING, InstancePhase.GONE) for one in members if one.id in action.ids)
        case RemoveGroup():
            return _group(fleet, action.service, action.release) is None
        case Register():
            return set(action.entries) <= set(fleet.registered.get(action.service, ()))
        case Deregister():
            return not any(entry.id in action.ids for entry in fleet.registered.get(action.service, ()))
        case _:
            assert_never(action)


def _group(fleet: Fleet, service: str, release: str) -> Group | None:
    return next((group for group in fleet.groups.get(service, ()) if group.release == release), None)
