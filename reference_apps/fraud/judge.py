"""From features to a verdict: typologies weigh the models, hard rules and lists have their say, and the strictest wins. Pure.

Lists: block > grey > white. White lifts grey and the models' step-up, never a review or a block, and never the step-up for a missing input.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from reference_apps.fraud.model import Event, Family, Judgement, Listing, ListKind, ModelResult, Reason, Verdict
from reference_apps.fraud.models import MEDIAN, MODELS, REQUIRED, Traits
from reference_apps.fraud.windows import Windows

MOST_REASONS = 5
BURST = 20
NO_SCORE = "no_score_"
DIGITS = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Typology:
    """A pattern of fraud as a weighted sum of models with its own thresholds."""

    id: str
    words: str
    weights: Mapping[str, float]
    step_up: float
    review: float
    block: float

    def verdict(self, value: float) -> Verdict:
        reached = ((self.block, Verdict.BLOCK), (self.review, Verdict.REVIEW), (self.step_up, Verdict.STEP_UP))
        return next((verdict for threshold, verdict in reached if value >= threshold), Verdict.PASS)


TYPOLOGIES = (
    Typology(id="device_farm", words="many applicants on one device", weights={"device_cluster": 1.0}, step_up=0.3, review=0.5, block=0.9),
    Typology(id="multi_head", words="many applications in a short time", weights={"application_velocity": 1.0}, step_up=0.3, review=0.5, block=0.9),
    Typology(
        id="organised",
        words="several signs of an organised group",
        weights={"application_velocity": 0.4, "device_cluster": 0.4, "contact_sharing": 0.2},
        step_up=0.25,
        review=0.4,
        block=0.8,
    ),
    Typology(id="ring", words="contacts shared with other applicants", weights={"contact_sharing": 1.0}, step_up=0.3, review=0.5, block=0.9),
)


def judge(traits: Traits, listings: Sequence[Listing]) -> Judgement:
    """Judge one event. The same features and lists give the same judgement, byte for byte."""
    results = tuple(model(traits) for model in MODELS)
    found = [*_typologies(results), *_unscored(results), *_rules(traits.windows), *_listed(traits.event, listings)]
    if any(listing.kind is ListKind.WHITE for listing in _in_force(traits.event, listings)):
        found = [each for each in found if not _is_lifted(*each)]
    ranked = sorted((reason for _, reason in found), key=lambda reason: (-reason.weight, reason.code))
    return Judgement(verdict=max((verdict for verdict, _ in found), default=Verdict.PASS), models=results, reasons=tuple(ranked[:MOST_REASONS]))


Finding = tuple[Verdict, Reason]


def _is_lifted(verdict: Verdict, reason: Reason) -> bool:
    return reason.code == f"list_{ListKind.GREY}" or (verdict is Verdict.STEP_UP and not reason.code.startswith(NO_SCORE))


def _typologies(results: Sequence[ModelResult]) -> list[Finding]:
    by_model = {result.model: result for result in results}
    found: list[Finding] = []
    for typology in TYPOLOGIES:
        value = round(sum(weight * _counted(by_model[model]) for model, weight in typology.weights.items()), DIGITS)
        verdict = typology.verdict(value)
        if verdict is not Verdict.PASS:
            detail = "; ".join(by_model[model].reason for model in sorted(typology.weights) if by_model[model].probability is not None)
            found.append((verdict, Reason(code=typology.id, text=f"{typology.words}: {detail}", weight=value)))
    return found


def _counted(result: ModelResult) -> float:
    return MEDIAN[result.model] if result.probability is None else result.probability


def _unscored(results: Sequence[ModelResult]) -> list[Finding]:
    missing = [result for result in results if result.probability is None and result.model in REQUIRED]
    return [(Verdict.STEP_UP, Reason(code=f"{NO_SCORE}{result.model}", text=f"no score: {result.reason}", weight=0.0)) for result in missing]


def _rules(windows: Windows) -> list[Finding]:
    """The one hard rule: nobody sends this many events in a minute by hand."""
    found: list[Finding] = []
    for family in Family:
        window = windows.get((family, "60s"))
        if window is not None and window.count >= BURST:
            found.append((Verdict.BLOCK, Reason(code=f"burst_{family}", text=f"{window.count} events of one {family} in 60 s", weight=1.0)))
    return found


def _listed(event: Event, listings: Sequence[Listing]) -> list[Finding]:
    strict = {ListKind.BLOCK: Verdict.BLOCK, ListKind.GREY: Verdict.REVIEW}
    return [
        (strict[listing.kind], Reason(code=f"list_{listing.kind}", text=f"the {listing.family} is on the {listing.kind} list: {listing.reason}", weight=1.0))
        for listing in _in_force(event, listings)
        if listing.kind in strict
    ]


def _in_force(event: Event, listings: Sequence[Listing]) -> list[Listing]:
    return [listing for listing in listings if listing.value == event.key(listing.family) and listing.from_ms <= event.at_ms < listing.until_ms]
