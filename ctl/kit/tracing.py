"""W3C trace context: which trace the current request belongs to, and how calls carry it on. A broken traceparent starts a new trace."""

import random
import re
from collections.abc import Iterable
from contextvars import ContextVar
from dataclasses import dataclass

SAMPLED = "01"
TRACEPARENT = re.compile(rb"(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")


@dataclass(frozen=True, slots=True)
class Trace:
    """Where we are in a trace: `span_id` is this service's own step, `parent_id` the caller's (empty: the trace begins here)."""

    trace_id: str
    span_id: str
    parent_id: str = ""
    flags: str = SAMPLED
    state: str = ""

    @property
    def traceparent(self) -> str:
        """The header that names this step as the parent of what it calls."""
        return f"00-{self.trace_id}-{self.span_id}-{self.flags}"


class Entered:
    """The trace that a request's headers put it into, read only when somebody asks: most requests are answered without."""

    __slots__ = ("_headers", "_trace")

    def __init__(self, headers: Iterable[tuple[bytes, bytes]]) -> None:
        self._headers = headers
        self._trace: Trace | None = None

    @property
    def trace(self) -> Trace:
        if self._trace is None:
            self._trace = _continued(self._headers) or new()
        return self._trace


_current: ContextVar[Entered | None] = ContextVar("trace", default=None)


def current() -> Trace | None:
    """Return the trace of the request being answered; None outside of one."""
    entered = _current.get()
    return entered.trace if entered is not None else None


def new() -> Trace:
    """Make a trace that begins here."""
    return Trace(trace_id=f"{random.getrandbits(128) or 1:032x}", span_id=_span_id())


def enter(headers: Iterable[tuple[bytes, bytes]]) -> Entered:
    """Continue the trace that these request headers (names in lower case) belong to, or begin one, and make it the current one of this task."""
    entered = Entered(headers)
    _current.set(entered)
    return entered


def outgoing() -> dict[str, str]:
    """Return the headers that put a call into the current trace, or into a new one when there is none."""
    trace = current() or new()
    headers = {"traceparent": trace.traceparent}
    if trace.state:
        headers["tracestate"] = trace.state
    return headers


def _continued(headers: Iterable[tuple[bytes, bytes]]) -> Trace | None:
    parents: list[bytes] = []
    states: list[bytes] = []
    for name, value in headers:
        if name == b"traceparent":
            parents.append(value)
        elif name == b"tracestate":
            states.append(value)
    found = TRACEPARENT.fullmatch(parents[0].strip()) if len(parents) == 1 else None
    if found is None or (found[1] == b"00" and found[5]):
        return None
    state = b",".join(states).decode("latin-1") if states else ""
    return Trace(found[2].decode(), _span_id(), found[3].decode(), found[4].decode(), state)


def _span_id() -> str:
    """A forked process draws other numbers than its parent: `random` seeds itself anew after a fork."""
    return f"{random.getrandbits(64) or 1:016x}"
