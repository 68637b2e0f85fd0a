"""Cases as JSON. Pure; `at_ms` is now."""

from collections.abc import Sequence
from typing import Any

from reference_apps.fraud.cases.book import Book
from reference_apps.fraud.cases.model import Alert, Case, State
from reference_apps.fraud.cases.queue import at_risk_fen
from reference_apps.fraud.door.views import iso
from reference_apps.fraud.model import Verdict
from reference_apps.fraud.models.all import NAMES

Json = dict[str, Any]
MOST_REASONS = 5
APPLICATION = "application:"


def case(book: Book, found: Case, at_ms: int) -> Json:
    """Say a case with its alerts, entities, reasons and links."""
    alerts = book.alerts(found)
    said: Json = {"alerts": [_alert(each) for each in alerts], "entities": entities(alerts), "merged": [name(each) for each in merged(book, found)]}
    return line(book, found, at_ms) | said


def merged(book: Book, found: Case) -> list[int]:
    """Return the numbers of the cases that went into this one."""
    return sorted(other.id for other in book.kept.cases.values() if other.into == found.id)


def applications(alerts: Sequence[Alert]) -> list[str]:
    """Return approval's applications among the alerts."""
    return [each.event_id.removeprefix(APPLICATION) for each in alerts if each.event_id.startswith(APPLICATION)]


def line(book: Book, found: Case, at_ms: int) -> Json:
    """Say a case as the queue shows it."""
    alerts = book.alerts(found)
    held = found.state is State.OPEN and found.is_held(at_ms)
    said: Json = {
        "id": name(found.id),
        "state": str(found.state),
        "version": found.version,
        "verdict": Verdict(max((each.verdict for each in alerts), default=0)).word,
        "alert_count": len(alerts),
        "accounts": len({each.account for each in alerts}),
        "amount_at_risk_fen": at_risk_fen(alerts),
        "first_at": iso(min(each.at_ms for each in alerts)) if alerts else None,
        "last_at": iso(max(each.at_ms for each in alerts)) if alerts else None,
        "reasons": reasons(alerts),
        "models": [NAMES[number] for number in sorted({number for each in alerts for number in each.models})],
        "applications": applications(alerts),
        "claimed_by": found.holder if held else None,
        "claimed_until": iso(found.until_ms) if held else None,
        "merged_into": name(found.into) if found.into else None,
    }
    if found.state is State.DECIDED:
        said |= {"outcome": str(found.outcome), "decided_by": found.holder, "decided_at": iso(found.decided_ms), "note": found.text}
    return said


def name(number: int) -> str:
    return f"case-{number}"


def _alert(alert: Alert) -> Json:
    return {
        "position": alert.position,
        "event_id": alert.event_id,
        "kind": alert.kind,
        "at": iso(alert.at_ms),
        "account": alert.account,
        "verdict": Verdict(alert.verdict).word,
        "amount_fen": alert.amount_fen,
        "reasons": [{"code": code, "text": text, "weight": weight} for code, text, weight in alert.reasons],
        "application": alert.event_id.removeprefix(APPLICATION) if alert.event_id.startswith(APPLICATION) else None,
    }


def reasons(alerts: Sequence[Alert]) -> list[Json]:
    """Return the weightiest reasons of all alerts, each code once, with the number of alerts that have it."""
    found: dict[str, list[Any]] = {}
    for alert in alerts:
        for code, text, weight in alert.reasons:
            known = found.setdefault(code, [weight, 0, text])
            known[1] += 1
            if weight > known[0]:
                known[0], known[2] = weight, text
    ranked = sorted(found.items(), key=lambda each: (-each[1][0], -each[1][1], each[0]))
    return [{"code": code, "text": text, "weight": weight, "alerts": count} for code, (weight, count, text) in ranked[:MOST_REASONS]]


def entities(alerts: Sequence[Alert]) -> list[Json]:
    """Return every key that the alerts name, those of most alerts first."""
    found: dict[tuple[str, str], int] = {}
    for alert in alerts:
        for family, keys in alert.keys.items():
            for key in keys:
                found[family, key] = found.get((family, key), 0) + 1
    return [{"family": family, "value": key, "alerts": count} for (family, key), count in sorted(found.items(), key=lambda each: (-each[1], each[0]))]
