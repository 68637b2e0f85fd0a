"""One rollout, watched: what is known of it, looked at again and again, and what it cost when it went wrong. Reads only."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ctl.cli import times
from ctl.cli.screens import records, rollouts
from ctl.errors import BackendError, CtlError, TimedOut
from ctl.model.view import RolloutView, ServiceView

if TYPE_CHECKING:
    from ctl.ports import Plane

GOOD, BAD, WAITS, LATE = "good", "bad", "waits", "under way"
EXIT = {GOOD: 0, BAD: 1, WAITS: 9, LATE: 7}
SILENT_FOR_S = 20.0
ERRORS_READ = 200


@dataclass(slots=True)
class Watch:
    """A rollout under watch. `wanted` are the phases that are what was asked for; `peak_pct` is the most traffic the new release had."""

    view: RolloutView
    wanted: frozenset[str] = frozenset({"certified"})
    service: ServiceView | None = None
    peak_pct: int = 0
    first_error: str = ""
    trouble: str = ""
    silent_s: float = 0.0
    shown: tuple[object, ...] = field(default=())

    def look(self, plane: "Plane", passed_s: float) -> None:
        """Look again. A daemon that does not answer is given some time to come back. Raises CtlError after that."""
        try:
            self.view = plane.rollout(self.view["id"])
            self.service = plane.service(self.view["service"])
        except (BackendError, TimedOut) as error:
            self.silent_s += passed_s
            if self.silent_s > SILENT_FOR_S:
                raise
            self.trouble = f"{error.message}; looking again"
            return
        self.trouble, self.silent_s = "", 0.0
        self._remember(plane)

    def _remember(self, plane: "Plane") -> None:
        """Keep what will be gone when the rollout has been taken back: its share of the traffic and its first error."""
        if self.service and not self.view["abort_why"]:
            mine = (group["weight_pct"] for group in self.service["groups"] if group["release"] == self.view["to_release"])
            self.peak_pct = max(self.peak_pct, *mine, 0)
        if self.view["abort_why"] and not self.first_error:
            self.first_error = first_error(plane, self.view)

    @property
    def is_over(self) -> bool:
        """Whether there is nothing left to wait for: it has ended, or only a person can go on."""
        return not self.view["active"] or self.view["phase"] == "paused"

    @property
    def result(self) -> str:
        """Return how it went, or goes: good, bad, waits (for a person), under way (it still runs)."""
        if self.view["phase"] in self.wanted:
            return GOOD
        if self.view["phase"] == "paused":
            return WAITS
        return LATE if self.view["active"] else BAD

    def has_changed(self) -> bool:
        """Say whether there is news for a pipe, once."""
        key = (*rollouts.key(self.view, self.service), self.trouble)
        changed, self.shown = key != self.shown, key
        return changed


def first_error(plane: "Plane", view: RolloutView) -> str:
    """Return the most frequent error of a rollout's new release; empty when its logs are gone or say nothing."""
    try:
        return records.first_error(plane.logs(view["service"], release=view["to_release"], level="error", last=ERRORS_READ))
    except CtlError:
        return ""


def cost(plane: "Plane", watch: Watch) -> list[str]:
    """Return what a rollout that was taken back touched, and what went wrong first."""
    found = [rollouts.touched(watch.view, watch.peak_pct, found_after_s(plane, watch.view))]
    return [*found, watch.first_error] if watch.first_error else found


def found_after_s(plane: "Plane", view: RolloutView) -> float | None:
    """Return the seconds from the start of a rollout to its abort, as the journal tells; None where it does not."""
    try:
        events = plane.journal(limit=1000, service=view["service"], kind="rollout.phase", newest=True)
    except CtlError:
        return None
    began = next((one["at"] for one in events if one["rollout"] == view["id"] and one["body"].get("to") == "aborting"), None)
    return times.since_s(view["started_at"], times.moment(began)) if began else None
