"""What a path has behind it, and what one more outcome makes of it: the same arithmetic for a living case and for the model check. Pure."""

from dataclasses import dataclass

from reference_apps.approval.copied import Copied
from reference_apps.approval.flow.model import FAILED, PRICED, PULLS, RULES, Check, Edge, Flow, Kind, Outcome, Stage

BEGUN = frozenset({Check.CONSENT})
"""What the door has settled before a case exists."""


@dataclass(frozen=True, kw_only=True)
class Standing(Copied):
    """`settled` checks; checks that `asked` for a person; reviews approved by one person `alone`; stages that failed and left `gaps`.

    `taken` counts the bounded edges (stage, outcome, place in the list, times), `supplements` what the applicant brought; `paying`: money may be on its way.
    """

    settled: frozenset[Check] = BEGUN
    asked: frozenset[Check] = frozenset()
    alone: frozenset[str] = frozenset()
    gaps: frozenset[str] = frozenset()
    taken: frozenset[tuple[str, str, int, int]] = frozenset()
    supplements: int = 0
    paying: bool = False

    def times(self, stage: str, outcome: Outcome, place: int) -> int:
        return next((times for name, on, at, times in self.taken if (name, on, at) == (stage, outcome, place)), 0)


def after(stage: Stage, outcome: Outcome, standing: Standing) -> Standing:
    """Return the standing after a stage came to an outcome."""
    if outcome is Outcome.SUPPLIED:
        return standing.but(settled=standing.settled - PRICED, gaps=frozenset(), taken=frozenset(), supplements=standing.supplements + 1)
    if stage.kind is Kind.REVIEW:
        return _reviewed(stage, outcome, standing)
    if stage.kind is Kind.DISBURSE:
        return standing.but(paying=True)
    if not stage.is_automatic:
        return standing
    settles = RULES[stage.kind].settles
    if outcome is Outcome.PASS:
        opened = PRICED if stage.kind in PULLS else frozenset()
        settled, asked = (standing.settled - opened) | settles, standing.asked - settles
        return standing.but(settled=settled, asked=asked, gaps=standing.gaps - {stage.name})
    asked = standing.asked | settles if outcome in (Outcome.MANUAL, Outcome.MISSING) else standing.asked - settles
    gaps = standing.gaps | {stage.name} if outcome in FAILED else standing.gaps
    return standing.but(settled=standing.settled - settles, asked=asked, gaps=gaps)


def _reviewed(stage: Stage, outcome: Outcome, standing: Standing) -> Standing:
    """Two people clear what asked for them: the second approval takes the first one's loneliness away, and with it the checks that may be cleared."""
    if outcome is not Outcome.APPROVE:
        return standing.but(alone=frozenset())
    first = standing.alone & set(stage.four_eyes_with)
    if not first:
        return standing.but(alone=standing.alone | {stage.name})
    cleared = stage.clears & standing.asked
    return standing.but(settled=standing.settled | cleared, asked=standing.asked - cleared, alone=standing.alone - first, gaps=frozenset())


def taking(stage: Stage, outcome: Outcome, place: int, standing: Standing) -> Standing:
    """Return the standing after an edge was taken: a bounded one counts."""
    if not stage.edges[outcome][place].most:
        return standing
    times = standing.times(stage.name, outcome, place)
    kept = standing.taken - {(stage.name, str(outcome), place, times)}
    return standing.but(taken=kept | {(stage.name, str(outcome), place, times + 1)})


def is_open(stage: Stage, outcome: Outcome, place: int, standing: Standing) -> bool:
    """Whether an edge may still be taken, its condition aside."""
    edge: Edge = stage.edges[outcome][place]
    return not edge.most or standing.times(stage.name, outcome, place) < edge.most


def lacks(flow: Flow, standing: Standing) -> list[str]:
    """Return why this standing must not be paid out; empty when it may."""
    if standing.settled >= flow.mandatory and not standing.alone and not standing.gaps:
        return []
    skipped = [f"skips {check}" for check in sorted(flow.mandatory - standing.settled)]
    lonely = [f"{name} is not re-checked by a second person" for name in sorted(standing.alone)]
    gaps = [f"goes on although {name} failed" for name in sorted(standing.gaps)]
    return skipped + lonely + gaps
