"""The statement of a loan: what was charged and what was paid, by the day it counts for, with the balance after each line. Pure.

The balance is what the loan owes in the books: principal, what was earned and is unpaid, less what the customer has overpaid. A happening that was
reversed stays visible and moves nothing.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import NamedTuple

from reference_apps.ledger.loans import happened
from reference_apps.ledger.loans.allocation import Component
from reference_apps.ledger.loans.happening import PAYING, Happening, Kind
from reference_apps.ledger.loans.life import Life
from reference_apps.ledger.loans.loan import Loan


class Owed(NamedTuple):
    """What a loan owes in the books, in fen; `overpaid` counts against it."""

    principal: int = 0
    interest: int = 0
    fee: int = 0
    penalty: int = 0
    overpaid: int = 0

    @property
    def balance_fen(self) -> int:
        """Negative: the customer has that much with us."""
        return self.principal + self.interest + self.fee + self.penalty - self.overpaid


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line on the business day `on`: what it adds to the debt, what it takes from it, and what is owed after it. `number` 0: no happening."""

    on: date
    kind: str
    number: int
    debit_fen: int
    credit_fen: int
    owed: Owed
    reversed_by: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """The days `begin` to `end`, both included."""

    loan: Loan
    begin: date
    end: date
    opening: Owed
    lines: tuple[Line, ...]
    closing: Owed


def of(loan: Loan, begin: date, end: date) -> Statement:
    """Return the statement of a period; interest is charged on due dates, on days when something happened, and on the last day."""
    opening, lines = Owed(), []
    for line in _lines(loan, begin, end):
        if line.on < begin:
            opening = line.owed
        else:
            lines.append(line)
    closing = lines[-1].owed if lines else opening
    return Statement(loan=loan, begin=begin, end=end, opening=opening, lines=tuple(lines), closing=closing)


def owed(life: Life) -> Owed:
    """Return what a life owes in the books on its day."""
    earned, paid = life.earned(), life.paid
    return Owed(
        principal=life.principal(),
        interest=earned.interest_fen - paid[Component.INTEREST],
        fee=earned.fee_fen - paid[Component.FEE],
        penalty=earned.penalty_fen - paid[Component.PENALTY],
        overpaid=life.overpaid,
    )


def _lines(loan: Loan, begin: date, end: date) -> Iterator[Line]:
    """Yield every line of the loan's life through a day: each day first what time has charged, then what happened."""
    life, before = Life(loan), Owed()
    undone = loan.reversed_by()
    waiting = sorted((each for each in loan.happenings if each.kind is not Kind.REVERSED), key=lambda each: (each.on, each.number))
    if loan.terms.disbursed_on <= end:
        before = owed(life)
        yield Line(on=loan.terms.disbursed_on, kind="disbursed", number=0, debit_fen=before.balance_fen, credit_fen=0, owed=before)
    for day in _days(loan, begin, end):
        life.pass_to(day.toordinal())
        for line in _charged(day, before, owed(life)):
            yield line
            before = line.owed
        while waiting and waiting[0].on <= day:
            happening = waiting.pop(0)
            if happening.number not in undone:
                happened.apply(life, happening)
            after = owed(life)
            yield _event(happening, before, after, undone.get(happening.number, 0))
            before = after


def _days(loan: Loan, begin: date, end: date) -> list[date]:
    """Return the days on which something is charged or happens; the eve of the period too, so that it begins with what is owed then."""
    days = {line.due_on for line in loan.schedule} | {each.on for each in loan.happenings} | {begin - timedelta(days=1), end}
    return sorted(day for day in days if loan.terms.disbursed_on <= day <= end)


CHARGES = ("interest", "fee", "penalty")


def _charged(day: date, before: Owed, after: Owed) -> Iterator[Line]:
    for name in CHARGES:
        fen = getattr(after, name) - getattr(before, name)
        if fen:
            before = before._replace(**{name: getattr(after, name)})
            yield Line(on=day, kind=name, number=0, debit_fen=max(0, fen), credit_fen=max(0, -fen), owed=before)


def _event(happening: Happening, before: Owed, after: Owed, reversed_by: int) -> Line:
    """Return a happening as a line.

    A payment may at once make interest due that it then pays, and an early settlement takes back such interest, which is then as good as paid.
    """
    change = after.balance_fen - before.balance_fen
    paid = happening.amount_fen if happening.kind in PAYING and not reversed_by else max(0, -change)
    credit_fen = max(paid, -change)
    return Line(
        on=happening.on,
        kind=str(happening.kind),
        number=happening.number,
        debit_fen=change + credit_fen,
        credit_fen=credit_fen,
        owed=after,
        reversed_by=reversed_by,
    )
