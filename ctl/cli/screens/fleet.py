"""Screens of services and their instances: the list, one service whole, and how everything stands. Pure: views in, lines out."""

from collections import Counter
from collections.abc import Iterable, Sequence

from ctl.cli import paint, times
from ctl.cli.look import Look
from ctl.cli.screens import groups, marks, rollouts
from ctl.model.view import InstanceView, RolloutView, ServiceRow, ServiceView, StatusView

ORDER = list(marks.STATES)


def services(rows: Sequence[ServiceRow], look: Look) -> list[str]:
    """Return the list of services: the sum first, then a line each."""
    if not rows:
        return ["no service is like that   (msxfctl services lists all)"] if look.is_terminal else []
    head = ("SERVICE", "VERSION", "READY", "STATE", "TIER", "DOMAIN", "NOTE")
    cells = paint.columns([head, *(_row(row) for row in rows)], total=look.wide - 2, right=(2, 4))
    lines = [look.paint("dim", "  " + paint.GAP.join(cells[0]).rstrip())]
    for row, line in zip(rows, cells[1:], strict=True):
        style = marks.STATES.get(row["state"], ("", "warn"))[1]
        line[3] = line[3] if row["state"] == "ok" else look.paint(style, line[3])
        lines.append(f"{marks.state(row['state'], look)} " + paint.GAP.join(line).rstrip())
    if not look.is_terminal:
        return lines
    return [look.paint("bold", _sum(rows)), *lines, "next   msxfctl show SERVICE   msxfctl status   msxfctl services --state degraded"]


def _row(row: ServiceRow) -> tuple[str, ...]:
    ready = f"{row['ready']}/{row['desired']}"
    return (row["name"], row["version"] or "-", ready, row["state"], str(row["tier"]), row["domain"], paint.plain(row["note"]))


def _sum(rows: Sequence[ServiceRow]) -> str:
    by_state = Counter(row["state"] for row in rows)
    parts = [f"{by_state[state]} {state}" for state in [*ORDER, *sorted(set(by_state) - set(ORDER))] if by_state[state]]
    instances = sum(row["total"] for row in rows)
    return f"{marks.count(len(rows), 'service')}: {', '.join(parts)}   {marks.count(instances, 'instance')}"


def service(one: ServiceView, look: Look) -> list[str]:
    """Return everything worth knowing about one service."""
    lines = [*_headline(one, look), *_findings(one, look), *_facts(one)]
    lines += ["", *instances([each for group in one["groups"] for each in group["instances"]], look)] if one["groups"] else []
    if one["current"]:
        lines += ["", *rollouts.standing(one["current"], one, look)]
    return [*lines, *_next(one)]


def _headline(one: ServiceView, look: Look) -> list[str]:
    version = one["version"] or "nothing released"
    left = f"{one['name']} {version}   {one['ready']} of {one['desired']} ready   {marks.words(one['state'])}"
    lines = [f"{marks.state(one['state'], look)} {look.paint('bold', left)}"]
    return [*lines, *paint.wrap(f"  {paint.plain(one['note'])}", look.wide, "  ")] if one["note"] else lines


def _facts(one: ServiceView) -> list[str]:
    spec = one["spec"]
    facts = {
        "about": one["summary"],
        "owner": f"{one['owner']}, domain {one['domain']}, tier {one['tier']}, {one['kind']}",
        "rollout": spec.get("rollout", {}).get("strategy", ""),
        "needs": marks.listing(one["depends_on"]),
        "needed by": marks.listing(one["dependents"]),
    }
    return [line for name, fact in facts.items() if fact for line in paint.wrap(f"  {name:<11}{fact}", paint.WIDEST, " " * 13)]


def _findings(one: ServiceView, look: Look) -> list[str]:
    """Return what the service's releases say of themselves; what asks for action is marked."""
    lines = []
    for each in one["findings"]:
        mark = marks.state("finding", look) if each["asks"] == "act" else " "
        said = paint.plain(f"{each['version']} says: {each['said']} (since {look.when(each['since'])}; {each['follows']})")
        first, *rest = paint.wrap(f"  {said}", look.wide, "    ")
        lines += [mark + first[1:], *rest]
    return lines


