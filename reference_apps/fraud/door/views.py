"""Judgements and list entries as JSON. Pure."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from reference_apps.fraud.features.keystate import Figures
from reference_apps.fraud.features.spec import EXACT_DISTINCT, FAMILIES, FIGURES, SPEC, WIDTH
from reference_apps.fraud.keeping.record import Record
from reference_apps.fraud.model import Event, Listing, Reason, Verdict
from reference_apps.fraud.models.all import MODELS
from reference_apps.fraud.models.scoring import MILLION, Look

Json = dict[str, Any]
NAMES = tuple((*FIGURES, *(f"{name}s" for name in family.distinct)) for family in SPEC.families)
SHARING = SPEC.place("contact", "24h", "account")


def judgement(position: int, event: Event, record: Record) -> Json:
    """Say a judgement. `approximate` stands only at windows with a number that is an estimate."""
    figures = record.all_figures()
    look = Look(event, figures, record.ties)
    made = record.judgement()
    return {
        "event_id": event.id,
        "verdict": Verdict(record.verdict).word,
        "reasons": _reasons(made.reasons),
        "shadow": _reasons(made.shadow),
        "models": [
            {
                "model": model.name,
                "probability": None if probability is None else probability / MILLION,
                "no_score": probability is None,
                "reason": model.explain(look),
            }
            for model, probability in zip(MODELS, record.probabilities, strict=True)
        ],
        "windows": [window for number, found in enumerate(figures) if found[0] for window in _windows(number, found)],
        "accounts_sharing_contacts": max(0, figures[SHARING[0]][SHARING[1]] - 1),
        "graph": {
            "sharing": record.ties.sharing,
            "ring": record.ties.ring,
            "near": record.ties.near,
            "bad_near": record.ties.bad_near,
            "new_links_24h": record.ties.new_24h,
        },
        "late_ms": record.late_ms,
        "position": position,
        "policy": record.policy,
        "at": iso(event.at_ms),
    }


def _reasons(reasons: Sequence[Reason]) -> list[Json]:
    return [{"code": each.code, "text": each.text, "weight": each.weight} for each in reasons]


def _windows(number: int, figures: Figures) -> list[Json]:
    found = []
    for place, window in enumerate(SPEC.windows):
        values = figures[place * WIDTH : (place + 1) * WIDTH]
        row: Json = {"family": FAMILIES[number], "window": window.name, **dict(zip(NAMES[number], values, strict=True))}
        if window.days and max(values[3:]) > EXACT_DISTINCT:
            row["approximate"] = True
        found.append(row)
    return found


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
