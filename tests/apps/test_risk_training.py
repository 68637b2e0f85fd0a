"""Training: what is refused and how it is named, bins, the regression, the trees, honest estimates, and packages that serve what was trained."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reference_apps.risk import commands
from reference_apps.risk.deciding import scoring, trees
from reference_apps.risk.deciding.decider import Decider
from reference_apps.risk.deciding.trees import Forest
from reference_apps.risk.measures import ranking
from reference_apps.risk.measures.drift import Frozen
from reference_apps.risk.model import Outcome, Question
from reference_apps.risk.monitoring import gathering, judging
from reference_apps.risk.monitoring.model import Case
from reference_apps.risk.packages import monotone, reading, scoringforms, writing
from reference_apps.risk.packages.model import Package, Type
from reference_apps.risk.training import binning, boosting, evaluation, exporting, logistic, mapping, pipeline, pricing, proof, scorecards, table
from reference_apps.risk.training.faults import BadTraining
from reference_apps.risk.training.mapping import ScalingForm, VariableForm
from reference_apps.risk.training.pipeline import Trained
from reference_apps.risk.training.table import Table
from tests.apps import risk_tables

INCOME, JOB = {"name": "income"}, {"name": "job", "type": "text"}
ABC = {"name": "job", "type": "text", "values": ["a", "b", "c"]}
DICE = np.random.Generator(np.random.PCG64(3))
LINES = [f"{at % 37},{'abc'[at % 3]},{int(at % 4 == 0)}" for at in range(400)]


def good_lines() -> list[str]:
    return ["income,job,bad", *LINES]


def refusal(lines: list[str], **more: Any) -> str:
    with pytest.raises(BadTraining) as caught:
        risk_tables.of(lines, risk_tables.meaning(*more.pop("variables", (INCOME, JOB)), **more))
    return str(caught.value)


class TestMapping:
    @pytest.mark.parametrize(
        "change, said",
        [
            ({"name": "No Name"}, "mapping name"),
            ({"variables": []}, "mapping variables"),
            ({"variables": [INCOME, INCOME]}, "variable income stands there twice"),
            ({"variables": [{"name": "income", "type": "money"}]}, "variables.0.type"),
            ({"variables": [{"name": "job", "type": "text", "special": [1]}]}, "a text has no special numbers"),
            ({"variables": [{"name": "job", "type": "text", "better": "higher"}]}, "needs its values in order"),
            ({"variables": [{"name": "income", "values": ["a"]}]}, "only a text has values"),
            ({"variables": [INCOME, {"name": "whole", "sum_of": ["wealth"]}]}, "sum_of names wealth"),
            ({"variables": [INCOME, {"name": "outcome", "column": "bad"}]}, "bad is what is to be predicted"),
            ({"label": {"column": "bad", "good": ["0"], "bad": ["0"]}}, "good, bad or dropped, not two of them"),
            ({"folds": 1}, "mapping folds"),
            ({"colour": "red"}, "mapping colour"),
            ({"grades": {"A": 1.5}}, "grades.A"),
        ],
    )
    def test_what_cannot_be_meant_is_refused_by_its_field(self, change: dict[str, Any], said: str) -> None:
        whole = {"name": "small", "label": {"column": "bad"}, "variables": [INCOME]}
        with pytest.raises(BadTraining, match=r"risk-training\.md") as caught:
            mapping.of(whole | change, "mapping")
        assert said in str(caught.value)

    def test_numbers_may_stand_for_label_values(self) -> None:
        meant = risk_tables.meaning(INCOME, label={"column": "class", "good": [1], "bad": [2]})
        assert (meant.label.good, meant.label.bad) == (("1",), ("2",))

    def test_files_that_are_no_mapping(self, tmp_path: Path) -> None:
        with pytest.raises(BadTraining, match="cannot be read"):
            mapping.read(tmp_path / "none.yaml")
        (tmp_path / "broken.yaml").write_text("name: [")
        with pytest.raises(BadTraining, match="no YAML"):
            mapping.read(tmp_path / "broken.yaml")


class TestTable:
    def test_columns_by_variable(self) -> None:
        lines = ["job, x ,bad,why", *(f"{'ab'[at % 2] if at else ''},{at},{int(at % 3 == 0)},?" for at in range(300))]
        meant = risk_tables.meaning({"name": "income", "column": " x "}, JOB)
        found = risk_tables.of(lines, meant)
        assert found.size == 300
        assert found.bads == 100
        assert found.columns["income"][7] == 7.0
        assert found.columns["job"][:3].tolist() == [None, "b", "a"]
        assert found.unused == ("why",)

    def test_a_label_that_is_not_known_yet_is_left_out(self) -> None:
        meant = risk_tables.meaning(INCOME, JOB, label={"column": "bad", "dropped": ["9"]})
        found = risk_tables.of([*good_lines(), "5,a,9", "6,b,9"], meant)
        assert (found.size, found.dropped) == (400, 2)

    def test_sums_are_of_what_is_known(self) -> None:
        columns = {"a": np.array([1.0, np.nan, np.nan]), "b": np.array([2.0, 5.0, np.nan])}
        assert table.total(columns, ("a", "b")).tolist()[:2] == [3.0, 5.0]
        assert np.isnan(table.total(columns, ("a", "b"))[2])

    @pytest.mark.parametrize(
        "lines, more, said",
        [
            (["Income,job,bad", *LINES], {}, "column income: the table has no such column, and variable income needs it (correct the mapping; did you"),
            (["income,job,label", *LINES], {}, "column bad: the table has no such column, and the label needs it"),
            (good_lines(), {"time": {"column": "month", "from": "2027-01"}}, "column month: the table has no such column, and time needs it"),
            (good_lines(), {"excluded": {"id": "a person"}}, "column id: the table has no such column, and excluded needs it"),
            (["income,job,income", *LINES], {}, "column income: it stands twice in the header"),
            ([*good_lines(), "1,a,2"], {}, "column bad: line 402 says '2', which is neither good (0) nor bad (1) (name it in label.good"),
            ([*good_lines(), "much,a,1"], {}, "column income: line 402 has 'much', which is no number (make the variable a text, or name the word in missing)"),
            ([*good_lines(), "inf,a,1"], {}, "column income: line 402 has inf, which is no number"),
            ([*good_lines(), "1.5,a,1"], {"variables": ({"name": "income", "type": "integer"},)}, "line 402 has 1.5, which is no integer"),
            ([*good_lines(), "1,d,1"], {"variables": (ABC,)}, "column job: line 402 has 'd', which is none of its values (add it to the values of job"),
            ([*good_lines(), "1,a"], {}, "line 402: it has 2 fields, the header 3 (correct the line, or file.delimiter in the mapping)"),
            (["income,job,bad"], {}, "table: it has no rows"),
            ([], {}, "table: it has no rows"),
            (good_lines()[:150], {}, "column bad: 149 rows, 111 good and 38 bad (training needs 200 rows with 50 of each"),
            (["income,job,bad", *(f"7,{'ab'[at % 2]},{int(at % 4 == 0)}" for at in range(400))], {}, "column income: it is 7.0 in every row and can tell"),
            (["income,job,bad", *(f"{at},,{int(at % 4 == 0)}" for at in range(400))], {}, "column job: it is empty in every row (exclude it"),
            (["income,job,bad", *(f"{at},a,0" for at in range(400))], {}, "400 good and 0 bad"),
        ],
    )
    def test_what_does_not_fit_is_named_with_its_column_and_remedy(self, lines: list[str], more: dict[str, Any], said: str) -> None:
        assert said in refusal(lines, **more)

    def test_one_wrong_column_does_not_hide_the_others(self) -> None:
        said = refusal(["a,b,c", *LINES])
        assert all(f"column {name}" in said for name in ("income", "job", "bad"))

    def test_files_that_are_no_table(self, tmp_path: Path) -> None:
        with pytest.raises(BadTraining, match="cannot be read"):
            table.read(tmp_path / "none.csv", risk_tables.meaning(INCOME))
        (tmp_path / "latin.csv").write_bytes(b"income,bad\n\xe9,1\n")
        with pytest.raises(BadTraining, match=r"name its encoding in the mapping: file\.encoding"):
            table.read(tmp_path / "latin.csv", risk_tables.meaning(INCOME))


class TestBinning:
    @pytest.fixture
    def noisy(self) -> tuple[np.ndarray, np.ndarray]:
        """A number that speaks for the customer on the whole, with a dent in the middle."""
        dice = np.random.Generator(np.random.PCG64(4))
        value = np.floor(dice.random(6000) * 100)
        return value, (dice.random(6000) < 0.5 - 0.004 * value + 0.25 * ((value > 40) & (value < 60))).astype(float)

    @pytest.mark.parametrize("better, way", [("higher", 1), ("lower", -1)])
    def test_declared_is_monotone(self, noisy: tuple[np.ndarray, np.ndarray], better: str, way: int) -> None:
        value, bad = noisy
        found = binning.fit(VariableForm(name="value", better=better), way * value, bad)
        woes = [way * woe for woe in found.woes[: found.regular]]
        assert woes == sorted(woes)
        assert found.regular > 2

    def test_not_declared_follows_the_dent(self, noisy: tuple[np.ndarray, np.ndarray]) -> None:
        found = binning.fit(VariableForm(name="value"), *noisy)
        woes = list(found.woes[: found.regular])
        assert woes != sorted(woes)

    def test_missing_and_special_values_have_bins_of_their_own(self, noisy: tuple[np.ndarray, np.ndarray]) -> None:
        value, bad = noisy
        value, bad = np.append(value, [-9.0] * 50 + [np.nan] * 40), np.append(bad, [1.0] * 45 + [0.0] * 5 + [1.0] * 10 + [0.0] * 30)
        found = binning.fit(VariableForm(name="value", special=(-9,)), value, bad)
        assert (found.goods[-2:], found.bads[-2:]) == ((5, 30), (45, 10))
        assert min(found.cuts) > 0
        assert sum(found.goods) + sum(found.bads) == 6090

    def test_words_are_grouped_and_ordered_words_keep_their_order(self) -> None:
        words = np.array(["bad", "none", "ordinary", "good"], dtype=object)
        at = DICE.integers(0, 4, 4000)
        bad = (DICE.random(4000) < np.array([0.6, 0.3, 0.31, 0.1])[at]).astype(float)
        ordered = binning.fit(VariableForm(name="record", type="text", better="higher", values=tuple(words)), words[at], bad)
        assert [word for group in ordered.words for word in group] == list(words)
        assert list(ordered.woes[: ordered.regular]) == sorted(ordered.woes[: ordered.regular])
        free = binning.fit(VariableForm(name="record", type="text"), words[at], bad)
        assert {frozenset(group) for group in free.words} >= {frozenset({"bad"}), frozenset({"good"})}

    def test_who_tells_nobody_apart_is_one_bin(self) -> None:
        found = binning.fit(VariableForm(name="value"), np.ones(100), np.array([0.0, 1.0] * 50))
        assert found.cuts == ()
        assert found.information == 0

    @given(
        st.lists(st.floats(-1e6, 1e6), min_size=0, max_size=6, unique=True).map(sorted),
        st.lists(st.none() | st.floats(-1e6, 1e6) | st.just(-9.0), min_size=1, max_size=20),
    )
    def test_serving_finds_the_same_bins(self, cuts: list[float], values: list[float | None]) -> None:
        column = np.array([np.nan if value is None else value for value in (*values, *cuts)])
        size = len(cuts) + 3
        found = binning.Binned(name="x", cuts=tuple(cuts), special=(-9.0,), goods=tuple(range(1, size + 1)), bads=(7,) * size)
        bins = [{"points": at} if at == 0 else {"points": at, "from": cuts[at - 1]} for at in range(len(cuts) + 1)]
        row = {"id": "x", "variable": "x", "missing": {"points": size - 1}, "special": [{"value": -9.0, "points": size - 2}], "bins": bins}
        card = scoringforms.ScorecardForm.model_validate({"kind": "points", "base": 0, "characteristics": [row]}).to_model("x")
        served = scoring.compiled(card, {"x": Type.NUMBER})
        counted = [served.count({"x": value}) for value in (*values, *cuts)]
        assert [each[0].points for each in counted if each] == found.places(column).tolist()


class TestLogistic:
    def test_by_hand(self) -> None:
        """One yes-or-no input: the coefficient is the difference of the log odds of its two groups."""
        inputs = np.array([[0.0]] * 100 + [[1.0]] * 100)
        bad = np.array([1.0] * 20 + [0.0] * 80 + [1.0] * 60 + [0.0] * 40)
        found = logistic.fit(inputs, bad)
        assert found.intercept == pytest.approx(math.log(20 / 80), abs=1e-6)
        assert found.coefficients[0] == pytest.approx(math.log(60 / 40) - math.log(20 / 80), abs=1e-6)
        assert found.errors[0] == pytest.approx(math.sqrt(1 / 20 + 1 / 80 + 1 / 60 + 1 / 40), abs=1e-6)

    def test_equals_another_library(self) -> None:
        linear_model = pytest.importorskip("sklearn.linear_model")
        inputs = DICE.normal(size=(3000, 4))
        bad = (DICE.random(3000) < logistic.probability(inputs @ np.array([1.0, -0.5, 0.0, 0.3]) - 1)).astype(float)
        found, other = logistic.fit(inputs, bad), linear_model.LogisticRegression(C=1e6, tol=1e-10, max_iter=1000).fit(inputs, bad)
        assert found.coefficients == pytest.approx(other.coef_[0], abs=1e-5)
        assert found.log_odds(inputs) == pytest.approx(other.decision_function(inputs), abs=1e-5)

    def test_separated_data_keep_finite_coefficients(self) -> None:
        inputs = np.array([[0.0]] * 60 + [[1.0]] * 60)
        found = logistic.fit(inputs, inputs[:, 0])
        assert np.isfinite(found.coefficients).all()
        assert found.coefficients[0] > 10

    def test_inputs_that_say_the_same_are_refused_or_share(self) -> None:
        one = DICE.normal(size=500)
        bad = (DICE.random(500) < logistic.probability(one)).astype(float)
        found = logistic.fit(np.column_stack([one, one]), bad)
        assert found.coefficients[0] == pytest.approx(found.coefficients[1])

    @given(st.floats(-800, 800))
    def test_probabilities_never_overflow(self, margin: float) -> None:
        assert logistic.probability(np.array([margin]))[0] == pytest.approx(scoring.sigmoid(margin), rel=1e-12, abs=1e-300)


class TestScorecard:
    def test_scale(self) -> None:
        scaling = ScalingForm()
        assert scorecards.factor(scaling) == pytest.approx(28.8539, abs=1e-4)
        assert scorecards.offset(scaling) == pytest.approx(487.1229, abs=1e-4)
        assert [round(scorecards.score_at(scaling, 1 / (1 + odds)), 6) for odds in (50, 100, 25)] == [600, 620, 580]

    def test_noise_is_left_out_and_coefficients_count_for_the_evidence(self) -> None:
        signal, noise = DICE.normal(size=4000), DICE.normal(size=4000)
        bad = (DICE.random(4000) < logistic.probability(-signal - 1)).astype(float)
        learnt = risk_tables.made({"signal": signal, "echo": signal + 0.3 * DICE.normal(size=4000), "noise": noise}, bad)
        found = scorecards.fit(learnt, risk_tables.meaning({"name": "signal", "better": "higher"}, {"name": "echo"}, {"name": "noise"}))
        assert found.left_out["noise"] == "information value below .02"
        assert "signal" in [each.name for each in found.bins]
        assert (found.logistic.coefficients < 0).all()
        assert ranking.auc(found.log_odds(learnt), bad) > 0.7

    def test_nothing_but_noise_is_refused(self) -> None:
        learnt = risk_tables.made({"noise": DICE.normal(size=12_000)}, DICE.random(12_000) < 0.3)
        with pytest.raises(BadTraining, match=r"no variable has an information value of \.02"):
            scorecards.fit(learnt, risk_tables.meaning({"name": "noise"}))


class TestEvaluation:
    @given(st.integers(2, 10), st.integers(0, 2**31 - 1), st.integers(20, 60), st.integers(20, 60))
    def test_folds_share_goods_and_bads(self, folds: int, seed: int, goods: int, bads: int) -> None:
        bad = np.array([0.0] * goods + [1.0] * bads)
        found = evaluation.stratified(bad, folds, seed)
        assert sorted(np.concatenate(found).tolist()) == list(range(bad.size))
        assert max(bad[fold].sum() for fold in found) - min(bad[fold].sum() for fold in found) <= 1
        assert all(np.array_equal(one, other) for one, other in zip(found, evaluation.stratified(bad, folds, seed), strict=True))

    def test_no_row_is_estimated_by_a_fit_that_saw_it(self) -> None:
        whole = risk_tables.made({"number": np.arange(100.0)}, [0.0, 1.0] * 50)

        def estimator(seen: Table) -> dict[str, Any]:
            known = set(seen.columns["number"].tolist())
            return {"memory": lambda other: np.array([float(number in known) for number in other.columns["number"].tolist()])}

        found = evaluation.by_folds(whole, 5, 1, estimator)
        assert found.log_odds["memory"].sum() == 0

    def test_time_parts_rows(self) -> None:
        learnt, meant = risk_tables.population(3000)
        before, later = evaluation.in_time(learnt, meant)
        assert learnt.time is not None
        assert max(learnt.time[before]) == "2026-06"
        assert min(learnt.time[later]) == "2026-07"
        assert before.size + later.size == 3000

    def test_a_side_without_enough_is_refused(self) -> None:
        learnt, meant = risk_tables.population(3000)
        late = meant.model_copy(update={"time": mapping.TimeForm.model_validate({"column": "vintage", "from": "2027-05"})})
        with pytest.raises(BadTraining, match=r"column vintage: 0 good and 0 bad rows from 2027-05; it goes from 2025-01 to 2026-12"):
            evaluation.in_time(learnt, late)


def mixed(n: int, seed: int = 0) -> Table:
    """Numbers with and without missing values, unordered and ordered words."""
    dice = np.random.Generator(np.random.PCG64(seed))
    whole, holed = dice.normal(size=n), np.where(dice.random(n) < 0.2, np.nan, dice.normal(size=n))
    town = np.array([*"abcdefghijkl"], dtype=object)[dice.integers(0, 12, n)]
    grade = np.array(["low", "mid", "high"], dtype=object)[dice.integers(0, 3, n)]
    town[dice.random(n) < 0.1] = None
    z = whole - np.nan_to_num(holed, nan=0.7) + np.isin(town, ["a", "d", "k"]) - (grade == "high") - 1
    return risk_tables.made({"whole": whole, "holed": holed, "town": town, "grade": grade}, dice.random(n) < logistic.probability(z.astype(float)))


MIXED = risk_tables.meaning(
    {"name": "whole"}, {"name": "holed", "better": "higher"}, {"name": "town", "type": "text"},
    {"name": "grade", "type": "text", "better": "higher", "values": ["low", "mid", "high"]}, folds=2,
)  # fmt: skip


@pytest.fixture(scope="module")
def of_mixed() -> Trained:
    risk_tables.needs_library()
    return pipeline.train(mixed(1000), MIXED, None, lambda text: None)


@pytest.fixture(scope="module")
def fitted() -> pipeline.Fit:
    risk_tables.needs_library()
    return pipeline.fit(mixed(1000), MIXED)


@pytest.fixture(scope="module")
def forest(fitted: pipeline.Fit) -> Forest:
    """The trees as serving compiles them."""
    return trees.compiled(scoringforms.ModelForm.model_validate(exporting.model(fitted.boosted)).to_model("main"))


@pytest.fixture(scope="module")
def of_population() -> tuple[Trained, list[str]]:
    risk_tables.needs_library()
    said: list[str] = []
    learnt, meant = risk_tables.population(6000)
    return pipeline.train(learnt, meant, reading.read(), said.append), said


class TestTrees:
    @settings(max_examples=100, deadline=None)
    @given(
        st.lists(
            st.fixed_dictionaries(
                {
                    "whole": st.none() | st.floats(-5, 5) | st.sampled_from([0.0, -0.0, 1e300, -1e300]),
                    "holed": st.none() | st.floats(-5, 5),
                    "town": st.none() | st.sampled_from([*"abcdefghijkl", "new", ""]),
                    "grade": st.sampled_from([None, "low", "mid", "high"]),
                }
            ),
            min_size=1,
            max_size=30,
        )
    )
    def test_served_equals_trained_whatever_is_asked(self, fitted: pipeline.Fit, forest: Forest, rows: list[dict[str, Any]]) -> None:
        """Missing where training never was, words never seen, both zeros, far outside: the margin is LightGBM's, to the last bit."""
        numbers = {name: np.array([np.nan if row[name] is None else row[name] for row in rows], dtype=float) for name in ("whole", "holed")}
        words = {name: np.array([row[name] for row in rows], dtype=object) for name in ("town", "grade")}
        asked = risk_tables.made(numbers | words, np.zeros(len(rows)))
        assert [forest.estimate(row).margin for row in rows] == fitted.boosted.log_odds(asked).tolist()

    def test_all_kinds_of_splits_are_there(self, fitted: pipeline.Fit) -> None:
        grown = boosting.trees(fitted.boosted)
        assert any("codes" in tree for tree in grown)
        assert {feature for tree in grown for feature in tree["feature"]} == {-1, 0, 1, 2, 3}
        assert any(any(tree["missing_left"]) for tree in grown)

    def test_another_seed_gives_other_trees(self, fitted: pipeline.Fit) -> None:
        assert boosting.trees(boosting.fit(mixed(1000), MIXED, seed=6)) != boosting.trees(fitted.boosted)

    def test_what_is_declared_monotone_is(self, forest: Forest) -> None:
        assert [each.name for each in forest.of.features if each.monotone] == ["holed", "grade"]
        assert monotone.first_unsteady(forest.of, 1) is None
        assert monotone.first_unsteady(forest.of, 3) is None

    def test_a_node_has_the_mean_of_what_lies_below_it(self, fitted: pipeline.Fit) -> None:
        root = fitted.boosted.booster.dump_model()["tree_info"][0]["tree_structure"]
        leaves: list[tuple[float, int]] = []

        def walk(node: dict[str, Any]) -> None:
            if "split_feature" in node:
                walk(node["left_child"])
                walk(node["right_child"])
            else:
                leaves.append((node["leaf_value"], node["leaf_count"]))

        walk(root)
        mean = sum(value * count for value, count in leaves) / sum(count for _, count in leaves)
        assert boosting.trees(fitted.boosted)[0]["value"][0] == pytest.approx(mean)


