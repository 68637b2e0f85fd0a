"""The end of a day for the whole book: equal to the definition loan by loan, whatever happened before, meanwhile, afterwards."""

import json
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ctl.kit.problem import Problem
from reference_apps.ledger.books import Books
from reference_apps.ledger.closing import accrual, dayend, daystep, subledger
from reference_apps.ledger.closing.daystep import AGES, Stage
from reference_apps.ledger.closing.loancolumns import DONE, OTHER, PLAIN
from reference_apps.ledger.keeping import body, entry
from reference_apps.ledger.loans import lending, standing
from reference_apps.ledger.loans.chart import Control
from reference_apps.ledger.loans.happening import Happening, Kind
from reference_apps.ledger.loans.posted import Posted
from reference_apps.ledger.loans.postedtable import PostedLayer, PostedTable, Slab
from reference_apps.ledger.loans.product import LoanProduct
from tests.apps.ledger_lives import DAY, NOW, Plan, Step, balance, lend, opened, plans, products, try_step

FAR = date(2030, 1, 1)


@dataclass
class Kept:
    """Books under test with what the journal would hold of them, replayed."""

    books: Books = field(default_factory=opened)
    replayed: Books = field(default_factory=opened)
    written: list[Any] = field(default_factory=list)

    def change(self, command: Any) -> Any:
        """Run a command as the desk does: on a draft, written down, kept."""
        draft = self.books.draft()
        result = command(draft)
        facts = entry.of_draft(draft, self.books)
        draft.keep()
        self.written.append(body.write([facts]))
        entry.fold(self.replayed, body.read(self.written[-1])[0])
        return result

    def end_day(self, day: date, most: int = 2, most_asked: int = 1) -> dayend.DayEnd:
        """End every day that waits, up to one, in small steps."""
        while True:
            known = self.change(lambda books: dayend.begin(books, day, FAR, NOW))
            while known.stage is Stage.ACCRUAL:
                now = known.day
                known = self.change(lambda books, now=now: dayend.accrue(books, now, NOW, most, most_asked))
            if known.stage is Stage.CHARGE_OFF:
                for loan_id in dayend.to_charge_off(self.books, known.day):
                    self.change(lambda books, loan_id=loan_id, now=known.day: dayend.charge_off(books, now, loan_id, FAR, NOW))
                known = self.change(lambda books, now=known.day: dayend.end(books, now, NOW))
            if known.day >= day:
                return known

    def same_as_replayed(self) -> None:
        for name in ("accounts", "transfers", "loans", "posted", "dayends"):
            assert getattr(self.books, name).own == getattr(self.replayed, name).own, name


def defined_end(books: Books, day: date) -> None:
    """End a day by the definition: loan by loan."""
    dayend.accrue_singly(books, day, NOW)
    for loan in list(books.loans.own.values()):
        stands, limit = standing.standing(loan, day), loan.terms.product.charge_off_days
        if 0 < limit <= stands.days_past_due and not stands.charged_off_on and all(each.on <= day for each in loan.happenings):
            reason = f"{stands.days_past_due} days past due"
            lending.happen(books, loan, Happening(number=lending.next_number(loan), kind=Kind.CHARGED_OFF, on=day, booked_on=FAR, reason=reason), NOW)


def ages(books: Books, day: date) -> list[tuple[int, int, int]]:
    """Return the ageing table by the definition, before anything is charged off."""
    rows = {age: [0, 0, 0] for age in AGES}
    for loan in books.loans.own.values():
        stands = standing.standing(loan, day)
        if loan.terms.disbursed_on <= day and stands.status is not standing.Status.CLOSED:
            row = rows["charged_off" if stands.charged_off_on else stands.bucket]
            for place, fen in enumerate((1, stands.principal_fen, 0 if stands.charged_off_on else stands.overdue_fen)):
                row[place] += fen
    return [(row[0], row[1], row[2]) for row in rows.values()]


