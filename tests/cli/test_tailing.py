"""Following what grows: each line and each event once, in order, whatever the plane is."""

import json
from collections.abc import Iterator
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from ctl.cli import tailing
from ctl.errors import NotFound
from ctl.model.view import EventView, LogLine
from tests.cli.console import Console
from tests.cli.memory_plane import MemoryPlane, event


def line(number: int, instance: str = "risk-1") -> LogLine:
    return LogLine(instance=instance, line=json.dumps({"at": f"2017-09-30T10:00:{number:02d}+00:00", "message": f"m{number}"}))


class Growing(MemoryPlane):
    """Another line at each look; then somebody presses ^C."""

    def __init__(self, *pages: list[LogLine]) -> None:
        super().__init__()
        self.pages = list(pages)

    def logs(self, service: str, *, instance: str = "", release: str = "", level: str = "", last: int = 100) -> list[LogLine]:
        if not self.pages:
            raise KeyboardInterrupt
        page = self.pages.pop(0)
        if not page:
            raise NotFound("risk has no instance")
        return page[-last:]


def told(out: str) -> list[str]:
    return [json.loads(json.loads(one)["line"])["message"] for one in out.splitlines()]


def test_logs_follow_without_gap_or_repetition() -> None:
    plane = Growing([line(1), line(2)], [line(1), line(2)], [line(2), line(3)], [], [line(3), line(4), line(0, "risk-2")])
    ran = Console(plane=plane).run("logs", "risk", "--follow", "-o", "json")
    assert ran.status == 130
    assert told(ran.out) == ["m1", "m2", "m3", "m0", "m4"]


def test_logs_follow_begins_with_the_last_lines_asked_for() -> None:
    plane = Growing([line(number) for number in range(1, 9)], [line(number) for number in range(1, 10)])
    assert told(Console(plane=plane).run("logs", "risk", "-f", "--last", "2", "-o", "json").out) == ["m7", "m8", "m9"]


class Streaming(MemoryPlane):
    """A plane with a stream of events of its own."""

    def events(self, *, after: int = 0, service: str = "") -> Iterator[EventView]:
        self.calls.append(("events", {"after": after, "service": service}))
        yield event(after + 1)
        yield event(after + 2, kind="action.intent")
        yield event(after + 3)
        raise KeyboardInterrupt


class Polled(MemoryPlane):
    """A plane without a stream: two more events come while it is asked again."""

    def journal(self, *, after: int = 0, limit: int = 100, service: str = "", kind: str = "", newest: bool = False) -> list[EventView]:
        if not newest:
            if len(self.written) == 5:
                raise KeyboardInterrupt
            self.written.append(event(len(self.written) + 1))
        return super().journal(after=after, limit=limit, service=service, kind=kind, newest=newest)


def seqs(out: str) -> list[int]:
    return [json.loads(one)["seq"] for one in out.splitlines()]


def test_events_stream_from_where_the_list_ended() -> None:
    plane = Streaming()
    plane.written = [event(number) for number in range(1, 4)]
    ran = Console(plane=plane).run("events", "--follow", "--last", "2", "--service", "risk", "-o", "json")
    assert (ran.status, seqs(ran.out)) == (130, [2, 3, 4, 5, 6])
    assert plane.calls[-1] == ("events", {"after": 3, "service": "risk"})


def test_events_of_one_kind() -> None:
    plane = Streaming()
    plane.written = [event(1), event(2, kind="action.intent"), event(3)]
    ran = Console(plane=plane).run("events", "--follow", "--kind", "action", "-o", "json")
    assert seqs(ran.out) == [2, 4]


def test_without_a_list_the_stream_begins_with_what_comes() -> None:
    plane = Streaming()
    plane.written = [event(7)]
    assert seqs(Console(plane=plane).run("events", "-f", "--kind", "rollout", "--service", "fraud", "-o", "json").out) == [8, 10]


def test_events_are_polled_where_there_is_no_stream() -> None:
    plane = Polled()
    plane.written = [event(number) for number in range(1, 4)]
    ran = Console(plane=plane).run("events", "--follow", "-o", "json")
    assert (ran.status, seqs(ran.out)) == (130, [1, 2, 3, 4, 5])


def test_the_last_of_a_kind_reach_far_back(console: Console) -> None:
    console.plane.written = [event(number, kind="target.set" if number == 1 else "action.intent") for number in range(1, 200)]
    assert [one["seq"] for one in console.run("events", "--kind", "target", "-o", "json").document["events"]] == [1]


words = st.lists(st.sampled_from("abc"), max_size=12)


@settings(deadline=None, max_examples=300)
@given(words, words, st.integers(1, 12))
def test_beyond_completes_what_was_seen(old: list[str], more: list[str], page: int) -> None:
    new = (old + more)[-page:]
    fresh = list(tailing.beyond(old, new))
    assert new[len(new) - len(fresh) :] == fresh, "it is an end of the new page"
    if len(more) <= page:
        assert len(fresh) <= len(more), "nothing that was seen comes again"


@settings(deadline=None, max_examples=100)
@given(st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 59)), max_size=20))
def test_order_is_by_time_and_stable(rows: list[tuple[str, int]]) -> None:
    lines = [line(second, name) for name, second in rows]
    ordered: list[Any] = tailing.in_order(lines)
    assert sorted(map(str, ordered)) == sorted(map(str, lines))
    moments = [json.loads(one["line"])["at"] for one in ordered]
    assert moments == sorted(moments)
