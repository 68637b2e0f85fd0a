"""Random lives of loans on the books: whatever happens in whatever order, money is conserved, and the books say what the loans say."""

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ctl.kit.problem import Problem
from reference_apps.ledger.algebra import core
from reference_apps.ledger.books import Books
from reference_apps.ledger.keeping import body, entry
from reference_apps.ledger.loans import chart, happened, lending, posting, standing
from reference_apps.ledger.loans.allocation import ORDER, Component, Style
from reference_apps.ledger.loans.chart import RECEIVABLE, Control
from reference_apps.ledger.loans.daycount import DayCount
from reference_apps.ledger.loans.happening import PAYING, Happening, Kind
from reference_apps.ledger.loans.loan import Loan, Terms
from reference_apps.ledger.loans.posted import NOTHING, Posted
from reference_apps.ledger.loans.product import LoanProduct, Method, Prepayment
from reference_apps.ledger.loans.standing import Status

DAY, END = date(2025, 1, 31), date(2029, 1, 1)
NOW = 1_000_000


def opened() -> Books:
    books = Books()
    core.create_accounts(books, chart.accounts(), NOW)
    return books


def balance(books: Books, control: Control) -> int:
    """Debits minus credits."""
    account = books.accounts.get(int(control))
    assert account is not None
    return account.debits_posted - account.credits_posted


def terms(**fields: Any) -> Terms:
    given = {"reference": "case-1", "customer": "mike", "currency": "CNY", "principal_fen": 1_000_000, "annual_rate": Decimal("0.12"), "periods": 6}
    return Terms(**(given | {"disbursed_on": DAY} | fields))


def enter(books: Books, loan_id: str, kind: Kind, on: date, **fields: Any) -> None:
    loan = books.loans.get(loan_id)
    assert loan is not None
    happening = Happening(number=lending.next_number(loan), kind=kind, on=on, booked_on=max(on, fields.pop("booked_on", on)), **fields)
    lending.happen(books, loan, happening, NOW)


@st.composite
def products(draw: st.DrawFn) -> LoanProduct:
    method = draw(st.sampled_from(Method))
    return LoanProduct(
        method=method,
        day_count=DayCount.THIRTY_360 if method is Method.FLAT else draw(st.sampled_from(DayCount)),
        principal_grace=draw(st.integers(0, 1)),
        interest_grace=draw(st.integers(0, 2)),
        interest_free=draw(st.integers(0, 1)),
        down_payment=draw(st.sampled_from([Decimal(0), Decimal(0), Decimal("0.2")])),
        order=draw(st.sampled_from([ORDER, ORDER[::-1]])),
        style=draw(st.sampled_from(Style)),
        prepayment=draw(st.sampled_from(Prepayment)),
        late_fee_fen=draw(st.sampled_from([0, 2_000])),
        late_fee_rate=draw(st.sampled_from([Decimal(0), Decimal("0.01")])),
        penalty_daily_rate=draw(st.sampled_from([Decimal(0), Decimal("0.0005")])),
        penalty_grace_days=draw(st.integers(0, 5)),
        accrues_after_charge_off=draw(st.booleans()),
    )


@st.composite
def steps(draw: st.DrawFn) -> tuple[Kind, int, dict[str, Any]]:
    """Return a kind, the days after the disbursement, and the fields; what it concerns is drawn among the first few."""
    kind = draw(st.sampled_from([Kind.PAID] * 6 + list(Kind)))
    fields: dict[str, Any] = {}
    if kind in (Kind.PAID, Kind.REFUNDED, Kind.PAID_BACK, Kind.FEE_CHARGED, Kind.WAIVED, Kind.CHARGED_BACK):
        fields["amount_fen"] = draw(st.one_of(st.integers(1, 400_000), st.integers(1, 2_000_000)))
    if kind in (Kind.CHARGED_BACK, Kind.REVERSED):
        fields["of"] = draw(st.integers(1, 6))
    if kind is Kind.WAIVED:
        fields["component"] = draw(st.sampled_from([Component.FEE, Component.PENALTY]))
    if kind is Kind.RE_AGED:
        fields |= {"periods": draw(st.integers(1, 6))}
    return kind, draw(st.integers(0, 400)), fields


