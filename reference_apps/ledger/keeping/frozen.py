"""The committed books at one moment, as columns and lines that can be written down while the books go on; and books made of them again. Pure.

Columns that only ever grow are shared with the books; those whose rows change are copied, stretch by stretch between batches.
"""

import heapq
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reference_apps.ledger.algebra.accounttable import SUMS
from reference_apps.ledger.algebra.columns import Columns
from reference_apps.ledger.algebra.model import SECOND_NS, Account
from reference_apps.ledger.algebra.transfertable import EXPIRED_NUMBER, PENDING_NUMBER
from reference_apps.ledger.books import Books, Tables
from reference_apps.ledger.closing import daystep
from reference_apps.ledger.closing.daystep import DayEnd
from reference_apps.ledger.keeping import entry
from reference_apps.ledger.keeping.journal import Head
from reference_apps.ledger.keeping.reply import Reply
from reference_apps.ledger.loans.loan import Loan
from reference_apps.ledger.loans.postedtable import Fen, PostedTable

CHANGING: Mapping[str, tuple[str, ...]] = {"accounts": (*SUMS, "mark"), "transfers": ("state",)}
ROWS_AT_ONCE = 2**15
"""That are copied before others have their turn."""
Line = Mapping[str, Any]
NONE_POSTED = (np.zeros((3, 0), np.int64), np.zeros(0, np.int32))
LINE_BYTES = 512
"""About what a loan or a stored answer takes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Frozen:
    """The books as they are after the journal's record `head`. Rows by table, columns by table and name; what is nothing but zeros is not there."""

    head: Head
    last_ns: int
    rows: Mapping[str, int]
    columns: Mapping[str, NDArray[np.unsignedinteger]]
    beside: tuple[Line, ...]
    loans: tuple[Loan, ...]
    replies: tuple[tuple[str, Reply], ...]
    posted: tuple[Fen, NDArray[np.int32]] = NONE_POSTED
    dayends: tuple[DayEnd, ...] = ()

    @property
    def size(self) -> int:
        """About how many bytes a snapshot takes."""
        return sum(column.nbytes for column in self.columns.values()) + LINE_BYTES * (len(self.beside) + len(self.loans) + len(self.replies))

    def lines(self) -> Iterator[Line]:
        """Yield everything that is in no column, one thing a line."""
        yield from self.beside
        fen, through = self.posted
        rows = [daystep.packed(row) for row in (*fen, through.astype(np.int64))]
        yield {"posted": [len(through), *rows]}
        yield from ({"dayend": daystep.dayend_to_row(each)} for each in self.dayends)
        yield from (entry.to_json(one) for one in entry.lasting(self.loans, self.replies))


class Freezing:
    """The books as they are when it begins. They may not change until `share` is done; then they may, in the thread that takes the steps."""

    __slots__ = ("_books", "_held", "frozen")

    def __init__(self, books: Books) -> None:
        self._books = books
        self._held = {table: (each, each.hold(CHANGING[table])) for table, each in tables(books.tables).items() if table in CHANGING}
        self.frozen: Frozen

    def share(self, head: Head) -> None:
        """Make `frozen`, but for the columns whose rows change: it is whole once `step` has said so."""
        self.frozen = _shared(self._books, head)

    def step(self, most: int = ROWS_AT_ONCE) -> bool:
        """Copy the next rows, some milliseconds' worth; say whether all are copied."""
        for table, (columns, held) in list(self._held.items()):
            begin = held.taken
            for name, part in held.take(most).items():
                self.frozen.columns[f"{table}.{name}"][begin : held.taken] = part
            if held.taken < held.count:
                return False
            columns.release(held)
            del self._held[table]
        return True


def freeze(books: Books, head: Head) -> Frozen:
    """Hold on to the books as they are now; nobody may change them meanwhile."""
    going = Freezing(books)
    going.share(head)
    while not going.step():
        pass
    return going.frozen


