"""One tick of one service: observe, decide, journal, act, journal, save. Every way a service changes goes through here."""

import logging

from ctl.control import act
from ctl.control.desired import Desired, Wanted
from ctl.control.doors import Doors
from ctl.control.fences import Fences
from ctl.control.observe import Observer
from ctl.decide import rollout as rolling
from ctl.decide.effects import IDLE_S
from ctl.model.event import Note
from ctl.model.fleet import Fleet
from ctl.model.plan import Decision
from ctl.model.rollout import Phase, Rollout
from ctl.model.situation import Situation

log = logging.getLogger(__name__)


class Ticker:
    """Ticks services. Holds nothing between ticks but the last sentence said about each, for people who ask what it waits for."""

    def __init__(self, doors: Doors, desired: Desired, fences: Fences) -> None:
        self._doors = doors
        self._desired = desired
        self._fences = fences
        self._observer = Observer(doors)
        self._said: dict[str, str] = {}

    def look(self) -> tuple[Wanted, Fleet]:
        """Return one reading of the desired and one of the observed state, for all services."""
        return self._desired.read(), self._observer.look()

    def situation(self, service: str, wanted: Wanted, fleet: Fleet) -> Situation:
        """Return what a decision about a service of the catalog may know."""
        return self._observer.situation(wanted.catalog.services[service], wanted, fleet)

    def why(self, service: str) -> str:
        """Return the last decision's sentence about the service; empty when there was none."""
        return self._said.get(service, "")

    def tick(self, service: str, wanted: Wanted, fleet: Fleet) -> float:
        """Do what is to be done for the service now and return the seconds until the next look. Raises CtlError; state is never half saved."""
        if service not in wanted.catalog.services:
            return IDLE_S
        situation = self.situation(service, wanted, fleet)
        current = wanted.current.get(service)
        decision = rolling.next_step(current, situation) if current else rolling.steady(situation)
        self._said[service] = decision.why
        moved = current is not None and decision.next_state is not None and decision.next_state != current
        if not decision.actions and not moved:
            return decision.again_in_s
        fence = self._fences.fence(service)
        self._act(decision, current)
        if moved and current and decision.next_state:
            self._save(current, decision.next_state, decision.why, fence)
        return decision.again_in_s

    def _act(self, decision: Decision, current: Rollout | None) -> None:
        if not decision.actions:
            return
        failed = act.carry_out(self._doors, decision.actions, current, decision.why)
        if failed:
            raise failed
        log.info("%s: %s", decision.actions[0].service, decision.why)

    def _save(self, before: Rollout, after: Rollout, why: str, fence: int) -> None:
        self._doors.rollouts.save(after, fence)
        if after.phase is before.phase and after.step == before.step:
            return
        self._doors.journal.append([phase_note(self._doors, before, after, why)])
        if not after.is_active:
            self._desired.changed()
        log.info("%s: %s", after.service, why)


def phase_note(doors: Doors, before: Rollout | None, after: Rollout, why: str) -> Note:
    """Return the note of a rollout entering a phase."""
    body = {
        "from": before.phase.value if before else None,
        "to": after.phase.value,
        "step": after.step,
        "revision": after.revision,
        "release": after.to_release,
    }
    if after.phase in (Phase.ABORTING, Phase.ROLLED_BACK):
        body["abort_why"] = after.abort_why
    return Note(at=doors.clock.now(), actor=doors.holder, kind="rollout.phase", why=why, service=after.service, rollout=after.id, body=body)
