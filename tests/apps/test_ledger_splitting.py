"""Splitting: the examples, and that parts always sum and are never a unit off."""

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reference_apps.ledger.loans import splitting


def test_units_that_are_left_go_to_the_first_in_written_order() -> None:
    assert splitting.split(100, [1, 1, 1]) == (34, 33, 33)
    assert splitting.split(10, [Fraction(2, 7), Fraction(2, 7), Fraction(3, 7)]) == (3, 3, 4)
    assert splitting.split(2, [2, 1, 1]) == (1, 1, 0), "a share that is whole already gets none"
    assert splitting.split(0, [1, 2]) == (0, 0)


@pytest.mark.parametrize("amount, weights, refusal", [(-1, [1], "amount: -1"), (1, [], "weights: .* none"), (1, [1, 0], "weights: .* 1, 0")])
def test_what_cannot_be_split_is_refused(amount: int, weights: list[int], refusal: str) -> None:
    with pytest.raises(ValueError, match=refusal):
        splitting.split(amount, weights)


@settings(deadline=None, max_examples=300)
@given(st.integers(0, 10**15), st.lists(st.integers(1, 10**6), min_size=1, max_size=12))
def test_parts_sum_and_are_less_than_a_unit_off(amount: int, weights: list[int]) -> None:
    parts, total = splitting.split(amount, weights), sum(weights)
    assert sum(parts) == amount
    assert all(abs(part - Fraction(amount * weight, total)) < 1 for part, weight in zip(parts, weights, strict=True))
