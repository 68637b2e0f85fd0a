"""The bank's file of a day, read strictly: one header, one movement a line, and every mistake named with its line before anything is compared. Pure.

Columns, in any order: date (2026-11-27), reference (may be empty), direction (in or out, seen from our account), currency, and either amount (yuan
with two decimals) or amount_fen (whole fen).
"""

import csv
import io
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import Any

from ctl.kit.problem import Problem
from reference_apps.ledger.closing.movement import Direction, Movement

COMMON = ("date", "reference", "direction", "currency")
AMOUNTS = ("amount", "amount_fen")
MOST_ERRORS = 20
MOST_FEN = 10**15
LONGEST_REFERENCE = 200


class Unreadable(ValueError):
    """One field is not what it must be; the text says what was found."""


def read(text: str) -> tuple[Movement, ...]:
    """Return the movements in the file's order. Raises Problem (422) naming line, field, what was found and what is expected."""
    rows = csv.reader(io.StringIO(text.removeprefix("\ufeff"), newline=""), strict=True)
    movements: list[Movement] = []
    errors: list[Mapping[str, str]] = []
    header: Sequence[str] | None = None
    try:
        for row in rows:
            if header is None:
                header = _header(row)
            elif not row:
                errors.append(_error(rows.line_num, "line", "is empty; take it out"))
            else:
                _take(rows.line_num, header, row, movements, errors)
    except csv.Error as error:
        errors.append(_error(rows.line_num, "line", f"is no CSV: {error}"))
    if header is None:
        raise _refused([_error(1, "header", f"is missing; the columns are {', '.join(COMMON)} and amount or amount_fen")])
    if errors:
        raise _refused(errors)
    return tuple(movements)


def _header(row: Sequence[str]) -> Sequence[str]:
    names = [name.strip().lower() for name in row]
    missing = [name for name in COMMON if name not in names]
    amounts = [name for name in names if name in AMOUNTS]
    unknown = [name for name in names if name not in (*COMMON, *AMOUNTS)]
    said = [f"has no column {name}" for name in missing]
    said += [f"has the unknown column {name!r}" for name in unknown]
    if len(amounts) != 1:
        said.append(f"needs one of the columns amount (yuan) and amount_fen, found {' and '.join(amounts) or 'none'}")
    if len(set(names)) != len(names):
        said.append("has a column twice")
    if said:
        raise _refused([_error(1, "header", each) for each in said])
    return names


def _take(line: int, header: Sequence[str], row: Sequence[str], movements: list[Movement], errors: list[Mapping[str, str]]) -> None:
    if len(row) != len(header):
        errors.append(_error(line, "line", f"has {len(row)} fields, the header has {len(header)}"))
        return
    read: dict[str, Any] = {}
    before = len(errors)
    for name, found in zip(header, row, strict=True):
        try:
            read[name] = READERS[name](found)
        except Unreadable as error:
            errors.append(_error(line, name, str(error)))
    if len(errors) == before:
        movements.append(_movement(line, read))


def _movement(line: int, read: Mapping[str, Any]) -> Movement:
    on, reference, direction, currency = (read[name] for name in COMMON)
    amount = read["amount"] if "amount" in read else read["amount_fen"]
    references = (reference,) if reference else ()
    return Movement(place=f"line {line}", on=on, direction=direction, amount_fen=amount, currency=currency, references=references)


def _date(text: str) -> date:
    if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", text, re.ASCII):
        raise Unreadable(f"{_shown(text)} is no date; write 2026-11-27")
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise Unreadable(f"{_shown(text)} is no day of the calendar") from error


def _reference(text: str) -> str:
    if len(text) > LONGEST_REFERENCE or not text.isprintable():
        raise Unreadable(f"{_shown(text)} has more than {LONGEST_REFERENCE} characters, or some that cannot be printed")
    return text.strip()


def _direction(text: str) -> Direction:
    try:
        return Direction(text)
    except ValueError as error:
        raise Unreadable(f"{_shown(text)} is neither in nor out") from error


def _currency(text: str) -> str:
    if not re.fullmatch("[A-Z]{3}", text):
        raise Unreadable(f"{_shown(text)} is no currency; write its three letters, CNY")
    return text


def _yuan(text: str) -> int:
    if not re.fullmatch(r"(0|[1-9]\d{0,12})\.\d{2}", text, re.ASCII):
        raise Unreadable(f"{_shown(text)} is no amount in yuan; write 1234.50, with two decimals and neither sign nor separators")
    return _positive(int(text.replace(".", "")), text)


def _fen(text: str) -> int:
    if not re.fullmatch(r"0|[1-9]\d{0,14}", text, re.ASCII):
        raise Unreadable(f"{_shown(text)} is no whole number of fen; write 123450, without a sign")
    return _positive(int(text), text)


def _positive(fen: int, text: str) -> int:
    if not 0 < fen <= MOST_FEN:
        raise Unreadable(f"{_shown(text)} moves nothing, or more than {MOST_FEN} fen")
    return fen


def _shown(text: str) -> str:
    return repr(text if len(text) <= 40 else text[:40] + "…")


READERS: Mapping[str, Callable[[str], Any]] = {
    "date": _date,
    "reference": _reference,
    "direction": _direction,
    "currency": _currency,
    "amount": _yuan,
    "amount_fen": _fen,
}


def _error(line: int, field: str, problem: str) -> Mapping[str, str]:
    return {"field": f"line {line}: {field}", "problem": problem}


def _refused(errors: Sequence[Mapping[str, str]]) -> Problem:
    shown = errors[:MOST_ERRORS]
    more = f"; and {len(errors) - len(shown)} more" if len(errors) > len(shown) else ""
    detail = "; ".join(f"{each['field']} {each['problem']}" for each in shown) + more
    return Problem(422, "bad_bank_file", detail, remedy="correct the lines named and send the file again; nothing was compared", errors=shown)
