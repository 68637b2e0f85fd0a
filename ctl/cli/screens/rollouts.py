"""Screens of a rollout: the live block, one line a change for a pipe, how it ended, and the history. Pure: views in, lines out."""

from collections.abc import Sequence

from ctl.cli import paint, times
from ctl.cli.look import Look
from ctl.cli.screens import groups, marks
from ctl.model.view import MeasurementView, RolloutView, ServiceView, SideView

CLIMBING = ("stepping", "judging", "paused")


def place(one: RolloutView) -> str:
    """Return where a rollout is: "step 2 of 4, judging" while it climbs a ladder, else its phase."""
    if one["strategy"] != "canary" or not one["steps"] or one["phase"] not in CLIMBING:
        return marks.words(one["phase"])
    return f"step {min(one['step'] + 1, one['steps'])} of {one['steps']}, {one['phase']}"


def live(one: RolloutView, service: ServiceView | None, look: Look, trouble: str = "") -> list[str]:
    """Return the block that a terminal shows while a rollout runs; `trouble` says why these facts are old."""
    lines = standing(one, service, look)
    if trouble:
        lines.append(look.paint("warn", paint.clip(f"  {marks.WARNING} {trouble}", look.wide)))
    onward = f"^C detaches; the rollout goes on.   msxfctl status {one['service']} --watch   {one['undo']}"
    return [*lines, look.paint("dim", paint.clip(onward, look.wide))]


def standing(one: RolloutView, service: ServiceView | None, look: Look) -> list[str]:
    """Return how a rollout stands: where it is, its groups, the last measurement, and what it waits for."""
    head = look.edges(f"{one['service']} {marks.journey(one)}   {one['strategy']}", f"{place(one)}   {times.stopwatch(one['took_s'])}")
    lines = [look.paint("bold", paint.clip(head, look.wide))]
    lines += groups.lines(service, look) if service else []
    if one["measurements"]:
        lines.append(paint.clip(_measured(one, one["measurements"][-1]), look.wide))
    why = one["abort_why"] or one["paused_why"]
    if why:
        said = "taken back" if one["abort_why"] else "paused"
        lines += [look.paint("warn", line) for line in paint.wrap(f"  {said}: {paint.plain(why)}", look.wide, "    ")]
    if one["waiting"] and one["phase"] != "paused":
        lines.append(paint.clip(f"  waiting: {paint.plain(one['waiting'])}", look.wide))
    return lines


def _measured(one: RolloutView, last: MeasurementView) -> str:
    target, stable = last["target"], last["stable"]
    if not target["requests"]:
        return f"  no request reached {one['to_version']} yet, so nothing can be judged"
    sides = f"({one['to_version']} | {one['from_version'] or 'nothing'})"
    return f"  errors {target['error_pct']:.2f} % | {stable['error_pct']:.2f} %    p99 {_p99(target)} | {_p99(stable)}    {sides}  verdict {last['verdict']}"


def _p99(side: SideView) -> str:
    return "none" if side["p99_ms"] is None else f"{side['p99_ms']:.0f} ms"


def key(one: RolloutView, service: ServiceView | None) -> tuple[object, ...]:
    """Return what must change before a pipe gets another line."""
    present = groups.present(service)
    sizes = [(group["version"], group["ready"], group["draining"], group["weight_pct"], len(group["instances"])) for group in present]
    return (one["id"], one["phase"], one["step"], len(one["measurements"]) and one["measurements"][-1]["at"], *sizes)


def change(one: RolloutView, service: ServiceView | None) -> str:
    """Return one line that says how a rollout stands now."""
    sizes = [f"{group['version']} {_few(group['ready'], group['draining'])} {group['weight_pct']} %" for group in groups.present(service)]
    sizes += [_verdict(one["measurements"][-1])] if one["measurements"] else []
    why = one["abort_why"] or one["paused_why"]
    return f"{times.stopwatch(one['took_s'])} {one['service']} {place(one)}: {'; '.join(sizes) or 'nothing runs'}" + (f" ({paint.plain(why)})" if why else "")


def _few(ready: int, draining: int) -> str:
    return f"{ready} ready" + (f", {draining} draining" if draining else "")


def _verdict(last: MeasurementView) -> str:
    if not last["target"]["requests"]:
        return "no request to judge by"
    return f"judged {last['verdict']}, errors {last['target']['error_pct']:.2f} % | {last['stable']['error_pct']:.2f} %"


def judged(one: RolloutView) -> tuple[int, int]:
    """Return (requests, errors) of the new release in the windows that were judged."""
    return sum(each["target"]["requests"] for each in one["measurements"]), sum(each["target"]["errors"] for each in one["measurements"])


