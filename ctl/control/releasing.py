"""Starting rollouts: from a version to a pinned release, a plan, and a rollout that the loop then carries out."""

import hashlib
from dataclasses import dataclass, replace
from datetime import datetime

from ctl.control.desired import Desired, Wanted
from ctl.control.doors import Doors
from ctl.control.fences import Fences
from ctl.control.notes import phase_note
from ctl.control.observe import Observer
from ctl.decide import foresee, verbs, view
from ctl.errors import BadInput, NotFound, StaleRevision, UnsafePlan
from ctl.model import codec
from ctl.model.plan import Plan
from ctl.model.release import Artifact, Release
from ctl.model.rollout import Rollout
from ctl.model.service import RolloutPolicy, Service, Strategy
from ctl.model.situation import Situation

TRIES = 5
USUAL_START_S = 1.0
SHORTEST_CHECKSUM = 8
MOST_ACTIVE = 5  # at most two are active, and only the newest of all can be


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A rollout that has not begun, with the release it goes to and the situation it was drafted in."""

    rollout: Rollout
    release: Release
    situation: Situation
    service: Service
    request: "Request"


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """Who wants a rollout, and why. `strategy` overrides the catalog's; `skip_gates` marks an undo to a known-good release, `finding` one by msxfctl."""

    actor: str
    reason: str = ""
    strategy: str = ""
    approve: str = ""
    skip_gates: bool = False
    finding: str = ""


class Releasing:
    """Drafts, plans and starts rollouts."""

    def __init__(self, doors: Doors, desired: Desired, fences: Fences) -> None:
        self._doors = doors
        self._desired = desired
        self._fences = fences
        self._observer = Observer(doors)

    def release_of(self, service: Service, version: str) -> Release:
        """Pin a built version and the service's present config as a release. Raises NotFound, DigestMismatch."""
        artifact = self._doors.artifacts.resolve(service.name, version)
        self._doors.artifacts.verify(artifact.digest)
        return pin(service, artifact, self._doors.clock.now())

    def draft(self, service: Service, release: Release, request: Request) -> Draft:
        """Return the rollout to `release` as it would start now."""
        now = self._doors.clock.now()
        wanted = self._desired.read()
        policy = _policy(service, request.strategy)
        history = self._doors.rollouts.history(service.name, 1)
        revision = history[0].revision + 1 if history else 1
        rollout = Rollout(
            id=f"{service.name}-r{revision}",
            service=service.name,
            revision=revision,
            from_release=wanted.stable.get(service.name),
            to_release=release.id,
            policy=policy,
            phase_since=now,
            started_at=now,
            last_progress_at=now,
            skip_gates=request.skip_gates,
            finding=request.finding,
            actor=request.actor,
            reason=request.reason,
        )
        return Draft(rollout=rollout, release=release, situation=self._situation(service, wanted, policy), service=service, request=request)

    def plan(self, draft: Draft) -> Plan:
        """Play the draft forward; to what is live already there is nothing to play. Raises UnsafePlan where it cannot fit its bounds."""
        _require_room(draft)
        if draft.rollout.from_release == draft.release.id:
            return foresee.nothing(draft.rollout, draft.situation)
        return foresee.plan(draft.rollout, draft.situation, start_s=USUAL_START_S)

    def start(self, draft: Draft, approve: str) -> Rollout:
        """Start the draft, or return the rollout that already goes there. Raises UnsafePlan when the approved plan is no longer this one."""
        service = draft.rollout.service
        for _ in range(TRIES):
            running, queued = self._running(service)
            newest = queued or running
            if newest is not None and newest.to_release == draft.release.id and not newest.abort_why:
                return newest
            _require_room(draft)
            _require_approved(draft, approve)
            try:
                return self._begin(draft, running, queued)
            except StaleRevision:
                self._desired.changed()
                draft = self.draft(draft.service, draft.release, draft.request)
        raise StaleRevision(f"{service} keeps changing; {draft.release.id} was not started", remedy="try again")

    def _begin(self, draft: Draft, running: Rollout | None, queued: Rollout | None) -> Rollout:
        rollout, now = draft.rollout, self._doors.clock.now()
        self._doors.releases.put(draft.release)
        with self._fences.turn(rollout.service) as fence:
            for older in (queued, running):
                if older is not None and verbs.may_supersede(older):
                    ended = verbs.supersede(older, now, draft.release.id)
                    note = phase_note(self._doors, older, ended, f"superseded by {draft.release.id}")
                    self._doors.rollouts.save(ended, fence, [replace(note, actor=rollout.actor)])
            planned = replace(rollout, plan=foresee.checksum(rollout, draft.situation))
            why = f"{rollout.actor} deploys {draft.release.id}" + (f": {rollout.reason}" if rollout.reason else "")
            saved = self._doors.rollouts.save(planned, fence, [replace(phase_note(self._doors, None, planned, why), actor=rollout.actor)])
        self._desired.changed()
        return saved

    def _running(self, service: str) -> tuple[Rollout | None, Rollout | None]:
        mine = active(self._doors, service)
        return (mine[0] if mine else None), (mine[1] if len(mine) > 1 else None)

    def _situation(self, service: Service, wanted: Wanted, policy: RolloutPolicy) -> Situation:
        now_wanted = replace(wanted, current={}, queued={})
        return replace(self._observer.situation(service, now_wanted, self._observer.look()), policy=policy)


