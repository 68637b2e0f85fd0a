"""Clocks: the machine's, which never goes back, and one that is moved by hand."""

import threading
from datetime import UTC, datetime, timedelta


class SystemClock:
    """The machine's time; where that jumps back, the last time given is given again."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last = datetime.min.replace(tzinfo=UTC)

    def now(self) -> datetime:
        with self._lock:
            self._last = max(self._last, datetime.now(UTC))
            return self._last


class ManualClock:
    """A clock for simulations and tests: it moves when it is told to."""

    def __init__(self, start: datetime) -> None:
        self._now = start

    def now(self) -> datetime:
        return self._now

    def advance(self, seconds: float) -> None:
        """Move forward; clocks do not go back."""
        self._now += timedelta(seconds=max(0.0, seconds))
