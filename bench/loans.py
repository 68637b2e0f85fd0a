"""Loans in one process: how many schedules a second, exact to the fen, for loans that differ in amount, rate and day; how many standings."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from time import perf_counter

from bench import loanbook
from bench.report import Report
from reference_apps.ledger.loans import apr, schedule, standing
from reference_apps.ledger.loans.daycount import DayCount
from reference_apps.ledger.loans.happening import Happening, Kind
from reference_apps.ledger.loans.loan import Loan, Terms
from reference_apps.ledger.loans.product import Family, LoanProduct, Method
from reference_apps.ledger.loans.schedule import Credit

LOANS, PERIODS, GOAL, ROUNDS = 20_000, 12, 50_000, 3
RATES, DAYS, FIRST = 200, 28, date(2025, 1, 1)
PRODUCTS = {
    "annuity, 30/360": LoanProduct(),
    "annuity, progressive, act/365": LoanProduct(family=Family.PROGRESSIVE, day_count=DayCount.ACT_365F),
    "equal principal, act/360": LoanProduct(method=Method.EQUAL_PRINCIPAL, day_count=DayCount.ACT_360),
    "flat": LoanProduct(method=Method.FLAT),
}


def run(report: Report) -> None:
    """Time each product over loans of 200 rates; the goal is on the standard annuity, one core, the best of three rounds."""
    credits = _credits()
    for name, product in PRODUCTS.items():
        speed = max(_schedules_a_second(product, credits) for _ in range(ROUNDS))
        if product == LoanProduct():
            report.at_least(f"schedules of {PERIODS}: {name}", speed, GOAL, "schedules/s")
        else:
            report.note(f"schedules of {PERIODS}: {name}", speed, "schedules/s")
    report.note(f"schedules of {PERIODS}: annuity, 30/360, each loan its own rate", _schedules_a_second(LoanProduct(), _strangers()), "schedules/s")
    report.note(f"standing of a loan of {PERIODS}, three instalments paid", _standings_a_second(credits[:2_000]), "loans/s")
    report.note("cost of a loan (IRR, XIRR)", _costs_a_second(credits[:500]), "loans/s")
    loanbook.run(report)


def _credits() -> list[Credit]:
    """Return loans no two of which are alike: rates and days cycle, every amount is its own."""
    return [
        Credit(
            principal_fen=100_000 + 997 * number,
            annual_rate=Decimal(500 + 12 * (number % RATES)) / 10_000,
            periods=PERIODS,
            disbursed_on=FIRST + timedelta(days=number % DAYS),
        )
        for number in range(LOANS)
    ]


def _strangers() -> list[Credit]:
    """Return loans each of which has a rate of its own: nothing that was worked out for one serves another."""
    return [replace(credit, annual_rate=Decimal(50_000 + 7 * number) / 1_000_000) for number, credit in enumerate(_credits())]


def _schedules_a_second(product: LoanProduct, credits: Sequence[Credit]) -> float:
    began = perf_counter()
    closing = sum(sum(line.principal_fen for line in schedule.build(product, credit)[-1:]) > 0 for credit in credits)
    took = perf_counter() - began
    if closing != len(credits):
        raise AssertionError("a schedule closed with nothing to pay")
    return len(credits) / took


def _standings_a_second(credits: Sequence[Credit]) -> float:
    loans = [_paid_up(number, credit) for number, credit in enumerate(credits, 1)]
    began = perf_counter()
    for loan in loans:
        standing.standing(loan, loan.schedule[3].due_on)
    return len(loans) / (perf_counter() - began)


def _paid_up(number: int, credit: Credit) -> Loan:
    terms = Terms(
        reference="bench",
        customer="bench",
        currency="CNY",
        principal_fen=credit.principal_fen,
        annual_rate=credit.annual_rate,
        periods=credit.periods,
        disbursed_on=credit.disbursed_on,
    )
    loan = Loan(id=f"LN{number}", number=number, terms=terms, schedule=schedule.build(terms.product, credit))
    for line in loan.schedule[:3]:
        loan = loan.having(Happening(number=line.number, kind=Kind.PAID, on=line.due_on, booked_on=line.due_on, amount_fen=line.amount_fen))
    return loan


def _costs_a_second(credits: Sequence[Credit]) -> float:
    made = [(credit, schedule.build(LoanProduct(), credit)) for credit in credits]
    began = perf_counter()
    for credit, lines in made:
        apr.cost(credit.principal_fen, lines, credit.disbursed_on)
    return len(made) / (perf_counter() - began)
