"""What monitoring looks at and what it says: decided cases, what became of them, and one row per model, segment and scene. Values only."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from reference_apps.risk.measures.drift import Frozen, Verdict
from reference_apps.risk.measures.outcomes import Vintage
from reference_apps.risk.measures.vectors import Vector
from reference_apps.risk.model import Facts
from reference_apps.risk.packages.model import Scaling

ALL = "*"


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One decision as monitoring sees it. `score` and `probability` None: that wheel said nothing. `facts` are the frozen inputs."""

    application_id: str
    package: str
    role: str
    scene: str
    segment: str
    outcome: str
    score: float | None
    probability: float | None
    facts: Facts


@dataclass(frozen=True, slots=True)
class Known:
    """What became of a loan: the month it was paid out, and its worst days past due so far."""

    month: str
    days_past_due: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """How a package's estimates and variables lay in training, by (scene, segment), overall as ("*", "*"); what had too few rows there is not in it.

    `scaling` says what a score means; None: not known.
    """

    scaling: Scaling | None
    scores: Mapping[tuple[str, str], Frozen]
    probabilities: Mapping[tuple[str, str], Frozen]
    variables: Mapping[tuple[str, str], Mapping[str, Frozen]]

    def bad_of(self, scores: Vector) -> Vector | None:
        """Return the p(bad) that scores mean; None: they have no scale."""
        if self.scaling is None:
            return None
        factor = self.scaling.pdo / math.log(2)
        log_odds = (self.scaling.base_score - factor * math.log(self.scaling.base_odds) - scores) / factor
        bad: Vector = 1 / (1 + np.exp(-log_odds))
        return bad


@dataclass(frozen=True, slots=True, kw_only=True)
class Shift:
    """How one variable moved against training."""

    variable: str
    value: float
    verdict: Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Quality:
    """What the known outcomes say of estimates: None where fewer than 1,000 are known, or too few of them were good or bad."""

    known: int
    bads: int
    auc: float | None
    ks: float | None
    calibration_error: float | None
    calibration: tuple[Mapping[str, float], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One row: `psi` None where training is not known there; `verdict` follows from it. `shifts` are of the variables, largest first."""

    package: str
    role: str
    model: str
    scene: str
    segment: str
    n: int
    psi: float | None
    verdict: Verdict
    shifts: tuple[Shift, ...]
    approval_rate: float | None
    quality: Quality

    @property
    def place(self) -> tuple[str, str, str, str]:
        """Return what tells rows of one package apart."""
        return self.role, self.model, self.scene, self.segment


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Everything at a moment: how many decisions were looked at, the rows, and the vintages of what is known."""

    decisions: int
    rows: tuple[Row, ...]
    vintages: tuple[Vintage, ...]

    @property
    def drifted(self) -> tuple[Row, ...]:
        """Return the rows on which somebody must act."""
        return tuple(row for row in self.rows if row.verdict is Verdict.ACT)

