"""What may be entered into a loan's history, and why not: every refusal names the loan, the amount found and the rule. Pure."""

from ctl.kit.problem import Problem
from reference_apps.ledger.loans import happened
from reference_apps.ledger.loans.allocation import Component
from reference_apps.ledger.loans.happening import PAYING, Happening, Kind
from reference_apps.ledger.loans.life import Life
from reference_apps.ledger.loans.loan import Loan

NOT_CHARGED_OFF = frozenset({Kind.CHARGED_OFF, Kind.RE_AGED, Kind.RE_AMORTISED, Kind.FEE_CHARGED})
NOT_CLOSED = NOT_CHARGED_OFF | {Kind.SETTLED, Kind.WAIVED}
OURS = NOT_CHARGED_OFF | {Kind.WAIVED}
"""Decisions of the lender: unlike money, they are not put before a settlement, which would settle no more."""


def check(loan: Loan, happening: Happening) -> None:
    """Raise Problem when the happening may not be entered; money that came in always may."""
    if happening.on < loan.terms.disbursed_on:
        detail = f"{happening.on} is before loan {loan.id} was disbursed ({loan.terms.disbursed_on})"
        raise Problem(422, "before_disbursed", detail, remedy="correct the date, or the loan's id")
    if happening.kind in (Kind.PAID, Kind.REFUNDED):
        return
    if happening.kind in OURS and (settled := _settled_since(loan, happening)):
        said = f"was settled on {settled.on}: {happening.kind} on {happening.on} is not possible"
        raise _refused(loan, "settled_since", said, f"reverse number {settled.number} of its history first")
    life = happened.fold(loan, happening.on)
    owed = sum(sum(debt.owed.values()) for debt in life.debts(life.lines))
    if happening.kind in NOT_CHARGED_OFF and life.charged_off:
        raise _refused(loan, "loan_is_charged_off", f"was charged off on {life.charged_off}: {happening.kind} is not possible", "reverse the charge-off first")
    if happening.kind in NOT_CLOSED and not owed:
        raise _refused(loan, "loan_is_closed", f"owes nothing on {happening.on}: {happening.kind} is not possible", "look at GET /v1/loans/{id}")
    match happening.kind:
        case Kind.SETTLED:
            _settles(loan, happening, life)
        case Kind.PAID_BACK:
            _at_most(loan, happening, life.overpaid, "overpaid")
        case Kind.WAIVED:
            component = happening.component or Component.FEE
            _at_most(loan, happening, sum(debt.owed[component] for debt in life.debts(life.lines)), f"owed of {component}")
        case Kind.RE_AGED:
            _starts_later(loan, happening)
        case Kind.RE_AMORTISED:
            _has_overdue(loan, life)
        case Kind.CHARGED_BACK:
            _was_paid(loan, happening, life)
        case Kind.REVERSED:
            _can_be_reversed(loan, happening)
        case _:
            pass


def _settled_since(loan: Loan, happening: Happening) -> Happening | None:
    return next((each for each in loan.in_force() if each.kind is Kind.SETTLED and each.on >= happening.on), None)


def _settles(loan: Loan, happening: Happening, life: Life) -> None:
    quote = max(0, life.payoff())
    if happening.amount_fen != quote:
        said = f"is settled on {happening.on} by {quote} fen, found {happening.amount_fen} fen"
        raise _refused(loan, "stale_quote", said, "ask GET /v1/loans/{id}/payoff again, or enter a repayment")


def _at_most(loan: Loan, happening: Happening, most: int, what: str) -> None:
    if happening.amount_fen > most:
        said = f"has {most} fen {what} on {happening.on}, found {happening.amount_fen} fen"
        raise _refused(loan, "more_than_there_is", said, "enter no more than that")


def _starts_later(loan: Loan, happening: Happening) -> None:
    if happening.start_on is None or happening.start_on <= happening.on:
        said = f"start_on: {happening.start_on} is not after the re-ageing on {happening.on} of loan {loan.id}"
        raise Problem(422, "bad_input", said, remedy="name a first due date after it")


def _has_overdue(loan: Loan, life: Life) -> None:
    past = [line for line in life.lines if line.due < life.day]
    if not any(sum(debt.owed.values()) for debt in life.debts(past)):
        raise _refused(loan, "nothing_overdue", "has nothing past due to spread", "re-amortise a loan that is overdue")
    if len(past) == len(life.lines):
        raise _refused(loan, "no_instalment_left", f"had its last instalment on {loan.schedule[-1].due_on}", "re-age it into new instalments")


def _was_paid(loan: Loan, happening: Happening, life: Life) -> None:
    payment = _found(loan, happening)
    if payment.kind not in PAYING or happening.of not in life.allocations:
        said = f"number {happening.of} is no payment that is in force on {happening.on}"
        raise _refused(loan, "not_a_payment", said, "name a payment of GET /v1/loans/{id}/repayments")
    _at_most(loan, happening, payment.amount_fen - life.backed.get(happening.of, 0), f"of payment {happening.of} left to charge back")


def _can_be_reversed(loan: Loan, happening: Happening) -> None:
    found, undone = _found(loan, happening), loan.reversed_by()
    if found.kind is Kind.REVERSED:
        raise _refused(loan, "not_reversible", f"number {happening.of} is a reversal itself", "enter again what should hold")
    if happening.of in undone:
        raise _refused(loan, "reversed_already", f"number {happening.of} was reversed by number {undone[happening.of]}", "nothing is left to do")
    if backed := next((each for each in loan.in_force() if each.kind is Kind.CHARGED_BACK and each.of == happening.of), None):
        raise _refused(loan, "charged_back", f"number {happening.of} was charged back by number {backed.number}", "reverse the chargeback first")


def _found(loan: Loan, happening: Happening) -> Happening:
    found = next((each for each in loan.happenings if each.number == happening.of), None)
    if found is None:
        detail = f"loan {loan.id} has no number {happening.of} in its history"
        raise Problem(404, "happening_not_found", detail, remedy="GET /v1/loans/{id}/history lists it")
    return found


def _refused(loan: Loan, code: str, said: str, remedy: str) -> Problem:
    return Problem(409, code, f"loan {loan.id} {said}", remedy=remedy)
