"""What may be sent about loans, checked at the door: whole fen, rates as decimal text, days that have come."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from decimal import Decimal
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, StrictInt

from ctl.kit.problem import Problem
from reference_apps.ledger.door.bodies import Body
from reference_apps.ledger.loans.allocation import Component, Style
from reference_apps.ledger.loans.daycount import DayCount
from reference_apps.ledger.loans.duedate import Shift
from reference_apps.ledger.loans.loan import Terms
from reference_apps.ledger.loans.product import STANDARD, Family, LoanProduct, Method, Prepayment
from reference_apps.ledger.loans.quoting import Quote
from reference_apps.ledger.loans.rounding import Rounding
from reference_apps.ledger.loans.schedule import Credit

MOST_FEN = 10**13
"""The largest amount of one loan operation: a hundred billion yuan is a typing error."""


def plain_rate(value: Any) -> Any:
    """Take a rate as text only: a binary floating-point number is not exact."""
    if not isinstance(value, str):
        raise ValueError('must be a decimal fraction as text, e.g. "0.10" for 10 %')
    return value


Fen = Annotated[StrictInt, Field(gt=0, le=MOST_FEN)]
FenOrNone = Annotated[StrictInt, Field(ge=0, le=MOST_FEN)]
Rate = Annotated[Decimal, BeforeValidator(plain_rate), Field(ge=0, le=1, decimal_places=8, allow_inf_nan=False)]
Periods = Annotated[StrictInt, Field(ge=1, le=60)]
Grace = Annotated[StrictInt, Field(ge=0, le=60)]
Days = Annotated[StrictInt, Field(ge=0, le=3650)]
Day = Annotated[date, Field(ge=date(2000, 1, 1))]
DueDay = Annotated[Day, Field(le=date(2200, 12, 31))]
Tenant = Annotated[str, Field(pattern="^[a-z0-9_]{1,32}$")]


class ProductBody(Body):
    """How the schedule is made, how payments pay, what being late costs; a product that contradicts itself is refused, naming the field."""

    method: Method = STANDARD.method
    family: Family = STANDARD.family
    day_count: DayCount = STANDARD.day_count
    rounding: Rounding = STANDARD.rounding
    principal_grace: Grace = 0
    interest_grace: Grace = 0
    interest_free: Grace = 0
    multiple_fen: Annotated[StrictInt, Field(ge=1, le=10**6)] = 1
    down_payment: Annotated[Rate, Field(lt=1)] = Decimal(0)
    shift: Shift = STANDARD.shift
    shifted_interest: bool = False
    order: tuple[Component, ...] = STANDARD.order
    style: Style = STANDARD.style
    prepayment: Prepayment = STANDARD.prepayment
    late_fee_fen: FenOrNone = 0
    late_fee_rate: Rate = Decimal(0)
    penalty_daily_rate: Rate = Decimal(0)
    penalty_grace_days: Days = 0
    charge_off_days: Days = 0
    accrues_after_charge_off: bool = False

    def product(self) -> LoanProduct:
        """Return the product. Raises Problem naming the field."""
        with named_field():
            return LoanProduct(**{name: getattr(self, name) for name in ProductBody.model_fields})


class LoanBody(ProductBody):
    """A loan to be paid out, less `fee_fen`. `reference` is the caller's case; `disbursed_on` None means today, `first_due_on` None a month later."""

    reference: str = Field(min_length=1, max_length=128)
    customer: str = Field(min_length=1, max_length=128)
    currency: str = Field(default="CNY", pattern="^[A-Z]{3}$")
    principal_fen: Fen
    annual_rate: Rate
    periods: Periods
    disbursed_on: Day | None = None
    first_due_on: DueDay | None = None
    fee_fen: FenOrNone = 0
    tenant: Tenant = "default"

    def to_model(self, today: date) -> Terms:
        """Return the terms. Raises Problem for a day that has not come yet."""
        agreed = self.model_dump(exclude={"tenant", "disbursed_on", *ProductBody.model_fields})
        day, product = not_after(today, "disbursed_on", self.disbursed_on), self.product()
        with named_field():
            return Terms(**agreed, disbursed_on=day, product=product)

    def asked(self) -> dict[str, Any]:
        """Return the body as an Idempotency-Key knows it: a field that came later is at its default as good as absent, as it was before there was any."""
        later = {*ProductBody.model_fields, "first_due_on", "fee_fen"}
        standard = {name for name in later if getattr(self, name) == type(self).model_fields[name].default}
        return self.model_dump(mode="json", exclude=standard)


class QuoteBody(ProductBody):
    """A loan somebody might take. `disbursed_on` None means today; `fee_fen` is kept back when it is paid out."""

    principal_fen: Fen
    annual_rate: Rate
    periods: Periods
    disbursed_on: Annotated[Day, Field(le=date(2200, 1, 1))] | None = None
    first_due_on: DueDay | None = None
    fee_fen: FenOrNone = 0

    def to_model(self, today: date) -> Quote:
        """Return what is asked. Raises Problem naming the field."""
        credit = Credit(
            principal_fen=self.principal_fen,
            annual_rate=self.annual_rate,
            periods=self.periods,
            disbursed_on=self.disbursed_on or today,
            first_due_on=self.first_due_on,
        )
        return Quote(product=self.product(), credit=credit, fee_fen=self.fee_fen)


@contextmanager
def named_field() -> Iterator[None]:
    """Turn the ValueError of a value that refuses itself, which names the field, into a Problem."""
    try:
        yield
    except ValueError as error:
        raise Problem(422, "bad_input", str(error), remedy="correct the field named, or leave it out for the standard product") from error


def not_after(today: date, field: str, day: date | None) -> date:
    """Return the day given, or today. Raises Problem for a day that has not come yet: money moves today or has moved."""
    if day is not None and day > today:
        raise Problem(422, "bad_input", f"{field}: {day} has not come yet; today is {today}", remedy="correct the date, or leave it out for today")
    return day or today
