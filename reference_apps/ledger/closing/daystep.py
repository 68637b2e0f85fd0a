"""The end of a business day as it is kept with the books: how far it has come, what it has found, and each step that brought it there. Values; pure."""

import base64
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import date
from enum import StrEnum
from typing import Any

import numpy as np

from reference_apps.ledger.loans.postedtable import Fen, Slab

AGES = ("current", "1-30", "31-60", "61-90", "90+", "charged_off")
COUNTED = ("loans", "principal_fen", "overdue_fen")
NO_ROWS = ((0, 0, 0),) * len(AGES)


class Stage(StrEnum):
    """What the run of a day does now; `done` is final."""

    ACCRUAL = "accrual"
    CHARGE_OFF = "charge_off"
    DONE = "done"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """Sums over loans: fen posted, loans they were posted for, and by age (a row of AGES) loans, principal in the books and what is overdue."""

    interest_fen: int = 0
    fee_fen: int = 0
    penalty_fen: int = 0
    posted: int = 0
    ages: tuple[tuple[int, int, int], ...] = NO_ROWS

    def plus(self, other: "Tally") -> "Tally":
        ages = tuple((one[0] + two[0], one[1] + two[1], one[2] + two[2]) for one, two in zip(self.ages, other.ages, strict=True))
        return Tally(
            interest_fen=self.interest_fen + other.interest_fen,
            fee_fen=self.fee_fen + other.fee_fen,
            penalty_fen=self.penalty_fen + other.penalty_fen,
            posted=self.posted + other.posted,
            ages=ages,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class DayEnd:
    """The end of `day`: loans up to number `upto` belong to it, `next` is the first that waits for its accrual; `report` stands once it is done."""

    day: date
    begun_ns: int
    upto: int
    next: int = 1
    stage: Stage = Stage.ACCRUAL
    tally: Tally = field(default_factory=Tally)
    charged_off: int = 0
    written_off_fen: int = 0
    report: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """The day's run begins, for loans up to a number."""

    day: date
    at_ns: int
    upto: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Accrued:
    """A stretch of loans is done: what each has earned stands in `slab`, what was posted for all of them in the transfers of the same entry."""

    day: date
    slab: Slab
    tally: Tally


@dataclass(frozen=True, slots=True, kw_only=True)
class ChargedOff:
    """One loan was charged off; the happening stands in the same entry."""

    day: date
    written_off_fen: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """The day is done, with its report."""

    day: date
    report: Mapping[str, Any]


Step = Begun | Accrued | ChargedOff | Ended


def after(known: DayEnd | None, step: Step) -> DayEnd:
    """Return the day's end after a step. Raises ValueError when the step does not follow on what is known."""
    if isinstance(step, Begun):
        if known is not None:
            raise ValueError(f"the end of {step.day} begins twice")
        return DayEnd(day=step.day, begun_ns=step.at_ns, upto=step.upto, stage=Stage.ACCRUAL if step.upto else Stage.CHARGE_OFF)
    if known is None or known.stage is Stage.DONE:
        raise ValueError(f"a step of the end of {step.day}, which {'is done' if known else 'has not begun'}")
    match step:
        case Accrued():
            if step.slab.first != known.next:
                raise ValueError(f"the end of {step.day} goes on at loan {step.slab.first}, but {known.next} is next")
            stage = Stage.ACCRUAL if step.slab.last < known.upto else Stage.CHARGE_OFF
            return replace(known, next=step.slab.last + 1, stage=stage, tally=known.tally.plus(step.tally))
        case ChargedOff():
            return replace(known, charged_off=known.charged_off + 1, written_off_fen=known.written_off_fen + step.written_off_fen)
        case Ended():
            return replace(known, stage=Stage.DONE, report=step.report)


def to_row(step: Step) -> dict[str, Any]:
    """Return a step, JSON-ready; amounts by loan are packed."""
    day = {"day": step.day.isoformat()}
    match step:
        case Begun():
            return day | {"begun": [step.at_ns, step.upto]}
        case Accrued():
            slab, tally = step.slab, step.tally
            sums = [tally.interest_fen, tally.fee_fen, tally.penalty_fen, tally.posted]
            return day | {"first": slab.first, "count": slab.more.shape[1], "earned": [packed(row) for row in slab.more], "sums": sums, "ages": tally.ages}
        case ChargedOff():
            return day | {"charged_off": step.written_off_fen}
        case Ended():
            return day | {"report": step.report}


def from_row(row: Mapping[str, Any]) -> Step:
    """Return the step that `to_row` wrote."""
    day = date.fromisoformat(row["day"])
    if "begun" in row:
        return Begun(day=day, at_ns=row["begun"][0], upto=row["begun"][1])
    if "earned" in row:
        more = np.stack([unpacked(text, row["count"]) for text in row["earned"]])
        interest, fee, penalty, posted = row["sums"]
        ages = tuple((each[0], each[1], each[2]) for each in row["ages"])
        tally = Tally(interest_fen=interest, fee_fen=fee, penalty_fen=penalty, posted=posted, ages=ages)
        return Accrued(day=day, slab=Slab(row["first"], day.toordinal(), more), tally=tally)
    return ChargedOff(day=day, written_off_fen=row["charged_off"]) if "charged_off" in row else Ended(day=day, report=row["report"])


def dayend_to_row(known: DayEnd) -> dict[str, Any]:
    """Return a day's end as it stands, JSON-ready."""
    return asdict(known) | {"day": known.day.isoformat()}


def dayend_from_row(row: Mapping[str, Any]) -> DayEnd:
    """Return the day's end that `dayend_to_row` wrote."""
    tally = dict(row["tally"]) | {"ages": tuple((each[0], each[1], each[2]) for each in row["tally"]["ages"])}
    return DayEnd(**(dict(row) | {"day": date.fromisoformat(row["day"]), "stage": Stage(row["stage"]), "tally": Tally(**tally)}))


def packed(amounts: Fen) -> str:
    """Return amounts as text: 64-bit little-endian, each byte of all before the next, compressed; empty for nothing but zeros."""
    if not amounts.any():
        return ""
    planes = amounts.astype("<i8").view(np.uint8).reshape(-1, 8).T
    return base64.b64encode(zlib.compress(planes.tobytes(), 1)).decode()


def unpacked(text: str, count: int) -> Fen:
    """Return what `packed` wrote. Raises ValueError when it is not so many amounts."""
    if not text:
        return np.zeros(count, np.int64)
    planes = np.frombuffer(zlib.decompress(base64.b64decode(text)), np.uint8)
    if planes.size != 8 * count:
        raise ValueError(f"{planes.size // 8} amounts are packed where {count} loans are meant")
    return np.ascontiguousarray(planes.reshape(8, count).T).view("<i8").reshape(count).astype(np.int64)


def check(step: Accrued, sums: Sequence[int]) -> None:
    """Raise ValueError unless what each loan has earned adds up to what was posted for all of them: interest, fees, penalties."""
    details = [int(fen) for fen in step.slab.more.sum(axis=1)]
    if details != list(sums) or details != [step.tally.interest_fen, step.tally.fee_fen, step.tally.penalty_fen]:
        raise ValueError(f"the end of {step.day}: loans {step.slab.first} to {step.slab.last} earned {details} fen, but {list(sums)} fen were posted")
