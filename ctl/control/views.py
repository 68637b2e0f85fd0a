"""From values to what people see: every shape of model/view.py is made here. Reads nothing, changes nothing."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from ctl.control import mapping
from ctl.control.desired import Wanted
from ctl.decide import groups as reading
from ctl.decide import view as rolling_view
from ctl.model import codec
from ctl.model.event import Event
from ctl.model.finding import Concern
from ctl.model.fleet import Fleet, Group, Instance, InstancePhase, Routes
from ctl.model.plan import Plan
from ctl.model.release import Artifact
from ctl.model.rollout import Measurement, Phase, Rollout, Side
from ctl.model.service import Service, Strategy
from ctl.model.situation import Situation
from ctl.model.view import (
    ArtifactView,
    EventView,
    FindingView,
    GroupView,
    InstanceView,
    MeasurementView,
    PlanView,
    RolloutView,
    ServiceRow,
    ServiceView,
    SideView,
)

AT_WORK = frozenset({Phase.PLANNED, Phase.PREPARING, Phase.STEPPING, Phase.JUDGING, Phase.PROMOTING, Phase.BAKING})


def version_of(release: str | None) -> str | None:
    """Return the version inside a release id ("1.5.0-9b1c3fa2" is 1.5.0)."""
    return release.rsplit("-", 1)[0] if release else None


def instance(one: Instance) -> InstanceView:
    return InstanceView(
        id=one.id,
        release=one.release,
        phase=one.phase.value,
        address=one.address,
        zone=one.zone,
        since=one.since.isoformat(),
        restarts=one.restarts,
        reason=one.reason,
        pid=one.pid,
        drain_by=one.drain_by.isoformat() if one.drain_by else None,
    )


def row(service: Service, wanted: Wanted, fleet: Fleet) -> ServiceRow:
    """Return one line of `services`."""
    groups = fleet.groups.get(service.name, ())
    rollout, stable, desired = wanted.current.get(service.name), wanted.stable.get(service.name), wanted.count(service)
    ready = sum(1 for group in groups for one in group.instances if one.phase is InstancePhase.READY)
    state, note = _state(rollout, stable, groups, desired)
    return ServiceRow(
        name=service.name,
        domain=service.domain,
        tier=service.tier,
        kind=service.kind.value,
        owner=service.owner,
        version=version_of(stable),
        release=stable,
        desired=desired,
        ready=ready,
        total=sum(len(group.instances) for group in groups),
        state=state,
        note=note,
        rollout=rollout.id if rollout else None,
    )


def _state(rollout: Rollout | None, stable: str | None, groups: Sequence[Group], desired: int) -> tuple[str, str]:
    if rollout and rollout.phase is Phase.PAUSED:
        return "paused", rollout.paused_why
    if rollout:
        journey = f"{version_of(rollout.from_release) or 'nothing'} → {version_of(rollout.to_release)}"
        return "rolling", f"{journey}, {rollout.phase.value}" + (f": {rollout.abort_why}" if rollout.phase is Phase.ABORTING else "")
    if stable is None:
        return "absent", "nothing has been released"
    members = [one for group in groups if group.release == stable for one in group.instances if one.is_counted]
    ready = sum(1 for one in members if one.phase is InstancePhase.READY)
    if ready >= desired:
        return "ok", ""
    reason = next((f"{one.id}: {one.reason}" for one in members if one.reason and one.phase is not InstancePhase.READY), "")
    if ready == 0 and any(one.restarts for one in members):
        return "down", reason or "no instance is ready"
    if all(one.restarts == 0 for one in members):
        return "starting", reason or f"{ready} of {desired} ready"
    return "degraded", reason or f"{ready} of {desired} ready"


def service(known: Service, wanted: Wanted, fleet: Fleet, current: RolloutView | None, findings: list[FindingView]) -> ServiceView:
    """Return everything about one service."""
    routes = fleet.routes.get(known.name) or Routes(service=known.name)
    views = [_group(group, known, wanted, routes, fleet.observed_at) for group in fleet.groups.get(known.name, ())]
    return ServiceView(
        **row(known, wanted, fleet),
        summary=known.summary,
        depends_on=list(known.depends_on),
        dependents=mapping.impact(wanted.catalog, known.name)["direct"],
        groups=views,
        current=current,
        findings=findings,
        spec=codec.to_json(known),
    )


def _group(group: Group, known: Service, wanted: Wanted, routes: Routes, now: datetime) -> GroupView:
    rollout = wanted.current.get(known.name)
    situation = Situation(
        service=known.name,
        policy=rollout.policy if rollout else known.rollout,
        handover=known.handover,
        desired=0,
        stable=None,
        groups=(group,),
        routes=routes,
        now=now,
    )
    standing = reading.standing(situation, group.release)
    role = "target" if rollout and rollout.to_release == group.release else "stable" if wanted.stable.get(known.name) == group.release else "old"
    return GroupView(
        release=group.release,
        version=version_of(group.release) or "",
        role=role,
        desired=group.desired,
        ready=standing.ready,
        available=len(standing.available),
        draining=standing.leaving,
        weight_pct=routes.weight_of(group.release),
        instances=[instance(one) for one in sorted(group.instances, key=lambda one: one.id)],
    )


def rollout(one: Rollout, now: datetime, waiting: str) -> RolloutView:
    """Return a rollout; `waiting` is what its last decision said."""
    ended, strategy = one.finished_at or now, rolling_view.strategy_of(one)
    return RolloutView(
        id=one.id,
        service=one.service,
        revision=one.revision,
        from_release=one.from_release,
        from_version=version_of(one.from_release),
        to_release=one.to_release,
        to_version=version_of(one.to_release) or "",
        strategy=strategy.value,
        phase=one.phase.value,
        step=one.step,
        steps=len(one.policy.steps) if strategy is Strategy.CANARY else 0,
        active=one.is_active,
        paused_why=one.paused_why,
        abort_why=one.abort_why,
        outcome=one.outcome,
        waiting=waiting if one.is_active else "",
        actor=one.actor,
        reason=one.reason,
        started_at=one.started_at.isoformat(),
        finished_at=one.finished_at.isoformat() if one.finished_at else None,
        took_s=round((ended - one.started_at).total_seconds(), 2),
        measurements=[_measurement(each) for each in one.measurements],
        undo=_undo(one),
    )


def _undo(one: Rollout) -> str:
    """Return the command that takes the rollout back; before a first release there is nothing to go back to but nothing."""
    if one.is_active:
        return f"msxfctl abort {one.service}"
    return f"msxfctl rollback {one.service}" if one.from_release else f"msxfctl scale {one.service} 0"


def _measurement(one: Measurement) -> MeasurementView:
    return MeasurementView(at=one.at.isoformat(), verdict=one.verdict.value, target=_side(one.target), stable=_side(one.stable), why=one.why)


def _side(one: Side) -> SideView:
    return SideView(requests=one.requests, errors=one.errors, error_pct=round(one.error_pct, 2), p99_ms=one.p99_ms)


def finding(one: Concern, follows: str) -> FindingView:
    found = one.finding
    return FindingView(
        release=one.release,
        version=version_of(one.release) or "",
        kind=found.kind,
        subject=found.subject,
        asks=found.asks.value,
        n=found.n,
        said=found.said,
        since=one.since.isoformat(),
        follows=follows,
    )


def artifact(one: Artifact) -> ArtifactView:
    return ArtifactView(
        service=one.service,
        version=one.version,
        digest=one.digest,
        files=len(one.files),
        size=one.size,
        dependencies=list(one.dependencies),
        commit=one.commit,
        built_at=one.built_at.isoformat(),
    )


def plan(one: Plan, draft: Rollout, situation: Situation, changes: Sequence[Mapping[str, str | None]], checks: Sequence[str], digest: str) -> PlanView:
    surge, unavailable = rolling_view.bounds(draft, situation)
    return PlanView(
        service=one.service,
        from_version=version_of(one.from_release),
        to_version=version_of(one.to_release) or "",
        from_release=one.from_release,
        to_release=one.to_release,
        strategy=rolling_view.effective_strategy(draft, situation).value,
        surge=surge,
        unavailable=unavailable,
        desired=one.desired,
        lowest_available=one.lowest_available,
        highest_total=one.highest_total,
        expected_s=one.expected_s,
        steps=[{"at_s": step.at_s, "does": step.does, "why": step.why, "sizes": list(step.sizes)} for step in one.steps],
        config_changes=[dict(change) for change in changes],
        checks=list(checks),
        artifact=digest,
        checksum=one.checksum,
    )


def event(one: Event) -> EventView:
    return EventView(
        seq=one.seq,
        at=one.at.isoformat(),
        actor=one.actor,
        service=one.service,
        rollout=one.rollout,
        kind=one.kind,
        why=one.why,
        body=dict(one.body),
        previous=one.previous,
        hash=one.hash,
    )
