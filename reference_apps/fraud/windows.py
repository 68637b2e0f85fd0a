"""Velocity windows: exact counts over (t - w, t] in event time, of the events of the same kind that stand before this one in the log, plus itself. Pure."""

from collections.abc import Iterable, Mapping

from reference_apps.fraud.model import Event, Family, Window

LENGTHS_MS: Mapping[str, int] = {"60s": 60_000, "1h": 3_600_000, "24h": 86_400_000}
LONGEST_MS = max(LENGTHS_MS.values())

Windows = Mapping[tuple[Family, str], Window]
"""Windows by key family and length; a family whose key is unknown has none."""


def measure(current: Event, before: Iterable[Event]) -> Windows:
    """Count every window of the current event. `before` may hold more than is needed: another kind, another key or another time is not counted."""
    earlier = [event for event in before if event.kind == current.kind]
    found: dict[tuple[Family, str], Window] = {}
    for family in Family:
        key = current.key(family)
        if key:
            same = [event for event in earlier if event.key(family) == key]
            for name, length in LENGTHS_MS.items():
                found[family, name] = _window([*(event for event in same if current.at_ms - length < event.at_ms <= current.at_ms), current])
    return found


def _window(events: list[Event]) -> Window:
    return Window(
        count=len(events),
        sum_fen=sum(event.amount_fen for event in events),
        accounts=_distinct(events, Family.ACCOUNT),
        devices=_distinct(events, Family.DEVICE),
        phones=_distinct(events, Family.PHONE),
    )


def _distinct(events: list[Event], family: Family) -> int:
    return len({event.key(family) for event in events} - {""})


def sharing(current: Event, before: Iterable[Event]) -> int:
    """Return how many other accounts named one of this event's contacts within the longest window."""
    named = set(current.contacts)
    recent = (event for event in before if current.at_ms - LONGEST_MS < event.at_ms <= current.at_ms)
    return len({event.account for event in recent if named & set(event.contacts)} - {current.account})
