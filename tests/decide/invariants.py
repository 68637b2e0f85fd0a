"""What must hold for every action of every decision, whatever the world does. Each check names the rule it keeps."""

from ctl.decide import sizing, view
from ctl.decide.groups import is_available
from ctl.model.fleet import Instance, InstancePhase, Routes
from ctl.model.plan import Action, Decision, Deregister, DrainInstances, EnsureGroup, Register, RemoveGroup, SetRoutes
from ctl.model.rollout import TRANSITIONS, Phase, Rollout
from ctl.model.service import Handover, Strategy
from ctl.model.situation import Situation

ORDER = (Phase.PLANNED, Phase.PREPARING, Phase.STEPPING, Phase.JUDGING, Phase.PROMOTING, Phase.BAKING, Phase.CERTIFIED)


class Bounds:
    """The numbers that a decision must stay within, from the state it leaves behind."""

    def __init__(self, state: Rollout | None, situation: Situation) -> None:
        if state and state.phase is Phase.PAUSED and state.paused_from in (Phase.PLANNED, Phase.PREPARING):
            state = None
        self.state, self.situation = state, situation
        policy = situation.policy
        self.desired = state.desired if state else min(situation.desired, policy.max_total or situation.desired)
        self.strategy = view.effective_strategy(state, situation) if state else Strategy.ROLLING
        self.surge, unavailable = view.bounds(state, situation) if state and state.desired else (0, 0)
        if not state:
            unavailable = view.bounds_of(policy, situation, self.desired)[1]
        self.least = max(0, self.desired - unavailable)
        self.target = state.to_release if state else None
        self.stable = state.from_release if state else situation.stable
        self.is_withdrawn = self.stable is None and (state is None or state.phase is Phase.ABORTING)

    def may_carry(self, one: Instance) -> bool:
        """Without a rollout only stable does, and who has traffic already: what is kept for inspection never gets any."""
        return self.state is not None or one.release == self.stable or one.id in self.situation.routes.instance_ids


def check_decision(before: Rollout | None, situation: Situation, decision: Decision) -> None:
    """Check what does not depend on the world while the actions are carried out."""
    grows = [action for action in decision.actions if isinstance(action, EnsureGroup)]
    drains = [action for action in decision.actions if isinstance(action, DrainInstances)]
    assert not (grows and drains), "one direction of size a tick"
    assert decision.why, "every decision says why"
    assert decision.again_in_s >= 0
    if before is None:
        assert decision.next_state is None
        return
    after = decision.next_state
    assert after is not None
    check_transition(before, after)
    assert after.failures >= before.failures, "a failed window stays counted"


def check_transition(before: Rollout, after: Rollout) -> None:
    assert after.phase is before.phase or after.phase in TRANSITIONS[before.phase], f"no arrow {before.phase} → {after.phase}"
    if not before.is_active:
        assert after == before, "a terminal phase absorbs"
    assert after.step >= before.step, "steps only go forward"
    if before.phase in ORDER and after.phase in ORDER and after.step == before.step:
        assert ORDER.index(after.phase) >= ORDER.index(before.phase), "phases only go forward within a step"


def check_action(action: Action, bounds: Bounds, now: Situation, pending: Routes | None) -> None:
    """Check one action against the world as it is just before it is carried out."""
    match action:
        case EnsureGroup():
            _check_growth(action, bounds, now)
        case SetRoutes():
            _check_routes(action.routes, bounds, now)
        case DrainInstances():
            _check_drain(action, bounds, now, pending)
        case RemoveGroup():
            assert not [one for one in members(now) if one.release == action.release], "only an empty group is forgotten"
        case Register():
            assert {entry.id for entry in action.entries} <= {one.id for one in members(now)}, "only what exists is findable"
        case Deregister():
            assert set(action.ids) <= {entry.id for entry in now.registered or ()}


def _check_growth(action: EnsureGroup, bounds: Bounds, now: Situation) -> None:
    size = {release: sum(1 for one in members(now) if one.release == release and one.is_counted) for release in {one.release for one in members(now)}}
    has, state = size.get(action.release, 0), bounds.state
    assert action.count > has, "growing means more"
    total = sum(size.values()) - has + action.count
    strays = sum(count for release, count in size.items() if release not in (bounds.target, bounds.stable))
    assert action.release in (bounds.target, bounds.stable), "only the target and stable ever grow"
    assert action.count <= max(bounds.desired, has), "no group grows beyond desired"
    most = now.policy.max_total
    assert most is None or total <= most, f"{total} instances, max_total is {most}"
    if state is None:
        return
    if state.phase is Phase.ABORTING:
        assert action.release != bounds.target, "an aborted target never grows"
    if bounds.strategy is Strategy.ROLLING:
        assert total <= bounds.desired + bounds.surge, f"{total} instances, desired {bounds.desired} + surge {bounds.surge}"
    elif bounds.strategy is Strategy.CANARY and state.phase in (Phase.STEPPING, Phase.JUDGING):
        canary = sizing.canary_with_split(bounds.desired, state.policy.steps[state.step].weight_pct)
        assert total <= bounds.desired + max(canary, size.get(bounds.target or "", 0)) + strays, "desired + canary is the most"
    else:
        before = max(bounds.desired, size.get(bounds.stable or "", 0))
        assert total <= before + max(bounds.desired, size.get(bounds.target or "", 0)) + strays, "two whole groups are the most"


