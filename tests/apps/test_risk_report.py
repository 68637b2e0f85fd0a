"""The report: one page that needs nothing else, says what the package says, and escapes what others wrote."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference_apps.risk import commands
from reference_apps.risk.measures.vectors import Vector
from reference_apps.risk.packages import reading, writing
from reference_apps.risk.packages.model import Package
from reference_apps.risk.report import commands as report
from reference_apps.risk.report import contents, drawing
from reference_apps.risk.training import evaluation, judging
from reference_apps.risk.training.table import Table
from tests.apps import risk_tables

VOID = {"meta", "link", "br", "line", "rect", "polyline", "circle", "img", "input"}


class Page(HTMLParser):
    """Reads a page strictly: every tag that opens closes in its turn."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID and tag not in ("li", "p"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID and tag not in ("li", "p"):
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


def judged() -> tuple[dict[str, Any], dict[str, Any]]:
    """An evaluation and a card as training writes them, of estimates made here."""
    dice = np.random.Generator(np.random.PCG64(2))
    margin = dice.normal(-2.5, 1.2, 4000)
    bad = (dice.random(4000) < 1 / (1 + np.exp(-margin))).astype(float)
    months = np.array([f"2027-{1 + at % 6:02d}" for at in range(4000)], dtype=object)
    scene = np.array(["cash", "rent"], dtype=object)[(dice.random(4000) < 0.1).astype(int)]
    days = np.array([str(int(45 * each)) for each in bad], dtype=object)
    table = Table(columns={}, bad=bad, digest="d", time=months, scene=scene, days_past_due=days)
    log_odds: dict[str, Vector] = {"scorecard": margin + dice.normal(0, 0.8, 4000), "gbdt": margin}
    meant = risk_tables.meaning({"name": "income"})
    found = judging.judged(evaluation.Estimates(rows=np.arange(4000), log_odds=log_odds, how="by <hand>"), table, meant)
    moved = [("csi", "income", 0.31, "act"), ("psi", "score", 0.01, "stable")]
    found["drift"] = [dict(zip(("kind", "name", "value", "verdict"), row, strict=True)) | {"n": 4000} for row in moved]
    metrics = {name: {kind: each[kind] for kind in ("auc", "ks", "gini", "brier", "calibration_error")} for name, each in found["models"].items()}
    feature = {"name": "zhima_score", "better": "higher", "information": 0.6, "strength": "suspect", "left_out": "", "gain": 0.25}
    feature |= {"coefficient": -0.5, "standard_error": 0.03}
    label = {"column": "bad", "good": ["0"], "bad": ["1"], "meaning": "30 days late"}
    data = {"sha256": "abc", "n": 9000, "bads": 700, "bad_rate": 0.0777, "dropped": 0, "times": {"from": "2026-01", "to": "2026-12"}, "label": label}
    card = {
        "name": "made", "version": "1", "about": "<script>alert(1)</script>", "data": data, "metrics": metrics, "features": [feature],
        "evaluation": {"how": found["how"], "n": 4000, "bads": int(bad.sum())}, "excluded": [{"column": "id", "why": "names a person"}],
        "limits": ["It knows nothing of <others>."], "parameters": {"seed": 7}, "made_with": {"numpy": "2"},
        "served_equals_trained": {"rows": 100, "margin": 0.0, "probability": 1e-15, "points": 0.0},
    }  # fmt: skip
    return found, card


@pytest.fixture(scope="module")
def package() -> Package:
    found, card = judged()
    files = {**reading.contents(reading.SHIPPED), contents.EVALUATION: writing.encoded(found), contents.CARD: writing.encoded(card)}
    return reading.parse(files, "here")


@pytest.fixture(scope="module")
def page(package: Package) -> Page:
    return Page(report.rendered(package))


