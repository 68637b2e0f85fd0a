"""What people and programs see: JSON-ready shapes that the plane returns, the API sends and the CLI prints. Times are ISO 8601 UTC strings."""

from typing import Any, TypedDict


class InstanceView(TypedDict):
    id: str
    release: str
    phase: str
    address: str
    zone: str
    since: str
    restarts: int
    reason: str
    pid: int | None
    drain_by: str | None


class GroupView(TypedDict):
    """`role` is "stable", "target" or "old"; `available` counts instances ready for the policy's min_ready_s."""

    release: str
    version: str
    role: str
    desired: int
    ready: int
    available: int
    draining: int
    weight_pct: int
    instances: list[InstanceView]


class SideView(TypedDict):
    requests: int
    errors: int
    error_pct: float
    p99_ms: float | None


class MeasurementView(TypedDict):
    at: str
    verdict: str
    target: SideView
    stable: SideView
    why: str


class RolloutView(TypedDict):
    """`undo` is the command that takes it back; `waiting` is the last decision's sentence; `steps` counts the ladder's steps (0: none)."""

    id: str
    service: str
    revision: int
    from_release: str | None
    from_version: str | None
    to_release: str
    to_version: str
    strategy: str
    phase: str
    step: int
    steps: int
    active: bool
    paused_why: str
    abort_why: str
    outcome: str
    waiting: str
    actor: str
    reason: str
    started_at: str
    finished_at: str | None
    took_s: float
    measurements: list[MeasurementView]
    undo: str


class ServiceRow(TypedDict):
    """One line of `services`. `state` is one of ok, rolling, paused, starting, degraded, down, absent; `note` says why it is not ok."""

    name: str
    domain: str
    tier: int
    kind: str
    owner: str
    version: str | None
    release: str | None
    desired: int
    ready: int
    total: int
    state: str
    note: str
    rollout: str | None


class FindingView(TypedDict):
    """Something that stands about a release, as its instances say. `asks` is act or watch, `n` what it rests on, `follows` what msxfctl does about it."""

    release: str
    version: str
    kind: str
    subject: str
    asks: str
    n: int
    said: str
    since: str
    follows: str


class ServiceView(ServiceRow):
    summary: str
    depends_on: list[str]
    dependents: list[str]
    groups: list[GroupView]
    current: RolloutView | None
    findings: list[FindingView]
    spec: dict[str, Any]


class StatusView(TypedDict):
    """`needs` and `rolling` are the rows worth a look; `next` of a need is the command that helps."""

    environment: str
    services: int
    instances: int
    ready: int
    needs: list[dict[str, str]]
    rolling: list[RolloutView]
    gateway: str
    daemon: dict[str, Any]


class ArtifactView(TypedDict):
    service: str
    version: str
    digest: str
    files: int
    size: int
    dependencies: list[str]
    commit: str
    built_at: str


class PlanStepView(TypedDict):
    at_s: float
    does: str
    why: str
    sizes: list[tuple[str, int]]


class PlanView(TypedDict):
    service: str
    from_version: str | None
    to_version: str
    from_release: str | None
    to_release: str
    strategy: str
    surge: int
    unavailable: int
    desired: int
    lowest_available: int
    highest_total: int
    expected_s: float
    steps: list[PlanStepView]
    config_changes: list[dict[str, str | None]]
    checks: list[str]
    artifact: str
    checksum: str


class EventView(TypedDict):
    seq: int
    at: str
    actor: str
    service: str
    rollout: str
    kind: str
    why: str
    body: dict[str, Any]
    previous: str
    hash: str


class TokenView(TypedDict):
    """`secret` is filled only in the answer to its creation."""

    name: str
    role: str
    created_at: str
    expires_at: str | None
    secret: str | None


class CheckView(TypedDict):
    """One line of `doctor`: `state` is ok, warn or fail."""

    check: str
    state: str
    found: str
    remedy: str


class LogLine(TypedDict):
    instance: str
    line: str


class MistakeView(TypedDict):
    file: str
    line: int
    field: str
    message: str
    remedy: str
