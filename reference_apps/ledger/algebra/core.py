"""The double-entry core: one event at a time, the first check that applies is the status, chains are all or nothing. Pure: no clock, no IO.

What is checked stands in `rules`; here is what an event does to the books.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Protocol, TypeVar

from reference_apps.ledger.algebra import rules
from reference_apps.ledger.algebra.model import (
    ACCOUNT_IMPORTED,
    IMPORTED,
    LINKED,
    PENDING,
    POST,
    RESOLVING,
    TRANSIENT,
    Account,
    Pending,
    Result,
    Status,
    Transfer,
    TransferFlag,
)
from reference_apps.ledger.books import Books

CLOSING_DEBIT, CLOSING_CREDIT = int(TransferFlag.CLOSING_DEBIT), int(TransferFlag.CLOSING_CREDIT)


class Event(Protocol):
    """What a batch is made of."""

    @property
    def id(self) -> int: ...

    @property
    def flags(self) -> int: ...


Kind = TypeVar("Kind", bound=Event)
One = Callable[[Books, Kind, int, int | None], Result]
"""Takes an event at a time. The last is None, or of an imported batch the moment that its own timestamps must not reach."""


def create_accounts(books: Books, events: Sequence[Account], now_ns: int) -> tuple[Result, ...]:
    """Open accounts, one after the other; the results stand in the order of the events."""
    return _run(books, events, now_ns, _open, ACCOUNT_IMPORTED)


def create_transfers(books: Books, events: Sequence[Transfer], now_ns: int) -> tuple[Result, ...]:
    """Take transfers, one after the other; the results stand in the order of the events. What has expired is released before.

    A transient failure burns the event's id, even when its chain is undone.
    """
    expire(books, first_ns(books, len(events), now_ns))
    return _run(books, events, now_ns, _post, IMPORTED)


def expire(books: Books, now_ns: int) -> None:
    """Release every pending transfer whose time has come."""
    for pending_id in due(books, now_ns):
        record_expiry(books, pending_id)


def due(books: Books, now_ns: int) -> list[int]:
    """Return the pending transfers whose time has come, the earliest first."""
    return [pending_id for pending_id in books.timers.due(now_ns) if books.pendings.get(pending_id) is Pending.PENDING]


def _run(books: Books, events: Sequence[Kind], now_ns: int, one: One[Kind], imported: int) -> tuple[Result, ...]:
    """Take the events chain by chain; event i of n has its turn at batch - n + i + 1, strictly after everything before it.

    That is its timestamp, unless the first event says with its flag `imported` that all bring their own.
    """
    first = first_ns(books, len(events), now_ns)
    limit_ns = first + len(events) - 1 if events and events[0].flags & imported else None
    results: list[Result] = []
    while len(results) < len(events):
        begin = len(results)
        end = _chain_end(events, begin)
        results += _chain(books, events[begin:end], first + begin, one, limit_ns)
    books.last_ns = max(books.last_ns, first + len(events) - 1)
    return tuple(results)


def first_ns(books: Books, count: int, now_ns: int) -> int:
    """Return the timestamp of a batch's first event."""
    return max(now_ns - count, books.last_ns) + 1


def _chain_end(events: Sequence[Event], begin: int) -> int:
    end = begin
    while end < len(events) and events[end].flags & LINKED:
        end += 1
    return min(end + 1, len(events))


def _chain(books: Books, events: Sequence[Kind], first: int, one: One[Kind], limit_ns: int | None) -> list[Result]:
    """Apply one chain: keep all of it or nothing. A single event that fails has changed nothing, so it needs no draft."""
    if len(events) == 1 and not events[0].flags & LINKED:
        result = one(books, events[0], first, limit_ns)
        _burn(books, events[0], result.status)
        return [result]
    draft, results = books.draft(), []
    for number, event in enumerate(events):
        if number == len(events) - 1 and event.flags & LINKED:
            return _undone(len(events), number, Result(Status.LINKED_EVENT_CHAIN_OPEN, first + number), first)
        result = one(draft, event, first + number, limit_ns)
        results.append(result)
        if result.status is not Status.CREATED:
            _burn(books, event, result.status)
            return _failed(events, number, result, first)
    draft.keep()
    return results


def _failed(events: Sequence[Event], number: int, result: Result, first: int) -> list[Result]:
    results = _undone(len(events), number, result, first)
    if len(events) > 1 and events[-1].flags & LINKED:
        results[-1] = Result(Status.LINKED_EVENT_CHAIN_OPEN, first + len(events) - 1)
    return results


