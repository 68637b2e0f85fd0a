"""A case as its page shows it: the ring, the alerts in the order of time, the figures, what is known of its past, and what the one who looks may do. Pure."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from ctl.kit.desk.moments import ago, left
from reference_apps.fraud.cases import queue, views
from reference_apps.fraud.cases.book import Book
from reference_apps.fraud.cases.model import Alert, Case, State
from reference_apps.fraud.door.views import iso
from reference_apps.fraud.model import Family, Verdict
from reference_apps.fraud.page import drawing, screens, words
from reference_apps.fraud.page.screens import Seen

Screen = dict[str, Any]
A_PAGE = 100
"""Alerts shown at a time."""
MOST_KEYS, MOST_NAMED, MOST_APPLICATIONS = 12, 3, 20
WRITTEN = re.compile(r"[0-9]{1,18}(\.[0-9]{1,18})+", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Before:
    """What somebody had before their eyes: the log up to `position`, `alerts` of them in the case, and the cases that had gone into it."""

    position: int
    alerts: int
    merged: frozenset[int]


def written(book: Book, case: Case) -> str:
    """Write down what a page shows, for the form that comes back from it."""
    return ".".join(map(str, (book.kept.position, len(case.alerts), *views.merged(book, case))))


def read(text: str) -> Before | None:
    """Read what `written` wrote; None: it is something else."""
    if not WRITTEN.fullmatch(text):
        return None
    position, alerts, *merged = map(int, text.split("."))
    return Before(position=position, alerts=alerts, merged=frozenset(merged))


def new_request() -> str:
    """Return an id for what a form will ask for: sent twice, it counts once."""
    return uuid4().hex


def refusal(code: str, book: Book, case: Case, seen: Seen, before: Before | None) -> str:
    """Say in the words of the page why nothing was done; empty for what it has no words of its own for."""
    named = views.name(case.id)
    match code:
        case "stale":
            return f"What you saw of {named} has changed: {changed(book, case, before)}. Nothing was recorded; look at what is new, then decide again"
        case "held":
            return f"Nothing was recorded: {named} is with {seen.name(case.holder)}, {left(max(1, case.until_ms - seen.at_ms))} left"
        case "not_claimed":
            return f"Nothing was recorded: you do not hold {named} any more. Claim it, look at it again, then decide"
        case "decided" if case.outcome is not None:
            return f"Nothing was recorded: {seen.name(case.holder)} has decided {named}, {words.OUTCOMES[case.outcome][0].lower()}"
        case _:
            return ""


def changed(book: Book, case: Case, before: Before | None) -> str:
    """Say what came to a case since somebody looked."""
    if before is None:
        return f"it is at version {case.version} now"
    new = [alert for alert in book.alerts(case) if alert.position > before.position]
    merged = [views.name(number) for number in views.merged(book, case) if number not in before.merged]
    brought = len(case.alerts) - before.alerts - len(new)
    said = [f"{words.counted(len(new), 'alert')} came: {_named(new)}"] if new else []
    said += [f"{_some(merged)} went into it" + (f", with {words.counted(brought, 'alert')}" if brought > 0 else "")] if merged else []
    return "; ".join(said) or f"it is at version {case.version} now"


def _named(alerts: Sequence[Alert]) -> str:
    return _some([f"{screens.verdict([alert])[1]} of {alert.account}, {words.yuan(alert.amount_fen)} yuan" for alert in alerts])


def _some(names: Sequence[str]) -> str:
    more = len(names) - MOST_NAMED
    return "; ".join(names[:MOST_NAMED]) + (f" and {more:,} more" if more > 0 else "")


def show(book: Book, case: Case, seen: Seen, *, begin: int = 0, before: Before | None = None) -> Screen:
    """Return a case with everything on it; alerts from the `begin`-th on. `before`: what was seen already is not marked as new."""
    alerts = book.alerts(case)
    timely = sorted(alerts, key=lambda alert: (alert.at_ms, alert.position))
    begin = _begin(timely, begin, before)
    keys = [key for key in views.entities(alerts) if key["alerts"] > 1 and key["family"] != Family.ACCOUNT]
    applications = views.applications(alerts)
    return {
        "name": views.name(case.id),
        "headline": _headline(alerts),
        "verdict": screens.verdict(alerts),
        "standing": screens.standing(case, seen),
        "ring": drawing.draw(alerts),
        "figures": _figures(alerts, seen),
        "reasons": views.reasons(alerts),
        "models": screens.models(alerts),
        "alerts": [_alert(alert, before) for alert in timely[begin : begin + A_PAGE]],
        "begin": begin,
        "earlier": max(0, begin - A_PAGE) if begin else None,
        "later": begin + A_PAGE if begin + A_PAGE < len(timely) else None,
        "count": len(timely),
        "keys": keys[:MOST_KEYS],
        "more_keys": max(0, len(keys) - MOST_KEYS),
        "applications": applications[:MOST_APPLICATIONS],
        "more_applications": max(0, len(applications) - MOST_APPLICATIONS),
        "history": _history(book, case, seen),
        "seen": written(book, case),
        "version": case.version,
        **_may(case, seen),
        "decision": _decision(case, seen),
    }


def _begin(timely: Sequence[Alert], begin: int, before: Before | None) -> int:
    """Return from which alert on a page shows them: as asked, or so that the first new one is among them."""
    if before is not None:
        begin = next((at for at, alert in enumerate(timely) if alert.position > before.position), 0) // A_PAGE * A_PAGE
    return begin if 0 <= begin < len(timely) else 0


def _headline(alerts: Sequence[Alert]) -> str:
    accounts = {alert.account for alert in alerts}
    who = f"A ring of {len(accounts):,} accounts" if len(accounts) > 1 else f"Account {next(iter(accounts), '')}"
    return f"{who}, {words.yuan(queue.at_risk_fen(alerts))} yuan at risk"


def _figures(alerts: Sequence[Alert], seen: Seen) -> list[tuple[str, str, str]]:
    """Return name, value and title of what an analyst asks first."""
    times = [alert.at_ms for alert in alerts] or [seen.at_ms]
    first, last = ago(min(times), seen.at_ms), ago(max(times), seen.at_ms)
    blocked = sum(alert.verdict >= Verdict.BLOCK for alert in alerts)
    highest = max((alert.amount_fen for alert in alerts), default=0)
    return [
        ("At risk, yuan", words.yuan(queue.at_risk_fen(alerts)), ""),
        ("Highest, yuan", words.yuan(highest), ""),
        ("Alerts", f"{len(alerts):,}, {blocked:,} blocked", ""),
        ("First alert", first.text, first.exact),
        ("Last alert", last.text, last.exact),
    ]


def _alert(alert: Alert, before: Before | None) -> Screen:
    return {
        "position": alert.position,
        "event_id": alert.event_id,
        "exact": iso(alert.at_ms),
        "day": iso(alert.at_ms)[:10],
        "time": iso(alert.at_ms)[11:19],
        "verdict": screens.verdict([alert]),
        "account": alert.account,
        "does": words.KINDS.get(alert.kind, alert.kind),
        "amount": words.yuan(alert.amount_fen) if alert.amount_fen else "",
        "reasons": [text for _, text, _ in alert.reasons],
        "models": [name for name, _ in screens.models([alert])],
        "is_new": before is not None and alert.position > before.position,
    }


def _history(book: Book, case: Case, seen: Seen) -> list[Screen]:
    """Say what the book knows of a case's past: what opened it, what went into it, who had it last, what it came to."""
    found: list[Screen] = [{"at": None, "text": f"{views.name(number)} went into it"} for number in views.merged(book, case)]
    opening = book.kept.alerts.get(case.id)
    if opening is not None:
        found.insert(0, {"at": ago(opening.at_ms, seen.at_ms), "text": f"opened by an alert of {opening.account}"})
    if case.state is State.OPEN and case.holder:
        ended = not case.is_held(seen.at_ms)
        found.append({"at": ago(case.until_ms, seen.at_ms), "text": f"the claim of {seen.name(case.holder)} {'ran out' if ended else 'ends'}"})
    if case.outcome is not None:
        outcome = words.OUTCOMES[case.outcome][0].lower()
        found.append({"at": ago(case.decided_ms, seen.at_ms), "text": f"{seen.name(case.holder)} decided: {outcome}"})
    return found


def _may(case: Case, seen: Seen) -> Screen:
    """Say what the one who looks may do."""
    is_open, is_held = case.state is State.OPEN, case.is_held(seen.at_ms)
    is_mine = is_open and is_held and case.holder == seen.person.id
    is_others = is_open and is_held and not is_mine
    return {
        "can_claim": is_open and not is_held,
        "can_decide": is_mine,
        "can_take_over": is_others and seen.person.is_supervisor,
        "is_others": is_others,
        "holder": seen.name(case.holder),
        "outcomes": [(str(outcome), *said, words.MEANS[outcome]) for outcome, said in words.OUTCOMES.items()],
        "request_id": new_request(),
    }


def _decision(case: Case, seen: Seen) -> Screen | None:
    if case.outcome is None:
        return None
    en, zh, _ = words.OUTCOMES[case.outcome]
    by = "you" if case.holder == seen.person.id else seen.name(case.holder)
    return {"en": en, "zh": zh, "by": by, "at": ago(case.decided_ms, seen.at_ms), "note": case.text, "means": words.MEANS[case.outcome]}
