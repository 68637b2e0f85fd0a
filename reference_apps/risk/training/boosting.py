"""Gradient-boosted trees by LightGBM, the same each time: fixed seeds, one thread. Trees come out as flat arrays that are evaluated without the library."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from reference_apps.risk.measures.vectors import Vector
from reference_apps.risk.training.evaluation import Rows, stratified
from reference_apps.risk.training.faults import refuse
from reference_apps.risk.training.mapping import Mapping as Meaning
from reference_apps.risk.training.mapping import VariableForm
from reference_apps.risk.training.table import Table

MOST_ROUNDS, PATIENCE = 1000, 50
LEARNING_FOLDS, FEW_BADS = 5, 1000
SYSTEM_LIBRARY = "LightGBM needs the system library libgomp (Debian: apt-get install libgomp1) and pip install 'msxfctl[train]'"
Json = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Feature:
    """An input: its variable and, for words, the categories whose place is the code. `is_ordered`: the places mean more or less."""

    variable: VariableForm
    categories: tuple[str, ...] = ()

    @property
    def is_ordered(self) -> bool:
        return not self.categories or self.variable.better is not None

    @property
    def way(self) -> int:
        """Return how p(bad) goes with it: +1 up, -1 down, 0 either."""
        return {"higher": -1, "lower": 1, None: 0}[self.variable.better]


@dataclass(frozen=True, slots=True, kw_only=True)
class Boosted:
    """A trained model."""

    features: tuple[Feature, ...]
    booster: Any
    rounds: int

    def log_odds(self, table: Table) -> Vector:
        """Return the raw margin, ln odds of bad, for each row."""
        margin: Vector = self.booster.predict(inputs(self.features, table), raw_score=True)
        return margin

    def gains(self) -> dict[str, float]:
        """Return each variable's share of the gain of all splits."""
        gains = self.booster.feature_importance("gain")
        return {each.variable.name: float(gain / max(gains.sum(), 1e-300)) for each, gain in zip(self.features, gains, strict=True)}


def library() -> Any:
    """Return LightGBM. Raises BadTraining where it is not there or cannot be loaded."""
    try:
        import lightgbm
    except (ImportError, OSError) as error:
        raise refuse("lightgbm", f"it cannot be loaded: {error}", SYSTEM_LIBRARY) from error
    return lightgbm


def fit(table: Table, meaning: Meaning, *, seed: int) -> Boosted:
    """Fit trees to all rows; their number is what loses least on a fifth of the rows held out, or on each fifth in turn where bads are few.

    Raises BadTraining without the library.
    """
    features = tuple(_feature(each, table) for each in meaning.variables if each.in_model)
    parameters = _parameters(features, table, seed)
    folds = stratified(table.bad, LEARNING_FOLDS, seed)[: LEARNING_FOLDS if table.bads < FEW_BADS else 1]
    rounds = _rounds(_dataset(features, table, parameters), parameters, folds)
    booster = library().train(parameters, _dataset(features, table, parameters), rounds)
    return Boosted(features=features, booster=booster, rounds=rounds)


def _rounds(data: Any, parameters: Json, folds: Sequence[Rows]) -> int:
    """Return the number of trees with the least loss on rows held out."""
    size = data.construct().num_data()
    parts = [(np.setdiff1d(np.arange(size), held), held) for held in folds]
    stop = library().early_stopping(PATIENCE, verbose=False)
    found = library().cv(parameters, data, MOST_ROUNDS, folds=parts, callbacks=[stop])
    return max(1, int(np.argmin(found["valid binary_logloss-mean"])) + 1)


def inputs(features: Sequence[Feature], table: Table) -> Vector:
    """Return the model's inputs, a column for each feature; NaN is missing, and so is a word that is no category."""
    return np.column_stack([_codes(each, table.columns[each.variable.name]) for each in features])


def _feature(variable: VariableForm, table: Table) -> Feature:
    if variable.type != "text":
        return Feature(variable=variable)
    seen = {word for word in table.columns[variable.name].tolist() if word is not None}
    return Feature(variable=variable, categories=variable.values or tuple(sorted(seen)))


