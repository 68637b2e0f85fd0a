"""A scorecard from a table: bins, weights of evidence, a logistic regression on them, and points scaled so that PDO points double the odds."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from reference_apps.risk.measures.vectors import Vector
from reference_apps.risk.training import binning, logistic
from reference_apps.risk.training.binning import Binned
from reference_apps.risk.training.faults import refuse
from reference_apps.risk.training.logistic import Logistic, NoFit
from reference_apps.risk.training.mapping import Mapping as Meaning
from reference_apps.risk.training.mapping import ScalingForm
from reference_apps.risk.training.table import Table

LEAST_INFORMATION = 0.02
NOTHING = "information value below .02"
WRONG_WAY = "beside the others it would count against its own evidence"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scorecard:
    """The bins of the variables used, the regression on their evidence in that order, and why the other variables were left out."""

    bins: tuple[Binned, ...]
    logistic: Logistic
    left_out: Mapping[str, str]
    all_bins: tuple[Binned, ...]

    def log_odds(self, table: Table) -> Vector:
        """Return ln odds of bad for each row."""
        return self.logistic.log_odds(evidence(self.bins, table))


def fit(table: Table, meaning: Meaning) -> Scorecard:
    """Fit a scorecard. Raises BadTraining when no variable is left, or the data allow no regression."""
    asked = [each for each in meaning.variables if each.in_scorecard]
    everything = tuple(binning.fit(each, table.columns[each.name], table.bad) for each in asked)
    used = [each for each in everything if each.information >= LEAST_INFORMATION]
    left_out = {each.name: NOTHING for each in everything if each not in used}
    while used:
        try:
            fitted = logistic.fit(evidence(used, table), table.bad)
        except NoFit as error:
            remedy = "exclude the variable that knows the outcome, or says the same as another"
            raise refuse("scorecard", f"{', '.join(each.name for each in used)}: {error}", remedy) from error
        worst = int(np.argmax(fitted.coefficients))
        if fitted.coefficients[worst] < 0:
            return Scorecard(bins=tuple(used), logistic=fitted, left_out=left_out, all_bins=everything)
        left_out[used.pop(worst).name] = WRONG_WAY
    raise refuse("scorecard", "no variable has an information value of .02 or more", "map other variables: these tell nobody apart")


def evidence(bins: Sequence[Binned], table: Table) -> Vector:
    """Return the weights of evidence, a column for each variable."""
    return np.column_stack([each.evidence(table.columns[each.name]) for each in bins])


def factor(scaling: ScalingForm) -> float:
    """Return F = PDO / ln 2."""
    return scaling.pdo / math.log(2)


def offset(scaling: ScalingForm) -> float:
    """Return O = base score - F ln(base odds)."""
    return scaling.base_score - factor(scaling) * math.log(scaling.base_odds)


def score_at(scaling: ScalingForm, bad: float) -> float:
    """Return the score of p(bad)."""
    return offset(scaling) - factor(scaling) * math.log(bad / (1 - bad))
