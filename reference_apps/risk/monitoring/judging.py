"""From decided cases to rows: drift against training, approval rate, and where outcomes are known ranking and calibration. Pure."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from reference_apps.risk.measures import calibration, drift, outcomes, ranking
from reference_apps.risk.measures.drift import Frozen, Verdict
from reference_apps.risk.measures.outcomes import LATE_DPD
from reference_apps.risk.monitoring.model import ALL, Case, Known, Quality, Reference, Report, Row, Shift

LEAST_EACH = 50
SCORECARD, TREES = "scorecard", "gbdt"
References = Mapping[str, Reference | None]
Outcomes = Mapping[str, Known]
Group = tuple[str, str, str, str]


def report(cases: Sequence[Case], references: References, known: Outcomes) -> Report:
    """Judge cases against the training of their packages (by hash; None: not known) and what became of applications, by id."""
    rows = [row for group, members in _groups(cases).items() for row in _rows(group, members, references.get(group[0]), known)]
    loans = {case.application_id: known[case.application_id] for case in cases if case.role == "champion" and case.application_id in known}
    vintages = outcomes.vintages((each.month, each.days_past_due) for each in loans.values())
    return Report(decisions=sum(case.role == "champion" for case in cases), rows=tuple(rows), vintages=vintages)


def _groups(cases: Iterable[Case]) -> dict[Group, list[Case]]:
    """Return cases by package, role, scene and segment; all of a package's first."""
    found: dict[Group, list[Case]] = {}
    for case in cases:
        for scene, segment in ((ALL, ALL), (case.scene, case.segment)):
            found.setdefault((case.package, case.role, scene, segment), []).append(case)
    return dict(sorted(found.items(), key=lambda each: (each[0][1], each[0])))


def _rows(group: Group, cases: Sequence[Case], reference: Reference | None, known: Outcomes) -> Iterator[Row]:
    package, role, scene, segment = group
    shifts = _shifts(cases, reference.variables.get((scene, segment), {})) if reference else ()
    for model in (SCORECARD, TREES):
        estimated = [case for case in cases if _estimate(case, model) is not None]
        if not estimated:
            continue
        psi = _psi(model, (scene, segment), estimated, reference)
        yield Row(
            package=package,
            role=role,
            model=model,
            scene=scene,
            segment=segment,
            n=len(estimated),
            psi=psi,
            verdict=Verdict.NOT_KNOWN if psi is None else drift.verdict(psi, len(estimated)),
            shifts=shifts,
            approval_rate=outcomes.approval_rate(case.outcome for case in cases),
            quality=quality([(case, known[case.application_id]) for case in estimated if case.application_id in known], model, reference),
        )


def _estimate(case: Case, model: str) -> float | None:
    return case.score if model == SCORECARD else case.probability


def _psi(model: str, place: tuple[str, str], cases: Sequence[Case], reference: Reference | None) -> float | None:
    """Compare with training in the same scene and segment; None where that is not known: others would differ without any drift."""
    if reference is None:
        return None
    of_model = reference.scores if model == SCORECARD else reference.probabilities
    frozen = of_model.get(place)
    return None if frozen is None else drift.shift(frozen, np.array([_estimate(case, model) for case in cases], dtype=float))


def _shifts(cases: Sequence[Case], trained: Mapping[str, Frozen]) -> tuple[Shift, ...]:
    found = [(name, _csi(frozen, [case.facts.get(name) for case in cases])) for name, frozen in trained.items()]
    shifts = [Shift(variable=name, value=value, verdict=drift.verdict(value, len(cases))) for name, value in found]
    return tuple(sorted(shifts, key=lambda each: (-each.value, each.variable)))


def _csi(frozen: Frozen, values: Sequence[Any]) -> float:
    """Return how a variable moved; what a package of today takes for another kind of value counts as missing."""
    if frozen.words:
        return drift.shift(frozen, [value if isinstance(value, str) else None for value in values])
    return drift.shift(frozen, np.array([np.nan if isinstance(value, str) or value is None else float(value) for value in values]))


def quality(pairs: Sequence[tuple[Case, Known]], model: str, reference: Reference | None) -> Quality:
    """Judge estimates by what became of the loans; bad is 30 days or more past due."""
    bad = np.array([float(each.days_past_due >= LATE_DPD) for _, each in pairs])
    bads = int(bad.sum())
    nothing = Quality(known=bad.size, bads=bads, auc=None, ks=None, calibration_error=None, calibration=())
    if bad.size < drift.LEAST_N or min(bads, bad.size - bads) < LEAST_EACH:
        return nothing
    given = np.array([_estimate(case, model) for case, _ in pairs], dtype=float)
    risk = -given if model == SCORECARD else given
    predicted = given if model == TREES else reference.bad_of(given) if reference else None
    bins = calibration.calibration(predicted, bad) if predicted is not None else ()
    told = tuple({name: getattr(each, name) for name in ("n", "predicted", "observed")} for each in bins)
    error = calibration.calibration_error(bins) if bins else None
    return Quality(known=bad.size, bads=bads, auc=ranking.auc(risk, bad), ks=ranking.ks(risk, bad), calibration_error=error, calibration=told)
