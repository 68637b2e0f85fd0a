"""The spec of the features: windows and key families, read from spec.yaml, and where each figure stands in an event's features."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import yaml

DAY_MS = 86_400_000
EXACT_DAYS = 2
"""Events of the key's newest day and of this many days before it are kept one by one; older ones as daily panes."""

PANE_DAYS = 32
"""How many days of panes are kept behind the key's newest day."""

EXACT_DISTINCT = 1_000
"""Up to here distinct values are counted exactly in any window; above, the windows of days estimate."""

LATENESS_MS = 300_000
"""L: the watermark is the newest event time of the log less this."""

FIGURES = ("count", "sum_fen", "max_fen")
WIDTH = 5
"""Figures of one window: count, sum, max, and two distinct counts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """A length of time. `days` 0: exact, of `length_ms`; else that many daily panes."""

    name: str
    length_ms: int = 0
    days: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """What events are counted by: the field with the key, and the fields whose distinct values are counted."""

    name: str
    key: str
    distinct: tuple[str, str]
    many: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """All windows, exact ones first, shortest first, and all families."""

    windows: tuple[Window, ...]
    families: tuple[Family, ...]

    def place(self, family: str, window: str, figure: str) -> tuple[int, int]:
        """Return where a figure stands: the number of the family and the index in its figures. Raises ValueError for what is not declared."""
        names = [each.name for each in self.families]
        windows = [each.name for each in self.windows]
        if family not in names or window not in windows:
            raise ValueError(f"{family} over {window} is not declared in spec.yaml; families are {names}, windows {windows}")
        number = names.index(family)
        figures = (*FIGURES, *self.families[number].distinct)
        if figure not in figures:
            raise ValueError(f"{family} has no {figure}; spec.yaml declares {figures}")
        return number, windows.index(window) * WIDTH + figures.index(figure)


@cache
def load() -> Spec:
    """Return the spec that ships with the app. Raises ValueError when windows do not grow or exact ones stand behind daily ones."""
    told = yaml.safe_load((Path(__file__).parent / "spec.yaml").read_text())
    windows = tuple(Window(name=each["name"], length_ms=each.get("length_s", 0) * 1000, days=each.get("days", 0)) for each in told["windows"])
    lengths = [window.days * DAY_MS or window.length_ms for window in windows]
    if lengths != sorted(set(lengths)) or [bool(window.days) for window in windows] != [False] * 4 + [True] * 2:
        raise ValueError("spec.yaml: windows are four exact ones of at most 24 h, then two of days, each longer than the one before")
    families = tuple(
        Family(name=each["name"], key=each["key"], distinct=(each["distinct"][0], each["distinct"][1]), many=each.get("many", False))
        for each in told["families"]
    )
    return Spec(windows=windows, families=families)


SPEC = load()
LENGTHS_MS = tuple(window.length_ms for window in SPEC.windows if not window.days)
SHORT_DAYS, LONG_DAYS = (window.days for window in SPEC.windows if window.days)
FAMILIES = tuple(family.name for family in SPEC.families)
WINDOWS = len(SPEC.windows)
NOTHING = (0,) * (WIDTH * WINDOWS)
"""The figures of a family whose key is unknown."""