def certified(one: RolloutView, service: ServiceView | None, look: Look) -> list[str]:
    """Return the line of a rollout that went well."""
    requests, errors = judged(one)
    facts = [_ready(service)] if service else []
    facts += [f"{errors:,} failed of {requests:,} judged requests"] if requests else []
    said = f"{one['service']} {one['to_version']} is live: {', '.join([*facts, times.span(one['took_s'])])}."
    lines = paint.wrap(f"{marks.READY} {said}", look.wide, "  ")
    undo = f"   Undo: {one['undo']}"
    fits = len(lines) == 1 and paint.width(lines[0] + undo) <= look.wide
    return [look.paint("good", marks.READY) + lines[0][1:] + (undo if fits else ""), *lines[1:], *([] if fits else [f"undo   {one['undo']}"])]


def _ready(service: ServiceView) -> str:
    return f"{service['ready']} of {service['desired']} ready"


def taken_back(one: RolloutView, service: ServiceView | None, found: Sequence[str], look: Look) -> list[str]:
    """Return the screen of a rollout that was taken back; `found` are further lines about what was touched and what went wrong first."""
    back = f"{one['from_version']} is live again" if one["from_version"] else "nothing is live"
    state = f", {_ready(service)}" if service and one["from_version"] else ""
    lines = [look.paint("bad", f"{marks.FAILED} {one['service']} {one['to_version']} was taken back: {back}{state}")]
    lines += paint.wrap(f"  why     {paint.plain(one['abort_why'] or one['outcome'] or 'it was aborted')}", look.wide, " " * 10)
    lines += [line for each in found for line in paint.wrap(f"  {paint.plain(each)}", look.wide, " " * 10)]
    return [*lines, f"  look    msxfctl logs {one['service']} --release {one['to_version']} --level error --last 20"]


def touched(one: RolloutView, weight_pct: int, found_after_s: float | None) -> str:
    """Return how many judged requests failed, and how long it took to find out and to be back; empty when nothing was measured."""
    requests, errors = judged(one)
    known = "found" if one["measurements"] and one["measurements"][-1]["verdict"] == "harm" else "aborted"
    when = f"{known} after {times.span(found_after_s)}" if found_after_s is not None else ""
    at = f" at {weight_pct} % of the traffic" if when and weight_pct else ""
    counted = f"{errors:,} of {requests:,} judged requests ({100 * errors / requests:.1f} %) failed" if requests else "nothing that could be judged"
    back = f"back after {times.span(one['took_s'])}"
    return f"touched {counted}; {', '.join(filter(None, (when + at, back)))}"


def paused(one: RolloutView, look: Look) -> list[str]:
    """Return the screen of a rollout that waits for a person."""
    why = paint.plain(one["paused_why"] or one["waiting"] or "it waits for a person")
    lines = [look.paint("warn", f"{marks.WARNING} {one['service']} {marks.journey(one)} waits for you: {place(one)}")]
    lines += paint.wrap(f"  why     {why}", look.wide, " " * 10)
    return [*lines, f"  next    msxfctl promote {one['service']}   msxfctl resume {one['service']}   msxfctl abort {one['service']}"]


def over(one: RolloutView, look: Look) -> list[str]:
    """Return the line of a rollout that ended without being certified or taken back."""
    said = f"{one['service']} {one['to_version']} is {marks.words(one['phase'])}: {paint.plain(one['outcome'] or 'it did not go on')}"
    return [f"{marks.end(one['phase'], look)} {paint.clip(said, look.wide - 2)}", f"  next    msxfctl history {one['service']}"]


def history(rows: Sequence[RolloutView], look: Look) -> list[str]:
    """Return a service's rollouts, newest first."""
    if not rows:
        return ["nothing has been released yet"]
    head = ("REV", "VERSIONS", "END", "STRATEGY", "TOOK", "STARTED", "BY", "WHY")
    cells = paint.columns([head, *(_past(one, look) for one in rows)], total=look.wide - 2, right=(0,))
    lines = [look.paint("dim", "  " + paint.GAP.join(cells[0]).rstrip())]
    lines += [f"{marks.end(one['phase'], look)} {paint.GAP.join(line).rstrip()}" for one, line in zip(rows, cells[1:], strict=True)]
    if not look.is_terminal:
        return lines
    return [*lines, f"next   msxfctl rollback {rows[0]['service']} --to VERSION   msxfctl events --service {rows[0]['service']}"]


def _past(one: RolloutView, look: Look) -> tuple[str, ...]:
    why = one["abort_why"] or one["paused_why"] or one["reason"] or one["outcome"]
    took, started = times.span(one["took_s"]), look.when(one["started_at"])
    return (str(one["revision"]), marks.journey(one), marks.words(one["phase"]), one["strategy"], took, started, one["actor"], paint.plain(why))
