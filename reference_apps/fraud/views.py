"""Judgements and list entries as JSON. Pure."""

from datetime import UTC, datetime
from typing import Any

from reference_apps.fraud.model import Event, Judgement, Listing
from reference_apps.fraud.windows import Windows

Json = dict[str, Any]


def judgement(event: Event, made: Judgement, windows: Windows, sharing: int) -> Json:
    return {
        "event_id": event.id,
        "verdict": made.verdict.word,
        "reasons": [{"code": each.code, "text": each.text, "weight": each.weight} for each in made.reasons],
        "models": [
            {"model": each.model, "probability": each.probability, "no_score": each.probability is None, "reason": each.reason} for each in made.models
        ],
        "windows": [
            {
                "family": str(family),
                "window": length,
                "count": window.count,
                "sum_fen": window.sum_fen,
                "accounts": window.accounts,
                "devices": window.devices,
                "phones": window.phones,
            }
            for (family, length), window in windows.items()
        ],
        "accounts_sharing_contacts": sharing,
        "at": iso(event.at_ms),
    }


def listing(position: int, entry: Listing) -> Json:
    return {
        "id": position,
        "list": str(entry.kind),
        "family": str(entry.family),
        "value": entry.value,
        "from": iso(entry.from_ms),
        "until": iso(entry.until_ms),
        "reason": entry.reason,
    }


def iso(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="milliseconds")
