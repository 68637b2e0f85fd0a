"""The order of the checks: what an account or a transfer gets as its status, or the transfer as it is entered. Pure; nothing is changed here.

Source: TigerBeetle's create_accounts and create_transfers. No event gets `reserved_field`: our records have no such field. `at_ns` is an event's turn, and
`limit_ns` of an imported batch the moment that its own timestamps must not reach, None when nothing is imported.
"""

from collections.abc import Sequence
from dataclasses import replace

from reference_apps.ledger.algebra.model import (
    ACCOUNT_FLAGS,
    ACCOUNT_IMPORTED,
    ACCOUNT_LIMITS,
    BALANCING,
    CLOSING,
    IMPORTED,
    LAST_NS,
    PENDING,
    POST,
    RESOLVING,
    TRANSFER_FLAGS,
    U128,
    VOID,
    Account,
    AccountFlag,
    Pending,
    Status,
    Transfer,
    TransferFlag,
)
from reference_apps.ledger.algebra.stamps import Stamps
from reference_apps.ledger.books import Books

LABELS = ("user_data_128", "user_data_64", "user_data_32", "ledger", "code")
ACCOUNT_DIFFERENCES = ("flags", *LABELS)
DIFFERENCES = ("flags", "pending_id", "timeout", "debit_account_id", "credit_account_id", "amount", *LABELS)
INHERITED = ("debit_account_id", "credit_account_id", *LABELS)
PENDING_DIFFERENCES = ("debit_account_id", "credit_account_id", "ledger", "code")
DEBITS_LIMITED, CREDITS_LIMITED = int(AccountFlag.DEBITS_MUST_NOT_EXCEED_CREDITS), int(AccountFlag.CREDITS_MUST_NOT_EXCEED_DEBITS)
BALANCING_DEBIT, BALANCING_CREDIT = int(TransferFlag.BALANCING_DEBIT), int(TransferFlag.BALANCING_CREDIT)
RESOLVED = {
    Pending.POSTED: Status.PENDING_TRANSFER_ALREADY_POSTED,
    Pending.VOIDED: Status.PENDING_TRANSFER_ALREADY_VOIDED,
    Pending.EXPIRED: Status.PENDING_TRANSFER_EXPIRED,
}


def judge_account(books: Books, event: Account, at_ns: int, limit_ns: int | None = None) -> Status | Account:
    """Return the account as it is opened, or the status that speaks against it."""
    status = _when(event, ACCOUNT_IMPORTED, limit_ns) or _shape(event, ACCOUNT_FLAGS)
    if status:
        return status
    known = books.accounts.get(event.id)
    if known:
        return _difference(known, event, ACCOUNT_DIFFERENCES)
    if limit_ns is None:
        return _account_rules(event) or replace(event, closed_by=0, timestamp=at_ns)
    return _account_rules(event) or _regresses(event, books.opened, books.moved) or replace(event, closed_by=0)


def judge_transfer(books: Books, event: Transfer, at_ns: int, limit_ns: int | None = None) -> Status | Transfer:
    """Return the transfer as it is entered (amount, inherited fields and timestamp filled in), or the status that speaks against it."""
    status = _when(event, IMPORTED, limit_ns) or _shape(event, TRANSFER_FLAGS)
    if status:
        return status
    known = books.transfers.get(event.id)
    if known:
        return _same(books, known, event)
    if books.burnt.get(event.id):
        return Status.ID_ALREADY_FAILED
    return _resolution(books, event, at_ns) if event.flags & RESOLVING else _movement(books, event, at_ns)


def _first(*checks: tuple[bool, Status]) -> Status | None:
    for applies, status in checks:
        if applies:
            return status
    return None


def _when(event: Account | Transfer, imported: int, limit_ns: int | None) -> Status | None:
    """Return what speaks against the timestamp as it is sent; a batch is imported as a whole or not at all."""
    if limit_ns is None:
        return _first(
            (event.flags & imported != 0, Status.IMPORTED_EVENT_NOT_EXPECTED),
            (event.timestamp != 0, Status.TIMESTAMP_MUST_BE_ZERO),
        )
    return _first(
        (not event.flags & imported, Status.IMPORTED_EVENT_EXPECTED),
        (not 0 < event.timestamp <= LAST_NS, Status.IMPORTED_EVENT_TIMESTAMP_OUT_OF_RANGE),
        (event.timestamp >= limit_ns, Status.IMPORTED_EVENT_TIMESTAMP_MUST_NOT_ADVANCE),
    )


def _regresses(event: Account | Transfer, own: Stamps, other: Stamps) -> Status | None:
    """An imported event comes after everything of its kind, and not together with anything of the other one."""
    return Status.IMPORTED_EVENT_TIMESTAMP_MUST_NOT_REGRESS if event.timestamp <= own.newest or other.has(event.timestamp) else None


