"""What a rollout will do if nothing disturbs it: the same decisions, played forward in an imagined world. Pure.

Undisturbed means: instances become ready `start_s` after their start, drain in no time, routes apply at once, and traffic is harmless.
"""

import hashlib
import json
from dataclasses import replace
from datetime import datetime, timedelta

from ctl.decide import rollout as rolling
from ctl.decide.groups import is_available
from ctl.model.fleet import Group, Instance, InstancePhase, Reading
from ctl.model.plan import Action, Deregister, DrainInstances, EnsureGroup, Plan, PlanStep, Register, RemoveGroup, SetRoutes
from ctl.model.rollout import Phase, Rollout
from ctl.model.service import Handover
from ctl.model.situation import Situation

MOST_TICKS = 5000


def plan(rollout: Rollout, situation: Situation, *, start_s: float) -> Plan:
    """Play the rollout forward from `situation` to its end, or to where it waits for a person, and write down every action."""
    world = _World(situation, start_s)
    steps: list[PlanStep] = []
    current, phase = rollout, rollout.phase
    for _ in range(MOST_TICKS):
        decision = rolling.next_step(current, world.situation())
        state = decision.next_state or current
        for action in decision.actions:
            world.apply(action)
            steps.append(_step(action, world, decision.why))
        waits = state.phase is phase and not decision.actions
        if state.phase is not phase:
            steps.append(PlanStep(at_s=world.elapsed_s, does=_phase_line(state), why=decision.why, sizes=world.sizes()))
        current, phase = state, state.phase
        if not current.is_active or phase is Phase.PAUSED:
            break
        world.pass_time(max(decision.again_in_s, _idle_s(current, world) if waits else 0.0))
    return Plan(
        service=situation.service,
        from_release=rollout.from_release,
        to_release=rollout.to_release,
        steps=tuple(steps),
        lowest_available=world.lowest,
        highest_total=world.highest,
        expected_s=round(world.elapsed_s, 1),
        desired=situation.desired,
        checksum=checksum(rollout, situation),
    )


def _idle_s(state: Rollout, world: "_World") -> float:
    """Return for how long a rollout only waits for time to pass: the rest of a step or of the bake, once nobody is on the way any more."""
    if not world.is_at_rest(state.to_release):
        return 0.0
    if state.phase is Phase.BAKING and world.is_alone(state.to_release):
        return state.policy.bake_s - world.since(state.phase_since)
    if state.phase is Phase.JUDGING and state.step_since and state.policy.steps and state.policy.gate.window_s <= state.policy.steps[state.step].step_s:
        return state.policy.steps[state.step].step_s - world.since(state.step_since)
    return 0.0


def checksum(rollout: Rollout, situation: Situation) -> str:
    """Name the desired and the observed state a plan was made from; times and counters that change by themselves are left out."""
    groups = sorted((group.release, group.desired, sorted(one.id for one in group.instances if one.is_counted)) for group in situation.groups)
    routes = sorted((entry.release, entry.weight_pct, sorted(entry.instances)) for entry in situation.routes.entries)
    wish = [rollout.service, rollout.from_release, rollout.to_release, repr(rollout.policy), situation.desired, situation.stable]
    return hashlib.sha256(json.dumps([wish, groups, routes], sort_keys=True, default=str).encode()).hexdigest()


def describe(action: Action) -> str:
    """Say in a few words what an action does."""
    match action:
        case EnsureGroup():
            return f"have {action.count} of {action.release}"
        case SetRoutes():
            shares = ", ".join(f"{entry.weight_pct} % to {entry.release} ({len(entry.instances)})" for entry in action.routes.entries)
            return f"send the traffic: {shares or 'nowhere'}"
        case DrainInstances():
            return f"drain {len(action.ids)} of {action.release}"
        case RemoveGroup():
            return f"forget the empty group of {action.release}"
        case Register():
            return f"register {len(action.entries)}"
        case Deregister():
            return f"deregister {len(action.ids)}"


def _phase_line(state: Rollout) -> str:
    return f"{state.phase.value}" + (
        f" (step {state.step + 1} of {len(state.policy.steps)})" if state.policy.steps and state.phase in (Phase.STEPPING, Phase.JUDGING) else ""
    )


def _step(action: Action, world: "_World", why: str) -> PlanStep:
    return PlanStep(at_s=round(world.elapsed_s, 1), does=describe(action), why=why, sizes=world.sizes())