def active(doors: Doors, service: str) -> list[Rollout]:
    """Return the service's rollouts that are not over, oldest first: the one that acts, and the one that waits for it."""
    return [one for one in reversed(doors.rollouts.history(service, MOST_ACTIVE)) if one.is_active]


def pin(service: Service, artifact: Artifact, now: datetime) -> Release:
    """Return the release of this artifact with this service's config: the same content always has the same id."""
    content = {
        "service": service.name,
        "digest": artifact.digest,
        "command": list(artifact.command),
        "environment": environment(service),
        "health": codec.to_json(service.health),
        "resources": codec.to_json(service.resources),
        "handover": service.handover.value,
    }
    name = hashlib.sha256(codec.canonical(content).encode()).hexdigest()[:8]
    return Release(
        id=f"{artifact.version}-{name}",
        service=service.name,
        version=artifact.version,
        digest=artifact.digest,
        command=artifact.command,
        environment=environment(service),
        health=service.health,
        resources=service.resources,
        handover=service.handover,
        built_at=now,
    )


def environment(service: Service) -> dict[str, str]:
    """Return what a release pins of the catalog as environment variables: price.table becomes MSXF_CONFIG_PRICE_TABLE."""
    keys = {key: "MSXF_CONFIG_" + "".join(char if char.isalnum() else "_" for char in key).upper() for key in sorted(service.config)}
    return {"MSXF_DEPENDS_ON": ",".join(service.depends_on), **{name: service.config[key] for key, name in keys.items()}}


def config_changes(before: Release | None, after: Release) -> list[dict[str, str | None]]:
    """Return the config keys that differ, with both values (None: absent)."""
    old, new = (before.environment if before else {}), after.environment
    return [{"key": key, "before": old.get(key), "after": new.get(key)} for key in sorted({*old, *new}) if old.get(key) != new.get(key)]


def _policy(service: Service, strategy: str) -> RolloutPolicy:
    if not strategy:
        return service.rollout
    try:
        return replace(service.rollout, strategy=Strategy(strategy))
    except ValueError as error:
        raise BadInput(f"there is no strategy {strategy!r}", remedy=f"use one of {', '.join(Strategy)}") from error


def _require_room(draft: Draft) -> None:
    most, desired, strategy = draft.rollout.policy.max_total, draft.situation.desired, view.effective_strategy(draft.rollout, draft.situation)
    if most is None or strategy is Strategy.ROLLING or 2 * desired <= most:
        return
    raise UnsafePlan(
        f"{draft.rollout.service} is not deployed: {strategy} needs up to {2 * desired} instances",
        found=f"max_total is {most}",
        remedy=f"msxfctl deploy {draft.rollout.service} --strategy rolling, or raise rollout.max_total in the catalog",
    )


def _require_approved(draft: Draft, approve: str) -> None:
    if not approve:
        return
    if len(approve) < SHORTEST_CHECKSUM:
        raise BadInput(f"--approve {approve} is too short", remedy=f"give at least {SHORTEST_CHECKSUM} characters of the plan's checksum")
    now = foresee.checksum(draft.rollout, draft.situation)
    if not now.startswith(approve):
        raise UnsafePlan(
            f"{draft.rollout.service} is not deployed: the world has moved since plan {approve} was made",
            found=f"the plan is now {now[:8]}",
            remedy=f"msxfctl plan {draft.rollout.service} --version {draft.release.version}, and approve what it shows",
        )


def known_release(doors: Doors, service: str, name: str) -> Release:
    """Return a release by its id, or the newest of a version. Raises NotFound naming what there is."""
    known = doors.releases.find(service)
    for release in known:
        if name in (release.id, release.version):
            return release
    there = ", ".join(release.id for release in known[:5]) or "none"
    raise NotFound(f"{service} has no release {name}", found=f"releases: {there}", remedy=f"msxfctl history {service}")
