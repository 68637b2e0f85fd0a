"""The shapes of a package's small files, checked by pydantic at the door and turned into values. What belongs together across files is checked elsewhere."""

from datetime import date
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictFloat, StrictInt, StrictStr

from reference_apps.risk.model import Flow, Outcome
from reference_apps.risk.packages.model import (
    Ask,
    Better,
    Cell,
    Combination,
    HitPolicy,
    Missing,
    OnFailure,
    PriceRow,
    Role,
    Route,
    Router,
    Source,
    Type,
    Variable,
)

Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_.-]{0,63}$")]
Variables = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,63}$")]
Inside = Annotated[str, Field(pattern=r"^[a-z]+/[A-Za-z0-9_.-]+\.json$")]
Number = StrictInt | Annotated[StrictFloat, Field(allow_inf_nan=False)]
Given = StrictBool | StrictInt | Annotated[StrictFloat, Field(allow_inf_nan=False)] | StrictStr | None
RateText = Annotated[str, Field(pattern=r"^(0(\.[0-9]{1,10})?|1(\.0{1,10})?)$")]


class Form(BaseModel):
    """What all files have in common: a field we do not know is a mistake."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class EffectiveForm(Form):
    begin: date | None = Field(default=None, alias="from")
    until: date | None = None


class TableForm(Form):
    """A decision table of the manifest. `default` left out: no hit is no result."""

    name: Variables
    role: Role
    file: Inside
    hit_policy: HitPolicy
    priorities: dict[str, list[Given]] = Field(default_factory=dict)
    default: Any = None


class ManifestForm(Form):
    """manifest.json."""

    format: Literal[2]
    name: Name
    version: Annotated[str, Field(min_length=1, max_length=64)]
    effective: EffectiveForm = EffectiveForm()
    tables: tuple[TableForm, ...] = ()
    scorecards: dict[Name, Inside] = Field(min_length=1)
    models: dict[Name, Inside] = Field(default_factory=dict)
    combinations: dict[Name, Inside] = Field(default_factory=dict)


class SourceForm(Form):
    origin: Name = Field(alias="from")
    field: Annotated[str, Field(min_length=1, max_length=100)]


class ListedForm(Form):
    variable: Variables
    list: Name


class VariableForm(Form):
    """A row of variables.json."""

    name: Variables
    type: Type
    least: Number | None = None
    most: Number | None = None
    values: tuple[StrictStr, ...] = ()
    better: Better | None = None
    sources: tuple[SourceForm, ...] = ()
    fresh_for_s: Annotated[StrictInt, Field(gt=0)] | None = None
    missing: Missing = Missing.UNKNOWN
    default: Given = None
    on_failure: OnFailure = OnFailure.REVIEW
    ask: Ask = Ask.FIRST
    sum_of: tuple[Variables, ...] = ()
    listed: ListedForm | None = None

    def to_model(self) -> Variable:
        same = ("name", "type", "least", "most", "better", "fresh_for_s", "missing", "default", "on_failure", "ask")
        given: dict[str, Any] = {name: getattr(self, name) for name in same}
        sources = tuple(Source(each.origin, each.field) for each in self.sources)
        listed = (self.listed.variable, self.listed.list) if self.listed else None
        return Variable(**given, values=tuple(self.values), sources=sources, sum_of=tuple(self.sum_of), listed=listed)


class VariablesForm(Form):
    """variables.json."""

    variables: list[VariableForm] = Field(min_length=1)


class PriceForm(Form):
    """A row of a price table."""

    grade: Annotated[str, Field(min_length=1, max_length=16)]
    min_score: Number
    limit_fen: Annotated[StrictInt, Field(gt=0, le=10**13)]
    annual_rate: RateText
    fee_rate: Annotated[str, Field(pattern=r"^0(\.[0-9]{1,10})?$")] = "0"
    flow: Flow
    requires: tuple[Variables, ...] = ()

    def to_model(self) -> PriceRow:
        rates = {"annual_rate": Decimal(self.annual_rate), "fee_rate": Decimal(self.fee_rate)}
        requires = tuple(self.requires)
        return PriceRow(grade=self.grade, min_score=self.min_score, limit_fen=self.limit_fen, flow=self.flow, requires=requires, **rates)


class RouteForm(Form):
    """A row of routes.json."""

    scene: Name | Literal["*"] = "*"
    segment: Name | Literal["*"] = "*"
    scorecard: Name
    model: Name | None = None
    combination: Name | None = None
    prices: Name | None = None


class RoutesForm(Form):
    """routes.json."""

    scenes: list[Name] = Field(min_length=1)
    default_scene: Name
    segments: list[Name] = Field(min_length=1)
    routes: list[RouteForm] = Field(min_length=1)

    def to_model(self) -> Router:
        routes = tuple(Route(**each.model_dump()) for each in self.routes)
        return Router(scenes=tuple(self.scenes), default_scene=self.default_scene, segments=tuple(self.segments), routes=routes)


class CellForm(Form):
    """A cell of a combination that is more than an outcome."""

    outcome: Outcome
    down: Annotated[StrictInt, Field(ge=0, le=100)] = 0
    flow: Flow | None = None


class CombinationForm(Form):
    """combinations/*.json."""

    score_from: list[Number]
    bad_from: list[Annotated[Number, Field(gt=0, lt=1)]]
    cells: list[list[Outcome | CellForm]]

    def to_model(self, name: str) -> Combination:
        cells = tuple(tuple(_cell(each) for each in row) for row in self.cells)
        return Combination(name=name, score_from=tuple(self.score_from), bad_from=tuple(self.bad_from), cells=cells)


class ReasonForm(Form):
    """The texts of one code."""

    en: Annotated[str, Field(min_length=1)]
    zh: Annotated[str, Field(min_length=1)]


Lists = dict[Name, list[StrictStr]]
Prices = Annotated[dict[Name, Annotated[list[PriceForm], Field(min_length=1)]], Field(min_length=1)]
Reasons = dict[str, ReasonForm]


def _cell(given: Outcome | CellForm) -> Cell:
    return Cell(outcome=given) if isinstance(given, Outcome) else Cell(outcome=given.outcome, down=given.down, flow=given.flow)


