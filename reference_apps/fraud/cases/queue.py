"""The queue of cases: filtered, in one order, by pages that go on where the one before ended whatever came in between. Pure."""

import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from ctl.kit.problem import Problem
from reference_apps.fraud.cases.book import Book
from reference_apps.fraud.cases.model import Alert, Case, State

Place = tuple[int, ...]
"""Where a case stands in an order: smaller comes first."""
WRITTEN = re.compile(r"(-?[0-9]{1,18}(_-?[0-9]{1,18}){0,2})?", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What is to be listed. `model`: the number of one that spoke in an alert; `holder`: who holds it at `at_ms` ("": nobody, None: whoever);
    `severe`: the gravest first, else the oldest; `after`: behind this place."""

    state: State | None = State.OPEN
    model: int | None = None
    holder: str | None = None
    at_ms: int = 0
    severe: bool = False
    after: Place = ()
    limit: int = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A page of the queue. `next`: the place to go on after, None: there are no more; `before`: how many stand before this page, of `total`."""

    cases: tuple[Case, ...]
    next: Place | None
    before: int
    total: int
    held: int
    at_risk_fen: int


def look(book: Book, wish: Wish) -> Found:
    """Return a page, with what all pages of the wish come to: cases, those held at `at_ms`, the amount at risk."""
    ranked = [(_place(case, book.alerts(case), wish.severe), case) for case in book.kept.cases.values() if _fits(book, case, wish)]
    ranked.sort(key=lambda each: each[0])
    before = bisect_right(ranked, wish.after, key=lambda each: each[0]) if wish.after else 0
    shown = ranked[before : before + wish.limit]
    return Found(
        cases=tuple(case for _, case in shown),
        next=shown[-1][0] if len(ranked) > before + wish.limit else None,
        before=before,
        total=len(ranked),
        held=sum(_held(case, wish.at_ms) for _, case in ranked),
        at_risk_fen=-sum(place[1] for place, _ in ranked) if wish.severe else sum(at_risk_fen(book.alerts(case)) for _, case in ranked),
    )


def page(book: Book, wish: Wish) -> tuple[list[Case], Place | None]:
    """Return the cases of a page and the place to go on after; None: there are no more."""
    found = look(book, wish)
    return list(found.cases), found.next


def place_of(book: Book, case: Case, severe: bool) -> Place:
    """Return where a case stands: by its number, or by its strictest verdict and the amount at risk."""
    return _place(case, book.alerts(case), severe)


def _place(case: Case, alerts: Sequence[Alert], severe: bool) -> Place:
    return (-max([alert.verdict for alert in alerts], default=0), -at_risk_fen(alerts), case.id) if severe else (case.id,)


def written(place: Place | None) -> str | None:
    """Write a place as text."""
    return "_".join(map(str, place)) if place else None


def read(after: str, severe: bool) -> Place:
    """Read a place that was written; empty is the beginning. Raises Problem (422)."""
    place = tuple(int(each) for each in after.split("_") if each) if WRITTEN.fullmatch(after) else None
    if place is None or len(place) not in (0, 3 if severe else 1):
        order = "severe" if severe else "oldest"
        raise Problem(422, "bad_input", f"after: {after!r} is no place in the order {order}", remedy="send the `next` of the page before, with the same order")
    return place


def at_risk_fen(alerts: Sequence[Alert]) -> int:
    """Return the sum of the alerts' amounts."""
    return sum([alert.amount_fen for alert in alerts])


def _held(case: Case, at_ms: int) -> bool:
    return case.state is State.OPEN and case.is_held(at_ms)


def _fits(book: Book, case: Case, wish: Wish) -> bool:
    if wish.state is not None and case.state is not wish.state:
        return False
    if wish.holder is not None and wish.holder != (case.holder if _held(case, wish.at_ms) else ""):
        return False
    return wish.model is None or any(wish.model in alert.models for alert in book.alerts(case))
