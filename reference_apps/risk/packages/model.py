"""What a decision package is made of, as values. Nothing here decides; floats are doubles, money is fen, rates are Decimal fractions."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Any

from reference_apps.risk.model import Fact, Flow, Outcome


class Type(StrEnum):
    """What a variable's values are."""

    INTEGER = "integer"
    NUMBER = "number"
    TEXT = "text"
    BOOLEAN = "boolean"


class Better(StrEnum):
    """Which way a variable speaks for the customer; of text with `values`: HIGHER means that the values stand worst first."""

    HIGHER = "higher"
    LOWER = "lower"


class Missing(StrEnum):
    """What it means that no source knows a variable: it stays unknown (its own bin), gets its default, or a person must look."""

    UNKNOWN = "unknown"
    DEFAULT = "default"
    REVIEW = "review"


class OnFailure(StrEnum):
    """What follows when a source that should have been asked first gave nothing usable: a person looks, or the flow becomes the extended one."""

    REVIEW = "review"
    EXTENDED = "extended"


class Ask(StrEnum):
    """When a variable's bureaus are asked: for every decision, or only once a flow turns out to need the variable."""

    FIRST = "first"
    IF_NEEDED = "if_needed"


class Role(StrEnum):
    """What a decision table's result is for: it names the segment, it is a hard rule, or it is a value for later tables."""

    SEGMENT = "segment"
    RULE = "rule"
    VALUE = "value"


class HitPolicy(StrEnum):
    """The hit policies of DMN by their letters."""

    UNIQUE = "U"
    ANY = "A"
    PRIORITY = "P"
    FIRST = "F"
    RULE_ORDER = "R"
    OUTPUT_ORDER = "O"
    COLLECT = "C"
    SUM = "C+"
    LEAST = "C<"
    MOST = "C>"
    COUNT = "C#"


@dataclass(frozen=True, slots=True)
class Source:
    """Where a value comes from: `origin` is "declared" or a bureau, `field` its name there (dots lead inside)."""

    origin: str
    field: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Variable:
    """One input. `sum_of` and `listed` (variable, list) make it from others; such a variable has no sources. `fresh_for_s` None: it does not age."""

    name: str
    type: Type
    least: float | None = None
    most: float | None = None
    values: tuple[str, ...] = ()
    better: Better | None = None
    sources: tuple[Source, ...] = ()
    fresh_for_s: int | None = None
    missing: Missing = Missing.UNKNOWN
    default: Fact = None
    on_failure: OnFailure = OnFailure.REVIEW
    ask: Ask = Ask.FIRST
    sum_of: tuple[str, ...] = ()
    listed: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A decision table: `graph` is its JDM, `priorities` the output values in falling priority (P and O), `default` the result when nothing hits.

    `has_default` False: no hit is no result, which a person must look at.
    """

    name: str
    role: Role
    file: str
    hit_policy: HitPolicy
    graph: Mapping[str, Any]
    priorities: Mapping[str, tuple[Any, ...]]
    has_default: bool
    default: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Bin:
    """A group of values: numbers from `begin` (to the next bin's) or exactly the words of `values`. `woe` is for the record where points are given."""

    label: str
    points: float
    begin: float | None = None
    values: tuple[str, ...] = ()
    woe: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Characteristic:
    """One variable's bins: numbers ascend, `missing` is a bin of its own, `special` values go before the others.

    `monotone` +1: later bins never get fewer points, -1: never more, 0: not declared. `required`: without the variable there is no score.
    """

    id: str
    variable: str
    required: bool
    monotone: int
    missing: Bin
    special: tuple[tuple[Fact, Bin], ...]
    bins: tuple[Bin, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scaling:
    """What a score means: `base_score` at odds `base_odds` (good:bad), and every `pdo` points double them."""

    pdo: float
    base_score: float
    base_odds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Scorecard:
    """`base` plus the points of the bins is the score; `is_integer`: all points are whole numbers. Without `scaling` a score has no probability."""

    name: str
    base: float
    is_integer: bool
    scaling: Scaling | None
    characteristics: tuple[Characteristic, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Feature:
    """One input of a model; a text variable has `categories`, its code is the place there.

    `monotone` +1: more of it never lowers p(bad), -1: never raises it, 0: not declared.
    """

    name: str
    variable: str
    reason: str
    categories: tuple[str, ...] = ()
    monotone: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Tree:
    """A tree as arrays by node, the root first. `feature` -1: a leaf. Left: value <= threshold, or its code in `codes`; missing: as `missing_left` says.

    `value` of a leaf is what it adds to the margin, of another node the mean of what lies below it: differences along a path are the contributions.
    """

    feature: tuple[int, ...]
    threshold: tuple[float, ...]
    codes: tuple[frozenset[int] | None, ...]
    missing_left: tuple[bool, ...]
    left: tuple[int, ...]
    right: tuple[int, ...]
    value: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """Gradient-boosted trees: margin = base + the leaves in the order of the trees = ln odds of bad; p(bad) = 1 / (1 + exp(-margin))."""

    name: str
    base: float
    features: tuple[Feature, ...]
    trees: tuple[Tree, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """What a pair of bands leads to: an outcome, `down` so many rows of the price table below the score's own, at least this flow (None: the row's)."""

    outcome: Outcome
    down: int = 0
    flow: Flow | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Combination:
    """Rows: score below the first of `score_from`, from it on, ...; columns: p(bad) below the first of `bad_from`, from it on, ..."""

    name: str
    score_from: tuple[float, ...]
    bad_from: tuple[float, ...]
    cells: tuple[tuple[Cell, ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceRow:
    """One row of a price table: who has at least `min_score` gets this limit, rate, fee and flow; `requires` names variables the flow needs.

    `fee_rate` is the fraction of the amount kept back at disbursement; 0: no fee.
    """

    grade: str
    min_score: float
    limit_fen: int
    annual_rate: Decimal
    flow: Flow
    requires: tuple[str, ...]
    fee_rate: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """What decides in a scene and segment ("*": any). `model` and `combination` stand together or not at all; `prices` None: the table of the configuration."""

    scene: str
    segment: str
    scorecard: str
    model: str | None
    combination: str | None
    prices: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Router:
    """The scenes there are, the one that is meant when none is named, the segments, and the routes: the first that fits is taken."""

    scenes: tuple[str, ...]
    default_scene: str
    segments: tuple[str, ...]
    routes: tuple[Route, ...]

    def route(self, scene: str, segment: str) -> Route | None:
        """Return the first route that fits; None: there is none."""
        return next((each for each in self.routes if each.scene in ("*", scene) and each.segment in ("*", segment)), None)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Package:
    """A checked package. `hash` is over names and bytes of all its `files`; `reasons` has a text per code and language (en, zh)."""

    hash: str
    name: str
    version: str
    effective_from: date | None
    effective_until: date | None
    variables: Mapping[str, Variable]
    lists: Mapping[str, frozenset[str]]
    tables: tuple[Table, ...]
    scorecards: Mapping[str, Scorecard]
    models: Mapping[str, Model]
    combinations: Mapping[str, Combination]
    prices: Mapping[str, tuple[PriceRow, ...]]
    router: Router
    reasons: Mapping[str, Mapping[str, str]]
    files: Mapping[str, bytes]
