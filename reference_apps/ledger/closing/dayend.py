"""The end of a business day, step by step: begin, accrue a stretch of loans, charge off, end. Each is one command of limited length. Pure: books and time in.

What a stretch has earned is posted for all of its loans in one linked chain; the same entry says what each of them earned. A step that was taken is
never taken again: where the day stands is part of the books.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta

import numpy as np

from ctl.kit.problem import Problem
from reference_apps.ledger.algebra import core
from reference_apps.ledger.algebra.model import Status, Transfer, TransferFlag
from reference_apps.ledger.books import Books
from reference_apps.ledger.closing import accrual, dayreport, daystep, subledger
from reference_apps.ledger.closing.daystep import AGES, Accrued, Begun, ChargedOff, DayEnd, Ended, Stage, Step, Tally
from reference_apps.ledger.closing.loancolumns import DONE
from reference_apps.ledger.loans import chart, lending, posting, standing
from reference_apps.ledger.loans.chart import EARNING
from reference_apps.ledger.loans.happening import Happening, Kind
from reference_apps.ledger.loans.posted import NOTHING
from reference_apps.ledger.loans.postedtable import Fen, Slab
from reference_apps.ledger.loans.posting import EARNED

MOST_LOANS, MOST_ASKED = 20_000, 600
"""Loans of a stretch, and how many of them the definition is asked about: together some 100 ms."""


def newest(books: Books) -> DayEnd | None:
    """Return the latest day whose end has begun."""
    days = books.days()
    return books.dayends.get(max(days)) if days else None


def begin(books: Books, day: date, today: date, now_ns: int) -> DayEnd:
    """Begin the first day that waits, up to `day`; return how the day asked for stands, or the one that comes first. Raises Problem for an earlier day."""
    if day > today:
        raise Problem(422, "bad_input", f"day: {day} has not come yet; today is {today}", remedy="end a day that has come")
    known, last = books.dayends.get(day.toordinal()), newest(books)
    if known is not None:
        return known
    if last is not None and day < last.day:
        detail = f"day: the end of {last.day} has begun, so that of {day}, which never did, comes too late"
        raise Problem(409, "day_is_closed", detail, remedy="enter what belongs to that day with its date; it is corrected by itself")
    if last is not None and last.stage is not Stage.DONE:
        return last
    first = last.day + timedelta(days=1) if last else day
    return _take(books, Begun(day=first, at_ns=now_ns, upto=books.last_loan), ())


def accrue(books: Books, day: date, now_ns: int, most: int = MOST_LOANS, most_asked: int = MOST_ASKED) -> DayEnd:
    """Post what the next stretch of loans has earned through the day. Raises Problem; the books are then a draft to be dropped."""
    known = _standing(books, day, Stage.ACCRUAL)
    first, last = known.next, min(known.upto, known.next + most - 1)
    while not subledger.learn(books, MOST_LOANS) and subledger.columns(books).count < last:
        pass
    columns, loans, ordinal = subledger.columns(books), books.committed.loans.own, day.toordinal()
    asked = accrual.asked(columns, first, last, ordinal)
    for loan in books.drafted_loans().values():
        if first <= loan.number <= last:
            asked[loan.number - first] = loan.terms.disbursed_on <= day
    if np.count_nonzero(asked) > most_asked:
        last = first + int(np.flatnonzero(asked)[most_asked]) - 1
    asked = asked[: last - first + 1]
    found = accrual.plain(columns, loans, first, asked, ordinal)
    singly = [(int(place), books.loans.get(columns.ids[first + place])) for place in np.flatnonzero(asked)]
    accrual.defined(found, [(place, loan) for place, loan in singly if loan is not None], day)
    return _post(books, Slab(first, ordinal, _more(books, found, Slab(first, ordinal, found.earned), now_ns)), _tally(found), now_ns)


def _more(books: Books, found: accrual.Found, earned: Slab, now_ns: int) -> Fen:
    """Return what is to be posted. Should a loan have earned less than is posted, it is corrected singly, as the definition does it."""
    posted, through = books.posted.stretch(earned.first, earned.last)
    more: Fen = np.where(found.posts & (through <= earned.through), earned.more - posted, 0)
    for place in np.flatnonzero((more < 0).any(axis=0)):
        loan = books.loans.get(subledger.columns(books).ids[earned.first + int(place)])
        more[:, place] = 0
        if loan is not None:
            posting.catch_up(books, loan, date.fromordinal(earned.through), now_ns)
    return more


def _tally(found: accrual.Found) -> Tally:
    ages = [found.age == place for place in range(len(AGES))]
    return Tally(ages=tuple((int(at.sum()), int(found.principal[at].sum()), int(found.overdue[at].sum())) for at in ages))


def _post(books: Books, slab: Slab, tally: Tally, now_ns: int) -> DayEnd:
    sums = [int(fen) for fen in slab.more.sum(axis=1)]
    chain = _chain(slab, sums)
    for movement, result in zip(chain, core.create_transfers(books, chain, now_ns) if chain else (), strict=True):
        if result.status is not Status.CREATED:
            detail = f"end of {date.fromordinal(slab.through)}, loans {slab.first} to {slab.last}: {movement.amount} fen: {result.status}"
            raise Problem(409, str(result.status), detail, remedy="nothing was booked; look at the accounts with GET /v1/accounts")
    posted = int(slab.more.any(axis=0).sum())
    whole = replace(tally, interest_fen=sums[0], fee_fen=sums[1], penalty_fen=sums[2], posted=posted)
    return _take(books, Accrued(day=date.fromordinal(slab.through), slab=slab, tally=whole), chain)


def _chain(slab: Slab, sums: Sequence[int]) -> list[Transfer]:
    """Return what is posted for a stretch of loans: one transfer a component, ids derived from the day and the first loan."""
    day, made = date.fromordinal(slab.through), []
    for business, fen in zip(EARNED, sums, strict=True):
        debit, credit = EARNING[business]
        one = Transfer(
            id=transfer_id(day, slab.first, business),
            debit_account_id=int(debit),
            credit_account_id=int(credit),
            amount=fen,
            ledger=chart.CURRENCIES["CNY"],
            code=int(business),
            flags=int(TransferFlag.LINKED),
            user_data_32=day.year * 10_000 + day.month * 100 + day.day,
        )
        made += [one] if fen else []
    return [*made[:-1], *(replace(one, flags=0) for one in made[-1:])]


def transfer_id(day: date, first: int, business: chart.Business) -> int:
    """Return the id of what is posted for the loans from a number on: the same again, whenever it is posted."""
    return int.from_bytes(hashlib.sha256(f"day-end/{day}/{first}/{business.name}".encode()).digest()[:16], "big")


def to_charge_off(books: Books, day: date) -> list[str]:
    """Return the loans of the committed books whose product has them charged off; one to which something happened since waits for the next day."""
    columns, ordinal = subledger.columns(books), day.toordinal()
    limits = np.array([product.charge_off_days for product in columns.products] or [0])
    limit = limits[columns.column("product", 1, columns.count)]
    late = ordinal - columns.column("owed_from", 1, columns.count)
    known = (columns.column("kind", 1, columns.count) != DONE) & (columns.column("last_on", 1, columns.count) <= ordinal)
    return [columns.ids[int(place) + 1] for place in np.flatnonzero(known & (limit > 0) & (late >= limit))]


def charge_off(books: Books, day: date, loan_id: str, today: date, now_ns: int) -> DayEnd:
    """Charge a loan off at the end of the day, if its product still wants it. Raises Problem; the books are then a draft to be dropped."""
    known, loan = _standing(books, day, Stage.CHARGE_OFF), books.loans.get(loan_id)
    if loan is None or any(each.on > day for each in loan.happenings):
        return known
    stands, limit = standing.standing(loan, day), loan.terms.product.charge_off_days
    if not 0 < limit <= stands.days_past_due or stands.charged_off_on:
        return known
    reason = f"{stands.days_past_due} days past due"
    happening = Happening(number=lending.next_number(loan), kind=Kind.CHARGED_OFF, on=day, booked_on=today, reason=reason)
    life = lending.happen(books, loan, happening, now_ns)
    return _take(books, ChargedOff(day=day, written_off_fen=life.written_off), ())


def end(books: Books, day: date, now_ns: int) -> DayEnd:
    """Check the committed books and end the day with its report."""
    known = _standing(books, day, Stage.CHARGE_OFF)
    while not subledger.learn(books, MOST_LOANS):
        pass
    return _take(books, Ended(day=day, report=dayreport.of(known, books, now_ns)), ())


def _standing(books: Books, day: date, stage: Stage) -> DayEnd:
    known = books.dayends.get(day.toordinal())
    if known is None or known.stage is not stage:
        found = "never begun" if known is None else f"at {known.stage}"
        raise Problem(409, "not_this_step", f"the end of {day} is {found}, not at {stage}", remedy="look at GET /v1/day-ends/{day}; somebody else runs it too")
    return known


def _take(books: Books, step: Step, posted: Sequence[Transfer]) -> DayEnd:
    books.step = step
    return enter(books, step, posted)


def enter(books: Books, step: Step, transfers: Sequence[Transfer]) -> DayEnd:
    """Enter a step whose transfers are in the books. Replay enters here too. Raises ValueError when it contradicts them, or does not follow."""
    if isinstance(step, Accrued):
        amounts = {each.id: each.amount for each in transfers}
        daystep.check(step, [amounts.get(transfer_id(step.day, step.slab.first, business), 0) for business in EARNED])
        books.posted.add(step.slab)
    after = daystep.after(books.dayends.get(step.day.toordinal()), step)
    books.dayends.put(step.day.toordinal(), after)
    return after


def accrue_singly(books: Books, day: date, now_ns: int) -> None:
    """Post what every loan has earned through the day one by one: the definition of what the stretches do together."""
    for loan in list(books.loans.own.values()):
        posted = books.posted.get(loan.number) or NOTHING
        if loan.terms.disbursed_on <= day and posted.through <= day.toordinal() and all(each.on <= day for each in loan.happenings):
            posting.catch_up(books, loan, day, now_ns)
