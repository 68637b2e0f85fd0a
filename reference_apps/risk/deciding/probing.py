"""Better evidence never gets less, tried out: pairs of questions that differ in one piece of evidence, around every value where the package could turn.

The checks on loading prove it part by part; this looks at the whole, rules, routes and combinations included. Deterministic.
"""

import re
from collections.abc import Iterator, Sequence
from random import Random

from reference_apps.risk.deciding.decider import Decider
from reference_apps.risk.deciding.many import Setting, decide_all
from reference_apps.risk.deciding.tables import STRICTER
from reference_apps.risk.model import Decision, Fact, Facts
from reference_apps.risk.packages import jdm
from reference_apps.risk.packages.faults import Fault
from reference_apps.risk.packages.model import Better, Package, Type, Variable

PAIRS, UNKNOWN_SHARE = 250, 0.15
MOST_FAULTS = 5
NUMBERS = re.compile(r"-?\d+(?:\.\d+)?")


def faults(decider: Decider, pairs: int = PAIRS) -> list[Fault]:
    """Try so many pairs per scene, price table that matters there and piece of evidence; return the first pairs in which better evidence got less."""
    package = decider.package
    tried = {name: turns(package, each) for name, each in package.variables.items() if each.sources}
    evidence = [each for each in package.variables.values() if each.better and each.sources and len(tried[each.name]) > 1]
    found: list[Fault] = []
    for scene, table in _settings(package):
        dice = Random(f"{scene} {table}")
        asked = [(each, _facts(tried, dice), _step(each, tried[each.name], dice)) for each in evidence for _ in range(pairs)]
        found += _tried(decider, Setting(scene, table), asked)
    return found[:MOST_FAULTS]


def _settings(package: Package) -> list[tuple[str, str]]:
    """Return the scenes with the price tables that make a difference there."""
    default = next(iter(package.prices))
    routes = {scene: [package.router.route(scene, segment) for segment in package.router.segments] for scene in package.router.scenes}
    open_scenes = {scene for scene, found in routes.items() if any(route and route.prices is None for route in found)}
    return [(scene, table) for scene in package.router.scenes for table in (package.prices if scene in open_scenes else (default,))]


def turns(package: Package, variable: Variable) -> list[Fact]:
    """Return values around every place where the package could treat a variable otherwise, ascending; words in their order."""
    if variable.type is Type.TEXT:
        return list(variable.values) or ["probe"]
    if variable.type is Type.BOOLEAN:
        return [False, True]
    whole = variable.type is Type.INTEGER
    around = {value + by for value in _places(package, variable) for by in (-1, 0, 1)}
    low = variable.least if variable.least is not None else min(around, default=0)
    high = variable.most if variable.most is not None else max(around, default=0)
    inside = {min(max(value, low), high) for value in (*around, low, high)}
    return [int(value) if whole else float(value) for value in sorted(inside)]


def _places(package: Package, variable: Variable) -> Iterator[float]:
    names = {variable.name, *(each.name for each in package.variables.values() if variable.name in each.sum_of)}
    for card in package.scorecards.values():
        yield from (one.begin for each in card.characteristics if each.variable in names for one in each.bins if one.begin is not None)
    for model in package.models.values():
        asked = {at for at, feature in enumerate(model.features) if feature.variable in names}
        yield from (tree.threshold[node] for tree in model.trees for node, feature in enumerate(tree.feature) if feature in asked)
    for table in package.tables:
        content = jdm.table(table.graph)
        cells = [rule.get(column["id"], "") for column in content["inputs"] if column.get("field") in names for rule in content["rules"]]
        yield from (float(number) for cell in cells for number in NUMBERS.findall(cell.replace("..", " ")))


def _facts(tried: dict[str, list[Fact]], dice: Random) -> dict[str, Fact]:
    return {name: None if dice.random() < UNKNOWN_SHARE else dice.choice(values) for name, values in tried.items()}


def _step(variable: Variable, values: Sequence[Fact], dice: Random) -> tuple[Fact, Fact]:
    """Return a worse and a better value."""
    low, high = sorted(dice.sample(range(len(values)), 2))
    return (values[low], values[high]) if variable.better is Better.HIGHER else (values[high], values[low])


def _tried(decider: Decider, setting: Setting, asked: Sequence[tuple[Variable, Facts, tuple[Fact, Fact]]]) -> Iterator[Fault]:
    worse = decide_all(decider, [{**known, each.name: low} for each, known, (low, _) in asked], setting)
    better = decide_all(decider, [{**known, each.name: high} for each, known, (_, high) in asked], setting)
    for (each, known, (low, high)), before, after in zip(asked, worse, better, strict=True):
        if gets_less(before, after):
            where = f"scene {setting.scene}, prices {setting.table}"
            problem = f"{each.name} {high!r} gets less than {low!r} with {dict(known)!r}: {_said(after)} against {_said(before)}"
            yield Fault(where, each.name, problem, "better evidence must never get less: correct rules, bands or prices")


def gets_less(worse: Decision, better: Decision) -> bool:
    """Whether the better evidence got a lower limit, a higher cost or a stricter outcome."""
    if STRICTER[better.outcome] > STRICTER[worse.outcome]:
        return True
    if worse.offer is None:
        return False
    return better.offer is None or better.offer.limit_fen < worse.offer.limit_fen or better.offer.irr12 > worse.offer.irr12


def _said(made: Decision) -> str:
    return str(made.outcome) if made.offer is None else f"{made.outcome} {made.offer.limit_fen} fen at {made.offer.annual_rate}"
