"""Many decisions at once, the same ones as one by one: everything that has few different values is concluded once and handed out by arrays.

Decisions stay columns until somebody looks at one; then it is put together as a value, equal to what `Decider.decide` gives.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from reference_apps.risk.deciding import concluding
from reference_apps.risk.deciding.concluding import Case, Conclusion
from reference_apps.risk.deciding.decider import Decider, Scored, assembled
from reference_apps.risk.deciding.facts import Columns
from reference_apps.risk.deciding.scoring import sigmoid
from reference_apps.risk.deciding.tables import Ruling
from reference_apps.risk.model import Cap, Decision, Estimate, Facts, Outcome, Question
from reference_apps.risk.packages.model import Route

Places = NDArray[np.int64]
Doubles = NDArray[np.float64]
OUTCOMES = tuple(Outcome)


@dataclass(frozen=True, slots=True)
class Setting:
    """What many questions share: the scene, the configured price table, the tenant's cap, and the sources that failed."""

    scene: str
    table: str
    cap: Cap | None = None
    failed: tuple[str, ...] = ()


@dataclass(slots=True)
class Part:
    """The rows of one route as columns: `conclusion`, `codes` and `ruling` are places in their lists; `bins` a place per characteristic."""

    route: Route | None
    prices: str | None
    rulings: Sequence[Ruling]
    ruling: Places
    conclusions: list[Conclusion]
    conclusion: Places
    codes: list[tuple[str, ...]]
    code: Places
    score: Doubles
    bins: list[Places] = field(default_factory=list)
    margin: Doubles | None = None
    probability: Doubles | None = None
    contributions: Doubles | None = None


class Decisions(Sequence[Decision]):
    """Decisions in the order of their questions. `outcomes` (places in OUTCOMES), `scores` (NaN: none) and `probabilities` (of the model) are columns."""

    def __init__(self, decider: Decider, setting: Setting, rows: Sequence[tuple[Places, Part]], size: int) -> None:
        self._decider, self._setting, self._rows = decider, setting, rows
        self._part, self._at = np.zeros(size, dtype=np.int64), np.zeros(size, dtype=np.int64)
        self.outcomes = np.zeros(size, dtype=np.int64)
        self.scores, self.probabilities = np.full(size, np.nan), np.full(size, np.nan)
        for number, (places, part) in enumerate(rows):
            self._part[places], self._at[places] = number, np.arange(len(places))
            by_conclusion = np.array([OUTCOMES.index(each.outcome) for each in part.conclusions], dtype=np.int64)
            self.outcomes[places] = by_conclusion[part.conclusion]
            self.scores[places] = part.score
            if part.probability is not None:
                self.probabilities[places] = part.probability

    def __len__(self) -> int:
        return len(self._part)

    @overload
    def __getitem__(self, at: int) -> Decision: ...
    @overload
    def __getitem__(self, at: slice) -> list[Decision]: ...
    def __getitem__(self, at: int | slice) -> Decision | list[Decision]:
        if isinstance(at, slice):
            return list(self)[at]
        if not -len(self) <= at < len(self):
            raise IndexError(f"there are {len(self)} decisions, not {at}")
        at %= len(self)
        return self._values(self._rows[self._part[at]][1], self._at[at : at + 1])[0]

    def __iter__(self) -> Iterator[Decision]:
        found: list[Any] = [None] * len(self)
        for places, part in self._rows:
            for place, decision in zip(places.tolist(), self._values(part, np.arange(len(places))), strict=True):
                found[place] = decision
        return iter(found)

    def reasons(self) -> list[tuple[str, ...]]:
        """Return every decision's reasons."""
        found: list[tuple[str, ...]] = [()] * len(self)
        for places, part in self._rows:
            for place, code in zip(places.tolist(), part.code.tolist(), strict=True):
                found[place] = part.codes[code]
        return found

    def _values(self, part: Part, rows: Places) -> list[Decision]:
        """Put rows of a part together as decisions."""
        scored = self._scored(part, rows) if part.route else [Scored()] * len(rows)
        ruling, conclusion, code = (column[rows].tolist() for column in (part.ruling, part.conclusion, part.code))
        made = zip(conclusion, ruling, code, scored, strict=True)
        failed = self._setting.failed
        return [assembled(part.conclusions[said], part.rulings[ruled], failed, part.codes[why], each) for said, ruled, why, each in made]

    def _scored(self, part: Part, rows: Places) -> list[Scored]:
        assert part.route is not None
        card, route, prices = self._decider.cards[part.route.scorecard], part.route, part.prices
        bins = [[each.counted[at] for at in places[rows].tolist()] for each, places in zip(card.characteristics, part.bins, strict=True)]
        found = []
        for total, counted, estimate in zip(part.score[rows].tolist(), zip(*bins, strict=True), self._estimates(part, rows), strict=True):
            if math.isnan(total):
                found.append(Scored(route=route, prices=prices, estimate=estimate))
                continue
            score = card.shown(total)
            found.append(Scored(route=route, prices=prices, score=score, counted=counted, probability=card.probability(score), estimate=estimate))
        return found

    def _estimates(self, part: Part, rows: Places) -> Sequence[Estimate | None]:
        if part.route is None or part.route.model is None or part.margin is None or part.probability is None or part.contributions is None:
            return [None] * len(rows)
        bias = self._decider.forests[part.route.model].bias
        figures = zip(part.probability[rows].tolist(), part.margin[rows].tolist(), part.contributions[:, rows].T.tolist(), strict=True)
        return [Estimate(probability=bad, margin=margin, bias=bias, contributions=tuple(each)) for bad, margin, each in figures]


