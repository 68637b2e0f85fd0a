"""What the API stands on, handed in by whoever starts it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ctl.control.plane import ControlPlane
from ctl.ports import Answers, Clock, Journal, Tokens


@dataclass(frozen=True, slots=True, kw_only=True)
class Backing:
    """The plane and the doors that only the API uses. `figures` are gauges for /metrics by name, `is_ready` is asked by /readyz."""

    plane: ControlPlane
    tokens: Tokens
    answers: Answers
    journal: Journal
    clock: Clock
    figures: Callable[[], Mapping[str, float]]
    is_ready: Callable[[], bool]
