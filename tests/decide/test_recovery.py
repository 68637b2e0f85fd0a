"""Whether an intent has come true is read from an observation alone."""

from dataclasses import replace

import pytest

from ctl.decide import recovery
from ctl.model.fleet import Fleet, Group, InstancePhase, RegistryEntry, RouteEntry, Routes
from ctl.model.plan import Action, Deregister, DrainInstances, EnsureGroup, Register, RemoveGroup, SetRoutes
from tests.decide.histories import BRISK
from tests.decide.world import EPOCH, GOOD, SERVICE, World


def fleet_of(*phases: InstancePhase) -> Fleet:
    """Return an observation of one group, "new", whose instances "new-1"... stand in these phases; the first has all of the traffic."""
    world = World(BRISK, len(phases), {"new": GOOD})
    world.begin("new", len(phases))
    members = zip(world.members.values(), phases, strict=True)
    instances = tuple(replace(one, id=f"new-{number}", phase=phase) for number, (one, phase) in enumerate(members, 1))
    entries = (RouteEntry(release="new", weight_pct=100, instances=("new-1",), addresses=(instances[0].address,)),) if instances else ()
    return Fleet(
        groups={SERVICE: (Group(service=SERVICE, release="new", desired=len(phases), instances=instances),)} if instances else {},
        routes={SERVICE: Routes(service=SERVICE, entries=entries, revision=9)} if instances else {},
        registered={SERVICE: (registered(1),)} if instances else {},
        observed_at=EPOCH,
        seq=1,
    )


def registered(number: int) -> RegistryEntry:
    return RegistryEntry(id=f"new-{number}", service=SERVICE, release="new", address="a:1")


READY, STARTING, DRAINING, GONE = InstancePhase.READY, InstancePhase.STARTING, InstancePhase.DRAINING, InstancePhase.GONE
TWO = fleet_of(READY, STARTING)
LEAVING = fleet_of(READY, DRAINING, GONE)
NOBODY = fleet_of()


def drain(*ids: str) -> DrainInstances:
    return DrainInstances(service=SERVICE, release="new", ids=ids, deadline=EPOCH)


def send_to(*ids: str, weight: int = 100) -> SetRoutes:
    address = TWO.routes[SERVICE].entries[0].addresses[0]
    entry = RouteEntry(release="new", weight_pct=weight, instances=ids, addresses=tuple(address for _ in ids))
    return SetRoutes(service=SERVICE, routes=Routes(service=SERVICE, entries=(entry,) if ids else ()))


@pytest.mark.parametrize(
    ("action", "fleet", "visible"),
    [
        (EnsureGroup(service=SERVICE, release="new", count=2), TWO, True),
        (EnsureGroup(service=SERVICE, release="new", count=1), TWO, True),
        (EnsureGroup(service=SERVICE, release="new", count=3), TWO, False),
        (EnsureGroup(service=SERVICE, release="old", count=1), TWO, False),
        (EnsureGroup(service=SERVICE, release="new", count=2), LEAVING, False),
        (EnsureGroup(service=SERVICE, release="new", count=1), NOBODY, False),
        (drain("new-2", "new-3"), LEAVING, True),
        (drain("new-1"), LEAVING, False),
        (drain("long gone"), LEAVING, True),
        (drain("new-1"), NOBODY, True),
        (send_to("new-1"), TWO, True),
        (send_to("new-2"), TWO, False),
        (send_to(), TWO, False),
        (send_to(), NOBODY, True),
        (RemoveGroup(service=SERVICE, release="new"), TWO, False),
        (RemoveGroup(service=SERVICE, release="old"), TWO, True),
        (RemoveGroup(service=SERVICE, release="new"), NOBODY, True),
        (Register(service=SERVICE, entries=(registered(1),)), TWO, True),
        (Register(service=SERVICE, entries=(registered(1), registered(2))), TWO, False),
        (Deregister(service=SERVICE, ids=("new-2",)), TWO, True),
        (Deregister(service=SERVICE, ids=("new-1", "new-2")), TWO, False),
    ],
    ids=str,
)
def test_visible(action: Action, fleet: Fleet, visible: bool) -> None:
    assert recovery.is_visible(action, fleet) is visible
