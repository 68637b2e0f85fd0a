"""The queue of cases: filtered, in one order, by pages that go on where the one before ended whatever came in between. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from reference_apps.fraud.cases.book import Book
from reference_apps.fraud.cases.model import Alert, Case, State

Place = tuple[int, ...]
"""Where a case stands in an order: smaller comes first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What is to be listed. `model`: the number of one that spoke in an alert; `severe`: the gravest first, else the oldest; `after`: behind this place."""

    state: State | None = State.OPEN
    model: int | None = None
    severe: bool = False
    after: Place = ()
    limit: int = 50


def page(book: Book, wish: Wish) -> tuple[list[Case], Place | None]:
    """Return the cases of a page and the place to go on after; None: there are no more."""
    found = [(place_of(book, case, wish.severe), case) for case in book.kept.cases.values() if _fits(book, case, wish)]
    found = sorted((each for each in found if not wish.after or each[0] > wish.after), key=lambda each: each[0])
    shown = found[: wish.limit]
    return [case for _, case in shown], shown[-1][0] if len(found) > wish.limit else None


def place_of(book: Book, case: Case, severe: bool) -> Place:
    """Return where a case stands: by its number, or by its strictest verdict and the amount at risk."""
    if not severe:
        return (case.id,)
    alerts = book.alerts(case)
    return -max((alert.verdict for alert in alerts), default=0), -at_risk_fen(alerts), case.id


def at_risk_fen(alerts: Sequence[Alert]) -> int:
    """Return the sum of the alerts' amounts."""
    return sum(alert.amount_fen for alert in alerts)


def _fits(book: Book, case: Case, wish: Wish) -> bool:
    if wish.state is not None and case.state is not wish.state:
        return False
    return wish.model is None or any(wish.model in alert.models for alert in book.alerts(case))
