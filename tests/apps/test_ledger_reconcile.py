"""Three-way reconciliation: a strict file, matching by reference, loan, amount and day, and a report in which every movement stands once and all foots."""

import csv
import io
from collections import Counter
from dataclasses import replace
from datetime import date, timedelta
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ctl.kit.problem import Problem
from reference_apps.ledger.closing import bankfile, breaklist, plaincsv, reconcile, sentences
from reference_apps.ledger.closing.breaklist import Period
from reference_apps.ledger.closing.movement import Direction, Movement
from reference_apps.ledger.closing.reconcile import Item, Kind

DAY = date(2026, 11, 27)
LOAN, OTHER, STRANGE = "LN00000000000000AA", "LN00000000000000BB", "LN00000000000000FF"
KNOWN = {LOAN, OTHER}
HEADER = "date,reference,direction,amount,currency\n"


def bank(line: int, reference: str, fen: int, on: date = DAY, direction: Direction = Direction.IN) -> Movement:
    return Movement(place=f"line {line}", on=on, direction=direction, amount_fen=fen, currency="CNY", references=(reference,) if reference else ())


def ours(event: str, fen: int, on: date = DAY, loan: str = LOAN, direction: Direction = Direction.IN) -> Movement:
    return Movement(place=event, on=on, direction=direction, amount_fen=fen, currency="CNY", references=(f"pay-{event}",), loan=loan, event=event)


def kinds(items: tuple[Item, ...]) -> list[Kind]:
    return [item.kind for item in items]


def compare(lines: list[Movement], ledger: list[Movement], loans: list[Movement], days: int = 1) -> tuple[Item, ...]:
    return reconcile.compare(lines, ledger, loans, known=KNOWN, tolerance_days=days)


def both(*movements: Movement) -> tuple[list[Movement], list[Movement]]:
    return list(movements), list(movements)


def test_a_line_is_found_by_payment_reference_by_loan_and_at_last_by_amount_and_day() -> None:
    lines = [bank(2, "pay-a", 100), bank(3, LOAN, 200, DAY + timedelta(1)), bank(4, "", 300)]
    items = compare(lines, *both(ours("a", 100), ours("b", 200), ours("c", 300)))
    assert [(item.kind, item.by) for item in items] == [(Kind.MATCHED, "reference"), (Kind.MATCHED, "amount and day"), (Kind.MATCHED, "loan")]
    assert all(len(item.movements) == 3 for item in items)


def test_an_exact_reference_goes_before_the_loan_whose_other_payment_has_the_same_amount() -> None:
    items = compare([bank(2, LOAN, 100), bank(3, "pay-a", 100)], *both(ours("a", 100), ours("b", 100)))
    assert kinds(items) == [Kind.MATCHED] * 2
    assert {item.bank.place: item.ledger.event for item in items if item.bank and item.ledger} == {"line 2": "b", "line 3": "a"}