lives = st.tuples(products(), st.integers(3_000, 5_000_000), st.decimals(0, "0.36", places=2), st.integers(3, 8), st.lists(steps(), max_size=7))


REFUSALS = {
    "loan_is_charged_off", "loan_is_closed", "more_than_there_is", "nothing_overdue", "no_instalment_left", "not_a_payment", "not_reversible",
    "reversed_already", "charged_back", "happening_not_found", "overpayment_is_gone", "settled_since",
}  # fmt: skip


def live(books: Books, loan_id: str, step: tuple[Kind, int, dict[str, Any]]) -> Problem | None:
    """Enter a step, made possible where it is not: a settlement by its quote, no more back than there is. Return the refusal."""
    kind, days, fields = step
    loan, on = books.loans.get(loan_id), DAY + timedelta(days=days)
    assert loan is not None
    if kind is Kind.SETTLED:
        fields = {"amount_fen": standing.payoff(loan, on)}
    if kind is Kind.PAID_BACK:
        fields = {"amount_fen": max(1, min(fields["amount_fen"], standing.standing(loan, on).overpaid_fen))}
    if kind is Kind.CHARGED_BACK:
        fields = fields | {"amount_fen": min([fields["amount_fen"], *(each.amount_fen for each in loan.happenings if each.number == fields["of"])])}
    if kind is Kind.WAIVED:
        fields = fields | {"amount_fen": max(1, min(fields["amount_fen"], getattr(standing.standing(loan, on).owed, fields["component"])))}
    if kind is Kind.RE_AGED:
        fields = fields | {"start_on": on + timedelta(days=20)}
    try:
        enter(books, loan_id, kind, on, **fields)
    except Problem as refused:
        return refused
    return None


@settings(deadline=None, max_examples=250)
@given(st.lists(lives, min_size=1, max_size=2))
def test_the_books_say_what_the_loans_say_over_random_lives(several: list[Any]) -> None:
    _told(several)


@pytest.mark.nightly
@settings(deadline=None, max_examples=20_000)
@given(st.lists(lives, min_size=1, max_size=3))
def test_the_books_say_what_the_loans_say_over_very_many_lives(several: list[Any]) -> None:
    _told(several)


def _told(several: list[Any]) -> None:
    """Live several lives on the same books: after every step they agree, and a replay of the journal is the same books."""
    books, replayed = opened(), Books()
    entry.fold(replayed, entry.of_draft(books, Books()))
    for number, (product, principal, rate, periods, happenings) in enumerate(several):
        loan_id = lending.loan_id(f"loan-{number}")
        draft = books.draft()
        try:
            lending.disburse(draft, loan_id, terms(principal_fen=principal, annual_rate=rate, periods=periods, product=product), NOW)
        except Problem:
            continue
        _keep(books, draft, replayed)
        for step in happenings:
            draft = books.draft()
            refusal = live(draft, loan_id, step)
            if refusal is None:
                _keep(books, draft, replayed)
                _agrees(books)
            else:
                assert refusal.code in REFUSALS, refusal
    for name in ("accounts", "transfers", "loans", "posted"):
        assert getattr(books, name).own == getattr(replayed, name).own, name
    _agrees_with_the_order_by_date(books)


def _keep(books: Books, draft: Books, replayed: Books) -> None:
    """Keep a draft, and replay what the journal would hold of it."""
    facts = entry.of_draft(draft, books)
    draft.keep()
    entry.fold(replayed, body.read(body.write([facts]))[0])


def _agrees_with_the_order_by_date(books: Books) -> None:
    """Whether the accounts end as if everything that counts had been entered on its day, in the order of the days."""
    straight = opened()
    for loan in books.loans.own.values():
        lending.disburse(straight, loan.id, loan.terms, NOW)
        numbers = {each.number: place for place, each in enumerate(loan.in_force(), 1)}
        for each in loan.in_force():
            known = straight.loans.get(loan.id)
            assert known is not None
            posting.enter(straight, known, replace(each, number=numbers[each.number], of=numbers.get(each.of, 0)), NOW)
    for each_books in (books, straight):
        for loan in each_books.loans.own.values():
            posting.catch_up(each_books, loan, END, NOW)
    assert {control: balance(books, control) for control in Control} == {control: balance(straight, control) for control in Control}


