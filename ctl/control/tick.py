"""One tick of one service: observe, decide, journal, act, journal, save. Every way a service changes goes through here."""

import logging
from datetime import datetime, timedelta

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
REPEAT_AFTER = timedelta(seconds=2)
AWAITED_S = 0.25  # a backend that shows the effect wakes the loop before


class Ticker:
    """Ticks services. Between ticks it keeps what was last said about each, for people who ask, and what was last asked; both may be lost at any time."""

    def __init__(self, doors: Doors, desired: Desired, fences: Fences) -> None:
        self._doors = doors
        self._desired = desired
        self._fences = fences
        self._observer = Observer(doors)
        self._said: dict[str, str] = {}
        self._asked: dict[str, tuple[tuple[str, ...], datetime]] = {}

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
        waits_s = self._act(service, decision, current)
        if moved and current and decision.next_state:
            self._save(current, decision.next_state, decision.why, fence)
        return max(decision.again_in_s, waits_s)

    def _act(self, service: str, decision: Decision, current: Rollout | None) -> float:
        """Carry the actions out and return 0; what was asked for a moment ago and cannot be seen yet is not asked again, but waited for."""
        ids, now = tuple(act.action_id(action, current) for action in decision.actions), self._doors.clock.now()
        before, since = self._asked.get(service, ((), now))
        if not ids or (ids == before and now - since < REPEAT_AFTER):
            return AWAITED_S if ids else 0.0
        failed = act.carry_out(self._doors, decision.actions, current, decision.why)
        if failed:
            self._asked.pop(service, None)
            raise failed
        self._asked[service] = ids, now
        log.info("%s: %s", service, decision.why)
        return 0.0

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
