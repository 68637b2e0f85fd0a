"""What a policy would have done over a log, held against the one in force, rule by rule. Pure: the same log and policies give the same table.

A rule's alerts are the events on which it would have said review or block. What it would change is worked out for it alone, as if it were switched on beside
all that is in force.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from reference_apps.fraud.features.spec import DAY_MS
from reference_apps.fraud.keeping.log import Item
from reference_apps.fraud.model import Event, ListKind, Verdict
from reference_apps.fraud.models.all import MEDIANS, probabilities
from reference_apps.fraud.models.scoring import Look
from reference_apps.fraud.policy.judge import judge
from reference_apps.fraud.policy.policy import Policy
from reference_apps.fraud.policy.switching import content_of, rules_of
from reference_apps.fraud.serving.replay import Replayed, replay

FEWEST_LABELLED = 30
"""Precision and recall of fewer labelled events than this say nothing."""
EXAMPLES = 5

Json = dict[str, Any]
Said = dict[str, Verdict]
"""What each rule and typology says of an event, by its id; those that say nothing are left out."""


@dataclass(slots=True)
class Tally:
    """What one rule or typology came to."""

    hits: int = 0
    alerts: int = 0
    changes: dict[tuple[Verdict, Verdict], int] = field(default_factory=dict)
    overlap: dict[str, int] = field(default_factory=dict)
    fraud: int = 0
    honest: int = 0
    changed: list[str] = field(default_factory=list)
    others: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Whole:
    """What all events came to."""

    events: int = 0
    first_ms: int = 2**62
    last_ms: int = -(2**62)
    verdicts: dict[tuple[Verdict, Verdict], int] = field(default_factory=dict)
    fraud: int = 0
    honest: int = 0


def trial(present: Policy, tried: Policy, log: Iterable[tuple[int, Item]], labels: Mapping[str, bool], since_ms: int | None = None) -> Json:
    """Return the table. `labels`: what is known of events, fraud or not; `since_ms`: only events from then on count, though all are replayed."""
    whole, tallies = Whole(), {each: Tally() for each in (*(rule.id for rule in tried.rules), *(each.id for each in tried.typologies))}
    for seen in _counted(replay(present, log), since_ms):
        _note(whole, tallies, seen, _Pair(present, tried), labels.get(seen.event.id))
    return _table(whole, tallies, present, tried)


@dataclass(frozen=True, slots=True)
class _Pair:
    present: Policy
    tried: Policy


def _counted(log: Iterable[Replayed], since_ms: int | None) -> Iterator[Replayed]:
    return (seen for seen in log if since_ms is None or seen.event.at_ms >= since_ms)


def newest_ms(log: Iterable[tuple[int, Item]]) -> int:
    """Return the newest event time of a log; 0 without events."""
    return max((item.at_ms for _, item in log if isinstance(item, Event)), default=0)


def _note(whole: Whole, tallies: Mapping[str, Tally], seen: Replayed, pair: _Pair, label: bool | None) -> None:
    event, look = seen.event, Look(seen.event, seen.figures, seen.ties)
    before, after = seen.judgement.verdict, judge(pair.tried, look, seen.listings, seen.late_ms).verdict
    whole.events += 1
    whole.first_ms, whole.last_ms = min(whole.first_ms, event.at_ms), max(whole.last_ms, event.at_ms)
    _count(whole.verdicts, (before, after))
    if label is not None:
        whole.fraud, whole.honest = whole.fraud + label, whole.honest + (not label)
    said = saying(pair.tried, look, seen.late_ms)
    if not said:
        return
    now = saying(pair.present, look, seen.late_ms, active_only=True)
    is_white = any(each.kind is ListKind.WHITE for each in seen.listings)
    for name, verdict in said.items():
        would = before if is_white and verdict is Verdict.STEP_UP else max(before, verdict)
        _tally(tallies[name], event.id, (before, would), verdict, label)
        for other in now:
            if other != name:
                _count(tallies[name].overlap, other)


def _tally(tally: Tally, event_id: str, change: tuple[Verdict, Verdict], verdict: Verdict, label: bool | None) -> None:
    tally.hits += 1
    tally.alerts += verdict >= Verdict.REVIEW
    if label is not None:
        tally.fraud, tally.honest = tally.fraud + label, tally.honest + (not label)
    is_change = change[0] is not change[1]
    if is_change:
        _count(tally.changes, change)
    shown = tally.changed if is_change else tally.others
    if len(shown) < EXAMPLES:
        shown.append(event_id)


def saying(held: Policy, look: Look, late_ms: int, active_only: bool = False) -> Said:
    """Return what each rule and typology of a policy says of an event, rules in shadow too unless `active_only`."""
    said = {rule.id: rule.verdict for rule in held.hits(look, late_ms) if rule.is_active or not active_only}
    scores = [MEDIANS[number] if each is None else each for number, each in enumerate(probabilities(look))]
    for typology, value in zip(held.typologies, held.sums(scores), strict=True):
        if value >= typology.step_up:
            said[typology.id] = typology.verdict(value)
    return said


def _count(counts: dict[Any, int], key: Any) -> None:
    counts[key] = counts.get(key, 0) + 1


def _table(whole: Whole, tallies: Mapping[str, Tally], present: Policy, tried: Policy) -> Json:
    days = max(1.0, (whole.last_ms - whole.first_ms) / DAY_MS) if whole.events else 1.0
    told = rules_of(tried)
    contents = {name: content_of(rule) for name, rule in told.items()}
    return {
        "events": whole.events,
        "days": round(days, 2),
        "present_policy": present.id,
        "tried_policy": tried.id,
        "labelled": {"fraud": whole.fraud, "honest": whole.honest},
        "changes": _changes({pair: count for pair, count in whole.verdicts.items() if pair[0] is not pair[1]}),
        "rules": [
            {"id": name, "kind": "rule" if name in told else "typology", "state": told[name]["state"] if name in told else "active"}
            | ({"content": contents[name]} if name in told else {})
            | _row(tally, whole, days)
            for name, tally in sorted(tallies.items())
        ],
    }


def _row(tally: Tally, whole: Whole, days: float) -> Json:
    labelled = tally.fraud + tally.honest
    return {
        "hits": tally.hits,
        "alerts": tally.alerts,
        "share": round(tally.alerts / whole.events, 6) if whole.events else 0.0,
        "alerts_per_day": round(tally.alerts / days, 2),
        "changes": _changes(tally.changes),
        "overlap": [{"id": other, "events": count} for other, count in sorted(tally.overlap.items(), key=lambda each: (-each[1], each[0]))],
        "precision": _ratio(tally.fraud, labelled),
        "recall": _ratio(tally.fraud, whole.fraud),
        "examples": [*tally.changed, *tally.others][:EXAMPLES],
    }


def _changes(counts: Mapping[tuple[Verdict, Verdict], int]) -> list[Json]:
    return [{"from": before.word, "to": after.word, "events": count} for (before, after), count in sorted(counts.items())]


def _ratio(part: int, n: int) -> Json:
    """Return a share with what it is of; `value` None: too few are labelled."""
    return {"value": round(part / n, 4) if n >= FEWEST_LABELLED else None, "n": n, "too_few": n < FEWEST_LABELLED}