def _codes(feature: Feature, column: npt.NDArray[Any]) -> Vector:
    if not feature.categories:
        return column.astype(np.float64)
    code = {word: float(at) for at, word in enumerate(feature.categories)}
    return np.array([code.get(word, np.nan) for word in column.tolist()])


def _parameters(features: Sequence[Feature], table: Table, seed: int) -> Json:
    """Return what LightGBM is told; trees are small where there is little to learn from."""
    is_small = table.bads < FEW_BADS
    return {
        "objective": "binary", "metric": "binary_logloss", "verbosity": -1, "feature_pre_filter": False,
        "seed": seed, "deterministic": True, "force_row_wise": True, "num_threads": 1,
        "learning_rate": 0.03 if is_small else 0.05, "num_leaves": 6 if is_small else 20, "min_data_in_leaf": 15 if is_small else 60,
        "lambda_l2": 5.0 if is_small else 10.0, "feature_fraction": 0.4 if is_small else 0.6, "bagging_fraction": 0.8, "bagging_freq": 1,
        "max_cat_to_onehot": 8, "cat_smooth": 10, "min_data_per_group": 20,
        "monotone_constraints": [each.way for each in features], "monotone_constraints_method": "basic",
    }  # fmt: skip


def _dataset(features: Sequence[Feature], table: Table, parameters: Json) -> Any:
    names = [each.variable.name for each in features]
    words = [each.variable.name for each in features if not each.is_ordered]
    return library().Dataset(inputs(features, table), table.bad, feature_name=names, categorical_feature=words, params=parameters, free_raw_data=False)


def trees(boosted: Boosted) -> list[Json]:
    """Return the trees as arrays by node: the root first, children behind their parent."""
    return [_flat(each["tree_structure"]) for each in boosted.booster.dump_model()["tree_info"]]


def _flat(root: Json) -> Json:
    tree: Json = {name: [] for name in ("feature", "threshold", "codes", "missing_left", "left", "right", "value")}
    _append(tree, root)
    if not any(tree["codes"]):
        del tree["codes"]
    return tree


def _append(tree: Json, node: Json) -> int:
    """Append a node and all below it; return its number."""
    number = len(tree["feature"])
    row: Json = {"feature": -1, "threshold": 0.0, "codes": None, "missing_left": False, "left": -1, "right": -1, "value": _mean(node)}
    if "split_feature" in node:
        is_words = node["decision_type"] == "=="
        codes = sorted(int(code) for code in str(node["threshold"]).split("||")) if is_words else None
        threshold = 0.0 if is_words else float(node["threshold"])
        row |= {"feature": node["split_feature"], "threshold": threshold, "codes": codes, "missing_left": not is_words and _missing_left(node)}
    for name, value in row.items():
        tree[name].append(value)
    if "split_feature" in node:
        tree["left"][number] = _append(tree, node["left_child"])
        tree["right"][number] = _append(tree, node["right_child"])
    return number


def _missing_left(node: Json) -> bool:
    """A feature that was never missing in training has missing type None: LightGBM then takes a missing value for 0."""
    if node["missing_type"] == "NaN":
        return bool(node["default_left"])
    assert node["missing_type"] == "None", "zero_as_missing is off"
    return bool(float(node["threshold"]) >= 0)


def _mean(node: Json) -> float:
    """Return a leaf's value, or the mean of the training rows below a node."""
    return _sums(node)[0] if "split_feature" in node else float(node["leaf_value"])


def _sums(node: Json) -> tuple[float, int]:
    """Return the mean of the rows below a node and their number."""
    if "split_feature" not in node:
        return float(node["leaf_value"]), int(node.get("leaf_count", 1))
    (left, left_n), (right, right_n) = _sums(node["left_child"]), _sums(node["right_child"])
    return (left * left_n + right * right_n) / max(1, left_n + right_n), left_n + right_n
