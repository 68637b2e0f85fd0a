"""What became of applications: how many were approved, and how many loans of a vintage fell 30 days or more behind. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass

LATE_DPD = 30


@dataclass(frozen=True, slots=True)
class Vintage:
    """Loans paid out in one month: how many, and how many were ever `LATE_DPD` days or more past due."""

    month: str
    loans: int
    late: int

    @property
    def late_share(self) -> float:
        return self.late / self.loans


def approval_rate(outcomes: Iterable[str]) -> float | None:
    """Return the share of outcomes that are "pass"; None when there are none."""
    counted = [each == "pass" for each in outcomes]
    return sum(counted) / len(counted) if counted else None


def vintages(loans: Iterable[tuple[str, int]]) -> tuple[Vintage, ...]:
    """Return vintages in the order of months, from each loan's month ("2027-03") and worst days past due. Raises ValueError for negative days."""
    found: dict[str, list[int]] = {}
    for month, days in loans:
        if days < 0:
            raise ValueError(f"days past due cannot be {days}: 0 is on time")
        counted = found.setdefault(month, [0, 0])
        counted[0] += 1
        counted[1] += days >= LATE_DPD
    return tuple(Vintage(month, *found[month]) for month in sorted(found))
