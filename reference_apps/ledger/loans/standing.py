"""Where a loan stands on a day: what each instalment owes, what the loan has earned, how late it is. A pure function of the loan and the date."""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import NamedTuple

from reference_apps.ledger.loans import happened
from reference_apps.ledger.loans.life import Life
from reference_apps.ledger.loans.loan import Loan
from reference_apps.ledger.loans.posted import Posted


class Status(StrEnum):
    """Overdue: something is past due. Closed: nothing is owed any more, charged off or not."""

    ACTIVE = "active"
    OVERDUE = "overdue"
    CLOSED = "closed"
    CHARGED_OFF = "charged_off"


BUCKETS = ((0, "current"), (30, "1-30"), (60, "31-60"), (90, "61-90"))


def bucket(days_past_due: int) -> str:
    """Return the ageing bucket: current, 1-30, 31-60, 61-90 or 90+ days past due."""
    return next((name for most, name in BUCKETS if days_past_due <= most), "90+")


class Amounts(NamedTuple):
    """Fen by component."""

    penalty: int
    fee: int
    interest: int
    principal: int


class Line(NamedTuple):
    """One instalment: what it asks for, the interest to come included, what it still owes of that, and how much of its interest has run."""

    number: int
    due_on: date
    asked: Amounts
    owed: Amounts
    accrued_fen: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A loan on the day `on`. `principal_fen` is what stands in the books, `earned` what should stand in the income accounts.

    `due_fen` is owed today or before, `overdue_fen` before; `days_past_due` counts from the oldest instalment with anything unpaid.
    """

    on: date
    status: Status
    days_past_due: int
    lines: tuple[Line, ...]
    owed: Amounts
    due_fen: int
    overdue_fen: int
    earned: Posted
    principal_fen: int
    overpaid_fen: int
    written_off_fen: int
    recovered_fen: int
    charged_off_on: date | None
    paid: Amounts

    @property
    def owed_fen(self) -> int:
        """What the whole loan still asks for, the interest to come included."""
        return sum(self.owed)

    @property
    def bucket(self) -> str:
        return bucket(self.days_past_due)


def standing(loan: Loan, on: date) -> Standing:
    """Return where the loan stands at the end of a day; what was entered later for that day or earlier ones counts."""
    return of(happened.fold(loan, on))


def of(life: Life) -> Standing:
    """Return where a life stands on its day."""
    lines = _lines(life)
    owed = Amounts(*map(sum, zip(*(line.owed for line in lines), strict=True)))
    due = overdue = oldest = 0
    for running, line in zip(life.lines, lines, strict=True):
        if running.due > life.day:
            break
        unpaid = sum(line.owed)
        due += unpaid
        if unpaid and running.due < life.day:
            overdue += unpaid
            oldest = oldest or running.due
    late = life.day - oldest if oldest else 0
    return Standing(
        on=date.fromordinal(life.day),
        status=_status(life, late, sum(owed)),
        days_past_due=late,
        lines=tuple(lines),
        owed=owed,
        due_fen=due,
        overdue_fen=overdue,
        earned=life.earned(),
        principal_fen=life.principal(),
        overpaid_fen=life.overpaid,
        written_off_fen=life.written_off,
        recovered_fen=life.recovered,
        charged_off_on=life.charged_off,
        paid=Amounts(*life.paid.values()),
    )


def _lines(life: Life) -> list[Line]:
    mode, day, lines = life.product.rounding, life.day, []
    for line in life.lines:
        penalty = line.penalty + life.cost(line) if line.fen_days else line.penalty
        asked = owed = Amounts(penalty, line.fee, line.interest, line.principal)
        if line.paid_principal or line.paid_interest or line.paid_fee or line.paid_penalty:
            owed = Amounts(penalty - line.paid_penalty, line.fee - line.paid_fee, line.interest - line.paid_interest, line.principal - line.paid_principal)
        lines.append(Line(line.number, date.fromordinal(line.due), asked, owed, line.accrued(day, mode)))
    return lines


def _status(life: Life, late: int, left: int) -> Status:
    if not left:
        return Status.CLOSED
    if life.charged_off:
        return Status.CHARGED_OFF
    return Status.OVERDUE if late else Status.ACTIVE


def payoff(loan: Loan, on: date) -> int:
    """Return what settles the loan on a day: principal, interest to that day, what is due of fees and penalties; never below zero."""
    return max(0, happened.fold(loan, on).payoff())


def to_charge_off(loan: Loan, stands: Standing) -> bool:
    """Return whether the loan's product has it written off, standing so: it is as many days past due, and is not charged off yet."""
    days = loan.terms.product.charge_off_days
    return 0 < days <= stands.days_past_due and stands.charged_off_on is None
