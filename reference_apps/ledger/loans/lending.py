"""Loan operations: each is checked, booked as one linked chain, and written into the loan. Pure: today and the time are arguments.

Interest is recognised instalment by instalment, in full, no later than it falls due as the next operation on the loan sees it, and no later
than a payment reaches it.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from datetime import date

from ctl.kit.problem import Problem
from reference_apps.ledger.algebra import core
from reference_apps.ledger.algebra.model import Status, Transfer, TransferFlag
from reference_apps.ledger.books import Books
from reference_apps.ledger.loans import allocation, chart, schedule
from reference_apps.ledger.loans.allocation import Allocation
from reference_apps.ledger.loans.chart import RECEIVABLE, Business, Control
from reference_apps.ledger.loans.loan import Loan, Repayment, Terms


def loan_id(scope: str) -> str:
    """Derive the loan's id from its idempotency scope: however often it is asked for, it is the same loan."""
    return "LN" + hashlib.sha256(scope.encode()).hexdigest()[:16].upper()


def disburse(books: Books, new_id: str, terms: Terms, now_ns: int) -> Loan:
    """Open a loan with its schedule and pay it out. Raises Problem; the books are then a draft to be dropped."""
    if terms.currency not in chart.CURRENCIES:
        kept = ", ".join(chart.CURRENCIES)
        raise Problem(422, "unknown_currency", f"currency: no books are kept in {terms.currency}", remedy=f"use one of: {kept}")
    try:
        lines = schedule.build(terms.product, terms.credit())
    except ValueError as error:
        raise Problem(422, "principal_too_small", str(error), remedy="ask for more, or for fewer periods") from error
    loan = Loan(id=new_id, number=books.last_loan + 1, terms=terms, schedule=lines)
    movement = _transfer(loan, "disburse", Control.PRINCIPAL, Control.BANK, terms.principal_fen)
    _book(books, loan, [replace(movement, code=int(Business.DISBURSE))], now_ns)
    books.loans.put(loan.id, loan)
    books.last_loan = loan.number
    return loan


def repay(books: Books, loan: Loan, amount_fen: int, paid_on: date, now_ns: int) -> Repayment:
    """Allocate a payment, book it and add it to the loan. Money that came is never refused: what nothing is due for is overpayment."""
    if paid_on < loan.terms.disbursed_on:
        detail = f"paid_on: {paid_on} is before loan {loan.id} was disbursed ({loan.terms.disbursed_on})"
        raise Problem(422, "paid_before_disbursed", detail, remedy="correct the date, or the loan's id")
    split = allocation.horizontal(loan.debts(), amount_fen, loan.terms.product.order)
    recognised = _recognised(loan, split, paid_on)
    accrued = sum(line.interest_fen for line in loan.schedule[loan.recognised : recognised])
    number = len(loan.repayments) + 1
    repayment = Repayment(
        number=number, amount_fen=amount_fen, paid_on=paid_on, accrued_fen=accrued, recognised=recognised, parts=split.parts, rest_fen=split.rest_fen
    )
    _book(books, loan, _movements(loan, repayment, split), now_ns)
    books.loans.put(loan.id, loan.with_repayment(repayment))
    return repayment


def _recognised(loan: Loan, split: Allocation, paid_on: date) -> int:
    due = sum(1 for line in loan.schedule if line.due_on <= paid_on)
    reached = max((part.number for part in split.parts), default=0)
    return max(loan.recognised, due, reached)


def _movements(loan: Loan, repayment: Repayment, split: Allocation) -> list[Transfer]:
    part = f"repay/{repayment.number}"
    accrual = _transfer(loan, f"{part}/accrue", Control.INTEREST_RECEIVABLE, Control.INTEREST_INCOME, repayment.accrued_fen)
    paid = [_transfer(loan, f"{part}/{component}", Control.BANK, RECEIVABLE[component], split.of(component)) for component in loan.terms.product.order]
    rest = _transfer(loan, f"{part}/rest", Control.BANK, Control.OVERPAYMENT, split.rest_fen)
    whole = [replace(accrual, code=int(Business.ACCRUE_INTEREST)), *(replace(movement, code=int(Business.REPAY)) for movement in (*paid, rest))]
    return [movement for movement in whole if movement.amount > 0]


def _transfer(loan: Loan, part: str, debit: Control, credit: Control, amount: int) -> Transfer:
    """Return one movement of the loan; its id is derived from the loan and the part, so that no part can be booked twice."""
    derived = int.from_bytes(hashlib.sha256(f"{loan.id}/{part}".encode()).digest()[:16], "big")
    ledger = chart.CURRENCIES[loan.terms.currency]
    return Transfer(
        id=derived, debit_account_id=int(debit), credit_account_id=int(credit), amount=amount, ledger=ledger, code=int(Business.REPAY), user_data_64=loan.number
    )


def _book(books: Books, loan: Loan, movements: Sequence[Transfer], now_ns: int) -> None:
    """Post the movements as one linked chain."""
    last = len(movements) - 1
    chain = [replace(movement, flags=int(TransferFlag.LINKED) if number < last else 0) for number, movement in enumerate(movements)]
    for movement, result in zip(chain, core.create_transfers(books, chain, now_ns), strict=True):
        if result.status not in (Status.CREATED, Status.LINKED_EVENT_FAILED):
            accounts = f"{chart.name(movement.debit_account_id)} / {chart.name(movement.credit_account_id)}"
            detail = f"loan {loan.id}: {movement.amount} fen {accounts}: {result.status}"
            raise Problem(409, str(result.status), detail, remedy="nothing was booked; look at the accounts with GET /v1/accounts")


def owed(loan: Loan) -> int:
    """Return what the whole schedule still asks for."""
    return sum(loan.outstanding().values())
