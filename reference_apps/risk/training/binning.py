"""Bins of a variable: cut by optimal binning (optbinning, Navas-Palencia 2020), monotone where the variable declares it; missing and special values apart."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from reference_apps.risk.measures import woe
from reference_apps.risk.measures.vectors import Vector
from reference_apps.risk.training.mapping import VariableForm
from reference_apps.risk.training.table import Column

MOST_PREBINS = 20
LEAST_SHARE = 0.03
SURE = 0.05
"""Neighbouring bins must differ by more than chance would show in one of twenty cases: noise becomes one bin."""
LIMITS: dict[str, Any] = {"max_n_prebins": MOST_PREBINS, "min_prebin_size": LEAST_SHARE, "max_pvalue": SURE}
TREND = {None: "auto", "higher": "descending", "lower": "ascending"}
"""By what is better: how the rate of bads goes from bin to bin."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Binned:
    """Where each value goes: between `cuts` (a bin holds its lower one), or in a group of `words`; then a bin for each special value, the last for missing.

    `goods`, `bads` and `woes` are by bin, in that order.
    """

    name: str
    cuts: tuple[float, ...] = ()
    words: tuple[tuple[str, ...], ...] = ()
    special: tuple[float, ...] = ()
    goods: tuple[int, ...] = ()
    bads: tuple[int, ...] = ()

    @property
    def regular(self) -> int:
        """Return the number of bins besides special and missing ones."""
        return len(self.words) or len(self.cuts) + 1

    @property
    def woes(self) -> tuple[float, ...]:
        return woe.woes(self.goods, self.bads)

    @property
    def information(self) -> float:
        return woe.information_value(self.goods, self.bads)

    def places(self, column: Column) -> Any:
        """Return the bin's number for each value, as it is looked up when a decision is made."""
        if self.words:
            group = {word: at for at, words in enumerate(self.words) for word in words}
            return np.array([group.get(value, self.regular) for value in column.tolist()], dtype=np.int64)
        places = np.searchsorted(np.asarray(self.cuts), column, side="right")
        for at, value in enumerate(self.special):
            places[column == value] = self.regular + at
        places[np.isnan(column)] = self.regular + len(self.special)
        return places

    def evidence(self, column: Column) -> Vector:
        """Return each value's weight of evidence."""
        evidence: Vector = np.asarray(self.woes)[self.places(column)]
        return evidence


def fit(variable: VariableForm, column: Column, bad: Vector) -> Binned:
    """Cut a column into bins. A variable that tells nobody apart becomes one bin."""
    if variable.type == "text" and not variable.values:
        return _counted(Binned(name=variable.name, words=_groups(variable.name, column, bad)), column, bad)
    if variable.type == "text":
        order = {word: at for at, word in enumerate(variable.values)}
        codes = np.array([np.nan if value is None else float(order[value]) for value in column.tolist()])
        return _counted(Binned(name=variable.name, words=_in_order(variable.values, _cuts(variable, codes, bad))), column, bad)
    special = tuple(float(value) for value in variable.special)
    return _counted(Binned(name=variable.name, cuts=_cuts(variable, column, bad), special=special), column, bad)


def _counted(binned: Binned, column: Column, bad: Vector) -> Binned:
    places, size = binned.places(column), binned.regular + len(binned.special) + 1
    bads = np.bincount(places, weights=bad, minlength=size).astype(int)
    goods = np.bincount(places, minlength=size) - bads
    return Binned(
        name=binned.name, cuts=binned.cuts, words=binned.words, special=binned.special, goods=tuple(goods.tolist()), bads=tuple(bads.tolist())
    )


def _cuts(variable: VariableForm, column: Column, bad: Vector) -> tuple[float, ...]:
    from optbinning import OptimalBinning

    regular = ~np.isnan(column) & ~np.isin(column, variable.special)
    if len(np.unique(column[regular])) < 2 or len(np.unique(bad[regular])) < 2:
        return ()
    trend = TREND[variable.better]
    fitted = OptimalBinning(name=variable.name, dtype="numerical", solver="cp", monotonic_trend=trend, **LIMITS)
    fitted.fit(column[regular], bad[regular])
    return tuple(sorted(float(cut) for cut in fitted.splits))


def _groups(name: str, column: Column, bad: Vector) -> tuple[tuple[str, ...], ...]:
    from optbinning import OptimalBinning

    known = np.array([value is not None for value in column.tolist()])
    words = column[known].astype(object)
    if len(set(words.tolist())) < 2:
        return (tuple(sorted(set(words.tolist()))),)
    fitted = OptimalBinning(name=name, dtype="categorical", solver="cp", **LIMITS)
    fitted.fit(words, bad[known])
    return tuple(tuple(sorted(map(str, group))) for group in fitted.splits) or (tuple(sorted(set(words.tolist()))),)


def _in_order(values: Sequence[str], cuts: Sequence[float]) -> tuple[tuple[str, ...], ...]:
    """Return ordered words in the groups that cuts between their places make."""
    groups = np.searchsorted(np.asarray(cuts), np.arange(len(values)), side="right")
    return tuple(tuple(word for word, at in zip(values, groups, strict=True) if at == group) for group in sorted(set(groups.tolist())))
