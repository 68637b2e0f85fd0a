"""From a labelled table to a checked package: fit, judge on rows not seen, export, prove that serving says what training says, write the card."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from reference_apps.risk.measures.vectors import Vector
from reference_apps.risk.packages import reading, writing
from reference_apps.risk.packages.model import Package
from reference_apps.risk.training import boosting, evaluation, exporting, judging, proof, scorecards
from reference_apps.risk.training import card as model_card
from reference_apps.risk.training.boosting import Boosted
from reference_apps.risk.training.evaluation import Estimates
from reference_apps.risk.training.mapping import Mapping as Meaning
from reference_apps.risk.training.scorecards import Scorecard
from reference_apps.risk.training.table import Table

CARD, TEXT, EVALUATION, REFERENCE = (reading.DOCS + name for name in ("card.json", "card.md", "evaluation.json", "reference.json"))
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """The package's documents by path, ready to be written, the same each time; and its card."""

    documents: Mapping[str, Any]
    card: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """What was fitted to which rows."""

    scorecard: Scorecard
    boosted: Boosted
    learnt: Table

    def log_odds(self, table: Table) -> dict[str, Vector]:
        """Return ln odds of bad by model."""
        return {"scorecard": self.scorecard.log_odds(table), "gbdt": self.boosted.log_odds(table)}


def train(table: Table, meaning: Meaning, base: Package | None, say: Say) -> Trained:
    """Train a package. The same table, mapping and base give the same bytes. Raises BadTraining, BadPackage."""
    fitted, estimates = _by_time(table, meaning, say) if meaning.time else _by_folds(table, meaning, say)
    judged = judging.judged(estimates, table.part(estimates.rows), meaning)
    reference = judging.reference(fitted.log_odds(fitted.learnt), fitted.learnt, meaning)
    if meaning.time:
        judged["drift"] = judging.later(reference, estimates.log_odds, table.part(estimates.rows), meaning)
    documents = exporting.documents(fitted.scorecard, fitted.boosted, meaning, fitted.learnt.bads / fitted.learnt.size, base)
    package = reading.parse({name: writing.encoded(each) for name, each in documents.items()}, meaning.name)
    proven = proof.prove(package, table, fitted.log_odds(table), meaning)
    say(f"served equals trained on {proven.rows:,} rows: largest difference {proven.margin:.0e} (trees), {proven.probability:.0e} (scorecard)")
    card = model_card.card(meaning, fitted.learnt, (fitted.scorecard, fitted.boosted), judged, proven)
    docs = {CARD: card, TEXT: model_card.markdown(card), EVALUATION: judged, REFERENCE: reference}
    return Trained(documents={**documents, **docs}, card=card)


def fit(table: Table, meaning: Meaning) -> Fit:
    """Fit both wheels to a table. Raises BadTraining."""
    return Fit(scorecard=scorecards.fit(table, meaning), boosted=boosting.fit(table, meaning, seed=meaning.seed), learnt=table)


def estimated(table: Table, meaning: Meaning) -> Estimates:
    """Return estimates for every row by folds. Raises BadTraining."""
    return evaluation.by_folds(table, meaning.folds, meaning.seed, lambda part: _estimators(fit(part, meaning)))


def _estimators(fitted: Fit) -> dict[str, Callable[[Table], Vector]]:
    return {"scorecard": fitted.scorecard.log_odds, "gbdt": fitted.boosted.log_odds}


def _by_time(table: Table, meaning: Meaning, say: Say) -> tuple[Fit, Estimates]:
    """Fit to the earlier rows alone: the package is the one that the later rows judge."""
    assert meaning.time is not None
    before, later = evaluation.in_time(table, meaning)
    say(f"learns from {before.size:,} rows before {meaning.time.begin}; {later.size:,} later ones judge")
    fitted = fit(table.part(before), meaning)
    how = f"out of time: rows of {meaning.time.column} from {meaning.time.begin} on, which no fit has seen"
    return fitted, Estimates(rows=later, log_odds=fitted.log_odds(table.part(later)), how=how)


def _by_folds(table: Table, meaning: Meaning, say: Say) -> tuple[Fit, Estimates]:
    """Judge the procedure by folds, then fit to all rows."""
    say(f"no time column is mapped: {meaning.folds} folds of {table.size:,} rows judge")
    return fit(table, meaning), estimated(table, meaning)


