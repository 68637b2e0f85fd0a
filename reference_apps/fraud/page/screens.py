"""What the queue shows, and where a case stands, as plain values for the templates: words, amounts, times relative to now with the exact one beside. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ctl.kit.desk.moments import ago, left
from reference_apps.fraud.cases import queue as cases
from reference_apps.fraud.cases import views
from reference_apps.fraud.cases.book import Book
from reference_apps.fraud.cases.model import Alert, Case, State
from reference_apps.fraud.cases.queue import Found, Wish
from reference_apps.fraud.keeping.people import Person
from reference_apps.fraud.models.all import NAMES
from reference_apps.fraud.page import words
from reference_apps.fraud.page.drawing import shortened

Screen = dict[str, Any]
MOST_NAMED, MOST_MODELS = 2, 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """Who looks, when, and how colleagues are called."""

    person: Person
    at_ms: int
    names: Mapping[str, str]

    def name(self, person_id: str) -> str:
        return self.names.get(person_id, person_id)


def queue(book: Book, found: Found, wish: Wish, seen: Seen) -> Screen:
    """Return the queue: a line that answers what waits, and a row a case."""
    first, last = found.before + 1, found.before + len(found.cases)
    return {
        "headline": _headline(found, wish),
        "sums": _sums(found, wish),
        "range": f"{first:,} to {last:,} of {found.total:,}" if len(found.cases) < found.total else "",
        "rows": [_row(book, case, seen) for case in found.cases],
        "next": cases.written(found.next),
        "is_first": not found.before,
    }


def _headline(found: Found, wish: Wish) -> str:
    state = f"{words.STATES[wish.state].partition(' ')[0]} " if wish.state else ""
    return f"{words.counted(found.total, f'{state}case')}" if found.total else f"No {state}case fits"


def _sums(found: Found, wish: Wish) -> list[str]:
    free = f"{found.total - found.held:,} free, {found.held:,} held" if wish.state is State.OPEN and wish.holder is None and found.total else ""
    order = "gravest first" if wish.severe else "oldest first"
    return [each for each in (f"{words.yuan(found.at_risk_fen)} yuan at risk" if found.at_risk_fen else "", free, order if found.total > 1 else "") if each]


def _row(book: Book, case: Case, seen: Seen) -> Screen:
    alerts = book.alerts(case)
    accounts, said = list(dict.fromkeys(alert.account for alert in alerts)), views.reasons(alerts)
    return {
        "name": views.name(case.id),
        "who": [shortened(account) for account in accounts[:MOST_NAMED]],
        "more": max(0, len(accounts) - MOST_NAMED),
        "verdict": verdict(alerts),
        "sizes": f"{words.counted(len(alerts), 'alert')}, {words.counted(len(accounts), 'account')}",
        "amount": words.yuan(cases.at_risk_fen(alerts)),
        "first": ago(min(alert.at_ms for alert in alerts), seen.at_ms) if alerts else None,
        "last": ago(max(alert.at_ms for alert in alerts), seen.at_ms) if len(alerts) > 1 else None,
        "why": said[0]["text"].partition(";")[0] if said else "",
        "models": _spoke(alerts),
        "standing": standing(case, seen),
        "may_claim": case.state is State.OPEN and not case.is_held(seen.at_ms),
    }


def standing(case: Case, seen: Seen) -> Screen:
    """Say where a case stands, seen by one person."""
    if case.state is State.MERGED:
        return {"kind": "merged", "text": f"○ in {views.name(case.into)}"}
    if case.outcome is not None:
        by = "you" if case.holder == seen.person.id else seen.name(case.holder)
        return {"kind": "decided", "text": f"✔ {words.OUTCOMES[case.outcome][0].lower()}, by {by}"}
    if not case.is_held(seen.at_ms):
        return {"kind": "open", "text": "○ free"}
    is_mine = case.holder == seen.person.id
    still = left(case.until_ms - seen.at_ms)
    return {"kind": "mine" if is_mine else "held", "text": f"{'● yours' if is_mine else f'◐ {seen.name(case.holder)}'}, {still} left"}


def verdict(alerts: Sequence[Alert]) -> tuple[str, str, str]:
    """Return the strictest verdict: how grave it is, in words, and in Chinese."""
    return words.VERDICTS.get(max((alert.verdict for alert in alerts), default=0), ("open", "○ none", ""))


def models(alerts: Sequence[Alert]) -> list[tuple[str, int]]:
    """Return the models that were above their median, as words, with how many alerts they spoke in, most first."""
    found: dict[int, int] = {}
    for alert in alerts:
        for number in alert.models:
            found[number] = found.get(number, 0) + 1
    return [(words.model(NAMES[number]), count) for number, count in sorted(found.items(), key=lambda each: (-each[1], each[0]))]


def _spoke(alerts: Sequence[Alert]) -> str:
    """Name the models that spoke most."""
    names = [name for name, _ in models(alerts)]
    more = len(names) - MOST_MODELS
    return ", ".join(names[:MOST_MODELS]) + (f" and {more} more" if more > 0 else "")
