"""What the columns of the committed books say of one account's transfers and of a whole ledger's sums, without a value for each row. Pure reading."""

import numpy as np

from reference_apps.ledger.algebra.accounttable import WIDE, AccountTable
from reference_apps.ledger.algebra.layout import U64s
from reference_apps.ledger.algebra.model import LINKED, Transfer
from reference_apps.ledger.books import Books

HALF = 32


def touching(books: Books, account_id: int) -> list[tuple[int, Transfer]]:
    """Return the transfers that touch an account, the oldest first, each with a number that those of one chain have in common."""
    tables = books.tables
    account = tables.accounts.ids.find_one(account_id)
    if account < 0:
        return []
    columns = tables.transfers.columns
    flags = columns.used("flags")
    debit, credit = columns.used("debit")[: len(flags)], columns.used("credit")[: len(flags)]
    rows = np.flatnonzero((debit == account) | (credit == account))
    if not rows.size:
        return []
    ends = np.add.reduceat((flags & LINKED) == 0, rows, dtype=np.int64)
    chains = np.concatenate([[0], np.cumsum(ends[:-1] > 0)])
    return [(int(chain), tables.transfers.at(int(row))) for chain, row in zip(chains, rows, strict=True)]


def sums(accounts: AccountTable, ledger: int) -> tuple[int, int]:
    """Return all posted debits and credits of a ledger; whole numbers, however many accounts there are."""
    columns = accounts.columns
    at = (columns.used("ledger") == ledger) & (columns.used("mark") & WIDE == 0)
    wide = [account for account in accounts.wide.values() if account.ledger == ledger]
    debits = _sum(columns.used("debits_posted")[at]) + sum(account.debits_posted for account in wide)
    credits = _sum(columns.used("credits_posted")[at]) + sum(account.credits_posted for account in wide)
    return debits, credits


def _sum(column: U64s) -> int:
    """Add up in two halves: neither can overflow."""
    return (int((column >> np.uint64(HALF)).sum()) << HALF) + int((column & np.uint64(2**HALF - 1)).sum())
