"""The statement of an account: what it stood at, every posting of a period with the balance after it, what it stands at. Pure.

Only what is posted counts: a pending transfer moves nothing yet, the post that resolves it does.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from reference_apps.ledger import businessday
from reference_apps.ledger.algebra.model import PENDING, VOID, Transfer


@dataclass(frozen=True, slots=True, kw_only=True)
class Balance:
    """Both sums of an account at a moment, in fen."""

    debits_fen: int = 0
    credits_fen: int = 0

    @property
    def balance_fen(self) -> int:
        return abs(self.debits_fen - self.credits_fen)

    @property
    def side(self) -> str:
        """On which side the balance stands: debit also for none."""
        return "credit" if self.credits_fen > self.debits_fen else "debit"

    def after(self, debit_fen: int, credit_fen: int) -> "Balance":
        return Balance(debits_fen=self.debits_fen + debit_fen, credits_fen=self.credits_fen + credit_fen)


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One posting as the account sees it, and the balance after it."""

    transfer: Transfer
    other_account_id: int
    debit_fen: int
    credit_fen: int
    balance: Balance


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """The days `begin` to `end`, both included. `brought` stands before the first of `lines`; `more` says that lines follow on another page."""

    account_id: int
    begin: date
    end: date
    opening: Balance
    brought: Balance
    lines: tuple[Line, ...]
    closing: Balance
    postings: int
    more: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """At most `limit` lines, those after the timestamp `after`."""

    limit: int
    after: int = 0


def of(account_id: int, transfers: Iterable[Transfer], begin: date, end: date, page: Page) -> Statement:
    """Return a page of the statement; the transfers stand in the order of their timestamps."""
    first_ns, last_ns = businessday.begin_ns(begin), businessday.begin_ns(end + timedelta(days=1))
    opening = brought = closing = Balance()
    lines: list[Line] = []
    postings, more = 0, False
    for transfer in postings_of(account_id, transfers):
        if transfer.timestamp >= last_ns:
            break
        line = _line(account_id, transfer, closing)
        closing = line.balance
        if transfer.timestamp < first_ns:
            opening = brought = closing
            continue
        postings += 1
        if transfer.timestamp <= page.after:
            brought = closing
        elif len(lines) < page.limit:
            lines.append(line)
        else:
            more = True
    shown = tuple(lines)
    return Statement(account_id=account_id, begin=begin, end=end, opening=opening, brought=brought, lines=shown, closing=closing, postings=postings, more=more)


def postings_of(account_id: int, transfers: Iterable[Transfer]) -> Iterator[Transfer]:
    """Yield what moved the posted sums of an account."""
    for transfer in transfers:
        if account_id in (transfer.debit_account_id, transfer.credit_account_id) and not transfer.flags & (PENDING | VOID):
            yield transfer


def _line(account_id: int, transfer: Transfer, before: Balance) -> Line:
    debit = transfer.amount if transfer.debit_account_id == account_id else 0
    credit = transfer.amount - debit
    other = transfer.credit_account_id if debit or transfer.debit_account_id == account_id else transfer.debit_account_id
    return Line(transfer=transfer, other_account_id=other, debit_fen=debit, credit_fen=credit, balance=before.after(debit, credit))


def turnover(statement: Statement) -> Balance:
    """Return what moved in the period on either side."""
    opening, closing = statement.opening, statement.closing
    return Balance(debits_fen=closing.debits_fen - opening.debits_fen, credits_fen=closing.credits_fen - opening.credits_fen)


def total(lines: Sequence[Line]) -> Balance:
    """Add up the lines of a page."""
    return Balance(debits_fen=sum(line.debit_fen for line in lines), credits_fen=sum(line.credit_fen for line in lines))
