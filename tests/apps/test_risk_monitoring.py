"""Monitoring: rows by model, scene and segment over the decision log, minimum counts, outcomes, and the event of a model that has drifted."""

import asyncio
import functools
import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import prometheus_client
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctl.kit import health
from ctl.kit.problem import Problem
from reference_apps.risk import commands
from reference_apps.risk.deciding.decider import Decider
from reference_apps.risk.desk import InForce
from reference_apps.risk.keeping.log import DecisionLog, Entry, Shadow
from reference_apps.risk.measures import drift
from reference_apps.risk.monitoring import apart, finding, gathering, judging, views
from reference_apps.risk.monitoring import web as monitoring
from reference_apps.risk.monitoring.finding import Carried
from reference_apps.risk.monitoring.model import Case, Known, Reference, Report
from reference_apps.risk.monitoring.watching import Pace, Watch
from reference_apps.risk.packages import reading, writing
from reference_apps.risk.packages.model import Package, Scaling
from reference_apps.risk.packages.shelf import Shelf
from tests.apps.conftest import ask_asgi
from tests.apps.risk_desk import MIKE, app, on_desk

DICE = np.random.Generator(np.random.PCG64(8))
TRAINED = DICE.normal(600, 40, 20_000)
AGES = DICE.integers(18, 60, 20_000).astype(float)
TOWNS = np.array(["east", "north"], dtype=object)[DICE.integers(0, 2, 20_000)]
ALL = ("*", "*")
CASH = ("cash", "thin")


def bad_of(scores: np.ndarray) -> np.ndarray:
    """p(bad) on the scale of 600 at 50:1, 20 points to double the odds."""
    return 1 / (1 + 50 * 2 ** ((scores - 600) / 20))


@functools.cache
def reference() -> Reference:
    variables = {"age": drift.frozen_numbers(AGES), "town": drift.frozen_words(TOWNS.tolist())}
    scores, bads = drift.frozen_numbers(TRAINED), drift.frozen_numbers(bad_of(TRAINED))
    scaling = Scaling(pdo=20, base_score=600, base_odds=50)
    return Reference(scaling=scaling, scores={ALL: scores, CASH: scores}, probabilities={ALL: bads}, variables={ALL: variables})


def cases(n: int, moved: float = 0.0, **more: Any) -> list[Case]:
    dice = np.random.Generator(np.random.PCG64(9))
    scores = dice.normal(600 + moved, 40, n)
    same = {"package": "P", "role": "champion", "scene": "cash", "segment": "thin", "outcome": "pass"} | more
    ages, towns = dice.integers(18, 60, n).tolist(), np.array(["east", "north"])[dice.integers(0, 2, n)].tolist()
    return [
        Case(application_id=f"a{at}", score=float(scores[at]), probability=float(bad_of(scores[at])), facts={"age": ages[at], "town": towns[at]}, **same)
        for at in range(n)
    ]


def report(given: list[Case], known: dict[str, Known] | None = None, trained: Reference | None = None) -> Report:
    return judging.report(given, {"P": trained or reference()}, known or {})


def rows(found: Report) -> dict[tuple[str, str, str], Any]:
    return {(row.model, row.scene, row.segment): row for row in found.rows}


