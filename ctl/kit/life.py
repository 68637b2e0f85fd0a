"""Where a process stands between its start and its end, and whether a request may enter. Used from the event loop only."""

import asyncio
from enum import StrEnum
from time import monotonic
from typing import Any

from ctl.kit import health

HOLD_S = 10.0
QUIET_S = 0.2
LONGEST_OPEN_S = 3.0
LOOK_S = 0.01


class Stage(StrEnum):
    """What readiness probes are told."""

    STARTING = "starting"
    STANDBY = "standby"
    READY = "ready"
    DRAINING = "draining"


class Life:
    """One process's stage and its requests. Before it is ready it holds requests, while it drains it serves them, and once it closes it takes none."""

    def __init__(self, *, hold_s: float = HOLD_S) -> None:
        self.stage = Stage.STARTING
        self.is_open = False
        self.in_flight = 0
        self.last_request_at = 0.0
        self._hold_s = hold_s
        self._told_to_go = asyncio.Event()
        self._decided = asyncio.Event()

    def stand_by(self) -> None:
        if not self.is_going:
            self.stage = Stage.STANDBY

    def open(self) -> None:
        """Take requests, held ones first."""
        if not self.is_going:
            self.stage = Stage.READY
        self.is_open = True
        self._decided.set()

    def go(self) -> None:
        """Begin to drain. Requests are still taken, if they were."""
        self.stage = Stage.DRAINING
        self._told_to_go.set()

    def close(self) -> None:
        """Take no request from now on; held ones are turned away."""
        self.is_open = False
        self._decided.set()

    @property
    def is_going(self) -> bool:
        return self._told_to_go.is_set()

    async def told_to_go(self) -> None:
        await self._told_to_go.wait()

    async def may_enter(self) -> bool:
        """Say whether a request may enter; before the process has decided, wait for that, but not forever."""
        if not self._decided.is_set():
            try:
                async with asyncio.timeout(self._hold_s):
                    await self._decided.wait()
            except TimeoutError:
                return False
        return self.is_open

    async def quiet(self) -> bool:
        """Wait until nothing is in flight and nothing has come for QUIET_S, from now on; False: callers did not stop for LONGEST_OPEN_S."""
        since = monotonic()
        while self.in_flight or monotonic() - max(since, self.last_request_at) < QUIET_S:
            if monotonic() - since > LONGEST_OPEN_S:
                return False
            await asyncio.sleep(LOOK_S)
        return True

    async def empty(self) -> None:
        """Wait until nothing is in flight, however long it takes: the end of patience is the runtime's business."""
        while self.in_flight:
            await asyncio.sleep(LOOK_S)

    def readiness(self) -> tuple[int, dict[str, Any]]:
        """Return the status and body of an answer to a readiness probe."""
        if self.stage is not Stage.READY:
            return 503, {"state": self.stage, "reason": REASONS[self.stage]}
        reason = health.reason()
        return (503, {"state": "unready", "reason": reason}) if reason else (200, {"state": "ready", **health.seen()})


REASONS = {
    Stage.STARTING: "it has not started yet",
    Stage.STANDBY: "another process holds the writer lock",
    Stage.DRAINING: "it was told to go",
}
