"""What CLI and API call: every capability of msxfctl as one method. Reads return views; changes are journalled and picked up by the loop."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from ctl.control import access, doctor, findings, mapping, reading_logs, releasing, views
from ctl.control.desired import Desired, Wanted
from ctl.control.doors import Doors, Signals
from ctl.control.fences import Fences
from ctl.control.notes import phase_note
from ctl.control.observe import Observer, held
from ctl.control.releasing import Releasing, Request
from ctl.decide import verbs
from ctl.errors import BadInput, NotFound, Refused, StaleRevision
from ctl.model.access import Caller
from ctl.model.event import Note
from ctl.model.fleet import Fleet, InstancePhase
from ctl.model.rollout import Phase, Rollout
from ctl.model.service import Service
from ctl.model.view import (
    ArtifactView,
    CheckView,
    EventView,
    InstanceView,
    LogLine,
    PlanView,
    RolloutView,
    ServiceRow,
    ServiceView,
    StatusView,
    TokenView,
)

TRIES = 5
MOST_EVENTS = 10_000
MOST_REVISIONS = 10_000


class ControlPlane:
    """The plane of this process, for one caller. Implements ports.Plane."""

    def __init__(self, doors: Doors, desired: Desired, fences: Fences, signals: Signals, caller: Caller) -> None:
        self._doors = doors
        self._desired = desired
        self._fences = fences
        self._signals = signals
        self._caller = caller
        self._observer = Observer(doors)
        self._releasing = Releasing(doors, desired, fences)

    def acting_as(self, caller: Caller) -> "ControlPlane":
        """Return the same plane with another name in the journal."""
        return ControlPlane(self._doors, self._desired, self._fences, self._signals, caller)

    # --- looking ---

    def services(self, *, domain: str = "", match: str = "") -> list[ServiceRow]:
        wanted, fleet = self._look()
        known = wanted.catalog.services.values()
        return [views.row(one, wanted, fleet) for one in known if (not domain or one.domain == domain) and match in one.name]

    def service(self, name: str) -> ServiceView:
        wanted, fleet = self._look()
        known = self._known(name, wanted)
        current = wanted.current.get(name)
        stands = findings.settle(known, wanted, fleet, self._doors).now
        found = [views.finding(one, findings.follows(self._doors, known, stands, one)) for one in stands.standing]
        return views.service(known, wanted, fleet, self._view(current) if current else None, found)

    def status(self) -> StatusView:
        wanted, fleet = self._look()
        rows = [views.row(one, wanted, fleet) for one in wanted.catalog.services.values()]
        members = [one for groups in fleet.groups.values() for group in groups for one in group.instances]
        return StatusView(
            environment=wanted.catalog.environment,
            services=len(rows),
            instances=len(members),
            ready=sum(1 for one in members if one.phase is InstancePhase.READY),
            needs=[_need(row) for row in rows if row["state"] in ("paused", "degraded", "down")] + findings.needs(self._doors, wanted, fleet),
            rolling=[self._view(one) for one in wanted.current.values()],
            gateway=self._doors.traffic.address(),
            daemon={"holder": self._doors.holder, "now": self._doors.clock.now().isoformat()},
        )

    def instances(self, service: str) -> list[InstanceView]:
        wanted, fleet = self._look()
        self._known(service, wanted)
        return [views.instance(one) for group in fleet.groups.get(service, ()) for one in group.instances]

    def logs(self, service: str, *, instance: str = "", release: str = "", level: str = "", last: int = 100) -> list[LogLine]:
        _, fleet = self._look()
        return reading_logs.read(self._doors, fleet, service, reading_logs.Filter(instance=instance, release=release, level=level, last=last))

    # --- building and releasing ---

    def build(self, service: str, version: str, *, source: str = "", reason: str = "") -> ArtifactView:
        known = self._known(service, self._desired.read())
        _require_version(version)
        root = Path(source).absolute() if source else self._doors.root
        if not root.is_dir():
            raise BadInput(f"cannot build {service} from {root}: there is no such folder", remedy="give --source a folder, or leave it out")
        artifact = self._doors.artifacts.put(known.artifact, root, service, version)
        self._note("artifact.built", service, f"{service} {version} is {artifact.digest[:19]}", reason, {"version": version, "digest": artifact.digest})
        return views.artifact(artifact)

    def artifacts(self, service: str) -> list[ArtifactView]:
        self._known(service, self._desired.read())
        return [views.artifact(one) for one in self._doors.artifacts.versions(service)]

    def plan(self, service: str, version: str, *, strategy: str = "") -> PlanView:
        known = self._known(service, self._desired.read())
        release = self._releasing.release_of(known, version)
        draft = self._releasing.draft(known, release, Request(actor=self._caller.name, strategy=strategy))
        stable = draft.rollout.from_release
        before = self._doors.releases.get(service, stable) if stable else None
        checks = [f"artifact {release.digest[:19]} verified", f"tier {known.tier}, {self._desired.read().catalog.environment}: no approval needed"]
        checks += findings.warnings(self._doors, known, *self._look(), release.id)
        changes = releasing.config_changes(before, release)
        return views.plan(self._releasing.plan(draft), draft.rollout, draft.situation, changes, checks, release.digest)

    def deploy(self, service: str, version: str, *, reason: str = "", strategy: str = "", approve: str = "") -> RolloutView:
        known = self._known(service, self._desired.read())
        release = self._releasing.release_of(known, version)
        draft = self._releasing.draft(known, release, Request(actor=self._caller.name, reason=reason, strategy=strategy))
        if draft.rollout.from_release == release.id and not self._active(service):
            return self._view(self._last(service, release.id))
        return self._started(self._releasing.start(draft, approve))

    def rollback(self, service: str, *, to: str = "", reason: str = "") -> RolloutView:
        wanted = self._desired.read()
        known = self._known(service, wanted)
        stable = wanted.stable.get(service)
        history = self._doors.rollouts.history(service, MOST_REVISIONS)
        goal = releasing.known_release(self._doors, service, to) if to else None
        if goal:
            self._doors.artifacts.verify(goal.digest)
        if self._active(service):
            aborted = self.abort(service, reason=reason or "rolled back by an operator")
            if goal is None or goal.id == stable:
                return aborted
        certified = next((one for one in history if one.phase is Phase.CERTIFIED and goal and one.to_release == goal.id), None)
        if goal is None:
            certified = verbs.undo_target(history, stable)
            goal = self._doors.releases.get(service, certified.to_release)
            self._doors.artifacts.verify(goal.digest)
        if goal.id == stable and not self._active(service):
            return self._view(self._last(service, goal.id))
        good = certified is not None and verbs.is_known_good(certified, history[0].revision, self._doors.clock.now())
        why = reason or f"back to {goal.version}"
        draft = self._releasing.draft(known, goal, Request(actor=self._caller.name, reason=why, skip_gates=good))
        return self._started(self._releasing.start(draft, ""))

    # --- a running rollout ---

    def pause(self, service: str, *, reason: str = "") -> RolloutView:
        return self._change(service, lambda one, now: verbs.pause(one, now, reason), reason)

    def resume(self, service: str, *, reason: str = "") -> RolloutView:
        return self._change(service, verbs.resume, reason)

    def promote(self, service: str, *, full: bool = False, reason: str = "") -> RolloutView:
        wanted, fleet = self._look()
        why_not = held(self._known(service, wanted), wanted, fleet)
        return self._change(service, lambda one, now: verbs.promote(one, now, full=full, held=why_not), reason)

    def abort(self, service: str, *, reason: str = "") -> RolloutView:
        return self._change(service, lambda one, now: verbs.abort(one, now, reason), reason)

    def rollout(self, rollout: str) -> RolloutView:
        return self._view(self._doors.rollouts.load(rollout))

    def rollouts(self, *, service: str = "", limit: int = 20) -> list[RolloutView]:
        if not service:
            return [self._view(one) for one in self._doors.rollouts.active()][:limit]
        self._known(service, self._desired.read())
        return [self._view(one) for one in self._doors.rollouts.history(service, limit)]

    def scale(self, service: str, count: int | None, *, reason: str = "") -> ServiceRow:
        wanted = self._desired.read()
        known = self._known(service, wanted)
        _require_count(known, count)
        self._doors.targets.put(service, count)
        self._desired.changed()
        said = f"{service} should have {count} instances" if count is not None else f"{service} is back to the catalog's {known.replicas} instances"
        self._note("target.set", service, said, reason, {"count": count, "before": wanted.count(known)})
        self._signals.wake(service)
        wanted, fleet = self._look()
        return views.row(known, wanted, fleet)

    # --- the record, the map, the rest ---

    def journal(self, *, after: int = 0, limit: int = 100, service: str = "", kind: str = "", newest: bool = False) -> list[EventView]:
        if not 0 < limit <= MOST_EVENTS:
            raise BadInput(f"limit {limit} is out of range", remedy=f"use 1 to {MOST_EVENTS}")
        events = self._doors.journal.last(limit, service) if newest else self._doors.journal.read(after, limit, service, kind)
        return [views.event(one) for one in events if one.kind.startswith(kind)]

    def verify_journal(self) -> dict[str, Any]:
        return {"events": self._doors.journal.verify(), "intact": True}

    def catalog(self) -> dict[str, Any]:
        return mapping.everything(self._desired.read().catalog)

    def graph(self, service: str = "") -> dict[str, Any]:
        wanted = self._desired.read()
        if service:
            self._known(service, wanted)
        return mapping.graph(wanted.catalog, service)

    def impact(self, service: str) -> dict[str, Any]:
        wanted = self._desired.read()
        self._known(service, wanted)
        return mapping.impact(wanted.catalog, service)

    def tokens(self) -> list[TokenView]:
        return access.tokens(self._doors)

    def create_token(self, name: str, role: str, *, ttl_s: float | None = None) -> TokenView:
        token = access.create(self._doors, name, role, ttl_s)
        self._note("access.created", "", f"access for {name} as {role}", "", {"name": name, "role": role})
        return token

    def remove_token(self, name: str) -> None:
        self._doors.tokens.remove(name)
        self._note("access.removed", "", f"access of {name} is taken away", "", {"name": name})

    def doctor(self) -> list[CheckView]:
        return doctor.examine(self._doors, self._desired)

    def shutdown(self, *, instances: bool = True) -> None:
        said = "the daemon and everything it runs stop" if instances else "the daemon stops; instances and gateway go on"
        self._note("daemon.stopping", "", said, "", {"instances": instances})
        self._signals.stop(instances)

    # --- shared ---

    def _look(self) -> tuple[Wanted, Fleet]:
        return self._desired.read(), self._observer.look()

    def _known(self, name: str, wanted: Wanted) -> Service:
        found = wanted.catalog.services.get(name)
        if found is None:
            near = get_close_matches(name, wanted.catalog.services, 1)
            raise NotFound(f"there is no service {name!r} in the catalog", remedy=f"did you mean {near[0]}?" if near else "msxfctl services lists them")
        return found

    def _active(self, service: str) -> list[Rollout]:
        return releasing.active(self._doors, service)

    def _change(self, service: str, verb: Callable[[Rollout, datetime], Rollout], reason: str) -> RolloutView:
        """Apply a verb to the service's rollout with compare-and-set; where the loop was quicker, look again."""
        self._known(service, self._desired.read())
        for _ in range(TRIES):
            before = self._to_change(service)
            after = verb(before, self._doors.clock.now())
            if after == before:
                return self._view(before)
            why = reason or f"{self._caller.name}: {before.phase} → {after.phase}"
            note = replace(phase_note(self._doors, before, after, why), actor=self._caller.name)
            try:
                with self._fences.turn(service) as fence:
                    saved = self._doors.rollouts.save(after, fence, [note])
            except StaleRevision:
                continue
            self._desired.changed()
            return self._started(saved)
        raise StaleRevision(f"the rollout of {service} keeps changing", remedy="try again")

    def _to_change(self, service: str) -> Rollout:
        active = self._active(service)
        if active:
            return active[0]
        last = self._doors.rollouts.history(service, 1)
        if not last:
            raise Refused(f"{service} has no rollout", remedy=f"msxfctl deploy {service} --version VERSION")
        return last[0]

    def _last(self, service: str, release: str) -> Rollout:
        history = self._doors.rollouts.history(service, MOST_REVISIONS)
        return next(one for one in history if one.phase is Phase.CERTIFIED and one.to_release == release)

    def _started(self, rollout: Rollout) -> RolloutView:
        self._signals.wake(rollout.service)
        return self._view(rollout)

    def _view(self, rollout: Rollout) -> RolloutView:
        return views.rollout(rollout, self._doors.clock.now(), self._signals.why(rollout.service))

    def _note(self, kind: str, service: str, why: str, reason: str, body: dict[str, Any]) -> None:
        said = f"{why}: {reason}" if reason else why
        self._doors.journal.append([Note(at=self._doors.clock.now(), actor=self._caller.name, kind=kind, why=said, service=service, body=body)])


def _need(row: ServiceRow) -> dict[str, str]:
    look = {"paused": "msxfctl resume {0}   or   msxfctl abort {0}"}.get(row["state"], "msxfctl logs {0} --level error")
    return {"service": row["name"], "state": row["state"], "why": row["note"], "next": look.format(row["name"])}


def _require_version(version: str) -> None:
    if not version or len(version) > 64 or not all(char.isalnum() or char in ".-_" for char in version) or not version[0].isalnum():
        raise BadInput(f"{version!r} is no version", remedy="use letters, digits, dots, dashes and underscores, e.g. 1.4.2")


def _require_count(service: Service, count: int | None) -> None:
    if count is None:
        return
    if count < 0:
        raise BadInput(f"{service.name} cannot have {count} instances", remedy="give a number of 0 or more")
    if count > service.scale.max:
        raise Refused(f"{service.name} is not scaled to {count}", found=f"scale.max in the catalog is {service.scale.max}", remedy="raise scale.max first")
    most = service.rollout.max_total
    if most is not None and count > most:
        raise Refused(f"{service.name} is not scaled to {count}", found=f"rollout.max_total in the catalog is {most}", remedy="raise rollout.max_total first")
