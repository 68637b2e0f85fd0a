"""What is written into the journal about rollouts and findings, as notes. Pure but for the time, which the doors' clock says."""

from ctl.control.doors import Doors
from ctl.model.event import Note
from ctl.model.finding import Concern
from ctl.model.rollout import Phase, Rollout

RAISED, CLEARED = "finding.raised", "finding.cleared"


def phase_note(doors: Doors, before: Rollout | None, after: Rollout, why: str) -> Note:
    """Return the note of a rollout entering a phase."""
    body = {
        "from": before.phase.value if before else None,
        "to": after.phase.value,
        "step": after.step,
        "revision": after.revision,
        "release": after.to_release,
    }
    if after.phase in (Phase.ABORTING, Phase.ROLLED_BACK):
        body["abort_why"] = after.abort_why
    return Note(at=doors.clock.now(), actor=doors.holder, kind="rollout.phase", why=why, service=after.service, rollout=after.id, body=body)


def finding_note(doors: Doors, service: str, kind: str, concern: Concern) -> Note:
    """Return the note of a finding that stands from now on, or no longer."""
    found = concern.finding
    body = {"release": concern.release, "kind": found.kind, "subject": found.subject, "asks": found.asks.value, "n": found.n}
    why = f"{concern.release} says of itself: {found.said}" if kind == RAISED else f"no longer said of {concern.release}: {found.said}"
    return Note(at=doors.clock.now(), actor=doors.holder, kind=kind, why=why, service=service, body=body)