class TestRows:
    def test_one_row_by_model_scene_and_segment_and_one_overall(self) -> None:
        found = report([*cases(1200), *cases(300, scene="rent", segment="thick")])
        assert [row.place for row in found.rows] == [
            ("champion", model, *place) for place in (ALL, CASH, ("rent", "thick")) for model in ("scorecard", "gbdt")
        ]
        assert {place[1:]: row.n for place, row in rows(found).items() if place[0] == "gbdt"} == {ALL: 1500, CASH: 1200, ("rent", "thick"): 300}
        assert found.decisions == 1500

    @pytest.mark.parametrize("moved, verdict", [(0.0, "stable"), (16.0, "watch"), (40.0, "act")])
    def test_the_verdict_follows_the_shift(self, moved: float, verdict: str) -> None:
        row = rows(report(cases(3000, moved)))["scorecard", "*", "*"]
        assert (row.verdict, row.verdict == drift.verdict(row.psi, 3000)) == (verdict, True)

    def test_below_a_thousand_nothing_is_said_however_far_it_moved(self) -> None:
        found = report(cases(999, 200.0))
        assert {row.verdict for row in found.rows if row.psi is not None} == {"too few"}
        assert found.drifted == ()
        assert len(report(cases(1000, 200.0)).drifted) == 3

    def test_where_training_is_not_known_there_is_no_psi(self) -> None:
        found = rows(report(cases(2000, scene="rent")))
        assert (found["scorecard", "rent", "thin"].psi, found["scorecard", "rent", "thin"].verdict) == (None, "not known")
        assert found["scorecard", "*", "*"].psi is not None
        assert judging.report(cases(2000), {"P": None}, {}).drifted == ()

    def test_variables_are_compared_too(self) -> None:
        older = [Case(**{**_fields(case), "facts": {"age": 75, "town": case.facts["town"]}}) for case in cases(2000)]
        shifts = {each.variable: each for each in rows(report(older))["gbdt", "*", "*"].shifts}
        assert (shifts["age"].verdict, shifts["town"].verdict) == ("act", "stable")
        assert next(iter(rows(report(older))["gbdt", "*", "*"].shifts)).variable == "age"

    def test_values_of_another_kind_count_as_missing(self) -> None:
        strange = [Case(**{**_fields(case), "facts": {"age": "old", "town": 7}}) for case in cases(1500)]
        assert {each.verdict for each in rows(report(strange))["gbdt", "*", "*"].shifts} == {"act"}

    def test_a_wheel_that_said_nothing_has_no_row(self) -> None:
        silent = [Case(**{**_fields(case), "probability": None}) for case in cases(1500)]
        assert {row.model for row in report(silent).rows} == {"scorecard"}
        assert report([]).rows == ()

    def test_approval_rate_is_of_all_decisions_of_the_group(self) -> None:
        found = rows(report([*cases(30), *cases(70, outcome="reject"), *cases(50, scene="rent"), *cases(50, scene="rent", outcome="review")]))
        for model in ("scorecard", "gbdt"):
            rates = {place: found[model, *place].approval_rate for place in (ALL, CASH, ("rent", "thin"))}
            assert rates == {ALL: 0.4, CASH: 0.3, ("rent", "thin"): 0.5}

    def test_csi_is_psi_over_the_bins_of_training_for_every_variable(self) -> None:
        given = [Case(**{**_fields(case), "facts": {"age": 20 + at % 30, "town": None if at % 5 == 0 else "east"}}) for at, case in enumerate(cases(1500))]
        shifts = {each.variable: each for each in rows(report(given))["scorecard", "*", "*"].shifts}
        age, town = reference().variables[ALL]["age"], reference().variables[ALL]["town"]
        ages = [sum(1 for at in range(1500) if _bin(age.edges, 20 + at % 30) == place) / 1500 for place in range(len(age.edges) + 1)]
        assert shifts["age"].value == pytest.approx(drift.psi(age.shares, (*ages, 0.0)))
        east = {word: 0.8 * (word == "east") for word in town.words}
        assert shifts["town"].value == pytest.approx(drift.psi(town.shares, (*east.values(), 0.0, 0.2)))
        assert (shifts["age"].verdict, shifts["town"].verdict) == (drift.verdict(shifts["age"].value, 1500), "act")

    @given(st.lists(st.sampled_from(["cash", "rent"]), max_size=40), st.lists(st.sampled_from(["thin", "thick"]), max_size=40))
    def test_every_decision_is_counted_once_overall_and_once_in_its_place(self, scenes: list[str], segments: list[str]) -> None:
        places = list(zip(scenes, segments, strict=False))
        given = [Case(**{**_fields(each), "scene": scene, "segment": segment}) for each, (scene, segment) in zip(cases(len(places)), places, strict=True)]
        found = [row for row in report(given).rows if row.model == "scorecard"]
        assert sum(row.n for row in found if row.scene != "*") == sum(row.n for row in found if row.scene == "*") == len(places)


def _bin(edges: tuple[float, ...], value: float) -> int:
    return sum(value >= edge for edge in edges)


def _ks(risk: np.ndarray, bad: np.ndarray) -> float:
    """The largest distance between the shares of bad and of good loans at or above a risk, by looking at every one."""
    cuts = np.unique(risk)[:, None]
    return float(np.abs((risk[bad] >= cuts).mean(axis=1) - (risk[~bad] >= cuts).mean(axis=1)).max())


