"""Scorecard and trees: points, odds and contributions as defined, many rows the same as one row to the last bit, and whole decisions too."""

import math
from decimal import Decimal
from random import Random
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reference_apps.risk.deciding import concluding, many, scoring, trees
from reference_apps.risk.deciding.decider import Decider
from reference_apps.risk.deciding.many import Setting
from reference_apps.risk.model import Cap, CapAction, Outcome, Question
from reference_apps.risk.packages import reading
from reference_apps.risk.packages.model import Package, Scaling
from tests.apps import risk_made

SHIPPED = reading.read()
LARGE = risk_made.with_forest(40, 32)
WIDE = risk_made.with_forest(10, 64, seed=2)


@settings(deadline=None, max_examples=200)
@given(st.floats(1, 100), st.floats(0, 1000), st.floats(0.1, 1000), st.floats(-500, 1500))
def test_pdo_points_double_the_odds(pdo: float, base: float, odds: float, score: float) -> None:
    scaling = Scaling(pdo=pdo, base_score=base, base_odds=odds)
    here, above = (scoring.log_odds(scaling, each) for each in (score, score + pdo))
    assert here - above == pytest.approx(math.log(2), abs=1e-9 * max(1, abs(here)))
    assert math.exp(-scoring.log_odds(scaling, base)) == pytest.approx(odds, rel=1e-9)


def woe_package(rounding: str) -> Package:
    made = risk_made.documents()
    made["scorecards/main.json"] = {
        "kind": "woe", "intercept": -3.2, "rounding": rounding, "scaling": {"pdo": 20, "base_score": 600, "base_odds": 50},
        "characteristics": [
            {
                "id": "zhima_score", "variable": "zhima_score", "coefficient": -0.9, "missing": {"woe": -0.2}, "special": [{"value": 400, "woe": -1.1}],
                "bins": [{"woe": -0.7}, {"from": 600, "woe": 0.45}, {"from": 700, "woe": 1.2}],
            },
            {"id": "age", "variable": "age", "coefficient": -0.8, "missing": {"woe": 0}, "bins": [{"woe": -0.30}, {"from": 30, "woe": 0.1}]},
            {
                "id": "pboc_record", "variable": "pboc_record", "coefficient": -0.5, "missing": {"woe": -0.05},
                "bins": [{"is": ["bad", "none"], "woe": -0.9}, {"is": ["ordinary", "good"], "woe": 0.33}],
            },
        ],
    }  # fmt: skip
    return risk_made.parsed(made)


WOE = {
    "zhima_score": lambda v: -0.2 if v is None else -1.1 if v == 400 else -0.7 if v < 600 else 0.45 if v < 700 else 1.2,
    "age": lambda v: 0 if v is None else -0.30 if v < 30 else 0.1,
    "pboc_record": lambda v: -0.05 if v is None else -0.9 if v in ("bad", "none") else 0.33,
}


@settings(deadline=None, max_examples=200)
@given(st.integers(0, 10**6))
def test_a_compiled_scorecard_is_the_formula(seed: int) -> None:
    card = EXACT.cards["main"]
    facts = EXACT.complete(risk_made.facts(Random(seed)))
    counted = card.count(facts)
    assert counted is not None
    z = -3.2 + sum(b * WOE[name](facts[name]) for name, b in (("zhima_score", -0.9), ("age", -0.8), ("pboc_record", -0.5)))
    factor = 20 / math.log(2)
    assert card.score(counted) == pytest.approx(600 - factor * math.log(50) - factor * z, abs=1e-9)
    assert sum(each.points for each in counted) == pytest.approx(card.score(counted), abs=1e-9)
    assert card.probability(card.score(counted)) == pytest.approx(1 / (1 + math.exp(-z)), abs=1e-12)


EXACT = Decider(woe_package("exact"))
WHOLE = Decider(woe_package("whole"))


def test_whole_points_are_rounded_once_and_their_sum_is_the_score() -> None:
    for seed in range(50):
        facts = WHOLE.complete(risk_made.facts(Random(seed)))
        counted = WHOLE.cards["main"].count(facts)
        exact = EXACT.cards["main"].count(facts)
        assert counted is not None
        assert exact is not None
        assert [each.points for each in counted] == [math.floor(each.points + 0.5) for each in exact]
        assert WHOLE.cards["main"].score(counted) == sum(each.points for each in counted)


@pytest.mark.parametrize("package", [SHIPPED, LARGE, WIDE], ids=["shipped", "large", "wide"])
def test_trees_are_the_same_for_one_row_and_for_many_to_the_last_bit(package: Package) -> None:
    decider, dice = Decider(package), Random(7)
    forest = decider.forests["main"]
    rows = [decider.complete(risk_made.facts(dice)) for _ in range(500)]
    columns = [
        np.array([math.nan if (number := trees._number(row[feature.variable], codes)) is None else number for row in rows])
        for feature, codes in zip(forest.of.features, forest.codes, strict=True)
    ]
    margins, contributions = forest.estimates(columns)
    for at, row in enumerate(rows):
        one = forest.estimate(row)
        assert one.margin.hex() == float(margins[at]).hex()
        assert [each.hex() for each in one.contributions] == [float(each).hex() for each in contributions[:, at]]
        assert one.bias + sum(one.contributions) == pytest.approx(one.margin, abs=1e-9), "bias and contributions are the margin"
        assert one.probability == pytest.approx(1 / (1 + math.exp(-one.margin)), abs=1e-15)


