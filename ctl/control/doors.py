"""Everything the application layer may touch, in one value: the ports, and who we are."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ctl.ports import (
    Artifacts,
    Catalog,
    Clock,
    Findings,
    Journal,
    Leases,
    Metrics,
    Registry,
    Releases,
    Rollouts,
    Runtime,
    Targets,
    Tokens,
    Traffic,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Doors:
    """The ports of one control plane. `holder` names this process in leases; `root` is where `build` packs from."""

    runtime: Runtime
    traffic: Traffic
    registry: Registry
    metrics: Metrics
    catalog: Catalog
    artifacts: Artifacts
    releases: Releases
    rollouts: Rollouts
    findings: Findings
    targets: Targets
    journal: Journal
    leases: Leases
    tokens: Tokens
    clock: Clock
    holder: str
    root: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Signals:
    """How the plane reaches the loop and the process around it. Each is safe to call from any thread."""

    wake: Callable[[str], None]
    stop: Callable[[bool], None]
    why: Callable[[str], str]
