"""Two ways to take the same batches, for tests: the fast path where it is allowed, and one event at a time; each with its journal."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from reference_apps.ledger.algebra import core, fast, layout
from reference_apps.ledger.algebra.accounttable import NARROW
from reference_apps.ledger.algebra.fast import Plan, Prepared
from reference_apps.ledger.algebra.layout import Records
from reference_apps.ledger.algebra.model import SECOND_NS, Account, Result, Status, Transfer
from reference_apps.ledger.books import Books
from reference_apps.ledger.keeping import body, entry, record
from reference_apps.ledger.keeping.entry import Entry
from reference_apps.ledger.keeping.record import GENESIS, Record

START = 1_000 * SECOND_NS
FREE, LIMITED, MIRRORED, CLOSED, FOREIGN, FULL, WIDE, SHUT, HEAP = range(1, 10)
"""Accounts: free ones from 10 on; debits limited; credits limited; closed by flag; of another ledger; at 2^62; beyond it; closed by a transfer; beyond it."""
ACCOUNTS = (FREE, LIMITED, MIRRORED, CLOSED, FOREIGN, FULL, WIDE, SHUT, HEAP, 10, 11, 2**100)
FLAGS = {LIMITED: 2, MIRRORED: 4, CLOSED: 32}
FUNDS = 100
KNOWN, BURNT, HELD, TIMED = 900, 901, 902, 903


def move(number: int, debit: int, credit: int, amount: int, **fields: Any) -> Transfer:
    return Transfer(**{"id": number, "debit_account_id": debit, "credit_account_id": credit, "amount": amount, "ledger": 1, "code": 1, **fields})


SEED = (
    move(KNOWN, FREE, LIMITED, FUNDS),
    move(904, MIRRORED, FREE, FUNDS),
    move(905, FULL, HEAP, NARROW - FUNDS),
    move(906, WIDE, HEAP, NARROW),
    move(907, WIDE, HEAP, NARROW),
    move(BURNT, 77, FREE, 1),
    move(HELD, LIMITED, FREE, 30, flags=2),
    move(TIMED, FREE, 10, 5, flags=2, timeout=3),
    move(908, SHUT, FREE, 0, flags=2 | 64),
)


@dataclass
class Way:
    """Books and the journal they wrote."""

    books: Books = field(default_factory=Books)
    journal: list[Record] = field(default_factory=list)

    def __post_init__(self) -> None:
        accounts = [Account(id=number, ledger=2 if number == FOREIGN else 1, code=1, flags=FLAGS.get(number, 0)) for number in ACCOUNTS]
        assert {result.status for result in self.one_by_one(accounts, START)} == {Status.CREATED}
        self.one_by_one(SEED, START)

    def write(self, one: Entry) -> None:
        head = (self.journal[-1].seq, self.journal[-1].hash) if self.journal else (0, GENESIS)
        self.journal += [record.write([one], head, 1, 1)] if one else []

    def one_by_one(self, events: Sequence[Account] | Sequence[Transfer], now_ns: int) -> tuple[Result, ...]:
        draft, given = self.books.draft(), tuple(events)
        of_accounts: Any = given
        results = (core.create_accounts if isinstance(given[0], Account) else core.create_transfers)(draft, of_accounts, now_ns)
        self.write(entry.of_draft(draft, self.books))
        draft.keep()
        return results

    def apply(self, plan: Plan) -> tuple[Result, ...]:
        records: Records[Any] = Records(plan.records)
        opens = plan.records.dtype == layout.ACCOUNT
        self.write(Entry(accounts=records) if opens else Entry(transfers=records))
        (fast.apply_accounts if opens else fast.apply_transfers)(self.books, plan)
        return tuple(Result(Status.CREATED, stamp) for stamp in plan.records["timestamp"].tolist())

    def state(self) -> dict[str, Any]:
        return state(self.books)

    def replayed(self) -> Books:
        """The books that the journal gives, read back from its bytes."""
        books = Books()
        for found in self.journal:
            for one in body.read(found.body):
                entry.fold(books, one)
        return books


def state(books: Books) -> dict[str, Any]:
    """Everything the books know about accounts and transfers, but for the time: of a batch in which all failed no journal knows."""
    named = {name: dict(getattr(books, name).own) for name in ("accounts", "transfers", "pendings", "burnt")}
    return named | {"order": list(books.transfers.own), "due": core.due(books, 2**62)}


def prepared(books: Books, events: Sequence[Transfer]) -> Prepared | None:
    return fast.prepare_transfers(books, layout.transfers_batch(events))


def plan(books: Books, events: Sequence[Transfer], now_ns: int) -> Plan | None:
    found = prepared(books, events)
    return fast.plan_transfers(books, found, now_ns) if found else None


def numbered(events: Sequence[Transfer], first: int) -> list[Transfer]:
    """The events with ids from `first` on, but for those that name one."""
    return [event if event.id else replace(event, id=first + number) for number, event in enumerate(events)]


IMPORTED = 256


def history(books: Books, events: Sequence[Transfer], now_ns: int) -> list[Transfer]:
    """The events as an imported batch, spread over the time since the newest transfer; those without time enough will regress, and always will."""
    newest = books.moved.newest
    step = max(1, (now_ns - newest) // (len(events) + 1))
    return [replace(each, flags=each.flags | IMPORTED, timeout=0, timestamp=min(newest + step * number, now_ns - 1)) for number, each in enumerate(events, 1)]
