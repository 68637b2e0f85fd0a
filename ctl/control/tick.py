"""One tick of one service: observe, decide, journal, act, journal, save. Every way a service changes goes through here."""

import logging
from dataclasses import dataclass

from ctl.control import act
from ctl.control.desired import Desired, Wanted
from ctl.control.doors import Doors
from ctl.control.fences import Fences
from ctl.control.findings import Findings
from ctl.control.notes import phase_note
from ctl.control.observe import Observer
from ctl.decide import rollout as rolling
from ctl.decide.effects import IDLE_S, LOOK_S, SOON_S
from ctl.errors import StaleRevision
from ctl.model.fleet import Fleet
from ctl.model.plan import Action, Decision
from ctl.model.rollout import Rollout
from ctl.model.situation import Situation

log = logging.getLogger(__name__)


class Ticker:
    """Ticks services. Holds nothing that matters between ticks: the last sentence said about each, and what each did when."""

    def __init__(self, doors: Doors, desired: Desired, fences: Fences) -> None:
        self._doors = doors
        self._desired = desired
        self._fences = fences
        self._observer = Observer(doors)
        self._findings = Findings(doors, desired, fences)
        self._said: dict[str, str] = {}
        self._last: dict[str, _Last] = {}

    def look(self) -> tuple[Wanted, Fleet]:
        """Return one reading of the desired and one of the observed state, for all services."""
        number = self._observer.begin()
        return self._desired.read(), self._observer.look(number)

    def situation(self, service: str, wanted: Wanted, fleet: Fleet) -> Situation:
        """Return what a decision about a service of the catalog may know."""
        return self._observer.situation(wanted.catalog.services[service], wanted, fleet)

    def why(self, service: str) -> str:
        """Return the last decision's sentence about the service; empty when there was none."""
        return self._said.get(service, "")

    def tick(self, service: str, wanted: Wanted, fleet: Fleet) -> float:
        """Do what is to be done for the service now and return the seconds until the next look. Raises CtlError; state is never half saved.

        A look that began before the service's last tick had ended shows the world as it was, and nothing is done on it.
        """
        last = self._last.get(service)
        if service not in wanted.catalog.services:
            return IDLE_S
        if last and fleet.seq <= last.look:
            return SOON_S
        done = self._findings.tend(wanted.catalog.services[service], wanted, fleet)
        if done:
            self._said[service] = done
            log.info("%s: %s", service, done)
            return SOON_S
        situation = self.situation(service, wanted, fleet)
        current = wanted.current.get(service)
        decision = rolling.next_step(current, situation) if current else rolling.steady(situation)
        self._said[service] = decision.why
        moved = current is not None and decision.next_state is not None and decision.next_state != current
        if not decision.actions and not moved:
            return decision.again_in_s
        with self._fences.turn(service) as fence:
            self._require_fresh(current)
            try:
                self._act(decision, current)
                if moved and current and decision.next_state:
                    self._save(current, decision.next_state, decision.why, fence)
            finally:
                self._last[service] = _Last.after(last, decision, self._observer.begun, moved=moved)
        return max(decision.again_in_s, self._last[service].pause_s)

    def _require_fresh(self, current: Rollout | None) -> None:
        """Make sure that nobody has changed the rollout since it was read: what a person has decided comes before what we have. Raises StaleRevision."""
        if current and self._doors.rollouts.load(current.id).version != current.version:
            raise StaleRevision(f"the rollout {current.id} has changed since it was read", remedy="the next tick decides anew")

    def _act(self, decision: Decision, current: Rollout | None) -> None:
        if not decision.actions:
            return
        failed = act.carry_out(self._doors, decision.actions, current, decision.why)
        if failed:
            raise failed
        log.info("%s: %s", decision.actions[0].service, decision.why)

    def _save(self, before: Rollout, after: Rollout, why: str, fence: int) -> None:
        is_step = after.phase is not before.phase or after.step != before.step
        self._doors.rollouts.save(after, fence, [phase_note(self._doors, before, after, why)] if is_step else ())
        if not after.is_active:
            self._desired.changed()
        if is_step:
            log.info("%s: %s", after.service, why)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Last:
    """What a service's last tick did: the newest look begun by its end, its actions, and how often in a row they were the same."""

    look: int
    actions: tuple[Action, ...]
    times: int

    @classmethod
    def after(cls, last: "_Last | None", decision: Decision, look: int, *, moved: bool) -> "_Last":
        again = last is not None and not moved and decision.actions == last.actions
        return cls(look=look, actions=decision.actions, times=last.times + 1 if last and again else 0)

    @property
    def pause_s(self) -> float:
        """Asking for the same again and again (a gateway that lags, or is down) is done ever more seldom, at least once in LOOK_S."""
        return min(LOOK_S, SOON_S * 2.0 ** min(self.times, 10)) if self.times else 0.0