def _next(one: ServiceView) -> list[str]:
    name = one["name"]
    is_found = one["state"] == "ok" and any(each["asks"] == "act" and each["release"] == one["release"] for each in one["findings"])
    hints = {
        "finding": f"msxfctl rollback {name}   or   msxfctl history {name}",
        "absent": f"msxfctl build {name} --version 1.0.0   then   msxfctl deploy {name} --version 1.0.0",
        "paused": f"msxfctl resume {name}   or   msxfctl abort {name}",
        "rolling": f"msxfctl status {name} --watch   or   msxfctl abort {name}",
        "down": f"msxfctl logs {name} --level error   msxfctl rollback {name}",
        "degraded": f"msxfctl logs {name} --level error   msxfctl history {name}",
    }
    state = "finding" if is_found else one["state"]
    return [f"next   {hints.get(state, f'msxfctl history {name}   msxfctl logs {name}')}"]


def instances(members: Sequence[InstanceView], look: Look) -> list[str]:
    """Return a table of instances."""
    head = ("INSTANCE", "PHASE", "FOR", "ADDRESS", "PID", "RESTARTS", "REASON")
    rows = [head, *(_instance(one, look) for one in members)]
    cells = paint.columns(rows, total=look.wide - 2, right=(4, 5))
    lines = [look.paint("dim", "  " + paint.GAP.join(cells[0]).rstrip())]
    return [*lines, *(f"{marks.phase(one['phase'])} {paint.GAP.join(line).rstrip()}" for one, line in zip(members, cells[1:], strict=True))]


def _instance(one: InstanceView, look: Look) -> tuple[str, ...]:
    since = times.exact(one["since"]) if look.utc else times.rough(times.since_s(one["since"], look.now))
    return (one["id"], one["phase"], since, one["address"], str(one["pid"] or "-"), str(one["restarts"]), paint.plain(one["reason"]))


def status(found: StatusView, look: Look) -> list[str]:
    """Return how everything stands: what needs a person first, then what moves."""
    needs, waiting = found["needs"], {need["service"] for need in found["needs"]}
    rolling = [one for one in found["rolling"] if one["service"] not in waiting]
    said = f"{len(needs)} need{'s' if len(needs) == 1 else ''} you" if needs else "nothing needs you"
    head = f"{found['environment']}   {marks.count(found['services'], 'service')}   {_ready(found)}   {look.paint('warn' if needs else 'good', said)}"
    names = max((len(name) for name in (*waiting, *(one["service"] for one in rolling))), default=0)
    lines = [head, *(line for need in needs for line in _need(need, names, look))]
    lines += [f"{marks.end(one['phase'], look)} {paint.clip(_rolling(one, names), look.wide - 2)}" for one in rolling]
    quiet = found["services"] - len(waiting) - len(rolling)
    if not (needs or rolling or found["instances"]):
        return [*lines, "  nothing runs yet   msxfctl build SERVICE --version 1.0.0   then   msxfctl deploy SERVICE --version 1.0.0"]
    rest = f"{quiet:,} more are as they should be" if needs or rolling else "all are as they should be"
    return [*lines, f"  … {rest}   (msxfctl services)"]


def _ready(found: StatusView) -> str:
    if found["ready"] == found["instances"]:
        return marks.count(found["instances"], "instance")
    return f"{found['ready']:,} of {marks.count(found['instances'], 'instance')} ready"


def _need(need: dict[str, str], names: int, look: Look) -> Iterable[str]:
    why = paint.plain(f"{marks.words(need['state'])}: {need['why']}" if need["why"] else need["state"])
    left, way = f"{need['service']:<{names}}  {why}", need["next"]
    if paint.width(left) + paint.width(way) + 5 <= look.wide:
        return [f"{marks.state(need['state'], look)} {left}   {way}"]
    return [f"{marks.state(need['state'], look)} {paint.clip(left, look.wide - 2)}", f"  {'':<{names}}  {way}"]


def _rolling(one: RolloutView, names: int) -> str:
    journey = f"{one['service']:<{names}}  {marks.journey(one)}   {rollouts.place(one)}"
    return f"{journey}   {times.stopwatch(one['took_s'])}   {paint.plain(one['waiting'])}".rstrip()


def standing(one: ServiceView, newest: Sequence[RolloutView], look: Look) -> list[str]:
    """Return how one service stands: its groups, its rollout or how the last one ended, and what to do next."""
    lines = [*_headline(one, look), *_findings(one, look)]
    if one["current"]:
        return [*lines, *rollouts.standing(one["current"], one, look), *_next(one)]
    lines += groups.lines(one, look)
    for last in newest:
        end = paint.plain(last["abort_why"] or last["reason"] or last["outcome"])
        said = f"  last rollout {marks.journey(last)} {marks.words(last['phase'])} {look.when(last['finished_at'])} by {last['actor']}"
        lines += paint.wrap(said + (f": {end}" if end else ""), look.wide, "    ")
    return [*lines, *_next(one)]
