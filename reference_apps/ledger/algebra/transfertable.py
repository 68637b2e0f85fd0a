"""The transfers of the committed books as columns, with the interface of a layer: `get` and `put` of one transfer. Pure.

A transfer names its accounts and its pending transfer by row number; its ledger is that of its accounts. Amounts of more than 64 bits stand beside.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reference_apps.ledger.algebra.accounttable import AccountTable
from reference_apps.ledger.algebra.byid import ById
from reference_apps.ledger.algebra.columns import Columns
from reference_apps.ledger.algebra.idtable import IdTable
from reference_apps.ledger.algebra.layout import LOW, Batch, Rows
from reference_apps.ledger.algebra.model import LAST_NS, Pending, Transfer

DTYPES = {
    "amount": "u8",
    "timestamp": "u8",
    "user_data_128": "u8",
    "user_data_128_hi": "u8",
    "user_data_64": "u8",
    "debit": "u4",
    "credit": "u4",
    "pending": "u4",
    "user_data_32": "u4",
    "timeout": "u4",
    "code": "u2",
    "flags": "u2",
    "state": "u1",
}
ENTERED = ("amount", "timestamp", "user_data_128", "user_data_128_hi", "user_data_64", "user_data_32", "timeout", "code", "flags")
STATES = (None, Pending.PENDING, Pending.POSTED, Pending.VOIDED, Pending.EXPIRED)
"""What became of a pending transfer, by its number in the column `state`."""
_NUMBERS: Mapping[Pending, int] = {state: number for number, state in enumerate(STATES) if state}
PENDING_NUMBER, EXPIRED_NUMBER = _NUMBERS[Pending.PENDING], _NUMBERS[Pending.EXPIRED]


HALF = 2**32 - 1
AT_ONCE = 2**18
"""Rows that a search looks at together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which transfers are looked for; None: whatever it is. `account` is a row number, `since_ns` the first moment, `until_ns` the first one after."""

    account: int | None = None
    code: int | None = None
    user_data_64: int | None = None
    since_ns: int = 0
    until_ns: int = LAST_NS


class TransferTable:
    """Transfers in the order in which they were created; `pending` is row number + 1 of the pending transfer that one resolves."""

    __slots__ = ("accounts", "columns", "ids", "wide")

    def __init__(self, accounts: AccountTable) -> None:
        self.accounts = accounts
        self.ids = IdTable()
        self.columns = Columns(DTYPES)
        self.wide: dict[int, int] = {}

    def __len__(self) -> int:
        return len(self.ids)

    def get(self, transfer_id: int, /) -> Transfer | None:
        row = self.ids.find_one(transfer_id)
        return self.at(row) if row >= 0 else None

    def put(self, transfer_id: int, transfer: Transfer, /) -> None:
        """Add a transfer whose accounts are there."""
        row = self.ids.add_one(transfer_id)
        if transfer.amount > LOW:
            self.wide[row] = transfer.amount
        entered = {name: getattr(transfer, name) for name in ENTERED if not name.startswith("user_data_128")}
        accounts = self.accounts.ids.find_one(transfer.debit_account_id), self.accounts.ids.find_one(transfer.credit_account_id)
        self.columns.add_one(
            entered
            | {"amount": transfer.amount & LOW, "user_data_128": transfer.user_data_128 & LOW, "user_data_128_hi": transfer.user_data_128 >> 64}
            | {"debit": accounts[0], "credit": accounts[1], "pending": self.ids.find_one(transfer.pending_id) + 1 if transfer.pending_id else 0}
        )

    def add(self, batch: Batch, debits: Rows, credits: Rows) -> None:
        """Add plain transfers, none of them there already, between the accounts with these row numbers; amounts have 64 bits at most."""
        self.ids.add(batch["id"], batch["id_hi"])
        values: dict[str, NDArray[np.unsignedinteger]] = {name: batch[name] for name in ENTERED}
        self.columns.add(values | {"debit": debits.astype(np.uint32), "credit": credits.astype(np.uint32)}, len(batch))

    def at(self, row: int) -> Transfer:
        """Return the transfer with this row number."""
        column, debit = self.columns, self.columns["debit"].item(row)
        pending = column["pending"].item(row)
        return Transfer(
            id=self.ids.id(row),
            debit_account_id=self.accounts.ids.id(debit),
            credit_account_id=self.accounts.ids.id(column["credit"].item(row)),
            amount=self.wide[row] if row in self.wide else column["amount"].item(row),
            ledger=self.accounts.columns["ledger"].item(debit),
            code=column["code"].item(row),
            flags=column["flags"].item(row),
            pending_id=self.ids.id(pending - 1) if pending else 0,
            timeout=column["timeout"].item(row),
            user_data_128=column["user_data_128"].item(row) | column["user_data_128_hi"].item(row) << 64,
            user_data_64=column["user_data_64"].item(row),
            user_data_32=column["user_data_32"].item(row),
            timestamp=column["timestamp"].item(row),
        )

    def values(self) -> Iterator[Transfer]:
        """Yield every transfer, the oldest first."""
        return (self.at(row) for row in range(len(self)))

    def rows(self, wanted: Wanted, limit: int | None = None) -> Rows:
        """Return the row numbers of the transfers wanted, the oldest first, at most `limit`. What is added meanwhile is not looked at."""
        stamps = self.columns.used("timestamp")
        begin, end = (int(np.searchsorted(stamps, np.uint64(moment))) for moment in (max(0, wanted.since_ns), max(0, wanted.until_ns)))
        found: list[Rows] = []
        count = 0
        while begin < end and (limit is None or count < limit):
            part = slice(begin, min(end, begin + AT_ONCE))
            found.append(np.flatnonzero(self._fits(wanted, part)) + begin)
            count, begin = count + len(found[-1]), part.stop
        return np.concatenate([np.empty(0, np.intp), *found])[:limit]

    def _fits(self, wanted: Wanted, part: slice) -> NDArray[np.bool_]:
        fits = np.ones(part.stop - part.start, np.bool_)
        if wanted.account is not None:
            fits &= (self.columns["debit"][part] == wanted.account) | (self.columns["credit"][part] == wanted.account)
        if wanted.code is not None:
            fits &= self.columns["code"][part] == wanted.code
        if wanted.user_data_64 is not None:
            fits &= self.columns["user_data_64"][part] == np.uint64(wanted.user_data_64)
        return fits

    def amounts(self, rows: Rows) -> int:
        """Return the exact sum of the amounts in these rows."""
        amounts = self.columns["amount"][rows]
        low, high = int((amounts & np.uint64(HALF)).sum()), int((amounts >> np.uint64(32)).sum())
        beside = sum(self.wide[row] - (self.wide[row] & LOW) for row in rows.tolist() if row in self.wide) if self.wide else 0
        return low + (high << 32) + beside

    def keys(self) -> Iterator[int]:
        return (self.ids.id(row) for row in range(len(self)))

    @property
    def own(self) -> ById[Transfer]:
        return ById(self)


class PendingTable:
    """What became of pending transfers, by id: a column of the transfers."""

    __slots__ = ("_transfers",)

    def __init__(self, transfers: TransferTable) -> None:
        self._transfers = transfers

    def __len__(self) -> int:
        return int(np.count_nonzero(self._transfers.columns.used("state")))

    def get(self, transfer_id: int, /) -> Pending | None:
        row = self._transfers.ids.find_one(transfer_id)
        return STATES[self._transfers.columns["state"].item(row)] if row >= 0 else None

    def put(self, transfer_id: int, state: Pending, /) -> None:
        self._transfers.columns.put("state", self._transfers.ids.find_one(transfer_id), _NUMBERS[state])

    def keys(self) -> Iterator[int]:
        rows = np.flatnonzero(self._transfers.columns.used("state"))
        return (self._transfers.ids.id(int(row)) for row in rows)

    @property
    def own(self) -> ById[Pending]:
        return ById(self)


class BurntTable:
    """Ids that failed for a reason that may pass: each is used up."""

    __slots__ = ("ids",)

    def __init__(self) -> None:
        self.ids = IdTable()

    def __len__(self) -> int:
        return len(self.ids)

    def get(self, transfer_id: int, /) -> bool | None:
        return True if self.ids.find_one(transfer_id) >= 0 else None

    def put(self, transfer_id: int, burnt: bool, /) -> None:
        if self.ids.find_one(transfer_id) < 0:
            self.ids.add_one(transfer_id)

    def keys(self) -> Iterator[int]:
        return (self.ids.id(row) for row in range(len(self.ids)))

    @property
    def own(self) -> ById[bool]:
        return ById(self)
