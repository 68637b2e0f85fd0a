"""When not to call: a circuit breaker that stops asking who does not answer, and a retry budget. Pure but for its own state; the monotonic time is passed in.

Closed, every call may go. After enough failures in a row it is open and none may. After a pause it is half open: exactly one call is let through as a
probe, whatever the number of callers, and its answer closes the breaker or opens it for twice as long.
"""

from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """Whether calls may go: all, none, or one to see."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """`failures` in a row open it, for `first_s`, then twice as long each time up to `longest_s`. A probe that is not heard of for `probe_s` is given up."""

    failures: int = 8
    first_s: float = 1.0
    longest_s: float = 15.0
    probe_s: float = 10.0


@dataclass(frozen=True, slots=True)
class Permit:
    """Leave for one call. Its answer counts only as long as the breaker is in the turn in which it was given."""

    turn: int
    is_probe: bool = False


class Breaker:
    """One for each service called; used from one thread."""

    __slots__ = ("_failed", "_opened", "_policy", "_probe_s", "_since_s", "_turn")

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._failed = 0
        self._opened = 0
        self._since_s = 0.0
        self._turn = 0
        self._probe_s: float | None = None

    def state(self, now_s: float) -> State:
        if not self._opened:
            return State.CLOSED
        return State.OPEN if now_s < self._since_s + self._pause_s() else State.HALF_OPEN

    def ask(self, now_s: float) -> Permit | None:
        """Return leave for a call, None while there is none."""
        state = self.state(now_s)
        if state is State.CLOSED:
            return Permit(self._turn)
        if state is State.OPEN or (self._probe_s is not None and now_s < self._probe_s + self._policy.probe_s):
            return None
        self._turn += 1
        self._probe_s = now_s
        return Permit(self._turn, is_probe=True)

    def succeeded(self, permit: Permit) -> None:
        """Take a good answer in: it closes the breaker when it was the probe's."""
        if permit.turn == self._turn:
            self._failed = self._opened = 0
            self._probe_s = None

    def failed(self, permit: Permit, now_s: float) -> None:
        """Take a failure in. One from before the breaker opened says nothing new."""
        if permit.turn != self._turn:
            return
        self._failed += 1
        if permit.is_probe or self._failed >= self._policy.failures:
            self._opened += 1
            self._turn += 1
            self._failed = 0
            self._since_s, self._probe_s = now_s, None

    def dropped(self, permit: Permit) -> None:
        """Take back leave that was not used to the end: the caller went away, and nothing is known."""
        if permit.is_probe and permit.turn == self._turn:
            self._probe_s = None

    def open_for_s(self, now_s: float) -> float:
        """Return how long it stays open, 0 when it is not."""
        return max(0.0, self._since_s + self._pause_s() - now_s) if self._opened else 0.0

    def _pause_s(self) -> float:
        return min(self._policy.longest_s, self._policy.first_s * 2.0 ** min(self._opened - 1, 30))


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetPolicy:
    """Each first call earns `share` of a retry; `floor_per_s` come by themselves; `most` can be saved up."""

    share: float = 0.2
    floor_per_s: float = 10.0
    most: float = 50.0


class RetryBudget:
    """How many calls may be repeated, so that a service in trouble is not asked more and more; used from one thread."""

    __slots__ = ("_left", "_policy", "_seen_s")

    def __init__(self, policy: BudgetPolicy) -> None:
        self._policy = policy
        self._left = policy.most
        self._seen_s: float | None = None

    def earn(self) -> None:
        """Note a first call."""
        self._left = min(self._policy.most, self._left + self._policy.share)

    def spend(self, now_s: float) -> bool:
        """Return whether a call may be repeated now, and count it."""
        passed_s = max(0.0, now_s - self._seen_s) if self._seen_s is not None else 0.0
        self._seen_s = now_s if self._seen_s is None else max(now_s, self._seen_s)
        self._left = min(self._policy.most, self._left + passed_s * self._policy.floor_per_s)
        if self._left < 1:
            return False
        self._left -= 1
        return True