def agrees(books: Books) -> None:
    """Whether every control account is what the loans say, now."""
    while not subledger.learn(books, 3):
        pass
    assert [(check.control, check.difference_fen) for check in subledger.checks(books)] == [(check.control, 0) for check in subledger.checks(books)]


def balances(books: Books) -> dict[Control, int]:
    return {control: balance(books, control) for control in Control}


DAYS = st.tuples(st.integers(1, 300), st.lists(st.integers(0, 9), max_size=3)).map(lambda drawn: sorted({drawn[0], *(drawn[0] + more for more in drawn[1])}))
"""Days after DAY whose end is asked for; those between them are caught up."""


BOOKS = (st.lists(plans, min_size=1, max_size=4), DAYS, st.integers(0, 3), st.booleans())


@settings(max_examples=100, deadline=None)
@given(*BOOKS)
def test_the_whole_book_in_columns_is_the_definition_loan_by_loan(several: list[Plan], ends: list[int], lag: int, restarts: bool) -> None:
    _same_both_ways(several, ends, lag, restarts)


@pytest.mark.nightly
@pytest.mark.timeout(7200)
@settings(max_examples=10_000, deadline=None)
@given(*BOOKS)
def test_very_many_books_in_columns_are_the_definition_loan_by_loan(several: list[Plan], ends: list[int], lag: int, restarts: bool) -> None:
    _same_both_ways(several, ends, lag, restarts)


def _same_both_ways(several: list[Plan], ends: list[int], lag: int, restarts: bool) -> None:
    """Happenings are entered on their days; the end of a day runs `lag` days late, when some of what came after it is there already."""
    kept, defined = Kept(), opened()
    ids = [kept.change(lambda books, place=place, plan=plan: lend(books, place, plan)) for place, plan in enumerate(several)]
    for place, plan in enumerate(several):
        lend(defined, place, plan)
    events = [(plan.starts + step.days, 0, place, step) for place, plan in enumerate(several) for step in plan.steps if ids[place]]
    events += [(end + lag, 1, end, None) for end in ends]
    for _, _, place, step in sorted(events, key=lambda event: event[:3]):
        if step is not None:
            taken = kept.change(lambda books, place=place, step=step: try_step(books, ids[place], step))
            assert taken == try_step(defined, ids[place], step)
            continue
        day = DAY + timedelta(days=place)
        for missed in range(dayend.newest(kept.books).day.toordinal() + 1 if dayend.newest(kept.books) else day.toordinal(), day.toordinal() + 1):
            was = ages(kept.books, date.fromordinal(missed))
            if restarts:
                kept.books.columns = None
            known = kept.end_day(date.fromordinal(missed))
            assert list(known.tally.ages) == was
            assert known.report is not None
            assert known.report["checks"]["ok"], known.report["checks"]
            defined_end(defined, date.fromordinal(missed))
        assert balances(kept.books) == balances(defined)
        assert kept.books.posted.own == defined.posted.own
        assert kept.books.loans.own == defined.loans.own
        agrees(kept.books)
    kept.same_as_replayed()


PAID = st.builds(
    lambda days, fen: Step(Kind.PAID, days, {"amount_fen": fen}), st.integers(0, 250), st.one_of(st.integers(1, 400_000), st.integers(150_000, 800_000))
)
PAYERS = st.builds(
    Plan, products(), st.integers(3_000, 2_000_000), st.decimals(0, "0.36", places=2), st.integers(3, 8), st.integers(0, 3), st.lists(PAID, max_size=4)
)


@settings(max_examples=200, deadline=None)
@given(PAYERS, st.lists(st.integers(0, 300), min_size=1, max_size=4))
def test_what_the_columns_say_of_a_payer_is_what_the_definition_says(plan: Plan, days: list[int]) -> None:
    _columns_know(plan, days)


@pytest.mark.nightly
@pytest.mark.timeout(7200)
@settings(max_examples=30_000, deadline=None)
@given(PAYERS, st.lists(st.integers(0, 300), min_size=1, max_size=4))
def test_what_the_columns_say_of_very_many_payers(plan: Plan, days: list[int]) -> None:
    _columns_know(plan, days)


