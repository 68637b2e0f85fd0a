"""The trial balance: every account added up by ledger and code, and the loans beside their control accounts, all as of one moment.

It is worked out stretch by stretch while the books go on. Pure reading.
"""

from collections.abc import Iterator, Mapping
from dataclasses import astuple, dataclass

import numpy as np
from numpy.typing import NDArray

from reference_apps.ledger.algebra.accounttable import SUMS
from reference_apps.ledger.algebra.model import Account
from reference_apps.ledger.books import Books
from reference_apps.ledger.closing import subledger
from reference_apps.ledger.closing.subledger import Check

ROWS_AT_ONCE = 2**15
HALF = 32
_LOW_HALF = np.uint64(2**HALF - 1)
_CODE_BITS = 16
Sums = NDArray[np.uint64]
Key = tuple[int, int]
"""A ledger and a code."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Total:
    """Accounts added up, in fen; reserved is what pending transfers hold."""

    accounts: int = 0
    reserved_debits_fen: int = 0
    debits_fen: int = 0
    reserved_credits_fen: int = 0
    credits_fen: int = 0

    def plus(self, other: "Total") -> "Total":
        return Total(**dict(zip(Total.__slots__, map(sum, zip(astuple(self), astuple(other), strict=True)), strict=True)))

    @property
    def is_even(self) -> bool:
        """Whether both sides are the same, of what is posted and of what is reserved."""
        return self.debits_fen == self.credits_fen and self.reserved_debits_fen == self.reserved_credits_fen


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """Some accounts as they were: whose they are (ledger and code in one number), and their four sums."""

    keys: Sums
    sums: Mapping[str, NDArray[np.unsignedinteger]]


class TrialBalance:
    """Begins at the moment it is made, when the columns of loans must know every loan; whole once `take` has nothing more. `close` it, whatever happens."""

    def __init__(self, books: Books) -> None:
        committed = books.committed
        accounts = committed.tables.accounts
        self.controls: tuple[Check, ...] = subledger.checks(committed)
        self.loans, self.transfers = len(committed.loans.own), len(committed.tables.transfers)
        self.by_code: dict[Key, Total] = {}
        self._columns = accounts.columns
        self._held = accounts.columns.hold(SUMS)
        for wide in tuple(accounts.wide.values()):
            self._add((wide.ledger, wide.code), _of_wide(wide))

    def take(self, most: int = 0) -> Stretch | None:
        """Return the next accounts, as many as take a millisecond or at most so many, which somebody has to `add`; None when there are no more."""
        begin = self._held.taken
        if begin == self._held.count:
            return None
        sums = self._held.take(most or ROWS_AT_ONCE)
        ledgers, codes = (self._columns[name][begin : self._held.taken].astype(np.uint64) for name in ("ledger", "code"))
        return Stretch(keys=(ledgers << np.uint64(_CODE_BITS)) | codes, sums=sums)

    def add(self, stretch: Stretch) -> None:
        """Add accounts up; in any thread, but one after the other."""
        keys, places = np.unique(stretch.keys, return_inverse=True)
        counts = np.bincount(places, minlength=len(keys)).tolist()
        names = zip(SUMS, Total.__slots__[1:], strict=True)
        sums = {field: _by_place(stretch.sums[name], places, len(keys)) for name, field in names if name in stretch.sums}
        for place, key in enumerate(keys.tolist()):
            total = Total(accounts=counts[place], **{field: column[place] for field, column in sums.items()})
            self._add((key >> _CODE_BITS, key & (2**_CODE_BITS - 1)), total)

    def close(self) -> None:
        """Let go of the books."""
        self._columns.release(self._held)

    def by_ledger(self) -> Mapping[int, Total]:
        """Return each ledger's total, in the order of their numbers."""
        found: dict[int, Total] = {}
        for (ledger, _), total in sorted(self.by_code.items()):
            found[ledger] = found.get(ledger, Total()).plus(total)
        return found

    def _add(self, key: Key, total: Total) -> None:
        self.by_code[key] = self.by_code.get(key, Total()).plus(total)


def of(books: Books) -> TrialBalance:
    """Work the whole trial balance out at once. The columns of loans must know every loan."""
    made = TrialBalance(books)
    try:
        for stretch in _stretches(made):
            made.add(stretch)
    finally:
        made.close()
    return made


def _stretches(made: TrialBalance) -> Iterator[Stretch]:
    while (stretch := made.take()) is not None:
        yield stretch


def _of_wide(account: Account) -> Total:
    """Return an account that stands beside the columns; its row there is counted, with sums of zero."""
    return Total(
        reserved_debits_fen=account.debits_pending,
        debits_fen=account.debits_posted,
        reserved_credits_fen=account.credits_pending,
        credits_fen=account.credits_posted,
    )


def _by_place(column: NDArray[np.unsignedinteger], places: NDArray[np.intp], count: int) -> list[int]:
    """Add up by place in two halves: neither loses a bit, since a stretch has few enough rows for a float's 53."""
    high = np.bincount(places, (column >> np.uint64(HALF)).astype(np.float64), count)
    low = np.bincount(places, (column & _LOW_HALF).astype(np.float64), count)
    return [(int(upper) << HALF) + int(lower) for upper, lower in zip(high.tolist(), low.tolist(), strict=True)]
