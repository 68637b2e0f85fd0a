"""What the end of a day has to know of each loan, in columns by its number; derived from the loans, learnt once, and again when something happened.

`PLAIN` loans were never late at a price and only ever paid, in the order of their instalments: all about them follows from the schedule and the sum
paid. `DONE` ones owe nothing or are charged off: nothing is earned any more. Every `OTHER` loan is asked by the definition.
"""

from collections.abc import Mapping
from itertools import islice
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from reference_apps.ledger.loans import happened
from reference_apps.ledger.loans.agreed import LINE, Agreed
from reference_apps.ledger.loans.allocation import Component, Style
from reference_apps.ledger.loans.happening import Kind
from reference_apps.ledger.loans.loan import Loan
from reference_apps.ledger.loans.product import LoanProduct, Prepayment

PLAIN, DONE, OTHER = 1, 2, 3
NEVER = 2**30
"""A day that does not come: the loan owes nothing."""
MOST_FEN = 10**8
"""Larger loans are asked by the definition, whose integers have no end."""


class Row(NamedTuple):
    """One loan; days are ordinals. `owed_from` is the due date of the first instalment that owes anything, `last_on` the day of the last happening."""

    kind: int
    product: int
    begins: int
    last_on: int
    owed_from: int
    lines: int
    received: int
    principal: int
    interest_paid: int
    fee_paid: int
    penalty_paid: int
    overpaid: int
    kept_back: int


TYPES: Mapping[str, Any] = {"kind": np.int8, "product": np.int32, "begins": np.int32, "last_on": np.int32, "owed_from": np.int32, "lines": np.int16}


class LoanColumns:
    """Columns of the committed books; `changed` collects the ids of loans to be learnt again."""

    def __init__(self) -> None:
        self.ids: list[str] = [""]
        self.changed: set[str] = set()
        self.products: list[LoanProduct] = []
        self._place_of: dict[LoanProduct, int] = {}
        self._room = 0
        self._columns: dict[str, NDArray[Any]] = {name: np.zeros(0, TYPES.get(name, np.int64)) for name in Row._fields}

    @property
    def count(self) -> int:
        """How many loans are known: those with the numbers up to it."""
        return len(self.ids) - 1

    def column(self, name: str, first: int, last: int) -> NDArray[Any]:
        """Return a field of Row for a stretch of loans."""
        return self._columns[name][first : last + 1]

    def total(self, name: str) -> int:
        return int(self._columns[name][1 : self.count + 1].sum())

    def learn(self, loans: Mapping[str, Loan], most: int) -> bool:
        """Learn at most so many loans that are new, and every one that has changed; say whether all are known then."""
        new = list(islice(loans.values(), self.count, self.count + most))
        for number, loan in enumerate(new, len(self.ids)):
            if loan.number != number:
                raise ValueError(f"loan {loan.id} has number {loan.number}, but it is number {number} in the books")
        if new:
            self._reach(new[-1].number)
            rows = np.array([self._row(loan) for loan in new], np.int64)
            for place, name in enumerate(Row._fields):
                self._columns[name][new[0].number : new[-1].number + 1] = rows[:, place]
            self.ids += [loan.id for loan in new]
        for loan_id in self.changed:
            loan = loans[loan_id]
            if loan.number <= self.count:
                for name, value in zip(Row._fields, self._row(loan), strict=True):
                    self._columns[name][loan.number] = value
        self.changed.clear()
        return self.count == len(loans)

    def _reach(self, number: int) -> None:
        if number >= self._room:
            room = max(number + 1, 2 * self._room, 1024)
            for name, column in self._columns.items():
                self._columns[name] = np.concatenate([column, np.zeros(room - self._room, column.dtype)])
            self._room = room

    def _row(self, loan: Loan) -> Row:
        product = loan.terms.product
        place = self._place_of.get(product)
        if place is None:
            place = self._place_of[product] = len(self.products)
            self.products.append(product)
        product = loan.terms.product
        is_odd = product.interest_grace and product.interest_free  # no interest runs in a free period inside a grace: the definition knows which days
        return (None if is_odd else _plain(loan, place)) or _other(loan, place)


