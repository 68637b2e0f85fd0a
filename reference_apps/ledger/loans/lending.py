"""Loan operations: a loan is paid out, and things happen to it; each is checked, booked as one linked chain, and written into the loan. Pure.

Today and the time are arguments. What a loan has earned is posted up to the day of every operation, as the difference to what is posted.
"""

import hashlib
from datetime import date

from ctl.kit.problem import Problem
from reference_apps.ledger.books import Books
from reference_apps.ledger.loans import admission, chart, posting, schedule
from reference_apps.ledger.loans.chart import Business, Control, Movement
from reference_apps.ledger.loans.duedate import ALWAYS_OPEN
from reference_apps.ledger.loans.happening import Happening, Kind
from reference_apps.ledger.loans.life import Life
from reference_apps.ledger.loans.loan import Loan, Terms


def loan_id(scope: str) -> str:
    """Derive the loan's id from its idempotency scope: however often it is asked for, it is the same loan."""
    return "LN" + hashlib.sha256(scope.encode()).hexdigest()[:16].upper()


def agreed(terms: Terms, closed: frozenset[date] = ALWAYS_OPEN) -> tuple[schedule.Instalment, ...]:
    """Return the schedule of a loan to be; `closed` are the non-working days. Raises Problem."""
    if terms.currency not in chart.CURRENCIES:
        kept = ", ".join(chart.CURRENCIES)
        raise Problem(422, "unknown_currency", f"currency: no books are kept in {terms.currency}", remedy=f"use one of: {kept}")
    try:
        return schedule.build(terms.product, terms.credit(), closed)
    except ValueError as error:
        raise Problem(422, "principal_too_small", str(error), remedy="ask for more, for fewer periods, or correct the field named") from error


def disburse(books: Books, new_id: str, terms: Terms, now_ns: int, closed: frozenset[date] = ALWAYS_OPEN) -> Loan:
    """Open a loan with its schedule and pay it out, less the fee. Raises Problem; the books are then a draft to be dropped."""
    loan = Loan(id=new_id, number=books.last_loan + 1, terms=terms, schedule=agreed(terms, closed))
    paid_out = Movement("", Business.DISBURSE, Control.PRINCIPAL, Control.BANK, terms.principal_fen - terms.fee_fen)
    kept_back = Movement("", Business.DISBURSE, Control.PRINCIPAL, Control.FEE_INCOME, terms.fee_fen)
    chain = [posting.transfer(loan, "disburse", paid_out, terms.disbursed_on), posting.transfer(loan, "disburse/fee", kept_back, terms.disbursed_on)]
    posting.book(books, loan, [each for each in chain if each.amount], now_ns)
    books.loans.put(loan.id, loan)
    books.last_loan = loan.number
    return loan


def happen(books: Books, loan: Loan, happening: Happening, now_ns: int) -> Life:
    """Check a happening, book it and add it to the loan; return the loan's life after it. Raises Problem; the books are then a draft to be dropped."""
    admission.check(loan, happening)
    return posting.enter(books, loan, happening, now_ns)


def repay(books: Books, loan: Loan, amount_fen: int, paid_on: date, now_ns: int) -> Happening:
    """Enter a payment on the day it came. Money that came is never refused: what nothing is owed for is overpayment."""
    payment = Happening(number=next_number(loan), kind=Kind.PAID, on=paid_on, booked_on=paid_on, amount_fen=amount_fen)
    happen(books, loan, payment, now_ns)
    return payment


def next_number(loan: Loan) -> int:
    """Return the number of the loan's next happening."""
    return len(loan.happenings) + 1
