"""From what instances say of their release to what follows: it is journalled once, and where the catalog allows it msxfctl goes back by itself, once."""

import logging
from dataclasses import replace

from ctl.control import notes, views
from ctl.control.desired import Desired, Wanted
from ctl.control.doors import Doors
from ctl.control.fences import Fences
from ctl.control.releasing import Releasing, Request
from ctl.decide import finding, verbs
from ctl.decide.finding import Answer, Case, Settled
from ctl.errors import CtlError, LeaseHeld, StaleRevision
from ctl.model.finding import Asks, Concern, Concerns
from ctl.model.fleet import Fleet
from ctl.model.rollout import Phase, Rollout
from ctl.model.service import OnDrift, Service

log = logging.getLogger(__name__)
AUTOMATIC = "msxfctl"
MOST_REVISIONS = 200


class Findings:
    """Tends what stands about services. Holds nothing: what stands is in the store, and what was done about it in the rollouts."""

    def __init__(self, doors: Doors, desired: Desired, fences: Fences) -> None:
        self._doors = doors
        self._desired = desired
        self._fences = fences
        self._releasing = Releasing(doors, desired, fences)

    def tend(self, service: Service, wanted: Wanted, fleet: Fleet) -> str:
        """Store what has changed, or go back; return what was done in one sentence, empty when there was nothing to do. Raises LeaseHeld, StaleRevision."""
        settled = settle(service, wanted, fleet, self._doors)
        if settled.is_news:
            return self._store(service.name, settled)
        if service.rollout.on_drift is not OnDrift.ROLLBACK or not is_suspect(service, wanted, settled.now):
            return ""
        case = case_of(self._doors, service, settled.now)
        return self._go_back(service, case) if _acts(finding.answer(case)) else ""

    def _store(self, service: str, settled: Settled) -> str:
        told = [notes.finding_note(self._doors, service, notes.RAISED, one) for one in settled.raised]
        told += [notes.finding_note(self._doors, service, notes.CLEARED, one) for one in settled.cleared]
        with self._fences.turn(service) as fence:
            self._doors.findings.save(settled.now, fence, told)
        self._desired.changed()
        return told[0].why

    def _go_back(self, service: Service, seen: Case) -> str:
        """Decide again with what is stored now, in our turn, and go back. What cannot be done is logged, and everything else goes on."""
        with self._fences.turn(service.name) as fence:
            self._desired.changed()
            case = case_of(self._doors, service, seen.concerns)
            answer = finding.answer(case)
            try:
                if answer.abort and case.current:
                    return self._abort(case.current, answer, fence)
                return self._undo(service, case, answer) if answer.back_to else ""
            except (LeaseHeld, StaleRevision):
                raise
            except CtlError as error:
                log.warning("%s has drifted, and msxfctl cannot go back: %s", service.name, error)
                return ""
            finally:
                self._desired.changed()

    def _abort(self, current: Rollout, answer: Answer, fence: int) -> str:
        why = _reason(answer)
        aborted = replace(verbs.abort(current, self._doors.clock.now(), why), finding=why)
        note = notes.phase_note(self._doors, current, aborted, f"{current.to_release} is taken back: {why}")
        self._doors.rollouts.save(aborted, fence, [replace(note, actor=AUTOMATIC)])
        return why

    def _undo(self, service: Service, case: Case, answer: Answer) -> str:
        certified, why = answer.back_to, _reason(answer)
        assert certified is not None
        goal = self._doors.releases.get(service.name, certified.to_release)
        self._doors.artifacts.verify(goal.digest)
        is_good = verbs.is_known_good(certified, case.history[0].revision, self._doors.clock.now())
        asked = Request(actor=AUTOMATIC, reason=f"back from {case.stable}: {why}", skip_gates=is_good, finding=why)
        self._releasing.start(self._releasing.draft(service, goal, asked), "")
        return asked.reason


def settle(service: Service, wanted: Wanted, fleet: Fleet, doors: Doors) -> Settled:
    """Return what stands about a service by now, and what of that is news."""
    before = wanted.concerns.get(service.name) or Concerns(service=service.name)
    return finding.settle(before, fleet.groups.get(service.name, ()), doors.clock.now())


def is_suspect(service: Service, wanted: Wanted, concerns: Concerns) -> bool:
    """Whether anything could follow at all: seldom, so that nobody reads the history for nothing."""
    return bool(concerns.standing) and finding.suspect(without_history(service, wanted, concerns)) is not None


def without_history(service: Service, wanted: Wanted, concerns: Concerns) -> Case:
    """Return as much of the case as is known without asking the store."""
    name = service.name
    return Case(concerns=concerns, policy=service.rollout, stable=wanted.stable.get(name), current=wanted.current.get(name), history=())


def follows(doors: Doors, service: Service, concerns: Concerns, one: Concern) -> str:
    """Say what msxfctl does about a finding: one sentence for who looks."""
    if one.finding.asks is Asks.WATCH:
        return "nothing follows"
    case = case_of(doors, service, concerns)
    if finding.grave(concerns, one.release, service.rollout) is None:
        few = one.finding.n < service.rollout.drift_min_n
        return f"nothing follows: fewer than {service.rollout.drift_min_n:,} decisions" if few else "nothing follows (rollout.on_drift: ignore)"
    if case.current is not None and case.current.finding:
        return f"msxfctl has gone back: {case.current.id} is {case.current.phase}"
    suspect = finding.suspect(case)
    if suspect is None or suspect.release != one.release:
        return "the release is not promoted while this stands"
    answer = finding.answer(case)
    if _acts(answer):
        return f"msxfctl goes {answer.why} by itself"
    return f"not promoted while this stands; {answer.why}" if case.current else answer.why


def case_of(doors: Doors, service: Service, concerns: Concerns) -> Case:
    """Return what going back depends on, with the rollouts as they are stored now."""
    history = doors.rollouts.history(service.name, MOST_REVISIONS)
    active = [one for one in reversed(history) if one.is_active]
    stable = next((one.to_release for one in history if one.phase is Phase.CERTIFIED), None)
    return Case(concerns=concerns, policy=service.rollout, stable=stable, current=active[0] if active else None, history=history)


def needs(doors: Doors, wanted: Wanted, fleet: Fleet) -> list[dict[str, str]]:
    """Return a need for every service of which something that runs asks for action, unless msxfctl is going back from it already."""
    found = []
    for service in wanted.catalog.services.values():
        current, stands = wanted.current.get(service.name), settle(service, wanted, fleet, doors).now
        one = finding.suspect(without_history(service, wanted, stands)) if stands.standing else None
        if one is not None and not (current and current.finding):
            way = "abort" if current and current.to_release == one.release else "rollback"
            why = f"{views.version_of(one.release)}: {one.finding.said}; {follows(doors, service, stands, one)}"
            found.append({"service": service.name, "state": "finding", "why": why, "next": f"msxfctl {way} {service.name}"})
    return found


def warnings(doors: Doors, service: Service, wanted: Wanted, fleet: Fleet, release: str) -> list[str]:
    """Return what a plan should say of a release about which something stands."""
    one = finding.grave(settle(service, wanted, fleet, doors).now, release, service.rollout)
    return [f"not promoted until its instances say that it is over: {one.finding.said}"] if one else []


def _acts(answer: Answer) -> bool:
    return answer.abort or answer.back_to is not None


def _reason(answer: Answer) -> str:
    assert answer.concern is not None
    return answer.concern.finding.said