def _plain(loan: Loan, product: int) -> Row | None:
    terms, lines = loan.terms, loan.schedule
    if terms.principal_fen > MOST_FEN or not isinstance(lines, Agreed):
        return None
    received, last_on = 0, 0
    if loan.happenings:
        if not _only_paid_in_order(loan, lines.packed):
            return None
        received, last_on = sum(each.amount_fen for each in loan.happenings), max(each.on for each in loan.happenings).toordinal()
    left, owed_from, interest_paid, principal_paid = received, NEVER, 0, 0
    interest_goes_first = interest_first(terms.product)
    for due, principal, interest in LINE.iter_unpack(lines.packed):
        if left < principal + interest:
            owed_from = due
            interest_paid += min(left, interest) if interest_goes_first else max(0, left - principal)
            principal_paid += max(0, left - interest) if interest_goes_first else min(left, principal)
            left = 0
            break
        interest_paid, principal_paid, left = interest_paid + interest, principal_paid + principal, left - principal - interest
    return Row(
        kind=DONE if owed_from == NEVER else PLAIN,
        product=product,
        begins=terms.disbursed_on.toordinal(),
        last_on=last_on,
        owed_from=owed_from,
        lines=len(lines),
        received=received,
        principal=terms.principal_fen - principal_paid,
        interest_paid=interest_paid,
        fee_paid=0,
        penalty_paid=0,
        overpaid=left,
        kept_back=terms.fee_fen,
    )


def interest_first(product: LoanProduct) -> bool:
    """Say whether a payment pays an instalment's interest before its principal."""
    return product.order.index(Component.INTEREST) < product.order.index(Component.PRINCIPAL)


def late_costs(product: LoanProduct) -> bool:
    """Say whether being late costs anything."""
    return bool(product.penalty_daily_rate or product.late_fee_fen or product.late_fee_rate)


def _only_paid_in_order(loan: Loan, packed: bytes) -> bool:
    """Say whether there were only payments, each for the oldest instalment, and none was late at a price by the time of the last one."""
    product, happenings = loan.terms.product, loan.happenings
    if product.prepayment is not Prepayment.NEXT_INSTALMENT or product.style is not Style.HORIZONTAL:
        return False
    if any(each.kind is not Kind.PAID for each in happenings):
        return False
    return not late_costs(product) or _never_late(loan, packed)


def _never_late(loan: Loan, packed: bytes) -> bool:
    """Say whether each instalment was paid on the last day on which that was free, if that day was over when the last payment came."""
    grace, due_fen, received = loan.terms.product.penalty_grace_days, 0, 0
    paid = sorted((each.on.toordinal(), each.amount_fen) for each in loan.happenings)
    last, place = paid[-1][0], 0
    for due, principal, interest in LINE.iter_unpack(packed):
        free, due_fen = due + grace, due_fen + principal + interest
        if free >= last:
            break
        while place < len(paid) and paid[place][0] <= free:
            received += paid[place][1]
            place += 1
        if received < due_fen:
            return False
    return True


def _other(loan: Loan, product: int) -> Row:
    """Ask the definition, on the day of the last happening: what was paid does not change after it."""
    last = max([loan.terms.disbursed_on, *(each.on for each in loan.happenings)])
    life = happened.fold(loan, last)
    owed_from = next((line.due for line, debt in zip(life.lines, life.debts(life.lines), strict=True) if any(debt.owed.values())), NEVER)
    return Row(
        kind=DONE if owed_from == NEVER or life.charged_off else OTHER,
        product=product,
        begins=loan.terms.disbursed_on.toordinal(),
        last_on=last.toordinal() if loan.happenings else 0,
        owed_from=owed_from,
        lines=len(loan.schedule),
        received=0,
        principal=life.principal(),
        interest_paid=life.paid[Component.INTEREST],
        fee_paid=life.paid[Component.FEE],
        penalty_paid=life.paid[Component.PENALTY],
        overpaid=life.overpaid,
        kept_back=loan.terms.fee_fen,
    )
