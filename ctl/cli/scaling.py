"""Setting a service's target by hand, and waiting until it is reached."""

import time
from dataclasses import dataclass
from typing import Any

from ctl.cli import confirming, times
from ctl.cli.asked import Asked
from ctl.cli.following import DETACHED
from ctl.cli.look import Look
from ctl.cli.reach import Reached
from ctl.cli.screens import marks
from ctl.cli.show import Screen
from ctl.errors import TimedOut
from ctl.model.view import ServiceRow, ServiceView


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """How many instances are wished; None gives the number back to the catalog."""

    service: str
    count: int | None
    reason: str = ""


def run(asked: Asked, there: Reached, target: Target, *, how: dict[str, Any]) -> int:
    """Set the target, or say what that would do; wait until it is reached where that was asked for."""
    screen, before = Screen(asked), there.plane.service(target.service)
    if how["dry_run"]:
        return _would(screen, before, target)
    confirming.service(screen, there, target.service, doing="scale", yes=how["yes"])
    row, undo = there.plane.scale(target.service, target.count, reason=target.reason), _undo(before)
    if how["wait"]:
        try:
            row = _reached(asked, there, screen, row, how["timeout"])
        except KeyboardInterrupt:
            screen.say(f"detached; {target.service} goes on to {marks.count(row['desired'], 'instance')}")
            return DETACHED
    screen.answer("service-row/1", {**row, "before": before["desired"], "undo": undo}, lambda look: _lines(row, before, undo, look))
    return 0


def _reached(asked: Asked, there: Reached, screen: Screen, row: ServiceRow, timeout_s: float | None) -> ServiceRow:
    """Wait until as many are ready as are wished. Raises TimedOut; the target stays."""
    began, shown = time.monotonic(), ""
    while not (row["ready"] == row["total"] == row["desired"]):
        said = f"{row['name']}: {row['ready']} of {row['desired']} ready, {row['total']} there"
        if said != shown:
            screen.say(said)
            shown = said
        if timeout_s is not None and time.monotonic() - began >= timeout_s:
            raise TimedOut(f"{said} after {times.span(timeout_s)}; the target stays", remedy=f"msxfctl status {row['name']}")
        time.sleep(asked.poll_s)
        row = there.plane.service(row["name"])
    return row


def _would(screen: Screen, before: ServiceView, target: Target) -> int:
    spec = before["spec"]
    wished = spec["replicas"] if target.count is None else target.count
    body = {"dry_run": True, "service": target.service, "before": before["desired"], "desired": wished, "most": spec["scale"]["max"]}
    bounds = f"the catalog says {spec['replicas']}, at most {spec['scale']['max']}"
    said = f"would scale {target.service} from {before['desired']} to {marks.count(wished, 'instance')} ({bounds})"
    screen.answer("would-scale/1", body, lambda _: [said, "nothing was changed"])
    return 0


def _undo(before: ServiceView) -> str:
    number = "--reset" if before["desired"] == before["spec"]["replicas"] else str(before["desired"])
    return f"msxfctl scale {before['name']} {number}"


def _lines(row: ServiceRow, before: ServiceView, undo: str, look: Look) -> list[str]:
    said = f"{row['name']} should have {marks.count(row['desired'], 'instance')} (before: {before['desired']}), {row['ready']} ready now"
    return [f"{marks.state(row['state'], look)} {said}", f"undo   {undo}"]
