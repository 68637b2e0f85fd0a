"""What the ledger and the loans say was moved on the bank account in a period: the two sides of our own that a bank's file is held against. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import date

from reference_apps.ledger import businessday
from reference_apps.ledger.algebra.model import LINKED, PENDING, VOID, Transfer
from reference_apps.ledger.closing.movement import Direction, Movement
from reference_apps.ledger.loans import chart, happened
from reference_apps.ledger.loans.chart import Business, Control
from reference_apps.ledger.loans.happening import Happening, Kind
from reference_apps.ledger.loans.loan import Loan

BANK = int(Control.BANK)
CURRENCY_OF = {number: name for name, number in chart.CURRENCIES.items()}


def of_ledger(transfers: Iterable[Transfer], loans: Mapping[int, str], begin: date, end: date) -> Iterator[Movement]:
    """Yield each chain's net movement of the bank account booked in the period; `loans` names the loan of a number."""
    numbers: dict[int, int] = {}
    for chain in chains(transfers):
        net = sum(_net(transfer) for transfer in chain)
        first = next((transfer for transfer in chain if BANK in (transfer.debit_account_id, transfer.credit_account_id)), None)
        if first is None or not net:
            continue
        number = first.user_data_64
        numbers[number] = numbers.get(number, 0) + 1
        day = businessday.day_of(first.timestamp)
        if begin <= day <= end:
            loan = loans.get(number, f"number {number}") if number else ""
            yield _movement(f"transfer {first.id}", day, net, CURRENCY_OF.get(first.ledger, str(first.ledger)), (loan, f"{loan or 'other'}/{numbers[number]}"))


def chains(transfers: Iterable[Transfer]) -> Iterator[list[Transfer]]:
    """Yield transfers that were linked together, in the order of their timestamps."""
    chain: list[Transfer] = []
    for transfer in transfers:
        chain.append(transfer)
        if not transfer.flags & LINKED:
            yield chain
            chain = []
    if chain:
        yield chain


def _net(transfer: Transfer) -> int:
    if transfer.flags & (PENDING | VOID):
        return 0
    return (transfer.amount if transfer.debit_account_id == BANK else 0) - (transfer.amount if transfer.credit_account_id == BANK else 0)


def of_loan(loan: Loan, references: Mapping[int, str]) -> Iterator[Movement]:
    """Yield what a loan's own history says came in and went out, in the order it was entered; `references` names the payment key of a happening."""
    place, terms = 1, loan.terms
    out = (terms.reference, loan.id)
    yield _movement(f"loan {loan.id} disbursed", terms.disbursed_on, terms.fee_fen - terms.principal_fen, terms.currency, (loan.id, f"{loan.id}/1"), out)
    for happening in loan.happenings:
        net = _happened(loan, happening)
        if net:
            place += 1
            reference = references.get(happening.number, "")
            known = (loan.id, f"{loan.id}/{place}")
            yield _movement(f"loan {loan.id} number {happening.number}", happening.on, net, terms.currency, known, (reference,) if reference else ())


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
