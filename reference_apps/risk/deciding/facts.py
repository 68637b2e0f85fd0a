"""From what is known to complete facts: defaults, sums and list membership as the package declares them. Pure, one row or columns."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reference_apps.risk.model import Fact, Facts
from reference_apps.risk.packages.model import Missing, Package, Type, Variable


def complete(package: Package, known: Facts) -> dict[str, Fact]:
    """Return a fact for every variable of the package, in its order; None where nothing is known and nothing stands for it."""
    facts = {name: _given(each, known) for name, each in package.variables.items()}
    for name, each in package.variables.items():
        if each.sum_of:
            facts[name] = total([facts[part] for part in each.sum_of])
        elif each.listed:
            facts[name] = is_listed(package, each, facts[each.listed[0]])
    return facts


def _given(each: Variable, known: Facts) -> Fact:
    fact = known.get(each.name) if each.sources else None
    return each.default if fact is None and each.missing is Missing.DEFAULT else fact


def total(parts: Sequence[Fact]) -> Fact:
    """Add up the numbers that are known; None: none is."""
    numbers = [part for part in parts if isinstance(part, int | float)]
    return sum(numbers) if numbers else None


def is_listed(package: Package, each: Variable, fact: Fact) -> bool:
    assert each.listed is not None
    return fact in package.lists[each.listed[1]]


class Columns:
    """Facts of many questions as columns, each made when it is first asked for: numbers as float64 with NaN, text as codes."""

    def __init__(self, package: Package, codes: Mapping[str, Mapping[str, int]], known: Sequence[Facts]) -> None:
        self._package, self._codes, self._known = package, codes, known
        self._made: dict[str, NDArray[Any]] = {}
        self._given: dict[str, list[Fact]] = {}

    def __len__(self) -> int:
        return len(self._known)

    def has(self, name: str) -> bool:
        return name in self._package.variables

    def at(self, places: NDArray[np.int64]) -> "Columns":
        """Return the rows at these places; all of them are the columns themselves."""
        if len(places) == len(self._known):
            return self
        part = Columns(self._package, self._codes, [self._known[at] for at in places.tolist()])
        part._made = {name: column[places] for name, column in self._made.items()}
        return part

    def column(self, name: str) -> NDArray[Any]:
        made = self._made.get(name)
        if made is None:
            made = self._made[name] = self._column(self._package.variables[name])
        return made

    def is_missing(self, name: str) -> NDArray[np.bool_]:
        column = self.column(name)
        missing: NDArray[np.bool_] = column == -1 if self._package.variables[name].type is Type.TEXT else np.isnan(column)
        return missing

    def _column(self, each: Variable) -> NDArray[Any]:
        if each.listed:
            members = self._package.lists[each.listed[1]]
            return np.array([fact in members for fact in self._facts(each.listed[0])], dtype=float)
        if each.sum_of:
            parts = np.array([self.column(part) for part in each.sum_of])
            unknown = np.isnan(parts)
            return np.where(unknown.all(axis=0), np.nan, np.where(unknown, 0.0, parts).sum(axis=0))
        facts = self._facts(each.name)
        if each.type is Type.TEXT:
            codes = self._codes[each.name]
            return np.array([-1 if fact is None else codes.get(str(fact), -2) for fact in facts], dtype=np.int64)
        return np.array(facts, dtype=float)

    def _facts(self, name: str) -> list[Fact]:
        facts = self._given.get(name)
        if facts is None:
            each = self._package.variables[name]
            facts = [row.get(name) for row in self._known]
            if each.missing is Missing.DEFAULT:
                facts = [each.default if fact is None else fact for fact in facts]
            self._given[name] = facts
        return facts