class TestPage:
    def test_it_needs_nothing_else(self, package: Package, page: Page) -> None:
        text = report.rendered(package)
        assert not re.search(r"https?://|@import|url\(|<script|<link|<img", text)
        assert not [attributes for _, attributes in page.tags if {"src", "href"} & set(attributes)]

    def test_the_same_package_gives_the_same_bytes(self, package: Package) -> None:
        assert report.rendered(package) == report.rendered(package)

    def test_all_parts_are_there(self, page: Page) -> None:
        for title in ("Scores", "Ranking", "Scorecard main", "Trees main", "Drift", "Prices", "Score and trees together", "Model card", "Limits"):
            assert title in page.words, title
        labels = [attributes["aria-label"] for tag, attributes in page.tags if tag == "svg"]
        assert len(labels) == len(set(labels)) == 7
        assert sum(tag == "polyline" for tag, _ in page.tags) == 3 + 1 + 2 * 3
        assert sum(tag == "circle" for tag, _ in page.tags) == 20

    def test_figures_are_those_of_the_evaluation(self, package: Package, page: Page) -> None:
        models = json.loads(package.files[contents.EVALUATION])["models"]
        for model in models.values():
            assert f"{model['auc']['value']:.3f}" in page.words
            assert f"{model['ks']['value']:.3f}" in page.words
        assert "CSI income 0.3100 act 4,000" in page.text
        assert "too few to say" in page.text

    def test_prices_and_points_are_those_of_the_package(self, page: Page) -> None:
        assert "A 730 5,000.00 10.00 % 0.00 % fast" in page.text
        assert "C 540 2,000.00 25.00 % 0.00 % extended taobao, jd" in page.text
        assert "750 and above 240.0" in page.text

    def test_what_others_wrote_is_escaped(self, page: Page) -> None:
        assert "<script>alert(1)</script>" in page.text
        assert "script" not in [tag for tag, _ in page.tags]
        assert "It knows nothing of <others>." in page.words

    def test_everything_drawn_lies_inside(self, page: Page) -> None:
        for tag, attributes in page.tags:
            if tag == "polyline":
                places = [tuple(map(float, pair.split(","))) for pair in (attributes["points"] or "").split()]
                assert all(0 <= x <= drawing.WIDTH and 0 <= y <= drawing.HEIGHT for x, y in places)
            if tag == "rect":
                assert float(attributes["y"] or -1) >= 0
                assert float(attributes["height"] or -1) >= 0

    def test_a_package_written_by_hand_has_a_page_too(self) -> None:
        page = Page(report.rendered(reading.read()))
        assert "no record of a training" in page.text
        assert "svg" not in [tag for tag, _ in page.tags]
        assert "A 730 5,000.00" in page.text


class TestCommand:
    def test_a_file_is_written(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert commands.run(["report", str(reading.SHIPPED), "--out", str(tmp_path / "report.html")]) == 0
        assert "standard 2.0.0 is described in" in capsys.readouterr().out
        assert (tmp_path / "report.html").read_text(encoding="utf-8").startswith("<!doctype html>")

    @pytest.mark.parametrize("content, said", [(b"{", "docs/evaluation.json is no JSON"), (b'{"models": {}}', "lacks something")])
    def test_a_record_that_cannot_be_read_is_named(self, tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes, said: str) -> None:
        writing.keep(tmp_path / "broken", {**reading.contents(reading.SHIPPED), contents.EVALUATION: content})
        assert commands.run(["report", str(tmp_path / "broken"), "--out", str(tmp_path / "report.html")]) == 3
        assert said in capsys.readouterr().out
        assert not (tmp_path / "report.html").exists()

    def test_no_package(self, tmp_path: Path) -> None:
        assert commands.run(["report", str(tmp_path), "--out", str(tmp_path / "report.html")]) == 3


class TestDrawing:
    @pytest.mark.parametrize("value, above", [(0.07, 0.1), (0.1, 0.1), (0.11, 0.2), (23, 25), (26, 50), (0, 1), (-3, 1), (float("nan"), 1), (float("inf"), 1)])
    def test_round_numbers(self, value: float, above: float) -> None:
        assert drawing.round_above(value) == pytest.approx(above)

    @given(st.floats(1e-6, 1e9))
    def test_round_numbers_are_not_below_and_not_far_above(self, value: float) -> None:
        assert value * (1 - 1e-9) <= drawing.round_above(value) <= 2.5 * value

    @given(st.floats(-1e6, 1e6), st.floats(1e-3, 1e6))
    def test_ticks_are_few_and_inside(self, low: float, width: float) -> None:
        found = drawing.ticks(low, low + width)
        assert 1 <= len(found) <= 8
        assert all(low - width * 1e-6 <= value <= low + width * (1 + 1e-6) for value in found)

    def test_scales(self) -> None:
        x, y = drawing.across(0, 10), drawing.upward(0.5)
        assert (x.at(0), x.at(10)) == (drawing.LEFT, drawing.WIDTH - drawing.RIGHT)
        assert (y.at(0), y.at(0.5)) == (drawing.HEIGHT - drawing.BOTTOM, drawing.TOP)
        assert drawing.across(3, 3).at(3) == drawing.LEFT
        assert drawing.bar(x, y, (0, 5), 0.25, "goods").height == pytest.approx((drawing.HEIGHT - drawing.BOTTOM - drawing.TOP) / 2)


