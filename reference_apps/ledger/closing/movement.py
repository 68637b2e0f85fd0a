"""One movement of money on the bank account, as one of three sources tells it: the bank's file, the ledger, the loans. A value; pure."""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum


class Source(StrEnum):
    """Who says so."""

    BANK = "bank"
    LEDGER = "ledger"
    LOANS = "loans"


class Direction(StrEnum):
    """Seen from our account at the bank."""

    IN = "in"
    OUT = "out"


@dataclass(frozen=True, slots=True, kw_only=True)
class Movement:
    """`place` says where to find it: a line of the file, a transfer, an event of a loan. `on` is the business day.

    `references` name this one movement (payment key, case), `loan` its loan; `event` is what the ledger and the loans call it alike, empty for the bank.
    """

    place: str
    on: date
    direction: Direction
    amount_fen: int
    currency: str
    references: tuple[str, ...] = ()
    loan: str = ""
    event: str = ""

    @property
    def net_fen(self) -> int:
        """What it adds to the account: positive for what came in."""
        return self.amount_fen if self.direction is Direction.IN else -self.amount_fen


def yuan(fen: int, currency: str = "CNY") -> str:
    """Return an amount for people: 1,234.56 CNY."""
    return f"{'-' if fen < 0 else ''}{abs(fen) // 100:,}.{abs(fen) % 100:02d} {currency}".rstrip()
