"""Reading the end of something that grows: logs and the journal, once or on and on."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ctl.cli.asked import Asked
from ctl.cli.reach import Reached
from ctl.cli.screens import records
from ctl.cli.show import Screen
from ctl.errors import NotFound
from ctl.model.view import EventView, LogLine

MOST = 10_000
READ_AHEAD = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Which lines of which service; an empty word does not filter."""

    service: str
    instance: str = ""
    release: str = ""
    level: str = ""
    last: int = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Sort:
    """Which events: of one service, of kinds that begin so; an empty word does not filter."""

    service: str = ""
    kind: str = ""


def newest(there: Reached, wanted: Filter) -> list[LogLine]:
    """Return the newest lines of all instances that match, in the order of time."""
    return in_order(_read(there, wanted, wanted.last))[-wanted.last :]


def logs(asked: Asked, there: Reached, screen: Screen, wanted: Filter) -> None:
    """Show the newest lines and go on with what is written, without end."""
    seen: dict[str, list[str]] = {}
    lines = _read(there, wanted, max(wanted.last, READ_AHEAD))
    fresh = in_order(_grown(seen, lines))[-wanted.last :]
    while True:
        for one in fresh:
            _show_line(screen, one)
        time.sleep(asked.poll_s * 2)
        try:
            fresh = in_order(_grown(seen, _read(there, wanted, READ_AHEAD)))
        except NotFound:
            fresh = []


def _read(there: Reached, wanted: Filter, last: int) -> list[LogLine]:
    return there.plane.logs(wanted.service, instance=wanted.instance, release=wanted.release, level=wanted.level, last=last)


def _grown(seen: dict[str, list[str]], lines: Sequence[LogLine]) -> list[LogLine]:
    """Return the lines that came since `seen`, which is brought up to date."""
    now: dict[str, list[str]] = {}
    for one in lines:
        now.setdefault(one["instance"], []).append(one["line"])
    fresh = [LogLine(instance=name, line=line) for name, known in now.items() for line in beyond(seen.get(name, []), known)]
    seen.update(now)
    return fresh


def beyond(old: Sequence[str], new: Sequence[str]) -> Sequence[str]:
    """Return what `new` has after its longest beginning that is an end of `old`."""
    for start in range(max(0, len(old) - len(new)), len(old) + 1):
        if list(old[start:]) == list(new[: len(old) - start]):
            return new[len(old) - start :]
    raise AssertionError("unreachable: nothing of old is a beginning of everything")


def in_order(lines: Sequence[LogLine]) -> list[LogLine]:
    """Return lines of several instances in the order of time; one that tells no time stays behind the one before it."""
    keyed, at = [], {}
    for place, one in enumerate(lines):
        said = records.parsed(one["line"])
        if said is not None and isinstance(said.get("at"), str):
            at[one["instance"]] = said["at"]
        keyed.append((at.get(one["instance"], ""), place, one))
    return [one for _, _, one in sorted(keyed, key=lambda each: each[:2])]


def latest(there: Reached, wanted: Sort, last: int) -> list[EventView]:
    """Return the last events; of one kind, as far back as the newest 10,000 reach."""
    rows = there.plane.journal(limit=MOST if wanted.kind else last, service=wanted.service, kind=wanted.kind, newest=True)
    return rows[-last:]


def events(asked: Asked, there: Reached, screen: Screen, wanted: Sort, rows: Sequence[EventView]) -> None:
    """Show events and go on with what happens, without end; `rows` are those that are known."""
    head = there.plane.journal(limit=1, newest=True)
    after = rows[-1]["seq"] if rows else head[-1]["seq"] if head else 0
    for one in rows:
        _show(screen, one)
    for one in _coming(asked, there, after, wanted.service):
        if one["kind"].startswith(wanted.kind):
            _show(screen, one)


def _coming(asked: Asked, there: Reached, after: int, service: str) -> Iterator[EventView]:
    """Yield what comes: as a stream where the plane has one, else by looking again and again."""
    stream: Any = getattr(there.plane, "events", None)
    if stream is not None:
        yield from stream(after=after, service=service)
        return
    while True:
        for one in there.plane.journal(after=after, limit=READ_AHEAD, service=service):
            after = one["seq"]
            yield one
        time.sleep(asked.poll_s)


def _show(screen: Screen, one: EventView) -> None:
    screen.item("event/1", one, lambda look: records.event(one, look))


def _show_line(screen: Screen, one: LogLine) -> None:
    screen.item("log/1", one, lambda look: records.log_line(one, look))
