"""Loans as JSON: what was agreed, what is owed, what was paid. Pure."""

from collections.abc import Sequence
from itertools import accumulate, islice
from operator import sub

from reference_apps.ledger.door.views import Json
from reference_apps.ledger.loans.allocation import Component
from reference_apps.ledger.loans.apr import Cost
from reference_apps.ledger.loans.loan import Loan, Repayment
from reference_apps.ledger.loans.quoting import Quote
from reference_apps.ledger.loans.schedule import Instalment


def loan(value: Loan) -> Json:
    owed, terms = value.outstanding(), value.terms
    return {
        "loan_id": value.id,
        "reference": terms.reference,
        "customer": terms.customer,
        "status": "active" if any(owed.values()) else "closed",
        "currency": terms.currency,
        "principal_fen": terms.principal_fen,
        "annual_rate": str(terms.annual_rate),
        "periods": terms.periods,
        "method": str(terms.product.method),
        "instalment_fen": value.schedule[0].amount_fen,
        "total_interest_fen": sum(line.interest_fen for line in value.schedule),
        "disbursed_on": terms.disbursed_on.isoformat(),
        "first_due_on": value.schedule[0].due_on.isoformat(),
        "last_due_on": value.schedule[-1].due_on.isoformat(),
        "outstanding": {f"{component}_fen": owed[component] for component in Component} | {"total_fen": sum(owed.values())},
        "paid_fen": sum(repayment.amount_fen for repayment in value.repayments),
        "overpaid_fen": value.overpaid_fen(),
        "repayments": len(value.repayments),
        "next_due": _next_due(value),
    }


def schedule(value: Loan) -> Json:
    unpaid = [sum(debt.owed.values()) for debt in value.debts()]
    rows = _instalments(value.schedule, value.terms.principal_fen)
    lines = [row | {"unpaid_fen": left, "paid": left == 0} for row, left in zip(rows, unpaid, strict=True)]
    return {"loan_id": value.id, "method": str(value.terms.product.method), "instalments": lines}


def quote(asked: Quote, lines: Sequence[Instalment], cost: Cost) -> Json:
    """Return a schedule with what it costs; annual rates are fractions with six places, interest and fees counted."""
    credit, interest = asked.credit, sum(line.interest_fen for line in lines)
    rates = {"nominal": credit.annual_rate, "irr12": cost.irr12, "effective": cost.effective, "xirr": cost.xirr}
    return {
        "principal_fen": credit.principal_fen,
        "annual_rate": str(credit.annual_rate),
        "periods": credit.periods,
        "disbursed_on": credit.disbursed_on.isoformat(),
        "method": str(asked.product.method),
        "fee_fen": asked.fee_fen,
        "received_fen": asked.received_fen,
        "total_interest_fen": interest,
        "total_fen": credit.principal_fen + interest,
        "rates": {name: f"{rate:.6f}" for name, rate in rates.items()},
        "instalments": _instalments(lines, credit.principal_fen),
    }


def _instalments(lines: Sequence[Instalment], principal_fen: int) -> list[Json]:
    balances = accumulate((line.principal_fen for line in lines), sub, initial=principal_fen)
    return [
        {
            "number": line.number,
            "due_on": line.due_on.isoformat(),
            "principal_fen": line.principal_fen,
            "interest_fen": line.interest_fen,
            "amount_fen": line.amount_fen,
            "balance_fen": left,
        }
        for line, left in zip(lines, islice(balances, 1, None), strict=True)
    ]


def repayment(value: Loan, paid: Repayment) -> Json:
    """Return a repayment as booked; `value` is the loan after it."""
    sums = {f"{component}_fen": sum(part.amount_fen for part in paid.parts if part.component is component) for component in Component}
    return {
        "loan_id": value.id,
        "number": paid.number,
        "amount_fen": paid.amount_fen,
        "paid_on": paid.paid_on.isoformat(),
        "allocated": sums | {"overpayment_fen": paid.rest_fen},
        "parts": [{"instalment": part.number, "component": str(part.component), "amount_fen": part.amount_fen} for part in paid.parts],
        "interest_recognised_fen": paid.accrued_fen,
        "outstanding_fen": sum(value.outstanding().values()),
    }


def _next_due(value: Loan) -> Json | None:
    for line, debt in zip(value.schedule, value.debts(), strict=True):
        owed = sum(debt.owed.values())
        if owed:
            return {"number": line.number, "due_on": line.due_on.isoformat(), "amount_fen": owed}
    return None
