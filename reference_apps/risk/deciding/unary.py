"""Cells of decision tables as predicates over a value and over columns: the plain ones only, and each is tried against the engine before it is trusted. Pure.

A column of numbers is float64 with NaN for missing, booleans are 0 and 1; of text it is the words' codes, -1 for missing, -2 for a word nobody mentions.
"""

import json
import math
import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import zen
from numpy.typing import NDArray

from reference_apps.risk.model import Fact
from reference_apps.risk.packages.model import Type, Variable

Column = NDArray[Any]
Hits = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell as predicates, of one fact and of a column of them: they say the same."""

    holds: Callable[[Fact], bool]
    over: Callable[[Column], Hits]



WHOLE = r"-?[0-9]{1,15}"
COMPARED = re.compile(rf"(<=|>=|<|>|==|!=)\s*({WHOLE})")
WITHIN = re.compile(rf"([\[(])\s*({WHOLE})\s*\.\.\s*({WHOLE})\s*([\])])")
LISTED = re.compile(rf"{WHOLE}(\s*,\s*{WHOLE})*")
WORDS = re.compile(r'"[^"\\]*"(\s*,\s*"[^"\\]*")*')
BY: Mapping[str, Callable[[Any, float], Any]] = {
    "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge, "==": operator.eq, "!=": operator.ne,
}  # fmt: skip


def compiled(cell: str, variable: Variable, codes: Mapping[str, int]) -> Cell | None:
    """Return a cell as predicates of its variable; None: only the engine can tell."""
    cell = cell.strip()
    if not cell:
        return Cell(lambda _: True, lambda column: np.ones(len(column), dtype=bool))
    made = _null(cell, variable) or _made(cell, variable, codes)
    return made if made is not None and _agrees(cell, variable, codes, made) else None


def _made(cell: str, variable: Variable, codes: Mapping[str, int]) -> Cell | None:
    match variable.type:
        case Type.INTEGER:
            return _number(cell)
        case Type.TEXT if WORDS.fullmatch(cell):
            words = frozenset(json.loads(f"[{cell}]"))
            wanted = [codes[word] for word in words if word in codes]
            return Cell(lambda fact: fact in words, lambda column: np.isin(column, wanted))
        case Type.BOOLEAN if cell in ("true", "false"):
            is_true = cell == "true"
            return Cell(lambda fact: fact is is_true, lambda column: column == float(is_true))
        case _:
            return None


def _null(cell: str, variable: Variable) -> Cell | None:
    if cell != "null":
        return None
    return Cell(lambda fact: fact is None, (lambda column: column == -1) if variable.type is Type.TEXT else np.isnan)


def _number(cell: str) -> Cell | None:
    """What is missing compares as NaN does, on its own as in a column."""
    if found := COMPARED.fullmatch(cell):
        by, bound = BY[found[1]], float(found[2])
        return Cell(lambda fact: by(math.nan if fact is None else fact, bound), lambda column: by(column, bound))
    if found := WITHIN.fullmatch(cell):
        above, below = BY[">=" if found[1] == "[" else ">"], BY["<=" if found[4] == "]" else "<"]
        least, most = float(found[2]), float(found[3])
        return Cell(lambda fact: fact is not None and above(fact, least) and below(fact, most), lambda column: above(column, least) & below(column, most))
    if LISTED.fullmatch(cell):
        wanted = [float(each) for each in cell.split(",")]
        return Cell(lambda fact: fact in wanted, lambda column: np.isin(column, wanted))
    return None


def _agrees(cell: str, variable: Variable, codes: Mapping[str, int], made: Cell) -> bool:
    """Ask the engine and the predicates about every value around which the cell could turn."""
    tried = _around(cell, variable)
    if variable.type is Type.TEXT:
        column: Column = np.array([-1 if each is None else codes.get(each, -2) for each in tried])
    else:
        column = np.array(tried, dtype=float)
    return list(made.over(column)) == [made.holds(each) for each in tried] == [_engine(cell, each) for each in tried]


def _around(cell: str, variable: Variable) -> list[Any]:
    match variable.type:
        case Type.TEXT:
            return [None, "", "a word that nobody mentions", *(json.loads(f"[{cell}]") if WORDS.fullmatch(cell) else ())]
        case Type.BOOLEAN:
            return [None, True, False]
        case _:
            whole = [int(each) for each in re.findall(WHOLE, cell.replace("..", " "))]
            return [None, 0, 10**15, -(10**15), *(each + by for each in whole for by in (-1, 0, 1))]


@lru_cache(maxsize=8192, typed=True)
def _engine(cell: str, value: Any) -> bool:
    """Return what a cell of the engine says; what it cannot compare does not hit."""
    try:
        return bool(zen.evaluate_unary_expression(cell, {"$": value}))
    except RuntimeError:
        return False
