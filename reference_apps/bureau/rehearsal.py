"""Bad days on purpose: a bureau that hangs, fails, lies or talks nonsense to a share of customers, always the same ones. Off unless configured."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from reference_apps.bureau.people import uniform

Config = Callable[[str, str], str]


class Fate(StrEnum):
    """What becomes of a request."""

    FINE = "fine"
    HANG = "hang"
    ERROR = "error"
    LIE = "lie"
    GARBAGE = "garbage"


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """The config keys rehearsal.hang_pct, error_pct, lie_pct and garbage_pct (together at most 100), rehearsal.hang_s and rehearsal.latency_ms."""

    shares_pct: Mapping[Fate, float]
    hang_s: float = 60.0
    latency_s: float = 0.0

    def fate(self, customer: str) -> Fate:
        """Return what becomes of requests about this customer."""
        place = uniform(customer, "fate") * 100
        for fate, share in self.shares_pct.items():
            if place < share:
                return fate
            place -= share
        return Fate.FINE


def load(config: Config) -> Rehearsal:
    """Read the keys. Raises ValueError naming the key."""
    shares: dict[Fate, float] = {fate: _number(config, f"rehearsal.{fate}_pct", 0, 100) for fate in Fate if fate is not Fate.FINE}
    if sum(shares.values()) > 100:
        raise ValueError(f"rehearsal.*_pct are {sum(shares.values()):g} % together; leave at most 100")
    return Rehearsal(shares, _number(config, "rehearsal.hang_s", 60, 3600), _number(config, "rehearsal.latency_ms", 0, 60_000) / 1000)


def lied(report: Mapping[str, Any]) -> dict[str, Any]:
    """Return a report that cannot be true: about somebody else, of tomorrow, or with figures out of this world, by its length."""
    lies: tuple[dict[str, Any], ...] = (
        {"customer_id": "somebody else"},
        {"as_of": "2999-01-01T00:00:00+00:00"},
        {"score": 2_000, "record": "splendid", "spend_12m_fen": -1},
    )
    return {**report, **lies[len(str(report["customer_id"])) % len(lies)]}


def _number(config: Config, key: str, default: float, most: float) -> float:
    text = config(key, "")
    try:
        value = float(text) if text else float(default)
    except ValueError:
        value = -1.0
    if not 0 <= value <= most:
        raise ValueError(f"{key} is {text!r}; it must be a number from 0 to {most:g}")
    return value
