"""What a table's columns mean for training, written as YAML: the label, the variables, what is left out and why. Checked at the door."""

from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, StrictFloat, StrictInt, ValidationError, model_validator

from reference_apps.risk.training.faults import BadTraining, Fault, refuse

Name = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,63}$")]
PackageName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_.-]{0,63}$")]
Number = StrictInt | Annotated[StrictFloat, Field(allow_inf_nan=False)]
Chance = Annotated[float, Field(gt=0, lt=1)]


class Part(BaseModel):
    """What all parts have in common: a field we do not know is a mistake."""

    model_config = ConfigDict(extra="forbid", frozen=True, coerce_numbers_to_str=True)


class FileForm(Part):
    """How to read the table. `header` names the columns of a file whose first line is data already."""

    delimiter: Annotated[str, Field(min_length=1, max_length=1)] = ","
    header: tuple[str, ...] = ()
    encoding: str = "utf-8-sig"


class LabelForm(Part):
    """The column that says who was bad. `dropped` values are neither (not yet known): their rows are left out and counted."""

    column: str
    good: tuple[str, ...] = ("0",)
    bad: tuple[str, ...] = ("1",)
    dropped: tuple[str, ...] = ()
    meaning: str = ""

    @model_validator(mode="after")
    def no_value_twice(self) -> Self:
        values = (*self.good, *self.bad, *self.dropped)
        if len(set(values)) != len(values):
            raise ValueError("a value is good, bad or dropped, not two of them")
        return self


class TimeForm(Part):
    """The column that orders rows in time (as text, e.g. 2027-03); rows from `begin` (`from`) on are kept out of training and judge it."""

    column: str
    begin: str = Field(alias="from")


class SourceForm(Part):
    """Where the value comes from when a decision is made."""

    origin: str = Field(alias="from")
    field: str


class TextForm(Part):
    """Reason texts."""

    en: Annotated[str, Field(min_length=1)]
    zh: Annotated[str, Field(min_length=1)]


class VariableForm(Part):
    """One variable. `better` makes bins and trees monotone; `values` are a text's words (with `better: higher` worst first); `special` numbers get own bins."""

    name: Name
    column: str = ""
    type: Literal["integer", "number", "text"] = "number"
    better: Literal["higher", "lower"] | None = None
    values: tuple[str, ...] = ()
    special: tuple[Number, ...] = ()
    sum_of: tuple[Name, ...] = ()
    source: SourceForm | None = None
    reason: TextForm | None = None
    in_scorecard: bool = True
    in_model: bool = True

    @property
    def place(self) -> str:
        """Return the column it is read from."""
        return self.column or self.name

    @model_validator(mode="after")
    def fits_its_type(self) -> Self:
        if self.type == "text" and self.special:
            raise ValueError("a text has no special numbers: list them as values, or take another type")
        if self.type != "text" and self.values:
            raise ValueError("only a text has values")
        if self.type == "text" and self.better and not self.values:
            raise ValueError("a text with better needs its values in order")
        if self.sum_of and (self.column or self.type == "text"):
            raise ValueError("a sum has no column of its own and is a number")
        return self


class ScalingForm(Part):
    """What a score means: `base_score` at good:bad odds of `base_odds`, and `pdo` points more double them."""

    pdo: Annotated[float, Field(gt=0)] = 20
    base_score: float = 600
    base_odds: Annotated[float, Field(gt=0)] = 50


class RowForm(Part):
    """A row of the price table that is made when there is no base package: who is at most this likely to be bad gets this."""

    grade: str
    most_bad: Chance
    limit_fen: StrictInt
    annual_rate: str
    flow: Literal["fast", "normal", "extended"]


class Mapping(Part):
    """A whole mapping. `excluded` says why columns are not used; `grades` is the highest p(bad) per grade of the base's price tables (`A`, or `careful.A`)."""

    name: PackageName
    version: Annotated[str, Field(min_length=1, max_length=64)] = "1"
    about: str = ""
    file: FileForm = FileForm()
    label: LabelForm
    time: TimeForm | None = None
    scene: str | None = None
    segment: str | None = None
    days_past_due: str | None = None
    missing: tuple[str, ...] = ("", "NA", "NaN", "null")
    excluded: dict[str, str] = {}
    variables: Annotated[tuple[VariableForm, ...], Field(min_length=1)]
    scaling: ScalingForm = ScalingForm()
    rounding: Literal["exact", "whole"] = "exact"
    grades: dict[str, Chance] = {}
    prices: tuple[RowForm, ...] = ()
    folds: Annotated[int, Field(ge=2, le=20)] = 5
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 0

    @model_validator(mode="after")
    def names_are_known(self) -> Self:
        names = [each.name for each in self.variables]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"variable {twice[0]} stands there twice")
        read = {each.name for each in self.variables if not each.sum_of}
        if strange := [name for each in self.variables for name in each.sum_of if name not in read]:
            raise ValueError(f"sum_of names {strange[0]}, which is no variable with a column")
        if leaks := sorted({each.place for each in self.variables if not each.sum_of} & {self.label.column, self.days_past_due}):
            raise ValueError(f"{leaks[0]} is what is to be predicted and cannot be a variable")
        return self


def read(path: Path) -> Mapping:
    """Read a mapping. Raises BadTraining."""
    try:
        return of(yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader), str(path))
    except OSError as error:
        raise refuse(str(path), f"the mapping cannot be read: {error.strerror}", "give the path of a YAML file") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise refuse(str(path), f"this is no YAML: {' '.join(str(error).split())}", "see docs/risk-training.md for an example") from error


def of(document: Any, where: str) -> Mapping:
    """Make a mapping of a document. Raises BadTraining."""
    try:
        return Mapping.model_validate(document)
    except ValidationError as error:
        found = [Fault(f"{where} {'.'.join(map(str, row['loc']))}".strip(), row["msg"], "see docs/risk-training.md") for row in error.errors()]
        raise BadTraining(found) from error