class _World:
    """An imagined fleet of one service that obeys every action at once."""

    def __init__(self, situation: Situation, start_s: float) -> None:
        self._origin = situation
        self._start = timedelta(seconds=start_s)
        self._now = situation.now
        self._members = [one for group in situation.groups for one in group.instances if one.is_counted]
        self._known = {group.release for group in situation.groups}
        self._routes = situation.routes
        self._registered = {entry.id: entry for entry in situation.registered or ()}
        self._made = 0
        self.lowest, self.highest = len(self._available()), len(self._members)

    @property
    def elapsed_s(self) -> float:
        return (self._now - self._origin.now).total_seconds()

    def since(self, moment: datetime) -> float:
        return (self._now - moment).total_seconds()

    def is_alone(self, release: str) -> bool:
        return all(one.release == release for one in self._members)

    def is_at_rest(self, target: str) -> bool:
        """Whether the target has instances and every instance there is can carry traffic."""
        return any(one.release == target for one in self._members) and len(self._available()) == len(self._members)

    def situation(self) -> Situation:
        groups = tuple(self._group(release) for release in sorted(self._known))
        registered = None if self._origin.registered is None else tuple(self._registered.values())
        return replace(self._origin, groups=groups, routes=self._routes, registered=registered, readings=self._harmless(), now=self._now)

    def apply(self, action: Action) -> None:
        match action:
            case EnsureGroup():
                self._grow(action)
            case SetRoutes():
                self._routes = action.routes
            case DrainInstances():
                self._members = [one for one in self._members if one.id not in action.ids]
                self._hand_over()
            case RemoveGroup():
                self._known.discard(action.release)
            case Register():
                self._registered.update({entry.id: entry for entry in action.entries})
            case Deregister():
                self._registered = {id: entry for id, entry in self._registered.items() if id not in action.ids}
        self.highest = max(self.highest, len(self._members))
        self.lowest = min(self.lowest, len(self._available()))

    def pass_time(self, seconds: float) -> None:
        self._now += timedelta(seconds=max(seconds, 0.001))
        self._members = [self._aged(one) for one in self._members]
        self._hand_over()

    def sizes(self) -> tuple[tuple[str, int], ...]:
        counts: dict[str, int] = {}
        for one in self._members:
            counts[one.release] = counts.get(one.release, 0) + 1
        return tuple(counts.items())

    def _grow(self, action: EnsureGroup) -> None:
        have = sum(1 for one in self._members if one.release == action.release)
        self._known.add(action.release)
        for _ in range(action.count - have):
            self._made += 1
            name = f"new-{self._made}"
            self._members.append(
                Instance(
                    id=name,
                    service=action.service,
                    release=action.release,
                    address=f"{name}:0",
                    phase=InstancePhase.STARTING,
                    since=self._now,
                    created_at=self._now,
                )
            )

    def _aged(self, one: Instance) -> Instance:
        if one.phase is InstancePhase.STARTING and self._now >= one.created_at + self._start:
            phase = InstancePhase.STANDBY if self._origin.handover is Handover.STANDBY else InstancePhase.READY
            return replace(one, phase=phase, since=one.created_at + self._start)
        return one

    def _hand_over(self) -> None:
        if self._origin.handover is Handover.STANDBY and not any(one.phase is InstancePhase.READY for one in self._members):
            heir = next((one for one in self._members if one.phase is InstancePhase.STANDBY), None)
            if heir:
                self._members = [replace(one, phase=InstancePhase.READY) if one is heir else one for one in self._members]

    def _group(self, release: str) -> Group:
        members = tuple(one for one in self._members if one.release == release)
        return Group(service=self._origin.service, release=release, desired=len(members), instances=members)

    def _available(self) -> list[Instance]:
        here = replace(self._origin, now=self._now)
        return [one for one in self._members if is_available(one, here)]

    def _harmless(self) -> tuple[Reading, ...]:
        routed = [one for one in self._members if one.id in self._routes.instance_ids]
        return tuple(_calm(one, self._now) for one in routed)


def _calm(one: Instance, now: datetime) -> Reading:
    return Reading(service=one.service, release=one.release, instance=one.id, requests=1_000_000, errors=0, p99_ms=1.0, window_s=1.0, at=now)


def nothing(rollout: Rollout, situation: Situation) -> Plan:
    """Return the plan of a rollout to what is live already: no step, and capacity as it is."""
    world = _World(situation, 0.0)
    return Plan(
        service=situation.service,
        from_release=rollout.from_release,
        to_release=rollout.to_release,
        steps=(),
        lowest_available=world.lowest,
        highest_total=world.highest,
        expected_s=0.0,
        desired=situation.desired,
        checksum=checksum(rollout, situation),
    )
