"""What each happening moves in the books: one linked chain by the table of business events, corrections by reversing and new transfers only."""

import asyncio
from collections.abc import Mapping
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from ctl.kit.problem import Problem
from reference_apps.ledger.algebra import core
from reference_apps.ledger.books import Books
from reference_apps.ledger.door import views
from reference_apps.ledger.keeping import body, journals, loanrows, record
from reference_apps.ledger.keeping.desk import Desk
from reference_apps.ledger.keeping.entry import Entry
from reference_apps.ledger.keeping.record import Record
from reference_apps.ledger.loans import chart, lending, posting, standing
from reference_apps.ledger.loans.allocation import Component
from reference_apps.ledger.loans.chart import Business, Control
from reference_apps.ledger.loans.happening import Happening, Kind
from reference_apps.ledger.loans.loan import Loan, Terms
from reference_apps.ledger.loans.posted import NOTHING
from reference_apps.ledger.loans.product import STANDARD, LoanProduct

DAY, NOW = date(2025, 1, 15), 1_000_000
LATE = LoanProduct(late_fee_fen=500, late_fee_rate=Decimal("0.01"), penalty_daily_rate=Decimal("0.0005"), penalty_grace_days=3)
OF_BEFORE = Path(__file__).parent / "ledger_journal_of_before.jsonl"


class Told:
    """One loan of 10,000.00 over six months from 2025-01-15 at 12 %, on books of its own."""

    def __init__(self, product: LoanProduct = STANDARD, fee_fen: int = 0) -> None:
        self.books = Books()
        core.create_accounts(self.books, chart.accounts(), NOW)
        terms = Terms(
            reference="c", customer="mike", currency="CNY", principal_fen=1_000_000, annual_rate=Decimal("0.12"), periods=6, disbursed_on=DAY,
            product=product, fee_fen=fee_fen,
        )  # fmt: skip
        self.id = lending.disburse(self.books, "LN1", terms, NOW).id

    @property
    def loan(self) -> Loan:
        return self.books.loans.own[self.id]

    def then(self, kind: Kind, month: int, day: int, amount_fen: int = 0, **fields: Any) -> list[tuple[str, str, int]]:
        """Enter a happening and return what it moved: debit, credit, amount."""
        draft, on = self.books.draft(), date(2025, month, day)
        happening = Happening(number=lending.next_number(self.loan), kind=kind, on=on, booked_on=on, amount_fen=amount_fen, **fields)
        lending.happen(draft, self.loan, happening, NOW)
        chain = list(draft.transfers.own.values())
        assert [each.flags for each in chain] == [1] * (len(chain) - 1) + [0] * bool(chain), "one linked chain"
        draft.keep()
        return [(chart.name(each.debit_account_id), chart.name(each.credit_account_id), each.amount) for each in chain]

    def balances(self) -> Mapping[Control, int]:
        accounts = {control: self.books.accounts.own[int(control)] for control in Control}
        return {control: each.debits_posted - each.credits_posted for control, each in accounts.items() if each.debits_posted != each.credits_posted}


def test_a_fee_kept_back_is_income_and_the_customer_gets_the_rest() -> None:
    assert Told(fee_fen=20_000).balances() == {Control.PRINCIPAL: 1_000_000, Control.BANK: -980_000, Control.FEE_INCOME: -20_000}


def test_a_late_repayment_posts_what_was_earned_and_pays_in_the_products_order() -> None:
    assert Told(LATE).then(Kind.PAID, 2, 20, 100_000) == [
        ("interest_receivable", "interest_income", 10_000 + round(8_375 * 5 / 28)),
        ("fee_receivable", "fee_income", 2_225),
        ("penalty_receivable", "penalty_income", 173),
        ("bank", "penalty_receivable", 173),
        ("bank", "fee_receivable", 2_225),
        ("bank", "interest_receivable", 10_000),
        ("bank", "principal", 87_602),
    ]


def test_an_early_settlement_pays_back_future_interest_that_was_paid() -> None:
    told = Told()
    told.then(Kind.PAID, 1, 15, 172_548)
    quote = standing.payoff(told.loan, date(2025, 2, 1))
    assert told.then(Kind.SETTLED, 2, 1, quote) == [
        ("interest_receivable", "principal", 10_000 - 5_484),
        ("bank", "principal", quote),
        ("interest_income", "interest_receivable", 10_000 - 5_484),
    ]
    assert told.balances() == {Control.BANK: 5_484, Control.INTEREST_INCOME: -5_484}


def test_a_stale_quote_is_refused_naming_both_amounts() -> None:
    told = Told()
    with pytest.raises(Problem, match="is settled on 2025-02-02 by 1005806 fen, found 1005484 fen") as refused:
        told.then(Kind.SETTLED, 2, 2, 1_005_484)
    assert (refused.value.status, refused.value.code) == (409, "stale_quote")


