"""The groups of a service, a line each: how many are ready, how many leave, and how much of the traffic each carries. Pure."""

from collections import Counter

from ctl.cli import paint, times
from ctl.cli.look import Look
from ctl.cli.screens import marks
from ctl.model.view import GroupView, ServiceView


def lines(one: ServiceView, look: Look) -> list[str]:
    """Return a line a group: how many are ready, how many leave, and how much of the traffic it carries."""
    rows = [(f"  {group['version']}", marks.dots(group["instances"]), _counts(group, look), f"traffic {group['weight_pct']} %") for group in present(one)]
    return [paint.GAP.join(line).rstrip() for line in paint.columns(rows, total=look.wide)]


def present(one: ServiceView | None) -> list[GroupView]:
    """Return the groups that have, or should have, an instance or any traffic."""
    return [group for group in one["groups"] if group["instances"] or group["desired"] or group["weight_pct"]] if one else []


def _counts(group: GroupView, look: Look) -> str:
    known = {"ready": group["ready"], "draining": group["draining"]}
    phases = Counter(one["phase"] for one in group["instances"])
    known |= {phase: phases[phase] for phase in ("starting", "standby", "unready") if phases[phase]}
    parts = [f"{number} {phase}" for phase, number in known.items() if number]
    ends = [one["drain_by"] for one in group["instances"] if one["drain_by"]]
    left = max(((times.moment(end) - look.now).total_seconds() for end in ends), default=0.0)
    return ", ".join(parts) + (f" (at most {times.span(left)} more)" if left > 0 else "") if parts else "none"