@pytest.mark.parametrize(
    "lines, ledger, loans, kind, what",
    [
        ([], [ours("a", 100)], [ours("a", 100)], Kind.MISSING_IN_BANK, "our books have 1.00 CNY in on 2026-11-27, the bank's file does not"),
        ([bank(2, "x", 100)], [], [], Kind.MISSING_IN_LEDGER, "the bank moved 1.00 CNY in on 2026-11-27, our books have nothing like it"),
        ([bank(2, "pay-a", 100)], [], [ours("a", 100)], Kind.MISSING_IN_LEDGER, "a says 1.00 CNY in on 2026-11-27, the bank account in the ledger has no"),
        ([bank(2, "pay-a", 100)], [ours("a", 100)], [], Kind.MISSING_IN_LOANS, f"its loan {LOAN} knows nothing of it"),
        ([bank(2, "pay-a", 101)], *both(ours("a", 100)), Kind.AMOUNT_DIFFERS, "the bank moved 1.01 CNY in, our books have 1.00 CNY in: 0.01 too much"),
        ([bank(2, "pay-a", 100)], [ours("a", 100)], [ours("a", 90)], Kind.AMOUNT_DIFFERS, "ledger and loans disagree on one event: bank 1.00 CNY in"),
        ([bank(2, "pay-a", 100, DAY - timedelta(3))], *both(ours("a", 100)), Kind.WRONG_DAY, "the bank's day is 2026-11-24, ours is 2026-11-27, 3 days later"),
        ([bank(2, STRANGE, 100)], [], [], Kind.UNKNOWN_LOAN, f"for {STRANGE}, which is no loan of ours"),
        ([bank(2, "pay-a", 100)], [ours("a", 100, loan="number 77")], [], Kind.UNKNOWN_LOAN, "for number 77, which is no loan of ours"),
        (
            [bank(2, "pay-a", 100, direction=Direction.OUT)],
            *both(ours("a", 100, direction=Direction.OUT, on=DAY - timedelta(5))),
            Kind.WRONG_DAY,
            "1.00 CNY out: the bank's day",
        ),
    ],
)
def test_each_kind_of_break_says_what_is_wrong_and_what_to_do(
    lines: list[Movement], ledger: list[Movement], loans: list[Movement], kind: Kind, what: str
) -> None:
    (item,) = compare(lines, ledger, loans)
    said = sentences.of(item)
    assert item.kind is kind
    assert what in said.what
    assert said.remedy
    assert not said.remedy.endswith(".")


def test_a_line_that_comes_twice_is_a_duplicate_of_the_first_and_not_without_it() -> None:
    items = compare([bank(2, "pay-a", 100), bank(3, "pay-a", 100)], *both(ours("a", 100)))
    assert [(item.kind, item.twin) for item in items] == [(Kind.DUPLICATE, "line 2"), (Kind.MATCHED, "")]
    assert kinds(compare([bank(2, "x", 1), bank(3, "x", 1)], [], [])) == [Kind.MISSING_IN_LEDGER] * 2, "nothing of ours stands behind the first"


def test_another_currency_or_direction_is_never_the_same_money() -> None:
    (item,) = compare([replace(bank(2, "pay-a", 100), currency="USD")], *both(ours("a", 100)))
    assert item.kind is Kind.AMOUNT_DIFFERS
    assert "another currency" in sentences.of(item).what
    assert kinds(compare([bank(2, "pay-a", 100, direction=Direction.OUT)], *both(ours("a", 100)))) == [Kind.MISSING_IN_BANK, Kind.MISSING_IN_LEDGER]


REFERENCES = st.sampled_from(["pay-a", "pay-b", "pay-c", LOAN, STRANGE, ""])
LINES = st.lists(
    st.builds(
        bank,
        st.integers(2, 99),
        REFERENCES,
        st.integers(1, 3),
        st.integers(0, 4).map(lambda days: DAY + timedelta(days)),
        st.sampled_from(Direction),
    ),
    max_size=8,
)
OURS = st.lists(
    st.builds(
        ours,
        st.sampled_from("abcd"),
        st.integers(1, 3),
        st.integers(0, 4).map(lambda days: DAY + timedelta(days)),
        st.sampled_from([LOAN, OTHER]),
        st.sampled_from(Direction),
    ),
    max_size=8,
)


@settings(max_examples=300, deadline=None)
@given(LINES, OURS, OURS, st.integers(0, 2))
def test_every_movement_stands_in_exactly_one_item_and_the_totals_foot(lines: list[Movement], ledger: list[Movement], loans: list[Movement], days: int) -> None:
    items = compare(lines, ledger, loans, days)
    for side, told in (("bank", lines), ("ledger", ledger), ("loans", loans)):
        assert Counter(getattr(item, side) for item in items if getattr(item, side)) == Counter(told)
    report = breaklist.to_json(items, Period(begin=DAY, end=DAY))
    assert report["footed"]
    assert report["matched"] + len(report["breaks"]) == len(items) == sum(report["counts"].values())
    for item in items:
        if item.kind is Kind.MATCHED:
            assert {(each.direction, each.amount_fen, each.currency) for each in item.movements} == {
                (item.movements[0].direction, item.movements[0].amount_fen, "CNY")
            }
            assert item.bank
            assert item.loans
            assert abs((item.bank.on - item.loans.on).days) <= days