def test_a_charge_off_writes_the_principal_off_and_takes_open_income_back_and_what_comes_then_is_recovery() -> None:
    told = Told(LATE)
    told.then(Kind.PAID, 2, 15, 172_548)
    moved = told.then(Kind.CHARGED_OFF, 3, 21)
    assert moved[:3] == [
        ("interest_receivable", "interest_income", 8_375 + round(6_733 * 6 / 31)),
        ("fee_receivable", "fee_income", 2_225),
        ("penalty_receivable", "penalty_income", round(172_548 * 3 * 0.0005)),
    ]
    assert moved[3:] == [("write_off", "principal", 837_452), *((credit, debit, fen) for debit, credit, fen in moved[:3])]
    assert told.then(Kind.PAID, 4, 1, 50_000) == [("bank", "recovery_income", 50_000)]
    assert told.balances() == {
        Control.BANK: -1_000_000 + 172_548 + 50_000,
        Control.WRITE_OFF: 837_452,
        Control.INTEREST_INCOME: -10_000,
        Control.RECOVERY_INCOME: -50_000,
    }


def test_an_overpayment_goes_back_and_no_more_than_that() -> None:
    told = Told()
    told.then(Kind.PAID, 2, 15, 1_040_000)
    with pytest.raises(Problem, match="has 4709 fen overpaid on 2025-02-16, found 4710 fen"):
        told.then(Kind.PAID_BACK, 2, 16, 4_710)
    assert told.then(Kind.PAID_BACK, 2, 16, 4_709) == [("overpayment", "bank", 4_709)]
    with pytest.raises(Problem, match="4709 fen of what would no longer be overpaid have gone back"):
        told.then(Kind.REVERSED, 2, 17, of=1)


def test_a_chargeback_pays_out_what_had_been_paid() -> None:
    told = Told()
    told.then(Kind.PAID, 2, 15, 172_548)
    assert told.then(Kind.CHARGED_BACK, 3, 1, 172_548, of=1) == [
        ("interest_receivable", "interest_income", round(8_375 * 14 / 28)),
        ("principal", "bank", 162_548),
        ("interest_receivable", "bank", 10_000),
    ]
    with pytest.raises(Problem, match="has 0 fen of payment 1 left to charge back on 2025-03-02, found 1 fen"):
        told.then(Kind.CHARGED_BACK, 3, 2, 1, of=1)
    with pytest.raises(Problem, match="number 1 was charged back by number 2"):
        told.then(Kind.REVERSED, 3, 2, of=1)


def test_a_reversal_undoes_the_latest_first_and_books_anew_the_oldest_first() -> None:
    told = Told(LATE)
    told.then(Kind.PAID, 2, 15, 172_548)
    told.then(Kind.PAID, 3, 15, 172_548)
    moved = told.then(Kind.REVERSED, 3, 15, of=1, reason="bounced")
    late = (round(172_548 * 0.0005 * 25), 2_225)
    assert moved == [
        ("fee_receivable", "fee_income", late[1]),
        ("penalty_receivable", "penalty_income", late[0]),
        ("principal", "bank", 164_173),
        ("interest_receivable", "bank", 8_375),
        ("principal", "bank", 162_548),
        ("interest_receivable", "bank", 10_000),
        ("bank", "penalty_receivable", late[0]),
        ("bank", "fee_receivable", late[1]),
        ("bank", "interest_receivable", 10_000 + 0),
        ("bank", "principal", 172_548 - 10_000 - sum(late)),
    ]
    assert standing.standing(told.loan, date(2025, 3, 15)).days_past_due == 28


def test_a_back_dated_payment_ends_as_if_it_had_come_on_its_day() -> None:
    late, straight = Told(LATE), Told(LATE)
    late.then(Kind.PAID, 3, 10, 172_548)
    known = dict(late.books.transfers.own)
    late.then(Kind.PAID, 2, 15, 172_548)
    straight.then(Kind.PAID, 2, 15, 172_548)
    straight.then(Kind.PAID, 3, 10, 172_548)
    assert late.balances() == straight.balances()
    assert all(late.books.transfers.own[number] == transfer for number, transfer in known.items()), "nothing is edited"
    assert {each.code for each in list(late.books.transfers.own.values())[len(known) :]} >= {Business.UNDO, Business.REPAY, Business.CHARGE_FEE}


def test_what_is_posted_for_a_day_is_not_posted_again() -> None:
    told = Told()
    for _ in range(2):
        posting.catch_up(told.books, told.loan, date(2025, 2, 1), NOW)
        assert (told.books.posted.get(told.loan.number) or NOTHING).interest_fen == 5_484
    assert told.then(Kind.PAID, 1, 20, 1_000) == [("bank", "interest_receivable", 1_000)], "a payment of before does not take back what was earned since"
    posting.catch_up(told.books, told.loan, date(2025, 2, 15), NOW)
    assert told.balances()[Control.INTEREST_INCOME] == -10_000


