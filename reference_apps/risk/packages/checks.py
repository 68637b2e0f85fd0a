"""What must hold across the files of a package. Each check names file, place and remedy; none stops at the first fault. Pure."""

import itertools
from collections.abc import Iterator
from datetime import date

from reference_apps.risk.packages import jdm, monotone, tablechecks
from reference_apps.risk.packages.faults import Fault
from reference_apps.risk.packages.model import Characteristic, Missing, Package, Scorecard, Type, Variable
from reference_apps.risk.packages.scoringforms import ModelForm, TreeForm

ORIGINS = ("declared", "pboc", "zhima", "taobao", "jd")
OWN_REASONS = (
    "score_too_low", "no_score", "evidence_missing", "above_cap", "rate_clamped", "cap_warning",
    "source_failed", "combined_review", "combined_reject", "combined_down", "rules_conflict", "no_result", "no_route",
)  # fmt: skip
MOST_LEAVES = 64
MOST_EXACT = 2**53
KINDS = {Type.INTEGER: (int,), Type.NUMBER: (int, float), Type.TEXT: (str,), Type.BOOLEAN: (bool,)}


def faults(package: Package, today: date | None) -> list[Fault]:
    """Say everything that is wrong with a package; empty when it may decide. `today` None: its dates are not looked at."""
    return [
        *_date_faults(package, today),
        *(fault for each in package.variables.values() for fault in _variable_faults(package, each)),
        *tablechecks.faults(package),
        *(fault for each in package.scorecards.values() for fault in _scorecard_faults(package, each)),
        *_model_faults(package),
        *_route_faults(package),
        *_price_faults(package),
        *monotone.faults(package),
        *_reason_faults(package),
    ]


def _date_faults(package: Package, today: date | None) -> Iterator[Fault]:
    begin, until = package.effective_from, package.effective_until
    if begin and until and until < begin:
        yield Fault("manifest.json", "effective", f"it ends on {until}, before it begins", "let until be a later day than from")
    if today and begin and today < begin:
        yield Fault("manifest.json", "effective.from", f"it is in effect from {begin} on, not yet today, {today}", "release it on that day")
    if today and until and today > until:
        yield Fault("manifest.json", "effective.until", f"it was in effect until {until}", "release the package that follows it")


def _variable_faults(package: Package, each: Variable) -> Iterator[Fault]:
    file, known = "variables.json", package.variables
    if each.least is not None and each.most is not None and each.least > each.most:
        yield Fault(file, each.name, f"least {each.least} is above most {each.most}", "swap them")
    if (each.least is not None or each.most is not None) and each.type not in (Type.INTEGER, Type.NUMBER):
        yield Fault(file, each.name, f"a {each.type} has no range", "leave least and most out")
    if each.values and each.type is not Type.TEXT:
        yield Fault(file, each.name, f"a {each.type} has no list of values", "leave values out, or make it text")
    if each.better and each.type is Type.TEXT and not each.values:
        yield Fault(file, each.name, "better needs values in their order", "list the values, worst first")
    if (each.missing is Missing.DEFAULT) != (each.default is not None):
        yield Fault(file, each.name, "missing: default and a default go together", "give both or neither")
    elif each.default is not None and (why := misfit(each, each.default)):
        yield Fault(file, each.name, f"its default does not fit: {why}", "give a default that the variable may have")
    for source in each.sources:
        if source.origin not in ORIGINS:
            yield Fault(file, f"{each.name}.sources", f"there is no source {source.origin}", f"use {', '.join(ORIGINS)}")
    if sum(map(bool, (each.sources, each.sum_of, each.listed))) != 1:
        yield Fault(file, each.name, "it needs exactly one of sources, sum_of and listed", "say where its value comes from")
    for name in (*each.sum_of, *each.listed[:1]) if each.listed else each.sum_of:
        if name not in known or not known[name].sources:
            yield Fault(file, each.name, f"it is made from {name}, which is no variable with sources", "make it from variables with sources")
    if each.listed and each.listed[1] not in package.lists:
        yield Fault(file, each.name, f"no list {each.listed[1]}", "add it to lists.json")
    if each.listed and each.type is not Type.BOOLEAN:
        yield Fault(file, each.name, "whether something is listed is a boolean", 'write "type": "boolean"')


def misfit(variable: Variable, value: object) -> str:
    """Say why a value cannot be one of the variable's; empty when it can."""
    if type(value) not in KINDS[variable.type]:
        return f"{value!r} is no {variable.type}"
    if isinstance(value, int | float):
        if not -MOST_EXACT <= value <= MOST_EXACT:
            return f"{value!r} is beyond what a double holds exactly"
        if variable.least is not None and value < variable.least:
            return f"{value!r} is below {variable.least}"
        if variable.most is not None and value > variable.most:
            return f"{value!r} is above {variable.most}"
    return f"{value!r} is none of {', '.join(variable.values)}" if variable.values and value not in variable.values else ""


def _scorecard_faults(package: Package, card: Scorecard) -> Iterator[Fault]:
    file = f"scorecards {card.name}"
    ids = [each.id for each in card.characteristics]
    for twice in sorted({each for each in ids if ids.count(each) > 1}):
        yield Fault(file, twice, "it stands there twice", "give each its own id")
    for each in card.characteristics:
        yield from (Fault(file, each.id, problem, remedy) for problem, remedy in _characteristic_faults(package, each))


