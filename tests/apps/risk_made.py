"""Packages and facts made for tests: deterministic forests of any size, scorecards of both kinds, and questions around every turn."""

import json
from random import Random
from typing import Any

from reference_apps.risk.model import Fact
from reference_apps.risk.packages import reading, writing
from reference_apps.risk.packages.model import Package

Documents = dict[str, Any]
THRESHOLDS = {0: [400.0, 549.5, 650.0, 650.5, 780.0], 1: [], 2: [0.5, 49_999.5, 1e6], 3: [22.5, 30.0, 49.5], 4: [1e6, 5e6, 1.2e7]}


def documents() -> Documents:
    return {name: json.loads(content) for name, content in reading.contents(reading.SHIPPED).items() if name.endswith(".json")}


def parsed(made: Documents) -> Package:
    return reading.parse({name: writing.encoded(each) for name, each in made.items()}, "here")


def tree(dice: Random, leaves: int, features: int = 5) -> Documents:
    """Grow a tree by splitting random leaves: node values are doubles with all their digits."""
    arrays: Documents = {name: [] for name in ("feature", "threshold", "codes", "missing_left", "left", "right", "value")}

    def node() -> int:
        for name, empty in (("feature", -1), ("threshold", 0.0), ("codes", None), ("missing_left", dice.random() < 0.5), ("left", -1), ("right", -1)):
            arrays[name].append(empty)
        arrays["value"].append(dice.gauss(0, 0.1))
        return len(arrays["value"]) - 1

    open_leaves = [node()]
    while len(open_leaves) < leaves:
        at = open_leaves.pop(dice.randrange(len(open_leaves)))
        feature = dice.randrange(features)
        arrays["feature"][at] = feature
        if feature == 1:
            arrays["codes"][at] = sorted(dice.sample(range(4), dice.randint(1, 3)))
        else:
            arrays["threshold"][at] = dice.choice(THRESHOLDS[feature])
        arrays["left"][at], arrays["right"][at] = node(), node()
        open_leaves += [arrays["left"][at], arrays["right"][at]]
    return arrays


def with_forest(trees: int, leaves: int, seed: int = 1) -> Package:
    """Return the shipped package with a random forest, and with nothing said about which way evidence is better."""
    dice, made = Random(seed), documents()
    for each in made["variables.json"]["variables"]:
        each.pop("better", None)
    features = [feature | {"monotone": "no"} for feature in made["models/main.json"]["features"]]
    made["models/main.json"] = {"kind": "gbdt", "base": -1.5, "features": features, "trees": [tree(dice, dice.randint(1, leaves)) for _ in range(trees)]}
    return parsed(made)


def facts(dice: Random) -> dict[str, Fact]:
    """Return what may be known of somebody: missing values, values at the turns, values between them."""
    return {
        "customer_id": dice.choice(["blacklisted-1", *(f"c{dice.randrange(1000)}" for _ in range(20))]),
        "age": dice.randint(15, 65),
        "zhima_score": dice.choice([None, 400, 549, 550, 650, *(dice.randint(350, 950) for _ in range(6))]),
        "pboc_record": dice.choice([None, "bad", "none", "ordinary", "good", "good"]),
        "taobao": dice.choice([None, 0, 1, 50_000, dice.randint(0, 3_000_000)]),
        "jd": dice.choice([None, 0, dice.randint(0, 3_000_000)]),
        "other_debt_fen": dice.choice([None, 0, 0, 1_000_000, dice.randint(0, 21_000_000)]),
        "amount_fen": dice.choice([None, 9_999, 500_000, 500_000]),
        "periods": dice.choice([6, 12, 12, 12, 36, 37]),
    }
