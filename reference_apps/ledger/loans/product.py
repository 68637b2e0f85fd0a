"""A loan product: how its schedules are made, how a payment pays, what being late costs. A value, whole or refused; pure."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from decimal import Decimal
from enum import StrEnum
from typing import Any

from reference_apps.ledger.loans.allocation import ORDER, Component, Style
from reference_apps.ledger.loans.daycount import MONTHS_OF_THIRTY, DayCount
from reference_apps.ledger.loans.duedate import Shift
from reference_apps.ledger.loans.rounding import Rounding


class Method(StrEnum):
    """What stays equal: the instalment (等额本息), its principal (等额本金), or principal and interest alike."""

    ANNUITY = "annuity"
    EQUAL_PRINCIPAL = "equal_principal"
    FLAT = "flat"


class Family(StrEnum):
    """What an annuity does with the difference of its last instalment: carry it, or even it out. Daily: twelfths in the instalment, days in the interest."""

    CLASSIC = "classic"
    CLASSIC_DAILY = "classic_daily"
    PROGRESSIVE = "progressive"


class Prepayment(StrEnum):
    """What money in advance pays: the next instalments or the last ones, whole; or principal, after interest to the day: same number, or same amount."""

    NEXT_INSTALMENT = "next_instalment"
    LAST_INSTALMENT = "last_instalment"
    RE_AMORTISE = "re_amortise"
    SHORTEN = "shorten"


RECUTTING = frozenset({Prepayment.RE_AMORTISE, Prepayment.SHORTEN})
"""Prepayments after which the instalments to come are made anew."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoanProduct:
    """The rules of a product. Graces count periods: no principal, interest that accrues and falls due after the grace, no interest at all.

    Instalments are rounded to `multiple_fen`; `down_payment` is a fraction of the amount; `shifted_interest` counts days between shifted due dates.
    An instalment unpaid `penalty_grace_days` after it was due costs a late fee once (`late_fee_fen` plus `late_fee_rate` of what is unpaid), and from the
    next day on `penalty_daily_rate` a day of its unpaid principal and interest. `charge_off_days` past due a loan is written off (0: by hand only);
    with `accrues_after_charge_off` the claim then goes on growing, outside the books. Raises ValueError naming the field.
    """

    method: Method = Method.ANNUITY
    family: Family = Family.CLASSIC
    day_count: DayCount = DayCount.THIRTY_360
    rounding: Rounding = Rounding.HALF_UP
    principal_grace: int = 0
    interest_grace: int = 0
    interest_free: int = 0
    multiple_fen: int = 1
    down_payment: Decimal = Decimal(0)
    shift: Shift = Shift.NONE
    shifted_interest: bool = False
    order: tuple[Component, ...] = ORDER
    style: Style = Style.HORIZONTAL
    prepayment: Prepayment = Prepayment.NEXT_INSTALMENT
    late_fee_fen: int = 0
    late_fee_rate: Decimal = Decimal(0)
    penalty_daily_rate: Decimal = Decimal(0)
    penalty_grace_days: int = 0
    charge_off_days: int = 0
    accrues_after_charge_off: bool = False

    def __post_init__(self) -> None:
        for name, least in LEAST.items():
            if getattr(self, name) < least:
                raise ValueError(f"{name}: {getattr(self, name)} is less than {least}")
        for name in ("late_fee_rate", "penalty_daily_rate"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name}: {getattr(self, name)} is not a fraction from 0 to 1")
        if not 0 <= self.down_payment < 1:
            raise ValueError(f"down_payment: {self.down_payment} is not a fraction from 0 to below 1")
        if sorted(self.order) != sorted(Component):
            raise ValueError(f"order: each of {', '.join(Component)} stands in it once, found {', '.join(self.order) or 'none'}")
        self._check_method()

    def _check_method(self) -> None:
        if self.family is not Family.CLASSIC and self.method is not Method.ANNUITY:
            raise ValueError(f"family: {self.family} is a family of annuities, the method is {self.method}")
        if self.family is Family.CLASSIC_DAILY and self.day_count is not DayCount.ACT_365F:
            raise ValueError(f"day_count: {self.family} counts {DayCount.ACT_365F}, found {self.day_count}")
        if self.method is Method.FLAT and self.day_count not in MONTHS_OF_THIRTY:
            raise ValueError(f"day_count: flat interest is a twelfth of the year's in every period, found {self.day_count}")
        if self.method is Method.EQUAL_PRINCIPAL and self.multiple_fen != 1:
            raise ValueError(f"multiple_fen: equal principal is rounded to the fen, found {self.multiple_fen}")

    def check_periods(self, periods: int) -> None:
        """Raise ValueError naming the field when a loan of so many periods cannot have these graces."""
        if periods < 1:
            raise ValueError(f"periods: {periods} is less than 1")
        for name in ("principal_grace", "interest_grace"):
            if getattr(self, name) >= periods:
                raise ValueError(f"{name}: {getattr(self, name)} periods of grace leave none of {periods} to repay in")
        if self.interest_free > periods:
            raise ValueError(f"interest_free: {self.interest_free} periods without interest are more than the loan's {periods}")


LEAST: Mapping[str, int] = {
    "principal_grace": 0,
    "interest_grace": 0,
    "interest_free": 0,
    "multiple_fen": 1,
    "late_fee_fen": 0,
    "penalty_grace_days": 0,
    "charge_off_days": 0,
}
STANDARD = LoanProduct()


def to_row(product: LoanProduct) -> dict[str, Any]:
    """Return what differs from the standard product, JSON-ready: a book of standard loans carries no products."""
    differing = {field.name: getattr(product, field.name) for field in fields(product) if getattr(product, field.name) != field.default}
    return {name: _plain(value) for name, value in differing.items()}


def from_row(row: Mapping[str, Any]) -> LoanProduct:
    """Return the product that `to_row` wrote. Raises ValueError naming the field."""
    return LoanProduct(**{name: READERS.get(name, _same)(value) for name, value in row.items()}) if row else STANDARD


def _plain(value: Any) -> Any:
    match value:
        case tuple():
            return [str(each) for each in value]
        case StrEnum() | Decimal():
            return str(value)
        case _:
            return value


def _same(value: Any) -> Any:
    return value


READERS: Mapping[str, Callable[[Any], Any]] = {
    "method": Method,
    "family": Family,
    "day_count": DayCount,
    "rounding": Rounding,
    "shift": Shift,
    "down_payment": Decimal,
    "order": lambda names: tuple(map(Component, names)),
    "style": Style,
    "prepayment": Prepayment,
    "late_fee_rate": Decimal,
    "penalty_daily_rate": Decimal,
}
