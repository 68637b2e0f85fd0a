"""Screens of the catalog: its services, one of them whole, its mistakes, who stands on whom, and who suffers. Pure: values in, lines out."""

from collections.abc import Mapping, Sequence
from typing import Any

from ctl.cli import paint
from ctl.cli.look import Look
from ctl.cli.screens import marks
from ctl.model.view import MistakeView


def services(found: Mapping[str, Any], names: Sequence[str], look: Look) -> list[str]:
    """Return the services as the catalog declares them."""
    if not names:
        return ["no service is like that"] if look.is_terminal else []
    head = ("SERVICE", "DOMAIN", "TIER", "KIND", "REPLICAS", "OWNER", "NEEDS")
    rows = [_declared(found["services"][name]) for name in names]
    lines = [paint.GAP.join(line).rstrip() for line in paint.columns([head, *rows], total=look.wide, right=(2, 4))]
    lines[0] = look.paint("dim", lines[0])
    if not look.is_terminal:
        return lines
    said = f"{marks.count(len(names), 'service')}   environment {found['environment']}   revision {str(found['revision'])[:8]}"
    return [look.paint("bold", said), *lines, "next   msxfctl catalog show SERVICE   msxfctl catalog impact SERVICE"]


def _declared(spec: Mapping[str, Any]) -> tuple[str, ...]:
    needs = ", ".join(spec["depends_on"]) or "-"
    return (spec["name"], spec["domain"], str(spec["tier"]), spec["kind"], str(spec["replicas"]), spec["owner"], needs)


def spec(value: Mapping[str, Any], look: Look, indent: str = "") -> list[str]:
    """Return nested values as an outline: a line a fact, empty ones left out."""
    lines: list[str] = []
    known = {key: _plain(each) for key, each in value.items() if each is not None and each not in ("", [], {})}
    longest = max((len(key) for key, each in known.items() if isinstance(each, str)), default=0)
    for key, each in known.items():
        if isinstance(each, str):
            lines += paint.wrap(f"{indent}{key:<{longest}}  {each}", look.wide, indent + " " * (longest + 2))
        elif isinstance(each, Mapping):
            lines += [f"{indent}{look.paint('name', key)}", *spec(each, look, indent + "  ")]
        else:
            lines += [f"{indent}{look.paint('name', key)}", *(line for one in each for line in _listed(one, look, indent))]
    return lines


def _plain(value: Any) -> Any:
    """Return what fits on one line as text; mappings, and lists of mappings, as they are."""
    if isinstance(value, Mapping):
        return f"{value['value']}{' %' if value['percent'] else ''}" if value.keys() == {"value", "percent"} else value
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return value if any(isinstance(one, Mapping) for one in value) else paint.plain(", ".join(map(str, value)))
    return paint.plain(str(value))


def _listed(one: Mapping[str, Any], look: Look, indent: str) -> list[str]:
    inner = spec(one, look, indent + "    ")
    return [f"{indent}  - {inner[0].lstrip()}", *inner[1:]] if inner else []


def mistakes(found: Sequence[MistakeView], services: int, took_s: float, look: Look) -> list[str]:
    """Return every mistake with its place and its remedy, and the sum of them."""
    if not found:
        return [f"{look.paint('good', marks.READY)} {marks.count(services, 'service')}, no mistake. ({took_s:.1f} s)"]
    lines: list[str] = []
    for one in found:
        place = f"{one['file']}:{one['line']}" if one["line"] else one["file"]
        what = f"{one['field']}: {one['message']}" if one["field"] else one["message"]
        whole = f"{place}   {paint.plain(what)}" if place else paint.plain(what)
        remedy = f"   {paint.plain(one['remedy'])}" if one["remedy"] else ""
        if paint.width(whole) + paint.width(remedy) <= look.wide:
            lines.append(whole + look.paint("dim", remedy))
            continue
        lines += paint.wrap(whole, look.wide, "    ") + [look.paint("dim", line) for line in paint.wrap(f"   {remedy}", look.wide, "      ")]
    said = f"{marks.count(len(found), 'mistake')} in {marks.count(services, 'service')}; nothing was loaded. ({took_s:.1f} s)"
    return [*lines, look.paint("bad", said)]


def graph(found: Mapping[str, Any], service: str, look: Look) -> list[str]:
    """Return who stands on whom: of one service as a tree, of all as a line each, by level."""
    needs = _needs(found)
    if service:
        below = len(found["services"]) - 1
        head = f"{service} stands on {marks.count(below, 'service')}"
        return [look.paint("bold", head), *_tree(service, needs, look), f"next   msxfctl catalog impact {service}"]
    levels: Mapping[str, int] = found["levels"]
    ordered = sorted(found["services"], key=lambda name: (levels.get(name, 0), name))
    rows = [(str(levels.get(name, 0)), name, ", ".join(sorted(needs.get(name, ()))) or "-") for name in ordered]
    lines = [paint.GAP.join(line).rstrip() for line in paint.columns([("LEVEL", "SERVICE", "NEEDS"), *rows], total=look.wide, right=(0,))]
    lines[0] = look.paint("dim", lines[0])
    said = f"{marks.count(len(ordered), 'service')}, {marks.count(len(found['edges']), 'dependency', 'dependencies')}"
    return [look.paint("bold", said), *lines] if look.is_terminal else lines


def _needs(found: Mapping[str, Any]) -> dict[str, list[str]]:
    needs: dict[str, list[str]] = {}
    for upper, lower in found["edges"]:
        needs.setdefault(upper, []).append(lower)
    return needs


def _tree(root: str, needs: Mapping[str, Sequence[str]], look: Look) -> list[str]:
    lines, seen, waiting = [], set[str](), [(root, 0)]
    while waiting:
        name, depth = waiting.pop()
        again = name in seen and bool(needs.get(name))
        lines.append(f"  {'  ' * depth}{name}" + (look.paint("dim", " (see above)") if again else ""))
        if name not in seen:
            seen.add(name)
            waiting += [(lower, depth + 1) for lower in sorted(needs.get(name, ()), reverse=True)]
    return lines


def impact(found: Mapping[str, Any], look: Look) -> list[str]:
    """Return who suffers when a service is down."""
    name, direct, everyone, fronts = found["service"], found["direct"], found["all"], found["fronts"]
    if not everyone:
        return [f"nobody stands on {name}: when it is down, it alone is"]
    suffer = f"{len(direct)} suffer{'s' if len(direct) == 1 else ''} at once"
    head = f"when {name} is down: {suffer}, {len(everyone)} in all, {marks.count(len(fronts), 'front')} among them"
    rows = {"at once": sorted(direct), "behind": sorted(set(everyone) - set(direct)), "fronts": sorted(fronts)}
    lines = [line for title, names in rows.items() if names for line in paint.wrap(f"  {title:<9}{', '.join(names)}", look.wide, " " * 11)]
    return [look.paint("bold", head), *lines, f"next   msxfctl catalog graph {name}"]
