"""What one request changed, as facts: written to the journal, and folded back into the books at start. Pure.

Only what was created is kept (transfers with their timestamps, burnt ids, loans, what happened to them, stored replies) and which transfers expired; every
balance is derived from it.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from reference_apps.ledger.algebra import bulk, core
from reference_apps.ledger.algebra.layout import Records
from reference_apps.ledger.algebra.model import Account, Pending, Transfer
from reference_apps.ledger.books import Books
from reference_apps.ledger.closing import dayend, daystep
from reference_apps.ledger.closing.daystep import Step
from reference_apps.ledger.keeping import loanrows
from reference_apps.ledger.keeping.reply import Reply
from reference_apps.ledger.loans import posting
from reference_apps.ledger.loans.happening import Happening
from reference_apps.ledger.loans.loan import Loan

VERSION = 2
"""Of the rows of accounts and transfers in JSON: 1 knows single and linked transfers only, and is not written out; 2 knows every flag."""
NO_SUMS = {"debits_pending": 0, "debits_posted": 0, "credits_pending": 0, "credits_posted": 0, "closed_by": 0}


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """The facts of one request; empty members changed nothing. `happened` is (loan id, happening), `day` a step of a day's end, `reply` is (scope, reply)."""

    accounts: Sequence[Account] = ()
    transfers: Sequence[Transfer] = ()
    expired: tuple[int, ...] = ()
    burnt: tuple[int, ...] = ()
    opened: Loan | None = None
    happened: tuple[str, Happening] | None = None
    day: Step | None = None
    reply: tuple[str, Reply] | None = None

    def __bool__(self) -> bool:
        return bool(self.accounts or self.transfers or self.expired or self.burnt or self.opened or self.happened or self.day or self.reply)


def of_draft(draft: Books, below: Books) -> Entry:
    """Read from a request's draft what it changes in the books below it."""
    loan = next(iter(draft.loans.own.values()), None)
    known = below.loans.get(loan.id) if loan else None
    return Entry(
        accounts=tuple(replace(account, **NO_SUMS) for account in draft.accounts.own.values() if below.accounts.get(account.id) is None),
        transfers=tuple(draft.transfers.own.values()),
        expired=tuple(pending_id for pending_id, state in draft.pendings.own.items() if state is Pending.EXPIRED),
        burnt=tuple(draft.burnt.own),
        opened=loan if loan and known is None else None,
        happened=(loan.id, loan.happenings[-1]) if loan and known is not None else None,
        day=draft.step,
        reply=next(iter(draft.replies.own.items()), None),
    )


def fold(books: Books, entry: Entry) -> None:
    """Enter the facts into the books: what replay does with every entry, in order."""
    if isinstance(entry.accounts, Records):
        bulk.reopen(books, entry.accounts.batch)
    else:
        for account in entry.accounts:
            books.accounts.put(account.id, account)
            books.last_ns = max(books.last_ns, account.timestamp)
    if isinstance(entry.transfers, Records):
        bulk.replay(books, entry.transfers.batch)
        posting.keep_all(books, entry.transfers.batch)
    else:
        for transfer in entry.transfers:
            core.record(books, transfer)
            posting.keep(books, transfer)
    for pending_id in entry.expired:
        core.record_expiry(books, pending_id)
    for burnt in entry.burnt:
        books.burnt.put(burnt, True)
    if entry.opened:
        books.loans.put(entry.opened.id, entry.opened)
        books.last_loan = max(books.last_loan, entry.opened.number)
    if entry.happened:
        loan_id, happening = entry.happened
        loan = books.loans.get(loan_id)
        if loan is None:
            raise ValueError(f"something happened to loan {loan_id}, which was never opened")
        books.loans.put(loan_id, loan.having(happening))
    if entry.day:
        dayend.enter(books, entry.day, entry.transfers)
    if entry.reply:
        books.replies.put(*entry.reply)


def lasting(loans: Iterable[Loan], replies: Iterable[tuple[str, Reply]]) -> Iterator[Entry]:
    """Yield what of the books is neither account nor transfer, as entries that fold into the same again."""
    for loan in loans:
        yield Entry(opened=replace(loan, happenings=()))
        yield from (Entry(happened=(loan.id, happening)) for happening in loan.happenings)
    yield from (Entry(reply=reply) for reply in replies)


def to_json(entry: Entry) -> dict[str, Any]:
    """Return what of the entry is written as JSON: all but accounts, transfers and ids of transfers. What is empty is left out."""
    written = {
        "opened": loanrows.to_row(entry.opened) if entry.opened else None,
        "happened": [entry.happened[0], loanrows.happening_to_row(entry.happened[1])] if entry.happened else None,
        "day": daystep.to_row(entry.day) if entry.day else None,
        "reply": [entry.reply[0], asdict(entry.reply[1])] if entry.reply else None,
    }
    return {name: value for name, value in written.items() if value}


def from_json(written: Mapping[str, Any]) -> Entry:
    """Return the entry that `to_json` wrote, or one of the time when everything in it was JSON; `repaid` is how repayments were written then."""
    happened, repaid, reply, opened, day = (written.get(name) for name in ("happened", "repaid", "reply", "opened", "day"))
    known = (happened[0], loanrows.happening_from_row(happened[1])) if happened else None
    paid = (repaid[0], loanrows.repayment_from_row(repaid[1])) if repaid else None
    return Entry(
        accounts=tuple(Account(**_fields(row)) for row in written.get("accounts", ())),
        transfers=tuple(Transfer(**_fields(row)) for row in written.get("transfers", ())),
        expired=tuple(written.get("expired", ())),
        burnt=tuple(written.get("burnt", ())),
        opened=loanrows.from_row(opened) if opened else None,
        happened=known or paid,
        day=daystep.from_row(day) if day else None,
        reply=(reply[0], Reply(**reply[1])) if reply else None,
    )


def _fields(row: Mapping[str, int]) -> dict[str, int]:
    """Return a row's fields. Raises ValueError for a version to come."""
    version = row.get("version", 1)
    if version > VERSION:
        raise ValueError(f"row {row.get('id')} of the journal is of version {version}; this ledger reads up to version {VERSION}: run a newer release")
    return {name: value for name, value in row.items() if name != "version"}
