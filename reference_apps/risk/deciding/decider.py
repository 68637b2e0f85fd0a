"""A package at work: its parts compiled once, and one decision after the other. Pure: the same package and question give the same decision for ever."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from reference_apps.risk.deciding import concluding, facts, pricing, scoring, trees
from reference_apps.risk.deciding.concluding import Case, Conclusion, Terms
from reference_apps.risk.deciding.scoring import Card
from reference_apps.risk.deciding.tables import Ruling, Tables, vocabulary
from reference_apps.risk.deciding.trees import Forest
from reference_apps.risk.model import BinPoints, Cap, Decision, Estimate, Facts, Question
from reference_apps.risk.packages.model import Package, Route

MOST_TERMS = 256
USUAL_MONTHS = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """What scorecard and model of a route said; all of it is empty where no route was found."""

    route: Route | None = None
    prices: str | None = None
    score: float | None = None
    counted: tuple[BinPoints, ...] = ()
    probability: float | None = None
    estimate: Estimate | None = None


class Decider:
    """One package, ready to decide. Safe to use from several threads; a decision uses this one package throughout."""

    def __init__(self, package: Package) -> None:
        self.package = package
        self.codes = vocabulary(package)
        self.tables = Tables(package, self.codes)
        types = {name: each.type for name, each in package.variables.items()}
        self.cards: Mapping[str, Card] = {name: scoring.compiled(each, types) for name, each in package.scorecards.items()}
        self.forests: Mapping[str, Forest] = {name: trees.compiled(each) for name, each in package.models.items()}
        self.terms = lru_cache(MOST_TERMS)(self._terms)
        self.watched = {name: concluding.watched(package, rows) for name, rows in package.prices.items()}

    def complete(self, known: Facts) -> Facts:
        """Return complete facts: what a question needs."""
        return facts.complete(self.package, known)

    def decide(self, question: Question) -> Decision:
        """Decide. `question.facts` are complete, and its scene and price table are the package's."""
        ruling = self.tables.rule(question.facts, question.scene)
        route = self.route(question.scene, ruling)
        if route is None:
            made = concluding.conclude(Case(ruling=ruling, has_route=False), self.terms(question.table, question.cap))
            return assembled(made, ruling, question.failed, concluding.reasons(made.codes, "", ()), Scored())
        scored = self._scored(route, question)
        assert scored.prices is not None
        made = concluding.conclude(self._case(route, question, ruling, scored), self.terms(scored.prices, question.cap))
        codes = concluding.reasons(made.codes, self._model_reason(route, scored.estimate), weak(scored.counted))
        return assembled(made, ruling, question.failed, codes, scored)

    def route(self, scene: str, ruling: Ruling) -> Route | None:
        """Return what decides in a scene for a ruling's segment; None: nothing does."""
        return None if ruling.segment is None else self.package.router.route(scene, ruling.segment)

    def _scored(self, route: Route, question: Question) -> Scored:
        card = self.cards[route.scorecard]
        counted = card.count(question.facts)
        score = None if counted is None else card.score(counted)
        estimate = self.forests[route.model].estimate(question.facts) if route.model else None
        probability = None if score is None else card.probability(score)
        prices = route.prices or question.table
        return Scored(route=route, prices=prices, score=score, counted=counted or (), probability=probability, estimate=estimate)

    def _case(self, route: Route, question: Question, ruling: Ruling, scored: Scored) -> Case:
        assert scored.prices is not None
        place, cell = None, None
        if scored.score is not None:
            place = pricing.place_for(self.package.prices[scored.prices], scored.score)
            if route.combination and scored.estimate:
                cell = concluding.cell(self.package.combinations[route.combination], scored.score, scored.estimate.probability)
        return Case(
            ruling=ruling,
            has_score=scored.score is not None,
            place=place,
            cell=cell,
            missing=tuple(name for name in self.watched[scored.prices] if question.facts[name] is None),
            failed=question.failed,
            periods=months(question.facts),
        )

    def _terms(self, table: str, cap: Cap | None) -> Terms:
        return Terms(self.package, self.package.prices[table], cap)

    def _model_reason(self, route: Route, estimate: Estimate | None) -> str:
        if route.model is None or estimate is None:
            return ""
        forest = self.forests[route.model]
        at = forest.heaviest(estimate.contributions)
        return "" if at is None else forest.of.features[at].reason


def months(known: Facts) -> int:
    """Return over how many months the loan runs: the variable `periods`, where there is one."""
    periods = known.get("periods")
    return periods if isinstance(periods, int) and periods > 0 else USUAL_MONTHS


def weak(counted: Sequence[BinPoints]) -> list[str]:
    """Return the characteristics that lost the most points, equal ones by name."""
    found = sorted((each for each in counted if each.lost > 0), key=lambda each: (-each.lost, each.characteristic))
    return [each.characteristic for each in found[: concluding.MOST_SCORE_REASONS]]


def assembled(made: Conclusion, ruling: Ruling, failed: tuple[str, ...], codes: tuple[str, ...], scored: Scored) -> Decision:
    """Put a decision together from its conclusion and what led to it."""
    route = scored.route
    return Decision(
        outcome=made.outcome,
        offer=made.offer,
        score=scored.score,
        points=scored.counted,
        rules_hit=ruling.rules,
        reasons=codes,
        missing_evidence=made.missing,
        failed_sources=failed,
        segment=ruling.segment,
        scorecard=route.scorecard if route else None,
        model=route.model if route else None,
        prices=scored.prices,
        probability=scored.probability,
        estimate=scored.estimate,
    )