def _shared(books: Books, head: Head) -> Frozen:
    """Return the books as they are now, but for the columns whose rows change: those are empty."""
    columns = {f"{table}.{name}": each.used(name) for table, each in tables(books.tables).items() for name in each.names() if not each.is_blank(name)}
    return Frozen(
        head=head,
        last_ns=books.last_ns,
        rows={table: each.count for table, each in tables(books.tables).items()},
        columns={name: np.empty_like(column) if _changes(name) else column for name, column in columns.items()},
        beside=tuple(_beside(books.tables)),
        posted=books.posted.copied() if isinstance(books.posted, PostedTable) else NONE_POSTED,
        dayends=tuple(books.dayends.own.values()),
        loans=tuple(books.loans.own.values()),
        replies=tuple(books.replies.own.items()),
    )


def _changes(name: str) -> bool:
    table, _, column = name.partition(".")
    return column in CHANGING.get(table, ())


def tables(kept: Tables) -> Mapping[str, Columns]:
    """Return the groups of columns that grow together."""
    accounts, transfers = kept.accounts, kept.transfers
    return {
        "account_ids": accounts.ids.ids,
        "accounts": accounts.columns,
        "transfer_ids": transfers.ids.ids,
        "transfers": transfers.columns,
        "burnt_ids": kept.burnt.ids.ids,
    }


def _beside(kept: Tables) -> Iterator[Line]:
    yield from ({"closed": [row, pending_id]} for row, pending_id in kept.accounts.closed_by.items())
    yield from ({"wide_account": [row, asdict(account)]} for row, account in kept.accounts.wide.items())
    yield from ({"wide_amount": [row, amount]} for row, amount in kept.transfers.wide.items())


def finish(books: Books, last_ns: int, lines: Iterable[Line]) -> None:
    """Complete books whose columns were filled: find ids again, set timers, and take in the lines."""
    kept = books.tables
    kept.accounts.found()
    kept.transfers.ids.build()
    kept.burnt.ids.build()
    _set_timers(books)
    for line in lines:
        _take_in(books, line)
    books.moved.rise(_last_expiry_ns(books) - 1)
    books.last_ns = last_ns


def _take_in(books: Books, line: Line) -> None:
    accounts, transfers = books.tables.accounts, books.tables.transfers
    match line:
        case {"closed": [row, pending_id]}:
            accounts.closed_by[row] = pending_id
        case {"wide_account": [row, fields]}:
            accounts.wide[row] = Account(**fields)
        case {"wide_amount": [row, amount]}:
            transfers.wide[row] = amount
        case {"posted": [count, *rows]} if isinstance(books.posted, PostedTable):
            *fen, through = (daystep.unpacked(row, count) for row in rows)
            books.posted.fill(np.stack(fen), through.astype(np.int32))
        case {"dayend": row}:
            ended = daystep.dayend_from_row(row)
            books.dayends.put(ended.day.toordinal(), ended)
        case _:
            entry.fold(books, entry.from_json(line))


def _last_expiry_ns(books: Books) -> int:
    """Return when the last of the pending transfers expired that were released for it, 0 if none was."""
    transfers = books.tables.transfers
    expired = np.flatnonzero(transfers.columns.used("state") == EXPIRED_NUMBER)
    seconds = transfers.columns["timeout"][expired].astype(np.uint64)
    return int((transfers.columns["timestamp"][expired] + seconds * np.uint64(SECOND_NS)).max(initial=0))


def _set_timers(books: Books) -> None:
    transfers = books.tables.transfers
    timeout, state = transfers.columns.used("timeout"), transfers.columns.used("state")
    for row in np.flatnonzero((timeout != 0) & (state == PENDING_NUMBER)).tolist():
        books.timers.own.append((transfers.columns["timestamp"].item(row) + timeout.item(row) * SECOND_NS, transfers.ids.id(row)))
    heapq.heapify(books.timers.own)
