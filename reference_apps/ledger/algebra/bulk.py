"""Plain transfers by the thousand, entered into the columns of the committed books at once. Nothing is judged here. Pure."""

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from reference_apps.ledger.algebra import core
from reference_apps.ledger.algebra.accounttable import NARROW, WIDE
from reference_apps.ledger.algebra.layout import Batch, Records, Rows, U64s
from reference_apps.ledger.algebra.model import PENDING, RESOLVING, Transfer
from reference_apps.ledger.books import Books

AT_LEAST = 8
"""Transfers that are entered faster together than one by one."""
_HALF = np.uint64(32)
_LOW_HALF = np.uint64(2**32 - 1)


def total(amounts: U64s) -> int:
    """Return the exact sum of amounts of 64 bits."""
    return (int((amounts >> _HALF).sum()) << 32) + int((amounts & _LOW_HALF).sum())


def enter(books: Books, batch: Batch, debits: Rows, credits: Rows) -> None:
    """Enter plain transfers between the accounts with these row numbers. There must be room for their total in every sum."""
    tables, amounts = books.tables, np.ascontiguousarray(batch["amount"])
    tables.transfers.add(batch, debits, credits)
    tables.accounts.add_to("debits_posted", debits, amounts)
    tables.accounts.add_to("credits_posted", credits, amounts)
    books.last_ns = max(books.last_ns, int(batch["timestamp"][-1]))


def replay(books: Books, batch: Batch) -> None:
    """Enter transfers that were judged when they were created, whatever they are, in their order. Raises ValueError for an account that is not there."""
    for part, is_plain in _parts(batch):
        if not (is_plain and len(part) >= AT_LEAST and _entered(books, part)):
            one_by_one: Records[Transfer] = Records(part)
            for transfer in one_by_one:
                core.record(books, transfer)


def reopen(books: Books, batch: Batch) -> None:
    """Enter accounts that were judged when they were opened."""
    if len(batch):
        books.tables.accounts.open(batch)
        books.last_ns = max(books.last_ns, int(batch["timestamp"][-1]))


def is_plain(batch: Batch) -> NDArray[np.bool_]:
    """Return which transfers move their amount at once and touch nothing else."""
    plain: NDArray[np.bool_] = (batch["flags"] & (PENDING | RESOLVING)) == 0
    plain &= (batch["amount_hi"] == 0) & (batch["amount"] <= NARROW)
    return plain


def _parts(batch: Batch) -> Iterator[tuple[Batch, bool]]:
    """Cut a batch where plain transfers begin and end."""
    plain = is_plain(batch)
    cuts = [0, *(np.flatnonzero(plain[1:] != plain[:-1]) + 1).tolist(), len(batch)]
    for begin, end in pairwise(cuts):
        if begin < end:
            yield batch[begin:end], bool(plain[begin])


def _entered(books: Books, batch: Batch) -> bool:
    """Enter plain transfers, unless a sum could become too large for its column: then nothing is done."""
    accounts = books.tables.accounts
    debits, credits = rows(books, batch, "debit_account_id"), rows(books, batch, "credit_account_id")
    missing = np.flatnonzero((debits < 0) | (credits < 0))
    if len(missing):
        transfer: Records[Transfer] = Records(batch[missing[:1]])
        raise ValueError(f"transfer {transfer[0].id} moves an account that is not in the books")
    marks = accounts.columns["mark"]
    if ((marks[debits] | marks[credits]) & WIDE).any() or not accounts.has_room_for(total(batch["amount"]), debits, credits):
        return False
    enter(books, batch, debits, credits)
    return True


def rows(books: Books, batch: Batch, name: str) -> Rows:
    """Return the row numbers of the accounts that a field of the batch names, -1 where there is none."""
    return books.tables.accounts.ids.find(np.ascontiguousarray(batch[name]), np.ascontiguousarray(batch[f"{name}_hi"]))