def _auc(risk: np.ndarray, bad: np.ndarray) -> float:
    """How often a bad loan has the higher risk than a good one, by comparing every pair; ties are half."""
    above, same = (compare(risk[bad][:, None], risk[~bad][None, :]).mean() for compare in (np.greater, np.equal))
    return float(above + same / 2)


def _fields(case: Case) -> dict[str, Any]:
    return {name: getattr(case, name) for name in Case.__dataclass_fields__}


class TestOutcomes:
    @pytest.fixture
    def known(self) -> dict[str, Known]:
        """Loans that became bad as often as their score said."""
        dice = np.random.Generator(np.random.PCG64(10))
        given = cases(6000)
        return {case.application_id: Known("2027-01", 45 if dice.random() < (case.probability or 0) else 0) for case in given}

    def test_ranking_and_calibration_where_outcomes_are_known(self, known: dict[str, Known]) -> None:
        found = rows(report(cases(6000), known))
        score, trees = found["scorecard", "*", "*"].quality, found["gbdt", "*", "*"].quality
        assert score.known == 6000
        assert score.auc == pytest.approx(trees.auc)
        assert score.auc is not None
        assert score.auc > 0.75
        assert score.calibration_error == pytest.approx(trees.calibration_error)
        assert score.calibration_error is not None
        assert score.calibration_error < 0.01

    def test_every_model_segment_and_scene_is_judged_by_its_own_loans(self, known: dict[str, Known]) -> None:
        other = [Case(**{**_fields(case), "scene": "rent", "segment": "thick", "application_id": f"b{case.application_id}"}) for case in cases(1000, 10.0)]
        known |= {f"b{name}": Known("2027-02", 0 if each.days_past_due else 45) for name, each in known.items()}
        found = rows(report([*cases(1200), *other], known))
        assert set(found) == {(model, *place) for model in ("scorecard", "gbdt") for place in (ALL, CASH, ("rent", "thick"))}
        for (model, scene, segment), row in found.items():
            mine = [case for case in [*cases(1200), *other] if (scene, segment) in (ALL, (case.scene, case.segment))]
            bad = np.array([known[case.application_id].days_past_due >= 30 for case in mine])
            risk = np.array([-case.score if model == "scorecard" else case.probability for case in mine])  # type: ignore[operator]
            assert (row.quality.known, row.quality.bads) == (len(mine), bad.sum())
            assert row.quality.ks == pytest.approx(_ks(risk, bad)), (model, scene, segment)
            assert row.quality.auc == pytest.approx(_auc(risk, bad)), (model, scene, segment)
            assert sum(each["n"] for each in row.quality.calibration) == len(mine)
        assert (found["scorecard", *CASH].quality.auc or 0) > 0.75
        assert (found["scorecard", "rent", "thick"].quality.auc or 1) < 0.25, "there, the better score is the worse loan"
        assert (found["gbdt", *CASH].quality.calibration_error or 1) < 0.02 < (found["gbdt", "rent", "thick"].quality.calibration_error or 0)

    @pytest.mark.parametrize("bads, is_judged", [(49, False), (50, True)])
    def test_too_few_bad_ones_say_nothing_either(self, bads: int, is_judged: bool) -> None:
        known = {f"a{at}": Known("2027-01", 45 if at < bads else 0) for at in range(1000)}
        quality = rows(report(cases(1000), known))["gbdt", "*", "*"].quality
        judged = [each is not None for each in (quality.auc, quality.ks, quality.calibration_error)]
        assert (quality.bads, judged) == (bads, [is_judged] * 3)

    def test_too_few_known_ones_say_nothing(self, known: dict[str, Known]) -> None:
        some = dict(list(known.items())[:999])
        quality = rows(report(cases(6000), some))["scorecard", "*", "*"].quality
        assert (quality.known, quality.auc, quality.ks, quality.calibration_error) == (999, None, None, None)

    def test_vintages_are_of_the_champions_loans(self, known: dict[str, Known]) -> None:
        twice = report([*cases(6000), *cases(6000, role="challenger")], known)
        assert [(each.month, each.loans) for each in twice.vintages] == [("2027-01", 6000)]
        assert twice.decisions == 6000

    def test_a_file_of_outcomes(self, tmp_path: Path) -> None:
        path = tmp_path / "outcomes.csv"
        path.write_text("application_id,month,days_past_due\na1,2027-01,0\na2,2027-02,31\na1,2027-01,35\n")
        assert gathering.read_outcomes(path) == {"a1": Known("2027-01", 35), "a2": Known("2027-02", 31)}

    @pytest.mark.parametrize(
        "text, said",
        [
            ("application_id,month\n", "has no column days_past_due"),
            ("application_id,month,days_past_due\na1,January,0\n", "line 2: month is 'January'"),
            ("application_id,month,days_past_due\na1,2027-01,-3\n", "line 2: days_past_due is '-3'"),
            ("application_id,month,days_past_due\na1,2027-01\n", "line 2: days_past_due is 'None'"),
        ],
    )
    def test_what_cannot_be_read_is_named(self, tmp_path: Path, text: str, said: str) -> None:
        (tmp_path / "outcomes.csv").write_text(text)
        with pytest.raises(Problem) as caught:
            gathering.read_outcomes(tmp_path / "outcomes.csv")
        assert said in caught.value.detail
        assert caught.value.remedy


