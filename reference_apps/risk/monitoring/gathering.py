"""From the folder of a running risk: the newest decisions of its log, the training of the packages that made them, and what became of the loans."""

import csv
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ctl.kit.problem import Problem
from reference_apps.risk.keeping.log import FILE, Entry, LogReader, Shadow
from reference_apps.risk.measures.drift import Frozen
from reference_apps.risk.monitoring import judging
from reference_apps.risk.monitoring.model import Case, Known, Reference, Report
from reference_apps.risk.packages.faults import BadPackage
from reference_apps.risk.packages.model import Package
from reference_apps.risk.packages.shelf import Shelf

OUTCOMES = "outcomes.csv"
REFERENCE = "docs/reference.json"
COLUMNS = ("application_id", "month", "days_past_due")


def gather(data: Path, last: int, outcomes: Path | None = None) -> Report:
    """Return the report over the newest `last` decisions. Raises DatabaseFailed without a log, Problem for outcomes that cannot be read."""
    cases = list(_cases(LogReader(data / FILE), last))
    shelf = Shelf(data)
    references = {named: _reference(shelf, named) for named in sorted({case.package for case in cases})}
    path = outcomes or data / OUTCOMES
    return judging.report(cases, references, read_outcomes(path) if outcomes or path.exists() else {})


def _cases(log: LogReader, last: int) -> Iterator[Case]:
    """Yield decisions and what challengers said of them, both on the same frozen facts."""
    decided: dict[str, tuple[str, dict[str, Any]]] = {}
    since = 2**62
    for entry in log.entries(last=last):
        facts = entry.facts
        decided[entry.decision_id] = entry.application_id, facts
        since = min(since, entry.at_ms)
        yield _case(entry, "champion", entry.application_id, facts)
    for shadow in log.shadows(since_ms=since) if decided else ():
        if shadow.decision_id in decided:
            yield _case(shadow, "challenger", *decided[shadow.decision_id])


def _case(said: Entry | Shadow, role: str, application: str, facts: dict[str, Any]) -> Case:
    same = {name: getattr(said, name) for name in ("package", "scene", "outcome", "score", "probability")}
    return Case(application_id=application, role=role, segment=said.segment or "none", facts=facts, **same)


def _reference(shelf: Shelf, named: str) -> Reference | None:
    """Return a kept package's training; None where it has none, or is not there."""
    try:
        return reference(shelf.find(named))
    except (BadPackage, OSError):
        return None


def reference(package: Package) -> Reference | None:
    """Return a package's training; None: it was not trained here, or its record cannot be read."""
    if REFERENCE not in package.files:
        return None
    try:
        record = json.loads(package.files[REFERENCE])
        groups = {(row["scene"], row["segment"]): row for row in record["groups"]}
        return Reference(
            scaling=next(iter(package.scorecards.values())).scaling,
            scores={place: Frozen.of(row["score"]) for place, row in groups.items()},
            probabilities={place: Frozen.of(row["probability"]) for place, row in groups.items()},
            variables={place: {name: Frozen.of(each) for name, each in row["variables"].items()} for place, row in groups.items()},
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def read_outcomes(path: Path) -> dict[str, Known]:
    """Read what became of loans, the last line of an application counts. Raises Problem naming line and remedy."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            if lacking := sorted(set(COLUMNS) - set(reader.fieldnames or ())):
                raise _wrong(path, f"has no column {lacking[0]}", f"its header is {','.join(COLUMNS)}")
            return {row["application_id"]: _known(path, reader.line_num, row) for row in reader}
    except (OSError, UnicodeDecodeError) as error:
        raise _wrong(path, f"cannot be read: {error}", "give a CSV file in UTF-8") from error


def _known(path: Path, line: int, row: dict[str, Any]) -> Known:
    month, days = str(row["month"]), str(row["days_past_due"])
    try:
        datetime.strptime(month, "%Y-%m").replace(tzinfo=UTC)
    except ValueError as error:
        raise _wrong(path, f"line {line}: month is {month!r}", "write it like 2027-03") from error
    if not days.isdecimal():
        raise _wrong(path, f"line {line}: days_past_due is {days!r}", "write whole days, 0 for on time")
    return Known(month, int(days))


def _wrong(path: Path, problem: str, remedy: str) -> Problem:
    return Problem(422, "bad_outcomes", f"{path} {problem}", remedy=remedy)