def _agrees(books: Books) -> None:
    """Whether every control account is the sum over the loans, and no loan owes less than nothing."""
    loans = list(books.loans.own.values())
    lasts = {loan.id: max([loan.terms.disbursed_on, *(each.on for each in loan.happenings)]) for loan in loans}
    stands = {loan.id: standing.standing(loan, lasts[loan.id]) for loan in loans}
    posted = {loan.id: books.posted.get(loan.number) or NOTHING for loan in loans}
    assert sum(balance(books, control) for control in Control) == 0
    assert balance(books, Control.PRINCIPAL) == sum(each.principal_fen for each in stands.values())
    assert balance(books, Control.OVERPAYMENT) == -sum(each.overpaid_fen for each in stands.values())
    assert balance(books, Control.RECOVERY_INCOME) == -sum(each.recovered_fen for each in stands.values())
    for name, component in (("interest", Component.INTEREST), ("fee", Component.FEE), ("penalty", Component.PENALTY)):
        earned = sum(getattr(each, f"{name}_fen") for each in posted.values())
        assert balance(books, Control[f"{name.upper()}_INCOME"]) == -earned
        open_fen = {key: getattr(posted[key], f"{name}_fen") - getattr(each.paid, name) for key, each in stands.items()}
        assert balance(books, RECEIVABLE[component]) == sum(open_fen.values())
        assert all(fen >= 0 for fen in open_fen.values())
    for loan in loans:
        _is_sound(loan, stands[loan.id], posted[loan.id])


def _is_sound(loan: Loan, stands: standing.Standing, posted: Posted) -> None:
    through = date.fromordinal(posted.through) if posted.through else loan.terms.disbursed_on
    day = max(through, stands.on)
    later = standing.standing(loan, day).earned
    assert (posted.interest_fen, posted.fee_fen, posted.penalty_fen) == (later.interest_fen, later.fee_fen, later.penalty_fen)
    assert all(fen >= 0 for line in stands.lines for fen in line.owed)
    assert stands.principal_fen >= 0
    assert stands.overpaid_fen == 0 or stands.owed_fen == 0
    assert stands.principal_fen == 0 or stands.status is not Status.CHARGED_OFF
    if stands.charged_off_on is None:
        assert stands.principal_fen == stands.owed.principal
    life = happened.fold(loan, stands.on)
    for each in loan.in_force():
        if each.kind in PAYING:
            split = life.allocations[each.number]
            assert sum(part.amount_fen for part in split.parts) + split.rest_fen == each.amount_fen
            assert all(part.amount_fen > 0 for part in split.parts)


@settings(deadline=None, max_examples=60)
@given(products(), st.integers(10_000, 5_000_000), st.decimals(0, "0.36", places=2), st.integers(3, 12))
def test_interest_posted_day_by_day_is_the_schedules_and_the_balance_ends_at_nothing(product: LoanProduct, principal: int, rate: Decimal, periods: int) -> None:
    books, loan_id = opened(), lending.loan_id("s")
    try:
        loan = lending.disburse(books, loan_id, terms(principal_fen=principal, annual_rate=rate, periods=periods, product=product), NOW)
    except Problem:
        return
    for line in loan.schedule:
        for days in (17, 3, 0):
            on = max(loan.terms.disbursed_on, line.due_on - timedelta(days=days))
            posting.catch_up(books, loan, on, NOW)
        if line.amount_fen:
            enter(books, loan_id, Kind.PAID, line.due_on, amount_fen=line.amount_fen)
        loan = books.loans.get(loan_id) or loan
    stands = standing.standing(loan, loan.schedule[-1].due_on)
    assert (stands.status, stands.principal_fen, stands.owed_fen, stands.overpaid_fen) == (Status.CLOSED, 0, 0, 0)
    assert balance(books, Control.INTEREST_INCOME) == -sum(line.interest_fen for line in loan.schedule)
    assert balance(books, Control.INTEREST_RECEIVABLE) == balance(books, Control.PRINCIPAL) == 0
