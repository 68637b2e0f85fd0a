"""What follows from what instances find wrong with their release: what stands, whether a rollout is held, and whether msxfctl goes back. Pure.

Missing data changes nothing: a release about which nobody says anything keeps what stands about it. Going back happens at most once for a release that
people have put there, never from one that msxfctl itself went back to, and never to one about which the same stands.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from ctl.model.finding import DRIFT, Asks, Concern, Concerns, Finding
from ctl.model.fleet import Group, InstancePhase
from ctl.model.rollout import Phase, Rollout
from ctl.model.service import OnDrift, RolloutPolicy

FORGOTTEN_AFTER = timedelta(days=7)
MOST_STANDING = 100
UNDER_WAY = frozenset({Phase.PREPARING, Phase.STEPPING, Phase.JUDGING, Phase.PROMOTING, Phase.BAKING})

Said = Mapping[tuple[str, str], Finding]


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """What stands now, and how that differs from what stood before; nothing `raised` and nothing `cleared` is nothing to store."""

    now: Concerns
    raised: tuple[Concern, ...] = ()
    cleared: tuple[Concern, ...] = ()

    @property
    def is_news(self) -> bool:
        return bool(self.raised or self.cleared)


def settle(before: Concerns, groups: Sequence[Group], now: datetime) -> Settled:
    """Compare what stood with what ready instances say; of one release the graver word counts, and silence is no word.

    What stands about a release without instances stands for 7 days: whoever deploys it again is told.
    """
    said = {group.release: found for group in groups if (found := heard(group)) is not None}
    if not said and not before.standing:
        return Settled(now=before)
    stays = [_renewed(one, said) for one in before.standing if _stands(one, said, groups, now)]
    known = {(one.release, one.finding.key) for one in stays}
    fresh = [Concern(release=release, finding=each, since=now) for release, found in said.items() for each in found.values()]
    raised = [one for one in fresh if (one.release, one.finding.key) not in known][: MOST_STANDING - len(stays)]
    ids = {_id(one) for one in stays}
    cleared = tuple(one for one in before.standing if _id(one) not in ids)
    return Settled(now=replace(before, standing=(*stays, *raised)), raised=tuple(raised), cleared=cleared)


def heard(group: Group) -> Said | None:
    """Return what the ready instances of a release say, by kind and subject; None: none of them says anything."""
    words = [one.findings for one in group.instances if one.phase is InstancePhase.READY and one.findings is not None]
    if not words:
        return None
    by_weight = sorted((each for found in words for each in found), key=lambda each: (each.asks is Asks.ACT, each.n))
    return {each.key: each for each in by_weight}


def _id(one: Concern) -> tuple[str, tuple[str, str], datetime]:
    return one.release, one.finding.key, one.since


def _stands(one: Concern, said: Mapping[str, Said], groups: Sequence[Group], now: datetime) -> bool:
    if one.release in said:
        again = said[one.release].get(one.finding.key)
        return again is not None and again.asks is one.finding.asks
    return now - one.since < FORGOTTEN_AFTER or any(group.release == one.release for group in groups)


def _renewed(one: Concern, said: Mapping[str, Said]) -> Concern:
    """Return the concern in the words of now."""
    return replace(one, finding=said[one.release][one.finding.key]) if one.release in said else one


def grave(concerns: Concerns, release: str | None, policy: RolloutPolicy) -> Concern | None:
    """Return the oldest concern about a release from which something follows under a policy; None: there is none."""
    return next((one for one in concerns.standing if one.release == release and _counts(one.finding, policy)), None)


def _counts(finding: Finding, policy: RolloutPolicy) -> bool:
    if finding.asks is not Asks.ACT:
        return False
    return finding.kind != DRIFT or (policy.on_drift is not OnDrift.IGNORE and finding.n >= policy.drift_min_n)


def held(concerns: Concerns, rollout: Rollout | None, policy: RolloutPolicy) -> str:
    """Say why a rollout may not be promoted now; empty: it may. An undo is not held: it promotes nothing that was not live already."""
    if rollout is None or rollout.skip_gates or rollout.finding:
        return ""
    found = grave(concerns, rollout.to_release, policy)
    return f"{rollout.to_release} says of itself: {found.finding.said}" if found else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """Everything that going back depends on. `history` is newest first and holds the rollout that is `current`, if there is one."""

    concerns: Concerns
    policy: RolloutPolicy
    stable: str | None
    current: Rollout | None
    history: Sequence[Rollout]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What follows: take the current rollout back (`abort`), roll out what was live before (`back_to`), or neither. `why` is a sentence for both cases."""

    why: str = ""
    concern: Concern | None = None
    abort: bool = False
    back_to: Rollout | None = None


def suspect(case: Case) -> Concern | None:
    """Return the concern that going back is about: of the release that a rollout brings, or, without one, of the live release."""
    if case.current is not None and case.current.phase is not Phase.PLANNED:
        return grave(case.concerns, case.current.to_release, case.policy)
    return grave(case.concerns, case.stable, case.policy)


def answer(case: Case) -> Answer:
    """Decide whether msxfctl goes back by itself."""
    concern = suspect(case)
    if concern is None:
        return Answer()
    if concern.finding.kind != DRIFT or case.policy.on_drift is not OnDrift.ROLLBACK:
        return Answer(why="msxfctl does not go back by itself (rollout.on_drift: tell)", concern=concern)
    if case.current is not None:
        return _answer_moving(case, case.current, concern)
    return _answer_live(case, concern)


def _answer_moving(case: Case, current: Rollout, concern: Concern) -> Answer:
    if current.phase is Phase.ABORTING or current.phase is Phase.PLANNED:
        return Answer(why=f"the rollout is {current.phase}", concern=concern)
    against = _against_moving(case, current, concern)
    return Answer(why=against or f"back to {current.from_release}", concern=concern, abort=not against)


def _against_moving(case: Case, current: Rollout, concern: Concern) -> str:
    """Say why a rollout that brings what has drifted is not taken back; empty: nothing speaks against it."""
    if current.phase not in UNDER_WAY:
        return f"the rollout is {current.phase}: a person decides"
    if current.skip_gates or current.finding:
        return "this release is an undo already"
    if concern.since <= current.started_at:
        return "this was known when a person deployed it"
    return _against_going_to(case, current.from_release)


def _answer_live(case: Case, concern: Concern) -> Answer:
    placed = next((one for one in case.history if one.phase is Phase.CERTIFIED and one.to_release == case.stable), None)
    before = next((one for one in case.history if one.phase is Phase.CERTIFIED and one.to_release != case.stable), None)
    against = _against_live(case, placed, concern) or _against_going_to(case, before.to_release if before else None)
    return Answer(why=against or f"back to {before.to_release if before else ''}", concern=concern, back_to=None if against else before)


def _against_live(case: Case, placed: Rollout | None, concern: Concern) -> str:
    if placed is None:
        return "it is not known how this release came to be live"
    if placed.finding:
        return "msxfctl went back to this release already"
    if concern.since <= placed.started_at:
        return "this was known when a person deployed it"
    if any(one.finding and one.revision > placed.revision for one in case.history):
        return "msxfctl has tried to go back from it once"
    return ""


def _against_going_to(case: Case, release: str | None) -> str:
    if release is None:
        return "there is no earlier release to go back to"
    same = grave(case.concerns, release, case.policy)
    return f"{release} has it as well" if same else ""
