"""How approval is configured: deadlines, retries, and where shopping data come from."""

from collections.abc import Callable
from dataclasses import dataclass

from ctl.kit.breaker import BudgetPolicy, Policy
from reference_apps.approval.engine import Rhythm
from reference_apps.approval.flow.advance import Retry
from reference_apps.approval.services import BUREAU, IDENTITY, Patience, Timeouts

SOURCES = ("taobao", "jd", BUREAU, IDENTITY)

Config = Callable[[str, str], str]
"""Returns the value of a key, or the default given."""


@dataclass(frozen=True, slots=True)
class Settings:
    """The values of the config keys `timeout.*_s`, `breaker.*`, `budget.*`, `retry.*`, `sweep_s`, `flow` (the flow of new cases) and `bureau.<source>`
    (the service that has a source's data; empty: none)."""

    patience: Patience
    retry: Retry
    rhythm: Rhythm
    bureaus: dict[str, str]
    flow: str


def load(config: Config) -> Settings:
    """Read the keys. Raises ValueError naming the key."""
    read = _Reader(config)
    timeouts = Timeouts(
        fraud_s=read.number("timeout.fraud_s", 2.0),
        risk_s=read.number("timeout.risk_s", 2.0),
        evidence_s=read.number("timeout.evidence_s", 2.0),
        ledger_s=read.number("timeout.ledger_s", 8.0),
    )
    breaker = Policy(
        failures=int(read.number("breaker.failures", 8)),
        first_s=read.number("breaker.first_s", 1.0),
        longest_s=read.number("breaker.longest_s", 15.0),
        probe_s=timeouts.ledger_s + 1,
    )
    budget = BudgetPolicy(share=read.number("budget.share", 0.2), floor_per_s=read.number("budget.floor_per_s", 10.0))
    return Settings(
        patience=Patience(timeouts=timeouts, breaker=breaker, budget=budget),
        retry=Retry(
            attempts=int(read.number("retry.attempts", 8)),
            first_ms=int(read.number("retry.first_ms", 1_000)),
            longest_ms=int(read.number("retry.longest_ms", 30_000)),
        ),
        rhythm=Rhythm(sweep_s=read.number("sweep_s", 1.0)),
        bureaus={source: config(f"bureau.{source}", "") for source in SOURCES},
        flow=config("flow", "loan"),
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
