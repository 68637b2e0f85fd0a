"""The made-up population: same seed, same bytes; and it is distributed as its documentation says."""

import csv
import hashlib
import itertools

import numpy as np
import pytest

from reference_apps.risk.measures import outcomes, ranking
from reference_apps.risk.population import customers, truth, writing
from reference_apps.risk.population.distributions import Stream

N = 40_000


def text(n: int, seed: int) -> str:
    return "".join(writing.lines(n, seed))


@pytest.fixture(scope="module")
def population() -> dict[str, np.ndarray]:
    found = list(customers.chunks(N, 11))
    return {name: np.concatenate([chunk[name] for chunk in found]) for name in found[0]}


class TestBytes:
    def test_the_same_seed_gives_the_same_bytes(self) -> None:
        assert text(1500, 3) == text(1500, 3)
        assert text(1500, 3) != text(1500, 4)

    def test_these_bytes(self) -> None:
        """What was published of a population stays true: a changed distribution is a changed population, and says so here."""
        assert hashlib.sha256(text(1000, 1).encode()).hexdigest() == "d8b8c14bf6e1d4eda57844b3737b33aa09d07bad29bc9c31e3b456cb2e851f98"

    def test_more_customers_begin_with_the_same_ones(self) -> None:
        assert text(12_345, 3).startswith(text(700, 3))
        assert len(text(12_345, 3).splitlines()) == 12_346

    def test_chunks_do_not_repeat_one_another(self) -> None:
        first, second = customers.chunks(2 * customers.CHUNK, 3)
        assert not np.array_equal(first["income_fen"], second["income_fen"])
        assert len({*first["customer_id"], *second["customer_id"]}) == 2 * customers.CHUNK

    def test_it_is_a_table_of_whole_numbers_and_words(self) -> None:
        rows = list(csv.DictReader(writing.lines(300, 3)))
        assert tuple(rows[0]) == customers.FIELDS
        assert all(row["age"].isdigit() and row["bad"] in "01" and row["scene"] in customers.SCENES for row in rows)
        assert any(row["zhima_score"] == "" for row in rows)

    @pytest.mark.parametrize("n, seed", [(-1, 0), (1, -1)])
    def test_less_than_nobody_is_refused(self, n: int, seed: int) -> None:
        with pytest.raises(ValueError, match="from 0 on"):
            text(n, seed)

    def test_nobody_is_a_header(self) -> None:
        assert text(0, 1).count("\n") == 1


class TestDistributions:
    def test_normal_numbers_are_normal(self) -> None:
        drawn = Stream(5, 0, 200_000).normal()
        assert abs(drawn.mean()) < 0.01
        assert abs(drawn.std() - 1) < 0.01
        assert abs((drawn < -1.959964).mean() - 0.025) < 0.002

    def test_about_seven_in_a_hundred_are_bad(self, population: dict[str, np.ndarray]) -> None:
        assert 0.06 <= population["bad"].mean() <= 0.08

    def test_labels_come_from_the_true_probability(self, population: dict[str, np.ndarray]) -> None:
        true, bad = population["probability"], population["bad"]
        for low, high in itertools.pairwise(np.quantile(true, (0, 0.25, 0.5, 0.75, 1))):
            group = (true >= low) & (true <= high)
            assert abs(bad[group].mean() - true[group].mean()) < 4 * np.sqrt(true[group].mean() / group.sum())
        assert 0.78 < ranking.auc(true, bad) < 0.86

    @pytest.mark.parametrize(
        "name, least, most, missing",
        [("zhima_score", 350, 950, 0.07), ("age", 18, 59, 0), ("taobao", 0, 10**9, 0.18), ("jd", 0, 10**9, 0.34), ("lenders_3m", 0, 20, 0)],
    )
    def test_ranges_and_what_is_missing(self, population: dict[str, np.ndarray], name: str, least: int, most: int, missing: float) -> None:
        column = population[name].astype(float)
        assert abs(np.isnan(column).mean() - missing) < 0.01
        assert np.nanmin(column) >= least
        assert np.nanmax(column) <= most

    def test_shares(self, population: dict[str, np.ndarray]) -> None:
        assert abs((population["employed_months"] == customers.SELF_EMPLOYED).mean() - 0.12) < 0.01
        assert abs((population["other_debt_fen"] == 0).mean() - 0.35) < 0.02
        assert abs((population["periods"] == 12).mean() - 0.40) < 0.01
        assert set(population["vintage"]) == {f"{year}-{month:02d}" for year in (2025, 2026) for month in range(1, 13)}
        early, late = population["month"] < 6, population["month"] > 17
        assert (population["scene"][late] == "cash").mean() > (population["scene"][early] == "cash").mean() + 0.05

    def test_without_a_record_is_thin_and_has_no_queries(self, population: dict[str, np.ndarray]) -> None:
        thin = population["segment"] == "thin"
        assert np.array_equal(thin, population["pboc_record"] == "none")
        assert np.isnan(population["pboc_queries_6m"][thin]).all()
        assert not np.isnan(population["pboc_utilisation_pct"][~thin]).any()

    def test_bads_are_late_and_goods_are_not(self, population: dict[str, np.ndarray]) -> None:
        assert np.array_equal(population["worst_dpd"] >= outcomes.LATE_DPD, population["bad"] == 1)
        assert len(outcomes.vintages(zip(population["vintage"].tolist(), population["worst_dpd"].tolist(), strict=True))) == customers.MONTHS


def test_the_truth_by_hand() -> None:
    """A customer in the middle of everything: what is left is the base, debt and lenders of 0, and the instalment's strain of 0."""
    given = {
        "zhima_score": 640.0, "pboc_record": "ordinary", "pboc_queries_6m": 0.0, "pboc_utilisation_pct": 30.0, "other_debt_fen": 0, "lenders_3m": 0,
        "taobao": 500_000.0, "jd": 300_000.0, "age": 30, "employed_months": 36, "device_months": 16, "amount_fen": 780_000, "periods": 12,
        "income_fen": 650_000, "scene": "beauty", "month": 0,
    }  # fmt: skip
    person = {name: np.array([value], dtype=object if isinstance(value, str) else None) for name, value in given.items()}
    assert truth.probability(person, np.zeros(1))[0] == pytest.approx(1 / (1 + np.exp(4.05)))
    worse = person | {"zhima_score": np.array([np.nan]), "pboc_record": np.array(["bad"], dtype=object), "age": np.array([20])}
    assert truth.probability(worse, np.ones(1))[0] == pytest.approx(1 / (1 + np.exp(4.05 - 0.35 - 1.40 - 0.35 - 0.45)))