@pytest.fixture
def watched() -> Iterator[Watch]:
    watch = Watch(Path("unused"), Pace(every_s=0))
    yield watch
    watch.tell(Report(decisions=0, rows=(), vintages=()))


def figure(name: str, **labels: str) -> float | None:
    return prometheus_client.REGISTRY.get_sample_value(name, labels or None)


class TestWatch:
    def test_a_drifted_model_is_said_once_until_it_is_well_again(self, watched: Watch, caplog: pytest.LogCaptureFixture) -> None:
        overall = {"role": "champion", "model": "scorecard", "scene": "*", "segment": "*"}
        before = figure("risk_model_drift_events_total", role="champion", model="scorecard") or 0.0
        with caplog.at_level(logging.WARNING, "risk.monitoring"):
            for moved in (0.0, 60.0, 60.0):
                watched.tell(report(cases(2000, moved)))
        events = [each for each in caplog.records if getattr(each, "event", "") == "model_drifted"]
        assert len(events) == 3
        assert {(each.model, each.scene) for each in events} == {("scorecard", "*"), ("gbdt", "*"), ("scorecard", "cash")}
        assert figure("risk_models_drifted") == 3
        assert (figure("risk_model_drift", **overall) or 0) > 0.25
        assert figure("risk_model_drift_events_total", role="champion", model="scorecard") == before + 2
        assert health.notes().startswith("the champion's scorecard has drifted: PSI ")
        watched.tell(report(cases(2000)))
        assert health.notes() == ""
        assert figure("risk_models_drifted") == 0
        watched.tell(report(cases(2000, 60.0)))
        assert figure("risk_model_drift_events_total", role="champion", model="scorecard") == before + 4

    def test_what_says_nothing_has_no_figure(self, watched: Watch) -> None:
        watched.tell(report(cases(999, 60.0)))
        assert figure("risk_model_drift", role="champion", model="scorecard", scene="*", segment="*") is None
        assert figure("risk_models_drifted") == 0

    def test_it_looks_by_itself_and_outlives_a_log_that_cannot_be_read(self) -> None:
        looked = asyncio.Event()
        answers = iter([Problem(503, "not_looked_at", "no log"), report(cases(1000, 60.0))])

        async def watch() -> None:
            async def gather(data: Path, last: int) -> Report:
                found = next(answers, None)
                if isinstance(found, Problem):
                    raise found
                looked.set()
                return found or Report(decisions=0, rows=(), vintages=())

            watch = Watch(Path("unused"), Pace(every_s=0.001), gather=gather)
            watch.start()
            await asyncio.wait_for(looked.wait(), 20)
            await watch.stop()

        asyncio.run(watch())
        Watch(Path("unused"), Pace(every_s=0)).tell(Report(decisions=0, rows=(), vintages=()))


HERE = Carried(champion="P", release="P", challenger="C")


