"""A large batch of accounts or of transfers on its way through the desk: prepared, planned, journalled, applied; or event by event. Pure."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from reference_apps.ledger.algebra import core, fast
from reference_apps.ledger.algebra.fast import Plan, Prepared
from reference_apps.ledger.algebra.layout import ACCOUNT, Batch, Records
from reference_apps.ledger.algebra.model import Account, Result, Status, Transfer
from reference_apps.ledger.books import Books
from reference_apps.ledger.keeping.entry import Entry

AT_LEAST = 128
"""Events of a batch that is worth a record of its own."""


@dataclass(frozen=True, slots=True)
class Bulk:
    """The events of one request as records, all accounts or all transfers."""

    events: Batch

    @property
    def opens(self) -> bool:
        """Whether these are accounts."""
        return bool(self.events.dtype == ACCOUNT)


@dataclass(frozen=True, slots=True)
class Created:
    """Every event was created, event i at `first_ns` + i."""

    first_ns: int
    count: int


Outcome = Created | Sequence[Result]


@dataclass(frozen=True, slots=True)
class Planned:
    """What a large batch will do."""

    plan: Plan
    opens: bool

    def entry(self) -> Entry:
        accounts: Records[Account] = Records(self.plan.records)
        transfers: Records[Transfer] = Records(self.plan.records)
        return Entry(accounts=accounts) if self.opens else Entry(transfers=transfers)

    def apply(self, books: Books) -> None:
        """Do it, once it is durable."""
        if self.opens:
            fast.apply_accounts(books, self.plan)
        else:
            fast.apply_transfers(books, self.plan)

    def outcome(self) -> Outcome:
        if self.plan.batch.imported:
            return tuple(Result(Status.CREATED, stamp) for stamp in self.plan.records["timestamp"].tolist())
        return Created(self.plan.first_ns, len(self.plan.records))


def prepare(books: Books, bulk: Bulk) -> Prepared | None:
    """Check what the batch before, of whatever kind, cannot change."""
    return fast.prepare_accounts(books, bulk.events) if bulk.opens else fast.prepare_transfers(books, bulk.events)


def plan(books: Books, bulk: Bulk, prepared: Prepared, now_ns: int, before: Planned | None) -> Planned | None:
    """Return what the batch will do, or None: it has to be taken event by event."""
    last = before.plan if before else None
    made = fast.plan_accounts(books, prepared, now_ns, last) if bulk.opens else fast.plan_transfers(books, prepared, now_ns, last)
    return Planned(made, bulk.opens) if made else None


def one_by_one(bulk: Bulk) -> Callable[[Books, int], Any]:
    """Return the batch as a command that takes one event after the other; its answer is the results."""

    def command(books: Books, now_ns: int) -> tuple[Result, ...]:
        if bulk.opens:
            accounts: Records[Account] = Records(bulk.events)
            return core.create_accounts(books, tuple(accounts), now_ns)
        transfers: Records[Transfer] = Records(bulk.events)
        return core.create_transfers(books, tuple(transfers), now_ns)

    return command
