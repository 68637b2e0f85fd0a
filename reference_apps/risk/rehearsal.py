"""Faults on purpose, for rehearsing what a bad release does to its callers: off unless the configuration asks for them."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

Config = Callable[[str, str], str]


class RehearsedFault(Exception):
    """Raised on as many decisions as rehearsal.error_pct asks for."""


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """The config keys rehearsal.error_pct (0 to 100) and rehearsal.latency_ms."""

    error_pct: float = 0.0
    latency_s: float = 0.0
    dice: Random = field(default_factory=Random)

    async def play(self) -> None:
        """Wait and fail as configured. Raises RehearsedFault."""
        if self.latency_s:
            await asyncio.sleep(self.latency_s)
        if self.error_pct and self.dice.random() * 100 < self.error_pct:
            raise RehearsedFault(f"this release fails {self.error_pct:g} % of its decisions on purpose (rehearsal.error_pct)")


def load(config: Config) -> Rehearsal:
    """Read the keys. Raises ValueError for text that is no number."""
    return Rehearsal(float(config("rehearsal.error_pct", "0") or 0), float(config("rehearsal.latency_ms", "0") or 0) / 1000)
