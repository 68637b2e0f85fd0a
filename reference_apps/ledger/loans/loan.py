"""One loan as a value: what was agreed and what happened since. Pure; the books hold the money, this holds its reasons."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal

from reference_apps.ledger.loans.agreed import pack
from reference_apps.ledger.loans.happening import Happening, Kind
from reference_apps.ledger.loans.product import STANDARD, LoanProduct
from reference_apps.ledger.loans.schedule import Credit, Instalment


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What lender and customer agreed on; `fee_fen` is kept back when it is paid out. `first_due_on` None: a month after the disbursement.

    Raises ValueError naming the field when the product cannot be lent so.
    """

    reference: str
    customer: str
    currency: str
    principal_fen: int
    annual_rate: Decimal
    periods: int
    disbursed_on: date
    product: LoanProduct = STANDARD
    first_due_on: date | None = None
    fee_fen: int = 0

    def __post_init__(self) -> None:
        self.product.check_periods(self.periods)
        if not 0 <= self.fee_fen < self.principal_fen:
            raise ValueError(f"fee_fen: a fee of {self.fee_fen} fen leaves nothing of {self.principal_fen} fen")

    def credit(self) -> Credit:
        return Credit(
            principal_fen=self.principal_fen,
            annual_rate=self.annual_rate,
            periods=self.periods,
            disbursed_on=self.disbursed_on,
            first_due_on=self.first_due_on,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Loan:
    """A loan with its life so far: the schedule as agreed, and what happened, in the order it was entered. What is owed is a function of the date."""

    id: str
    number: int
    terms: Terms
    schedule: Sequence[Instalment]
    happenings: tuple[Happening, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "schedule", pack(self.schedule))

    def having(self, happening: Happening) -> "Loan":
        """Return the loan with one more happening."""
        return replace(self, happenings=(*self.happenings, happening))

    def reversed_by(self) -> Mapping[int, int]:
        """Return which happenings were reversed, and by which."""
        return {happening.of: happening.number for happening in self.happenings if happening.kind is Kind.REVERSED}

    def in_force(self) -> tuple[Happening, ...]:
        """Return what counts, by day and then as entered: reversals take out what they reverse."""
        undone = self.reversed_by()
        counting = [happening for happening in self.happenings if happening.kind is not Kind.REVERSED and happening.number not in undone]
        return tuple(sorted(counting, key=lambda happening: (happening.on, happening.number)))
