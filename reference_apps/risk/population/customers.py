"""A made-up population of borrowers whose true risk is known: fields as a lender sees them, drawn from the distributions written here. Nobody real is in it.

`q` is a customer's hidden quality, standard normal; N and U are fresh standard normal and uniform numbers each time. Money is fen.

| field | distribution |
|---|---|
| vintage | month of application, uniform over the 24 months from 2025-01 |
| scene | cash .30 + .15 t, 3c .28 - .05 t, instalment .20 - .05 t, rent .12 - .03 t, beauty .10 - .02 t; t from 0 (first month) to 1 (last) |
| age | 18 + 42 U^1.5, whole years |
| income_fen | month: 6,500.00 exp(.22 q + .40 N), to 100.00 |
| employed_months | 36 exp(.25 q + .8 N), 0 to 480; -9 for the self-employed (12 %) |
| zhima_score | 640 + 38 q + 42 N, 350 to 950; not authorised: 7 % |
| pboc_record | .55 q + N: below -1.9 bad, below -.35 none, below .55 ordinary, else good |
| pboc_queries_6m | 1.8 exp(-.45 q + .7 N), 0 to 40; unknown without a record |
| pboc_utilisation_pct | 100 / (1 + exp(.7 + .5 q + N)); unknown without a record |
| other_debt_fen | 9,000.00 exp(-.30 q + .9 N), to 100.00; none: 35 % |
| lenders_3m | .9 exp(-.5 q + .8 N), 0 to 20 |
| taobao, jd | spend of 12 months: 5,200.00 exp(.30 q + .9 N), 3,400.00 exp(.25 q + 1.0 N), to 1.00; no data: 18 %, 34 % |
| orders_12m | 34 exp(.2 q + .7 N), 0 to 2,000; unknown where taobao is |
| device_months | 16 exp(.2 q + .8 N), 0 to 120 |
| amount_fen | 2,400.00 exp(.5 N), 500.00 to 50,000.00, to 100.00 |
| periods | 3 .15, 6 .25, 9 .10, 12 .40, 24 .10 |
| segment | thin without a central-bank record, else thick |
| bad | 1 with the true probability; see `truth` |
| worst_dpd | bad: 30 + 150 U^2; good: 1 to 29 for 14 %, else 0; whole days |
"""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from reference_apps.risk.population import truth
from reference_apps.risk.population.distributions import Stream, Vector, clipped, hidden, stepped

CHUNK = 10_000
MONTHS = 24
FIRST_YEAR = 2025
SCENES = ("cash", "3c", "instalment", "rent", "beauty")
SELF_EMPLOYED = -9
FIELDS = (
    "customer_id", "vintage", "scene", "segment", "age", "income_fen", "employed_months", "zhima_score", "pboc_record", "pboc_queries_6m",
    "pboc_utilisation_pct", "other_debt_fen", "lenders_3m", "taobao", "jd", "orders_12m", "device_months", "amount_fen", "periods", "bad", "worst_dpd",
)  # fmt: skip

Column = npt.NDArray[Any]
Columns = Mapping[str, Column]


