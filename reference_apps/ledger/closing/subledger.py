"""The sub-ledger against its control accounts: what all loans together say, and what each account says. Pure; of committed books."""

from collections.abc import Iterator
from dataclasses import dataclass

from reference_apps.ledger.algebra.model import Account
from reference_apps.ledger.books import Books
from reference_apps.ledger.closing.loancolumns import LoanColumns
from reference_apps.ledger.loans.chart import Control
from reference_apps.ledger.loans.postedtable import PostedTable


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One control account, in fen; income and what we owe count as positive, like what we are owed."""

    control: Control
    loans_fen: int
    control_fen: int

    @property
    def difference_fen(self) -> int:
        return self.loans_fen - self.control_fen


ASSETS = frozenset({Control.PRINCIPAL, Control.INTEREST_RECEIVABLE, Control.FEE_RECEIVABLE, Control.PENALTY_RECEIVABLE})


def columns(books: Books) -> LoanColumns:
    """Return the committed books' columns, empty when nobody has asked for them before."""
    committed = books.committed
    if committed.columns is None:
        committed.columns = LoanColumns()
    return committed.columns


def learn(books: Books, most: int) -> bool:
    """Learn at most so many of the loans that the columns do not know yet; say whether they know all."""
    return columns(books).learn(books.committed.loans.own, most)


def checks(books: Books) -> tuple[Check, ...]:
    """Compare every control account of the committed books that follows from the loans; the columns must know all of them."""
    committed = books.committed
    return tuple(Check(control=control, loans_fen=fen, control_fen=_net(committed.accounts.get(int(control)), control)) for control, fen in _said(committed))


def _said(books: Books) -> Iterator[tuple[Control, int]]:
    known, posted = columns(books), books.posted
    interest, fee, penalty = posted.totals() if isinstance(posted, PostedTable) else (0, 0, 0)
    yield Control.PRINCIPAL, known.total("principal")
    yield Control.INTEREST_RECEIVABLE, interest - known.total("interest_paid")
    yield Control.FEE_RECEIVABLE, fee - known.total("fee_paid")
    yield Control.PENALTY_RECEIVABLE, penalty - known.total("penalty_paid")
    yield Control.OVERPAYMENT, known.total("overpaid")
    yield Control.INTEREST_INCOME, interest
    yield Control.FEE_INCOME, fee + known.total("kept_back")
    yield Control.PENALTY_INCOME, penalty


def _net(account: Account | None, control: Control) -> int:
    if account is None:
        return 0
    net = account.debits_posted - account.credits_posted
    return net if control in ASSETS else -net
