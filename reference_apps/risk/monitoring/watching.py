"""The watch over one instance's models: looks at the log from time to time, sets the figures that are scraped, and says once when a model has drifted."""

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path

from ctl.kit import health, metrics
from ctl.kit.database import DatabaseFailed
from ctl.kit.problem import Problem
from reference_apps.risk.measures.drift import Verdict
from reference_apps.risk.monitoring import gathering
from reference_apps.risk.monitoring.model import Report, Row

LAST = 10_000
EVERY_S = 300.0
PART = "models"
LABELS = ("role", "model", "scene", "segment")


class Watch:
    """Looks every so many seconds, in a thread; 0: only when asked. A look that fails is logged, and the figures stay as they were."""

    def __init__(self, data: Path, *, last: int = LAST, every_s: float = EVERY_S, gather: Callable[[Path, int], Report] = gathering.gather) -> None:
        self._data, self._last, self._every_s, self._gather = data, last, every_s, gather
        self._drift = metrics.gauge("risk_model_drift", "PSI of a model's estimates against its training; absent while there are too few decisions.", LABELS)
        self._drifted = metrics.gauge("risk_models_drifted", "Models whose drift asks for action: do not promote, or go back to the last package.")
        self._events = metrics.counter("risk_model_drift_events_total", "Times that a model was found drifted which was not before.", ("role", "model"))
        self._acting: frozenset[tuple[str, ...]] = frozenset()
        self._task: asyncio.Task[None] | None = None
        self._log = logging.getLogger("risk.monitoring")

    def start(self) -> None:
        """Begin to look. Called on the event loop."""
        if self._every_s:
            self._task = asyncio.create_task(self._go_on())

    async def stop(self) -> None:
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def look(self) -> Report:
        """Look once, and say what was found. Raises DatabaseFailed, Problem."""
        report = await asyncio.to_thread(self._gather, self._data, self._last)
        self.tell(report)
        return report

    def tell(self, report: Report) -> None:
        """Set the figures, and raise an event for each model that has drifted since the last look."""
        self._drift.clear()
        for row in report.rows:
            if row.psi is not None and row.verdict is not Verdict.TOO_FEW:
                self._drift.labels(*row.place).set(row.psi)
        acting = frozenset((row.package, *row.place) for row in report.drifted)
        self._drifted.set(len(acting))
        for row in report.drifted:
            if (row.package, *row.place) not in self._acting:
                self._say(row)
        self._acting = acting
        overall = [said(row) for row in report.drifted]
        health.note("; ".join(overall), part=PART)

    def _say(self, row: Row) -> None:
        self._events.labels(row.role, row.model).inc()
        extra = {"event": "model_drifted", "package": row.package, **dict(zip(LABELS, row.place, strict=True)), "psi": row.psi, "decisions": row.n}
        self._log.warning(said(row), extra=extra)

    async def _go_on(self) -> None:
        while True:
            await asyncio.sleep(self._every_s)
            try:
                await self.look()
            except (DatabaseFailed, Problem) as error:
                self._log.warning("the models cannot be looked at: %s", error)


def said(row: Row) -> str:
    """Say in one sentence what has drifted."""
    where = "" if (row.scene, row.segment) == ("*", "*") else f" in {row.scene} / {row.segment}"
    return f"the {row.role}'s {row.model} has drifted{where}: PSI {row.psi:.2f} over {row.n:,} decisions"
