"""What happens to a loan after it was paid out: one value per event, on a business day, never changed afterwards. Pure."""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from reference_apps.ledger.loans.allocation import Component


class Kind(StrEnum):
    """What happened. `refunded` is a purchase taken back, which pays like the customer; `paid_back` is an overpayment that went back to the customer."""

    PAID = "paid"
    SETTLED = "settled"
    REFUNDED = "refunded"
    PAID_BACK = "paid_back"
    CHARGED_OFF = "charged_off"
    CHARGED_BACK = "charged_back"
    RE_AGED = "re_aged"
    RE_AMORTISED = "re_amortised"
    FEE_CHARGED = "fee_charged"
    WAIVED = "waived"
    REVERSED = "reversed"


PAYING = frozenset({Kind.PAID, Kind.SETTLED, Kind.REFUNDED})
"""Money that came in, and is allocated."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Happening:
    """Event `number` of a loan, on the business day `on`; `booked_on` is the day it was entered, later for one that is back-dated.

    `of`: the happening that is reversed or charged back; `component`: what is waived; `periods` and `start_on`: the new instalments of a re-ageing.
    """

    number: int
    kind: Kind
    on: date
    booked_on: date
    amount_fen: int = 0
    of: int = 0
    component: Component | None = None
    periods: int = 0
    start_on: date | None = None
    reason: str = ""
