"""A rollout: one journey of a service from one release to the next, and the table of its phases."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType

from ctl.model.service import RolloutPolicy


class Phase(StrEnum):
    """Where a rollout stands; the arrows between phases are TRANSITIONS."""

    PLANNED = "planned"
    PREPARING = "preparing"
    STEPPING = "stepping"
    JUDGING = "judging"
    PAUSED = "paused"
    PROMOTING = "promoting"
    BAKING = "baking"
    ABORTING = "aborting"
    CERTIFIED = "certified"
    ROLLED_BACK = "rolled_back"
    SUPERSEDED = "superseded"
    CANCELLED = "cancelled"


TRANSITIONS: Mapping[Phase, frozenset[Phase]] = MappingProxyType(
    {
        Phase.PLANNED: frozenset({Phase.PREPARING, Phase.PAUSED, Phase.CANCELLED, Phase.SUPERSEDED}),
        Phase.PREPARING: frozenset({Phase.STEPPING, Phase.PAUSED, Phase.ABORTING, Phase.SUPERSEDED}),
        Phase.STEPPING: frozenset({Phase.JUDGING, Phase.PAUSED, Phase.ABORTING, Phase.SUPERSEDED}),
        Phase.JUDGING: frozenset({Phase.STEPPING, Phase.PROMOTING, Phase.PAUSED, Phase.ABORTING, Phase.SUPERSEDED}),
        Phase.PAUSED: frozenset(
            {
                Phase.PLANNED,
                Phase.PREPARING,
                Phase.STEPPING,
                Phase.JUDGING,
                Phase.PROMOTING,
                Phase.BAKING,
                Phase.ABORTING,
                Phase.SUPERSEDED,
                Phase.CANCELLED,
            }
        ),
        Phase.PROMOTING: frozenset({Phase.BAKING, Phase.PAUSED, Phase.ABORTING}),
        Phase.BAKING: frozenset({Phase.CERTIFIED, Phase.PAUSED, Phase.ABORTING}),
        Phase.ABORTING: frozenset({Phase.ROLLED_BACK}),
        Phase.CERTIFIED: frozenset(),
        Phase.ROLLED_BACK: frozenset(),
        Phase.SUPERSEDED: frozenset(),
        Phase.CANCELLED: frozenset(),
    }
)
TERMINAL = frozenset(phase for phase, onward in TRANSITIONS.items() if not onward)
BEFORE_PROMOTING = frozenset({Phase.PLANNED, Phase.PREPARING, Phase.STEPPING, Phase.JUDGING})


class Verdict(StrEnum):
    """What the evidence says about a target release. UNKNOWN is too little evidence, and never passes a gate early."""

    OK = "ok"
    HARM = "harm"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One side of a comparison: requests and errors counted over the window, p99 in ms (None: nothing was timed)."""

    requests: int = 0
    errors: int = 0
    p99_ms: float | None = None

    @property
    def error_pct(self) -> float:
        return 100.0 * self.errors / self.requests if self.requests else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """One judged window: target against stable, the verdict and the sentence that explains it."""

    at: datetime
    verdict: Verdict
    target: Side
    stable: Side
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """The high-water mark of a rollout: any of these getting better is progress."""

    target_size: int = 0
    old_size: int = 1_000_000
    ready: int = 0
    available: int = 0
    weight_pct: int = 0
    step: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollout:
    """One rollout, whole: everything a tick needs beside the observation. Stored with compare-and-set on `version`.

    `step` indexes policy.steps; `step_since` is when the step's sizes and weights were reached (judging began). `paused_from` is the phase to go
    back to, `paused_s` the time spent paused. `desired` is the size this rollout works with, and `last_allowed` is desired + surge at its last
    sizing, for proportional resizing. `weight_zero_since` is when an aborted target lost its last traffic, `unwell_since` when a baking one was
    no longer whole.
    `finding` is why msxfctl itself began this rollout, or took it back; empty: people did.
    `failures` and `measurements` (the last ten) are this release's own evidence. `skip_gates` marks an undo to a known-good release.
    """

    id: str
    service: str
    revision: int
    from_release: str | None
    to_release: str
    policy: RolloutPolicy
    phase: Phase = Phase.PLANNED
    step: int = 0
    phase_since: datetime
    step_since: datetime | None = None
    paused_from: Phase | None = None
    paused_why: str = ""
    paused_s: float = 0.0
    started_at: datetime
    last_progress_at: datetime
    progress: Progress = Progress()
    desired: int = 0
    last_allowed: int = 0
    weight_zero_since: datetime | None = None
    unwell_since: datetime | None = None
    failures: int = 0
    measurements: tuple[Measurement, ...] = ()
    promoted_step: int = -1
    full: bool = False
    skip_gates: bool = False
    finding: str = ""
    abort_why: str = ""
    finished_at: datetime | None = None
    outcome: str = ""
    plan: str = ""
    actor: str
    reason: str = ""
    version: int = 0

    @property
    def is_active(self) -> bool:
        return self.phase not in TERMINAL
