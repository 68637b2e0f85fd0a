"""PSI, CSI, KS, AUC, calibration, WoE and vintages against tables computed by hand, and what must hold for any input."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference_apps.risk.measures import calibration, drift, outcomes, ranking, woe

GOODS, BADS = (300, 400, 200), (10, 40, 50)
NUMBERS = st.lists(st.floats(-1e9, 1e9) | st.just(math.nan), min_size=1, max_size=80)
SHARES = st.lists(st.integers(0, 1000), min_size=2, max_size=12).filter(any).map(lambda counts: [count / sum(counts) for count in counts])
LABELLED = st.lists(st.tuples(st.integers(-50, 50), st.booleans()), min_size=2, max_size=60).filter(lambda rows: len({bad for _, bad in rows}) == 2)


def spread(goods: tuple[int, ...], bads: tuple[int, ...]) -> tuple[list[int], list[int]]:
    """Customers of bins that stand best first: the bin is the estimate."""
    rows = [(at, label) for at, counts in enumerate(zip(goods, bads, strict=True)) for label, count in enumerate(counts) for _ in range(count)]
    return [at for at, _ in rows], [label for _, label in rows]


def by_hand(estimates: list[float], labels: list[bool]) -> float:
    bads = [e for e, bad in zip(estimates, labels, strict=True) if bad]
    goods = [e for e, bad in zip(estimates, labels, strict=True) if not bad]
    return sum(1.0 if b > g else 0.5 if b == g else 0.0 for b, g in itertools.product(bads, goods)) / (len(bads) * len(goods))


class TestWeightOfEvidence:
    def test_worked_example(self) -> None:
        assert [round(each, 4) for each in woe.woes(GOODS, BADS)] == [1.2040, 0.1054, -0.8109]
        assert round(woe.information_value(GOODS, BADS), 3) == 0.511

    def test_a_bin_without_bads_gets_half_a_customer_more_in_both_cells(self) -> None:
        first, _ = woe.woes((90, 10), (0, 10))
        assert first == pytest.approx(math.log((90.5 / 100) / (0.5 / 10)))

    def test_an_empty_bin_says_nothing(self) -> None:
        assert woe.woes((90, 0), (10, 0)) == (0.0, 0.0)
        assert woe.parts((90, 0), (10, 0)) == (0.0, 0.0)

    @pytest.mark.parametrize("goods, bads", [((5, 5), (0, 0)), ((0, 0), (5, 5))])
    def test_nobody_good_or_nobody_bad_is_refused(self, goods: tuple[int, ...], bads: tuple[int, ...]) -> None:
        with pytest.raises(ValueError, match="needs goods and bads"):
            woe.woes(goods, bads)

    @pytest.mark.parametrize(
        "value, name", [(0.0, "none"), (0.0199, "none"), (0.02, "weak"), (0.1, "medium"), (0.3, "strong"), (0.5, "strong"), (0.5001, "suspect")]
    )
    def test_strength(self, value: float, name: str) -> None:
        assert woe.strength(value) == name

    @given(st.lists(st.tuples(st.integers(0, 500), st.integers(0, 500)), min_size=1, max_size=10))
    def test_information_is_never_negative(self, bins: list[tuple[int, int]]) -> None:
        goods, bads = zip(*bins, strict=True)
        if sum(goods) and sum(bads):
            assert woe.information_value(goods, bads) >= 0
            assert all(part >= 0 for part in woe.parts(goods, bads))


class TestDrift:
    def test_worked_example(self) -> None:
        assert round(drift.psi([0.2] * 5, [0.28, 0.22, 0.20, 0.17, 0.13]), 4) == 0.0639

    def test_a_bin_that_became_empty_counts_as_a_millionth(self) -> None:
        assert drift.psi([0.5, 0.5], [1.0, 0.0]) == pytest.approx(0.5 * math.log(2) + (1e-6 - 0.5) * math.log(1e-6 / 0.5))

    @pytest.mark.parametrize(
        "value, n, judged",
        [
            (0.0, 1000, "stable"), (0.0999, 1000, "stable"), (0.10, 1000, "watch"), (0.2499, 5000, "watch"), (0.25, 1000, "act"),
            (9.0, 999, "too few"), (0.0, 0, "too few"),
        ],
    )
    def test_verdict(self, value: float, n: int, judged: str) -> None:
        assert drift.verdict(value, n) == judged

    def test_deciles_are_frozen_and_hold_their_lower_edge(self) -> None:
        frozen = drift.frozen_numbers(list(range(100)) + [math.nan] * 100)
        assert len(frozen.edges) == 9
        assert frozen.shares == pytest.approx([0.05] * 10 + [0.5])
        assert drift.shares(frozen, [frozen.edges[0], math.nextafter(frozen.edges[0], 0)])[:2] == (0.5, 0.5)
        assert frozen.labels[0] == "below 9.9"
        assert frozen.labels[-1] == "missing"

    def test_one_value_alone_is_one_bin(self) -> None:
        frozen = drift.frozen_numbers([7.0] * 50)
        assert frozen.edges == ()
        assert frozen.shares == (1.0, 0.0)
        assert drift.shift(frozen, [7.0, 8.0]) == 0.0

    def test_words_have_bins_of_their_own_and_new_ones_are_others(self) -> None:
        frozen = drift.frozen_words(["rent", "cash", "cash", None])
        assert frozen.words == ("cash", "rent")
        assert frozen.shares == (0.5, 0.25, 0.0, 0.25)
        assert drift.shares(frozen, ["cash", "new"]) == (0.5, 0.0, 0.5, 0.0)
        assert drift.shift(frozen, ["new"] * 4) > 1

    def test_a_moved_population_is_seen(self) -> None:
        frozen = drift.frozen_numbers(np.arange(1000))
        assert drift.shift(frozen, np.arange(1000)) == 0.0
        assert drift.shift(frozen, np.arange(1000) + 500) > 0.25

    def test_what_is_recorded_is_read_back(self) -> None:
        for frozen in (drift.frozen_numbers([1, 2, 3, math.nan]), drift.frozen_words(["a", None])):
            assert drift.Frozen.of(frozen.record()) == frozen
        with pytest.raises(ValueError, match="2 shares for 3 bins"):
            drift.Frozen.of({"edges": [1.0], "words": [], "shares": [0.5, 0.5]})

    @given(SHARES)
    def test_no_shift_is_zero(self, shares: list[float]) -> None:
        assert drift.psi(shares, shares) == 0.0

    @given(SHARES, SHARES)
    def test_never_negative_and_the_same_both_ways(self, one: list[float], other: list[float]) -> None:
        size = min(len(one), len(other))
        assert drift.psi(one[:size], other[:size]) >= 0
        assert drift.psi(one[:size], other[:size]) == pytest.approx(drift.psi(other[:size], one[:size]))

    @given(NUMBERS, NUMBERS)
    def test_shares_are_of_everybody(self, training: list[float], now: list[float]) -> None:
        frozen = drift.frozen_numbers(training)
        assert sum(frozen.shares) == pytest.approx(1)
        assert sum(drift.shares(frozen, now)) == pytest.approx(1)
        assert drift.shift(frozen, training) == 0.0


class TestRanking:
    def test_worked_example(self) -> None:
        estimates, labels = spread(GOODS, BADS)
        assert round(ranking.ks(estimates, labels), 3) == 0.278
        assert round(ranking.auc(estimates, labels), 3) == 0.683

    def test_small_table_by_hand(self) -> None:
        estimates, labels = [0.9, 0.8, 0.8, 0.3, 0.2], [1, 1, 0, 0, 0]
        assert ranking.auc(estimates, labels) == pytest.approx(5.5 / 6)
        assert ranking.ks(estimates, labels) == pytest.approx(2 / 3)
        drawn = ranking.curve(estimates, labels)
        assert drawn.caught.tolist() == [0, 0.5, 1, 1, 1]
        assert drawn.lost.tolist() == pytest.approx([0, 0, 1 / 3, 2 / 3, 1])

    def test_perfect_inverted_and_useless(self) -> None:
        labels = [0, 0, 1, 1]
        assert ranking.auc([1, 2, 3, 4], labels) == 1
        assert ranking.auc([4, 3, 2, 1], labels) == 0
        assert ranking.auc([5, 5, 5, 5], labels) == 0.5
        assert (ranking.ks([1, 2, 3, 4], labels), ranking.ks([5, 5, 5, 5], labels)) == (1, 0)

    def test_confidence_of_auc_by_hand(self) -> None:
        """DeLong: bads' placements 1, 5/6 and goods' 3/4, 1, 1 vary by 1/72 and 1/48; their variances over 2 and 3 add up."""
        found = ranking.auc_interval([0.9, 0.8, 0.8, 0.3, 0.2], [1, 1, 0, 0, 0])
        assert found.value == pytest.approx(5.5 / 6)
        assert found.value - found.low == pytest.approx(1.959964 * math.sqrt(1 / 72 / 2 + 1 / 48 / 3), abs=1e-6)
        assert found.high == 1

    def test_confidence_of_ks_is_the_same_each_time_and_narrows(self) -> None:
        dice = np.random.Generator(np.random.PCG64(5))
        widths = []
        for n in (200, 20_000):
            labels = dice.random(n) < 0.3
            found = ranking.ks_interval(dice.normal(size=n) + labels, labels)
            assert found.low <= found.value <= found.high
            widths.append(found.high - found.low)
            assert ranking.ks_interval([1, 2, 3, 4], [0, 1, 0, 1]) == ranking.ks_interval([1, 2, 3, 4], [0, 1, 0, 1])
        assert widths[1] < widths[0] / 4

    @pytest.mark.parametrize(
        "estimates, labels, said",
        [
            ([1, 2], [0, 0], "2 goods and 0 bads"),
            ([1, 2], [0, 2], "not 2"),
            ([1, 2, 3], [0, 1], "3 estimates for 2 labels"),
            ([1, math.nan], [0, 1], "missing"),
        ],
    )
    def test_what_cannot_be_ranked_is_refused(self, estimates: list[float], labels: list[int], said: str) -> None:
        with pytest.raises(ValueError, match=said):
            ranking.auc(estimates, labels)

    @given(LABELLED)
    def test_equals_counting_pairs_and_stays_inside(self, rows: list[tuple[int, bool]]) -> None:
        estimates, labels = [float(e) for e, _ in rows], [bad for _, bad in rows]
        assert ranking.auc(estimates, labels) == pytest.approx(by_hand(estimates, labels))
        assert 0 <= ranking.auc(estimates, labels) <= 1
        assert 0 <= ranking.ks(estimates, labels) <= 1
        assert ranking.ks(estimates, labels) >= abs(2 * ranking.auc(estimates, labels) - 1) / 2 - 1e-12

    @given(LABELLED)
    def test_a_monotone_transform_changes_nothing(self, rows: list[tuple[int, bool]]) -> None:
        estimates, labels = [float(e) for e, _ in rows], [bad for _, bad in rows]
        stretched = [e**3 + 7 * e for e in estimates]
        assert ranking.auc(stretched, labels) == ranking.auc(estimates, labels)
        assert ranking.ks(stretched, labels) == ranking.ks(estimates, labels)
        assert ranking.auc([-e for e in estimates], labels) == pytest.approx(1 - ranking.auc(estimates, labels))


class TestCalibration:
    def test_by_hand(self) -> None:
        found = calibration.calibration([0.1, 0.1, 0.5, 0.5], [0, 0, 1, 0], bins=2)
        assert [(each.n, each.predicted, each.observed) for each in found] == [(2, 0.1, 0.0), (2, 0.5, 0.5)]
        assert calibration.calibration_error(found) == pytest.approx(0.05)
        assert calibration.brier([0.1, 0.1, 0.5, 0.5], [0, 0, 1, 0]) == pytest.approx((0.01 + 0.01 + 0.25 + 0.25) / 4)

    def test_nobody(self) -> None:
        assert calibration.calibration([], []) == ()
        assert calibration.calibration_error(()) == 0
        with pytest.raises(ValueError, match="nobody"):
            calibration.brier([], [])

    @given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=100))
    def test_everybody_is_in_one_bin(self, rows: list[tuple[float, bool]]) -> None:
        found = calibration.calibration([p for p, _ in rows], [bad for _, bad in rows])
        assert sum(each.n for each in found) == len(rows)
        assert sum(each.n * each.observed for each in found) == pytest.approx(sum(bad for _, bad in rows))
        assert all(before.high < after.low for before, after in itertools.pairwise(found))


class TestOutcomes:
    def test_approval_rate(self) -> None:
        assert outcomes.approval_rate(["pass", "review", "reject", "pass"]) == 0.5
        assert outcomes.approval_rate([]) is None

    def test_vintages_by_hand(self) -> None:
        found = outcomes.vintages([("2027-02", 0), ("2027-01", 30), ("2027-01", 29), ("2027-02", 95), ("2027-02", 0)])
        assert [(each.month, each.loans, each.late) for each in found] == [("2027-01", 2, 1), ("2027-02", 3, 1)]
        assert found[0].late_share == 0.5

    def test_negative_days_are_refused(self) -> None:
        with pytest.raises(ValueError, match="-1"):
            outcomes.vintages([("2027-01", -1)])
