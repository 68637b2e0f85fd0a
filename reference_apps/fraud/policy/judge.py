"""From features to a verdict: typologies weigh the models, hard rules and lists have their say, and the strictest wins. Pure.

Lists: block > grey > white. White lifts grey and the models' step-up, never a review or a block, and never the step-up for a missing input.
"""

from collections.abc import Sequence

from reference_apps.fraud.model import Judgement, Listing, ListKind, Reason, Verdict
from reference_apps.fraud.models.all import MEDIANS, MODELS, NAMES, probabilities
from reference_apps.fraud.models.scoring import MILLION, Look
from reference_apps.fraud.policy.policy import Policy, Rule, Typology

MOST_REASONS = 5
NO_SCORE = "no_score_"
GREY = f"list_{ListKind.GREY}"

Finding = tuple[Verdict, Reason]
Probabilities = tuple[int | None, ...]


def judge(policy: Policy, look: Look, listings: Sequence[Listing], late_ms: int = 0) -> Judgement:
    """Judge one event. `listings`: the entries in force for it. The same features, lists and policy give the same judgement, byte for byte."""
    scores = probabilities(look)
    found = _typologies(policy, look, scores)
    if not all(scores):
        found += _unscored(policy, look, scores)
    hits = policy.hits(look, late_ms)
    if hits:
        found += [_hit(rule, look, late_ms) for rule in hits if rule.is_active]
    if listings:
        found = _with_lists(found, listings)
    if not found and not hits:
        return Judgement(Verdict.PASS, scores, ())
    ranked = sorted((reason for _, reason in found), key=lambda reason: (-reason.weight, reason.code))
    shadow = tuple(_hit(rule, look, late_ms)[1] for rule in hits if not rule.is_active)
    return Judgement(max((verdict for verdict, _ in found), default=Verdict.PASS), scores, tuple(ranked[:MOST_REASONS]), shadow)


def _typologies(policy: Policy, look: Look, found_by: Probabilities) -> list[Finding]:
    counted = found_by if all(found_by) else [MEDIANS[number] if each is None else each for number, each in enumerate(found_by)]
    if not policy.is_reached(counted):  # type: ignore[arg-type]  # no None is left
        return []
    found: list[Finding] = []
    for typology, value in zip(policy.typologies, policy.sums(counted), strict=True):  # type: ignore[arg-type]  # no None is left
        if value >= typology.step_up:
            found.append((typology.verdict(value), Reason(typology.id, f"{typology.words}: {_detail(typology, look, found_by)}", value / MILLION)))
    return found


def _detail(typology: Typology, look: Look, scores: Probabilities) -> str:
    """Say what the typology's models saw, those that scored."""
    return "; ".join(MODELS[number].explain(look) for number, _ in typology.weights if scores[number] is not None)


def _unscored(policy: Policy, look: Look, scores: Probabilities) -> list[Finding]:
    missing = [number for number in sorted(policy.required.get(look.event.kind, ())) if scores[number] is None]
    return [(Verdict.STEP_UP, Reason(f"{NO_SCORE}{NAMES[number]}", f"no score: {MODELS[number].explain(look)}", 0.0)) for number in missing]


def _hit(rule: Rule, look: Look, late_ms: int) -> Finding:
    return rule.verdict, Reason(rule.id, rule.words.format(**(rule.known(look, late_ms) or {})), 1.0)


def _with_lists(found: list[Finding], listings: Sequence[Listing]) -> list[Finding]:
    strict = {ListKind.BLOCK: Verdict.BLOCK, ListKind.GREY: Verdict.REVIEW}
    for listing in listings:
        if listing.kind in strict:
            text = f"the {listing.family} is on the {listing.kind} list: {listing.reason}"
            found.append((strict[listing.kind], Reason(f"list_{listing.kind}", text, 1.0)))
    if any(listing.kind is ListKind.WHITE for listing in listings):
        return [each for each in found if not _is_lifted(*each)]
    return found


def _is_lifted(verdict: Verdict, reason: Reason) -> bool:
    return reason.code == GREY or (verdict is Verdict.STEP_UP and not reason.code.startswith(NO_SCORE))