def test_values_at_infinity_and_missing_take_their_side() -> None:
    forest = Decider(LARGE).forests["main"]
    for value in (math.inf, -math.inf, 1e300, -1e300, 0.0, -0.0, None):
        facts: Any = {"zhima_score": value, "pboc_record": "unheard of", "shopping_spend_12m_fen": value, "age": value, "other_debt_fen": value}
        row = np.array([math.nan if value is None else value])
        margins, _ = forest.estimates([row, np.array([math.nan]), row, row, row])
        assert forest.estimate(facts).margin == margins[0]


def test_a_tree_of_one_leaf_adds_its_value() -> None:
    made = risk_made.documents()
    empty = {"feature": [-1], "threshold": [0.0], "missing_left": [False], "left": [-1], "right": [-1], "value": [0.25]}
    made["models/main.json"]["trees"] = [empty]
    forest = Decider(risk_made.parsed(made)).forests["main"]
    assert forest.estimate(dict.fromkeys((each.variable for each in forest.of.features), None)).margin == -1.9 + 0.25
    assert forest.estimates([np.zeros(3)] * 5)[0].tolist() == [-1.9 + 0.25] * 3


@pytest.mark.parametrize("margin", [-800.0, -1.0, 0.0, 1.0, 800.0])
def test_a_margin_far_out_is_a_probability_still(margin: float) -> None:
    assert 0.0 <= scoring.sigmoid(margin) <= 1.0
    assert scoring.sigmoid(margin) + scoring.sigmoid(-margin) == pytest.approx(1.0)


CAPS = [None, Cap(Decimal("0.24"), CapAction.REFUSE), Cap(Decimal("0.16"), CapAction.CLAMP), Cap(Decimal("0.12"), CapAction.WARN)]


def with_fees() -> Package:
    made = risk_made.documents()
    for row, fee in zip(made["prices.json"]["standard"], ("0", "0.01", "0.02"), strict=True):
        row["fee_rate"] = fee
    return risk_made.parsed(made)


@pytest.mark.parametrize("cap", CAPS, ids=str)
@pytest.mark.parametrize("package", [SHIPPED, LARGE, with_fees(), EXACT.package], ids=["shipped", "forest", "fees", "woe"])
def test_many_decisions_are_those_of_one_by_one(package: Package, cap: Cap | None) -> None:
    decider, dice = Decider(package), Random(11)
    known = [risk_made.facts(dice) for _ in range(250)]
    settings = [("cash", "standard", ()), ("rent", "careful", ()), ("3c", "standard", ("taobao",)), ("beauty", "standard", ("zhima_score", "jd"))]
    for scene, table, failed in settings:
        setting = Setting(scene, table, cap, failed)
        made = many.decide_all(decider, known, setting)
        one_by_one = [decider.decide(Question(facts=decider.complete(each), scene=scene, table=table, cap=cap, failed=failed)) for each in known]
        assert repr(list(made)) == repr(one_by_one)
        assert made.reasons() == [each.reasons for each in one_by_one]
        assert [many.OUTCOMES[each] for each in made.outcomes] == [each.outcome for each in one_by_one]


def test_questions_of_different_settings_keep_their_order() -> None:
    decider, dice = Decider(SHIPPED), Random(3)
    questions = []
    for _ in range(300):
        scene, table, cap = dice.choice(SHIPPED.router.scenes), dice.choice(("standard", "careful")), dice.choice(CAPS)
        questions.append(Question(facts=decider.complete(risk_made.facts(dice)), scene=scene, table=table, cap=cap))
    assert repr(many.decide_many(decider, questions)) == repr([decider.decide(each) for each in questions])
    assert many.decide_many(decider, []) == []


def test_what_a_failed_source_does_never_is_a_pass_in_silence() -> None:
    decider = Decider(SHIPPED)
    facts = decider.complete({"age": 34, "zhima_score": 780, "pboc_record": "good"})
    fine = decider.decide(Question(facts=facts, scene="cash", table="standard"))
    assert (fine.outcome, fine.offer.flow if fine.offer else None) == (Outcome.PASS, "fast")
    failed = decider.decide(Question(facts=facts, scene="cash", table="standard", failed=("zhima_score",)))
    assert (failed.outcome, failed.reasons[0], failed.failed_sources) == (Outcome.REVIEW, "source_failed", ("zhima_score",))
    slower = decider.decide(Question(facts=facts, scene="cash", table="standard", failed=("taobao",)))
    assert slower.offer is not None
    assert (slower.outcome, slower.offer.flow, slower.missing_evidence) == (Outcome.REVIEW, "extended", ("taobao", "jd"))
    known = decider.complete({"age": 34, "zhima_score": 780, "pboc_record": "good", "taobao": 300_000, "jd": 120_000})
    declared = decider.decide(Question(facts=known, scene="cash", table="standard", failed=("taobao",)))
    assert declared.offer is not None
    assert (declared.outcome, declared.offer.flow, declared.reasons[0]) == (Outcome.PASS, "extended", "source_failed")


def test_the_model_speaks_where_it_decides() -> None:
    decider = Decider(SHIPPED)
    facts = decider.complete({"age": 20, "zhima_score": 560, "pboc_record": "none", "taobao": 100_000, "jd": 0, "other_debt_fen": 15_000_000})
    made = decider.decide(Question(facts=facts, scene="beauty", table="standard"))
    assert made.estimate is not None
    assert made.outcome is Outcome.REJECT
    forest = decider.forests["main"]
    heaviest = forest.heaviest(made.estimate.contributions)
    assert heaviest is not None
    assert made.reasons[0] in ("combined_reject", "score_too_low")
    assert concluding.reasons(("combined_reject", concluding.MODEL), forest.of.features[heaviest].reason, ())[1] in SHIPPED.reasons
