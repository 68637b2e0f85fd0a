"""One decision: hard rules, then the score, then the price, then the cap. Pure: the same package and facts give the same decision for ever."""

from collections.abc import Sequence
from dataclasses import replace

from reference_apps.risk import pricing, rules, scorecard
from reference_apps.risk.model import BinPoints, Cap, Decision, Facts, Outcome, PriceRow
from reference_apps.risk.package import Package

MOST_REASONS = 3
MOST_SCORE_REASONS = 2


def decide(package: Package, table: str, facts: Facts, cap: Cap | None) -> Decision:
    """Decide on facts with one price table of the package. Evidence that a flow requires ("taobao") is a fact of that name, None where it is missing."""
    hit = rules.hits(package.rules, package.lists, facts)
    counted = scorecard.points(package.scorecard, facts)
    score = None if counted is None else scorecard.score(package.scorecard, counted)
    outcome = Outcome.REJECT if any(rule.outcome is Outcome.REJECT for rule in hit) else Outcome.REVIEW if hit else Outcome.PASS
    begun = Decision(
        outcome=outcome,
        offer=None,
        score=score,
        points=counted or (),
        rules_hit=tuple(rule.id for rule in hit),
        reasons=tuple(rule.reason for rule in hit),
    )
    if outcome is Outcome.REJECT:
        return _because(begun)
    if score is None:
        return _because(replace(begun, outcome=Outcome.REVIEW), "no_score")
    row = pricing.row_for(package.prices[table], score)
    if row is None:
        return _because(replace(begun, outcome=Outcome.REJECT), "score_too_low")
    return _priced(begun, row, facts, cap)


def _priced(begun: Decision, row: PriceRow, facts: Facts, cap: Cap | None) -> Decision:
    """Add the offer. Missing evidence sends to review: it never passes, and the offer says what it would be."""
    offer, said = pricing.capped(pricing.offer(row), cap)
    if offer is None:
        return _because(replace(begun, outcome=Outcome.REJECT), said)
    missing = tuple(name for name in row.requires if facts.get(name) is None)
    if missing:
        return _because(replace(begun, outcome=Outcome.REVIEW, offer=offer, missing_evidence=missing), "evidence_missing", said)
    return _because(replace(begun, offer=offer), said)


def _because(decision: Decision, *codes: str) -> Decision:
    """Name the reasons: rules first, then what decided, then the characteristics that lost the most points."""
    whole = [*decision.reasons, *(code for code in codes if code), *_weak_points(decision.points)]
    return replace(decision, reasons=tuple(dict.fromkeys(whole))[:MOST_REASONS])


def _weak_points(counted: Sequence[BinPoints]) -> list[str]:
    weak = sorted((each for each in counted if each.lost > 0), key=lambda each: (-each.lost, each.characteristic))
    return [each.characteristic for each in weak[:MOST_SCORE_REASONS]]