def decide_all(decider: Decider, known: Sequence[Facts], setting: Setting) -> Decisions:
    """Decide many questions that share a setting; `known` need not be complete. Equal to deciding them one by one."""
    columns = Columns(decider.package, decider.codes, known)
    complete = [decider.complete(each) for each in known] if decider.tables.needs_facts else ()
    rulings, which = decider.tables.rule_all(columns, complete, setting.scene)
    routes = [decider.route(setting.scene, each) for each in rulings]
    rows = []
    for route in dict.fromkeys(routes):
        mine = np.array([each == route for each in routes])
        places = np.flatnonzero(mine[which]) if len(which) else np.zeros(0, dtype=np.int64)
        rows.append((places, _part(decider, columns.at(places), setting, route, (rulings, which[places]))))
    return Decisions(decider, setting, rows, len(known))


def decide_many(decider: Decider, questions: Sequence[Question]) -> list[Decision]:
    """Decide questions of any settings, in their order."""
    found: list[Any] = [None] * len(questions)
    groups: dict[Setting, list[int]] = {}
    for at, each in enumerate(questions):
        groups.setdefault(Setting(each.scene, each.table, each.cap, each.failed), []).append(at)
    for setting, places in groups.items():
        for at, decision in zip(places, decide_all(decider, [questions[at].facts for at in places], setting), strict=True):
            found[at] = decision
    return found


def _part(decider: Decider, columns: Columns, setting: Setting, route: Route | None, ruled: tuple[Sequence[Ruling], Places]) -> Part:
    rulings, ruling = ruled
    size = len(columns)
    if route is None:
        cases, case = np.unique(ruling, return_inverse=True)
        conclusions = [concluding.conclude(Case(ruling=rulings[each], has_route=False), decider.terms(setting.table, setting.cap)) for each in cases]
        codes = [concluding.reasons(made.codes, "", ()) for made in conclusions]
        return Part(None, None, rulings, ruling, conclusions, case, codes, case, np.full(size, np.nan))
    part = Part(route, route.prices or setting.table, rulings, ruling, [], ruling, [], ruling, np.full(size, np.nan))
    _score(decider, columns, part)
    _estimate(decider, columns, part)
    _conclude(decider, columns, setting, part)
    _explain(decider, part)
    return part


def _score(decider: Decider, columns: Columns, part: Part) -> None:
    """Find the bins and add their points; without a required variable there is no score."""
    assert part.route is not None
    card = decider.cards[part.route.scorecard]
    total, known = np.full(len(columns), card.of.base), np.ones(len(columns), dtype=bool)
    for each in card.characteristics:
        name = each.of.variable
        places = each.places(columns.column(name), decider.codes[name])
        total += each.points[places]
        part.bins.append(places)
        if each.of.required:
            known &= ~columns.is_missing(name)
    part.score = np.where(known, total, np.nan)


def _estimate(decider: Decider, columns: Columns, part: Part) -> None:
    assert part.route is not None
    if part.route.model is None:
        return
    forest = decider.forests[part.route.model]
    inputs = []
    for feature, codes in zip(forest.of.features, forest.codes, strict=True):
        column = columns.column(feature.variable)
        inputs.append(_as_categories(column, decider.codes[feature.variable], codes) if codes else column)
    part.margin, part.contributions = forest.estimates(inputs)
    part.probability = np.array([sigmoid(each) for each in part.margin.tolist()])


def _as_categories(column: NDArray[Any], words: dict[str, int], codes: Any) -> Doubles:
    """Turn words' codes into a feature's codes; what is none of its categories is missing."""
    turned = np.full(len(words) + 2, np.nan)
    for word, code in codes.items():
        turned[words[word] + 2] = code
    found: Doubles = turned[column + 2]
    return found


