"""The end of a day for the whole book: equal to the definition loan by loan, whatever happened before, meanwhile, afterwards."""

from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from reference_apps.ledger.books import Books
from reference_apps.ledger.closing import dayend, subledger
from reference_apps.ledger.closing.daystep import AGES, Stage
from reference_apps.ledger.keeping import entry
from reference_apps.ledger.loans import lending, standing
from reference_apps.ledger.loans.chart import Control
from reference_apps.ledger.loans.happening import Happening, Kind
from tests.apps.ledger_lives import DAY, NOW, Plan, balance, lend, opened, plans, try_step

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
        self.written.append(entry.to_json(facts))
        entry.fold(self.replayed, entry.from_json(self.written[-1]))
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


@settings(max_examples=120, deadline=None)
@given(st.lists(plans, min_size=1, max_size=4), DAYS, st.integers(0, 3), st.booleans())
def test_the_whole_book_in_columns_is_the_definition_loan_by_loan(several: list[Plan], ends: list[int], lag: int, restarts: bool) -> None:
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
