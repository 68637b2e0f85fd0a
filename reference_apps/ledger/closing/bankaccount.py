"""What the ledger and the loans say was moved on the bank account: the two sides of our own that a bank's file is held against. Pure.

The nth chain of a loan that moves the bank account and the nth event of its history that should are the same event.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, timedelta
from itertools import groupby

from reference_apps.ledger import businessday
from reference_apps.ledger.algebra.model import PENDING, VOID, Transfer
from reference_apps.ledger.books import Books
from reference_apps.ledger.closing import breaklist, ledgerrows, reconcile
from reference_apps.ledger.closing.breaklist import Period
from reference_apps.ledger.closing.movement import Direction, Movement
from reference_apps.ledger.closing.reconcile import Item
from reference_apps.ledger.keeping.reply import Reply
from reference_apps.ledger.loans import chart
from reference_apps.ledger.loans.chart import Control
from reference_apps.ledger.loans.happening import Happening, Kind
from reference_apps.ledger.loans.loan import Loan

BANK = int(Control.BANK)
CURRENCY_OF = {number: name for name, number in chart.CURRENCIES.items()}
Keys = Mapping[tuple[str, int], str]
"""Under which Idempotency-Key a happening of a loan was entered; number 0 is the disbursement."""


def reconciled(books: Books, lines: tuple[Movement, ...], period: Period, tolerance_days: int) -> tuple[Item, ...]:
    """Hold a bank's file against the committed books, and return what belongs to the period."""
    committed = books.committed
    loans, keys = list(committed.loans.own.values()), keys_of(list(committed.replies.own.items()))
    ids = {loan.number: loan.id for loan in loans}
    ledger = list(of_ledger(ledgerrows.touching(committed, BANK), ids))
    told = [movement for loan in loans for movement in of_loan(loan, keys)]
    near = Period(begin=period.begin - timedelta(days=tolerance_days), end=period.end + timedelta(days=tolerance_days))
    events = {movement.event for movement in (*ledger, *told) if movement.on in near}
    sides = ([each for each in side if each.event in events] for side in (ledger, told))
    return breaklist.within(reconcile.compare(lines, *sides, known=set(ids.values()), tolerance_days=tolerance_days), period)


def of_ledger(touching: Iterable[tuple[int, Transfer]], ids: Mapping[int, str]) -> Iterator[Movement]:
    """Yield each chain's net movement of the bank account; `ids` names the loan of a number."""
    counted: Counter[int] = Counter()
    for _, chain in groupby(touching, key=lambda each: each[0]):
        transfers = [transfer for _, transfer in chain]
        net, first = sum(map(_net, transfers)), transfers[0]
        if net:
            number = first.user_data_64
            counted[number] += 1
            loan = ids.get(number, f"number {number}") if number else ""
            currency = CURRENCY_OF.get(first.ledger, str(first.ledger))
            event = f"{loan or 'other'}/{counted[number]}"
            yield _movement(f"transfer {first.id}", businessday.day_of(first.timestamp), net, currency, (loan, event))


def _net(transfer: Transfer) -> int:
    if transfer.flags & (PENDING | VOID):
        return 0
    return (transfer.amount if transfer.debit_account_id == BANK else 0) - (transfer.amount if transfer.credit_account_id == BANK else 0)


def of_loan(loan: Loan, keys: Keys) -> Iterator[Movement]:
    """Yield what a loan's own history says came in and went out, in the order it was entered."""
    terms, place = loan.terms, 1
    references = tuple(reference for reference in (keys.get((loan.id, 0), ""), terms.reference) if reference)
    paid_out = terms.fee_fen - terms.principal_fen
    yield _movement(f"loan {loan.id} disbursed", terms.disbursed_on, paid_out, terms.currency, (loan.id, f"{loan.id}/1"), references)
    for happening in loan.happenings:
        if net := _happened(loan, happening):
            place += 1
            key = keys.get((loan.id, happening.number), "")
            known = (loan.id, f"{loan.id}/{place}")
            yield _movement(f"loan {loan.id} number {happening.number}", happening.on, net, terms.currency, known, (key,) if key else ())


def _happened(loan: Loan, happening: Happening) -> int:
    match happening.kind:
        case Kind.PAID | Kind.SETTLED | Kind.REFUNDED:
            return happening.amount_fen
        case Kind.PAID_BACK | Kind.CHARGED_BACK:
            return -happening.amount_fen
        case Kind.REVERSED:
            return -next((_happened(loan, each) for each in loan.happenings if each.number == happening.of), 0)
        case _:
            return 0


def _movement(place: str, on: date, net: int, currency: str, known: tuple[str, str], references: tuple[str, ...] = ()) -> Movement:
    direction = Direction.IN if net > 0 else Direction.OUT
    return Movement(place=place, on=on, direction=direction, amount_fen=abs(net), currency=currency, references=references, loan=known[0], event=known[1])


def keys_of(replies: Iterable[tuple[str, Reply]]) -> Keys:
    """Return the payment keys that were sent with what happened to loans."""
    return {(str(reply.body["loan_id"]), int(reply.body.get("number", 0))): scope.split("|", 2)[2] for scope, reply in replies if "loan_id" in reply.body}


def period_of(lines: Iterable[Movement], begin: date | None, end: date | None) -> Period | None:
    """Return the days to compare: those asked for, else from the file's first to its last; None for neither."""
    days = [line.on for line in lines]
    first, last = begin or min(days, default=end), end or max(days, default=begin)
    return Period(begin=first, end=last) if first and last else None
