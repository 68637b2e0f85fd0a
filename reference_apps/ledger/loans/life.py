"""A loan's life folded up to a day: time passes, then what happened that day is applied. Pure; the state lives as long as the fold.

Before anything of a day counts, what was late by then has cost its fee and its penalty. The fold is total: whatever stands in a loan's history, in
whatever order it was entered, gives a state; what should not be entered is refused where it is entered.
"""

from collections.abc import Iterable
from datetime import date

from reference_apps.ledger.loans import running
from reference_apps.ledger.loans.allocation import Allocation, Component, Debt
from reference_apps.ledger.loans.chart import RECEIVABLE, Business, Control, Movement
from reference_apps.ledger.loans.loan import Loan
from reference_apps.ledger.loans.posted import Posted
from reference_apps.ledger.loans.rounding import rounded
from reference_apps.ledger.loans.running import MICRO, Running

PRINCIPAL, INTEREST, FEE, PENALTY = Component.PRINCIPAL, Component.INTEREST, Component.FEE, Component.PENALTY


class Life:
    """Everything a loan is on `day` (an ordinal): its instalments by due date, what was paid net of what was charged back, what each event moved."""

    __slots__ = (
        "_late_costs",
        "_rate",
        "allocations",
        "backed",
        "charged_off",
        "day",
        "fees",
        "frozen",
        "lines",
        "loan",
        "lowest",
        "movements",
        "overpaid",
        "paid",
        "product",
        "recovered",
        "stopped",
        "waived",
        "written_off",
    )

    def __init__(self, loan: Loan) -> None:
        product, terms = loan.terms.product, loan.terms
        self.loan, self.product, self.day = loan, product, terms.disbursed_on.toordinal()
        self.lines: list[Running] = running.begun(loan)
        self.paid: dict[Component, int] = dict.fromkeys(Component, 0)
        self.fees = self.waived = self.overpaid = self.lowest = self.written_off = self.recovered = 0
        self.charged_off: date | None = None
        self.stopped = False
        self.frozen: Posted | None = None
        self.allocations: dict[int, Allocation] = {}
        self.movements: dict[int, list[Movement]] = {}
        self.backed: dict[int, int] = {}
        self._rate = product.penalty_daily_rate.as_integer_ratio()
        self._late_costs = bool(product.penalty_daily_rate or product.late_fee_fen or product.late_fee_rate)

    def pass_to(self, day: int) -> None:
        """Let time pass: late fees fall due after the grace days, and every day after them costs its penalty."""
        if self._late_costs and not self.stopped and day > self.day:
            for line in self.lines:
                free = line.due + self.product.penalty_grace_days
                if free >= day:
                    break
                late = line.late_fen()
                if late > 0:
                    self._charge_late_fee(line, late)
                    line.fen_days += late * (day - max(self.day, free))
        self.day = max(day, self.day)

    def _charge_late_fee(self, line: Running, late: int) -> None:
        if line.late:
            return
        numerator, denominator = self.product.late_fee_rate.as_integer_ratio()
        fee = self.product.late_fee_fen + rounded(late * numerator, denominator, self.product.rounding)
        line.late = True
        line.fee += fee
        self.fees += fee

    def cost(self, line: Running) -> int:
        """Return what an instalment's late days have cost: cut off to a millionth of a fen, then rounded."""
        numerator, denominator = self._rate
        return rounded(line.fen_days * numerator * MICRO // denominator, MICRO, self.product.rounding) if line.fen_days else 0

    def line(self, number: int) -> Running:
        """Return an instalment by its number; most stand in their order from 1."""
        likely = self.lines[min(number, len(self.lines)) - 1]
        return likely if likely.number == number else next(line for line in self.lines if line.number == number)

    def debts(self, lines: Iterable[Running]) -> list[Debt]:
        """Return what each instalment owes, the interest to come included."""
        return [line.debt(self.cost(line)) for line in lines]

    def unpaid(self, lines: Iterable[Running]) -> list[Debt]:
        """Return what the instalments owe that owe anything."""
        return [line.debt(self.cost(line)) for line in lines if line.late_fen() or self._charges(line)]

    def ahead(self) -> list[Running]:
        """Return the instalments that are not due yet."""
        return [line for line in self.lines if line.due > self.day]

    def run(self, line: Running) -> int:
        """Return the interest of an instalment that has run and is unpaid; negative when more was paid in advance."""
        return line.accrued(self.day, self.product.rounding) + line.again - line.paid_interest

    def payoff(self) -> int:
        """Return what settles the loan today: principal, interest to the day, fees and penalties. Interest paid in advance counts."""
        due = [line for line in self.lines if line.due <= self.day]
        owed = sum(sum(debt.owed.values()) for debt in self.debts(due))
        return owed + sum(line.principal - line.paid_principal + self._own(line) + self._charges(line) for line in self.ahead())

    def _own(self, line: Running) -> int:
        return max(0, self.run(line)) if self.charged_off else self.run(line)

    def _charges(self, line: Running) -> int:
        return line.fee - line.paid_fee + line.penalty + self.cost(line) - line.paid_penalty

    def earned(self) -> Posted:
        """Return what the loan has earned through the day: interest that has run or was paid already, fees and penalties charged and not waived.

        From the charge-off on nothing more is earned in the books, and what had not been paid by then is taken back.
        """
        if self.frozen is not None:
            return self.frozen
        day, mode, interest, penalty = self.day, self.product.rounding, 0, 0
        for line in self.lines:
            interest += max(line.accrued(day, mode), line.paid_interest - line.again)
            if line.fen_days:
                penalty += self.cost(line)
        return Posted(interest_fen=interest, fee_fen=self.fees, penalty_fen=penalty - self.waived, through=day)

    def principal(self) -> int:
        """Return the principal that stands in the books."""
        return self.loan.terms.principal_fen - self.paid[PRINCIPAL] - self.written_off

    def move(self, number: int, movement: Movement) -> None:
        """Note that an event moves money; nothing moves for an amount of zero."""
        if movement.amount_fen > 0:
            self.movements.setdefault(number, []).append(movement)

    def take(self, number: int, split: Allocation, business: Business, source: Control) -> None:
        """Let an allocation pay what it pays, from `source`; after a charge-off it is a recovery."""
        sums = split.sums()
        for part in split.parts:
            self.line(part.number).pay(part.component, part.amount_fen)
        if self.charged_off:
            whole = sum(sums.values())
            self.recovered += whole
            self.move(number, Movement("recovery", Business.RECOVER, source, Control.RECOVERY_INCOME, whole))
        else:
            for component in self.product.order:
                if fen := sums.get(component, 0):
                    self.paid[component] += fen
                    self.move(number, Movement(component.value, business, source, RECEIVABLE[component], fen))

    def overpay(self, fen: int) -> None:
        """Add to what the customer has with us; the lowest it ever was is kept, since it may not fall below zero."""
        self.overpaid += fen
        self.lowest = min(self.lowest, self.overpaid)
