"""What may be sent about a loan's life, checked at the door: each body becomes one happening of the loan."""

from dataclasses import replace
from datetime import date
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from reference_apps.ledger.door.bodies import Body
from reference_apps.ledger.door.loanbodies import Day, DueDay, Fen, FenOrNone, Periods, Tenant, not_after
from reference_apps.ledger.loans import lending
from reference_apps.ledger.loans.allocation import Component
from reference_apps.ledger.loans.happening import Happening, Kind
from reference_apps.ledger.loans.loan import Loan

Reason = Annotated[str, Field(min_length=1, max_length=256)]


class EventBody(Body):
    """Something that happened on a business day; None means today."""

    on: Day | None = None
    reason: Annotated[str, Field(max_length=256)] = ""
    tenant: Tenant = "default"

    def _made(self, loan: Loan, today: date, kind: Kind) -> Happening:
        return Happening(number=lending.next_number(loan), kind=kind, on=not_after(today, "on", self.on), booked_on=today, reason=self.reason)


class RepaymentBody(Body):
    """A payment that came; `paid_on` None means today."""

    amount_fen: Fen
    paid_on: Day | None = None
    tenant: Tenant = "default"

    def happening(self, loan: Loan, today: date) -> Happening:
        """Return the payment. Raises Problem for a day that has not come yet."""
        on = not_after(today, "paid_on", self.paid_on)
        return Happening(number=lending.next_number(loan), kind=Kind.PAID, on=on, booked_on=today, amount_fen=self.amount_fen)


class SettlementBody(EventBody):
    """An early settlement: the amount that was quoted for its day."""

    amount_fen: FenOrNone

    def happening(self, loan: Loan, today: date) -> Happening:
        return replace(self._made(loan, today, Kind.SETTLED), amount_fen=self.amount_fen)


class Source(StrEnum):
    """What is refunded: a purchase, which reduces the loan like a payment, or an overpayment, which goes back to the customer."""

    PURCHASE = "purchase"
    OVERPAYMENT = "overpayment"


class RefundBody(EventBody):
    of: Source
    amount_fen: Fen

    def happening(self, loan: Loan, today: date) -> Happening:
        kind = Kind.REFUNDED if self.of is Source.PURCHASE else Kind.PAID_BACK
        return replace(self._made(loan, today, kind), amount_fen=self.amount_fen)


class ChargeOffBody(EventBody):
    def happening(self, loan: Loan, today: date) -> Happening:
        return self._made(loan, today, Kind.CHARGED_OFF)


class ReAgeingBody(EventBody):
    """All that is unpaid moves into `periods` new instalments, the first due on `start_on`."""

    periods: Periods
    start_on: DueDay

    def happening(self, loan: Loan, today: date) -> Happening:
        return replace(self._made(loan, today, Kind.RE_AGED), periods=self.periods, start_on=self.start_on)


class ReAmortisationBody(EventBody):
    def happening(self, loan: Loan, today: date) -> Happening:
        return self._made(loan, today, Kind.RE_AMORTISED)


class FeeBody(EventBody):
    """A fee charged by hand, due with the current instalment."""

    amount_fen: Fen
    reason: Reason

    def happening(self, loan: Loan, today: date) -> Happening:
        return replace(self._made(loan, today, Kind.FEE_CHARGED), amount_fen=self.amount_fen)


class WaiverBody(EventBody):
    """Fees or penalties given up."""

    component: Literal["fee", "penalty"]
    amount_fen: Fen
    reason: Reason

    def happening(self, loan: Loan, today: date) -> Happening:
        return replace(self._made(loan, today, Kind.WAIVED), amount_fen=self.amount_fen, component=Component(self.component))


class ChargebackBody(EventBody):
    """How much of a payment the customer's bank took back; None: all that is left of it."""

    amount_fen: Fen | None = None

    def happening(self, loan: Loan, today: date, of: int) -> Happening:
        backed = sum(each.amount_fen for each in loan.in_force() if each.kind is Kind.CHARGED_BACK and each.of == of)
        paid = next((each.amount_fen for each in loan.happenings if each.number == of), 0)
        return replace(self._made(loan, today, Kind.CHARGED_BACK), amount_fen=self.amount_fen or max(0, paid - backed), of=of)


class ReversalBody(Body):
    """Why an entry was wrong. The loan is then what it would be without it, from the entry's own day on."""

    reason: Reason
    tenant: Tenant = "default"

    def happening(self, loan: Loan, today: date, of: int) -> Happening:
        return Happening(number=lending.next_number(loan), kind=Kind.REVERSED, on=today, booked_on=today, of=of, reason=self.reason)
