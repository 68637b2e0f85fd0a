"""Times as people say them: how long ago, in how long, how long still. Pure: `now_ms` is a parameter, all in milliseconds since 1970."""

from dataclasses import dataclass
from datetime import UTC, datetime

MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000


@dataclass(frozen=True, slots=True)
class Moment:
    """A time as people say it, and exactly."""

    text: str
    exact: str


def ago(at_ms: int, now_ms: int) -> Moment:
    """Say how long ago something was, or in how long it will be."""
    span = now_ms - at_ms
    if span < 0:
        return Moment(f"in {left(-span)}", iso(at_ms))
    return Moment(f"{length(span)} ago" if span >= MINUTE else "just now", iso(at_ms))


def left(span_ms: int) -> str:
    """Write the time that is left; a begun minute counts."""
    return length(-(-span_ms // MINUTE) * MINUTE)


def length(span_ms: int) -> str:
    """Write a length of time with its two largest units: "3 h 10 min"."""
    if span_ms < HOUR:
        return f"{span_ms // MINUTE} min"
    if span_ms < DAY:
        hours, rest = divmod(span_ms, HOUR)
        return f"{hours} h {rest // MINUTE} min" if rest >= MINUTE else f"{hours} h"
    days, rest = divmod(span_ms, DAY)
    return f"{days} d {rest // HOUR} h" if rest >= HOUR else f"{days} d"


def iso(at_ms: int) -> str:
    """Write a time exactly, in UTC."""
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="milliseconds")
