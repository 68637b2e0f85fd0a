"""A book of a million loans, and how long the end of its day takes: each step durable in a real journal, other requests going between.

The loans are put into the books as a replay would put them, outside the time measured; what they owe and what was paid is in the control accounts.
"""

import asyncio
import resource
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from time import perf_counter

import numpy as np

from bench.report import Report, percentile
from reference_apps.ledger.algebra import core
from reference_apps.ledger.algebra.model import Account, Transfer
from reference_apps.ledger.books import Books
from reference_apps.ledger.closing.dayrun import DayRun
from reference_apps.ledger.closing.loancolumns import OTHER, LoanColumns
from reference_apps.ledger.keeping.desk import Answer, Desk
from reference_apps.ledger.loans import schedule, standing
from reference_apps.ledger.loans.chart import Business, Control
from reference_apps.ledger.loans.happening import Happening, Kind
from reference_apps.ledger.loans.loan import Loan, Terms
from reference_apps.ledger.loans.postedtable import Slab
from reference_apps.ledger.loans.product import LoanProduct

LOANS, PERIODS, GOAL_S = 1_000_000, 12, 60
EVE = date(2026, 11, 27)
PRODUCT = LoanProduct(penalty_daily_rate=Decimal("0.0005"), late_fee_fen=2_000, penalty_grace_days=3, charge_off_days=180)
RATES = [Decimal(500 + 12 * step) / 10_000 for step in range(200)]
PAUSE_S = 0.02


def run(report: Report, loans: int = LOANS) -> None:
    """Time two ends of a day: the first after a start, when every loan is learnt, and the next one."""
    with tempfile.TemporaryDirectory(prefix="ledger-bench-") as folder:
        asyncio.run(_run(report, Path(folder) / "ledger.db", loans))


async def _run(report: Report, path: Path, count: int) -> None:
    desk = Desk(path, on_fenced=lambda: None)
    await desk.open()
    try:
        before = _megabytes()
        fill(desk.books, count)
        report.note(f"memory of {count:,} loans of {PERIODS}, {_happened(desk.books):,} payments", _megabytes() - before, "MB")
        for place, name in enumerate(("after a start", "the next day")):
            took, waits = await _ended(desk, EVE + timedelta(days=place))
            report.at_most(f"end of day for {count:,} loans, {name}", took, GOAL_S, "s")
            report.note(f"another posting meanwhile, p99, {name}", percentile(waits, 0.99) * 1000, "ms")
            report.note(f"another posting meanwhile, longest, {name}", max(waits, default=0.0) * 1000, "ms")
        report.note("memory of the whole process at its highest", _megabytes(), "MB")
        report.note("journal written by the two ends", path.stat().st_size / 2**20, "MB")
    finally:
        await desk.close()


async def _ended(desk: Desk, day: date) -> tuple[float, list[float]]:
    day_run, waits, began = DayRun(desk, lambda: day), list[float](), perf_counter()
    await day_run.start(day)
    others = asyncio.create_task(_post(desk, waits, day.toordinal() * 10**9))
    await day_run.finished()
    took = perf_counter() - began
    others.cancel()
    known = desk.books.dayends.get(day.toordinal())
    if known is None or known.report is None or not known.report["checks"]["ok"]:
        raise AssertionError(f"the end of {day} is not done, or the books disagree: {day_run.why or known}")
    return took, waits


async def _post(desk: Desk, waits: list[float], first_id: int) -> None:
    """Post something else every now and then, and note how long it takes."""
    while True:
        transfer = Transfer(id=first_id + len(waits), debit_account_id=8, credit_account_id=9, amount=1, ledger=156, code=1)
        began = perf_counter()
        await desk.submit(lambda books, now_ns, transfer=transfer: _posted(books, transfer, now_ns))  # type: ignore[misc]
        waits.append(perf_counter() - began)
        await asyncio.sleep(PAUSE_S)


def _posted(books: Books, transfer: Transfer, now_ns: int) -> Answer:
    core.create_transfers(books, [transfer], now_ns)
    return 200, {}


