"""Symbols and words that every screen uses for the same thing."""

from collections.abc import Iterable, Sequence

from ctl.cli.look import Look
from ctl.model.view import InstanceView, RolloutView

READY, MOVING, STOPPED, FAILED, WARNING = "●", "◐", "○", "✖", "▲"
MOST_DOTS = 20
STATES = {
    "ok": (READY, "good"),
    "rolling": (MOVING, "name"),
    "starting": (MOVING, "name"),
    "paused": (WARNING, "warn"),
    "degraded": (WARNING, "warn"),
    "finding": (WARNING, "warn"),
    "down": (FAILED, "bad"),
    "absent": (STOPPED, "dim"),
}
_PHASES = {"ready": READY, "starting": MOVING, "draining": MOVING, "standby": MOVING, "unready": WARNING, "failed": FAILED, "gone": STOPPED}
_ENDS = {
    "certified": (READY, "good"),
    "rolled_back": (FAILED, "bad"),
    "superseded": (STOPPED, "dim"),
    "cancelled": (STOPPED, "dim"),
    "paused": (WARNING, "warn"),
}


def state(name: str, look: Look) -> str:
    """Return the painted symbol of a service's state."""
    symbol, style = STATES.get(name, (WARNING, "warn"))
    return look.paint(style, symbol)


def end(phase: str, look: Look) -> str:
    """Return the painted symbol of a rollout's phase."""
    symbol, style = _ENDS.get(phase, (MOVING, "name"))
    return look.paint(style, symbol)


def phase(name: str) -> str:
    """Return the symbol of an instance's phase."""
    return _PHASES.get(name, WARNING)


def dots(instances: Sequence[InstanceView]) -> str:
    """Return one symbol an instance; many of a kind are counted instead."""
    marks = sorted((phase(one["phase"]) for one in instances), key=[READY, MOVING, WARNING, FAILED, STOPPED].index)
    if len(marks) <= MOST_DOTS:
        return "".join(marks)
    return " ".join(f"{mark}×{marks.count(mark)}" for mark in dict.fromkeys(marks))


def journey(one: RolloutView) -> str:
    """Return where a rollout goes: "1.4.2 → 1.5.0", or the first release alone."""
    return f"{one['from_version']} → {one['to_version']}" if one["from_version"] else f"first release {one['to_version']}"


def words(phase: str) -> str:
    """Return a phase or state as people write it."""
    return phase.replace("_", " ")


def count(number: int, one: str, many: str = "") -> str:
    """Return "1 instance", "3 instances", "4,812 requests"."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def listing(names: Iterable[str], most: int = 12) -> str:
    """Return names with commas, and how many were left out."""
    known = list(names)
    shown = ", ".join(known[:most]) or "none"
    return shown if len(known) <= most else f"{shown} and {len(known) - most} more"
