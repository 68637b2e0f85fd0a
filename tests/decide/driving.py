"""Driving a service tick by tick through an imagined world, with every invariant checked after every action."""

from collections.abc import Callable
from dataclasses import replace

from ctl.decide import foresee, verbs
from ctl.decide import rollout as rolling
from ctl.errors import Refused
from ctl.model.plan import Action, Decision
from ctl.model.rollout import TERMINAL, Phase, Rollout
from ctl.model.service import RolloutPolicy
from tests.decide.invariants import Bounds, check_action, check_decision, check_transition
from tests.decide.world import EPOCH, SERVICE, World

LONGEST_S = 400.0


def new_rollout(world: World, to: str, *, revision: int = 2, policy: RolloutPolicy | None = None, skip_gates: bool = False) -> Rollout:
    """Return a rollout from the world's stable release, as the plane would store it."""
    return Rollout(
        id=f"{SERVICE}-r{revision}",
        service=SERVICE,
        revision=revision,
        from_release=world.stable,
        to_release=to,
        policy=policy or world.policy,
        phase_since=world.now,
        started_at=world.now,
        last_progress_at=world.now,
        skip_gates=skip_gates,
        actor="ann",
        reason="",
    )


class Run:
    """One rollout on its way. `state` is what the store holds; dropping a decision's state is what a crash does."""

    def __init__(self, world: World, rollout: Rollout | None) -> None:
        self.world = world
        self.state = rollout
        self.phases: list[Phase] = []
        self.actions: list[Action] = []
        self.said: list[str] = []
        self.story: list[str] = []

    def tick(self, *, carried_out: int | None = None) -> Decision:
        """Decide and act. `carried_out` n: the process dies after n actions, and what it decided is not stored."""
        active = self.state if self.state and self.state.is_active else None
        situation = self.world.situation(active)
        decision = rolling.next_step(active, situation) if active else rolling.steady(situation)
        again = rolling.next_step(active, situation) if active else rolling.steady(situation)
        assert again == decision, "the same inputs give the same decision"
        self._tell(decision, carried_out)
        try:
            check_decision(active, situation, decision)
            bounds = Bounds(decision.next_state if active else None, situation)
            for action in decision.actions[:carried_out]:
                check_action(action, bounds, self.world.situation(active), self.world.pending)
                self.world.apply(action)
                self.actions.append(action)
        except AssertionError as error:
            error.add_note(self.told())
            raise
        if active and carried_out is None:
            self._store(decision)
        return decision

    def told(self) -> str:
        """Tell the story so far: what was seen and done when, without repetitions."""
        world = self.world
        return "\n".join([str(self.state and self.state.policy), f"{world.terrain} {world.natures}", *self.story])

    def _tell(self, decision: Decision, carried_out: int | None) -> None:
        world = self.world
        sizes = ", ".join(f"{group.release} {world.size(group.release)}" for group in world.situation().groups)
        weights = ", ".join(f"{entry.weight_pct} % {entry.release} ({len(entry.instances)})" for entry in world.in_force.entries)
        died = "" if carried_out is None else f" (dies after {carried_out})"
        does = "; ".join(foresee.describe(action) for action in decision.actions) or "nothing"
        at_s = (world.now - EPOCH).total_seconds()
        line = f"{self.phase}, {world.desired} wanted [{sizes}] [{weights}] {decision.why} → {does}{died}"
        if not self.story or not self.story[-1].endswith(line):
            self.story.append(f"{at_s:7.2f} s {line}")

    def verb(self, verb: Callable[[Rollout], Rollout]) -> None:
        """Let a person do something to the rollout; a refusal changes nothing."""
        assert self.state
        try:
            after = verb(self.state)
        except Refused:
            return
        check_transition(self.state, after)
        self.state = after
        self._certify()

    def go(self, *, until: Callable[[], bool] | None = None, longest_s: float = LONGEST_S) -> None:
        """Tick until the rollout has ended, or until `until` holds, or for `longest_s` of the world's time."""
        began = self.world.now
        while (self.world.now - began).total_seconds() < longest_s:
            if until() if until else self.is_over:
                return
            self.world.advance(self.tick().again_in_s)

    def see_through(self) -> None:
        """Tick to the end, with a person who passes every gate and resumes whatever is paused."""
        for _ in range(12):
            self.go(until=lambda: self.is_over or self.phase is Phase.PAUSED)
            if self.phase is not Phase.PAUSED:
                return
            promote(self)
            resume(self)

    def settle(self, longest_s: float = 60.0) -> None:
        """Tick until nothing is left to do for a few seconds."""
        began, quiet_s = self.world.now, 0.0
        while quiet_s < 5.0:
            assert (self.world.now - began).total_seconds() < longest_s, f"it never comes to rest: {self.said[-3:]}"
            decision = self.tick()
            self.world.advance(min(decision.again_in_s, 1.0))
            quiet_s = 0.0 if decision.actions or not self.world.is_settled() else quiet_s + min(decision.again_in_s, 1.0)

    @property
    def phase(self) -> Phase | None:
        return self.state.phase if self.state else None

    @property
    def is_over(self) -> bool:
        return self.state is None or self.state.phase in TERMINAL

    def _store(self, decision: Decision) -> None:
        before, after = self.state, decision.next_state
        assert before
        assert after
        self.said.append(decision.why)
        if after.phase is not before.phase:
            self.phases.append(after.phase)
        self.state = replace(after, version=after.version + (after != before))
        self._certify()

    def _certify(self) -> None:
        if self.state and self.state.phase is Phase.CERTIFIED:
            self.world.stable = self.state.to_release


def abort(run: Run, why: str = "an operator asked for it") -> None:
    run.verb(lambda one: verbs.abort(one, run.world.now, why))


def pause(run: Run) -> None:
    run.verb(lambda one: verbs.pause(one, run.world.now, ""))


def resume(run: Run) -> None:
    run.verb(lambda one: verbs.resume(one, run.world.now))


def promote(run: Run, *, full: bool = False) -> None:
    run.verb(lambda one: verbs.promote(one, run.world.now, full=full, held=run.world.held))
