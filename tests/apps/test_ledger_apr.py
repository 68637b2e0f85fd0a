"""The true cost of a loan: the table, exactness of the root, and that no number is made up where there is none."""

from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reference_apps.ledger.loans import apr, schedule
from reference_apps.ledger.loans.product import LoanProduct, Method
from reference_apps.ledger.loans.schedule import Credit

DAY = date(2025, 1, 15)


def cost(product: LoanProduct, principal_fen: int, annual_rate: str | Decimal, periods: int, fee_fen: int = 0) -> apr.Cost:
    credit = Credit(principal_fen=principal_fen, annual_rate=Decimal(annual_rate), periods=periods, disbursed_on=DAY)
    return apr.cost(principal_fen - fee_fen, schedule.build(product, credit), DAY)


FLAT, ANNUITY = LoanProduct(method=Method.FLAT), LoanProduct()


@pytest.mark.parametrize(
    "product, loan, irr12, effective",
    [
        (FLAT, (1_200_000, "0.06", 12), "10.90", "11.46"),
        (FLAT, (1_200_000, "0.096", 12), "17.27", "18.71"),
        (ANNUITY, (1_000_000, "0.12", 6, 10_000), "15.52", "16.67"),
        (ANNUITY, (200_000, "0.25", 12), "25.00", "28.07"),
        (ANNUITY, (400_000, "0.18", 12), "18.00", "19.56"),
        (ANNUITY, (500_000, "0.10", 12), "10.00", "10.47"),
    ],
)
def test_the_table(product: LoanProduct, loan: tuple[int, str, int], irr12: str, effective: str) -> None:
    found = cost(product, *loan)
    assert (f"{found.irr12 * 100:.2f}", f"{found.effective * 100:.2f}") == (irr12, effective)


def test_a_year_is_365_days_for_dated_flows() -> None:
    assert apr.xirr([(date(2025, 1, 1), -1000), (date(2026, 1, 1), 1100)]) == pytest.approx(Decimal("0.1"), abs=Decimal("1e-24"))
    leap = apr.xirr([(date(2028, 1, 1), -1000), (date(2029, 1, 1), 1100)])
    assert leap == pytest.approx(Decimal("1.1") ** (Decimal(365) / 366) - 1, abs=Decimal("1e-24"))
    shuffled = [(date(2025, 7, 1), -600), (date(2025, 1, 1), 1000), (date(2025, 7, 1), -500)]
    assert apr.xirr(shuffled) == apr.xirr([(date(2025, 1, 1), 1000), (date(2025, 7, 1), -1100)])


def test_rates_at_the_edges() -> None:
    assert apr.irr([1000, -500, -500]) == 0
    assert apr.irr([1000, -900]) == pytest.approx(Decimal("-0.1"))
    assert apr.irr([0, 0, 1000, 0, -1210]) == pytest.approx(Decimal("0.1"))
    assert apr.irr([1, -(10**12)]) == pytest.approx(Decimal(10**12 - 1))
    assert apr.irr([10**12, -1]) == pytest.approx(Decimal(1) / 10**12 - 1)


@pytest.mark.parametrize("flows", [[], [0, 0], [100], [100, 5], [-100, -5]])
def test_without_a_change_of_sign_there_is_no_rate(flows: list[int]) -> None:
    with pytest.raises(apr.NoRate, match="never change their sign"):
        apr.irr(flows)
    with pytest.raises(apr.NoRate, match="never change their sign"):
        apr.xirr([(date(2025, 1, 1 + number), amount) for number, amount in enumerate(flows)])


def test_flows_with_two_rates_are_refused() -> None:
    with pytest.raises(apr.NoRate, match="change their sign 2 times"):
        apr.irr([-100, 230, -132])


@settings(deadline=None, max_examples=100)
@given(st.lists(st.integers(1, 10**13), min_size=2, max_size=8), st.lists(st.integers(0, 30), min_size=8, max_size=8, unique=True), st.data())
def test_dated_flows_far_apart_and_far_from_one_size_have_their_rate(amounts: list[int], years: list[int], data: st.DataObject) -> None:
    turn = data.draw(st.integers(1, len(amounts) - 1))
    dated = list(zip(sorted(years), (amount if place < turn else -amount for place, amount in enumerate(amounts)), strict=False))
    rate = apr.xirr([(DAY + timedelta(days=365 * year), amount) for year, amount in dated])
    worth = [amount * (1 + rate) ** (dated[0][0] - year) for year, amount in dated]
    assert abs(sum(worth)) <= sum(map(abs, worth)) * Decimal("1e-18")


@settings(deadline=None, max_examples=200)
@given(st.lists(st.integers(1, 10**9), min_size=1, max_size=24), st.lists(st.integers(1, 10**9), min_size=1, max_size=24))
def test_the_rate_makes_the_flows_worth_nothing(received: list[int], paid: list[int]) -> None:
    flows = [*received, *(-amount for amount in paid)]
    rate = apr.irr(flows)
    assert rate > -1
    discount = 1 / (1 + rate)
    worth, size = Decimal(0), Decimal(0)
    for time, amount in enumerate(flows):
        worth += amount * discount**time
        size += abs(amount) * discount**time
    assert abs(worth) <= size * Decimal("1e-20")


@settings(deadline=None, max_examples=150)
@given(st.integers(100_000, 10**9), st.decimals(0, 1, places=4), st.integers(1, 36), st.integers(0, 50_000), st.integers(1, 40_000))
def test_the_rate_of_a_free_annuity_is_its_nominal_one_and_a_fee_never_lowers_it(principal: int, rate: Decimal, periods: int, fee: int, more: int) -> None:
    free = cost(ANNUITY, principal, rate, periods)
    off_by_rounding = Decimal(12 * periods) / principal
    assert abs(free.irr12 - rate) <= off_by_rounding
    small, large = cost(ANNUITY, principal, rate, periods, fee), cost(ANNUITY, principal, rate, periods, fee + more)
    assert free.irr12 <= small.irr12 < large.irr12
    assert free.effective <= small.effective < large.effective
    assert free.xirr <= small.xirr < large.xirr
