"""Screens of what was written down: events, logs, access tokens, checks. Pure: views in, lines out."""

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from ctl.cli import paint, times
from ctl.cli.look import Look
from ctl.cli.screens import marks
from ctl.model.view import CheckView, EventView, LogLine, TokenView

_OURS = re.compile(r"[^:@ ]+:\d+(@\d+)?")
_LEVELS = {"error": "bad", "critical": "bad", "warning": "warn", "debug": "dim"}
_CHECKS = {"ok": (marks.READY, "good"), "warn": (marks.WARNING, "warn"), "fail": (marks.FAILED, "bad")}


def event(one: EventView, look: Look) -> list[str]:
    """Return an event: one line in a pipe; on a terminal its sentence may go on below."""
    subject = one["rollout"] or one["service"] or "-"
    style = "bad" if one["body"].get("result") == "failed" or one["body"].get("abort_why") else ""
    said = f"{one['seq']:>6}  {_stamp(one, look)}  {one['kind']:<14}  {subject:<12}  {by(one['actor']):<8}  {paint.plain(one['why'])}"
    return [look.paint(style, line) for line in (paint.wrap(said, look.wide, " " * 24) if look.is_terminal else [said])]


def by(actor: str) -> str:
    """Return who did it; a process of ours, which names itself "host:pid@start", is the daemon."""
    return "daemon" if _OURS.fullmatch(actor) else actor


def _stamp(one: EventView, look: Look) -> str:
    return times.exact(one["at"]) if look.utc else times.stamp(one["at"], utc=False)


def journal(rows: Sequence[EventView], look: Look) -> list[str]:
    """Return events with the links of their chain."""
    if not rows:
        return ["no event is like that"] if look.is_terminal else []
    head = ("SEQ", "AT", "KIND", "SUBJECT", "BY", "HASH", "WHY")
    cells = [
        (str(one["seq"]), _stamp(one, look), one["kind"], one["rollout"] or one["service"] or "-", by(one["actor"]), one["hash"][:8], paint.plain(one["why"]))
        for one in rows
    ]
    lines = [paint.GAP.join(line).rstrip() for line in paint.columns([head, *cells], total=look.wide, right=(0,))]
    lines[0] = look.paint("dim", lines[0])
    return [*lines, f"next   msxfctl journal list --after {rows[-1]['seq']}   msxfctl journal verify"] if look.is_terminal else lines


def log_line(one: LogLine, look: Look) -> list[str]:
    """Return a line of an instance's output: time, level, who, message, and the rest of what it said; plain text as it is."""
    said = parsed(one["line"])
    if said is None:
        return [f"{one['instance']}  {paint.plain(one['line'])}"]
    level = str(said.get("level", "")).lower()
    trace = f"  trace {said['trace']}" if said.get("trace") else ""
    known = ("at", "level", "logger", "message", "trace", "service", "instance", "release")
    rest = "".join(f"  {key}={value}" for key, value in said.items() if key not in known and value not in ("", None))
    mark = look.paint(_LEVELS.get(level, ""), f"{level[:7]:<7}")
    return [f"{_at(said, look)}  {mark}  {one['instance']}  {paint.plain(str(said.get('message', '')))}{paint.plain(rest)}{trace}"]


def _at(said: Mapping[str, Any], look: Look) -> str:
    try:
        return times.clock(str(said["at"]), utc=look.utc)
    except (KeyError, ValueError):
        return " " * 12


def parsed(line: str) -> dict[str, Any] | None:
    """Return a line's JSON object; None where it is none."""
    if not line.startswith("{"):
        return None
    try:
        said = json.loads(line)
    except ValueError:
        return None
    return said if isinstance(said, dict) else None


def first_error(lines: Sequence[LogLine]) -> str:
    """Return the most frequent error of these lines and how often it came; empty without one."""
    said = [message for message in (_error(one["line"]) for one in lines) if message]
    if not said:
        return ""
    message, times_seen = Counter(said).most_common(1)[0]
    return f"first error: {message} ({marks.count(times_seen, 'time')})"


def _error(line: str) -> str:
    said = parsed(line)
    if said is None:
        return line.strip() if "Error" in line.partition(":")[0] else ""
    return str(said.get("error") or said.get("message") or "").partition("\n")[0]


def tokens(rows: Sequence[TokenView], look: Look) -> list[str]:
    """Return who has access, as what, until when."""
    if not rows:
        return ["there is no token; only users of this machine have access", "next   msxfctl token create NAME --role viewer"]
    head = ("NAME", "ROLE", "CREATED", "EXPIRES")
    cells = [(paint.plain(one["name"]), one["role"], look.when(one["created_at"]), _ends(one, look)) for one in rows]
    lines = [paint.GAP.join(line).rstrip() for line in paint.columns([head, *cells], total=look.wide)]
    lines[0] = look.paint("dim", lines[0])
    return [*lines, "next   msxfctl token remove NAME"] if look.is_terminal else lines


def _ends(one: TokenView, look: Look) -> str:
    return look.when(one["expires_at"]) if one["expires_at"] else "never"


def checks(rows: Sequence[CheckView], look: Look) -> list[str]:
    """Return every check, what it found, and what to do about those that are not in order."""
    bad = sum(1 for one in rows if one["state"] == "fail")
    unsure = sum(1 for one in rows if one["state"] == "warn")
    said = f"{bad} of {len(rows)} checks failed" if bad else f"{unsure} of {len(rows)} checks want a look" if unsure else f"all {len(rows)} checks are in order"
    names = max((len(one["check"]) for one in rows), default=0)
    lines = [look.paint("bad" if bad else "warn" if unsure else "good", said)]
    for one in rows:
        symbol, style = _CHECKS.get(one["state"], (marks.WARNING, "warn"))
        wrapped = paint.wrap(f"  {one['check']:<{names}}  {paint.plain(one['found'])}", look.wide, " " * (names + 4))
        lines += [look.paint(style, symbol) + wrapped[0][1:], *wrapped[1:]]
        lines += [f"{'':<{names + 4}}next   {one['remedy']}"] if one["remedy"] else []
    return lines