def _shape(event: Account | Transfer, flags: int) -> Status | None:
    return _first(
        (event.flags & ~flags != 0, Status.RESERVED_FLAG),
        (event.id == 0, Status.ID_MUST_NOT_BE_ZERO),
        (event.id == U128, Status.ID_MUST_NOT_BE_INT_MAX),
    )


def _account_rules(event: Account) -> Status | None:
    return _first(
        (event.flags & ACCOUNT_LIMITS == ACCOUNT_LIMITS, Status.FLAGS_ARE_MUTUALLY_EXCLUSIVE),
        (event.debits_pending != 0, Status.DEBITS_PENDING_MUST_BE_ZERO),
        (event.debits_posted != 0, Status.DEBITS_POSTED_MUST_BE_ZERO),
        (event.credits_pending != 0, Status.CREDITS_PENDING_MUST_BE_ZERO),
        (event.credits_posted != 0, Status.CREDITS_POSTED_MUST_BE_ZERO),
        (event.ledger == 0, Status.LEDGER_MUST_NOT_BE_ZERO),
        (event.code == 0, Status.CODE_MUST_NOT_BE_ZERO),
    )


def _same(books: Books, known: Transfer, event: Transfer) -> Status:
    """Compare with the transfer that has this id already: what is asked for, and what was made of the same wish then."""
    wanted = event
    if event.flags == known.flags and event.flags & RESOLVING and event.pending_id == known.pending_id:
        pending = books.transfers.get(known.pending_id)
        wanted = _inherited(event, pending) if pending else event
    elif event.flags & BALANCING and event.amount >= known.amount:
        wanted = replace(event, amount=known.amount)
    return _difference(known, wanted, DIFFERENCES)


def _difference(known: Account | Transfer, event: Account | Transfer, names: Sequence[str]) -> Status:
    different = next((name for name in names if getattr(known, name) != getattr(event, name)), None)
    return Status(f"exists_with_different_{different}") if different else Status.EXISTS


def _inherited(event: Transfer, pending: Transfer) -> Transfer:
    """Fill in what a post or void leaves to the pending transfer: fields at 0, and the amount that means all."""
    takes_all = event.amount == (U128 if event.flags & POST else 0)
    filled = {name: getattr(event, name) or getattr(pending, name) for name in INHERITED}
    return replace(event, amount=pending.amount if takes_all else event.amount, **filled)


def _resolution(books: Books, event: Transfer, at_ns: int) -> Status | Transfer:
    status = _resolution_shape(event)
    if status:
        return status
    pending = books.transfers.get(event.pending_id)
    if pending is None:
        return Status.PENDING_TRANSFER_NOT_FOUND
    entered = replace(_inherited(event, pending), timestamp=event.timestamp or at_ns)
    status = _against_pending(entered, pending) or _already_resolved(books, pending, max(at_ns, event.timestamp))
    status = status or (_regresses(event, books.moved, books.opened) if event.flags & IMPORTED else None)
    return status or _closed_to_post(books, entered) or entered


def _resolution_shape(event: Transfer) -> Status | None:
    excluded = event.flags & (PENDING | BALANCING | CLOSING) != 0 or event.flags & RESOLVING == RESOLVING
    return _first(
        (excluded, Status.FLAGS_ARE_MUTUALLY_EXCLUSIVE),
        (event.pending_id == 0, Status.PENDING_ID_MUST_NOT_BE_ZERO),
        (event.pending_id == U128, Status.PENDING_ID_MUST_NOT_BE_INT_MAX),
        (event.pending_id == event.id, Status.PENDING_ID_MUST_BE_DIFFERENT),
        (event.timeout != 0, Status.TIMEOUT_RESERVED_FOR_PENDING_TRANSFER),
    )


def _against_pending(entered: Transfer, pending: Transfer) -> Status | None:
    if not pending.flags & PENDING:
        return Status.PENDING_TRANSFER_NOT_PENDING
    different = next((name for name in PENDING_DIFFERENCES if getattr(entered, name) != getattr(pending, name)), None)
    if different:
        return Status(f"pending_transfer_has_different_{different}")
    return _first(
        (entered.amount > pending.amount, Status.EXCEEDS_PENDING_TRANSFER_AMOUNT),
        (entered.flags & VOID != 0 and entered.amount < pending.amount, Status.PENDING_TRANSFER_HAS_DIFFERENT_AMOUNT),
    )


def _already_resolved(books: Books, pending: Transfer, at_ns: int) -> Status | None:
    """A transfer whose time comes within this batch is gone already, although the expiry that releases it runs before the next one."""
    status = RESOLVED.get(books.pendings.get(pending.id) or Pending.PENDING)
    if status is None and pending.timeout and pending.expires_ns <= at_ns:
        return Status.PENDING_TRANSFER_EXPIRED
    return status


def _closed_to_post(books: Books, entered: Transfer) -> Status | None:
    debited, credited = books.accounts.get(entered.debit_account_id), books.accounts.get(entered.credit_account_id)
    return None if entered.flags & VOID or debited is None or credited is None else _closed(debited, credited)


