"""W3C trace context: what is continued, what begins anew, what is passed on."""

import contextvars
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ctl.kit import tracing
from ctl.kit.tracing import Trace

TRACE_ID, SPAN_ID = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
WELL_FORMED = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")


def entered(*headers: tuple[bytes, bytes]) -> Trace:
    return contextvars.Context().run(tracing.enter, headers).trace


@pytest.mark.parametrize(
    "header, flags",
    [
        (f"00-{TRACE_ID}-{SPAN_ID}-01", "01"),
        (f"00-{TRACE_ID}-{SPAN_ID}-00", "00"),
        (f" 00-{TRACE_ID}-{SPAN_ID}-01 ", "01"),
        (f"01-{TRACE_ID}-{SPAN_ID}-03-what-the-future-adds", "03"),
        (f"cc-{TRACE_ID}-{SPAN_ID}-01", "01"),
    ],
)
def test_a_valid_traceparent_is_continued(header: str, flags: str) -> None:
    trace = entered((b"traceparent", header.encode()))
    assert (trace.trace_id, trace.parent_id, trace.flags) == (TRACE_ID, SPAN_ID, flags)
    assert trace.span_id != SPAN_ID
    assert trace.traceparent == f"00-{TRACE_ID}-{trace.span_id}-{flags}"


@pytest.mark.parametrize(
    "header",
    [
        "",
        "00",
        f"00-{TRACE_ID}-{SPAN_ID}",
        f"00-{TRACE_ID}-{SPAN_ID}-1",
        f"00-{TRACE_ID}-{SPAN_ID}-01-more",
        f"00-{TRACE_ID.upper()}-{SPAN_ID}-01",
        f"00-{'0' * 32}-{SPAN_ID}-01",
        f"00-{TRACE_ID}-{'0' * 16}-01",
        f"ff-{TRACE_ID}-{SPAN_ID}-01",
        f"01-{TRACE_ID}-{SPAN_ID}-01more",
        f"00-{TRACE_ID}{SPAN_ID}-01",
    ],
)
def test_a_broken_traceparent_begins_a_new_trace_without_state(header: str) -> None:
    trace = entered((b"tracestate", b"rojo=1"), (b"traceparent", header.encode()))
    assert trace.trace_id != TRACE_ID
    assert (trace.parent_id, trace.state) == ("", "")
    assert WELL_FORMED.fullmatch(trace.traceparent)


def test_two_traceparents_are_none() -> None:
    one = (b"traceparent", f"00-{TRACE_ID}-{SPAN_ID}-01".encode())
    assert entered(one, one).trace_id != TRACE_ID


def test_tracestate_is_passed_on_as_it_came() -> None:
    def story() -> dict[str, str]:
        tracing.enter([(b"traceparent", f"00-{TRACE_ID}-{SPAN_ID}-01".encode()), (b"tracestate", b"a=1"), (b"tracestate", b"b=2")])
        return tracing.outgoing()

    headers = contextvars.Context().run(story)
    assert headers["tracestate"] == "a=1,b=2"
    assert headers["traceparent"].startswith(f"00-{TRACE_ID}-")


def test_outside_of_a_request_every_call_has_a_trace_of_its_own() -> None:
    assert tracing.current() is None
    first, second = tracing.outgoing(), tracing.outgoing()
    assert WELL_FORMED.fullmatch(first["traceparent"])
    assert first["traceparent"] != second["traceparent"]
    assert "tracestate" not in first


@settings(deadline=None, max_examples=200)
@given(st.lists(st.tuples(st.sampled_from([b"traceparent", b"tracestate", b"host"]), st.binary(max_size=80)), max_size=5))
def test_whatever_comes_what_goes_out_is_well_formed(headers: list[tuple[bytes, bytes]]) -> None:
    assert WELL_FORMED.fullmatch(entered(*headers).traceparent)


@settings(deadline=None, max_examples=100)
@given(st.integers(1, 2**128 - 1), st.integers(1, 2**64 - 1), st.integers(0, 255))
def test_what_one_service_sends_the_next_one_continues(trace: int, span: int, flags: int) -> None:
    first = Trace(f"{trace:032x}", f"{span:016x}", flags=f"{flags:02x}")
    second = entered((b"traceparent", first.traceparent.encode()))
    assert (second.trace_id, second.parent_id, second.flags) == (first.trace_id, first.span_id, first.flags)
