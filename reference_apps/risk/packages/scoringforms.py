"""The shapes of scorecards and models, checked by pydantic at the door and turned into values; points of WoE bins are computed here, once."""

import math
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, StrictBool, StrictFloat, StrictInt

from reference_apps.risk.packages.forms import Form, Given, Number, Variables
from reference_apps.risk.packages.model import Bin, Characteristic, Feature, Model, Scaling, Scorecard, Tree

Double = Annotated[StrictFloat | StrictInt, Field(allow_inf_nan=False)]


class BinForm(Form):
    """A bin: `from` for numbers (left out on the first: from the least on), `is` for words; `points` or `woe`, whichever kind the scorecard has."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    begin: Number | None = Field(default=None, alias="from")
    words: tuple[str, ...] = Field(default=(), alias="is")
    points: Number | None = None
    woe: Number | None = None
    good: StrictInt | None = None
    bad: StrictInt | None = None


class SpecialForm(Form):
    """A special value with a bin of its own."""

    value: Given
    points: Number | None = None
    woe: Number | None = None
    good: StrictInt | None = None
    bad: StrictInt | None = None


class CharacteristicForm(Form):
    """A variable's bins. `monotone`: up, down or no."""

    id: Variables
    variable: Variables
    required: StrictBool = False
    monotone: Literal["up", "down", "no"] = "no"
    coefficient: Number | None = None
    missing: BinForm
    special: tuple[SpecialForm, ...] = ()
    bins: list[BinForm] = Field(min_length=1)


class ScalingForm(Form):
    pdo: Annotated[Number, Field(gt=0)]
    base_score: Number
    base_odds: Annotated[Number, Field(gt=0)]


class ScorecardForm(Form):
    """scorecards/*.json. `points`: base and points as given; `woe`: intercept, coefficients and WoE, scaled; `rounding` whole: each bin once."""

    kind: Literal["points", "woe"]
    base: Number | None = None
    intercept: Number | None = None
    scaling: ScalingForm | None = None
    rounding: Literal["exact", "whole"] = "exact"
    characteristics: list[CharacteristicForm] = Field(min_length=1)

    def faults(self) -> list[tuple[str, str]]:
        """Return what the kind asks for and is not there, each as (place, fault)."""
        if self.kind == "points":
            found = [] if self.base is not None else [("base", "a scorecard with points needs base")]
        else:
            needed = ("intercept", "scaling")
            found = [(name, f"a scorecard with woe needs {name}") for name in needed if getattr(self, name) is None]
            found += [(f"{each.id}.coefficient", "a scorecard with woe needs it") for each in self.characteristics if each.coefficient is None]
        for each in self.characteristics:
            bins: list[tuple[str, Any]] = [("missing", each.missing), *((f"special.{at}", one) for at, one in enumerate(each.special))]
            bins += [(f"bins.{at}", one) for at, one in enumerate(each.bins)]
            found += [(f"{each.id}.{place}", f"{self.kind} is missing") for place, one in bins if getattr(one, self.kind) is None]
        return found

    def to_model(self, name: str) -> Scorecard:
        """Return the scorecard; call it only when `faults` found none."""
        scaling = Scaling(**{each: float(value) for each, value in self.scaling.model_dump().items()}) if self.scaling else None
        characteristics = tuple(self._characteristic(each) for each in self.characteristics)
        base = float(self.base or 0) if self.kind == "points" else 0.0
        points = [base, *(one.points for each in characteristics for one in (each.missing, *each.bins, *(bin for _, bin in each.special)))]
        whole = all(float(each).is_integer() for each in points)
        return Scorecard(name=name, base=base, is_integer=whole, scaling=scaling, characteristics=characteristics)

    def _characteristic(self, form: CharacteristicForm) -> Characteristic:
        begins = [each.begin for each in form.bins]
        bins = tuple(self._bin(form, each, _label(each, begins[at + 1] if at + 1 < len(begins) else None)) for at, each in enumerate(form.bins))
        special = tuple((each.value, self._bin(form, each, str(each.value))) for each in form.special)
        monotone = {"up": 1, "down": -1, "no": 0}[form.monotone]
        missing = self._bin(form, form.missing, "missing")
        return Characteristic(id=form.id, variable=form.variable, required=form.required, monotone=monotone, missing=missing, special=special, bins=bins)

    def _bin(self, characteristic: CharacteristicForm, form: BinForm | SpecialForm, label: str) -> Bin:
        points = float(form.points or 0) if self.kind == "points" else self._scaled(characteristic, float(form.woe or 0))
        begin, words = (form.begin, tuple(form.words)) if isinstance(form, BinForm) else (None, ())
        return Bin(label=label, points=points, begin=None if begin is None else float(begin), values=words, woe=None if form.woe is None else float(form.woe))

    def _scaled(self, characteristic: CharacteristicForm, woe: float) -> float:
        """Return the points of a bin: -F*b*WoE plus its share of offset and intercept (Siddiqi)."""
        assert self.scaling is not None
        factor = self.scaling.pdo / math.log(2)
        offset = self.scaling.base_score - factor * math.log(self.scaling.base_odds)
        points = -factor * float(characteristic.coefficient or 0) * woe + (offset - factor * float(self.intercept or 0)) / len(self.characteristics)
        return float(math.floor(points + 0.5)) if self.rounding == "whole" else points


class FeatureForm(Form):
    """An input of a model; `reason` left out: the variable's name is the code."""

    name: Variables
    variable: Variables
    reason: str = ""
    categories: tuple[str, ...] = ()
    monotone: Literal["up", "down", "no"] = "no"

    def to_model(self) -> Feature:
        monotone = {"up": 1, "down": -1, "no": 0}[self.monotone]
        return Feature(name=self.name, variable=self.variable, reason=self.reason or self.variable, categories=tuple(self.categories), monotone=monotone)


class TreeForm(Form):
    """A tree; all arrays are as long as it has nodes. `codes` may be left out where no node splits by category."""

    feature: list[StrictInt] = Field(min_length=1)
    threshold: list[Double]
    codes: list[list[StrictInt] | None] | None = None
    missing_left: list[StrictBool]
    left: list[StrictInt]
    right: list[StrictInt]
    value: list[Double]

    def to_model(self) -> Tree:
        codes = self.codes or [None] * len(self.feature)
        numbers: dict[str, Any] = {name: tuple(float(each) for each in getattr(self, name)) for name in ("threshold", "value")}
        plain: dict[str, Any] = {name: tuple(getattr(self, name)) for name in ("feature", "missing_left", "left", "right")}
        return Tree(codes=tuple(None if each is None else frozenset(each) for each in codes), **numbers, **plain)


class ModelForm(Form):
    """models/*.json."""

    kind: Literal["gbdt"]
    base: Double = 0.0
    features: list[FeatureForm] = Field(min_length=1)
    trees: list[TreeForm] = Field(min_length=1)

    def to_model(self, name: str) -> Model:
        features = tuple(each.to_model() for each in self.features)
        return Model(name=name, base=float(self.base), features=features, trees=tuple(each.to_model() for each in self.trees))


def _label(form: BinForm, following: Number | None) -> str:
    """Say which values a bin holds."""
    if form.words:
        return ", ".join(form.words)
    upper = "" if following is None else f"below {_number(following)}"
    if form.begin is None:
        return upper or "any"
    return f"{_number(form.begin)} to {upper}" if upper else f"{_number(form.begin)} and above"


def _number(value: Number) -> str:
    return str(int(value)) if float(value).is_integer() else repr(float(value))


