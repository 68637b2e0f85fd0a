"""The accounts of the committed books as columns, with the interface of a layer: `get` and `put` of one account. Pure.

Sums are kept in 64 bits. The few accounts with a larger one are kept whole, beside the columns, and marked: nothing vectorised may touch them.
"""

from collections.abc import Iterator
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from reference_apps.ledger.algebra.byid import ById
from reference_apps.ledger.algebra.columns import Columns
from reference_apps.ledger.algebra.idtable import IdTable
from reference_apps.ledger.algebra.layout import LOW, Batch, Rows, U64s
from reference_apps.ledger.algebra.model import Account, AccountFlag

SUMS = ("debits_pending", "debits_posted", "credits_pending", "credits_posted")
NARROW = 2**62
"""No sum beyond it is kept in a column: adding what a batch may add at most can then not overflow unseen."""
CLOSED, WIDE = 1, 2
"""Marks: no movement at all; a sum beyond NARROW."""
REMEMBERED = 4096
_CLOSED_FLAG = int(AccountFlag.CLOSED)
DTYPES = {
    **dict.fromkeys(SUMS, "u8"),
    "timestamp": "u8",
    "user_data_128": "u8",
    "user_data_128_hi": "u8",
    "user_data_64": "u8",
    "user_data_32": "u4",
    "ledger": "u4",
    "code": "u2",
    "flags": "u2",
    "mark": "u1",
}
Kept = TypeVar("Kept")
ENTERED = ("timestamp", "user_data_128", "user_data_128_hi", "user_data_64", "user_data_32", "ledger", "code", "flags")


class AccountTable:
    """Accounts in the order in which they were opened; a row number is for ever."""

    __slots__ = ("_bound", "_remembered", "closed_by", "columns", "ids", "wide")

    def __init__(self) -> None:
        self.ids = IdTable()
        self.columns = Columns(DTYPES)
        self.closed_by: dict[int, int] = {}
        self.wide: dict[int, Account] = {}
        self._bound = 0  # no sum in the columns is larger
        self._remembered: dict[int, Account] = {}

    def __len__(self) -> int:
        return len(self.ids)

    def get(self, account_id: int, /) -> Account | None:
        known = self._remembered.get(account_id)
        if known is not None:
            return known
        row = self.ids.find_one(account_id)
        if row < 0:
            return None
        found = self.at(row)
        self._remember(found)
        return found

    def put(self, account_id: int, account: Account, /) -> None:
        """Write an account; a new one gets the next row."""
        row = self.ids.find_one(account_id)
        if row < 0:
            row = self.ids.add_one(account_id)
            self.columns.add_one(_entered(account))
        self._put_sums(row, account)
        self._remember(account)

    def open(self, batch: Batch) -> None:
        """Open new accounts, all sums zero; none of them may be there already."""
        self.ids.add(batch["id"], batch["id_hi"])
        first = self.columns.add({name: batch[name] for name in ENTERED}, len(batch))
        closed = np.flatnonzero(batch["flags"] & _CLOSED_FLAG)
        if len(closed):
            self.columns.write("mark")[first + closed] |= CLOSED

    def at(self, row: int) -> Account:
        """Return the account with this row number."""
        if row in self.wide:
            return self.wide[row]
        column = self.columns
        return Account(
            id=self.ids.id(row),
            ledger=column["ledger"].item(row),
            code=column["code"].item(row),
            flags=column["flags"].item(row),
            user_data_128=column["user_data_128"].item(row) | column["user_data_128_hi"].item(row) << 64,
            user_data_64=column["user_data_64"].item(row),
            user_data_32=column["user_data_32"].item(row),
            debits_pending=column["debits_pending"].item(row),
            debits_posted=column["debits_posted"].item(row),
            credits_pending=column["credits_pending"].item(row),
            credits_posted=column["credits_posted"].item(row),
            closed_by=self.closed_by.get(row, 0),
            timestamp=column["timestamp"].item(row),
        )

    def values(self) -> Iterator[Account]:
        """Yield every account, the first opened first."""
        return (self.at(row) for row in range(len(self)))

    def keys(self) -> Iterator[int]:
        return (self.ids.id(row) for row in range(len(self)))

    @property
    def own(self) -> ById[Account]:
        return ById(self)

    def page(self, after: int, limit: int) -> list[Account]:
        """Return the next accounts by id, beyond `after`."""
        return [self.at(row) for row in self.page_rows(after, limit)]

    def page_rows(self, after: int, limit: int) -> list[int]:
        """Return their row numbers. Ids never change: another thread may ask."""
        lo, hi = self.ids.ids.used("lo"), self.ids.ids.used("hi")
        after_lo, after_hi = np.uint64(after & LOW), np.uint64(after >> 64)
        rows = np.flatnonzero((hi > after_hi) | ((hi == after_hi) & (lo > after_lo)))
        rows = _smallest(rows, lo if self.ids.ids.is_blank("hi") else hi, limit)
        found: list[int] = rows[np.lexsort((lo[rows], hi[rows]))][:limit].tolist()
        return found

    def add_to(self, name: str, rows: Rows, amounts: U64s) -> None:
        """Add amounts to a sum of these accounts, which may be named more than once. `has_room_for` must have said that nothing can overflow."""
        self.columns.add_to(name, rows, amounts)
        self._remembered.clear()

    def has_room_for(self, total: int, *touched: Rows) -> bool:
        """Return whether no sum of the accounts touched can pass NARROW when `total` is added in whatever way; counts on its being added then."""
        if self._bound + total <= NARROW:
            self._bound += total
            return True
        self._bound = NARROW
        largest = max(int(self.columns[name][rows].max(initial=0)) for name in SUMS for rows in touched)
        return largest + total <= NARROW

    def found(self) -> None:
        """Take the columns as they were filled from elsewhere."""
        self.ids.build()
        self._bound = max(int(self.columns.used(name).max(initial=0)) for name in SUMS)

    def _put_sums(self, row: int, account: Account) -> None:
        sums = account.debits_pending, account.debits_posted, account.credits_pending, account.credits_posted
        largest, wide = max(sums), not 0 <= min(sums) <= max(sums) <= NARROW
        for name in SUMS:
            self.columns.put(name, row, 0 if wide else getattr(account, name))
        self._bound = max(self._bound, 0 if wide else largest)
        _keep(self.wide, row, account if wide else None)
        _keep(self.closed_by, row, account.closed_by or None)
        self.columns.put("mark", row, CLOSED * account.closed | WIDE * wide)

    def _remember(self, account: Account) -> None:
        if len(self._remembered) >= REMEMBERED:
            self._remembered.clear()
        self._remembered[account.id] = account



def _entered(account: Account) -> dict[str, int]:
    entered = {name: getattr(account, name) for name in ENTERED if name != "user_data_128_hi"}
    return entered | {"user_data_128": account.user_data_128 & LOW, "user_data_128_hi": account.user_data_128 >> 64}


def _keep(beside: dict[int, Kept], row: int, value: Kept | None) -> None:
    if value is not None:
        beside[row] = value
    elif beside:
        beside.pop(row, None)


def _smallest(rows: Rows, column: NDArray[np.unsignedinteger], limit: int) -> Rows:
    """Return the rows with the `limit` smallest values, and those that equal the largest of them."""
    if len(rows) <= limit:
        return rows
    values = column[rows]
    small: Rows = rows[values <= np.partition(values, limit - 1)[limit - 1]]
    return small
