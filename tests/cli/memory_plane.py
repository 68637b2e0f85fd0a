"""A control plane in memory for the tests of the command line: believable views, rollouts that play a story frame by frame, and a record of every call."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from ctl.errors import CtlError, NotFound
from ctl.model.view import (
    ArtifactView,
    CheckView,
    EventView,
    FindingView,
    GroupView,
    InstanceView,
    LogLine,
    MeasurementView,
    PlanView,
    RolloutView,
    ServiceRow,
    ServiceView,
    SideView,
    StatusView,
    TokenView,
)

CHANGES = frozenset({"build", "deploy", "rollback", "pause", "resume", "promote", "abort", "scale", "create_token", "remove_token", "shutdown"})
CHECKSUM = "7c1f20de" * 8
DIGEST = "sha256:" + "9b1c04aa" * 8


def ago(seconds: float) -> str:
    return (datetime.now(UTC) - timedelta(seconds=seconds + 0.4)).isoformat()


def row(name: str, **changes: Any) -> ServiceRow:
    plain = ServiceRow(
        name=name,
        domain="middle",
        tier=1,
        kind="http",
        owner="risk-team",
        version="1.4.2",
        release="1.4.2-9b1c3fa2",
        desired=3,
        ready=3,
        total=3,
        state="ok",
        note="",
        rollout=None,
    )
    return ServiceRow(**{**plain, **changes})


def instance(name: str, phase: str = "ready", **changes: Any) -> InstanceView:
    release = name.split("-", 1)[1].rsplit("-", 1)[0]
    plain = InstanceView(
        id=name, release=release, phase=phase, address="127.0.0.1:18001", zone="", since=ago(750), restarts=0, reason="", pid=4242, drain_by=None
    )
    return InstanceView(**{**plain, **changes})


def group(service: str, release: str, phases: Sequence[str], *, role: str = "stable", weight_pct: int = 100) -> GroupView:
    members = [instance(f"{service}-{release}-{number}", phase) for number, phase in enumerate(phases, 1)]
    return GroupView(
        release=release,
        version=release.rsplit("-", 1)[0],
        role=role,
        desired=sum(1 for phase in phases if phase != "draining"),
        ready=sum(1 for phase in phases if phase == "ready"),
        available=sum(1 for phase in phases if phase == "ready"),
        draining=sum(1 for phase in phases if phase == "draining"),
        weight_pct=weight_pct,
        instances=members,
    )


def service(
    name: str, *, groups: Sequence[GroupView] | None = None, current: RolloutView | None = None, findings: Sequence[FindingView] = (), **changes: Any
) -> ServiceView:
    spec = {
        "name": name,
        "domain": "middle",
        "owner": "risk-team",
        "tier": 1,
        "kind": "http",
        "replicas": 3,
        "depends_on": ["feature-store", "product"],
        "artifact": {"include": ["ctl/kit", f"reference_apps/{name}"], "command": ["python", "-m", f"reference_apps.{name}"]},
        "rollout": {"strategy": "rolling", "surge": {"value": 1, "percent": False}},
        "scale": {"min": 1, "max": 12},
        "limits": [{"route": "/", "rps": 200, "burst": 50}],
    }
    return ServiceView(
        **row(name, **changes),
        summary="Decides how much somebody may borrow, and at which rate.",
        depends_on=["feature-store", "product"],
        dependents=["approval"],
        groups=list(groups) if groups is not None else [group(name, "1.4.2-9b1c3fa2", ["ready"] * 3)],
        current=current,
        findings=list(findings),
        spec=spec,
    )


def rollout(name: str = "risk", phase: str = "stepping", **changes: Any) -> RolloutView:
    active = phase not in ("certified", "rolled_back", "superseded", "cancelled")
    plain = RolloutView(
        id=f"{name}-r7",
        service=name,
        revision=7,
        from_release="1.4.2-9b1c3fa2",
        from_version="1.4.2",
        to_release="1.5.0-51ab77c0",
        to_version="1.5.0",
        strategy="rolling",
        phase=phase,
        step=0,
        steps=0,
        active=active,
        paused_why="",
        abort_why="",
        outcome="",
        waiting="",
        actor="li.wei",
        reason="new price table",
        started_at=ago(31),
        finished_at=None if active else ago(8),
        took_s=23.0,
        measurements=[],
        undo=f"msxfctl abort {name}" if active else f"msxfctl rollback {name}",
    )
    return RolloutView(**{**plain, **changes})


def measurement(errors: int, requests: int, verdict: str = "ok") -> MeasurementView:
    target = SideView(requests=requests, errors=errors, error_pct=round(100 * errors / requests, 2), p99_ms=41.0)
    return MeasurementView(at=ago(5), verdict=verdict, target=target, stable=SideView(requests=4000, errors=0, error_pct=0.0, p99_ms=38.0), why="")


def plan(name: str = "risk", version: str = "1.5.0") -> PlanView:
    new = f"{version}-51ab77c0"
    old = "1.4.2-9b1c3fa2"
    steps = [
        (0.0, "preparing", [(old, 3)]),
        (0.0, "stepping", [(old, 3)]),
        (0.0, f"have 1 of {new}", [(old, 3), (new, 1)]),
        (1.5, f"send the traffic: 75 % to {old} (3), 25 % to {new} (1)", [(old, 3), (new, 1)]),
        (2.0, f"drain 1 of {old}", [(old, 2), (new, 1)]),
        (9.0, "promoting", [(new, 3)]),
    ]
    return PlanView(
        service=name,
        from_version="1.4.2",
        to_version=version,
        from_release=old,
        to_release=new,
        strategy="rolling",
        surge=1,
        unavailable=0,
        desired=3,
        lowest_available=3,
        highest_total=4,
        expected_s=24.0,
        steps=[{"at_s": at, "does": does, "why": "", "sizes": sizes} for at, does, sizes in steps],
        config_changes=[
            {"key": "MSXF_CONFIG_PRICE_TABLE", "before": "2017-08", "after": "2017-09"},
            {"key": "MSXF_CONFIG_CAP_IRR", "before": None, "after": "36"},
        ],
        checks=["artifact sha256:9b1c04aa9b1c verified", "tier 1, local: no approval needed"],
        artifact=DIGEST,
        checksum=CHECKSUM,
    )


def event(seq: int, kind: str = "rollout.phase", **changes: Any) -> EventView:
    plain = EventView(
        seq=seq,
        at=ago(100 - seq),
        actor="li.wei",
        service="risk",
        rollout="risk-r7",
        kind=kind,
        why=f"step {seq}",
        body={},
        previous=f"{seq - 1:064x}",
        hash=f"{seq:064x}",
    )
    return EventView(**{**plain, **changes})


Frame = tuple[RolloutView, ServiceView]


class MemoryPlane:
    """Implements ports.Plane. `story` is played by rollout(): one frame a look; `failing` raises by the name of the method."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.failing: dict[str, CtlError] = {}
        self.environment = "local"
        self.known: dict[str, ServiceView] = {name: service(name) for name in ("risk", "fraud", "approval", "ledger")}
        self.stories: dict[str, list[Frame]] = {}
        self.past: list[RolloutView] = []
        self.lines: list[LogLine] = []
        self.written: list[EventView] = []
        self.needs: list[dict[str, str]] = []
        self.edges = [["approval", "risk"], ["approval", "gateway"], ["gateway", "fraud"], ["risk", "product"]]
        self.access: list[TokenView] = []
        self.built: list[ArtifactView] = []
        self.rollout_started: dict[str, RolloutView] = {}

    @property
    def changes(self) -> list[str]:
        """Return the changing methods that were called."""
        return [name for name, _ in self.calls if name in CHANGES]

    def story(self, name: str, *frames: Frame) -> None:
        """Have a rollout of `name` go through these frames; the last one stays."""
        self.stories[name] = list(frames)
        self.known[name] = {**frames[0][1], "current": frames[0][0]}

    def _called(self, method: str, **arguments: Any) -> None:
        self.calls.append((method, arguments))
        if method in self.failing:
            raise self.failing[method]
        asked = arguments.get("service")
        if asked and asked not in self.known and method != "graph":
            raise NotFound(f"there is no service {asked!r} in the catalog", remedy="did you mean risk?")

    # --- looking ---

    def services(self, *, domain: str = "", match: str = "") -> list[ServiceRow]:
        self._called("services", domain=domain, match=match)
        keys = ServiceRow.__annotations__
        rows = [ServiceRow(**{key: one[key] for key in keys}) for one in self.known.values()]
        return [one for one in rows if match in one["name"] and domain in ("", one["domain"])]

    def service(self, name: str) -> ServiceView:
        self._called("service", service=name)
        frames = self.stories.get(name)
        return {**frames[0][1], "current": frames[0][0] if frames[0][0]["active"] else None} if frames else self.known[name]

    def status(self) -> StatusView:
        self._called("status")
        rolling = [one["current"] for one in self.known.values() if one["current"]]
        return StatusView(
            environment=self.environment,
            services=312,
            instances=1004,
            ready=1004,
            needs=self.needs,
            rolling=rolling,
            gateway="http://127.0.0.1:18080",
            daemon={"holder": "demo:1", "now": ago(0)},
        )

    def instances(self, service: str) -> list[InstanceView]:
        self._called("instances", service=service)
        return [one for each in self.known[service]["groups"] for one in each["instances"]]

    def logs(self, service: str, *, instance: str = "", release: str = "", level: str = "", last: int = 100) -> list[LogLine]:
        self._called("logs", service=service, instance=instance, release=release, level=level, last=last)
        return self.lines

    # --- building and releasing ---

    def build(self, service: str, version: str, *, source: str = "", reason: str = "") -> ArtifactView:
        self._called("build", service=service, version=version, source=source, reason=reason)
        made = ArtifactView(
            service=service, version=version, digest=DIGEST, files=17, size=48_200, dependencies=["fastapi"], commit="b072fa5d1c22aa", built_at=ago(2)
        )
        self.built.insert(0, made)
        return made

    def artifacts(self, service: str) -> list[ArtifactView]:
        self._called("artifacts", service=service)
        return self.built

    def plan(self, service: str, version: str, *, strategy: str = "") -> PlanView:
        self._called("plan", service=service, version=version, strategy=strategy)
        return plan(service, version)

    def deploy(self, service: str, version: str, *, reason: str = "", strategy: str = "", approve: str = "") -> RolloutView:
        self._called("deploy", service=service, version=version, reason=reason, strategy=strategy, approve=approve)
        return self.rollout_started.get(service) or self._first(service)

    def rollback(self, service: str, *, to: str = "", reason: str = "") -> RolloutView:
        self._called("rollback", service=service, to=to, reason=reason)
        return self._first(service)

    def pause(self, service: str, *, reason: str = "") -> RolloutView:
        self._called("pause", service=service, reason=reason)
        return self._first(service)

    def resume(self, service: str, *, reason: str = "") -> RolloutView:
        self._called("resume", service=service, reason=reason)
        return self._first(service)

    def promote(self, service: str, *, full: bool = False, reason: str = "") -> RolloutView:
        self._called("promote", service=service, full=full, reason=reason)
        return self._first(service)

    def abort(self, service: str, *, reason: str = "") -> RolloutView:
        self._called("abort", service=service, reason=reason)
        return self._first(service)

    def rollout(self, rollout: str) -> RolloutView:
        self._called("rollout", rollout=rollout)
        frames = self.stories[rollout.rsplit("-", 1)[0]]
        if len(frames) > 1:
            frames.pop(0)
        return frames[0][0]

    def rollouts(self, *, service: str = "", limit: int = 20) -> list[RolloutView]:
        self._called("rollouts", service=service, limit=limit)
        return self.past[:limit]

    def scale(self, service: str, count: int | None, *, reason: str = "") -> ServiceRow:
        self._called("scale", service=service, count=count, reason=reason)
        found = self.known[service]
        wished = found["spec"]["replicas"] if count is None else count
        self.known[service] = {**found, "desired": wished, "ready": wished, "total": wished}
        return row(service, desired=wished)

    # --- the record, the map, the rest ---

    def journal(self, *, after: int = 0, limit: int = 100, service: str = "", kind: str = "", newest: bool = False) -> list[EventView]:
        self._called("journal", after=after, limit=limit, service=service, kind=kind, newest=newest)
        found = [one for one in self.written if one["seq"] > after and service in ("", one["service"])]
        found = found[-limit:] if newest else found[:limit]
        return [one for one in found if one["kind"].startswith(kind)]

    def verify_journal(self) -> dict[str, Any]:
        self._called("verify_journal")
        return {"events": 4812, "intact": True}

    def catalog(self) -> dict[str, Any]:
        self._called("catalog")
        return {"revision": "a1b2c3d4e5f6", "environment": "local", "services": {name: one["spec"] for name, one in self.known.items()}}

    def graph(self, service: str = "") -> dict[str, Any]:
        self._called("graph", service=service)
        names = sorted({*self.known, *(name for edge in self.edges for name in edge)})
        return {"services": names, "edges": self.edges, "levels": {"approval": 2, "risk": 1, "gateway": 1}}

    def impact(self, service: str) -> dict[str, Any]:
        self._called("impact", service=service)
        return {"service": service, "direct": ["approval"], "all": ["app", "approval", "h5"], "fronts": ["app", "h5"]}

    def tokens(self) -> list[TokenView]:
        self._called("tokens")
        return self.access

    def create_token(self, name: str, role: str, *, ttl_s: float | None = None) -> TokenView:
        self._called("create_token", name=name, role=role, ttl_s=ttl_s)
        return TokenView(name=name, role=role, created_at=ago(0), expires_at=None, secret="msxf_s3cret")

    def remove_token(self, name: str) -> None:
        self._called("remove_token", name=name)

    def doctor(self) -> list[CheckView]:
        self._called("doctor")
        return [
            CheckView(check="catalog", state="ok", found="312 services, environment local, revision a1b2c3d4", remedy=""),
            CheckView(check="rollouts", state="warn", found="fraud is paused: check velocity counts", remedy="msxfctl resume fraud   or   msxfctl abort fraud"),
        ]

    def shutdown(self, *, instances: bool = True) -> None:
        self._called("shutdown", instances=instances)

    def _first(self, service: str) -> RolloutView:
        return self.stories[service][0][0] if service in self.stories else rollout(service)
