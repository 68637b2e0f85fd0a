"""What can be wrong with a package, each fault with its file, its place and its remedy."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Fault:
    """One fault: `place` leads inside the file ("routes.0.scorecard")."""

    file: str
    place: str
    problem: str
    remedy: str = ""

    def __str__(self) -> str:
        where = f"{self.file} {self.place}".strip()
        return f"{where}: {self.problem}" + (f" ({self.remedy})" if self.remedy else "")


class BadPackage(Exception):
    """The folder is no package that may decide; the message names every fault found."""

    def __init__(self, where: str, faults: Sequence[Fault]) -> None:
        super().__init__(f"the decision package in {where} is wrong: {'; '.join(str(each) for each in faults)}")
        self.faults = tuple(faults)