class TestFinding:
    def test_the_champions_drift_asks_for_action_and_the_challengers_is_to_be_seen(self) -> None:
        given = [*cases(2000, 60.0), *cases(2000, 60.0, package="C", role="challenger")]
        found = finding.findings(judging.report(given, {"P": reference(), "C": reference()}, {}).rows, HERE)
        assert found is not None
        assert {(each.kind, each.subject, each.asks, each.n) for each in found} == {
            ("drift", f"{role}{model} x {place}", asks, 2000)
            for role, asks in (("", "act"), ("challenger ", "watch"))
            for model, place in (("scorecard", "* x *"), ("gbdt", "* x *"), ("scorecard", "thin x cash"))
        }
        assert "the champion's scorecard has drifted in cash / thin: PSI " in {each.said[:57] for each in found}

    def test_what_is_well_is_no_finding_and_too_little_is_no_answer(self) -> None:
        assert finding.findings(report(cases(2000)).rows, HERE) == []
        assert finding.findings(report(cases(999, 60.0)).rows, HERE) is None
        assert finding.findings(judging.report(cases(2000, 60.0), {"P": None}, {}).rows, HERE) is None
        assert finding.findings(report(cases(2000, 60.0)).rows, HERE, 2001) is None
        assert finding.findings([], HERE) is None

    def test_the_packages_of_other_releases_are_not_ours_to_speak_of(self) -> None:
        older = report(cases(2000, 60.0)).rows
        assert finding.findings(older, Carried(champion="Q", release="Q")) is None
        both = judging.report([*cases(2000, 60.0), *cases(2000, package="Q")], {"P": reference(), "Q": reference()}, {}).rows
        assert finding.findings(both, Carried(champion="Q", release="Q")) == []

    def test_what_a_challenger_showed_is_known_when_a_release_makes_it_champion(self) -> None:
        seen = report(cases(2000, 60.0, role="challenger")).rows
        assert finding.findings(seen, Carried(champion="Q", release="Q", challenger="P")) is None, "of the champion nothing is known"
        found = finding.findings(seen, Carried(champion="P", release="P"))
        assert found is not None
        assert {(each.asks, each.subject.split(" ")[0]) for each in found} == {("act", "challenger")}

    def test_no_release_can_take_a_published_package_back(self) -> None:
        found = finding.findings(report(cases(2000, 60.0)).rows, Carried(champion="P", release="shipped"))
        assert found is not None
        assert {each.asks for each in found} == {"watch"}
        assert all(each.said.endswith("publish the last one again") for each in found)

    def test_it_is_said_to_probes_and_figures_are_of_the_packages_in_force(self) -> None:
        in_force = HERE
        watch = Watch(Path("unused"), Pace(every_s=0), carried=lambda: in_force)
        overall = {"role": "champion", "model": "scorecard", "scene": "*", "segment": "*"}
        both = judging.report([*cases(2000, 60.0), *cases(2000, package="Q")], {"P": reference(), "Q": reference()}, {})
        watch.tell(both)
        assert {each["asks"] for each in health.seen()["findings"]} == {"act"}
        assert (figure("risk_model_drift", **overall) or 0) > 0.25
        in_force = Carried(champion="Q", release="Q")
        watch.tell(both)
        assert health.seen() == {"findings": []}
        assert (figure("risk_model_drift", **overall) or 1) < 0.1
        watch.tell(report(cases(999)))
        assert health.seen() == {}, "the package has decided too little"


def trained_package() -> Package:
    """The shipped package with the record of a training in it."""
    files = reading.contents(reading.SHIPPED)
    place = {"scene": "*", "segment": "*", "n": 20_000, "bad_rate": 0.02}
    held = reference()
    frozen = {"score": held.scores[ALL].record(), "probability": held.probabilities[ALL].record()}
    variables = {"age": held.variables[ALL]["age"].record()}
    record = {"n": 20_000, "groups": [{**place, **frozen, "variables": variables}]}
    return reading.parse({**files, gathering.REFERENCE: writing.encoded(record)}, "here")


def fill(data: Path, package: Package, moved: float) -> None:
    """A log of 1,200 decisions, each scored by a challenger too."""
    Shelf(data).keep(package)
    log = DecisionLog(data)
    entries: list[Entry | Shadow] = []
    for at, case in enumerate(cases(1200, moved)):
        same: dict[str, Any] = {"decision_id": f"D{at}", "at_ms": 1000 + at, "scene": "cash", "segment": "thin", "scorecard": "main", "model": "main"}
        same |= {"outcome": "pass", "grade": "A", "score": case.score, "probability": case.probability, "output": b"{}"}
        frozen = json.dumps({"known": dict(case.facts)}).encode()
        entries.append(Entry(application_id=f"a{at}", customer_id=f"c{at}", tenant="default", package=package.hash, frozen=frozen, **same))
        entries.append(Shadow(package="sha256:other", **same))
    log.append(entries)
    log.close()


