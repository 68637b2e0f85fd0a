"""Screens of plans and artifacts: what a release would do, before anything moves, and what has been built. Pure: views in, lines out."""

from collections.abc import Mapping, Sequence

from ctl.cli import paint, times
from ctl.cli.look import Look
from ctl.cli.screens import marks
from ctl.model.view import ArtifactView, PlanStepView, PlanView

SHORT = 8


def summary(plan: PlanView) -> str:
    """Return a plan in one line."""
    if plan["from_release"] == plan["to_release"]:
        return _nothing(plan)
    steps = sum(1 for step in plan["steps"] if not _is_phase(step))
    capacity = f"capacity never below {plan['lowest_available']} of {plan['desired']}" if plan["from_version"] else f"{plan['desired']} wanted"
    return f"Plan {plan['checksum'][:SHORT]}  {_bounds(plan)}: {marks.count(steps, 'step')}, about {times.span(plan['expected_s'])}, {capacity}"


def _nothing(plan: PlanView) -> str:
    return f"{plan['service']} {plan['to_version']} is live already, with this config: a deploy would change nothing"


def _bounds(plan: PlanView) -> str:
    return f"{plan['strategy']}, surge {plan['surge']}, unavailable {plan['unavailable']}"


def whole(plan: PlanView, look: Look) -> list[str]:
    """Return every step of a plan, what comes with it, and how to approve exactly this."""
    if plan["from_release"] == plan["to_release"]:
        return [look.paint("bold", _nothing(plan)), f"next   msxfctl history {plan['service']}"]
    bounds = f"lowest capacity {plan['lowest_available']}, highest total {plan['highest_total']}, about {times.span(plan['expected_s'])}"
    head = f"{plan['service']} {_journey(plan)}   {_bounds(plan)}"
    fits = paint.width(head) + paint.width(bounds) + 3 <= look.wide
    lines = [f"{head}   {bounds}"] if fits else [head, f"  {bounds}"]
    return [look.paint("bold", lines[0]), *lines[1:], *_steps(plan, look), *_beside(plan, look), *_approve(plan)]


def _journey(plan: PlanView) -> str:
    return f"{plan['from_version']} → {plan['to_version']}" if plan["from_version"] else f"first release {plan['to_version']}"


def _steps(plan: PlanView, look: Look) -> list[str]:
    rows, number = [], 0
    for step in plan["steps"]:
        number += not _is_phase(step)
        label = "" if _is_phase(step) else str(number)
        sizes = ", ".join(f"{_short(release, plan)}: {count}" for release, count in step["sizes"])
        rows.append((label, times.stopwatch(step["at_s"]), _short(step["does"], plan), f"({sizes})" if sizes and label else ""))
    cells = paint.columns(rows, total=look.wide - 2, right=(0,))
    return [_step_line(line, row[0] == "", look) for row, line in zip(rows, cells, strict=True)]


def _step_line(cells: Sequence[str], is_phase: bool, look: Look) -> str:
    text = paint.clip("  " + paint.GAP.join(cells).rstrip(), look.wide)
    return look.paint("dim", text) if is_phase else text


def _is_phase(step: PlanStepView) -> bool:
    from ctl.model.rollout import Phase

    return step["does"].partition(" ")[0] in {phase.value for phase in Phase}


def _short(text: str, plan: PlanView) -> str:
    """Say versions instead of release ids where they are enough to tell the two apart."""
    if plan["from_version"] == plan["to_version"]:
        return text
    text = text.replace(plan["to_release"], plan["to_version"])
    return text.replace(plan["from_release"], plan["from_version"] or "") if plan["from_release"] else text


def _beside(plan: PlanView, look: Look) -> list[str]:
    changes = plan["config_changes"]
    keys = ", ".join(f"{_key(change)} {change['before'] or '(none)'} → {change['after'] or '(none)'}" for change in changes[:6])
    more = f" and {len(changes) - 6} more (-o json)" if len(changes) > 6 else ""
    config = f"{marks.count(len(changes), 'key')}: {keys}{more}" if changes else "none"
    said = (f"  config changes that come with it: {paint.plain(config)}", f"  checks before it starts: {' · '.join(plan['checks']) or 'none'}")
    return [line for each in said for line in paint.wrap(each, look.wide, "    ")]


def _key(change: Mapping[str, str | None]) -> str:
    return (change["key"] or "").removeprefix("MSXF_CONFIG_")


def _approve(plan: PlanView) -> list[str]:
    return [f"Approve exactly this: msxfctl deploy {plan['service']} --version {plan['to_version']} --approve {plan['checksum'][:SHORT]}"]


def built(one: ArtifactView, look: Look) -> list[str]:
    """Return what a build made, and what to do with it."""
    commit = f", commit {one['commit'][:12]}" if one["commit"] else ""
    facts = f"{marks.count(one['files'], 'file')}, {size(one['size'])}, {marks.count(len(one['dependencies']), 'dependency', 'dependencies')}{commit}"
    said = f"{look.paint('good', marks.READY)} {one['service']} {one['version']} is built: {one['digest'][:19]}…"
    return [said, f"  {facts}", f"next   msxfctl deploy {one['service']} --version {one['version']}"]


def artifacts(service: str, rows: Sequence[ArtifactView], look: Look) -> list[str]:
    """Return what has been built of a service, newest first."""
    if not rows:
        return [f"nothing has been built of {service}", f"next   msxfctl build {service} --version 1.0.0"]
    head = ("VERSION", "BUILT", "SIZE", "FILES", "COMMIT", "DIGEST")
    cells = [(one["version"], look.when(one["built_at"]), size(one["size"]), str(one["files"]), one["commit"][:12] or "-", one["digest"]) for one in rows]
    lines = [paint.GAP.join(line).rstrip() for line in paint.columns([head, *cells], total=look.wide, right=(2, 3))]
    lines[0] = look.paint("dim", lines[0])
    return [*lines, f"next   msxfctl plan {service} --version {rows[0]['version']}"] if look.is_terminal else lines


def size(number: int) -> str:
    """Return a size in bytes as 512 B, 3.4 kB or 12 MB."""
    if number < 1000:
        return f"{number} B"
    return f"{number / 1000:.1f} kB" if number < 1_000_000 else f"{number / 1_000_000:.1f} MB"
