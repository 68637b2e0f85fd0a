"""What may be posted to the ledger, checked at the door: whole fen, rates as decimal text, no unknown fields."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from decimal import Decimal
from typing import Annotated, Any, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StrictInt, WithJsonSchema, model_validator

from ctl.kit.problem import Problem
from reference_apps.ledger.daycount import DayCount
from reference_apps.ledger.loan import Terms
from reference_apps.ledger.model import RESOLVING, U128, Account, Transfer, TransferFlag
from reference_apps.ledger.product import STANDARD, Family, LoanProduct, Method
from reference_apps.ledger.quoting import Quote
from reference_apps.ledger.rounding import Rounding
from reference_apps.ledger.schedule import Credit

MOST_FEN = 10**13
"""The largest amount of one loan operation: a hundred billion yuan is a typing error."""


def whole(value: Any) -> Any:
    """Take a whole number, or the text of one: ids may be larger than what a JSON number carries safely elsewhere."""
    if isinstance(value, bool) or not (isinstance(value, int) or (isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 39)):
        raise ValueError("must be a whole number, or its digits as text")
    return int(value)


def plain_rate(value: Any) -> Any:
    """Take a rate as text only: a binary floating-point number is not exact."""
    if not isinstance(value, str):
        raise ValueError('must be a decimal fraction as text, e.g. "0.10" for 10 %')
    return value


TRANSFER_FLAG = {flag.name.lower(): int(flag) for flag in TransferFlag if flag.name}


def named_flags(value: Any) -> Any:
    """Take flags as a list of their names too; a number is passed on as it is."""
    if not isinstance(value, list):
        return value
    unknown = next((name for name in value if not isinstance(name, str) or name not in TRANSFER_FLAG), None)
    if unknown is not None:
        raise ValueError(f"{unknown!r} is not a flag; the flags are: {', '.join(TRANSFER_FLAG)}")
    return sum(TRANSFER_FLAG[name] for name in set(value))


U128Int = Annotated[int, BeforeValidator(whole), Field(ge=0, le=U128)]
U64Int = Annotated[int, BeforeValidator(whole), Field(ge=0, le=2**64 - 1)]
U32Int = Annotated[StrictInt, Field(ge=0, le=2**32 - 1)]
U16Int = Annotated[StrictInt, Field(ge=0, le=2**16 - 1)]
FLAG_SCHEMA = {"anyOf": [{"type": "integer", "minimum": 0, "maximum": 2**16 - 1}, {"type": "array", "items": {"enum": list(TRANSFER_FLAG)}}]}
TransferFlags = Annotated[U16Int, BeforeValidator(named_flags), WithJsonSchema(FLAG_SCHEMA)]
Fen = Annotated[StrictInt, Field(gt=0, le=MOST_FEN)]
Rate = Annotated[Decimal, BeforeValidator(plain_rate), Field(ge=0, le=1, decimal_places=8, allow_inf_nan=False)]
Periods = Annotated[StrictInt, Field(ge=1, le=60)]
Grace = Annotated[StrictInt, Field(ge=0, le=60)]
Day = Annotated[date, Field(ge=date(2000, 1, 1))]


class Body(BaseModel):
    """What every body has in common: a field we do not know is a mistake, not something to ignore."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class AccountBody(Body):
    id: U128Int
    ledger: U32Int
    code: U16Int
    flags: U16Int = 0
    user_data_128: U128Int = 0
    user_data_64: U64Int = 0
    user_data_32: U32Int = 0

    def to_model(self) -> Account:
        return Account(**self.model_dump())