def as_bank(movements: list[Movement]) -> list[Movement]:
    return [bank(line, each.references[0], each.amount_fen, each.on, each.direction) for line, each in enumerate(movements, 2)]


@settings(max_examples=200, deadline=None)
@given(OURS, st.randoms(use_true_random=False), st.integers(0, 2))
def test_equal_multisets_have_no_breaks_whatever_their_order(movements: list[Movement], random: Random, days: int) -> None:
    lines, loans = as_bank(movements), list(movements)
    random.shuffle(lines)
    assert set(kinds(compare(lines, movements, loans, days))) <= {Kind.MATCHED}


@settings(max_examples=300, deadline=None)
@given(LINES, OURS)
def test_no_breaks_mean_equal_multisets(lines: list[Movement], movements: list[Movement]) -> None:
    items = compare(lines, movements, list(movements), 0)

    def amounts(side: list[Movement]) -> Counter[tuple[object, ...]]:
        return Counter((each.on, each.direction, each.amount_fen, each.currency) for each in side)

    if set(kinds(items)) <= {Kind.MATCHED}:
        assert amounts(lines) == amounts(movements)
    if amounts(lines) != amounts(movements):
        assert set(kinds(items)) - {Kind.MATCHED}


def test_what_our_side_has_beside_the_period_only_serves_to_explain_the_banks_lines() -> None:
    eve = DAY - timedelta(1)
    items = compare([bank(2, "pay-a", 100)], *both(ours("a", 100, eve), ours("b", 50, eve), ours("c", 70)))
    report = breaklist.to_json(breaklist.within(items, Period(begin=DAY, end=DAY)), Period(begin=DAY, end=DAY))
    assert [(row["kind"], row["loans"]["place"]) for row in report["breaks"]] == [("missing_in_bank", "c")]
    assert report["matched"] == 1
    assert report["totals"] == [
        {
            "currency": "CNY",
            "bank": {"count": 1, "in_fen": 100, "out_fen": 0, "net_fen": 100},
            "ledger": {"count": 2, "in_fen": 170, "out_fen": 0, "net_fen": 170},
            "loans": {"count": 2, "in_fen": 170, "out_fen": 0, "net_fen": 170},
            "difference_fen": -70,
            "explained": {"missing_in_bank": -70},
            "unexplained_fen": 0,
        }
    ]


def test_the_report_reads_as_text_and_as_csv() -> None:
    items = compare([bank(2, "pay-a", 123_456), bank(3, "=cmd()", 100)], *both(ours("a", 123_456), ours("b", 50)))
    text = breaklist.text(breaklist.to_json(items, Period(begin=DAY, end=DAY)))
    assert text.splitlines()[0] == "Reconciliation 2026-11-27: 2 breaks, 1 matched"
    assert "ledger            2            1,235.06                0.00            1,235.06" in text
    assert (
        "  1. missing in bank  LN00000000000000AA pay-b\n     our books have 0.50 CNY in on 2026-11-27, the bank's file does not\n     at: ledger b, loans b"
        in text
    )
    rows = list(csv.DictReader(io.StringIO(breaklist.to_csv(items))))
    assert [row["kind"] for row in rows] == ["missing_in_bank", "missing_in_ledger", "matched"]
    assert rows[1]["reference"] == "'=cmd()", "a spreadsheet would run it"
    assert rows[2]["bank_net_fen"] == "123456"
    assert max(len(line) for line in text.splitlines()) <= 160


