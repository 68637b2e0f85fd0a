"""Price tables and combinations for a new scorecard: grades are declared as the highest p(bad), and become scores on its scale. Pure."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from reference_apps.risk.training import scorecards
from reference_apps.risk.training.faults import refuse
from reference_apps.risk.training.mapping import Mapping as Meaning
from reference_apps.risk.training.mapping import RowForm, ScalingForm

STANDARD = "standard"
FIRST_MULTIPLE, MOST_BAD = 0.5, 0.9
PLAIN = (("A", 500_000, "0.10", "fast"), ("B", 400_000, "0.18", "normal"), ("C", 200_000, "0.25", "extended"))
Json = dict[str, Any]
Tables = dict[str, list[Json]]


def plain_tables(meaning: Meaning, bad_rate: float) -> Tables:
    """Return the price table of a package without a base: the mapping's rows, else grades at half, one and two times the rate of bads in training."""
    rows = meaning.prices or tuple(
        RowForm(grade=grade, most_bad=_default(place, bad_rate), limit_fen=limit, annual_rate=rate, flow=flow)  # type: ignore[arg-type]  # a literal
        for place, (grade, limit, rate, flow) in enumerate(PLAIN)
    )
    made = [{**row.model_dump(exclude={"most_bad"}), "min_score": _score(meaning.scaling, row.most_bad), "requires": []} for row in rows]
    return {STANDARD: made}


def rescaled(tables: Mapping[str, Sequence[Json]], meaning: Meaning, bad_rate: float) -> Tables:
    """Return a base's price tables on the new scale. Raises BadTraining for grades of the mapping that no table has."""
    known = {grade for name, rows in tables.items() for row in rows for grade in (row["grade"], f"{name}.{row['grade']}")}
    if strange := sorted(set(meaning.grades) - known):
        raise refuse(f"grades.{strange[0]}", "no price table of the base has it", f"use {', '.join(sorted(known))}")
    return {name: [_rescaled(meaning, name, place, row, bad_rate) for place, row in enumerate(rows)] for name, rows in tables.items()}


def _rescaled(meaning: Meaning, table: str, place: int, row: Json, bad_rate: float) -> Json:
    grade = row["grade"]
    most_bad = meaning.grades.get(f"{table}.{grade}") or meaning.grades.get(grade) or _default(place, bad_rate)
    return {**row, "min_score": _score(meaning.scaling, most_bad)}


def _default(place: int, bad_rate: float) -> float:
    return min(MOST_BAD, FIRST_MULTIPLE * 2.0**place * bad_rate)


def _score(scaling: ScalingForm, most_bad: float) -> float:
    return round(scorecards.score_at(scaling, most_bad), 2)


def combination(rows: Sequence[Json], scaling: ScalingForm) -> Json:
    """Return what score and model lead to together, for one price table.

    The score chooses the row. The model, whose bands are the same grades, lengthens the flow to that of its own grade; where it sees more risk than any
    grade allows, a person looks, and the lowest grade is rejected. Below the table only a model that sees the best grade leads to a person.
    """
    scores = [row["min_score"] for row in reversed(rows)]
    bands = [_bad(scaling, row["min_score"]) for row in rows]
    softer: list[Any] = [{"outcome": "pass", "flow": row["flow"]} for row in rows]
    below: list[Any] = [{"outcome": "review", "flow": "extended"}, *["reject"] * len(rows)]
    graded = [[*softer, "reject" if place == 0 else {"outcome": "review", "flow": "extended"}] for place in range(len(rows))]
    return {"score_from": scores, "bad_from": bands, "cells": [below, *graded]}


def _bad(scaling: ScalingForm, score: float) -> float:
    """Return the p(bad) of a score."""
    odds = math.exp((scorecards.offset(scaling) - score) / scorecards.factor(scaling))
    return odds / (1 + odds)
