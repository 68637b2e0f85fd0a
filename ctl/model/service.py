"""What a service of the catalog is: values only, validated for meaning, never for origin."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Kind(StrEnum):
    """What sort of workload a service is."""

    HTTP = "http"
    WORKER = "worker"
    BATCH = "batch"
    STATEFUL = "stateful"


class Layer(StrEnum):
    """Where a service stands in the company: the platform's BASE, the MIDDLE that does the business, the FRONT that customers and partners see."""

    BASE = "base"
    MIDDLE = "middle"
    FRONT = "front"


class Strategy(StrEnum):
    """How a new release replaces the old one."""

    ROLLING = "rolling"
    CANARY = "canary"
    BLUE_GREEN = "blue-green"


class Handover(StrEnum):
    """How a single writer passes its work on: NONE (several instances may serve at once) or STANDBY (the new one waits for the writer lock)."""

    NONE = "none"
    STANDBY = "standby"


class OnDeadline(StrEnum):
    """What happens to a rollout that makes no progress in time."""

    ABORT = "abort"
    HOLD = "hold"


class OnDrift(StrEnum):
    """What happens while the live release says that a model of it has drifted: IGNORE (it is shown), TELL (it is not promoted either), ROLLBACK."""

    IGNORE = "ignore"
    TELL = "tell"
    ROLLBACK = "rollback"


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """A number of instances: `value` of them, or `value` percent of desired."""

    value: int
    percent: bool = False

    def __str__(self) -> str:
        return f"{self.value}%" if self.percent else str(self.value)


@dataclass(frozen=True, slots=True, kw_only=True)
class CanaryStep:
    """One step of a canary ladder. `step_s` is how long evidence is collected; `pause` waits for a person instead."""

    weight_pct: int
    step_s: float = 60.0
    pause: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """The plain threshold verdict: limits for target against stable, over windows of `window_s`.

    A window fails when the target's error rate is above `max_error_pct` and above the baseline's, or when its p99 is above `max_p99_ratio` times
    the baseline's and at least `min_p99_ms`. More than `failure_limit` failed windows in the whole rollout is HARM. Windows with fewer than
    `min_requests` requests on the target are no evidence.
    """

    window_s: float = 10.0
    max_error_pct: float = 1.0
    max_p99_ratio: float = 2.0
    min_p99_ms: float = 50.0
    min_requests: int = 20
    failure_limit: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutPolicy:
    """How a service is rolled. Times in seconds; semantics: release rules, sections 2 to 5."""

    strategy: Strategy = Strategy.ROLLING
    surge: Share = Share(value=25, percent=True)
    unavailable: Share = Share(value=25, percent=True)
    min_ready_s: float = 10.0
    healthy_deadline_s: float = 300.0
    progress_deadline_s: float = 600.0
    drain_s: float = 30.0
    bake_s: float = 600.0
    abort_scale_down_delay_s: float = 30.0
    scale_down_delay_s: float = 30.0
    on_deadline: OnDeadline = OnDeadline.ABORT
    on_drift: OnDrift = OnDrift.TELL
    drift_min_n: int = 1000
    steps: tuple[CanaryStep, ...] = ()
    gate: Gate = Gate()
    max_total: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Port:
    """A named port; `number` 0 means that the runtime chooses one."""

    name: str
    number: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """Where and how often an instance is asked whether it is alive and ready."""

    live_path: str = "/healthz"
    ready_path: str = "/readyz"
    interval_s: float = 1.0
    timeout_s: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources:
    """What one instance asks for."""

    cpu_m: int = 100
    memory_mb: int = 128


@dataclass(frozen=True, slots=True, kw_only=True)
class ScalePolicy:
    """The bounds of automatic scaling; the signals come with the autoscaler."""

    min: int = 1
    max: int = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class DegradeLevel:
    """One level of doing less: level 1 sheds least. `off` names the features that level switches off."""

    level: int
    off: tuple[str, ...]
    effect: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """A declared limit: `rps` requests a second on `route` (prefix), bursts up to `burst`."""

    route: str
    rps: int
    burst: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Slo:
    """What the service promises over 30 days."""

    availability_pct: float = 99.9
    p99_ms: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ArtifactSource:
    """What `build` packs: `include` are paths relative to the project; `command` is argv inside the unpacked artifact."""

    include: tuple[str, ...]
    command: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """One service of the catalog, with the policy of one environment already resolved into it."""

    name: str
    domain: str
    owner: str
    tier: int
    kind: Kind
    artifact: ArtifactSource
    summary: str = ""
    layer: Layer = Layer.MIDDLE
    ports: tuple[Port, ...] = (Port(name="http"),)
    health: Health = Health()
    resources: Resources = Resources()
    replicas: int = 1
    replicas_by_env: Mapping[str, int] = field(default_factory=dict)
    depends_on: tuple[str, ...] = ()
    rollout: RolloutPolicy = RolloutPolicy()
    scale: ScalePolicy = ScalePolicy()
    degrade: tuple[DegradeLevel, ...] = ()
    limits: tuple[Limit, ...] = ()
    slo: Slo = Slo()
    config: Mapping[str, str] = field(default_factory=dict)
    runtime: str = "local"
    zones: tuple[str, ...] = ()
    handover: Handover = Handover.NONE


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogSnapshot:
    """Every service by name, at one revision (content hash of all files)."""

    services: Mapping[str, Service]
    revision: str
    environment: str = "local"