@pytest.mark.parametrize(
    "before, kind, fields, code",
    [
        ((), Kind.PAID, {"on": DAY - timedelta(days=1)}, "before_disbursed"),
        ((Kind.CHARGED_OFF,), Kind.CHARGED_OFF, {}, "loan_is_charged_off"),
        ((Kind.CHARGED_OFF,), Kind.RE_AGED, {"periods": 3, "start_on": date(2025, 9, 1)}, "loan_is_charged_off"),
        ((), Kind.RE_AGED, {"periods": 3, "start_on": date(2025, 6, 1)}, "bad_input"),
        ((), Kind.WAIVED, {"amount_fen": 1, "component": Component.FEE}, "more_than_there_is"),
        ((), Kind.CHARGED_BACK, {"amount_fen": 1, "of": 7}, "happening_not_found"),
        ((Kind.CHARGED_OFF,), Kind.CHARGED_BACK, {"amount_fen": 1, "of": 1}, "not_a_payment"),
        ((Kind.CHARGED_OFF, Kind.REVERSED), Kind.REVERSED, {"of": 1}, "reversed_already"),
        ((Kind.CHARGED_OFF, Kind.REVERSED), Kind.REVERSED, {"of": 2}, "not_reversible"),
        ((), Kind.RE_AMORTISED, {"on": DAY}, "nothing_overdue"),
        ((Kind.SETTLED,), Kind.FEE_CHARGED, {"on": date(2025, 5, 1), "amount_fen": 5}, "settled_since"),
        ((Kind.SETTLED,), Kind.SETTLED, {}, "loan_is_closed"),
        ((), Kind.RE_AMORTISED, {"on": date(2025, 8, 1)}, "no_instalment_left"),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_is_booked(before: tuple[Kind, ...], kind: Kind, fields: dict[str, Any], code: str) -> None:
    told, on = Told(), date(2025, 6, 1)
    for number, each in enumerate(before, 1):
        settles = standing.payoff(told.loan, on) if each is Kind.SETTLED else 0
        told.then(each, 6, 1, settles, of=1 if each is Kind.REVERSED else 0)
        assert len(told.loan.happenings) == number
    known = told.balances()
    happening = Happening(**({"number": len(before) + 1, "kind": kind, "on": on, "booked_on": on} | fields))
    with pytest.raises(Problem) as refused:
        lending.happen(told.books.draft(), told.loan, happening, NOW)
    assert refused.value.code == code
    assert "loan LN1" in refused.value.detail
    assert told.balances() == known


def test_happenings_survive_the_journal() -> None:
    aged = Happening(
        number=3,
        kind=Kind.RE_AGED,
        on=DAY,
        booked_on=DAY,
        periods=4,
        start_on=date(2025, 6, 30),
        reason="hardship",
        of=1,
        component=Component.FEE,
        amount_fen=5,
    )
    plain = Happening(number=1, kind=Kind.CHARGED_OFF, on=DAY, booked_on=DAY)
    for each in (aged, plain):
        (read,) = body.read(body.write([Entry(happened=("LN1", each))]))
        assert read.happened == ("LN1", each)
    assert set(loanrows.happening_to_row(plain)) == {"number", "kind", "on", "booked_on"}


def test_a_journal_of_before_is_read_its_books_get_the_accounts_they_lack_and_their_loans_live_on(tmp_path: Path) -> None:
    old = journals.open_at(tmp_path / "ledger.db")
    old.begin_epoch()
    for line in OF_BEFORE.read_text().splitlines():
        (seq, head), body = old.head(), f"[{line}]".encode()
        digest = record.digest(seq + 1, old.epoch, NOW, head, body)
        old.append(Record(seq=seq + 1, epoch=old.epoch, at_ns=NOW, body=body, previous=head, hash=digest))
    old.close()

    async def story() -> None:
        desk = Desk(tmp_path / "ledger.db", on_fenced=lambda: None)
        await desk.open()
        assert set(map(int, Control)) <= set(desk.books.accounts.own)
        stands = {key: standing.standing(loan, date(2025, 4, 20)) for key, loan in desk.books.loans.own.items()}
        assert [(each.owed.interest, each.owed.principal, each.overpaid_fen) for each in stands.values()] == [
            (24_291, 837_452, 0),
            (19_097, 182_986, 0),
            (0, 0, 4_709),
        ]
        for key in list(desk.books.loans.own):
            await desk.submit(lambda books, now_ns, key=key: (200, {"n": lending.repay(books, books.loans.get(key), 1_000, date(2025, 5, 20), now_ns).number}))
        for key, loan in desk.books.loans.own.items():
            posted, earned = desk.books.posted.get(loan.number), standing.standing(loan, date(2025, 5, 20)).earned
            assert posted is not None
            assert posted.interest_fen == earned.interest_fen, f"{key}: what had been recognised in full is earned by the day from now on"
        assert views.trial_balance(desk.books)["balanced"]
        await desk.close()

    asyncio.run(story())
    assert journals.verify(tmp_path / "ledger.db")[0] == len(OF_BEFORE.read_text().splitlines()) + 4