def files(trained: Trained) -> dict[str, bytes]:
    return {name: writing.encoded(each) for name, each in trained.documents.items()}


def limits(package: Package) -> dict[str, list[int]]:
    return {name: [row.limit_fen for row in rows] for name, rows in package.prices.items()}


class TestPackage:
    def test_the_same_table_gives_the_same_bytes(self, of_mixed: Trained) -> None:
        again = pipeline.train(mixed(1000), MIXED, None, lambda text: None)
        assert files(again) == files(of_mixed)

    def test_it_decides(self, of_mixed: Trained, tmp_path: Path) -> None:
        package = writing.write(tmp_path / "package", of_mixed.documents)
        decider = Decider(package)
        best = {"whole": -2.0, "holed": 2.0, "town": "b", "grade": "high"}
        worst = {"whole": 2.0, "holed": -2.0, "town": "a", "grade": "low"}
        decided = [decider.decide(Question(facts=decider.complete(facts), scene="all", table="standard")) for facts in (best, worst)]
        assert [each.outcome for each in decided] == [Outcome.PASS, Outcome.REJECT]
        assert decided[0].offer is not None
        assert decided[0].offer.grade == "A"

    def test_a_score_is_the_sum_of_its_points_and_says_what_was_trained(self, of_mixed: Trained, fitted: pipeline.Fit) -> None:
        package = reading.parse(files(of_mixed), "here")
        other = mixed(300, seed=9)
        found = proof.prove(package, other, fitted.log_odds(other), MIXED)
        assert found.margin == 0
        assert found.probability <= 1e-12
        assert found.points <= 1e-9

    def test_a_package_that_says_something_else_is_refused(self, of_mixed: Trained, fitted: pipeline.Fit) -> None:
        changed = json.loads(json.dumps(dict(of_mixed.documents)))
        changed["models/main.json"]["trees"][0]["value"] = [value + 1e-9 for value in changed["models/main.json"]["trees"][0]["value"]]
        package = reading.parse({name: writing.encoded(each) for name, each in changed.items()}, "here")
        with pytest.raises(BadTraining, match="does not serve what was trained"):
            proof.prove(package, mixed(300), fitted.log_odds(mixed(300)), MIXED)

    def test_whole_points(self, fitted: pipeline.Fit) -> None:
        meant = MIXED.model_copy(update={"rounding": "whole"})
        made = exporting.documents(fitted.scorecard, fitted.boosted, meant, 0.3, None)
        package = reading.parse({name: writing.encoded(each) for name, each in made.items()}, "here")
        found = proof.prove(package, fitted.learnt, fitted.log_odds(fitted.learnt), meant)
        assert package.scorecards["main"].is_integer
        assert 0 < found.points <= 0.5 * len(package.scorecards["main"].characteristics)

    def test_the_base_keeps_its_rules_and_gets_new_scores(self, of_population: tuple[Trained, list[str]]) -> None:
        trained, said = of_population
        package = reading.parse(files(trained), "here")
        base = reading.read()
        assert [each.name for each in package.tables] == [each.name for each in base.tables]
        assert package.lists == base.lists
        assert limits(package) == limits(base)
        assert package.prices["standard"][0].min_score == round(scorecards.score_at(ScalingForm(), 0.02), 2)
        assert package.prices["careful"][0].min_score == round(scorecards.score_at(ScalingForm(), 0.015), 2)
        assert all(route.scorecard == route.model == "main" for route in package.router.routes)
        assert any(text.startswith("served equals trained on 2,000 rows") for text in said)

    def test_it_is_better_than_chance_where_it_never_looked(self, of_population: tuple[Trained, list[str]]) -> None:
        for figures in of_population[0].card["metrics"].values():
            assert figures["auc"]["value"] > 0.70
            assert figures["auc"]["low"] < figures["auc"]["value"] < figures["auc"]["high"]

    def test_the_card_says_what_to_know(self, of_population: tuple[Trained, list[str]]) -> None:
        card, text = of_population[0].card, of_population[0].documents[pipeline.TEXT]
        assert card["data"]["times"] == {"from": "2025-01", "to": "2026-06"}
        assert card["evaluation"]["how"].startswith("out of time: rows of vintage from 2026-07 on")
        assert {each["name"] for each in card["features"]} >= {"zhima_score", "pboc_record", "shopping_spend_12m_fen"}
        assert any("no reject inference" in limit for limit in card["limits"])
        assert "| Gradient-boosted trees |" in text
        assert "customer_id: names a person" in text

    def test_training_is_frozen_for_monitoring(self, of_population: tuple[Trained, list[str]]) -> None:
        reference = of_population[0].documents[pipeline.REFERENCE]
        overall = reference["groups"][0]
        assert (overall["scene"], overall["segment"]) == ("*", "*")
        assert sum(Frozen.of(overall["score"]).shares) == pytest.approx(1)
        assert set(overall["variables"]) == {each["name"] for each in of_population[0].card["features"]}
        assert {row["verdict"] for row in of_population[0].documents[pipeline.EVALUATION]["drift"]} <= {"stable", "watch", "too few"}


    def test_what_it_decides_is_compared_with_what_it_learnt_from(self, of_population: tuple[Trained, list[str]]) -> None:
        """The same kind of customers: stable. Customers whose Zhima score fell by two hundred: the models have drifted, and the variable says why."""
        package = reading.parse(files(of_population[0]), "here")
        trained = gathering.reference(package)
        usual, fallen = (judging.report(decided(package, less), {package.hash: trained}, {}).rows[:2] for less in (0, 200))
        assert [(row.model, row.scene, row.n, row.verdict) for row in usual] == [("scorecard", "*", 1200, "stable"), ("gbdt", "*", 1200, "stable")]
        assert [row.verdict for row in fallen] == ["act", "act"]
        assert fallen[0].shifts[0].variable == "zhima_score"


