"""The dual wheel comes together: ruling, score band, model band, price, cap and missing evidence make one conclusion. Pure.

One row and many rows both end here: many rows ask once for every different case, so they cannot conclude otherwise than one row does.
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace

from reference_apps.risk.deciding import pricing
from reference_apps.risk.deciding.tables import LONGER, STRICTER, Ruling
from reference_apps.risk.model import Cap, Flow, Offer, Outcome
from reference_apps.risk.packages.model import Cell, Combination, OnFailure, Package, PriceRow

MOST_REASONS = 3
MOST_SCORE_REASONS = 2
MODEL = "*"
"""Stands among the codes for the reason of the feature that weighed most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """Everything a conclusion depends on. `place` is the score's row of the price table (None: below all); `cell` None: there is no model.

    `missing` names what is not known of the variables that `watched` names; `failed` the variables whose preferred source gave nothing.
    """

    ruling: Ruling
    has_route: bool = True
    has_score: bool = True
    place: int | None = None
    cell: Cell | None = None
    missing: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()
    periods: int = 12


@dataclass(frozen=True, slots=True)
class Terms:
    """What stays the same for many cases: the package, one of its price tables, and the tenant's cap."""

    package: Package
    prices: Sequence[PriceRow]
    cap: Cap | None


@dataclass(frozen=True, slots=True)
class Conclusion:
    """Outcome, offer and the codes that led there, weightiest first; points lost come after them."""

    outcome: Outcome
    offer: Offer | None
    codes: tuple[str, ...]
    missing: tuple[str, ...] = ()


def cell(combination: Combination, score: float, bad: float) -> Cell:
    """Return the cell of a score and a p(bad)."""
    return combination.cells[bisect_right(combination.score_from, score)][bisect_right(combination.bad_from, bad)]


def watched(package: Package, prices: Sequence[PriceRow]) -> tuple[str, ...]:
    """Return the variables whose absence changes a conclusion, in a fixed order."""
    always = [name for name, each in package.variables.items() if each.missing == "review"]
    return tuple(dict.fromkeys([*always, *(name for row in prices for name in row.requires)]))


def conclude(case: Case, terms: Terms) -> Conclusion:
    """Conclude a case. Whatever is missing or contradicts itself leads to a person, never to a pass."""
    ruling = case.ruling
    codes = ruling.reasons
    if ruling.outcome is Outcome.REJECT:
        return Conclusion(Outcome.REJECT, None, codes)
    if ruling.problem or not case.has_route:
        return Conclusion(Outcome.REVIEW, None, (*codes, ruling.problem or "no_route"))
    if not case.has_score:
        return Conclusion(Outcome.REVIEW, None, (*codes, "no_score"))
    if case.place is None:
        return Conclusion(Outcome.REJECT, None, (*codes, "score_too_low"))
    if case.cell is None:
        return _priced(case, terms, case.place, codes)
    return _combined(case, case.cell, terms, case.place)


def _combined(case: Case, cell: Cell, terms: Terms, place: int) -> Conclusion:
    codes = case.ruling.reasons
    if cell.outcome is Outcome.REJECT:
        return Conclusion(Outcome.REJECT, None, (*codes, "combined_reject", MODEL))
    if place + cell.down >= len(terms.prices):
        return Conclusion(Outcome.REJECT, None, (*codes, "score_too_low", MODEL))
    said = ("combined_review", MODEL) if cell.outcome is Outcome.REVIEW else ("combined_down", MODEL) if cell.down else ()
    return _priced(case, terms, place + cell.down, (*codes, *said))


def _priced(case: Case, terms: Terms, place: int, codes: tuple[str, ...]) -> Conclusion:
    """Add the offer, and look at what is missing for its flow: the offer says what it would be, and a person looks."""
    row = terms.prices[place]
    offer, said = pricing.capped(pricing.offer(row, case.periods), terms.cap, case.periods)
    if offer is None:
        return Conclusion(Outcome.REJECT, None, (*codes, said))
    flow = _flow(case, row.flow, terms)
    offer = replace(offer, flow=flow, limit_fen=min(offer.limit_fen, case.ruling.most_fen or offer.limit_fen))
    missing = _missing(case, row, flow, terms)
    failed = _to_a_person(case, terms)
    outcomes = [case.ruling.outcome, case.cell.outcome if case.cell else Outcome.PASS, Outcome.REVIEW if missing or failed else Outcome.PASS]
    why = (*(("evidence_missing",) if missing else ()), *(("source_failed",) if case.failed else ()), *((said,) if said else ()))
    return Conclusion(max(outcomes, key=STRICTER.__getitem__), offer, (*codes, *why), missing)


def _flow(case: Case, flow: Flow, terms: Terms) -> Flow:
    wanted = [flow, case.ruling.flow, *((case.cell.flow,) if case.cell and case.cell.flow else ())]
    if any(terms.package.variables[name].on_failure is OnFailure.EXTENDED for name in case.failed):
        wanted.append(Flow.EXTENDED)
    longest: Flow = max(wanted, key=LONGER.__getitem__)
    return longest


def _missing(case: Case, row: PriceRow, flow: Flow, terms: Terms) -> tuple[str, ...]:
    """Return what is missing of that which the row asks for, which any row of a lengthened flow asks for, and which is never done without."""
    rows = (row, *(each for each in terms.prices if flow is not row.flow and each.flow is flow))
    needed = {name for each in rows for name in each.requires}
    return tuple(name for name in case.missing if name in needed or terms.package.variables[name].missing == "review")


def _to_a_person(case: Case, terms: Terms) -> bool:
    return any(terms.package.variables[name].on_failure is OnFailure.REVIEW for name in case.failed)


def reasons(codes: Sequence[str], model_reason: str, weak: Sequence[str]) -> tuple[str, ...]:
    """Name the reasons: what decided first, then the characteristics that lost the most points; each once."""
    spoken = (model_reason if code == MODEL else code for code in codes)
    return tuple(dict.fromkeys(code for code in (*spoken, *weak) if code))[:MOST_REASONS]
