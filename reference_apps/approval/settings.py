"""How approval is configured: deadlines, retries, and where shopping data come from."""

from collections.abc import Callable
from dataclasses import dataclass

from reference_apps.approval.engine import Rhythm
from reference_apps.approval.flow import SHOPS, Retry
from reference_apps.approval.services import Timeouts

Config = Callable[[str, str], str]
"""Returns the value of a key, or the default given."""


@dataclass(frozen=True, slots=True)
class Settings:
    """The values of the config keys `timeout.*_s`, `retry.*`, `sweep_s` and `bureau.<shop>` (the service that has a shop's data; empty: none)."""

    timeouts: Timeouts
    retry: Retry
    rhythm: Rhythm
    bureaus: dict[str, str]


def load(config: Config) -> Settings:
    """Read the keys. Raises ValueError naming the key."""
    read = _Reader(config)
    return Settings(
        timeouts=Timeouts(
            fraud_s=read.number("timeout.fraud_s", 2.0),
            risk_s=read.number("timeout.risk_s", 2.0),
            evidence_s=read.number("timeout.evidence_s", 2.0),
            ledger_s=read.number("timeout.ledger_s", 8.0),
        ),
        retry=Retry(
            attempts=int(read.number("retry.attempts", 8)),
            first_ms=int(read.number("retry.first_ms", 1_000)),
            longest_ms=int(read.number("retry.longest_ms", 30_000)),
        ),
        rhythm=Rhythm(sweep_s=read.number("sweep_s", 1.0)),
        bureaus={shop: config(f"bureau.{shop}", "") for shop in SHOPS},
    )


class _Reader:
    def __init__(self, config: Config) -> None:
        self._config = config

    def number(self, key: str, default: float) -> float:
        text = self._config(key, "")
        try:
            value = float(text) if text else float(default)
        except ValueError:
            value = 0.0
        if not 0 < value < 10**9:
            raise ValueError(f"{key} is {text!r}; it must be a number above 0")
        return value