def decided(package: Package, less: int) -> list[Case]:
    """What a package decides on 1,200 customers that it never saw, with so much less of a Zhima score."""
    learnt, meant = risk_tables.population(1200, seed=99)
    decider, cases = Decider(package), []
    for at, known in enumerate(proof.facts_of(learnt, meant, np.arange(1200))):
        facts = known | {"zhima_score": max(350, known["zhima_score"] - less) if known["zhima_score"] else None}
        made = decider.decide(Question(facts=decider.complete(facts), scene="cash", table="standard"))
        same = {"package": package.hash, "role": "champion", "scene": "cash", "segment": made.segment or "", "outcome": str(made.outcome)}
        bad = made.estimate.probability if made.estimate else None
        cases.append(Case(application_id=f"a{at}", score=made.score, probability=bad, facts=facts, **same))
    return cases


class TestPricing:
    def test_grades_become_scores(self) -> None:
        meant = risk_tables.meaning(INCOME)
        rows = pricing.plain_tables(meant, 0.08)["standard"]
        assert [row["min_score"] for row in rows] == [round(scorecards.score_at(ScalingForm(), bad), 2) for bad in (0.04, 0.08, 0.16)]

    def test_a_grade_that_no_table_has_is_refused(self) -> None:
        with pytest.raises(BadTraining, match=r"grades\.Z: no price table of the base has it \(use A, standard\.A\)"):
            pricing.rescaled({"standard": [{"grade": "A"}]}, risk_tables.meaning(INCOME, grades={"Z": 0.1}), 0.1)

    def test_the_model_only_makes_it_stricter(self) -> None:
        made = pricing.combination(pricing.plain_tables(risk_tables.meaning(INCOME), 0.08)["standard"], ScalingForm())
        assert made["bad_from"] == pytest.approx([0.04, 0.08, 0.16], abs=1e-4)
        assert made["cells"][0][1:] == ["reject"] * 3
        assert [cell["flow"] for cell in made["cells"][3][:3]] == ["fast", "normal", "extended"]
        assert made["cells"][1][3] == "reject"
        assert made["cells"][3][3] == {"outcome": "review", "flow": "extended"}