def _closed(debited: Account, credited: Account) -> Status | None:
    if debited.closed:
        return Status.DEBIT_ACCOUNT_ALREADY_CLOSED
    return Status.CREDIT_ACCOUNT_ALREADY_CLOSED if credited.closed else None


def _movement(books: Books, event: Transfer, at_ns: int) -> Status | Transfer:
    status = _movement_shape(event)
    if status:
        return status
    debited, credited = books.accounts.get(event.debit_account_id), books.accounts.get(event.credit_account_id)
    if debited is None:
        return Status.DEBIT_ACCOUNT_NOT_FOUND
    if credited is None:
        return Status.CREDIT_ACCOUNT_NOT_FOUND
    entered = replace(event, amount=_amount(event, debited, credited), timestamp=event.timestamp or at_ns)
    status = _ledgers(event, debited, credited) or (_imported(books, event, debited, credited) if event.flags & IMPORTED else None)
    return status or _closed(debited, credited) or _sums(entered, debited, credited) or entered


def _movement_shape(event: Transfer) -> Status | None:
    at_once = not event.flags & PENDING
    return _first(
        (event.debit_account_id == 0, Status.DEBIT_ACCOUNT_ID_MUST_NOT_BE_ZERO),
        (event.debit_account_id == U128, Status.DEBIT_ACCOUNT_ID_MUST_NOT_BE_INT_MAX),
        (event.credit_account_id == 0, Status.CREDIT_ACCOUNT_ID_MUST_NOT_BE_ZERO),
        (event.credit_account_id == U128, Status.CREDIT_ACCOUNT_ID_MUST_NOT_BE_INT_MAX),
        (event.debit_account_id == event.credit_account_id, Status.ACCOUNTS_MUST_BE_DIFFERENT),
        (event.pending_id != 0, Status.PENDING_ID_MUST_BE_ZERO),
        (at_once and event.timeout != 0, Status.TIMEOUT_RESERVED_FOR_PENDING_TRANSFER),
        (at_once and event.flags & CLOSING != 0, Status.CLOSING_TRANSFER_MUST_BE_PENDING),
        (event.ledger == 0, Status.LEDGER_MUST_NOT_BE_ZERO),
        (event.code == 0, Status.CODE_MUST_NOT_BE_ZERO),
    )


def _ledgers(event: Transfer, debited: Account, credited: Account) -> Status | None:
    return _first(
        (debited.ledger != credited.ledger, Status.ACCOUNTS_MUST_HAVE_THE_SAME_LEDGER),
        (event.ledger != debited.ledger, Status.TRANSFER_MUST_HAVE_THE_SAME_LEDGER_AS_ACCOUNTS),
    )


def _imported(books: Books, event: Transfer, debited: Account, credited: Account) -> Status | None:
    return _regresses(event, books.moved, books.opened) or _first(
        (event.timestamp <= debited.timestamp, Status.IMPORTED_EVENT_TIMESTAMP_MUST_POSTDATE_DEBIT_ACCOUNT),
        (event.timestamp <= credited.timestamp, Status.IMPORTED_EVENT_TIMESTAMP_MUST_POSTDATE_CREDIT_ACCOUNT),
        (event.timeout != 0, Status.IMPORTED_EVENT_TIMEOUT_MUST_BE_ZERO),
    )


def _amount(event: Transfer, debited: Account, credited: Account) -> int:
    """Return what is moved: a balancing transfer takes no more than what is left on the account it balances, possibly nothing."""
    amount = event.amount
    if event.flags & BALANCING_DEBIT:
        amount = min(amount, max(0, debited.credits_posted - debited.debits_posted - debited.debits_pending))
    if event.flags & BALANCING_CREDIT:
        amount = min(amount, max(0, credited.debits_posted - credited.credits_posted - credited.credits_pending))
    return amount


def _sums(entered: Transfer, debited: Account, credited: Account) -> Status | None:
    amount, reserves = entered.amount, entered.flags & PENDING != 0
    debits = debited.debits_pending + debited.debits_posted + amount
    credits = credited.credits_pending + credited.credits_posted + amount
    return _first(
        (reserves and debited.debits_pending + amount > U128, Status.OVERFLOWS_DEBITS_PENDING),
        (reserves and credited.credits_pending + amount > U128, Status.OVERFLOWS_CREDITS_PENDING),
        (debited.debits_posted + amount > U128, Status.OVERFLOWS_DEBITS_POSTED),
        (credited.credits_posted + amount > U128, Status.OVERFLOWS_CREDITS_POSTED),
        (debits > U128, Status.OVERFLOWS_DEBITS),
        (credits > U128, Status.OVERFLOWS_CREDITS),
        (entered.expires_ns > LAST_NS, Status.OVERFLOWS_TIMEOUT),
        (debited.flags & DEBITS_LIMITED != 0 and debits > debited.credits_posted, Status.EXCEEDS_CREDITS),
        (credited.flags & CREDITS_LIMITED != 0 and credits > credited.debits_posted, Status.EXCEEDS_DEBITS),
    )
