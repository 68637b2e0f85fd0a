"""What a happening moves in the books: one linked chain of what was earned since, of what is taken back, and of what is booked instead. Pure.

Nothing is ever edited. A happening entered late is put in its place by date and everything from there on is folded again: the transfers that no longer
hold are undone, the latest first, and booked anew, the oldest first.
"""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import date
from itertools import accumulate

import numpy as np

from ctl.kit.problem import Problem
from reference_apps.ledger.algebra import core
from reference_apps.ledger.algebra.layout import Batch, Records
from reference_apps.ledger.algebra.model import Status, Transfer, TransferFlag
from reference_apps.ledger.books import Books
from reference_apps.ledger.loans import chart, happened
from reference_apps.ledger.loans.allocation import Component
from reference_apps.ledger.loans.chart import EARNING, Business, Control, Movement
from reference_apps.ledger.loans.happening import Happening
from reference_apps.ledger.loans.life import Life
from reference_apps.ledger.loans.loan import Loan
from reference_apps.ledger.loans.posted import NOTHING, Posted

EARNED = (Business.ACCRUE_INTEREST, Business.CHARGE_FEE, Business.CHARGE_PENALTY)


def enter(books: Books, loan: Loan, happening: Happening, now_ns: int) -> Life:
    """Add a happening to a loan and book what it changes; return the loan's life after it. Raises Problem; the books are then a draft to be dropped."""
    posted = books.posted.get(loan.number) or NOTHING
    day = max(happening.on, loan.terms.disbursed_on, *(each.on for each in loan.happenings), date.fromordinal(max(1, posted.through)))
    before, after = happened.fold(loan, day), happened.fold(loan.having(happening), day)
    if after.lowest < 0:
        detail = f"loan {loan.id}: {-after.lowest} fen of what would no longer be overpaid have gone back to the customer already"
        raise Problem(409, "overpayment_is_gone", detail, remedy="reverse what was paid back first, or enter a smaller amount")
    book(books, loan, tuple(_chain(before, after, posted, happening)), now_ns)
    books.loans.put(loan.id, after.loan)
    return after


def catch_up(books: Books, loan: Loan, on: date, now_ns: int) -> None:
    """Post what the loan has earned through a day and is not in the books yet; nothing when it is."""
    life = happened.fold(loan, on)
    steps = _steps(books.posted.get(loan.number) or NOTHING, life, life)
    book(
        books,
        loan,
        [*_earned(loan, f"day/{on}/more", [more for more, _ in steps], on), *_earned(loan, f"day/{on}/less", [-less for _, less in steps], on)],
        now_ns,
    )


def _chain(before: Life, after: Life, posted: Posted, happening: Happening) -> Iterator[Transfer]:
    """Yield what is earned, what is undone, what is booked, and last what is no longer earned.

    No account passes below zero on the way: what money pays for a while only, in the middle of the chain, is earned for that while.
    """
    loan, day, number = after.loan, date.fromordinal(after.day), happening.number
    moved = list(_moved(before, after, happening))
    steps = _steps(posted, before, after)
    lifts = [
        _lift(posted_fen + more - paid, int(EARNING[business][0]), moved)
        for business, posted_fen, (more, _), paid in zip(EARNED, _sums(posted), steps, _paid(before), strict=True)
    ]
    yield from _earned(loan, f"{number}/more", [more + lift for (more, _), lift in zip(steps, lifts, strict=True)], day)
    yield from moved
    yield from _earned(loan, f"{number}/less", [-less - lift for (_, less), lift in zip(steps, lifts, strict=True)], day)


def _moved(before: Life, after: Life, happening: Happening) -> Iterator[Transfer]:
    """Yield the transfers that undo what no longer holds, from the first event that moves otherwise now, and book what holds instead."""
    loan, number = after.loan, happening.number
    old, new = list(before.movements.items()), list(after.movements.items())
    same = next((place for place, (one, other) in enumerate(zip(old, new, strict=False)) if one != other), min(len(old), len(new)))
    for event, movements in reversed(old[same:]):
        for movement in reversed(movements):
            back = movement._replace(business=Business.UNDO, debit=movement.credit, credit=movement.debit)
            yield transfer(loan, f"{number}/undo/{event}/{movement.label}", back, happening.booked_on)
    for event, movements in new[same:]:
        for movement in movements:
            yield transfer(loan, f"{number}/book/{event}/{movement.label}", movement, happening.booked_on)


def _steps(posted: Posted, before: Life, after: Life) -> list[tuple[int, int]]:
    """Return what to post more and less of interest, fees and penalties: what had been earned by then, and what the happening changes."""
    known = zip(_sums(posted), _sums(before.earned()), _sums(after.earned()), strict=True)
    return [(max(0, then - stands) + max(0, now - then), max(0, stands - then) + max(0, then - now)) for stands, then, now in known]