def _characteristic_faults(package: Package, each: Characteristic) -> Iterator[tuple[str, str]]:
    variable = package.variables.get(each.variable)
    if variable is None:
        yield f"there is no variable {each.variable}", "declare it in variables.json"
        return
    points, begins = [one.points for one in each.bins], [one.begin for one in each.bins]
    rising = [one for one in begins if one is not None]
    is_text = variable.type is Type.TEXT
    if is_text and any(begin is not None for begin in begins):
        yield "a text variable has bins of words", "use is instead of from"
    if is_text and (len(words := [word for one in each.bins for word in one.values]) != len(set(words)) or not all(one.values for one in each.bins)):
        yield "a word belongs to exactly one bin, and a bin has words", "correct is"
    if not is_text and (any(one.values for one in each.bins) or rising != sorted(set(rising)) or None in begins[1:]):
        yield "the bins do not rise", "give each bin a higher from than the one before"
    if each.monotone and any(each.monotone * (after - before) < 0 for before, after in itertools.pairwise(points)):
        yield f"declared monotone, but the points {'fall' if each.monotone > 0 else 'rise'}", "correct the points, or declare monotone: no"


def shape_faults(file: str, form: ModelForm) -> Iterator[Fault]:
    """Say where a model's arrays are no trees."""
    for number, tree in enumerate(form.trees):
        for problem in _tree_faults(form, tree):
            yield Fault(file, f"trees.{number}", problem, "write the arrays by node, the root first, children behind their parent")


def _tree_faults(form: ModelForm, tree: TreeForm) -> Iterator[str]:
    size = len(tree.feature)
    arrays = (tree.threshold, tree.missing_left, tree.left, tree.right, tree.value, tree.codes if tree.codes is not None else tree.feature)
    if any(len(each) != size for each in arrays):
        yield "the arrays are not all of the same length"
        return
    inner = [node for node in range(size) if tree.feature[node] != -1]
    if size - len(inner) > MOST_LEAVES:
        yield f"it has more than {MOST_LEAVES} leaves"
    if any(not 0 <= tree.feature[node] < len(form.features) for node in inner):
        yield "a node splits by a feature that is not there"
    elif any(not node < child < size for node in inner for child in (tree.left[node], tree.right[node])):
        yield "a child does not stand behind its parent"
    elif sorted(child for node in inner for child in (tree.left[node], tree.right[node])) != list(range(1, size)):
        yield "a node has not exactly one parent"
    elif wrong := [node for node in inner if not _codes_fit(form, tree, node)]:
        yield f"node {wrong[0]} splits a feature with categories by a threshold, or has codes that are none of its categories'"


def _codes_fit(form: ModelForm, tree: TreeForm, node: int) -> bool:
    codes = tree.codes[node] if tree.codes is not None else None
    return codes is None or (bool(codes) and all(0 <= code < len(form.features[tree.feature[node]].categories) for code in codes))


def _model_faults(package: Package) -> Iterator[Fault]:
    for model in package.models.values():
        file = f"models {model.name}"
        for each in model.features:
            variable = package.variables.get(each.variable)
            if variable is None:
                yield Fault(file, f"features.{each.name}", f"there is no variable {each.variable}", "declare it in variables.json")
            elif (variable.type is Type.TEXT) != bool(each.categories):
                yield Fault(file, f"features.{each.name}", "a text variable, and only that, has categories", "list its categories")
            elif variable.values and not set(each.categories) <= set(variable.values):
                yield Fault(file, f"features.{each.name}", "it has categories that the variable has not", f"use {', '.join(variable.values)}")


def _route_faults(package: Package) -> Iterator[Fault]:
    router, file = package.router, "routes.json"
    if router.default_scene not in router.scenes:
        yield Fault(file, "default_scene", f"{router.default_scene} is no scene", f"use {', '.join(router.scenes)}")
    for at, route in enumerate(router.routes):
        place = f"routes.{at}"
        named = {"scorecard": (route.scorecard, package.scorecards), "model": (route.model, package.models)}
        named |= {"combination": (route.combination, package.combinations), "prices": (route.prices, package.prices)}
        for part, (name, known) in named.items():
            if name is not None and name not in known:
                yield Fault(file, f"{place}.{part}", f"there is no {part} {name}", f"use {', '.join(sorted(known)) or 'none'}")
        if (route.model is None) != (route.combination is None):
            yield Fault(file, place, "model and combination go together", "give both or neither")
        for part, name, all_of_them in (("scene", route.scene, router.scenes), ("segment", route.segment, router.segments)):
            if name != "*" and name not in all_of_them:
                yield Fault(file, f"{place}.{part}", f"there is no {part} {name}", f"use {', '.join(all_of_them)}")
    for scene in router.scenes:
        for segment in router.segments:
            if router.route(scene, segment) is None:
                yield Fault(file, "routes", f"no route for scene {scene}, segment {segment}", 'end with a route for scene "*", segment "*"')


def _price_faults(package: Package) -> Iterator[Fault]:
    for name, table in package.prices.items():
        grades = [row.grade for row in table]
        for row in table:
            for required in row.requires:
                if required not in package.variables:
                    yield Fault("prices.json", f"{name} row {row.grade}", f"requires unknown evidence {required}", "name a variable of variables.json")
        if len(set(grades)) != len(grades):
            yield Fault("prices.json", name, "a grade stands there twice", "give each row its own grade")


def _reason_faults(package: Package) -> list[Fault]:
    rules = {value for each in package.tables for _, value in jdm.literals(each.graph, "reason") if value}
    codes = {*OWN_REASONS, *rules, *(each.id for card in package.scorecards.values() for each in card.characteristics)}
    codes |= {feature.reason for model in package.models.values() for feature in model.features}
    return [Fault("reasons.json", code, "it needs a text in en and zh", "add both") for code in sorted(codes - set(package.reasons))]