class TestCommands:
    def test_from_a_file_to_a_package(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        risk_tables.needs_library()
        columns = mixed(800)
        rows = zip(*(columns.columns[name].tolist() for name in ("whole", "holed", "town", "grade")), columns.bad.tolist(), strict=True)
        lines = [";".join("" if value is None or value != value else str(value) for value in row) for row in rows]
        (tmp_path / "table.csv").write_text("whole;holed;town;grade;bad\n" + "\n".join(lines) + "\n")
        text = MIXED.model_copy(update={"file": mapping.FileForm(delimiter=";"), "label": mapping.LabelForm(column="bad", good=("0.0",), bad=("1.0",))})
        (tmp_path / "mapping.yaml").write_text(json.dumps(text.model_dump(mode="json", by_alias=True)))
        out = tmp_path / "package"
        asked = ["train", "--data", str(tmp_path / "table.csv"), "--mapping", str(tmp_path / "mapping.yaml"), "--out", str(out)]
        assert commands.run(asked) == 0
        assert "served equals trained" in capsys.readouterr().out
        assert commands.run(["check", str(out)]) == 0
        assert (out / "docs" / "card.md").read_text().startswith("# Model card: small 1")
        assert commands.run(asked) == 3
        assert "is there already" in capsys.readouterr().out

    @pytest.mark.parametrize(
        "arguments, said",
        [
            (["--data", "none.csv"], "--mapping: it is missing"),
            (["--data", "none.csv", "--mapping", "none.yaml"], "none.yaml: the mapping cannot be read"),
            (["--population", "100"], "column bad: 100 rows"),
            (["--population", "-5"], "--population: a population has n and seed from 0 on"),
        ],
    )
    def test_what_cannot_be_learnt_is_refused(self, tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str) -> None:
        assert commands.run(["train", *arguments, "--out", str(tmp_path / "out")]) == 3
        told = capsys.readouterr().out
        assert said in told
        assert "nothing was trained" in told
        assert not (tmp_path / "out").exists()

    def test_the_population_as_a_file(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert commands.run(["population", "250", "--seed", "4", "--out", str(tmp_path / "people.csv")]) == 0
        assert "250 customers" in capsys.readouterr().out
        assert commands.run(["population", "250", "--seed", "4"]) == 0
        assert capsys.readouterr().out == (tmp_path / "people.csv").read_text()
        assert commands.run(["population", "-1"]) == 3


def judged(whole: Table, meant: mapping.Mapping, model: str) -> tuple[float, float]:
    estimates = pipeline.estimated(whole, meant)
    return ranking.auc(estimates.log_odds[model], whole.bad), ranking.ks(estimates.log_odds[model], whole.bad)


class TestRealData:
    def test_german_scorecard_by_ten_folds(self) -> None:
        whole, meant = risk_tables.german()
        found = evaluation.by_folds(whole, meant.folds, meant.seed, lambda part: {"scorecard": scorecards.fit(part, meant).log_odds})
        assert (whole.size, whole.bads) == (1000, 300)
        assert ranking.auc(found.log_odds["scorecard"], whole.bad) >= 0.77
        assert ranking.ks(found.log_odds["scorecard"], whole.bad) >= 0.43

    def test_taiwan_trees_on_a_third(self) -> None:
        risk_tables.needs_library()
        whole, meant = risk_tables.taiwan()
        third = whole.part(evaluation.stratified(whole.bad, 3, 1)[0])
        found = evaluation.by_folds(third, 2, meant.seed, lambda part: {"gbdt": boosting.fit(part, meant, seed=1).log_odds})
        assert ranking.auc(found.log_odds["gbdt"], third.bad) >= 0.76
        assert ranking.ks(found.log_odds["gbdt"], third.bad) >= 0.40

    @pytest.mark.nightly
    @pytest.mark.timeout(600)
    def test_german_trees_by_ten_folds(self) -> None:
        risk_tables.needs_library()
        auc, ks = judged(*risk_tables.german(), "gbdt")
        assert auc >= 0.77
        assert ks >= 0.43

    @pytest.mark.nightly
    @pytest.mark.timeout(900)
    def test_taiwan_by_five_folds(self) -> None:
        risk_tables.needs_library()
        auc, ks = judged(*risk_tables.taiwan(), "gbdt")
        assert auc >= 0.775
        assert ks >= 0.42
