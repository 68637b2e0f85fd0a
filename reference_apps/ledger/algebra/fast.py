"""The fast path: a batch that can only succeed is judged as a whole, with the same outcome to the byte as one event at a time. Pure.

It has two steps, so that the first can run while the batch before is still on its way to the disk: `prepare_...` checks what that batch cannot change,
`plan_...` the rest. A plan is journalled, and only then applied. None means that something in the batch needs a closer look.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from reference_apps.ledger.algebra import bulk, core
from reference_apps.ledger.algebra.accounttable import NARROW, SUMS
from reference_apps.ledger.algebra.idtable import IdTable
from reference_apps.ledger.algebra.layout import LOW, Batch, Rows, U64s
from reference_apps.ledger.algebra.model import ACCOUNT_FLAGS, ACCOUNT_IMPORTED, ACCOUNT_LIMITS, IMPORTED, LAST_NS, LINKED
from reference_apps.ledger.algebra.rules import CREDITS_LIMITED, DEBITS_LIMITED
from reference_apps.ledger.algebra.stamps import Stamps
from reference_apps.ledger.books import Books

_LOW = np.uint64(LOW)
_Mask = NDArray[np.bool_]
MUST_BE_ZERO = ("pending_id", "pending_id_hi", "timeout", "amount_hi")


def _no_rows() -> Rows:
    return np.empty(0, np.intp)


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A batch found plain, maybe imported: its ids, and of transfers the accounts' row numbers and the total of the amounts."""

    events: Batch
    lo: U64s
    hi: U64s
    debits: Rows = field(default_factory=_no_rows)
    credits: Rows = field(default_factory=_no_rows)
    total: int = 0
    imported: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """What a batch will do: every event is created, event i has its turn at `first_ns` + i; `records` are as they are entered."""

    batch: Prepared
    records: Batch
    first_ns: int


def prepare_transfers(books: Books, events: Batch) -> Prepared | None:
    """Check all of a batch that holds as long as no account is closed and nothing but plain batches is entered."""
    imported = _imports(events, IMPORTED)
    if not len(events) or not _is_plain(events, imported):
        return None
    debits, credits = bulk.rows(books, events, "debit_account_id"), bulk.rows(books, events, "credit_account_id")
    if debits.min() < 0 or credits.min() < 0 or (debits == credits).any() or not _accounts_agree(books, events, debits, credits):
        return None
    (lo, hi), total, burnt = _ids(events), bulk.total(events["amount"]), books.tables.burnt.ids
    if total > NARROW or not _ids_are_new(books.tables.transfers.ids, lo, hi) or (len(burnt) and burnt.find(lo, hi).max() >= 0):
        return None
    return Prepared(events=events, lo=lo, hi=hi, debits=debits, credits=credits, total=total, imported=imported)


def plan_transfers(books: Books, batch: Prepared, now_ns: int, before: Plan | None = None) -> Plan | None:
    """Return what the batch does to the committed books. `before` is the batch that was entered between preparing and planning."""
    first = core.first_ns(books, len(batch.events), now_ns)
    if first + len(batch.events) - 1 > LAST_NS or core.due(books, first) or _names_again(batch, before) or not _within_limits(books, batch):
        return None
    if batch.imported and not (_is_in_time(batch, first, books.moved, books.opened) and _postdates(books, batch)):
        return None
    return Plan(batch, _stamped(batch, first), first) if _has_room(books, batch) else None


def apply_transfers(books: Books, plan: Plan) -> None:
    """Do what was planned, once it is durable. The books must be as they were when it was planned."""
    bulk.enter(books, plan.records, plan.batch.debits, plan.batch.credits)
    books.last_ns = max(books.last_ns, plan.first_ns + len(plan.records) - 1)


def prepare_accounts(books: Books, events: Batch) -> Prepared | None:
    """Check all that there is to check about accounts that are opened."""
    flags, sums = events["flags"], (half for name in SUMS for half in (name, f"{name}_hi"))
    imported = _imports(events, ACCOUNT_IMPORTED)
    if not len(events) or any(events[name].any() for name in (*sums, "reserved")) or not _is_one_kind(events, ACCOUNT_IMPORTED, imported):
        return None
    if (flags & ~np.uint16(ACCOUNT_FLAGS & ~LINKED)).any() or (flags & ACCOUNT_LIMITS == ACCOUNT_LIMITS).any():
        return None
    lo, hi = _ids(events)
    if not (events["ledger"].all() and events["code"].all()) or not _ids_are_new(books.tables.accounts.ids, lo, hi):
        return None
    return Prepared(events=events, lo=lo, hi=hi, imported=imported)


def plan_accounts(books: Books, batch: Prepared, now_ns: int, before: Plan | None = None) -> Plan | None:
    """Return the accounts as they will be opened. `before` is the batch that was entered between preparing and planning."""
    first = core.first_ns(books, len(batch.events), now_ns)
    if _names_again(batch, before) or (batch.imported and not _is_in_time(batch, first, books.opened, books.moved)):
        return None
    return Plan(batch, _stamped(batch, first), first)


