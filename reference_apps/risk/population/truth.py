"""The true risk of the made-up population: a known logistic of the fields plus what no field shows. Pure.

ln odds of bad = -4.05 + the sum of

| effect | of |
|---|---|
| -.0090 (zhima - 640) | of those without a score +.35 |
| +1.40, +.25, 0, -.45 | record bad, none, ordinary, good |
| +.10 queries, at most 8 of them | |
| +.012 (utilisation - 30) | thick segment only |
| +.45 ln(1 + other debt / month's income) | |
| +.16 lenders of 3 months, at most 6 of them | |
| -.22 ln((taobao + jd) / 8,000.00), within 2.5 of 0 | twice that in the thin segment; without any data +.30 |
| +.35 below 23, +.10 above 50 | age |
| -.15 ln((1 + employed) / 37) | self-employed: +.10 |
| -.12 ln((1 + device months) / 17) | |
| +.35 ln(instalment / (.10 month's income)), within 1.5 of 0 | instalment: amount / periods |
| cash +.20, 3c -.10, rent +.10 | scene |
| +.15 t | t from 0 (first month) to 1 (last): times get harder |
| .45 N | what no field shows |
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from reference_apps.risk.population.distributions import Vector

BASE = -4.05
RECORD = {"bad": 1.40, "none": 0.25, "ordinary": 0.0, "good": -0.45}
SCENE = {"cash": 0.20, "3c": -0.10, "rent": 0.10}
LAST_MONTH = 23
UNSEEN = 0.45

Columns = Mapping[str, npt.NDArray[Any]]


def probability(customers: Columns, unseen: Vector) -> Vector:
    """Return the true probability of bad; `unseen` is the standard normal part that no field shows."""
    log_odds = BASE + _bureau(customers) + _debts(customers) + _life(customers) + _application(customers) + UNSEEN * unseen
    true: Vector = 1 / (1 + np.exp(-log_odds))
    return true


def _bureau(customers: Columns) -> Vector:
    zhima, used = customers["zhima_score"], customers["pboc_utilisation_pct"]
    effect: Vector = np.where(np.isnan(zhima), 0.35, -0.009 * (zhima - 640))
    effect = effect + _by_word(customers["pboc_record"], RECORD)
    effect = effect + 0.10 * np.minimum(np.nan_to_num(customers["pboc_queries_6m"]), 8)
    return effect + np.where(np.isnan(used), 0.0, 0.012 * (used - 30))


def _debts(customers: Columns) -> Vector:
    instalment = customers["amount_fen"] / customers["periods"]
    strain = np.clip(np.log(instalment / (0.1 * customers["income_fen"])), -1.5, 1.5)
    debt = np.log1p(customers["other_debt_fen"] / customers["income_fen"])
    effect: Vector = 0.45 * debt + 0.16 * np.minimum(customers["lenders_3m"], 6) + 0.35 * strain
    return effect


def _life(customers: Columns) -> Vector:
    age, employed = customers["age"], customers["employed_months"]
    spend = np.nan_to_num(customers["taobao"]) + np.nan_to_num(customers["jd"])
    steepness = np.where(customers["pboc_record"] == "none", 0.44, 0.22)
    shopping = np.where(spend > 0, -steepness * np.clip(np.log(np.maximum(spend, 1) / 800_000), -2.5, 2.5), 0.30)
    work = np.where(employed < 0, 0.10, -0.15 * np.log((1 + np.maximum(employed, 0)) / 37))
    effect: Vector = shopping + work + 0.35 * (age < 23) + 0.10 * (age > 50) - 0.12 * np.log((1 + customers["device_months"]) / 17)
    return effect


def _application(customers: Columns) -> Vector:
    effect: Vector = _by_word(customers["scene"], SCENE) + 0.15 * customers["month"] / LAST_MONTH
    return effect


def _by_word(words: npt.NDArray[Any], effects: Mapping[str, float]) -> Vector:
    total = np.zeros(words.size)
    for word, effect in effects.items():
        total += effect * (words == word)
    return total