def _columns_know(plan: Plan, days: list[int]) -> None:
    books = opened()
    loan_id = lend(books, 0, plan)
    for step in plan.steps if loan_id else ():
        try_step(books, loan_id, step)
    for loan in books.loans.own.values():
        assert subledger.learn(books, 10)
        columns = subledger.columns(books)
        kind, last_on, owed_from = (int(columns.column(name, 1, 1)[0]) for name in ("kind", "last_on", "owed_from"))
        first = max(last_on, loan.terms.disbursed_on.toordinal())
        for ordinal in {first, owed_from if owed_from < first + 400 else first, *(first + days for days in days)}:
            stands = standing.standing(loan, date.fromordinal(max(ordinal, first)))
            asked = accrual.asked(columns, 1, 1, stands.on.toordinal())
            assert bool(asked[0]) is (kind == OTHER)
            found = accrual.plain(columns, books.loans.own, 1, asked, stands.on.toordinal())
            if kind == PLAIN:
                earned = stands.earned
                assert found.earned[:, 0].tolist() == [earned.interest_fen, earned.fee_fen, earned.penalty_fen]
                assert AGES[found.age[0]] == stands.bucket
                assert (found.principal[0], found.overdue[0]) == (stands.principal_fen, stands.overdue_fen)
            elif kind == DONE:
                assert stands.owed_fen == 0
                assert replace(stands.earned, through=0) == replace(standing.standing(loan, date.fromordinal(first)).earned, through=0)
            paid = [int(columns.column(name, 1, 1)[0]) for name in ("interest_paid", "fee_paid", "penalty_paid", "overpaid")]
            assert paid == [stands.paid.interest, stands.paid.fee, stands.paid.penalty, stands.overpaid_fen]


def test_large_loans_and_great_numbers_are_left_to_the_definition() -> None:
    books = opened()
    lend(books, 0, Plan(LoanProduct(), 10**13, Decimal("0.36"), 12, 0, []))
    assert subledger.learn(books, 10)
    assert subledger.columns(books).column("kind", 1, 1).tolist() == [OTHER]
    day = DAY + timedelta(days=200)
    dayend.begin(books, day, day, NOW)
    dayend.accrue(books, day, NOW)
    (loan,) = books.loans.own.values()
    assert books.posted.get(1) == standing.standing(loan, day).earned


def test_amounts_of_a_stretch_are_written_and_read_back_and_must_add_up() -> None:
    more = np.array([[1, 0, 2**40, 255, 256], [0, 0, 0, 0, 0], [0, 7, 0, 0, 0]])
    tally = daystep.Tally(interest_fen=2**40 + 512, penalty_fen=7, posted=5)
    step = daystep.Accrued(day=DAY, slab=Slab(3, DAY.toordinal(), more), tally=tally)
    again = daystep.from_row(json.loads(json.dumps(daystep.to_row(step))))
    assert isinstance(again, daystep.Accrued)
    assert (again.slab.first, again.slab.more.tolist(), again.tally) == (3, more.tolist(), tally)
    daystep.check(again, [2**40 + 512, 0, 7])
    for sums in ([2**40 + 511, 0, 7], [2**40 + 512, 0, 0]):
        with pytest.raises(ValueError, match="loans 3 to 7 earned"):
            daystep.check(again, sums)
    with pytest.raises(ValueError, match="5 amounts are packed where 4 loans"):
        daystep.unpacked(daystep.packed(more[0]), 4)


def test_a_step_that_does_not_follow_is_refused() -> None:
    begun = daystep.Begun(day=DAY, at_ns=NOW, upto=4)
    known = daystep.after(None, begun)
    for step, state, said in (
        (begun, known, "begins twice"),
        (daystep.Ended(day=DAY, report={}), None, "has not begun"),
        (daystep.Accrued(day=DAY, slab=Slab(2, 1, np.zeros((3, 1), np.int64)), tally=daystep.Tally()), known, "goes on at loan 2, but 1 is next"),
        (daystep.ChargedOff(day=DAY, written_off_fen=1), daystep.after(known, daystep.Ended(day=DAY, report={})), "is done"),
    ):
        with pytest.raises(ValueError, match=said):
            daystep.after(state, step)
    books = opened()
    with pytest.raises(Problem, match="never begun"):
        dayend.accrue(books, DAY, NOW)


