"""An account as it was at any time: what replaying the journal up to then would give, worked out from the columns. Pure.

A reservation counts from its transfer until a post or void, or until its time comes; at that very moment it is gone, whenever the books notice.
"""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from reference_apps.ledger.algebra.core import CLOSING_CREDIT, CLOSING_DEBIT
from reference_apps.ledger.algebra.layout import Rows
from reference_apps.ledger.algebra.model import LAST_NS, PENDING, POST, RESOLVING, SECOND_NS, Account
from reference_apps.ledger.algebra.transfertable import TransferTable, Wanted


def account(transfers: TransferTable, now: Account, row: int, at_ns: int) -> Account | None:
    """Return the account in row `row`, which by now is `now`, as it was when `at_ns` had passed; None before it was opened."""
    if now.timestamp > at_ns:
        return None
    rows = transfers.rows(Wanted(account=row, until_ns=min(at_ns + 1, LAST_NS)))
    flags, is_debit = transfers.columns["flags"][rows], transfers.columns["debit"][rows] == row
    posted = ((flags & (PENDING | RESOLVING)) == 0) | ((flags & POST) != 0)
    open_ = _is_open(transfers, rows, at_ns)
    closing = open_ & ((flags & np.where(is_debit, CLOSING_DEBIT, CLOSING_CREDIT)) != 0)
    return replace(
        now,
        debits_pending=transfers.amounts(rows[open_ & is_debit]),
        debits_posted=transfers.amounts(rows[posted & is_debit]),
        credits_pending=transfers.amounts(rows[open_ & ~is_debit]),
        credits_posted=transfers.amounts(rows[posted & ~is_debit]),
        closed_by=next((transfers.ids.id(each) for each in rows[closing].tolist()), 0),
    )


def _is_open(transfers: TransferTable, rows: Rows, at_ns: int) -> NDArray[np.bool_]:
    """Return which of an account's transfers up to a time still reserve something then; what resolves one stands among them."""
    flags, timeouts = transfers.columns["flags"][rows], transfers.columns["timeout"][rows].astype(np.uint64)
    expires = transfers.columns["timestamp"][rows] + timeouts * np.uint64(SECOND_NS)
    resolved = transfers.columns["pending"][rows[(flags & RESOLVING) != 0]].astype(np.intp) - 1
    open_: NDArray[np.bool_] = ((flags & PENDING) != 0) & ((timeouts == 0) | (expires > np.uint64(at_ns)))
    return open_ & ~np.isin(rows, resolved)
