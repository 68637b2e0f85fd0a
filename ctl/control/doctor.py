"""Is everything msxfctl stands on in order? Each check says what it found and what to do about it; none changes anything."""

from collections.abc import Callable
from itertools import pairwise

from ctl.control.desired import Desired
from ctl.control.doors import Doors
from ctl.errors import CtlError
from ctl.model.fleet import InstancePhase
from ctl.model.view import CheckView

RECENT = 1000


def examine(doors: Doors, desired: Desired) -> list[CheckView]:
    """Run every check; one that cannot be made is a failed one."""
    checks: dict[str, Callable[[], tuple[str, str, str]]] = {
        "catalog": lambda: _catalog(doors),
        "store": lambda: _store(doors),
        "journal": lambda: _journal(doors),
        "runtime": lambda: _runtime(doors),
        "gateway": lambda: _gateway(doors),
        "registry": lambda: _registry(doors),
        "rollouts": lambda: _rollouts(doors, desired),
    }
    return [_made(name, check) for name, check in checks.items()]


def _made(name: str, check: Callable[[], tuple[str, str, str]]) -> CheckView:
    try:
        state, found, remedy = check()
    except CtlError as error:
        state, found, remedy = "fail", " ".join(filter(None, (error.message.splitlines()[0], error.found))), error.remedy
    return CheckView(check=name, state=state, found=found, remedy=remedy)


def _catalog(doors: Doors) -> tuple[str, str, str]:
    snapshot = doors.catalog.snapshot()
    return "ok", f"{len(snapshot.services)} services, environment {snapshot.environment}, revision {snapshot.revision[:8]}", ""


def _store(doors: Doors) -> tuple[str, str, str]:
    active = len(doors.rollouts.active())
    return "ok", f"readable; {len(doors.rollouts.stable())} services released, {active} rollouts active", ""


def _journal(doors: Doors) -> tuple[str, str, str]:
    newest = doors.journal.last(RECENT)
    broken = next((after for before, after in pairwise(newest) if after.previous != before.hash or after.seq != before.seq + 1), None)
    if broken:
        return "fail", f"the chain is broken at event {broken.seq}", "msxfctl journal verify; keep the file and restore from a backup"
    return "ok", f"the newest {len(newest)} events are chained; the whole: msxfctl journal verify", ""


def _runtime(doors: Doors) -> tuple[str, str, str]:
    members = [one for groups in doors.runtime.observe().values() for group in groups for one in group.instances]
    ready = sum(1 for one in members if one.phase is InstancePhase.READY)
    looping = [one for one in members if one.restarts >= 3 and one.phase is not InstancePhase.READY]
    if looping:
        worst = looping[0]
        return "warn", f"{len(looping)} instances crash again and again, e.g. {worst.id}: {worst.reason}", f"msxfctl logs {worst.service} --level error"
    return "ok", f"{ready} of {len(members)} instances are ready", ""


def _gateway(doors: Doors) -> tuple[str, str, str]:
    return "ok", f"{doors.traffic.address()} serves {len(doors.traffic.routes())} services", ""


def _registry(doors: Doors) -> tuple[str, str, str]:
    return "ok", f"{sum(len(entries) for entries in doors.registry.instances().values())} instances are registered", ""


def _rollouts(doors: Doors, desired: Desired) -> tuple[str, str, str]:
    waiting = [one for one in desired.read().current.values() if one.phase.value == "paused"]
    if waiting:
        name = waiting[0].service
        return "warn", f"{name} is paused: {waiting[0].paused_why}", f"msxfctl resume {name}   or   msxfctl abort {name}"
    return "ok", "none waits for a person", ""
