"""Logs for the tests of fraud: events out of order, keys of all families, and brute force for both readings."""

import random
from collections.abc import Iterable, Sequence
from typing import Any

from reference_apps.fraud.features.spec import DAY_MS, EXACT_DAYS, LATENESS_MS, PANE_DAYS, SPEC, Family
from reference_apps.fraud.model import Event

BEGIN_MS = 1_700_000_000_000


def event(number: int, at_ms: int = BEGIN_MS, **fields: Any) -> Event:
    """Return an ordinary application of somebody with a device and a phone of their own."""
    given = {"id": f"e{number}", "kind": "application", "at_ms": at_ms, "account": f"a{number}", "device": f"d{number}", "phone": f"p{number}"}
    return Event(**(given | fields))


def shuffled_log(count: int, seed: int, *, days: float = 40, keys: int = 0, hot: float = 0.0) -> list[Event]:
    """Return a log over so many days: one event in ten comes minutes late, one in two hundred hours, one in a thousand days. `hot`: share of one merchant."""
    dice, people = random.Random(seed), keys or max(3, count // 40)
    step, found = days * DAY_MS / count, []
    for number in range(count):
        who, late = dice.randrange(people), dice.random()
        reach = 1 if late > 0.1 else 4 * 60_000 if late > 0.005 else 30 * 3_600_000 if late > 0.001 else 60 * DAY_MS
        found.append(
            Event(
                id=f"e{number}",
                kind="application" if dice.random() < 0.7 else "login",
                at_ms=BEGIN_MS + int(number * step) - dice.randrange(reach),
                account=f"a{who}",
                device=f"d{who if dice.random() < 0.9 else dice.randrange(people)}" if dice.random() < 0.95 else "",
                phone=f"p{who}" if dice.random() < 0.9 else "",
                network=f"10.0.{who % (people // 2 + 1)}.0/24" if dice.random() < 0.8 else "",
                address=f"street {who // 2}" if dice.random() < 0.5 else "",
                merchant="hot" if dice.random() < hot else f"m{dice.randrange(people)}" if dice.random() < 0.5 else "",
                contacts=tuple(f"c{dice.randrange(people)}" for _ in range(dice.randrange(3))),
                amount_fen=dice.randrange(1_000_000),
            )
        )
    return found


def keys_of(family: Family, event: Event) -> list[str]:
    held = getattr(event, family.key)
    return list(dict.fromkeys(held)) if family.many else [held] if held else []


def brute_force(family: Family, key: str, current: Event, earlier: Iterable[Event]) -> tuple[int, ...]:
    """Return the windows of one key by looking at every event that stands before in the log, and at the current one."""
    same = [each for each in earlier if each.kind == current.kind and key in keys_of(family, each)]
    today = max(each.at_ms for each in [*same, current]) // DAY_MS
    day, found = current.at_ms // DAY_MS, list[int]()
    for window in SPEC.windows:
        if window.days:
            held = [
                each
                for each in same
                if max(day - window.days, today - PANE_DAYS) < each.at_ms // DAY_MS <= day
                and (each.at_ms <= current.at_ms or each.at_ms // DAY_MS < today - EXACT_DAYS)
            ]
        else:
            held = [
                each
                for each in same
                if current.at_ms - window.length_ms < each.at_ms <= current.at_ms and each.at_ms // DAY_MS >= today - EXACT_DAYS
            ]
        found += figures(family, [*held, current])
    return tuple(found)


def figures(family: Family, held: Sequence[Event]) -> list[int]:
    amounts = [each.amount_fen for each in held]
    return [len(held), sum(amounts), max(amounts), *(len({getattr(each, name) for each in held} - {""}) for name in family.distinct)]


def settled_brute_force(family: Family, key: str, place: int, log: Sequence[Event]) -> tuple[int, ...] | None:
    """Return the settled windows of one key of the event at `place`; None for a late one."""
    current, newest = log[place], max((each.at_ms for each in log[:place]), default=-(2**62))
    if current.at_ms < newest - LATENESS_MS:
        return None
    settles = next((at for at in range(place, len(log)) if log[at].at_ms - LATENESS_MS > current.at_ms), len(log) - 1)
    same = [each for each in log[: settles + 1] if each.kind == current.kind and key in keys_of(family, each) and each.at_ms <= current.at_ms]
    day, found = current.at_ms // DAY_MS, list[int]()
    for window in SPEC.windows:
        bound = (day - window.days + 1) * DAY_MS - 1 if window.days else current.at_ms - window.length_ms
        found += figures(family, [each for each in same if each.at_ms > bound])
    return tuple(found)