def _undone(count: int, failing: int, result: Result, first: int) -> list[Result]:
    return [result if number == failing else Result(Status.LINKED_EVENT_FAILED, first + number) for number in range(count)]


def _burn(books: Books, event: Event, status: Status) -> None:
    if status in TRANSIENT and isinstance(event, Transfer):
        books.burnt.put(event.id, True)


def _open(books: Books, event: Account, at_ns: int, limit_ns: int | None) -> Result:
    outcome = rules.judge_account(books, event, at_ns, limit_ns)
    if isinstance(outcome, Status):
        return _refused(outcome, books.accounts.get(event.id), at_ns)
    books.accounts.put(outcome.id, outcome)
    books.opened.put(outcome.timestamp)
    return Result(Status.CREATED, outcome.timestamp)


def _post(books: Books, event: Transfer, at_ns: int, limit_ns: int | None) -> Result:
    outcome = rules.judge_transfer(books, event, at_ns, limit_ns)
    if isinstance(outcome, Status):
        return _refused(outcome, books.transfers.get(event.id), at_ns)
    record(books, outcome)
    return Result(Status.CREATED, outcome.timestamp)


def _refused(status: Status, known: Account | Transfer | None, at_ns: int) -> Result:
    return Result(status, known.timestamp if known and status is Status.EXISTS else at_ns)


def record(books: Books, transfer: Transfer) -> None:
    """Enter a transfer whose checks are done. With `record_expiry` the one place where a balance changes; replay enters here too."""
    books.transfers.put(transfer.id, transfer)
    books.moved.put(transfer.timestamp)
    books.last_ns = max(books.last_ns, transfer.timestamp)
    if transfer.flags & RESOLVING:
        posts = transfer.flags & POST
        _release(books, transfer.pending_id, Pending.POSTED if posts else Pending.VOIDED, transfer.amount if posts else 0)
    elif transfer.flags & PENDING:
        _reserve(books, transfer)
    else:
        _shift(books, transfer, 0, transfer.amount)


def record_expiry(books: Books, pending_id: int) -> None:
    """Release a pending transfer whose time has come. Whatever comes after it is not of a time before it."""
    expired = _release(books, pending_id, Pending.EXPIRED, 0)
    books.moved.rise(expired.expires_ns - 1)
    books.last_ns = max(books.last_ns, expired.expires_ns - 1)


def _reserve(books: Books, transfer: Transfer) -> None:
    _shift(books, transfer, transfer.amount, 0)
    books.pendings.put(transfer.id, Pending.PENDING)
    if transfer.timeout:
        books.timers.put(transfer.expires_ns, transfer.id)
    if transfer.flags & CLOSING_DEBIT:
        books.accounts.put(transfer.debit_account_id, replace(_account(books, transfer.debit_account_id), closed_by=transfer.id))
    if transfer.flags & CLOSING_CREDIT:
        books.accounts.put(transfer.credit_account_id, replace(_account(books, transfer.credit_account_id), closed_by=transfer.id))


def _release(books: Books, pending_id: int, state: Pending, posted: int) -> Transfer:
    """Resolve a pending transfer and return it: what it reserved is free, what is posted of it has moved, what it had closed is open."""
    pending = books.transfers.get(pending_id)
    if pending is None or books.pendings.get(pending_id) is not Pending.PENDING:
        raise ValueError(f"transfer {pending_id} is to be {state}, but it is not pending in the books")
    _shift(books, pending, -pending.amount, posted)
    books.pendings.put(pending_id, state)
    for account_id in (pending.debit_account_id, pending.credit_account_id):
        account = _account(books, account_id)
        if account.closed_by == pending_id:
            books.accounts.put(account_id, replace(account, closed_by=0))
    return pending


def _shift(books: Books, transfer: Transfer, pending: int, posted: int) -> None:
    """Add to the reserved and the posted sums on both sides."""
    debited, credited = _account(books, transfer.debit_account_id), _account(books, transfer.credit_account_id)
    books.accounts.put(debited.id, replace(debited, debits_pending=debited.debits_pending + pending, debits_posted=debited.debits_posted + posted))
    books.accounts.put(credited.id, replace(credited, credits_pending=credited.credits_pending + pending, credits_posted=credited.credits_posted + posted))


def _account(books: Books, account_id: int) -> Account:
    account = books.accounts.get(account_id)
    if account is None:
        raise ValueError(f"account {account_id} is moved, but it is not in the books")
    return account
