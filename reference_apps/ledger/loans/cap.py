"""The guard at contract: what a loan really costs the customer, fees in, against the tenant's cap. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from enum import StrEnum

from ctl.kit.problem import Problem
from reference_apps.ledger.loans import apr
from reference_apps.ledger.loans.loan import Terms
from reference_apps.ledger.loans.schedule import Instalment

EXACT = Decimal("0.0001")
"""Rates are compared to a hundredth of a percent: instalments rounded to the fen move a rate by less."""


class CapAction(StrEnum):
    """What happens to a loan above the cap. The price is agreed by now: there is nothing to clamp."""

    REFUSE = "refuse"
    WARN = "warn"


@dataclass(frozen=True, slots=True)
class Cap:
    """The highest irr*12, as a fraction."""

    irr12: Decimal
    action: CapAction


def check(cap: Cap, terms: Terms, lines: Sequence[Instalment]) -> str:
    """Return a warning, empty for a loan within the cap. Raises Problem when the loan is refused, or has no rate to hold against the cap."""
    try:
        found = apr.cost(terms.principal_fen - terms.fee_fen, lines, terms.disbursed_on).irr12
    except apr.NoRate as error:
        raise Problem(422, "no_rate", f"the loan's cash flows have no rate to hold against the cap: {error}", remedy="ask for a smaller fee") from error
    if found.quantize(EXACT, ROUND_HALF_UP) <= cap.irr12:
        return ""
    said = f"annual_rate: the loan costs {found:.6f} a year (irr*12, fees in; nominal {terms.annual_rate}), the tenant's cap is {cap.irr12}"
    if cap.action is CapAction.WARN:
        return said
    raise Problem(422, "above_rate_cap", said, remedy="lend at a lower rate or fee")