def _lift(opened_fen: int, receivable: int, moved: Iterable[Transfer]) -> int:
    """Return by how much a receivable that has so much at first would fall below zero on the way."""
    changes = ((each.debit_account_id == receivable) * each.amount - (each.credit_account_id == receivable) * each.amount for each in moved)
    return max(0, -min(accumulate(changes, initial=opened_fen)))


def _sums(posted: Posted) -> tuple[int, int, int]:
    return posted.interest_fen, posted.fee_fen, posted.penalty_fen


def _paid(life: Life) -> tuple[int, int, int]:
    return life.paid[Component.INTEREST], life.paid[Component.FEE], life.paid[Component.PENALTY]


def _earned(loan: Loan, part: str, step: Sequence[int], day: date) -> list[Transfer]:
    made = []
    for business, fen in zip(EARNED, step, strict=True):
        debit, credit = EARNING[business] if fen > 0 else EARNING[business][::-1]
        made.append(transfer(loan, f"{part}/{business.name}", Movement("", business, debit, credit, abs(fen)), day))
    return [each for each in made if each.amount]


def transfer(loan: Loan, part: str, movement: Movement, day: date) -> Transfer:
    """Return one movement of the loan; its id is derived from the loan and the part, so that no part can be booked twice.

    `user_data_64` is the loan's number, `user_data_32` the business day as in 20250131.
    """
    derived = int.from_bytes(hashlib.sha256(f"{loan.id}/{part}".encode()).digest()[:16], "big")
    return Transfer(
        id=derived,
        debit_account_id=int(movement.debit),
        credit_account_id=int(movement.credit),
        amount=movement.amount_fen,
        ledger=chart.CURRENCIES[loan.terms.currency],
        code=int(movement.business),
        user_data_64=loan.number,
        user_data_32=day.year * 10_000 + day.month * 100 + day.day,
    )


def book(books: Books, loan: Loan, movements: Sequence[Transfer], now_ns: int) -> None:
    """Post the movements as one linked chain, and keep what of them the loan has earned. Raises Problem when the ledger refuses one."""
    _check_own(books, loan, movements)
    last = len(movements) - 1
    chain = [replace(movement, flags=int(TransferFlag.LINKED) if number < last else 0) for number, movement in enumerate(movements)]
    for movement, result in zip(chain, core.create_transfers(books, chain, now_ns) if chain else (), strict=True):
        if result.status not in (Status.CREATED, Status.LINKED_EVENT_FAILED):
            accounts = f"{chart.name(movement.debit_account_id)} / {chart.name(movement.credit_account_id)}"
            detail = f"loan {loan.id}: {movement.amount} fen {accounts}: {result.status}"
            raise Problem(409, str(result.status), detail, remedy="nothing was booked; look at the accounts with GET /v1/accounts")
    for movement in chain:
        keep(books, movement)


def _check_own(books: Books, loan: Loan, movements: Sequence[Transfer]) -> None:
    """A number of the chart that somebody had opened before the chart had it is no account of ours. Raises Problem (409)."""
    for control in sorted({Control(side) for each in movements for side in (each.debit_account_id, each.credit_account_id)}):
        if chart.taken(books.accounts.get(int(control)), control):
            detail = f"loan {loan.id}: account {int(control)} is not the chart's {chart.name(int(control))}: somebody else opened it before it was reserved"
            raise Problem(409, "control_account_taken", detail, remedy="nothing was booked; the books need a chart with another number for it")


def keep(books: Books, movement: Transfer) -> None:
    """Count a transfer that posts, or takes back, what a loan has earned; every other one is none of the loans' business. Replay enters here too."""
    sides = _EARNING_SIDES.get(movement.code)
    if sides is None or not movement.user_data_64 or {movement.debit_account_id, movement.credit_account_id} != sides[1]:
        return
    field, _, receivable = sides
    was = books.posted.get(movement.user_data_64) or NOTHING
    fen = movement.amount if movement.debit_account_id == receivable else -movement.amount
    day = movement.user_data_32
    through = date(day // 10_000, day // 100 % 100, day % 100).toordinal() if day else 0
    books.posted.put(movement.user_data_64, replace(was, **{field: getattr(was, field) + fen, "through": max(was.through, through)}))


def keep_all(books: Books, batch: Batch) -> None:
    """Count every transfer of a batch as `keep` does, looking only at those that name a loan and one of its earnings."""
    earning = (batch["user_data_64"] != 0) & np.isin(batch["code"], _EARNING_CODES)
    if earning.any():
        movements: Records[Transfer] = Records(batch[earning])
        for movement in movements:
            keep(books, movement)


_EARNING_SIDES = {
    int(business): (field, {int(control) for control in EARNING[business]}, int(EARNING[business][0]))
    for business, field in zip(EARNED, ("interest_fen", "fee_fen", "penalty_fen"), strict=True)
}
_EARNING_CODES = np.array(sorted(_EARNING_SIDES))
