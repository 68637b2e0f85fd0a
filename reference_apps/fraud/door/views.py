"""Judgements and list entries as JSON. Pure."""

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import msgspec

from reference_apps.fraud.features.keystate import Figures
from reference_apps.fraud.features.spec import EXACT_DISTINCT, FIGURES, SPEC, WIDTH, Family
from reference_apps.fraud.keeping.record import Record, Said
from reference_apps.fraud.model import WORDS, Event, Listing, Verdict
from reference_apps.fraud.models.all import MEDIANS, MODELS, NAMES
from reference_apps.fraud.models.scoring import MILLION, Look

Json = dict[str, Any]
DAYS_FROM = sum(not window.days for window in SPEC.windows)
ESTIMATE = ',"approximate":true'


def _template(family: Family, flag: str) -> str:
    """Return a family's windows as JSON with places for all its figures, and for a flag at each window of days."""
    names = ",".join(f'"{name}":%d' for name in (*FIGURES, *(f"{name}s" for name in family.distinct)))
    return ",".join(f'{{"family":"{family.name}","window":"{window.name}",{names}{flag if window.days else ""}}}' for window in SPEC.windows)


EXACT = tuple(_template(family, "") for family in SPEC.families)
ESTIMATED = tuple(_template(family, "%s") for family in SPEC.families)
"""An answer has forty-two windows: they are not worth a dictionary each."""
ORDINARY = "nothing out of the ordinary"
SHARING = SPEC.place("contact", "24h", "account")


def answer(position: int, event: Event, record: Record) -> Json:
    """Say a judgement to who waits for it: what is to be done and why. What it was made of can be asked for later. An alert names the case that has it."""
    said: Json = {
        "event_id": event.id,
        "verdict": WORDS[record.verdict],
        "reasons": _said(record.reasons),
        "shadow": _said(record.shadow),
        "anomaly": None if record.odd is None else record.odd / MILLION,
        "probabilities": {name: probability and probability / MILLION for name, probability in zip(NAMES, record.probabilities, strict=True)},
        "late_ms": record.late_ms,
        "position": position,
        "policy": record.policy,
        "at": iso(event.at_ms),
    }
    if record.verdict >= Verdict.REVIEW:
        said["case"] = f"case-{position}"
    return said


def judgement(position: int, event: Event, record: Record) -> Json:
    """Say a judgement with all it was made of. `approximate` stands only at windows with a number that is an estimate."""
    figures = record.all_figures()
    look = Look(event, figures, record.ties)
    return answer(position, event, record) | {
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
    }


def _said(reasons: Sequence[Said]) -> list[Json]:
    return [{"code": code, "text": text, "weight": weight} for code, text, weight in reasons]


def _windows(number: int, figures: Figures) -> str:
    week, month = figures[DAYS_FROM * WIDTH : (DAYS_FROM + 1) * WIDTH], figures[-WIDTH:]
    if max(month[3], month[4]) <= EXACT_DISTINCT:
        return EXACT[number] % figures
    flags = (ESTIMATE if max(window[3], window[4]) > EXACT_DISTINCT else "" for window in (week, month))
    return ESTIMATED[number] % (*figures[:-WIDTH], next(flags), *month, next(flags))


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
    second, part = divmod(at_ms, 1000)
    return f"{_second(second)}.{part:03}+00:00"


@lru_cache(maxsize=4096)
def _second(since_1970: int) -> str:
    return datetime.fromtimestamp(since_1970, UTC).strftime("%Y-%m-%dT%H:%M:%S")
