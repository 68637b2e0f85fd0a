"""The watch over one instance's models: looks at the log from time to time, sets the figures that are scraped, and says when a model has drifted."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from ctl.kit import health, metrics
from ctl.kit.problem import Problem
from reference_apps.risk.measures.drift import LEAST_N, Verdict
from reference_apps.risk.monitoring import apart
from reference_apps.risk.monitoring.finding import Carried, findings, said
from reference_apps.risk.monitoring.model import Report, Row

LAST = 10_000
EVERY_S = 300.0
FIRST_S = 2.0
PART = "models"
LABELS = ("role", "model", "scene", "segment")


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How often the watch looks (0: only when asked), at how many of the newest decisions, and how many of a kind it takes to say anything."""

    every_s: float = EVERY_S
    last: int = LAST
    min_n: int = LEAST_N


class Watch:
    """Looks in a process of its own: soon after the start, then at its pace. A look that fails is logged, and what was said stays as it was.

    `carried` says which packages are in force here; without it every row counts, and nothing is said of the release.
    """

    def __init__(
        self,
        data: Path,
        pace: Pace = Pace(),
        *,
        carried: Callable[[], Carried] | None = None,
        gather: Callable[[Path, int], Awaitable[Report]] = apart.gather,
    ) -> None:
        self._data, self._pace, self._carried, self._gather = data, pace, carried, gather
        self._drift = metrics.gauge("risk_model_drift", "PSI of a model's estimates against its training; absent while there are too few decisions.", LABELS)
        self._drifted = metrics.gauge("risk_models_drifted", "Models whose drift asks for action: do not promote, or go back to the last package.")
        self._events = metrics.counter("risk_model_drift_events_total", "Times that a model was found drifted which was not before.", ("role", "model"))
        self._acting: frozenset[tuple[str, ...]] = frozenset()
        self._task: asyncio.Task[None] | None = None
        self._log = logging.getLogger("risk.monitoring")

    def start(self) -> None:
        """Begin to look. Called on the event loop."""
        if self._pace.every_s:
            self._task = asyncio.create_task(self._go_on())

    async def stop(self) -> None:
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def look(self) -> Report:
        """Look once, and say what was found. Raises Problem."""
        report = await self._gather(self._data, self._pace.last)
        self.tell(report)
        return report

    def tell(self, report: Report) -> None:
        """Set the figures, say what is found of the release, and raise an event for each model that has drifted since the last look."""
        carried = self._carried() if self._carried else None
        rows = [row for row in report.rows if carried is None or carried.has(row)]
        self._drift.clear()
        for row in rows:
            if row.psi is not None and row.verdict is not Verdict.TOO_FEW:
                self._drift.labels(*row.place).set(row.psi)
        drifted = [row for row in rows if row.verdict is Verdict.ACT and row.n >= self._pace.min_n]
        acting = frozenset((row.package, *row.place) for row in drifted)
        self._drifted.set(len(acting))
        for row in drifted:
            if (row.package, *row.place) not in self._acting:
                self._say(row)
        self._acting = acting
        health.note("; ".join(said(row) for row in drifted), part=PART)
        health.findings(findings(report.rows, carried, self._pace.min_n) if carried else None, part=PART)

    def _say(self, row: Row) -> None:
        self._events.labels(row.role, row.model).inc()
        extra = {"event": "model_drifted", "package": row.package, **dict(zip(LABELS, row.place, strict=True)), "psi": row.psi, "decisions": row.n}
        self._log.warning(said(row), extra=extra)

    async def _go_on(self) -> None:
        await asyncio.sleep(min(self._pace.every_s, FIRST_S))
        while True:
            try:
                await self.look()
            except (Problem, OSError) as error:
                self._log.warning("the models cannot be looked at: %s", error)
            await asyncio.sleep(self._pace.every_s)
