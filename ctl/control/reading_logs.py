"""The output of a service's instances, filtered."""

import json
from dataclasses import dataclass

from ctl.control.doors import Doors
from ctl.errors import BadInput, NotFound
from ctl.model.fleet import Fleet
from ctl.model.view import LogLine

MOST_LINES = 10_000
LEVELS = ("debug", "info", "warning", "error")


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Which lines: of one instance or release (empty: all), of `level` or worse (empty: all), the `last` ones of each instance."""

    instance: str = ""
    release: str = ""
    level: str = ""
    last: int = 100


def read(doors: Doors, fleet: Fleet, service: str, wanted: Filter) -> list[LogLine]:
    """Return the lines, instance by instance, oldest first. Raises BadInput, NotFound."""
    if not 0 < wanted.last <= MOST_LINES:
        raise BadInput(f"cannot show {wanted.last} lines", remedy=f"use 1 to {MOST_LINES}")
    if wanted.level and wanted.level.lower() not in LEVELS:
        raise BadInput(f"there is no level {wanted.level!r}", remedy=f"use one of {', '.join(LEVELS)}")
    lines: list[LogLine] = []
    for name in _instances(fleet, service, wanted):
        found = [line for line in doors.runtime.logs(name, wanted.last if not wanted.level else MOST_LINES) if _is_wanted(line, wanted.level.lower())]
        lines += [LogLine(instance=name, line=line) for line in found[-wanted.last :]]
    return lines


def _instances(fleet: Fleet, service: str, wanted: Filter) -> list[str]:
    if wanted.instance:
        return [wanted.instance]
    groups = [group for group in fleet.groups.get(service, ()) if not wanted.release or wanted.release in (group.release, group.release.rsplit("-", 1)[0])]
    found = [one.id for group in groups for one in group.instances]
    if not found:
        raise NotFound(f"{service} has no instance" + (f" of {wanted.release}" if wanted.release else ""), remedy=f"msxfctl show {service}")
    return found


def _is_wanted(line: str, level: str) -> bool:
    if not level:
        return True
    try:
        said = str(json.loads(line).get("level", "")).lower()
    except (ValueError, AttributeError):
        return level == "error" and ("Error" in line or "Traceback" in line)
    return said in LEVELS and LEVELS.index(said) >= LEVELS.index(level)
