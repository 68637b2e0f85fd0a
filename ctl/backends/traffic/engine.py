"""What a program must offer to be a gateway of ours: files it starts from, and a true answer to the question what it does now."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Protocol

from ctl.model.fleet import Routes


@dataclass(frozen=True, slots=True)
class Command:
    """How the program is started."""

    argv: tuple[str, ...]
    environ: Mapping[str, str]


class Engine(Protocol):
    """One kind of gateway program, over the files of one home."""

    @property
    def name(self) -> str: ...

    def prepare(self, port: int, asked: Mapping[str, Routes]) -> Command:
        """Write every file that the program starts from and return how to start it. Raises BackendError."""
        ...

    def write(self, asked: Mapping[str, Routes]) -> None:
        """Write these routes, all there are, for the program to take. Raises BackendError."""
        ...

    def in_force(self, services: Collection[str] | None) -> Mapping[str, Routes]:
        """Ask the program which routes it applies; None asks for all. A service that it does not serve yet is missing. Raises BackendError."""
        ...