class TransferBody(Body):
    """A transfer. A post or void may leave out what it takes over from its pending transfer; every other one names it."""

    id: U128Int
    debit_account_id: U128Int = 0
    credit_account_id: U128Int = 0
    amount: U128Int
    ledger: U32Int = 0
    code: U16Int = 0
    flags: TransferFlags = 0
    pending_id: U128Int = 0
    timeout: U32Int = 0
    user_data_128: U128Int = 0
    user_data_64: U64Int = 0
    user_data_32: U32Int = 0

    @model_validator(mode="after")
    def complete(self) -> Self:
        missing = [name for name in ("debit_account_id", "credit_account_id", "ledger", "code") if name not in self.model_fields_set]
        if missing and not self.flags & RESOLVING:
            raise ValueError(f"{', '.join(missing)}: required; only a post or void may leave it to its pending transfer")
        return self

    def to_model(self) -> Transfer:
        return Transfer(**self.model_dump())


class ProductBody(Body):
    """How the schedule is made; a product that contradicts itself is refused, naming the field."""

    method: Method = STANDARD.method
    family: Family = STANDARD.family
    day_count: DayCount = STANDARD.day_count
    rounding: Rounding = STANDARD.rounding
    principal_grace: Grace = 0
    interest_grace: Grace = 0
    interest_free: Grace = 0
    multiple_fen: Annotated[StrictInt, Field(ge=1, le=10**6)] = 1

    def product(self, **others: Any) -> LoanProduct:
        """Return the product with what is given besides. Raises Problem naming the field."""
        own = {name: getattr(self, name) for name in ProductBody.model_fields}
        with named_field():
            return LoanProduct(**own, **others)


class LoanBody(ProductBody):
    """A loan to be paid out. `reference` is the caller's case; `disbursed_on` None means today."""

    reference: str = Field(min_length=1, max_length=128)
    customer: str = Field(min_length=1, max_length=128)
    currency: str = Field(default="CNY", pattern="^[A-Z]{3}$")
    principal_fen: Fen
    annual_rate: Rate
    periods: Periods
    disbursed_on: Day | None = None
    tenant: str = Field(default="default", pattern="^[a-z0-9_]{1,32}$")

    def to_model(self, today: date) -> Terms:
        """Return the terms. Raises Problem for a day that has not come yet."""
        agreed = self.model_dump(exclude={"tenant", "disbursed_on", *ProductBody.model_fields})
        day, product = not_after(today, "disbursed_on", self.disbursed_on), self.product()
        with named_field():
            return Terms(**agreed, disbursed_on=day, product=product)

    def asked(self) -> dict[str, Any]:
        """Return the body as an Idempotency-Key knows it: a product field at its default is as good as absent, as it was before there were any."""
        standard = {name for name, field in ProductBody.model_fields.items() if getattr(self, name) == field.default}
        return self.model_dump(mode="json", exclude=standard)


class QuoteBody(ProductBody):
    """A loan somebody might take. `disbursed_on` None means today; `fee_fen` is kept back when it is paid out."""

    principal_fen: Fen
    annual_rate: Rate
    periods: Periods
    disbursed_on: Annotated[Day, Field(le=date(2200, 1, 1))] | None = None
    first_due_on: Annotated[Day, Field(le=date(2200, 12, 31))] | None = None
    down_payment: Annotated[Rate, Field(lt=1)] = Decimal(0)
    fee_fen: Annotated[StrictInt, Field(ge=0, le=MOST_FEN)] = 0

    def to_model(self, today: date) -> Quote:
        """Return what is asked. Raises Problem naming the field."""
        credit = Credit(
            principal_fen=self.principal_fen,
            annual_rate=self.annual_rate,
            periods=self.periods,
            disbursed_on=self.disbursed_on or today,
            first_due_on=self.first_due_on,
        )
        return Quote(product=self.product(down_payment=self.down_payment), credit=credit, fee_fen=self.fee_fen)


class RepaymentBody(Body):
    """A payment that came; `paid_on` None means today."""

    amount_fen: Fen
    paid_on: Day | None = None
    tenant: str = Field(default="default", pattern="^[a-z0-9_]{1,32}$")

    def day(self, today: date) -> date:
        """Return the day it was paid. Raises Problem for a day that has not come yet."""
        return not_after(today, "paid_on", self.paid_on)


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
