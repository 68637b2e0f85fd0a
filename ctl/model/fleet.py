"""What runs, as one observation saw it. Immutable: an observation is never edited, only replaced by a newer one."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from ctl.model.finding import Finding


class InstancePhase(StrEnum):
    """Where an instance stands in its life. STANDBY is up and waiting for the writer lock; GONE has ended and is being cleaned up."""

    STARTING = "starting"
    STANDBY = "standby"
    READY = "ready"
    UNREADY = "unready"
    DRAINING = "draining"
    GONE = "gone"


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """One instance. `id` is the slot and survives restarts; `generation` counts its processes, from 1.

    `address` is "host:port". `since` is when `phase` last changed, `created_at` when this generation was started, `reason` says why it is not ready.
    `findings` is what it finds wrong with its release; None: it says nothing about that, which is not the same as having found nothing.
    """

    id: str
    service: str
    release: str
    generation: int = 1
    address: str
    host: str = "localhost"
    zone: str = ""
    phase: InstancePhase
    since: datetime
    created_at: datetime
    restarts: int = 0
    reason: str = ""
    pid: int | None = None
    drain_by: datetime | None = None
    findings: tuple[Finding, ...] | None = None

    @property
    def is_counted(self) -> bool:
        """Whether it counts to its group's size: it has not been told to go."""
        return self.phase not in (InstancePhase.DRAINING, InstancePhase.GONE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """All instances of one (service, release); `desired` is the size last asked of the runtime, draining instances not counted."""

    service: str
    release: str
    desired: int
    instances: tuple[Instance, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteEntry:
    """The share of a service's traffic that one release gets, and the instances that carry it."""

    release: str
    weight_pct: int
    instances: tuple[str, ...]
    addresses: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Routes:
    """Where a service's traffic goes. Weights of all entries sum to 100, or there is no entry and the service takes no traffic."""

    service: str
    entries: tuple[RouteEntry, ...] = ()
    revision: int = 0

    def weight_of(self, release: str) -> int:
        """Percent of the traffic of `release`; 0 when it has none."""
        return sum(entry.weight_pct for entry in self.entries if entry.release == release)

    @property
    def instance_ids(self) -> frozenset[str]:
        return frozenset(instance for entry in self.entries for instance in entry.instances)


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryEntry:
    """An instance as other services may find it."""

    id: str
    service: str
    release: str
    address: str
    zone: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fleet:
    """One observation of everything: `seq` grows with each, so evidence can be told from what came before a write."""

    groups: Mapping[str, tuple[Group, ...]] = field(default_factory=dict)
    routes: Mapping[str, Routes] = field(default_factory=dict)
    registered: Mapping[str, tuple[RegistryEntry, ...]] = field(default_factory=dict)
    targets: Mapping[str, int] = field(default_factory=dict)
    observed_at: datetime
    seq: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """Traffic of one instance over the last `window_s`: counts, and p99 in ms (None: no request was timed). `at` is the newest sample's time."""

    service: str
    release: str
    instance: str
    requests: int
    errors: int
    p99_ms: float | None
    window_s: float
    at: datetime
    buckets: tuple[tuple[float, int], ...] = ()
