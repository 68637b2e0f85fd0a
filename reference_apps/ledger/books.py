"""The state of the ledger in memory, in layers: a draft sees through to the books below it, and is kept or dropped as a whole."""

import heapq
from collections.abc import Iterator, Mapping
from typing import Generic, Protocol, TypeVar

from reference_apps.ledger.algebra.accounttable import AccountTable
from reference_apps.ledger.algebra.model import Account, Pending, Transfer
from reference_apps.ledger.algebra.stamps import Stamps
from reference_apps.ledger.algebra.transfertable import BurntTable, PendingTable, TransferTable
from reference_apps.ledger.closing.daystep import DayEnd, Step
from reference_apps.ledger.closing.loancolumns import LoanColumns
from reference_apps.ledger.keeping.reply import Reply
from reference_apps.ledger.loans.loan import Loan
from reference_apps.ledger.loans.postedtable import PostedLayer, PostedTable

Key = TypeVar("Key")
Value = TypeVar("Value")


class Kept(Protocol[Key, Value]):
    """What a layer stands on: another layer, or a table of the committed books."""

    @property
    def own(self) -> Mapping[Key, Value]: ...

    def get(self, key: Key, /) -> Value | None: ...

    def put(self, key: Key, value: Value, /) -> None: ...


class Layer(Generic[Key, Value]):
    """A mapping over what is below: writes stay in `own` until `sink`; the lowest layer's `own` is everything."""

    __slots__ = ("_below", "own")

    def __init__(self, below: "Kept[Key, Value] | None" = None) -> None:
        self._below = below
        self.own: dict[Key, Value] = {}

    def get(self, key: Key, /) -> Value | None:
        found = self.own.get(key)
        return found if found is not None or self._below is None else self._below.get(key)

    def put(self, key: Key, value: Value, /) -> None:
        self.own[key] = value

    def sink(self) -> None:
        """Move everything written here into what is below."""
        if isinstance(self._below, Layer):
            self._below.own.update(self.own)
        elif self._below is not None:
            for key, value in self.own.items():
                self._below.put(key, value)


class Timers:
    """When which pending transfer expires, as a heap over the one below; what has resolved meanwhile stays until it comes to the top of the lowest."""

    __slots__ = ("_below", "own")

    def __init__(self, below: "Timers | None" = None) -> None:
        self._below = below
        self.own: list[tuple[int, int]] = []

    def put(self, expires_ns: int, pending_id: int) -> None:
        heapq.heappush(self.own, (expires_ns, pending_id))

    def due(self, now_ns: int) -> list[int]:
        """Return the ids whose time has come, the earliest first; nothing is taken out, since a draft may be dropped."""
        found: list[tuple[int, int]] = []
        timers: Timers | None = self
        while timers is not None:
            found += timers._own_due(now_ns)
            timers = timers._below
        return [pending_id for _, pending_id in sorted(found)]

    def _own_due(self, now_ns: int) -> Iterator[tuple[int, int]]:
        places = [0]
        while places:
            place = places.pop()
            if place < len(self.own) and self.own[place][0] <= now_ns:
                yield self.own[place]
                places += (2 * place + 1, 2 * place + 2)

    def sink(self) -> None:
        if self._below is not None:
            for expires_ns, pending_id in self.own:
                self._below.put(expires_ns, pending_id)

    def drop_resolved(self, pendings: Kept[int, Pending]) -> None:
        while self.own and pendings.get(self.own[0][1]) is not Pending.PENDING:
            heapq.heappop(self.own)


class Tables:
    """What the committed books hold in columns."""

    __slots__ = ("accounts", "burnt", "pendings", "transfers")

    def __init__(self) -> None:
        self.accounts = AccountTable()
        self.transfers = TransferTable(self.accounts)
        self.pendings = PendingTable(self.transfers)
        self.burnt = BurntTable()


class Books:
    """Accounts, transfers, what became of pending ones, burnt ids, loans, what of their earnings is posted (by loan number), stored replies, ends of days.

    `opened` and `moved` say when accounts and transfers came; no transfer comes before an expiry that was noticed.

    `tables` is what the committed books hold in columns, also below a draft; `columns` is what they know of their loans, once somebody asks.
    `step` is the step of a day's end that a draft takes. `last_ns` and `last_loan` are the newest timestamp and loan number given out.
    """

    def __init__(self, below: "Books | None" = None) -> None:
        self._below = below
        self.accounts: Kept[int, Account]
        self.transfers: Kept[int, Transfer]
        self.pendings: Kept[int, Pending]
        self.burnt: Kept[int, bool]
        if below is None:
            self.tables = Tables()
            self.accounts, self.transfers, self.pendings, self.burnt = self.tables.accounts, self.tables.transfers, self.tables.pendings, self.tables.burnt
        else:
            self.tables = below.tables
            self.accounts, self.transfers = Layer(below.accounts), Layer(below.transfers)
            self.pendings, self.burnt = Layer(below.pendings), Layer(below.burnt)
        self.opened: Stamps = Stamps(self.tables.accounts.columns, below.opened if below else None)
        self.moved: Stamps = Stamps(self.tables.transfers.columns, below.moved if below else None)
        self.timers: Timers = Timers(below.timers if below else None)
        self.loans: Layer[str, Loan] = Layer(below.loans if below else None)
        self.posted: PostedLayer | PostedTable = PostedLayer(below.posted) if below else PostedTable()
        self.replies: Layer[str, Reply] = Layer(below.replies if below else None)
        self.dayends: Layer[int, DayEnd] = Layer(below.dayends if below else None)
        self.step: Step | None = None
        self.columns: LoanColumns | None = None
        self.last_ns: int = below.last_ns if below else 0
        self.last_loan: int = below.last_loan if below else 0

    @property
    def committed(self) -> "Books":
        """The books below all drafts."""
        return self if self._below is None else self._below.committed

    def drafted_loans(self) -> Mapping[str, Loan]:
        """Return the loans that are new or changed in drafts and not committed yet."""
        return {} if self._below is None else {**self._below.drafted_loans(), **self.loans.own}

    def days(self) -> frozenset[int]:
        """Return the days (ordinals) whose end has begun."""
        return frozenset(self.dayends.own) | (self._below.days() if self._below else frozenset())

    def draft(self) -> "Books":
        """Return empty books over these: what is written there is not seen here until `keep`."""
        return Books(self)

    def keep(self) -> None:
        """Make this draft part of the books below it."""
        if self._below is None:
            return
        for layer in (self.accounts, self.transfers, self.pendings, self.burnt, self.loans, self.replies, self.dayends):
            if isinstance(layer, Layer):
                layer.sink()
        for kept in (self.timers, self.opened, self.moved):
            kept.sink()
        if self._below.columns is not None:
            self._below.columns.changed.update(self.loans.own)
        if isinstance(self.posted, PostedLayer):
            self.posted.sink()
        self._below.last_ns = max(self._below.last_ns, self.last_ns)
        self._below.last_loan = max(self._below.last_loan, self.last_loan)
        if self._below._below is None:
            self._below.timers.drop_resolved(self._below.pendings)
