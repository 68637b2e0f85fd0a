"""What every screen is handed beside its facts: paint, the moment, and how wide it may be. Values only."""

from dataclasses import dataclass
from datetime import datetime

from ctl.cli import times
from ctl.cli.paint import WIDEST, Paint, width


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """`utc` asks for exact times; `is_terminal` is false in a pipe, where summaries and hints are left out."""

    now: datetime
    paint: Paint = Paint()
    utc: bool = False
    wide: int = WIDEST
    is_terminal: bool = True

    def when(self, moment: str | None) -> str:
        """Return a moment as "4 min ago", or exactly where that was asked for."""
        return times.exact(moment) if self.utc else times.ago(moment, self.now)

    def edges(self, left: str, right: str) -> str:
        """Return one line with `right` at the right edge where there is room for it."""
        room = self.wide - width(left) - width(right)
        return left + " " * room + right if room >= 3 else left
