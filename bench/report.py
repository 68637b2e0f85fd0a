"""Figures of a benchmark: each with its unit and its goal, printed as JSON lines for programs or as a table for people."""

import json
import sys
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One measured number. `goal` is what it is held against ("<= 120"; empty: for information), `ok` whether it meets it."""

    figure: str
    value: float
    unit: str
    goal: str = ""
    ok: bool = True


@dataclass(slots=True)
class Report:
    """Collects figures and prints them at the end; JSON figures are printed as they come."""

    as_json: bool = False
    figures: list[Figure] = field(default_factory=list)

    def at_most(self, name: str, value: float, limit: float, unit: str) -> None:
        self._add(Figure(figure=name, value=round(value, 4), unit=unit, goal=f"<= {limit:g}", ok=value <= limit))

    def at_least(self, name: str, value: float, limit: float, unit: str) -> None:
        self._add(Figure(figure=name, value=round(value, 4), unit=unit, goal=f">= {limit:g}", ok=value >= limit))

    def note(self, name: str, value: float, unit: str) -> None:
        self._add(Figure(figure=name, value=round(value, 4), unit=unit))

    @property
    def ok(self) -> bool:
        return all(figure.ok for figure in self.figures)

    def _add(self, figure: Figure) -> None:
        self.figures.append(figure)
        if self.as_json:
            row = {"figure": figure.figure, "value": figure.value, "unit": figure.unit, "goal": figure.goal, "ok": figure.ok}
            sys.stdout.write(json.dumps(row) + "\n")
            sys.stdout.flush()

    def print_table(self) -> None:
        """Print what was measured, one line a figure."""
        width = max((len(figure.figure) for figure in self.figures), default=10)
        for figure in self.figures:
            mark = "✔" if figure.ok else "✖"
            goal = f"goal {figure.goal} {figure.unit}" if figure.goal else ""
            sys.stdout.write(f"{mark if figure.goal else ' '} {figure.figure:<{width}}  {figure.value:>12g} {figure.unit:<12} {goal}\n")
        sys.stdout.flush()


def percentile(values: list[float], share: float) -> float:
    """Return the value below which `share` (0..1) of the values lie (nearest rank); 0 for none."""
    ranked = sorted(values)
    return ranked[min(len(ranked) - 1, int(share * len(ranked)))] if ranked else 0.0
