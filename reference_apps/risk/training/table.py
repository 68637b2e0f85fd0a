"""A labelled table as columns: numbers as doubles with NaN for missing, words with None. What does not fit the mapping is refused by line and column."""

import csv
import difflib
import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from reference_apps.risk.measures.vectors import Vector
from reference_apps.risk.training.faults import BadTraining, Fault, refuse
from reference_apps.risk.training.mapping import Mapping as Meaning
from reference_apps.risk.training.mapping import VariableForm

LEAST_ROWS, LEAST_EACH = 200, 50
Column = npt.NDArray[Any]
Picked = npt.NDArray[np.bool_] | npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Columns by variable, and who was bad (1) or good (0). `digest` is of the bytes read; the texts of time, scene and segment are None where not mapped."""

    columns: Mapping[str, Column]
    bad: Vector
    digest: str
    dropped: int = 0
    unused: tuple[str, ...] = ()
    time: Column | None = None
    scene: Column | None = None
    segment: Column | None = None
    days_past_due: Column | None = None

    @property
    def size(self) -> int:
        return int(self.bad.size)

    @property
    def bads(self) -> int:
        return int(self.bad.sum())

    def part(self, picked: Picked) -> "Table":
        """Return the rows picked."""
        texts = {name: None if (column := getattr(self, name)) is None else column[picked] for name in ("time", "scene", "segment", "days_past_due")}
        columns = {name: column[picked] for name, column in self.columns.items()}
        return Table(columns=columns, bad=self.bad[picked], digest=self.digest, dropped=self.dropped, unused=self.unused, **texts)


@dataclass(slots=True)
class _Reading:
    """The faults found so far: one per column, so that one wrong column does not hide the others."""

    meaning: Meaning
    faults: list[Fault] = field(default_factory=list)

    def column(self, name: str, why: str, header: Sequence[str]) -> int:
        if name in header:
            return header.index(name)
        near = difflib.get_close_matches(name.lower(), [each.lower() for each in header], n=1)
        guess = next((each for each in header if near and each.lower() == near[0]), "")
        has = f"did you mean {guess}?" if guess else f"it has {', '.join(header[:40])}"
        self.faults.append(Fault(f"column {name}", f"the table has no such column, and {why} needs it", f"correct the mapping; {has}"))
        return 0

    def say(self, name: str, problem: str, remedy: str) -> None:
        self.faults.append(Fault(f"column {name}", problem, remedy))


def read(path: Path, meaning: Meaning) -> Table:
    """Read a file of delimited text. Raises BadTraining."""
    try:
        raw = path.read_bytes()
        text = raw.decode(meaning.file.encoding)
    except OSError as error:
        raise refuse(str(path), f"the table cannot be read: {error.strerror}", "give the path of a CSV file") from error
    except (UnicodeDecodeError, LookupError) as error:
        raise refuse(str(path), f"the table is not in {meaning.file.encoding}: {error}", "name its encoding in the mapping: file.encoding") from error
    return parse(StringIO(text, newline=""), meaning, hashlib.sha256(raw).hexdigest())


def parse(lines: Iterable[str], meaning: Meaning, digest: str) -> Table:
    """Make a table of lines of text. Raises BadTraining naming every column that does not fit."""
    rows = _rows(lines, meaning)
    header = list(meaning.file.header) or next(rows, (0, []))[1]
    if twice := sorted({name for name in header if header.count(name) > 1}):
        raise refuse(f"column {twice[0]}", "it stands twice in the header", "rename one of them, or give file.header in the mapping")
    whole = list(rows)
    _check_shape(whole, header)
    return _table(whole, header, meaning, digest)


def _rows(lines: Iterable[str], meaning: Meaning) -> Iterator[tuple[int, list[str]]]:
    reader = csv.reader(lines, delimiter=meaning.file.delimiter)
    return ((reader.line_num, row) for row in reader if row)


def _check_shape(rows: Sequence[tuple[int, list[str]]], header: Sequence[str]) -> None:
    if not rows:
        raise refuse("table", "it has no rows", "give a table with a header and labelled customers")
    for line, row in rows:
        if len(row) != len(header):
            raise refuse(f"line {line}", f"it has {len(row)} fields, the header {len(header)}", "correct the line, or file.delimiter in the mapping")


def _table(rows: Sequence[tuple[int, list[str]]], header: Sequence[str], meaning: Meaning, digest: str) -> Table:
    reading = _Reading(meaning)
    at = {each.name: reading.column(each.place, f"variable {each.name}", header) for each in meaning.variables if not each.sum_of}
    texts = {name: getattr(meaning, name) for name in ("scene", "segment", "days_past_due")} | {"time": meaning.time.column if meaning.time else None}
    places = {name: None if column is None else reading.column(column, name, header) for name, column in texts.items()}
    label = reading.column(meaning.label.column, "the label", header)
    for column in meaning.excluded:
        reading.column(column, "excluded", header)
    if reading.faults:
        raise BadTraining(reading.faults)
    kept, bad = _labels(reading, rows, label)
    columns = {each.name: _column(reading, each, kept, at[each.name]) for each in meaning.variables if not each.sum_of}
    if not reading.faults:
        columns |= {each.name: total(columns, each.sum_of) for each in meaning.variables if each.sum_of}
        _check_content(reading, columns, bad)
    if reading.faults:
        raise BadTraining(reading.faults)
    used = {*(header[place] for place in (*at.values(), label)), *(header[place] for place in places.values() if place is not None), *meaning.excluded}
    told = {name: None if place is None else np.array([row[place] for _, row in kept], dtype=object) for name, place in places.items()}
    unused = tuple(name for name in header if name not in used)
    return Table(columns=columns, bad=bad, digest=digest, dropped=len(rows) - len(kept), unused=unused, **told)


def total(columns: Mapping[str, Column], names: Sequence[str]) -> Column:
    """Return the sum of what is known of several columns; NaN where nothing is."""
    whole = np.array([columns[name] for name in names])
    known: Column = np.where(np.isnan(whole).all(axis=0), np.nan, np.nansum(whole, axis=0))
    return known


def _labels(reading: _Reading, rows: Sequence[tuple[int, list[str]]], place: int) -> tuple[list[tuple[int, list[str]]], Vector]:
    label = reading.meaning.label
    meant = dict.fromkeys(label.good, 0.0) | dict.fromkeys(label.bad, 1.0)
    kept, bad = [], []
    for line, row in rows:
        value = row[place].strip()
        if value in label.dropped:
            continue
        if value not in meant:
            said = f"line {line} says {value!r}, which is neither good ({', '.join(label.good)}) nor bad ({', '.join(label.bad)})"
            reading.say(label.column, said, "name it in label.good, label.bad or label.dropped")
            break
        kept.append((line, row))
        bad.append(meant[value])
    return kept, np.array(bad)


def _column(reading: _Reading, variable: VariableForm, rows: Sequence[tuple[int, list[str]]], place: int) -> Column:
    if variable.type == "text":
        return _words(reading, variable, rows, place)
    missing, column = frozenset(reading.meaning.missing), np.empty(len(rows))
    for number, (line, row) in enumerate(rows):
        text = row[place].strip()
        try:
            column[number] = np.nan if text in missing else float(text)
        except ValueError:
            reading.say(variable.place, f"line {line} has {text!r}, which is no number", "make the variable a text, or name the word in missing")
            break
        if np.isinf(column[number]) or (variable.type == "integer" and column[number] % 1 > 0):
            reading.say(variable.place, f"line {line} has {text}, which is no {variable.type}", "correct the value, or the variable's type")
            break
    return column


def _words(reading: _Reading, variable: VariableForm, rows: Sequence[tuple[int, list[str]]], place: int) -> Column:
    missing, known = frozenset(reading.meaning.missing), frozenset(variable.values)
    column = np.empty(len(rows), dtype=object)
    for number, (line, row) in enumerate(rows):
        text = row[place].strip()
        column[number] = None if text in missing else text
        if known and text not in known and text not in missing:
            reading.say(variable.place, f"line {line} has {text!r}, which is none of its values", f"add it to the values of {variable.name}, or to missing")
            break
    return column


def _check_content(reading: _Reading, columns: Mapping[str, Column], bad: Vector) -> None:
    goods, bads = int((bad == 0).sum()), int(bad.sum())
    if bad.size < LEAST_ROWS or min(goods, bads) < LEAST_EACH:
        remedy = f"training needs {LEAST_ROWS} rows with {LEAST_EACH} of each: collect more, or check label.good and label.bad"
        reading.say(reading.meaning.label.column, f"{bad.size} rows, {goods} good and {bads} bad", remedy)
    for each in reading.meaning.variables:
        known = _known(columns[each.name])
        if not len(known):
            reading.say(each.place, "it is empty in every row", "exclude it, or check the names in missing")
        elif len(set(known)) == 1 and len(known) == bad.size:
            reading.say(each.place, f"it is {known[0]} in every row and can tell nobody apart", "exclude it")


def _known(column: Column) -> list[Any]:
    values: list[Any] = column.tolist()
    return [value for value in values if value is not None and value == value]
