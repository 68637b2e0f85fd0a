"""How well the models and the policy tell fraud from honest life: a labelled log is judged event by event, as it would be served, and counted. Pure.

Of a model: recall is the share of its own pattern's events, or incidents, that it scores at its review threshold or above; precision is the share of its alerts
that are fraud of any kind; AUC is how often an event of its pattern scores higher than an honest one of the kinds that the pattern comes in (ties half).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from reference_apps.fraud.model import Verdict
from reference_apps.fraud.models.all import MEDIANS, NAMES
from reference_apps.fraud.models.scoring import MILLION
from reference_apps.fraud.policy.policy import Policy
from reference_apps.fraud.serving.replay import replay
from reference_apps.fraud.simulating import story
from reference_apps.fraud.simulating.story import Label

TRAINING_SEEDS = (101, 102, 103)
HELD_OUT_SEEDS = (1101, 1102, 1103, 1104, 1105)
"""Models and policy were set with the first alone; the figures that are published come from the second."""
DAYS, CUSTOMERS = 30, 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One judged event. `label` None: it is honest. `name` tells accounts of different towns apart."""

    kind: str
    name: str
    label: Label | None
    verdict: Verdict
    scores: tuple[int | None, ...]
    amount_fen: int
    odd: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFigures:
    """What one model achieved. Shares are None where there is nothing to divide by."""

    model: str
    threshold: float
    labelled: int
    incidents: int
    precision: float | None
    recall: float
    caught: float
    auc: float | None
    alerts: float


@dataclass(frozen=True, slots=True, kw_only=True)
class VerdictFigures:
    """What all together achieved: of frauds at least stepped up or at least reviewed, of honest events and customers, and of the money that fraud asked for."""

    events: int
    labelled: int
    precision: float | None
    recall: float
    caught: float
    stepped_up: float
    honest_events: tuple[float, float, float]
    honest_customers: tuple[float, float, float]
    money_fen: int
    stopped: float


def play(policy: Policy, seeds: Iterable[int], *, days: int = DAYS, customers: int = CUSTOMERS, often: float = 1.0) -> list[Seen]:
    """Return every event of the towns of these seeds, judged."""
    found: list[Seen] = []
    for seed in seeds:
        told = story.tell(seed, days=days, customers=customers, often=often)
        for each in replay(policy, enumerate(told.events, 1)):
            event, made = each.event, each.judgement
            found.append(
                Seen(
                    kind=event.kind,
                    name=f"{seed}|{event.account}",
                    label=told.labels.get(event.id),
                    verdict=made.verdict,
                    scores=made.probabilities,
                    amount_fen=event.amount_fen,
                    odd=each.odd,
                )
            )
    return found


def review_thresholds(policy: Policy) -> tuple[float, ...]:
    """Return for each model the probability at which it alone, the others at their medians, brings an event to review; above 1: never alone."""
    found = []
    for number in range(len(NAMES)):
        reached = [
            (typology.review - sum(share * MEDIANS[other] for other, share in typology.weights if other != number)) / weight / MILLION
            for typology in policy.typologies
            for own, weight in typology.weights
            if own == number
        ]
        found.append(min(reached, default=2.0))
    return tuple(found)


def of_models(policy: Policy, seen: Sequence[Seen]) -> list[ModelFigures]:
    """Return each model's figures."""
    return [_of_model(number, threshold, seen) for number, threshold in enumerate(review_thresholds(policy))]


def _of_model(number: int, threshold: float, seen: Sequence[Seen]) -> ModelFigures:
    own = [each for each in seen if each.label is not None and each.label.pattern == NAMES[number]]
    kinds = {each.kind for each in own}
    alerts = [each for each in seen if (score := each.scores[number]) is not None and score >= threshold * MILLION]
    hits = [each for each in alerts if each.label is not None and each.label.pattern == NAMES[number]]
    scores = [score for each in own if (score := each.scores[number]) is not None]
    honest = [score for each in seen if each.label is None and each.kind in kinds and (score := each.scores[number]) is not None]
    incidents = _incidents(own)
    return ModelFigures(
        model=NAMES[number],
        threshold=threshold,
        labelled=len(own),
        incidents=len(incidents),
        precision=_share([each.label is not None for each in alerts]),
        recall=len(hits) / max(1, len(own)),
        caught=len(_incidents(hits)) / max(1, len(incidents)),
        auc=auc(scores, honest),
        alerts=len(alerts) / max(1, len(seen)),
    )


def of_verdicts(seen: Sequence[Seen]) -> VerdictFigures:
    """Return the figures of the verdict as a whole."""
    frauds, honest = [each for each in seen if each.label is not None], [each for each in seen if each.label is None]
    alerts = [each for each in seen if each.verdict >= Verdict.REVIEW]
    hits = [each for each in alerts if each.label is not None]
    strict = (Verdict.STEP_UP, Verdict.REVIEW, Verdict.BLOCK)
    people = {each.name for each in honest}
    money = sum(each.amount_fen for each in frauds)
    return VerdictFigures(
        events=len(seen),
        labelled=len(frauds),
        precision=_share([each.label is not None for each in alerts]),
        recall=len(hits) / max(1, len(frauds)),
        caught=len(_incidents(hits)) / max(1, len(_incidents(frauds))),
        stepped_up=_share([each.verdict >= Verdict.STEP_UP for each in frauds]) or 0.0,
        honest_events=_three([_share([each.verdict == verdict for each in honest]) or 0.0 for verdict in strict]),
        honest_customers=_three([len({each.name for each in honest if each.verdict == verdict}) / max(1, len(people)) for verdict in strict]),
        money_fen=money,
        stopped=sum(each.amount_fen for each in hits) / max(1, money),
    )


def of_anomalies(seen: Sequence[Seen]) -> dict[str, float | None]:
    """Return the anomaly detector's AUC: of each pattern against honest events of its kinds, and under "all" of all patterns."""
    found: dict[str, float | None] = {}
    for pattern in (*NAMES, "all"):
        own = [each for each in seen if each.label is not None and pattern in (each.label.pattern, "all")]
        kinds = {each.kind for each in own}
        honest = [each.odd for each in seen if each.label is None and each.kind in kinds and each.odd is not None]
        found[pattern] = auc([each.odd for each in own if each.odd is not None], honest)
    return found


def _three(shares: Sequence[float]) -> tuple[float, float, float]:
    return shares[0], shares[1], shares[2]


def _incidents(seen: Iterable[Seen]) -> set[str]:
    return {f"{each.label.event_id.partition('-')[0]}|{each.label.incident}" for each in seen if each.label is not None}


def _share(said: Sequence[bool]) -> float | None:
    return sum(said) / len(said) if said else None


def auc(bad: Sequence[int], good: Sequence[int]) -> float | None:
    """Return how often a bad one scores higher than a good one, ties half; None without both. By ranks (Mann and Whitney)."""
    if not bad or not good:
        return None
    ranked = sorted([(score, 1) for score in bad] + [(score, 0) for score in good])
    total, place = 0.0, 0
    while place < len(ranked):
        end = place
        while end < len(ranked) and ranked[end][0] == ranked[place][0]:
            end += 1
        total += sum(is_bad for _, is_bad in ranked[place:end]) * (place + end + 1) / 2
        place = end
    return (total - len(bad) * (len(bad) + 1) / 2) / (len(bad) * len(good))
