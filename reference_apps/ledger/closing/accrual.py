"""What a stretch of loans has earned through a day, and how late each is: plain loans in columns, every other by the definition. Pure.

Both ways give the same figures to the fen; amounts stay below 2^63 because larger loans are not plain.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reference_apps.ledger.closing.daystep import AGES
from reference_apps.ledger.closing.loancolumns import DONE, NEVER, OTHER, PLAIN, LoanColumns, interest_first, late_costs
from reference_apps.ledger.loans import standing
from reference_apps.ledger.loans.agreed import Agreed
from reference_apps.ledger.loans.loan import Loan
from reference_apps.ledger.loans.postedtable import Fen
from reference_apps.ledger.loans.product import LoanProduct
from reference_apps.ledger.loans.rounding import Rounding, rounded
from reference_apps.ledger.loans.running import MICRO

Flags = NDArray[np.bool_]
NOT_AGED, CHARGED_OFF = -1, AGES.index("charged_off")
BOUNDS = np.array([most for most, _ in standing.BUCKETS])


@dataclass(slots=True)
class Found:
    """Of each loan of a stretch, on the day: what it should have earned (a row a component), whether that is to be posted, and its age.

    `age` is a place in AGES or NOT_AGED; principal and overdue count towards that age, and what is overdue of a loan that was charged off does not.
    """

    earned: Fen
    posts: Flags
    age: NDArray[np.int8]
    principal: Fen
    overdue: Fen

    @classmethod
    def nothing(cls, count: int) -> "Found":
        zeros = np.zeros(count, np.int64)
        return cls(np.zeros((3, count), np.int64), np.zeros(count, np.bool_), np.full(count, NOT_AGED, np.int8), zeros, zeros.copy())


def asked(columns: LoanColumns, first: int, last: int, day: int) -> Flags:
    """Return which loans of a stretch the definition must be asked about: those that are not plain, or to which something happened since."""
    known = (columns.column("kind", first, last) != OTHER) & (columns.column("last_on", first, last) <= day)
    begun: Flags = columns.column("begins", first, last) <= day
    wanted: Flags = begun & ~known
    return wanted


def plain(columns: LoanColumns, loans: Mapping[str, Loan], first: int, asked: Flags, day: int) -> Found:
    """Return what the columns know of a stretch of loans on a day; for those that are asked for by the definition, nothing."""
    last = first + len(asked) - 1
    kind, known = columns.column("kind", first, last), (columns.column("begins", first, last) <= day) & ~asked
    found, places = Found.nothing(len(asked)), np.flatnonzero(known & (kind == PLAIN))
    if places.size:
        _fill(found, _Stretch(columns, loans, first, places), day)
    found.age[known & (kind == DONE) & (columns.column("owed_from", first, last) < NEVER)] = CHARGED_OFF
    return found


class _Stretch:
    """The plain loans of a stretch with their instalments one after the other: `owner` says whose each is, `start` where each loan's begin."""

    def __init__(self, columns: LoanColumns, loans: Mapping[str, Loan], first: int, places: NDArray[np.intp]) -> None:
        self.places, numbers = places, places + first
        last = int(numbers[-1])

        def column(name: str) -> NDArray[Any]:
            return columns.column(name, first, last)[places]

        schedules = [loans[columns.ids[number]].schedule for number in numbers]
        lines = np.frombuffer(b"".join([each.packed for each in schedules if isinstance(each, Agreed)]), "<i8").reshape(-1, 3)
        self.due, self.principal, self.interest = (np.ascontiguousarray(lines[:, at]) for at in range(3))
        count = column("lines").astype(np.int64)
        self.owner = np.repeat(np.arange(len(places)), count)
        self.start = np.cumsum(count) - count
        self.begins, self.owed_from, self.received, self.left = column("begins"), column("owed_from"), column("received"), column("principal")
        self.products, self.of = columns.products, column("product")
        numbered = np.arange(len(self.owner)) - self.start[self.owner] + np.array([each.first for each in schedules if isinstance(each, Agreed)])[self.owner]
        self.begin = self._begun(numbered)

    def product(self, wanted: Any) -> NDArray[Any]:
        """Return a property of each loan's product."""
        each: NDArray[Any] = np.array([wanted(product) for product in self.products])[self.of]
        return each

    def _begun(self, numbered: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return where the interest of each instalment begins: on the due date before, in a grace on interest and at first with the disbursement."""
        begin = np.concatenate([[0], self.due[:-1]])
        anew = numbered - 1 <= self.product(lambda product: product.interest_grace)[self.owner]
        anew[self.start] = True
        begin[anew] = self.begins[self.owner][anew]
        return begin


def _fill(found: Found, stretch: _Stretch, day: int) -> None:
    at, amount = stretch.places, stretch.principal + stretch.interest
    paid = _allocated(stretch, amount)
    interest_paid = np.where(stretch.product(interest_first)[stretch.owner], np.minimum(paid, stretch.interest), paid - np.minimum(paid, stretch.principal))
    earned = np.maximum(_accrued(stretch, day), interest_paid)
    found.earned[0, at] = np.add.reduceat(earned, stretch.start)
    late = np.where(stretch.due < day, amount - paid, 0)
    overdue = np.add.reduceat(late, stretch.start)
    for place, fee, penalty in _charged(stretch, late, day):
        found.earned[1, at[place]] += fee
        found.earned[2, at[place]] += penalty
        overdue[place] += fee + penalty
    found.posts[at] = True
    found.age[at] = np.searchsorted(BOUNDS, np.maximum(day - stretch.owed_from, 0))
    found.principal[at], found.overdue[at] = stretch.left, overdue


def _allocated(stretch: _Stretch, amount: Fen) -> Fen:
    """Return what of the sum received pays each instalment, the oldest first."""
    before = np.cumsum(amount) - amount
    before -= before[stretch.start][stretch.owner]
    paid: Fen = np.clip(stretch.received[stretch.owner] - before, 0, amount)
    return paid


def _accrued(stretch: _Stretch, day: int) -> Fen:
    """Return the interest of each instalment that has run: cut off to a millionth of a fen, then rounded."""
    accrued = np.where(stretch.due <= day, stretch.interest, 0)
    at = np.flatnonzero((stretch.begin < day) & (day < stretch.due))
    micro = stretch.interest[at] * MICRO * (day - stretch.begin[at]) // (stretch.due[at] - stretch.begin[at])
    whole, rest = micro // MICRO, micro % MICRO
    even = stretch.product(lambda product: product.rounding is Rounding.HALF_EVEN)[stretch.owner[at]]
    accrued[at] = whole + ((2 * rest > MICRO) | ((2 * rest == MICRO) & (~even | (whole % 2 == 1))))
    return accrued


def _charged(stretch: _Stretch, late: Fen, day: int) -> list[tuple[int, int, int]]:
    """Return loan, late fee and penalty of each instalment that is late at a price, one by one as the definition has them."""
    grace = stretch.product(lambda product: product.penalty_grace_days)[stretch.owner]
    costs = stretch.product(late_costs)[stretch.owner]
    charged = []
    for at in np.flatnonzero(costs & (late > 0) & (stretch.due + grace < day)):
        owner = int(stretch.owner[at])
        product, fen = stretch.products[stretch.of[owner]], int(late[at])
        days = day - int(stretch.due[at]) - product.penalty_grace_days
        charged.append((owner, _late_fee(product, fen), _penalty(product, fen * days)))
    return charged


def _late_fee(product: LoanProduct, late: int) -> int:
    numerator, denominator = product.late_fee_rate.as_integer_ratio()
    return product.late_fee_fen + rounded(late * numerator, denominator, product.rounding)


def _penalty(product: LoanProduct, fen_days: int) -> int:
    numerator, denominator = product.penalty_daily_rate.as_integer_ratio()
    return rounded(fen_days * numerator * MICRO // denominator, MICRO, product.rounding)


def defined(found: Found, singly: Sequence[tuple[int, Loan]], day: date) -> None:
    """Fill in what the definition says of loans, each with its place in the stretch."""
    for place, loan in singly:
        stands = standing.standing(loan, day)
        found.earned[:, place] = stands.earned.interest_fen, stands.earned.fee_fen, stands.earned.penalty_fen
        found.posts[place] = all(each.on <= day for each in loan.happenings)
        found.age[place] = _age(stands)
        found.principal[place] = stands.principal_fen
        found.overdue[place] = 0 if stands.charged_off_on else stands.overdue_fen


def _age(stands: standing.Standing) -> int:
    if stands.status is standing.Status.CLOSED:
        return NOT_AGED
    return CHARGED_OFF if stands.charged_off_on else int(np.searchsorted(BOUNDS, stands.days_past_due))