def chunks(n: int, seed: int) -> Iterator[Columns]:
    """Yield n customers in columns, 10,000 at a time. The first k of a seed are the same whatever n is. Raises ValueError for n or seed below 0."""
    if n < 0 or seed < 0:
        raise ValueError(f"a population has n and seed from 0 on, not n {n} and seed {seed}")
    for at in range(0, n, CHUNK):
        whole = _chunk(seed, at // CHUNK)
        yield {name: column[: n - at] for name, column in whole.items()}


def _chunk(seed: int, number: int) -> dict[str, Column]:
    stream = Stream(seed, number, CHUNK)
    quality = stream.normal()
    made = _application(stream, number) | _person(stream, quality) | _bureau(stream, quality) | _shopping(stream, quality)
    made["segment"] = np.where(made["pboc_record"] == "none", "thin", "thick").astype(object)
    made["probability"] = truth.probability(made, stream.normal())
    made["bad"] = stream.chance(made["probability"]).astype(np.int64)
    made["worst_dpd"] = _days_past_due(stream, made["bad"])
    return made


def _application(stream: Stream, number: int) -> dict[str, Column]:
    month = np.floor(stream.uniform() * MONTHS).astype(np.int64)
    years, months = FIRST_YEAR + month // 12, month % 12 + 1
    return {
        "customer_id": np.array([f"C{number * CHUNK + at:09d}" for at in range(stream.size)], dtype=object),
        "month": month,
        "vintage": np.array([f"{year}-{one:02d}" for year, one in zip(years.tolist(), months.tolist(), strict=True)], dtype=object),
        "scene": _scene(stream.uniform(), month / (MONTHS - 1)),
        "amount_fen": np.clip(stepped(240_000 * np.exp(0.5 * stream.normal()), 10_000), 50_000, 5_000_000),
        "periods": np.array([3, 6, 9, 12, 24])[np.searchsorted([0.15, 0.40, 0.50, 0.90], stream.uniform(), side="right")],
    }


def _scene(drawn: Vector, passed: Vector) -> Column:
    """Cash grows at the cost of the others while time passes."""
    bounds = np.cumsum([0.30 + 0.15 * passed, 0.28 - 0.05 * passed, 0.20 - 0.05 * passed, 0.12 - 0.03 * passed], axis=0)
    scene: Column = np.asarray(SCENES, dtype=object)[(drawn >= bounds).sum(axis=0)]
    return scene


def _person(stream: Stream, quality: Vector) -> dict[str, Column]:
    employed = clipped(36 * np.exp(0.25 * quality + 0.8 * stream.normal()), 0, 480)
    return {
        "age": 18 + np.floor(42 * stream.uniform() ** 1.5).astype(np.int64),
        "income_fen": stepped(650_000 * np.exp(0.22 * quality + 0.40 * stream.normal()), 10_000),
        "employed_months": np.where(stream.chance(0.12), SELF_EMPLOYED, employed),
        "device_months": clipped(16 * np.exp(0.2 * quality + 0.8 * stream.normal()), 0, 120),
    }


def _bureau(stream: Stream, quality: Vector) -> dict[str, Column]:
    zhima = clipped(640 + 38 * quality + 42 * stream.normal(), 350, 950)
    standing = 0.55 * quality + stream.normal()
    record = np.asarray(["bad", "none", "ordinary", "good"], dtype=object)[np.searchsorted([-1.9, -0.35, 0.55], standing, side="right")]
    unknown = record == "none"
    debt = stepped(900_000 * np.exp(-0.30 * quality + 0.9 * stream.normal()), 10_000)
    return {
        "zhima_score": hidden(zhima, stream.chance(0.07)),
        "pboc_record": record,
        "pboc_queries_6m": hidden(clipped(1.8 * np.exp(-0.45 * quality + 0.7 * stream.normal()), 0, 40), unknown),
        "pboc_utilisation_pct": hidden(clipped(100 / (1 + np.exp(0.7 + 0.5 * quality + stream.normal())), 0, 100), unknown),
        "other_debt_fen": np.where(stream.chance(0.35), 0, debt),
        "lenders_3m": clipped(0.9 * np.exp(-0.5 * quality + 0.8 * stream.normal()), 0, 20),
    }


def _shopping(stream: Stream, quality: Vector) -> dict[str, Column]:
    without = stream.chance(0.18)
    return {
        "taobao": hidden(stepped(520_000 * np.exp(0.30 * quality + 0.9 * stream.normal()), 100), without),
        "jd": hidden(stepped(340_000 * np.exp(0.25 * quality + 1.0 * stream.normal()), 100), stream.chance(0.34)),
        "orders_12m": hidden(clipped(34 * np.exp(0.2 * quality + 0.7 * stream.normal()), 0, 2000), without),
    }


def _days_past_due(stream: Stream, bad: Column) -> Column:
    late, short, some = np.floor(30 + 150 * stream.uniform() ** 2), 1 + np.floor(29 * stream.uniform()), stream.chance(0.14)
    return np.where(bad == 1, late, np.where(some, short, 0)).astype(np.int64)
