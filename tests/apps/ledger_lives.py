"""Books full of random loans for the tests of the ledger: products of every kind, and lives in which anything happens in any order."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

from ctl.kit.problem import Problem
from reference_apps.ledger.algebra import core
from reference_apps.ledger.books import Books
from reference_apps.ledger.loans import chart, lending, standing
from reference_apps.ledger.loans.allocation import ORDER, Component, Style
from reference_apps.ledger.loans.chart import Control
from reference_apps.ledger.loans.daycount import DayCount
from reference_apps.ledger.loans.happening import Happening, Kind
from reference_apps.ledger.loans.loan import Loan, Terms
from reference_apps.ledger.loans.product import LoanProduct, Method, Prepayment
from reference_apps.ledger.loans.rounding import Rounding

DAY = date(2025, 1, 31)
NOW = 1_738_281_600_000_000_000


@dataclass(frozen=True)
class Step:
    """Something that happens to a loan, so many days after its disbursement."""

    kind: Kind
    days: int
    fields: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Plan:
    """A loan and what is tried on it."""

    product: LoanProduct
    principal_fen: int
    rate: Decimal
    periods: int
    starts: int
    steps: Sequence[Step]


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


@st.composite
def products(draw: st.DrawFn) -> LoanProduct:
    method = draw(st.sampled_from(Method))
    return LoanProduct(
        method=method,
        day_count=DayCount.THIRTY_360 if method is Method.FLAT else draw(st.sampled_from(DayCount)),
        rounding=draw(st.sampled_from(Rounding)),
        principal_grace=draw(st.integers(0, 1)),
        interest_grace=draw(st.sampled_from([0, 0, 1, 2])),
        interest_free=draw(st.integers(0, 1)),
        down_payment=draw(st.sampled_from([Decimal(0), Decimal(0), Decimal("0.2")])),
        order=draw(st.sampled_from([ORDER, ORDER, ORDER[::-1]])),
        style=draw(st.sampled_from([Style.HORIZONTAL, Style.HORIZONTAL, Style.VERTICAL])),
        prepayment=draw(st.sampled_from([Prepayment.NEXT_INSTALMENT, *Prepayment])),
        late_fee_fen=draw(st.sampled_from([0, 2_000])),
        late_fee_rate=draw(st.sampled_from([Decimal(0), Decimal("0.01")])),
        penalty_daily_rate=draw(st.sampled_from([Decimal(0), Decimal("0.0005"), Decimal("0.00031")])),
        penalty_grace_days=draw(st.integers(0, 5)),
        charge_off_days=draw(st.sampled_from([0, 0, 45, 90])),
        accrues_after_charge_off=draw(st.booleans()),
    )


@st.composite
def steps(draw: st.DrawFn) -> Step:
    kind = draw(st.sampled_from([Kind.PAID] * 10 + list(Kind)))
    fields: dict[str, Any] = {}
    if kind in (Kind.PAID, Kind.REFUNDED, Kind.PAID_BACK, Kind.FEE_CHARGED, Kind.WAIVED, Kind.CHARGED_BACK):
        fields["amount_fen"] = draw(st.one_of(st.integers(1, 400_000), st.integers(1, 2_000_000)))
    if kind in (Kind.CHARGED_BACK, Kind.REVERSED):
        fields["of"] = draw(st.integers(1, 6))
    if kind is Kind.WAIVED:
        fields["component"] = draw(st.sampled_from([Component.FEE, Component.PENALTY]))
    if kind is Kind.RE_AGED:
        fields["periods"] = draw(st.integers(1, 6))
    return Step(kind, draw(st.integers(0, 250)), fields)


plans = st.builds(
    Plan, products(), st.integers(3_000, 5_000_000), st.decimals(0, "0.36", places=2), st.integers(3, 8), st.integers(0, 60), st.lists(steps(), max_size=5)
)


def enter(books: Books, loan_id: str, kind: Kind, on: date, **fields: Any) -> None:
    loan = books.loans.get(loan_id)
    assert loan is not None
    happening = Happening(number=lending.next_number(loan), kind=kind, on=on, booked_on=on, **fields)
    lending.happen(books, loan, happening, NOW)


def possible(loan: Loan, on: date, step: Step) -> dict[str, Any]:
    """Return the step's fields, made possible where they are not: a settlement by its quote, no more back than there is."""
    fields = dict(step.fields)
    match step.kind:
        case Kind.SETTLED:
            fields["amount_fen"] = standing.payoff(loan, on)
        case Kind.PAID_BACK:
            fields["amount_fen"] = max(1, min(fields["amount_fen"], standing.standing(loan, on).overpaid_fen))
        case Kind.CHARGED_BACK:
            fields["amount_fen"] = min([fields["amount_fen"], *(each.amount_fen for each in loan.happenings if each.number == fields["of"])])
        case Kind.WAIVED:
            fields["amount_fen"] = max(1, min(fields["amount_fen"], getattr(standing.standing(loan, on).owed, fields["component"])))
        case Kind.RE_AGED:
            fields["start_on"] = on + timedelta(days=20)
        case _:
            pass
    return fields


def try_step(books: Books, loan_id: str, step: Step) -> bool:
    """Enter a step on a draft; say whether it was taken."""
    loan = books.loans.get(loan_id)
    assert loan is not None
    on, draft = loan.terms.disbursed_on + timedelta(days=step.days), books.draft()
    try:
        enter(draft, loan_id, step.kind, on, **possible(loan, on, step))
    except Problem:
        return False
    draft.keep()
    return True


def lend(books: Books, number: int, plan: Plan) -> str:
    """Pay a planned loan out; return its id, or nothing when there can be no such loan."""
    draft, loan_id = books.draft(), lending.loan_id(f"loan-{number}")
    on = DAY + timedelta(days=plan.starts)
    try:
        agreed = terms(principal_fen=plan.principal_fen, annual_rate=plan.rate, periods=plan.periods, product=plan.product, disbursed_on=on)
        lending.disburse(draft, loan_id, agreed, NOW)
    except Problem:
        return ""
    draft.keep()
    return loan_id


def live(books: Books, several: Sequence[Plan]) -> None:
    """Let all planned loans live."""
    for number, plan in enumerate(several):
        loan_id = lend(books, number, plan)
        for step in plan.steps if loan_id else ():
            try_step(books, loan_id, step)
