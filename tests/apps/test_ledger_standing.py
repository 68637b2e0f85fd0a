"""Where a loan stands on a day: worked examples of accrual, lateness, payments in advance, and of every other thing that can happen to a loan."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from reference_apps.ledger.loans import allocation, schedule, standing
from reference_apps.ledger.loans.allocation import ORDER, Component, Debt, Style
from reference_apps.ledger.loans.happening import Happening, Kind
from reference_apps.ledger.loans.loan import Loan, Terms
from reference_apps.ledger.loans.product import STANDARD, LoanProduct, Method, Prepayment
from reference_apps.ledger.loans.schedule import Credit
from reference_apps.ledger.loans.standing import Amounts, Status

DAY = date(2025, 1, 15)
LATE = LoanProduct(late_fee_fen=500, late_fee_rate=Decimal("0.01"), penalty_daily_rate=Decimal("0.0005"), penalty_grace_days=3)
"""10,000.00 at 12 % over six months: 1,725.48 on the fifteenth, of it interest 100.00, 83.75, 67.33, 50.75, 34.00, 17.08."""


def lent(product: LoanProduct = STANDARD, **fields: Any) -> Loan:
    given = {"reference": "c", "customer": "mike", "currency": "CNY", "principal_fen": 1_000_000, "annual_rate": Decimal("0.12"), "periods": 6}
    terms = Terms(**(given | {"disbursed_on": DAY, "product": product} | fields))
    return Loan(id="LN1", number=1, terms=terms, schedule=schedule.build(product, terms.credit()))


def then(loan: Loan, kind: Kind, month: int, day: int, amount_fen: int = 0, **fields: Any) -> Loan:
    on = date(2025, month, day)
    return loan.having(Happening(number=len(loan.happenings) + 1, kind=kind, on=on, booked_on=on, amount_fen=amount_fen, **fields))


def stands(loan: Loan, month: int, day: int, year: int = 2025) -> standing.Standing:
    return standing.standing(loan, date(year, month, day))


def debts(*owed: tuple[int, int, int, int]) -> list[Debt]:
    return [Debt(number, dict(zip(ORDER, each, strict=True))) for number, each in enumerate(owed, 1)]


BOTH = debts((12, 30, 100, 300), (0, 30, 90, 310))


@pytest.mark.parametrize(
    "style, parts",
    [
        (Style.HORIZONTAL, [(1, "penalty", 12), (1, "fee", 30), (1, "interest", 100), (1, "principal", 300), (2, "fee", 30), (2, "interest", 28)]),
        (Style.VERTICAL, [(1, "penalty", 12), (1, "fee", 30), (2, "fee", 30), (1, "interest", 100), (2, "interest", 90), (1, "principal", 238)]),
    ],
)
def test_a_payment_of_500_over_two_overdue_instalments(style: Style, parts: list[tuple[int, str, int]]) -> None:
    split = allocation.over_buckets([BOTH], 500, ORDER, style)
    assert [(part.number, part.component, part.amount_fen) for part in split.parts] == parts
    assert split.rest_fen == 0


def test_what_is_past_due_comes_before_what_is_due_today_even_vertically() -> None:
    split = allocation.over_buckets([BOTH[:1], BOTH[1:]], 500, ORDER, Style.VERTICAL)
    assert [(part.number, part.component, part.amount_fen) for part in split.parts][-2:] == [(2, "fee", 30), (2, "interest", 28)]
    assert allocation.over_buckets([BOTH], 1_000, ORDER, Style.VERTICAL).rest_fen == 1_000 - 872


@pytest.mark.parametrize(
    "month, day, fen",
    [(1, 15, 0), (1, 16, 323), (2, 1, 5_484), (2, 14, 9_677), (2, 15, 10_000), (2, 16, 10_299), (3, 15, 18_375), (7, 15, 35_291), (12, 31, 35_291)],
)
def test_interest_runs_evenly_over_the_days_of_its_period(month: int, day: int, fen: int) -> None:
    assert stands(lent(), month, day).earned.interest_fen == fen


def test_interest_in_a_grace_runs_from_the_disbursement_and_falls_due_after_it() -> None:
    graced = lent(LoanProduct(interest_grace=2))
    third = graced.schedule[2]
    assert [line.interest_fen for line in graced.schedule[:3]] == [0, 0, 10_000 + 8_375 + 6_733]
    assert stands(graced, 2, 15).earned.interest_fen == round(third.interest_fen * 31 / 90)
    assert (stands(graced, 4, 15).earned.interest_fen, stands(graced, 4, 14).days_past_due) == (third.interest_fen, 58)
    free = lent(LoanProduct(interest_grace=2, interest_free=1))
    assert stands(free, 2, 15).earned.interest_fen == 0, "no interest runs in a period that is free of it"
    assert stands(free, 2, 16).earned.interest_fen == round(free.schedule[2].interest_fen / 59)


def test_an_unpaid_instalment_costs_a_fee_once_and_a_penalty_a_day_after_the_grace() -> None:
    late = lent(LATE)
    assert [stands(late, 2, day).lines[0].owed[:2] for day in (15, 18, 19, 20)] == [(0, 0), (0, 0), (86, 2_225), (173, 2_225)]
    assert stands(late, 3, 18).earned.fee_fen == 2_225, "the second instalment is in its grace"
    assert stands(late, 3, 19).earned.fee_fen == 2 * 2_225


def test_what_is_paid_bears_no_penalty_from_that_day_on_and_penalty_bears_none() -> None:
    paid = then(lent(LATE), Kind.PAID, 2, 20, 100_000)
    assert stands(paid, 2, 20).lines[0].owed == Amounts(0, 0, 0, 172_548 - (100_000 - 173 - 2_225))
    left = 74_946
    assert stands(paid, 2, 22).lines[0].owed == Amounts(round((172_548 * 2 + left * 2) * 0.0005) - 173, 0, 0, left)
    cleared = then(paid, Kind.PAID, 2, 22, left + 74)
    assert stands(cleared, 2, 22).overdue_fen == stands(cleared, 3, 14).overdue_fen == 0


def test_days_past_due_count_from_the_oldest_unpaid_instalment() -> None:
    late = lent()
    seen = [stands(late, month, day) for month, day in ((2, 15), (2, 16), (3, 17), (3, 18), (4, 16), (4, 17), (5, 16), (5, 17))]
    assert [each.days_past_due for each in seen] == [0, 1, 30, 31, 60, 61, 90, 91]
    assert [each.bucket for each in seen] == ["current", "1-30", "1-30", "31-60", "31-60", "61-90", "61-90", "90+"]
    assert (seen[0].status, seen[1].status) == (Status.ACTIVE, Status.OVERDUE)
    paid = then(late, Kind.PAID, 5, 17, 172_548)
    assert stands(paid, 5, 17).days_past_due == (date(2025, 5, 17) - date(2025, 3, 15)).days
    assert (seen[0].due_fen, seen[0].overdue_fen, seen[3].due_fen, seen[3].overdue_fen) == (172_548, 0, 345_096, 345_096)


def test_a_product_may_have_loans_written_off_after_so_many_days() -> None:
    late = lent(LoanProduct(charge_off_days=90))
    assert [standing.to_charge_off(late, stands(late, 5, day)) for day in (15, 16, 17)] == [False, True, True]
    assert not standing.to_charge_off(late, stands(then(late, Kind.CHARGED_OFF, 5, 16), 5, 17))
    assert not standing.to_charge_off(lent(), stands(lent(), 12, 1)), "by hand only"


def test_early_settlement_is_principal_and_interest_to_the_day() -> None:
    assert standing.payoff(lent(), date(2025, 2, 1)) == 1_000_000 + 5_484
    settled = stands(then(lent(), Kind.SETTLED, 2, 1, 1_005_484), 2, 1)
    assert (settled.status, settled.owed_fen, settled.overpaid_fen, settled.earned.interest_fen, settled.principal_fen) == (Status.CLOSED, 0, 0, 5_484, 0)
    late = lent(LATE)
    owed = stands(late, 2, 20).lines[0].owed
    run = round(8_375 * 5 / 28)
    assert standing.payoff(late, date(2025, 2, 20)) == 1_000_000 + 10_000 + run + owed.fee + owed.penalty


def test_interest_paid_in_advance_counts_in_a_settlement() -> None:
    paid = then(lent(), Kind.PAID, 1, 15, 172_548)
    quote = standing.payoff(paid, date(2025, 2, 1))
    assert quote == 1_000_000 - 172_548 + 5_484
    settled = stands(then(paid, Kind.SETTLED, 2, 1, quote), 2, 1)
    assert (settled.status, settled.earned.interest_fen, settled.paid.principal, settled.overpaid_fen) == (Status.CLOSED, 5_484, 1_000_000, 0)


def test_money_that_no_longer_settles_is_a_payment() -> None:
    paid = then(lent(), Kind.PAID, 2, 15, 172_548)
    settled = then(paid, Kind.SETTLED, 3, 1, standing.payoff(paid, date(2025, 3, 1)))
    assert stands(settled, 3, 1).status is Status.CLOSED
    undone = then(settled, Kind.REVERSED, 3, 2, of=1)
    assert stands(undone, 3, 2).owed_fen == 1_035_291 - settled.happenings[1].amount_fen


def test_a_payment_in_advance_by_the_products_rule() -> None:
    amount = 172_548 + 200_000
    after = {rule: stands(then(lent(LoanProduct(prepayment=rule)), Kind.PAID, 2, 15, amount), 2, 15) for rule in Prepayment}
    left = {rule: [sum(line.owed) for line in each.lines] for rule, each in after.items()}
    assert left[Prepayment.NEXT_INSTALMENT] == [0, 0, 172_548 - 27_452, 172_548, 172_548, 172_551]
    assert left[Prepayment.LAST_INSTALMENT] == [0, 172_548, 172_548, 172_548, 172_548 - 27_449, 0]
    anew = schedule.build(STANDARD, Credit(principal_fen=637_452, annual_rate=Decimal("0.12"), periods=5, disbursed_on=date(2025, 2, 15)))
    assert left[Prepayment.RE_AMORTISE] == [0, *(line.amount_fen for line in anew)], "the same number, as a loan of what is left would have"
    assert left[Prepayment.SHORTEN] == [0, 172_548, 172_548, 172_548, 133_930 + 1_339, 0], "the same amount, and over sooner"
    assert after[Prepayment.RE_AMORTISE].principal_fen == after[Prepayment.SHORTEN].principal_fen == 637_452


def test_a_prepayment_in_mid_period_pays_interest_to_the_day_first() -> None:
    paid = then(lent(LoanProduct(prepayment=Prepayment.RE_AMORTISE)), Kind.PAID, 2, 1, 105_484)
    now, due = stands(paid, 2, 1), stands(paid, 2, 15)
    assert (now.paid.interest, now.paid.principal, now.principal_fen) == (5_484, 100_000, 900_000)
    assert now.lines[0].owed.interest == round(900_000 * 0.01 * 14 / 31), "the rest of the first month, on what is left"
    assert due.earned.interest_fen == 5_484 + now.lines[0].owed.interest
    assert sum(line.owed.principal for line in now.lines) == 900_000


@pytest.mark.parametrize("goes_on", [False, True])
def test_a_charge_off_takes_the_loan_out_of_the_books_and_leaves_the_claim(goes_on: bool) -> None:
    loan = then(lent(LoanProduct(accrues_after_charge_off=goes_on)), Kind.PAID, 2, 15, 172_548)
    off = then(loan, Kind.CHARGED_OFF, 6, 1)
    now, later = stands(off, 6, 1), stands(off, 12, 1)
    assert (now.status, now.principal_fen, now.written_off_fen, now.earned.interest_fen) == (Status.CHARGED_OFF, 0, 837_452, 10_000)
    assert later.earned == now.earned, "nothing more is earned in the books"
    claim = 837_452 + 8_375 + 6_733 + 5_075 + round(3_400 * 17 / 31)
    assert standing.payoff(off, date(2025, 6, 1)) == claim
    assert standing.payoff(off, date(2025, 12, 1)) == (837_452 + 25_291 if goes_on else claim)
    recovered = stands(then(off, Kind.PAID, 7, 1, 50_000), 7, 1)
    assert (recovered.recovered_fen, recovered.principal_fen, recovered.written_off_fen) == (50_000, 0, 837_452)


def test_re_ageing_moves_all_that_is_unpaid_into_new_instalments_and_history_stays() -> None:
    paid = then(lent(), Kind.PAID, 2, 15, 172_548)
    aged = then(paid, Kind.RE_AGED, 5, 20, periods=4, start_on=date(2025, 6, 30))
    now = stands(aged, 5, 20)
    run = 8_375 + 6_733 + 5_075 + round(3_400 * 5 / 31)
    new = [line for line in now.lines if line.number > 6]
    assert [sum(line.owed) for line in now.lines if line.number <= 6] == [0] * 6
    assert now.lines[0].asked == Amounts(0, 0, 10_000, 162_548)
    assert [(line.number, line.due_on) for line in new] == [(7 + month, date(2025, 6 + month, 30)) for month in range(4)]
    assert (now.owed.principal, now.days_past_due, now.status) == (837_452, 0, Status.ACTIVE)
    first = new[0]
    assert first.owed.interest == -(-run // 4) + round(837_452 * 0.12 * 40 / 360), "a quarter of what had run, and forty days on all principal"
    assert now.earned.interest_fen == stands(paid, 5, 20).earned.interest_fen, "nothing is earned or lost by it"
    assert stands(aged, 6, 30).earned.interest_fen == now.earned.interest_fen + round(837_452 * 0.12 * 40 / 360)


def test_re_amortising_spreads_what_is_overdue_over_the_instalments_left() -> None:
    late = then(lent(LATE), Kind.RE_AMORTISED, 3, 1)
    now, before = stands(late, 3, 1), stands(lent(LATE), 3, 1)
    assert sum(now.lines[0].owed) == now.overdue_fen == 0
    assert [line.due_on for line in now.lines] == [line.due_on for line in before.lines]
    assert (now.owed, now.earned) == (before.owed, before.earned)
    gained = [sum(one.owed) - sum(other.owed) for one, other in zip(now.lines[1:], before.lines[1:], strict=True)]
    assert max(gained) - min(gained) <= 4, "each takes a fifth, to the fen in each component"


def test_a_chargeback_asks_again_in_the_current_instalment_in_the_components_it_had_paid() -> None:
    paid = then(lent(), Kind.PAID, 2, 15, 172_548)
    back = stands(then(paid, Kind.CHARGED_BACK, 3, 1, 172_548, of=1), 3, 1)
    assert back.lines[1].asked == Amounts(0, 0, 8_375 + 10_000, 164_173 + 162_548)
    assert (back.principal_fen, back.paid.interest, back.days_past_due) == (1_000_000, 0, 0)
    assert back.earned.interest_fen == 10_000 + round(8_375 * 14 / 28), "it was earned once, and is not again"
    part = stands(then(paid, Kind.CHARGED_BACK, 3, 1, 165_000, of=1), 3, 1)
    assert (part.paid.principal, part.paid.interest) == (0, 10_000 - 2_452), "what was paid last is taken back first"


def test_a_refunded_purchase_pays_like_the_customer_and_an_overpayment_goes_back() -> None:
    refunded = then(lent(), Kind.REFUNDED, 2, 15, 1_200_000)
    assert stands(refunded, 2, 15).overpaid_fen == 1_200_000 - 1_035_291
    assert stands(then(refunded, Kind.PAID_BACK, 2, 16, 164_709), 2, 16).overpaid_fen == 0


def test_a_fee_falls_due_with_the_current_instalment_and_can_be_waived() -> None:
    charged = then(lent(LATE), Kind.FEE_CHARGED, 2, 1, 3_000)
    assert (stands(charged, 2, 1).lines[0].owed.fee, stands(charged, 2, 1).earned.fee_fen, stands(charged, 2, 1).due_fen) == (3_000, 3_000, 0)
    waived = then(then(charged, Kind.WAIVED, 2, 20, 5_225, component=Component.FEE), Kind.WAIVED, 2, 20, 100, component=Component.PENALTY)
    now = stands(waived, 2, 20)
    assert (now.owed.fee, now.owed.penalty, now.earned.fee_fen, now.earned.penalty_fen) == (0, 73, 0, 73)


def test_a_fee_is_paid_by_what_was_overpaid() -> None:
    over = then(lent(), Kind.PAID, 2, 15, 1_036_291)
    charged = stands(then(over, Kind.FEE_CHARGED, 3, 1, 300), 3, 1)
    assert (charged.overpaid_fen, charged.owed_fen, charged.paid.fee) == (700, 0, 300)


def test_a_reversal_leaves_the_loan_as_if_it_had_never_been() -> None:
    paid = then(lent(LATE), Kind.PAID, 2, 15, 172_548)
    reversed_ = then(paid, Kind.REVERSED, 3, 1, of=1)
    assert stands(reversed_, 3, 1) == stands(lent(LATE), 3, 1)
    assert stands(reversed_, 3, 1).earned.penalty_fen > 0, "it was late all the time"


def test_an_equal_principal_loan_shortens_by_whole_parts() -> None:
    product = LoanProduct(method=Method.EQUAL_PRINCIPAL, prepayment=Prepayment.SHORTEN)
    now = stands(then(lent(product), Kind.PAID, 2, 15, 176_667 + 400_000), 2, 15)
    assert [line.owed.principal for line in now.lines] == [0, 166_667, 166_667, 99_999, 0, 0]
    assert [line.owed.interest for line in now.lines] == [0, 4_333, 2_667, 1_000, 0, 0]