def _check_routes(routes: Routes, bounds: Bounds, now: Situation) -> None:
    assert not routes.entries or sum(entry.weight_pct for entry in routes.entries) == 100, "weights sum to 100"
    here = {one.id: one for one in members(now)}
    able = {one.id for one in members(now) if one.is_counted and is_available(one, now) and bounds.may_carry(one)}
    for entry in routes.entries:
        assert entry.weight_pct > 0
        assert entry.instances, "a weight points at instances"
        assert all(id in here and here[id].is_counted for id in entry.instances), "traffic goes to nobody who leaves or is gone"
        assert entry.addresses == tuple(here[id].address for id in entry.instances)
        raised = entry.weight_pct > now.routes.weight_of(entry.release)
        assert able.intersection(entry.instances) or not raised or not able or not bounds.least, "no weight is raised to a group that cannot carry it"
    _check_capacity(routes, bounds, now, able)
    elsewhere = {id for entry in now.routes.entries if entry.release != bounds.target for id in entry.instances}
    if bounds.state and bounds.state.phase is Phase.ABORTING and bounds.stable and elsewhere.intersection(here):
        assert routes.weight_of(bounds.target or "") <= now.routes.weight_of(bounds.target or ""), "an aborted target's weight never rises"


def _check_capacity(routes: Routes, bounds: Bounds, now: Situation, able: set[str]) -> None:
    """Where nothing is lost at present, whoever gets more traffic can carry it: capacity follows traffic, and never the other way round."""
    crew = [one for one in members(now) if one.is_counted and one.release in (bounds.target, bounds.stable)]
    if now.handover is Handover.STANDBY or bounds.is_withdrawn or any(one.restarts or one.phase is InstancePhase.UNREADY for one in crew):
        return
    if bounds.strategy is Strategy.ROLLING:
        had = len(able & now.routes.instance_ids)
        assert len(able & routes.instance_ids) >= min(bounds.least, had), "traffic is never left with fewer than desired - unavailable"
        _check_equal_shares(routes, bounds)
        return
    stable = [one for one in crew if one.release == bounds.stable]
    if len(able.intersection(one.id for one in stable)) < bounds.desired:
        return
    for entry in routes.entries:
        others = able - {one.id for one in crew if one.release == entry.release}
        if entry.weight_pct > now.routes.weight_of(entry.release) and others:
            needed = -(-bounds.least * entry.weight_pct // 100)
            assert len(able.intersection(entry.instances)) >= needed, f"{entry.weight_pct} % needs {needed} instances of {entry.release}"


def _check_equal_shares(routes: Routes, bounds: Bounds) -> None:
    """While traffic follows the instances, none carries more than its share (in whole percents, at least one for each group)."""
    total = len(routes.instance_ids)
    for entry in routes.entries:
        fair = 100 * len(entry.instances) / total
        if entry.release == bounds.target or bounds.state is None or bounds.state.phase is not Phase.ABORTING:
            assert entry.weight_pct <= fair + 1, f"{entry.weight_pct} % on {len(entry.instances)} of {total} instances"


def _check_drain(action: DrainInstances, bounds: Bounds, now: Situation, pending: Routes | None) -> None:
    assert not now.routes.instance_ids.intersection(action.ids), "nobody is drained who is in the routes in force"
    crew = [one for one in members(now) if one.is_counted]
    able = [one for one in crew if is_up(one, now) and bounds.may_carry(one)]
    left = [one for one in able if one.id not in action.ids]
    if len(left) < len(able) and not bounds.is_withdrawn:
        assert len(left) >= bounds.least, f"{len(left)} are left available, {bounds.least} are the least"
    has_no_traffic = action.release == bounds.target and not now.routes.weight_of(action.release)
    if now.handover is Handover.STANDBY and len(left) < len(able) and bounds.least and not bounds.is_withdrawn and not has_no_traffic:
        assert now.routes.instance_ids.intersection(one.id for one in left), "the heir has the traffic before a writer goes"


def is_up(one: Instance, now: Situation) -> bool:
    """Whether it can carry traffic; a writer that has just taken over is as good as it was as a standby."""
    return is_available(one, now) or (now.handover is Handover.STANDBY and one.phase is InstancePhase.READY)


def members(now: Situation) -> list[Instance]:
    return [one for group in now.groups for one in group.instances]