def apply_accounts(books: Books, plan: Plan) -> None:
    """Open the accounts that were planned, once that is durable."""
    books.tables.accounts.open(plan.records)
    books.last_ns = max(books.last_ns, plan.first_ns + len(plan.records) - 1)


def _imports(events: Batch, flag: int) -> bool:
    """Whether the first event says that the batch is imported."""
    return len(events) > 0 and bool(events["flags"][0] & flag)


def _is_one_kind(events: Batch, flag: int, imported: bool) -> bool:
    """Whether all events are imported, or none is and none brings a timestamp."""
    return bool((events["flags"] & flag).all()) if imported else not ((events["flags"] & flag).any() or events["timestamp"].any())


def _is_plain(events: Batch, imported: bool) -> bool:
    if (events["flags"] != (IMPORTED if imported else 0)).any() or (not imported and events["timestamp"].any()):
        return False
    return not any(events[name].any() for name in MUST_BE_ZERO) and bool(events["ledger"].all() and events["code"].all())


def _is_in_time(batch: Prepared, first: int, own: Stamps, other: Stamps) -> bool:
    """Whether imported events rise from after all of their kind to before the present, and none stands where the other kind has something."""
    stamps = np.ascontiguousarray(batch.events["timestamp"])
    begins, ends = int(stamps[0]), int(stamps[-1])
    is_between = own.newest < begins and ends < min(first + len(stamps) - 1, LAST_NS + 1)
    return is_between and bool((stamps[1:] > stamps[:-1]).all()) and not other.has_any(stamps)


def _postdates(books: Books, batch: Prepared) -> bool:
    opened, stamps = books.tables.accounts.columns["timestamp"], batch.events["timestamp"]
    return bool((opened[batch.debits] < stamps).all() and (opened[batch.credits] < stamps).all())


def _accounts_agree(books: Books, events: Batch, debits: Rows, credits: Rows) -> bool:
    """Whether all accounts are open, narrow, and in the ledger that the event names."""
    columns = books.tables.accounts.columns
    ledgers, marks = columns["ledger"], columns["mark"]
    if (marks[debits] | marks[credits]).any():
        return False
    named = events["ledger"]
    return bool((ledgers[debits] == named).all() and (ledgers[credits] == named).all())


def _within_limits(books: Books, batch: Prepared) -> bool:
    """Whether no limit could bind, whatever the order: what the batch adds on one side is there on the other before it."""
    flags, amounts = books.tables.accounts.columns["flags"], batch.events["amount"]
    debited, credited = flags[batch.debits] & DEBITS_LIMITED != 0, flags[batch.credits] & CREDITS_LIMITED != 0
    return _covered(books, batch.debits, amounts, debited, "debits") and _covered(books, batch.credits, amounts, credited, "credits")


def _has_room(books: Books, batch: Prepared) -> bool:
    return books.tables.accounts.has_room_for(batch.total, batch.debits, batch.credits)


def _covered(books: Books, rows: Rows, amounts: U64s, limited: _Mask, side: str) -> bool:
    if not limited.any():
        return True
    columns = books.tables.accounts.columns
    touched, places = np.unique(rows[limited], return_inverse=True)
    added = np.zeros(len(touched), np.uint64)
    np.add.at(added, places, amounts[limited])
    used = columns[f"{side}_pending"][touched] + columns[f"{side}_posted"][touched] + added
    other = columns["credits_posted" if side == "debits" else "debits_posted"][touched]
    return bool((used <= other).all())


def _names_again(batch: Prepared, before: Plan | None) -> bool:
    """Whether the batch before, of the same kind, has created one of these ids meanwhile."""
    if before is None or before.records.dtype != batch.events.dtype:
        return False
    lo, hi = before.batch.lo, before.batch.hi
    apart = lo.max() < batch.lo.min() or lo.min() > batch.lo.max()
    return not apart and _has_doubles(np.concatenate((lo, batch.lo)), np.concatenate((hi, batch.hi)))


def _ids_are_new(known: IdTable, lo: U64s, hi: U64s) -> bool:
    if ((lo | hi) == 0).any() or ((lo & hi) == _LOW).any() or _has_doubles(lo, hi):
        return False
    return bool(known.find(lo, hi).max() < 0)


def _has_doubles(lo: U64s, hi: U64s) -> bool:
    in_order = np.sort(lo)
    if (in_order[1:] != in_order[:-1]).all():
        return False
    order = np.lexsort((lo, hi))
    return bool(((lo[order][1:] == lo[order][:-1]) & (hi[order][1:] == hi[order][:-1])).any())


def _ids(events: Batch) -> tuple[U64s, U64s]:
    return np.ascontiguousarray(events["id"]), np.ascontiguousarray(events["id_hi"])


def _stamped(batch: Prepared, first: int) -> Batch:
    """Return the events as they are entered; imported ones have their timestamps."""
    events = batch.events
    if batch.imported:
        return events
    records = events.view(np.uint64).copy().view(events.dtype)
    records["timestamp"] = np.arange(first, first + len(events), dtype=np.uint64)
    return records
