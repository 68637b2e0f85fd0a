"""What stands in the way of training: each fault names its place (a column, a field of the mapping), what was found and what to do."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault."""

    place: str
    problem: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.place}: {self.problem} ({self.remedy})"


class BadTraining(Exception):
    """Nothing was trained; the message names every fault found so far."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__("; ".join(map(str, faults)))
        self.faults = tuple(faults)


def refuse(place: str, problem: str, remedy: str) -> BadTraining:
    """Return the error for one fault."""
    return BadTraining([Fault(place, problem, remedy)])
