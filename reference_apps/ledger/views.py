"""The ledger's values as JSON: money in fen, rates as decimal text, ids of 128 bits as text. Pure."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from itertools import accumulate, islice
from operator import sub
from typing import Any

from reference_apps.ledger import chart
from reference_apps.ledger.allocation import Component
from reference_apps.ledger.apr import Cost
from reference_apps.ledger.books import Books
from reference_apps.ledger.chart import Control
from reference_apps.ledger.loan import Loan, Repayment
from reference_apps.ledger.model import Account, Result, Transfer
from reference_apps.ledger.quoting import Quote
from reference_apps.ledger.schedule import Instalment

Json = dict[str, Any]
WIDE = ("id", "debit_account_id", "credit_account_id", "pending_id", "closed_by", "user_data_128")


def account(value: Account) -> Json:
    return _texts(asdict(value)) | {"closed": value.closed, "name": chart.name(value.id)}


def transfer(books: Books, value: Transfer) -> Json:
    """Return a transfer; `state` says what became of a pending one, and is None for every other."""
    names = {"debit_account": chart.name(value.debit_account_id), "credit_account": chart.name(value.credit_account_id)}
    return _texts(asdict(value)) | names | {"state": books.pendings.get(value.id)}


def results(values: Sequence[Result]) -> Json:
    return {"results": [{"index": index, "status": str(value.status), "timestamp": value.timestamp} for index, value in enumerate(values)]}


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


def trial_balance(books: Books) -> Json:
    """Add up every account by ledger, and compare the loans with their control account."""
    accounts = list(books.accounts.own.values())
    ledgers = [_ledger(number, [each for each in accounts if each.ledger == number]) for number in sorted({each.ledger for each in accounts})]
    subledger = _subledger(books)
    return {
        "balanced": all(row["difference_fen"] == 0 for row in ledgers) and _reserved_evenly(accounts) and subledger["difference_fen"] == 0,
        "loans": len(books.loans.own),
        "transfers": len(books.transfers.own),
        "ledgers": ledgers,
        "subledger": subledger,
        "accounts": [_balance(each) for each in accounts],
    }


def _balance(value: Account) -> Json:
    moved = {"debits_fen": value.debits_posted, "credits_fen": value.credits_posted}
    reserved = {"reserved_debits_fen": value.debits_pending, "reserved_credits_fen": value.credits_pending}
    return {"id": str(value.id), "name": chart.name(value.id), "ledger": value.ledger} | moved | reserved


def _ledger(number: int, accounts: Iterable[Account]) -> Json:
    rows = list(accounts)
    debits, credits = sum(each.debits_posted for each in rows), sum(each.credits_posted for each in rows)
    currency = next((name for name, ledger in chart.CURRENCIES.items() if ledger == number), "")
    return {"ledger": number, "currency": currency, "debits_fen": debits, "credits_fen": credits, "difference_fen": debits - credits}


def _reserved_evenly(accounts: Iterable[Account]) -> bool:
    """Whether what pending transfers reserve is the same on both sides, in every ledger."""
    reserved: Counter[int] = Counter()
    for each in accounts:
        reserved[each.ledger] += each.debits_pending - each.credits_pending
    return not any(reserved.values())


def _subledger(books: Books) -> Json:
    """Add up the principal that the loans themselves say is owed; it must equal the principal account."""
    control = books.accounts.get(int(Control.PRINCIPAL))
    owed = sum(each.terms.principal_fen - _principal_paid(each) for each in books.loans.own.values())
    booked = control.debits_posted - control.credits_posted if control else 0
    return {"loans_principal_fen": owed, "control_principal_fen": booked, "difference_fen": owed - booked}


def _principal_paid(value: Loan) -> int:
    return sum(part.amount_fen for paid in value.repayments for part in paid.parts if part.component is Component.PRINCIPAL)


def _next_due(value: Loan) -> Json | None:
    for line, debt in zip(value.schedule, value.debts(), strict=True):
        owed = sum(debt.owed.values())
        if owed:
            return {"number": line.number, "due_on": line.due_on.isoformat(), "amount_fen": owed}
    return None


def _texts(row: Json) -> Json:
    return row | {name: str(row[name]) for name in WIDE if name in row}

