"""A quote: what a loan would be and what it would cost, without lending anything. Pure."""

from dataclasses import dataclass
from datetime import date

from ctl.kit.problem import Problem
from reference_apps.ledger.loans import apr, schedule
from reference_apps.ledger.loans.apr import Cost
from reference_apps.ledger.loans.duedate import ALWAYS_OPEN
from reference_apps.ledger.loans.product import LoanProduct
from reference_apps.ledger.loans.schedule import Credit, Instalment


@dataclass(frozen=True, slots=True, kw_only=True)
class Quote:
    """What is asked: `fee_fen` is kept back when the loan is paid out."""

    product: LoanProduct
    credit: Credit
    fee_fen: int = 0

    @property
    def received_fen(self) -> int:
        return self.credit.principal_fen - self.fee_fen


def price(quote: Quote, closed: frozenset[date] = ALWAYS_OPEN) -> tuple[tuple[Instalment, ...], Cost]:
    """Return the schedule and its cost; `closed` are the non-working days. Raises Problem naming the field when there is none."""
    try:
        lines = schedule.build(quote.product, quote.credit, closed)
    except ValueError as error:
        raise Problem(422, "no_schedule", str(error), remedy="correct the field named") from error
    if quote.received_fen < 1:
        detail = f"fee_fen: a fee of {quote.fee_fen} fen leaves nothing of {quote.credit.principal_fen} fen"
        raise Problem(422, "no_rate", detail, remedy="ask for a smaller fee")
    try:
        return lines, apr.cost(quote.received_fen, lines, quote.credit.disbursed_on)
    except apr.NoRate as error:
        detail = f"fee_fen: with {quote.fee_fen} fen kept back and what is paid down at once, there is no rate: {error}"
        raise Problem(422, "no_rate", detail, remedy="ask for a smaller fee, or a smaller down payment") from error
