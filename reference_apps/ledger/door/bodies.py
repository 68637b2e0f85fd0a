"""What may be posted to the ledger, checked at the door: whole fen, rates as decimal text, no unknown fields."""

from typing import Annotated, Any, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StrictInt, WithJsonSchema, model_validator

from reference_apps.ledger.algebra.model import RESOLVING, U128, Account, Transfer, TransferFlag


def whole(value: Any) -> Any:
    """Take a whole number, or the text of one: ids may be larger than what a JSON number carries safely elsewhere."""
    if isinstance(value, bool) or not (isinstance(value, int) or (isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 39)):
        raise ValueError("must be a whole number, or its digits as text")
    return int(value)


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


class Body(BaseModel):
    """What every body has in common: a field we do not know is a mistake, not something to ignore."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class AccountBody(Body):
    """An account. Only an imported one (flag 16) brings its timestamp."""

    id: U128Int
    ledger: U32Int
    code: U16Int
    flags: U16Int = 0
    user_data_128: U128Int = 0
    user_data_64: U64Int = 0
    user_data_32: U32Int = 0
    timestamp: U64Int = 0

    def to_model(self) -> Account:
        return Account(**self.model_dump())


class TransferBody(Body):
    """A transfer. A post or void may leave out what it takes over from its pending transfer; every other one names it.

    Only an imported one (flag 256) brings its timestamp.
    """

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
    timestamp: U64Int = 0

    @model_validator(mode="after")
    def complete(self) -> Self:
        missing = [name for name in ("debit_account_id", "credit_account_id", "ledger", "code") if name not in self.model_fields_set]
        if missing and not self.flags & RESOLVING:
            raise ValueError(f"{', '.join(missing)}: required; only a post or void may leave it to its pending transfer")
        return self

    def to_model(self) -> Transfer:
        return Transfer(**self.model_dump())
