"""Widths, wrapping, columns and the words for times: what must hold for every text, then examples."""

import io
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ctl.cli import paint, times
from ctl.cli.look import Look
from ctl.cli.paint import Block, Paint, width
from ctl.cli.screens import maps, marks, plans, records
from tests.cli.memory_plane import LogLine, instance

NOW = datetime(2017, 9, 30, 12, tzinfo=UTC)
texts = st.text(alphabet="ab 中,→●3%", max_size=80)


@settings(deadline=None, max_examples=200)
@given(texts, st.integers(1, 60))
def test_clip_never_exceeds_and_keeps_what_fits(text: str, columns: int) -> None:
    clipped = paint.clip(text, columns)
    assert width(clipped) <= columns
    assert clipped == text or clipped.endswith("…")


@settings(deadline=None, max_examples=200)
@given(st.lists(st.text(alphabet="ab中→", min_size=1, max_size=8), min_size=1, max_size=20), st.integers(12, 60))
def test_wrap_loses_no_word_and_stays_inside(words: list[str], columns: int) -> None:
    lines = paint.wrap(" ".join(words), columns, "  ")
    assert " ".join(lines).split() == words
    assert all(width(line) <= max(columns, *(width(word) + 2 for word in words)) for line in lines)


@settings(deadline=None, max_examples=100)
@given(st.lists(st.tuples(texts, texts, texts), min_size=1, max_size=6))
def test_columns_stand_under_each_other(rows: list[tuple[str, str, str]]) -> None:
    cells = paint.columns(rows, total=200)
    assert len({(width(first), width(second)) for first, second, _ in cells}) == 1


def test_a_number_keeps_its_unit() -> None:
    assert paint.wrap("it took 23 s and 18.2 % in all", 14) == ["it took 23 s", "and 18.2 % in", "all"]
    assert paint.wrap("  found   a long story", 16, " " * 10) == ["  found   a long", "          story"]


def test_a_block_is_cut_at_the_edge_and_closes_its_colours() -> None:
    stream = io.StringIO()
    Block(stream, lambda: 6).repaint(["ab" + Paint(True)("bad", "cdefgh") + "ij", "中中中中"])
    assert stream.getvalue() == "\r\x1b[2Kab\x1b[31mcde…\x1b[0m\n\x1b[2K中中…\n\x1b[0J"


def test_paint_that_is_off_changes_nothing() -> None:
    assert (Paint(False)("bad", "x"), Paint(True)("bad", "x"), Paint(True)("", "x")) == ("x", "\x1b[31mx\x1b[0m", "x")


def test_a_block_goes_up_by_its_height() -> None:
    stream = io.StringIO()
    block = Block(stream, lambda: 80)
    block.repaint(["a", "b"])
    block.repaint(["c"])
    block.settle()
    block.repaint(["d"])
    assert stream.getvalue() == "\r\x1b[2Ka\n\x1b[2Kb\n\x1b[0J" "\x1b[2A\r\x1b[2Kc\n\x1b[0J" "\r\x1b[2Kd\n\x1b[0J"


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0, "0.0 s"), (0.44, "0.4 s"), (23, "23 s"), (60, "1 min"), (250, "4 min 10 s"), (7500, "2 h 5 min"), (86400 * 3 + 3600 * 4, "3 d 4 h"), (-5, "0.0 s")],
)
def test_spans(seconds: float, said: str) -> None:
    assert times.span(seconds) == said


@pytest.mark.parametrize(("seconds", "said"), [(0.2, "now"), (40, "40 s ago"), (250, "4 min ago"), (-7500, "in 2 h"), (86400 * 12, "12 d ago")])
def test_ago(seconds: float, said: str) -> None:
    assert times.ago((NOW - timedelta(seconds=seconds)).isoformat(), NOW) == said
    assert times.ago(None, NOW) == "-"


@pytest.mark.parametrize(("text", "seconds"), [("90", 90), ("90s", 90), ("1.5m", 90), ("15 min", 900), ("2h", 7200), ("30D", 2_592_000), ("20ms", 0.02)])
def test_lengths(text: str, seconds: float) -> None:
    assert times.length(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "soon", "-3s", "3 weeks", "1.2.3s", "s", "1e3"])
def test_no_lengths(text: str) -> None:
    with pytest.raises(ValueError, match="is no length of time"):
        times.length(text)


@pytest.mark.parametrize(("seconds", "said"), [(0, "00:00"), (9.9, "00:09"), (750, "12:30"), (3723, "1:02:03")])
def test_stopwatch(seconds: float, said: str) -> None:
    assert times.stopwatch(seconds) == said


def test_moments_of_any_zone_are_one_moment() -> None:
    assert times.exact("2017-09-30T18:03:01+08:00") == times.exact("2017-09-30T10:03:01Z") == times.exact("2017-09-30T10:03:01") == "2017-09-30 10:03:01 UTC"


def test_right_edges_stand_at_the_right_edge() -> None:
    look = Look(now=NOW, wide=20)
    assert look.edges("left", "right") == "left           right"
    assert look.edges("much too long on the left", "right") == "much too long on the left"


def test_many_instances_are_counted() -> None:
    many = [instance(f"risk-1.4.2-9b1c3fa2-{number}", "ready" if number % 3 else "draining") for number in range(1, 31)]
    assert marks.dots(many) == "●×20 ◐×10"
    assert marks.dots(many[:3]) == "●●◐"


def test_listings_say_how_many_were_left_out() -> None:
    assert (marks.listing([]), marks.listing("ab"), marks.listing("abcd", 2)) == ("none", "a, b", "a, b and 2 more")


@pytest.mark.parametrize(("number", "said"), [(12, "12 B"), (48_200, "48.2 kB"), (12_000_000, "12.0 MB")])
def test_sizes(number: int, said: str) -> None:
    assert plans.size(number) == said


def test_the_first_error_is_the_most_frequent_one() -> None:
    lines = [LogLine(instance="a", line=text) for text in ('{"level":"error","message":"b"}', "ValueError: bad", "Error at start", "plain", "ValueError: bad")]
    assert records.first_error(lines) == "first error: ValueError: bad (2 times)"
    assert records.first_error(lines[3:4]) == ""


def test_the_tree_of_a_diamond_ends() -> None:
    found = {"services": list("abcd"), "edges": [["a", "b"], ["a", "c"], ["b", "d"], ["c", "d"], ["d", "a"]], "levels": {}}
    lines = maps.graph(found, "a", Look(now=NOW))
    assert [line.strip() for line in lines[1:-1]] == ["a", "b", "d", "a (see above)", "c", "d (see above)"]


def test_mistakes_name_place_and_remedy() -> None:
    found = [
        {"file": "catalog/middle/risk.yaml", "line": 31, "field": "depends_on", "message": 'no service "fruad"', "remedy": "did you mean fraud?"},
        {"file": "", "line": 0, "field": "", "message": "cycle: a → b → a", "remedy": "break one edge"},
    ]
    lines = maps.mistakes(found, 312, 0.42, Look(now=NOW))
    assert lines[0] == 'catalog/middle/risk.yaml:31   depends_on: no service "fruad"   did you mean fraud?'
    assert lines[-1] == "2 mistakes in 312 services; nothing was loaded. (0.4 s)"
    assert maps.mistakes([], 312, 0.42, Look(now=NOW)) == ["● 312 services, no mistake. (0.4 s)"]
