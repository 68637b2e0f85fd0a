"""Judgements and list entries as JSON. Pure."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from reference_apps.fraud.features.keystate import Figures
from reference_apps.fraud.features.spec import EXACT_DISTINCT, FIGURES, SPEC, WIDTH
from reference_apps.fraud.keeping.record import Record
from reference_apps.fraud.model import Event, Listing, Reason, Verdict
from reference_apps.fraud.models.all import MEDIANS, MODELS
from reference_apps.fraud.models.scoring import MILLION, Look

Json = dict[str, Any]
LINES = tuple(
    tuple(
        f'{{"family":"{family.name}","window":"{window.name}",'
        + ",".join(f'"{name}":%d' for name in (*FIGURES, *(f"{name}s" for name in family.distinct)))
        + "%s}"
        for window in SPEC.windows
    )
    for family in SPEC.families
)
"""Each window as JSON with places for its figures: forty-two of them are in an answer, so they are not worth a dictionary each."""
ORDINARY = "nothing out of the ordinary"
DAYS_FROM = sum(not window.days for window in SPEC.windows)
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
                "reason": model.explain(look) if probability is None or probability > median else ORDINARY,
            }
            for model, probability, median in zip(MODELS, record.probabilities, MEDIANS, strict=True)
        ],
        "windows": msgspec.Raw(f"[{','.join(_windows(number, found) for number, found in enumerate(figures) if found[0])}]".encode()),
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


def _windows(number: int, figures: Figures) -> str:
    found = []
    for place, line in enumerate(LINES[number]):
        values = figures[place * WIDTH : (place + 1) * WIDTH]
        is_estimate = place >= DAYS_FROM and (values[3] > EXACT_DISTINCT or values[4] > EXACT_DISTINCT)
        found.append(line % (*values, ',"approximate":true' if is_estimate else ""))
    return ",".join(found)


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