def fill(books: Books, count: int) -> None:
    """Put loans into empty books: most were never due or paid on time, 5 % are overdue, 1 % paid late at a price."""
    core.create_accounts(books, [Account(id=8, ledger=156, code=1), Account(id=9, ledger=156, code=1)], 1)
    for loan in _loans(count):
        books.loans.put(loan.id, loan)
    books.last_loan = count
    columns = LoanColumns()
    columns.learn(books.loans.own, count)
    earned = np.zeros((3, count), np.int64)
    earned[0] = columns.column("interest_paid", 1, count)
    for place in np.flatnonzero(columns.column("kind", 1, count) == OTHER):
        loan = books.loans.own[columns.ids[int(place) + 1]]
        stands = standing.standing(loan, loan.happenings[-1].on)
        earned[:, place] = stands.earned.interest_fen, stands.earned.fee_fen, stands.earned.penalty_fen
    books.posted.add(Slab(1, EVE.toordinal() - 1, earned))
    _book(books, columns, [int(fen) for fen in earned.sum(axis=1)], sum(loan.terms.principal_fen for loan in books.loans.own.values()))


def _loans(count: int) -> Iterator[Loan]:
    for number in range(1, count + 1):
        months = number % 3 if number % 20 and number % 100 != 1 else 2 + number % 3
        begins = EVE - timedelta(days=30 * months + number % 28)
        terms = Terms(
            reference=f"case-{number}",
            customer=f"customer-{number}",
            currency="CNY",
            principal_fen=100_000 + 997 * (number % 5_000),
            annual_rate=RATES[number % len(RATES)],
            periods=PERIODS,
            disbursed_on=begins,
            product=PRODUCT,
        )
        yield _paid(Loan(id=f"LN{number:016X}", number=number, terms=terms, schedule=schedule.build(PRODUCT, terms.credit())))


def _paid(loan: Loan) -> Loan:
    """Return the loan with what was paid until the eve: nothing of every 20th, late and with fees of every 100th, of all others on the due dates."""
    due = [line for line in loan.schedule if line.due_on <= EVE]
    if loan.number % 20 == 0 or not due:
        return loan
    late = timedelta(days=10) if loan.number % 100 == 1 else timedelta(0)
    more = 10_000 if late else 0
    days = [(line.due_on + late, line.amount_fen + more) for line in due if line.due_on + late <= EVE]
    paid = (Happening(number=place, kind=Kind.PAID, on=on, booked_on=on, amount_fen=fen) for place, (on, fen) in enumerate(days, 1))
    return replace(loan, happenings=tuple(paid))


def _book(books: Books, columns: LoanColumns, earned: list[int], lent: int) -> None:
    """Post what all loans together have moved."""
    paid = [columns.total(name) for name in ("interest_paid", "fee_paid", "penalty_paid")]
    receivable = (Control.INTEREST_RECEIVABLE, Control.FEE_RECEIVABLE, Control.PENALTY_RECEIVABLE)
    income = (Control.INTEREST_INCOME, Control.FEE_INCOME, Control.PENALTY_INCOME)
    moves = [(Control.PRINCIPAL, Control.BANK, lent), (Control.BANK, Control.PRINCIPAL, lent - columns.total("principal"))]
    moves += [(owed, gained, fen) for owed, gained, fen in zip(receivable, income, earned, strict=True)]
    moves += [(Control.BANK, owed, fen) for owed, fen in zip(receivable, paid, strict=True)]
    moves += [(Control.BANK, Control.OVERPAYMENT, columns.total("overpaid"))]
    events = [
        Transfer(id=place, debit_account_id=int(debit), credit_account_id=int(credit), amount=fen, ledger=156, code=int(Business.REPAY))
        for place, (debit, credit, fen) in enumerate(moves, 1)
    ]
    results = core.create_transfers(books, events, 1_000)
    if any(result.status != "created" for result in results):
        raise AssertionError(f"the book could not be made: {results}")


def _happened(books: Books) -> int:
    return sum(len(loan.happenings) for loan in books.loans.own.values())


def _megabytes() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
