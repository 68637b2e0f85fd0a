"""The double-entry core: one event at a time, the first check that applies is the status, chains are all or nothing. Pure: no clock, no IO.

Source: TigerBeetle's create_accounts and create_transfers, for single and linked events.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Protocol, TypeVar

from reference_apps.ledger.books import Books
from reference_apps.ledger.model import (
    ACCOUNT_FLAGS,
    ACCOUNT_LIMITS,
    TRANSFER_FLAGS,
    TRANSIENT,
    U128,
    Account,
    AccountFlag,
    Result,
    Status,
    Transfer,
)

LINKED = 1
LABELS = ("user_data_128", "user_data_64", "user_data_32", "ledger", "code")
ACCOUNT_DIFFERENCES = ("flags", *LABELS)
DIFFERENCES = ("flags", "pending_id", "timeout", "debit_account_id", "credit_account_id", "amount", *LABELS)


class Event(Protocol):
    """What a batch is made of."""

    @property
    def flags(self) -> int: ...


Kind = TypeVar("Kind", bound=Event)
One = Callable[[Books, Kind, int], Result]


def create_accounts(books: Books, events: Sequence[Account], now_ns: int) -> tuple[Result, ...]:
    """Open accounts, one after the other; the results stand in the order of the events."""
    return _run(books, events, now_ns, _open)


def create_transfers(books: Books, events: Sequence[Transfer], now_ns: int) -> tuple[Result, ...]:
    """Post transfers, one after the other; the results stand in the order of the events.

    A transient failure burns the event's id, even when its chain is undone.
    """
    return _run(books, events, now_ns, _post)


def _run(books: Books, events: Sequence[Kind], now_ns: int, one: One[Kind]) -> tuple[Result, ...]:
    """Take the events chain by chain; event i of n gets the timestamp batch - n + i + 1, strictly after everything before it."""
    first = max(now_ns - len(events), books.last_ns) + 1
    results: list[Result] = []
    while len(results) < len(events):
        begin = len(results)
        end = _chain_end(events, begin)
        results += _chain(books, events[begin:end], first + begin, one)
    books.last_ns = max(books.last_ns, first + len(events) - 1)
    return tuple(results)


def _chain_end(events: Sequence[Event], begin: int) -> int:
    end = begin
    while end < len(events) and events[end].flags & LINKED:
        end += 1
    return min(end + 1, len(events))


def _chain(books: Books, events: Sequence[Kind], first: int, one: One[Kind]) -> list[Result]:
    """Apply one chain (a single event is a chain of one): keep all of it or nothing."""
    draft, results = books.draft(), []
    for number, event in enumerate(events):
        if number == len(events) - 1 and event.flags & LINKED:
            return _undone(len(events), number, Result(Status.LINKED_EVENT_CHAIN_OPEN, first + number), first)
        result = one(draft, event, first + number)
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


def _open(books: Books, event: Account, at_ns: int) -> Result:
    known = books.accounts.get(event.id)
    status = _account_shape(event) or _same(known, event, ACCOUNT_DIFFERENCES) or _account_rules(event)
    if status is None:
        books.accounts.put(event.id, replace(event, timestamp=at_ns))
        return Result(Status.CREATED, at_ns)
    return Result(status, known.timestamp if known and status is Status.EXISTS else at_ns)


def _post(books: Books, event: Transfer, at_ns: int) -> Result:
    known = books.transfers.get(event.id)
    status = _transfer_shape(event) or _same(known, event, DIFFERENCES) or _transfer_rules(books, event)
    if status is None:
        record(books, replace(event, timestamp=at_ns))
        return Result(Status.CREATED, at_ns)
    return Result(status, known.timestamp if known and status is Status.EXISTS else at_ns)


def record(books: Books, transfer: Transfer) -> None:
    """Enter a transfer whose checks are done: the one place where a balance changes."""
    debited, credited = books.accounts.get(transfer.debit_account_id), books.accounts.get(transfer.credit_account_id)
    if debited is None or credited is None:
        raise ValueError(f"transfer {transfer.id} names an account that is not in the books")
    books.accounts.put(debited.id, replace(debited, debits_posted=debited.debits_posted + transfer.amount))
    books.accounts.put(credited.id, replace(credited, credits_posted=credited.credits_posted + transfer.amount))
    books.transfers.put(transfer.id, transfer)
    books.last_ns = max(books.last_ns, transfer.timestamp)


def _first(*checks: tuple[bool, Status]) -> Status | None:
    return next((status for applies, status in checks if applies), None)


def _same(known: Account | Transfer | None, event: Account | Transfer, fields: Sequence[str]) -> Status | None:
    """Compare with what has this id already, field by field in the order of precedence."""
    if known is None:
        return None
    different = next((field for field in fields if getattr(known, field) != getattr(event, field)), None)
    return Status(f"exists_with_different_{different}") if different else Status.EXISTS


def _account_shape(event: Account) -> Status | None:
    return _first(
        (event.timestamp != 0, Status.TIMESTAMP_MUST_BE_ZERO),
        (bool(event.flags & ~ACCOUNT_FLAGS), Status.RESERVED_FLAG),
        (event.id == 0, Status.ID_MUST_NOT_BE_ZERO),
        (event.id == U128, Status.ID_MUST_NOT_BE_INT_MAX),
    )


def _account_rules(event: Account) -> Status | None:
    return _first(
        (event.flags & ACCOUNT_LIMITS == ACCOUNT_LIMITS, Status.FLAGS_ARE_MUTUALLY_EXCLUSIVE),
        (event.debits_posted != 0, Status.DEBITS_POSTED_MUST_BE_ZERO),
        (event.credits_posted != 0, Status.CREDITS_POSTED_MUST_BE_ZERO),
        (event.ledger == 0, Status.LEDGER_MUST_NOT_BE_ZERO),
        (event.code == 0, Status.CODE_MUST_NOT_BE_ZERO),
    )


def _transfer_shape(event: Transfer) -> Status | None:
    return _first(
        (event.timestamp != 0, Status.TIMESTAMP_MUST_BE_ZERO),
        (bool(event.flags & ~TRANSFER_FLAGS), Status.RESERVED_FLAG),
        (event.id == 0, Status.ID_MUST_NOT_BE_ZERO),
        (event.id == U128, Status.ID_MUST_NOT_BE_INT_MAX),
    )


def _transfer_rules(books: Books, event: Transfer) -> Status | None:
    debited, credited = books.accounts.get(event.debit_account_id), books.accounts.get(event.credit_account_id)
    status = _first(
        (books.burnt.get(event.id) is not None, Status.ID_ALREADY_FAILED),
        (event.debit_account_id == 0, Status.DEBIT_ACCOUNT_ID_MUST_NOT_BE_ZERO),
        (event.debit_account_id == U128, Status.DEBIT_ACCOUNT_ID_MUST_NOT_BE_INT_MAX),
        (event.credit_account_id == 0, Status.CREDIT_ACCOUNT_ID_MUST_NOT_BE_ZERO),
        (event.credit_account_id == U128, Status.CREDIT_ACCOUNT_ID_MUST_NOT_BE_INT_MAX),
        (event.debit_account_id == event.credit_account_id, Status.ACCOUNTS_MUST_BE_DIFFERENT),
        (event.pending_id != 0, Status.PENDING_ID_MUST_BE_ZERO),
        (event.timeout != 0, Status.TIMEOUT_RESERVED_FOR_PENDING_TRANSFER),
        (event.ledger == 0, Status.LEDGER_MUST_NOT_BE_ZERO),
        (event.code == 0, Status.CODE_MUST_NOT_BE_ZERO),
    )
    if status is not None:
        return status
    if debited is None:
        return Status.DEBIT_ACCOUNT_NOT_FOUND
    return Status.CREDIT_ACCOUNT_NOT_FOUND if credited is None else _balance_rules(event, debited, credited)


def _balance_rules(event: Transfer, debited: Account, credited: Account) -> Status | None:
    debits, credits = debited.debits_posted + event.amount, credited.credits_posted + event.amount
    return _first(
        (debited.ledger != credited.ledger, Status.ACCOUNTS_MUST_HAVE_THE_SAME_LEDGER),
        (event.ledger != debited.ledger, Status.TRANSFER_MUST_HAVE_THE_SAME_LEDGER_AS_ACCOUNTS),
        (debits > U128, Status.OVERFLOWS_DEBITS_POSTED),
        (credits > U128, Status.OVERFLOWS_CREDITS_POSTED),
        (bool(debited.flags & AccountFlag.DEBITS_MUST_NOT_EXCEED_CREDITS) and debits > debited.credits_posted, Status.EXCEEDS_CREDITS),
        (bool(credited.flags & AccountFlag.CREDITS_MUST_NOT_EXCEED_DEBITS) and credits > credited.debits_posted, Status.EXCEEDS_DEBITS),
    )
