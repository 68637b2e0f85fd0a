"""Loans as JSON: what was agreed, where a loan stands on a day, what happened to it. Pure."""

from collections.abc import Sequence
from datetime import date
from itertools import accumulate, islice
from operator import sub

from reference_apps.ledger.door.views import Json
from reference_apps.ledger.loans import happened, standing
from reference_apps.ledger.loans.allocation import Allocation, Component
from reference_apps.ledger.loans.apr import Cost
from reference_apps.ledger.loans.chart import Movement
from reference_apps.ledger.loans.happening import PAYING, Happening, Kind
from reference_apps.ledger.loans.life import Life
from reference_apps.ledger.loans.loan import Loan
from reference_apps.ledger.loans.quoting import Quote
from reference_apps.ledger.loans.schedule import Instalment
from reference_apps.ledger.loans.standing import Amounts, Line, Standing

UNPAID = Allocation((), 0)


def loan(value: Loan, on: date) -> Json:
    """Return a loan as it stands on a day."""
    stands, terms = standing.standing(value, on), value.terms
    return {
        "loan_id": value.id,
        "reference": terms.reference,
        "customer": terms.customer,
        "status": str(stands.status),
        "on": stands.on.isoformat(),
        "currency": terms.currency,
        "principal_fen": terms.principal_fen,
        "fee_fen": terms.fee_fen,
        "annual_rate": str(terms.annual_rate),
        "periods": terms.periods,
        "method": str(terms.product.method),
        "instalment_fen": next((line.amount_fen for line in value.schedule if line.number), 0),
        "total_interest_fen": sum(line.interest_fen for line in value.schedule),
        "disbursed_on": terms.disbursed_on.isoformat(),
        "first_due_on": value.schedule[0].due_on.isoformat(),
        "last_due_on": value.schedule[-1].due_on.isoformat(),
        "outstanding": amounts(stands.owed) | {"total_fen": stands.owed_fen},
        "paid_fen": sum(each.amount_fen for each in value.in_force() if each.kind in PAYING and each.on <= on),
        "overpaid_fen": stands.overpaid_fen,
        "repayments": sum(each.kind in PAYING for each in value.happenings),
        "next_due": _next_due(stands),
        "due_fen": stands.due_fen,
        "overdue_fen": stands.overdue_fen,
        "days_past_due": stands.days_past_due,
        "bucket": stands.bucket,
        "earned": {"interest_fen": stands.earned.interest_fen, "fee_fen": stands.earned.fee_fen, "penalty_fen": stands.earned.penalty_fen},
        "charged_off_on": stands.charged_off_on.isoformat() if stands.charged_off_on else None,
        "written_off_fen": stands.written_off_fen,
        "recovered_fen": stands.recovered_fen,
    }


def amounts(value: Amounts) -> Json:
    return {f"{component}_fen": fen for component, fen in value._asdict().items()}


def schedule(value: Loan, on: date) -> Json:
    """Return the instalments as they stand on a day: what a prepayment or a re-ageing has made of them."""
    lines = standing.standing(value, on).lines
    balances = accumulate((line.asked.principal for line in lines), sub, initial=sum(line.asked.principal for line in lines))
    rows = [_line(line, balance) for line, balance in zip(lines, islice(balances, 1, None), strict=True)]
    return {"loan_id": value.id, "method": str(value.terms.product.method), "on": on.isoformat(), "instalments": rows}


def _line(line: Line, balance: int) -> Json:
    unpaid = sum(line.owed)
    asked = {"principal_fen": line.asked.principal, "interest_fen": line.asked.interest, "fee_fen": line.asked.fee, "penalty_fen": line.asked.penalty}
    left = {"amount_fen": sum(line.asked), "balance_fen": balance, "unpaid_fen": unpaid, "paid": unpaid == 0}
    return {"number": line.number, "due_on": line.due_on.isoformat()} | asked | left | {"owed": amounts(line.owed), "accrued_fen": line.accrued_fen}


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


def payoff(value: Loan, on: date) -> Json:
    """Return what settles the loan on a day, and the interest to come that is not charged then."""
    life = happened.fold(value, on)
    amount, owed = max(0, life.payoff()), standing.of(life).owed_fen
    return {"loan_id": value.id, "on": on.isoformat(), "amount_fen": amount, "interest_saved_fen": max(0, owed - amount)}


def repayments(value: Loan, on: date, after: int, limit: int) -> list[Json]:
    """Return the payments of a loan, in the order they were entered, each as it counts today."""
    life = happened.fold(value, max(on, *(each.on for each in value.happenings)) if value.happenings else on)
    paying = [each for each in value.happenings if each.kind in PAYING and each.number > after]
    return [repayment(life, each) for each in paying[:limit]]


def repayment(life: Life, paid: Happening) -> Json:
    """Return a payment as it counts in a loan's life; one that was reversed pays nothing."""
    split, value = life.allocations.get(paid.number, UNPAID), life.loan
    sums = {f"{component}_fen": split.of(component) for component in Component}
    return {
        "loan_id": value.id,
        "number": paid.number,
        "kind": str(paid.kind),
        "amount_fen": paid.amount_fen,
        "paid_on": paid.on.isoformat(),
        "allocated": sums | {"overpayment_fen": split.rest_fen},
        "parts": [{"instalment": part.number, "component": str(part.component), "amount_fen": part.amount_fen} for part in split.parts],
        "recovery": any(movement.label == "recovery" for movement in life.movements.get(paid.number, ())),
        "charged_back_fen": life.backed.get(paid.number, 0),
        "reversed_by": value.reversed_by().get(paid.number),
        "outstanding_fen": sum(sum(debt.owed.values()) for debt in life.debts(life.lines)),
    }


def history(value: Loan, after: int, limit: int) -> list[Json]:
    """Return everything that happened, in the order it was entered."""
    undone = value.reversed_by()
    return [_happening(each) | {"reversed_by": undone.get(each.number)} for each in value.happenings if each.number > after][:limit]


def happening(life: Life, entered: Happening) -> Json:
    """Return what was entered, with what it moved in the books and where the loan stands after it."""
    stands = standing.of(life)
    moved = [{"debit": each.debit.name.lower(), "credit": each.credit.name.lower(), "amount_fen": each.amount_fen} for each in _moved(life, entered)]
    after = {"status": str(stands.status), "outstanding_fen": stands.owed_fen, "overpaid_fen": stands.overpaid_fen}
    return {"loan_id": life.loan.id} | _happening(entered) | {"moved": moved} | after


def _moved(life: Life, entered: Happening) -> Sequence[Movement]:
    return life.movements.get(entered.number, ())


def _happening(value: Happening) -> Json:
    row: Json = {"number": value.number, "kind": str(value.kind), "on": value.on.isoformat(), "booked_on": value.booked_on.isoformat()}
    if value.amount_fen:
        row["amount_fen"] = value.amount_fen
    if value.of:
        row["of"] = value.of
    if value.component:
        row["component"] = str(value.component)
    if value.kind is Kind.RE_AGED and value.start_on:
        row |= {"periods": value.periods, "start_on": value.start_on.isoformat()}
    return row | ({"reason": value.reason} if value.reason else {})


def _next_due(stands: Standing) -> Json | None:
    line = next((line for line in stands.lines if any(line.owed)), None)
    return {"number": line.number, "due_on": line.due_on.isoformat(), "amount_fen": sum(line.owed)} if line else None