def test_a_file_in_yuan_or_fen_with_its_columns_in_any_order() -> None:
    (line,) = bankfile.read("\ufeff" + HEADER + "2026-11-27,pay-1,in,1234.50,CNY\n")
    assert (line.place, line.on, line.references, line.direction, line.amount_fen, line.currency) == ("line 2", DAY, ("pay-1",), Direction.IN, 123_450, "CNY")
    (same,) = bankfile.read('currency,amount_fen,direction,"reference",date\r\nCNY,123450,in,"pay-1",2026-11-27\r\n')
    assert same == line
    assert bankfile.read(HEADER) == (), "a day without movements"
    assert bankfile.read(HEADER + "2026-11-27,,out,0.01,CNY\n")[0].references == ()


@pytest.mark.parametrize(
    "text, said",
    [
        ("", "line 1: header is missing"),
        ("date,reference,direction,currency\n", "line 1: header needs one of the columns amount (yuan) and amount_fen, found none"),
        ("date,reference,direction,currency,amount,amount_fen\n", "found amount and amount_fen"),
        ("date,direction,currency,amount,note\n", "line 1: header has no column reference; line 1: header has the unknown column 'note'"),
        ("date,date,reference,direction,currency,amount\n", "has a column twice"),
        (HEADER + "2026-11-27,a,in,1.00\n", "line 2: line has 4 fields, the header has 5"),
        (HEADER + "\n2026-11-27,a,in,1.00,CNY\n", "line 2: line is empty"),
        (HEADER + "2026-11-31,a,in,1.00,CNY\n", "line 2: date '2026-11-31' is no day of the calendar"),
        (HEADER + "20261127,a,in,1.00,CNY\n", "line 2: date '20261127' is no date"),
        (HEADER + "2026-11-27,a,credit,1.00,CNY\n", "line 2: direction 'credit' is neither in nor out"),
        (HEADER + "2026-11-27,a,in,-1.00,CNY\n", "line 2: amount '-1.00' is no amount in yuan"),
        (HEADER + "2026-11-27,a,in,1.5,CNY\n", "line 2: amount '1.5' is no amount"),
        (HEADER + '2026-11-27,a,in,"1,000.00",CNY\n', "line 2: amount '1,000.00' is no amount"),
        (HEADER + "2026-11-27,a,in,0.00,CNY\n", "line 2: amount '0.00' moves nothing"),
        (HEADER + "2026-11-27,a,in,１.00,CNY\n", "line 2: amount '１.00' is no amount"),
        (HEADER + "2026-11-27,a,in,1.00,yuan\n", "line 2: currency 'yuan' is no currency"),
        (HEADER + "2026-11-27,a\x07,in,1.00,CNY\n", "line 2: reference 'a\\x07' has more than 200 characters, or some that cannot be printed"),
        (HEADER + '2026-11-27,"a,in,1.00,CNY\n', "is no CSV"),
        (HEADER + "x,a,in,1.00,CNY\n2026-11-27,a,no,1.00,CNY\n", "line 2: date 'x' is no date; write 2026-11-27; line 3: direction"),
    ],
)
def test_a_file_that_is_not_strictly_right_is_refused_with_its_lines(text: str, said: str) -> None:
    with pytest.raises(Problem) as refused:
        bankfile.read(text)
    assert refused.value.status == 422
    assert said in refused.value.detail
    assert refused.value.errors


def test_of_many_mistakes_the_first_twenty_are_named() -> None:
    with pytest.raises(Problem, match="and 10 more"):
        bankfile.read(HEADER + "x,a,in,1.00,CNY\n" * 30)


@pytest.mark.parametrize(
    "cell, written", [("=1+1", "'=1+1"), ("+86", "'+86"), ("-5", "'-5"), ("@x", "'@x"), (" =1", "' =1"), ("ok", "ok"), (-5, "-5"), (None, "")]
)
def test_no_cell_of_ours_is_run_by_a_spreadsheet(cell: str | int | None, written: str) -> None:
    assert next(iter(list(csv.reader(io.StringIO(plaincsv.write(["a"], [[cell, "x"]]))))[1:]))[0] == written
