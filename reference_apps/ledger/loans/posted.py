"""What a loan has earned so far and what of it stands in the books: the two differ by what the next posting posts. Pure."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Posted:
    """Cumulative interest, fees and penalties in fen, net of reversals, through the business day with the ordinal `through` (0: not known)."""

    interest_fen: int = 0
    fee_fen: int = 0
    penalty_fen: int = 0
    through: int = 0


NOTHING = Posted()
