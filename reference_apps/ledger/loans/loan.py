"""One loan as a value: what was agreed, what was paid, what is still owed. Pure; the books hold the money, this holds its reasons."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal

from reference_apps.ledger.loans.allocation import ORDER, Component, Debt, Part
from reference_apps.ledger.loans.product import STANDARD, LoanProduct
from reference_apps.ledger.loans.schedule import Credit, Instalment


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What lender and customer agreed on. Raises ValueError naming the field when the product cannot be lent so."""

    reference: str
    customer: str
    currency: str
    principal_fen: int
    annual_rate: Decimal
    periods: int
    disbursed_on: date
    product: LoanProduct = STANDARD

    def __post_init__(self) -> None:
        self.product.check_periods(self.periods)
        if self.product.down_payment:
            raise ValueError(f"down_payment: {self.product.down_payment} would be due while the loan is paid out; lend the rest instead")

    def credit(self) -> Credit:
        return Credit(principal_fen=self.principal_fen, annual_rate=self.annual_rate, periods=self.periods, disbursed_on=self.disbursed_on)


@dataclass(frozen=True, slots=True, kw_only=True)
class Repayment:
    """One payment as it was booked: `accrued_fen` is the interest recognised with it, `rest_fen` what became overpayment."""

    number: int
    amount_fen: int
    paid_on: date
    accrued_fen: int
    recognised: int
    parts: tuple[Part, ...]
    rest_fen: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Loan:
    """A loan with its life so far; `recognised` counts the instalments whose interest is in the income account."""

    id: str
    number: int
    terms: Terms
    schedule: tuple[Instalment, ...]
    recognised: int = 0
    repayments: tuple[Repayment, ...] = ()

    def paid(self) -> Mapping[tuple[int, Component], int]:
        """Return what was paid so far, by instalment and component."""
        sums: dict[tuple[int, Component], int] = {}
        for repayment in self.repayments:
            for part in repayment.parts:
                sums[part.number, part.component] = sums.get((part.number, part.component), 0) + part.amount_fen
        return sums

    def debts(self) -> tuple[Debt, ...]:
        """Return what each instalment still owes, oldest first, settled ones with zeros."""
        paid, lines = self.paid(), self.schedule
        return tuple(Debt(line.number, {component: agreed(line, component) - paid.get((line.number, component), 0) for component in ORDER}) for line in lines)

    def outstanding(self) -> Mapping[Component, int]:
        """Return what the whole loan still owes, by component."""
        debts = self.debts()
        return {component: sum(debt.owed[component] for debt in debts) for component in ORDER}

    def overpaid_fen(self) -> int:
        return sum(repayment.rest_fen for repayment in self.repayments)

    def with_repayment(self, repayment: Repayment) -> "Loan":
        return replace(self, repayments=(*self.repayments, repayment), recognised=repayment.recognised)


def agreed(line: Instalment, component: Component) -> int:
    """Return what an instalment asks for a component; fees and penalties are not charged yet."""
    match component:
        case Component.INTEREST:
            return line.interest_fen
        case Component.PRINCIPAL:
            return line.principal_fen
        case Component.FEE | Component.PENALTY:
            return 0
