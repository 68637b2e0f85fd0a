"""What four bureaus know of people who do not exist: everything follows from a hash of the customer's id. Pure; the time is an argument.

Each customer has a latent creditworthiness z, standard normal; every figure mixes it with noise of its own, so that the bureaus agree about as much as real
ones do (correlation in brackets).

| bureau | distribution |
|---|---|
| zhima | unknown 8 %; score normal 655 +- 62 (.75), cut to 350..950; answer 0 to 10 days old |
| pboc | unknown 18 %; record by rank (.70): bad 4 %, ordinary 46 %, good 50 %; other debt 0 for 45 %, else lognormal, median 18,000 yuan (-.30), |
| | at most 500,000; queries in six months: 0 to 12 (-.40); answer 0 to 3 days old |
| taobao | unknown 10 %; spend in twelve months lognormal, median 3,500 yuan (.50), at most 200,000; an order a 90 yuan (30 to 150); answer 0 to 20 days old |
| jd | unknown 25 %; median 2,400 yuan (.45), as taobao; an order a 160 yuan (100 to 220) |
"""

import hashlib
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import NormalDist
from typing import Any

NORMAL = NormalDist()
Report = dict[str, Any]
YUAN = 100


@dataclass(frozen=True, slots=True)
class Kind:
    """A bureau: its path below a customer, the share of customers it does not know, how old its answers may be, and what it says."""

    path: str
    unknown: float
    oldest_days: int
    says: Callable[[str], Report]


def uniform(customer: str, what: str) -> float:
    """Return a number of (0, 1) that belongs to this customer and purpose for ever."""
    digest = hashlib.sha256(f"{what}\n{customer}".encode()).digest()
    return (int.from_bytes(digest[:8], "big") + 0.5) / 2**64


def mixed(customer: str, what: str, correlation: float) -> float:
    """Return a standard normal number that has this correlation with the customer's creditworthiness."""
    z, noise = NORMAL.inv_cdf(uniform(customer, "latent")), NORMAL.inv_cdf(uniform(customer, what))
    return correlation * z + math.sqrt(1 - correlation**2) * noise


def lognormal_yuan(customer: str, what: str, median: float, correlation: float, most: float) -> int:
    """Return fen, lognormal with sigma 1, whole yuan."""
    return round(min(most, median * math.exp(mixed(customer, what, correlation)))) * YUAN


def zhima(customer: str) -> Report:
    return {"score": min(950, max(350, round(655 + 62 * mixed(customer, "zhima", 0.75))))}


def pboc(customer: str) -> Report:
    rank = NORMAL.cdf(mixed(customer, "pboc", 0.70))
    has_debt = uniform(customer, "has debt") >= 0.45
    return {
        "record": "bad" if rank < 0.04 else "ordinary" if rank < 0.50 else "good",
        "other_debt_fen": lognormal_yuan(customer, "debt", 18_000, -0.30, 500_000) if has_debt else 0,
        "queries_6m": min(12, max(0, round(2 + 2 * mixed(customer, "queries", -0.40)))),
    }


def taobao(customer: str) -> Report:
    return _shopping(customer, "taobao", 3_500, 0.50, 90)


def jd(customer: str) -> Report:
    return _shopping(customer, "jd", 2_400, 0.45, 160)


def _shopping(customer: str, shop: str, median: float, correlation: float, order: float) -> Report:
    spend_fen = lognormal_yuan(customer, shop, median, correlation, 200_000)
    price = order + 60 * (2 * uniform(customer, f"{shop} order") - 1)
    return {"orders_12m": math.ceil(spend_fen / YUAN / price), "spend_12m_fen": spend_fen}


KINDS: Mapping[str, Kind] = {
    "zhima": Kind("score", 0.08, 10, zhima),
    "pboc": Kind("credit-record", 0.18, 3, pboc),
    "taobao": Kind("shopping", 0.10, 20, taobao),
    "jd": Kind("shopping", 0.25, 20, jd),
}


def report(name: str, customer: str, now: datetime) -> Report | None:
    """Return what a bureau says of a customer; None: it does not know him."""
    kind = KINDS[name]
    if uniform(customer, f"{name} knows") < kind.unknown:
        return None
    age = timedelta(days=int(uniform(customer, f"{name} age") * (kind.oldest_days + 1)))
    as_of = (now - age).replace(hour=0, minute=0, second=0, microsecond=0)
    return {"customer_id": customer, "as_of": as_of.isoformat(), **kind.says(customer)}
