"""One instalment while time passes and money comes: what it asks for, what was paid of it, how much of its interest has run. Days are ordinals."""

from collections.abc import Iterable

from reference_apps.ledger.loans import duedate
from reference_apps.ledger.loans.allocation import Component, Debt
from reference_apps.ledger.loans.loan import Loan
from reference_apps.ledger.loans.product import Method
from reference_apps.ledger.loans.rounding import Rounding, rounded

MICRO = 10**6
"""Interest and penalties are cut off to a millionth of a fen before they are rounded."""


class Running:
    """Instalment `number`, due on `due`, of the period from `opened` on; its interest runs evenly from `begin`. `uneven`: the period is not a month.

    Of `interest`, `carried` had run before `begin`, and `again` had been paid once and is due again. `fen_days` are what is unpaid times the days it
    was late; `penalty` is what is asked besides what they cost; `late`: the late fee is charged.
    """

    __slots__ = (
        "again",
        "begin",
        "carried",
        "due",
        "fee",
        "fen_days",
        "interest",
        "late",
        "number",
        "opened",
        "paid_fee",
        "paid_interest",
        "paid_penalty",
        "paid_principal",
        "penalty",
        "principal",
        "uneven",
    )

    def __init__(self, number: int, begin: int, due: int, principal: int, interest: int) -> None:
        self.number, self.begin, self.due, self.principal, self.interest = number, begin, due, principal, interest
        self.carried = self.again = self.fee = self.penalty = self.fen_days = 0
        self.paid_principal = self.paid_interest = self.paid_fee = self.paid_penalty = 0
        self.late = self.uneven = False
        self.opened = begin

    def accrued(self, day: int, mode: Rounding) -> int:
        """Return the interest that has run through a day: all of it on the due date, as the schedule has it; nothing that is due again."""
        own = self.interest - self.carried - self.again
        if day >= self.due or not own:
            return self.carried + own
        if day <= self.begin:
            return self.carried
        return self.carried + rounded(own * MICRO * (day - self.begin) // (self.due - self.begin), MICRO, mode)

    def late_fen(self) -> int:
        """Return what costs a penalty once it is overdue: unpaid principal and interest."""
        return self.principal - self.paid_principal + self.interest - self.paid_interest

    def debt(self, cost: int) -> Debt:
        """Return what is owed, the interest to come included; `cost` is what its late days cost."""
        owed = {
            Component.PENALTY: self.penalty + cost - self.paid_penalty,
            Component.FEE: self.fee - self.paid_fee,
            Component.INTEREST: self.interest - self.paid_interest,
            Component.PRINCIPAL: self.principal - self.paid_principal,
        }
        return Debt(self.number, owed)

    def pay(self, component: Component, fen: int) -> None:
        match component:
            case Component.PRINCIPAL:
                self.paid_principal += fen
            case Component.INTEREST:
                self.paid_interest += fen
            case Component.FEE:
                self.paid_fee += fen
            case Component.PENALTY:
                self.paid_penalty += fen

    def ask(self, component: Component, fen: int) -> None:
        """Ask for something again that was paid once."""
        match component:
            case Component.PRINCIPAL:
                self.principal += fen
            case Component.INTEREST:
                self.interest += fen
                self.again += fen
            case Component.FEE:
                self.fee += fen
            case Component.PENALTY:
                self.penalty += fen

    def stop(self, accrued: int) -> int:
        """End the interest at what has run; return what was paid beyond that, which is taken out of what was paid."""
        self.interest, self.carried = accrued + self.again, accrued
        beyond = max(0, self.paid_interest - self.interest)
        self.paid_interest -= beyond
        return beyond

    def hand_over(self, cost: int) -> Debt:
        """Give up what is owed, to be asked for elsewhere, and return it; what was paid stays."""
        debt = self.debt(cost)
        self.principal, self.interest, self.fee = self.paid_principal, self.paid_interest, self.paid_fee
        self.carried = self.paid_interest - self.again
        self.penalty -= debt.owed[Component.PENALTY]
        return debt

    def take_over(self, share: dict[Component, int]) -> None:
        """Ask for a share of what others have handed over; its interest has run there already."""
        self.principal += share[Component.PRINCIPAL]
        self.interest += share[Component.INTEREST]
        self.carried += share[Component.INTEREST]
        self.fee += share[Component.FEE]
        self.penalty += share[Component.PENALTY]


def begun(loan: Loan) -> list[Running]:
    """Return the instalments of a loan at the beginning: interest runs from the due date before, in a grace on interest from its beginning."""
    terms, lines = loan.terms, []
    begin = opened = terms.disbursed_on.toordinal()
    for number, due_on, principal, interest in loan.schedule:
        due = due_on.toordinal()
        line = Running(number, begin, due, principal, interest)
        line.opened, opened = opened, due
        lines.append(line)
        if number > terms.product.interest_grace or number <= terms.product.interest_free:
            begin = due
    if terms.first_due_on and terms.product.method is not Method.FLAT:
        next(line for line in lines if line.number == 1).uneven = terms.first_due_on != duedate.months_after(terms.disbursed_on, 1)
    return lines


def principal_left(lines: Iterable[Running]) -> int:
    return sum(line.principal - line.paid_principal for line in lines)