class TestLog:
    def test_the_log_is_compared_with_the_training_of_its_packages(self, tmp_path: Path) -> None:
        fill(tmp_path, trained_package(), 0.0)
        found = gathering.gather(tmp_path, 100_000)
        assert found.decisions == 1200
        assert {(row.role, row.model, row.scene): row.verdict for row in found.rows if row.scene == "*"} == {
            ("champion", "scorecard", "*"): "stable", ("champion", "gbdt", "*"): "stable",
            ("challenger", "scorecard", "*"): "not known", ("challenger", "gbdt", "*"): "not known",
        }  # fmt: skip
        assert gathering.gather(tmp_path, 100).decisions == 100

    def test_a_package_without_the_record_of_a_training_is_not_judged(self) -> None:
        assert gathering.reference(reading.read()) is None
        files = dict(trained_package().files)
        for broken in (b"[]", b"{", b'{"groups": [{"scene": "*", "segment": "*"}]}'):
            assert gathering.reference(reading.parse({**files, gathering.REFERENCE: broken}, "here")) is None

    @pytest.mark.parametrize("moved, status", [(0.0, 0), (60.0, 8)])
    def test_the_command_is_a_gate(self, tmp_path: Path, capsys: pytest.CaptureFixture[str], moved: float, status: int) -> None:
        fill(tmp_path, trained_package(), moved)
        assert commands.run(["monitor", "--data", str(tmp_path)]) == status
        told = capsys.readouterr().out
        assert "1,200 decisions" in told
        assert ("✖ the champion's scorecard has drifted: PSI" in told) == (status == 8)
        assert commands.run(["monitor", "--data", str(tmp_path), "-o", "json"]) == status
        assert json.loads(capsys.readouterr().out)["rows"][0]["role"] == "challenger"

    def test_the_command_without_a_log_or_with_wrong_outcomes(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert commands.run(["monitor", "--data", str(tmp_path / "nowhere")]) == 1
        fill(tmp_path, trained_package(), 0.0)
        (tmp_path / "outcomes.csv").write_text("id\n")
        assert commands.run(["monitor", "--data", str(tmp_path)]) == 1
        assert "has no column application_id" in capsys.readouterr().out

    def test_a_look_apart_is_the_same_look_and_says_why_it_came_to_nothing(self, tmp_path: Path) -> None:
        fill(tmp_path, trained_package(), 60.0)
        assert asyncio.run(apart.gather(tmp_path, 10_000)) == gathering.gather(tmp_path, 10_000)
        (tmp_path / "outcomes.csv").write_text("id\n")
        with pytest.raises(Problem, match="has no column application_id"):
            asyncio.run(apart.gather(tmp_path, 10_000))

    def test_the_route(self, tmp_path: Path) -> None:
        async def work(desk: Any) -> Any:
            door = app(desk, lambda routes: monitoring.add(routes, Watch(tmp_path, Pace(every_s=0))))
            await ask_asgi(door, "POST", "/v1/decisions", MIKE)
            return await ask_asgi(door, "GET", "/v1/monitoring")

        answer = on_desk(tmp_path, InForce(Decider(reading.read())), work)
        assert answer.status == 200
        assert answer.body["decisions"] == 1
        assert {(row["model"], row["scene"], row["segment"]): row["verdict"] for row in answer.body["rows"]} == {
            (model, *place): "not known" for model in ("scorecard", "gbdt") for place in (ALL, ("cash", "thick"))
        }


def test_a_report_for_people() -> None:
    known = {f"a{at}": Known("2027-01", 40 * (at % 10 == 0)) for at in range(1500)}
    text = "\n".join(views.lines(report(cases(1500, 60.0), known)))
    assert "champion P" in text
    assert "scorecard  *      *        1,500" in text
    assert "2027-01  1,500  150   10.0%" in text
    assert finding.said(report(cases(1500, 60.0)).rows[2]).startswith("the champion's scorecard has drifted in cash / thin: PSI ")