AMOUNTS = st.tuples(st.integers(1, 6), st.integers(0, 50), st.integers(0, 50), st.integers(0, 50))
CHANGES = st.lists(
    st.one_of(st.tuples(st.just("put"), AMOUNTS), st.tuples(st.just("add"), st.lists(AMOUNTS, min_size=1, max_size=3)), st.just(("draft", None))), max_size=12
)


@settings(max_examples=200, deadline=None)
@given(CHANGES)
def test_posted_columns_read_like_a_mapping_through_every_draft(changes: list[Any]) -> None:
    table, model = PostedTable(), dict[int, Posted]()
    layers: list[Any] = [table]
    for kind, drawn in changes:
        if kind == "draft":
            layers.append(PostedLayer(layers[-1]))
        elif kind == "put":
            number, *fen = drawn
            layers[-1].put(number, Posted(interest_fen=fen[0], fee_fen=fen[1], penalty_fen=fen[2], through=5))
            model[number] = Posted(interest_fen=fen[0], fee_fen=fen[1], penalty_fen=fen[2], through=5)
        else:
            first, more = drawn[0][0], np.array([each[1:] for each in drawn], np.int64).T
            layers[-1].add(Slab(first, 9, more))
            for number, row in enumerate(more.T.tolist(), first):
                if any(row):
                    was = model.get(number, Posted())
                    model[number] = Posted(
                        interest_fen=was.interest_fen + row[0], fee_fen=was.fee_fen + row[1], penalty_fen=was.penalty_fen + row[2], through=9
                    )
    for layer in [layers[-1], *reversed(layers[1:])]:
        assert {number: found for number in range(1, 10) if (found := layers[-1].get(number))} == model
        fen, through = layers[-1].stretch(1, 9)
        assert {number: tuple(fen[:, number - 1].tolist()) for number in model} == {
            number: (each.interest_fen, each.fee_fen, each.penalty_fen) for number, each in model.items()
        }
        assert {number: int(through[number - 1]) for number in model} == {number: each.through for number, each in model.items()}
        if layer is layers[-1] and len(layers) > 1:
            layers.pop().sink()
    assert table.totals() == tuple(sum(getattr(each, name) for each in model.values()) for name in ("interest_fen", "fee_fen", "penalty_fen"))


def test_a_loan_is_charged_off_on_the_very_day_its_product_says() -> None:
    kept, product = Kept(), LoanProduct(charge_off_days=45)
    kept.change(lambda books: lend(books, 0, Plan(product, 1_000_000, Decimal("0.12"), 6, 0, [])))
    (loan,) = kept.books.loans.own.values()
    limit = loan.schedule[0].due_on + timedelta(days=45)
    assert kept.end_day(limit - timedelta(days=1)).charged_off == 0
    assert kept.end_day(limit).charged_off == 1
    assert kept.end_day(limit + timedelta(days=1)).charged_off == 0
    kept.same_as_replayed()


def test_a_stretch_sees_what_came_just_before_it_and_is_not_committed_yet() -> None:
    books = opened()
    loan_id = lend(books, 0, Plan(LoanProduct(), 1_000_000, Decimal("0.12"), 6, 0, []))
    day = DAY + timedelta(days=40)
    dayend.begin(books, day, day, NOW)
    assert subledger.learn(books, 10)
    batch = books.draft()
    assert try_step(batch, loan_id, Step(Kind.PAID, 30, {"amount_fen": 172_548}))
    own = batch.draft()
    known = dayend.accrue(own, day, NOW)
    assert known.tally.ages[0] == (1, 837_452, 0), "the payment is counted: nothing is overdue"
    own.keep()
    batch.keep()
    assert ages(books, day) == list(known.tally.ages)
    agrees(books)