def _conclude(decider: Decider, columns: Columns, setting: Setting, part: Part) -> None:
    """Number the cases that occur, conclude each once."""
    assert part.route is not None
    assert part.prices is not None
    prices, keys = decider.package.prices[part.prices], _Keys(len(columns))
    has_score = ~np.isnan(part.score)
    bounds = np.array([row.min_score for row in reversed(prices)], dtype=float)
    above = np.where(has_score, np.searchsorted(bounds, part.score, side="right"), 0)
    keys.add(part.ruling, len(part.rulings))
    keys.add(has_score, 2)
    keys.add(above, len(prices) + 1)
    combination = decider.package.combinations[part.route.combination] if part.route.combination else None
    bands = (np.zeros(len(columns), dtype=np.int64),) * 2
    if combination is not None and part.probability is not None:
        score_bands = np.where(has_score, np.searchsorted(combination.score_from, part.score, side="right"), 0)
        bands = (score_bands, np.searchsorted(combination.bad_from, part.probability, side="right"))
        keys.add(bands[0], len(combination.cells))
        keys.add(bands[1], len(combination.cells[0]))
    watched = decider.watched[part.prices]
    lacking = [columns.is_missing(name) for name in watched]
    for each in lacking:
        keys.add(each, 2)
    periods = _periods(columns, any(row.fee_rate for row in prices))
    keys.add(periods, int(periods.max(initial=0)) + 1)
    first, part.conclusion = keys.numbered()
    terms = decider.terms(part.prices, setting.cap)
    for at in first.tolist():
        cell = combination.cells[bands[0][at]][bands[1][at]] if combination and has_score[at] else None
        missing = tuple(name for name, each in zip(watched, lacking, strict=True) if each[at])
        place = len(prices) - int(above[at]) if has_score[at] and above[at] else None
        ruling = part.rulings[part.ruling[at]]
        same = {"failed": setting.failed, "periods": int(periods[at])}
        case = Case(ruling=ruling, has_score=bool(has_score[at]), place=place, cell=cell, missing=missing, **same)  # type: ignore[arg-type]
        part.conclusions.append(concluding.conclude(case, terms))


def _periods(columns: Columns, matter: bool) -> Places:
    """Return the months of each loan, where a fee makes them matter."""
    usual = np.full(len(columns), 12, dtype=np.int64)
    if not matter or not columns.has("periods"):
        return usual
    column = columns.column("periods")
    return np.where(np.isnan(column) | (column <= 0), usual, column).astype(np.int64)


def _explain(decider: Decider, part: Part) -> None:
    """Name each row's reasons: its conclusion's codes, the model's weightiest feature, and the two characteristics that lost most."""
    assert part.route is not None
    card, keys = decider.cards[part.route.scorecard], _Keys(len(part.score))
    names = [card.characteristics[at].of.id for at in card.by_name]
    lost = np.array([card.characteristics[at].lost[part.bins[at]] for at in card.by_name])
    lost[:, np.isnan(part.score)] = 0
    keys.add(part.conclusion, len(part.conclusions))
    weakest = []
    for _ in range(min(concluding.MOST_SCORE_REASONS, len(names))):
        worst = lost.argmax(axis=0)
        found = np.take_along_axis(lost, worst[None, :], axis=0)[0] > 0
        weakest.append(np.where(found, worst, len(names)))
        np.put_along_axis(lost, worst[None, :], 0, axis=0)
        keys.add(weakest[-1], len(names) + 1)
    heavy, features = _heaviest(decider, part)
    keys.add(heavy, len(features))
    first, part.code = keys.numbered()
    for at in first.tolist():
        weak = [names[each[at]] for each in weakest if each[at] < len(names)]
        codes = part.conclusions[part.conclusion[at]].codes
        part.codes.append(concluding.reasons(codes, features[heavy[at]], weak))


def _heaviest(decider: Decider, part: Part) -> tuple[Places, list[str]]:
    """Return each row's weightiest feature as a place in the list of reasons, of which the last is none; only where a conclusion names it."""
    assert part.route is not None
    size = len(part.score)
    named = np.array([concluding.MODEL in made.codes for made in part.conclusions], dtype=bool)
    if part.route.model is None or part.contributions is None or not named.any():
        return np.zeros(size, dtype=np.int64), [""]
    forest = decider.forests[part.route.model]
    ordered = part.contributions[list(forest.by_name)]
    best = ordered.argmax(axis=0)
    adds = (np.take_along_axis(ordered, best[None, :], axis=0)[0] > 0) & named[part.conclusion]
    reasons = [forest.of.features[at].reason for at in forest.by_name]
    return np.where(adds, best, len(reasons)), [*reasons, ""]


class _Keys:
    """Numbers the combinations of small whole numbers that occur in rows."""

    def __init__(self, size: int) -> None:
        self._key, self._most = np.zeros(size, dtype=np.int64), 1

    def add(self, column: NDArray[Any], size: int) -> None:
        """Add a column of values below `size`; the key is narrowed before it could overflow."""
        if self._most * size >= 2**62:
            seen, self._key = np.unique(self._key, return_inverse=True)
            self._most = max(1, len(seen))
        self._key = self._key * size + column
        self._most *= size

    def numbered(self) -> tuple[Places, Places]:
        """Return the first row of every combination, and each row's combination."""
        _, first, which = np.unique(self._key, return_index=True, return_inverse=True)
        return first, which
