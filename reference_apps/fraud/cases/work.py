"""What a person does to a case, through whichever door they came: logged, then answered with how the case stands, or refused with who has it and what to do."""

from dataclasses import dataclass
from uuid import uuid4

from ctl.kit.problem import Problem
from reference_apps.fraud.cases import views
from reference_apps.fraud.cases.desk import CaseDesk
from reference_apps.fraud.cases.model import Case, Told
from reference_apps.fraud.door.views import iso
from reference_apps.fraud.keeping.people import Person
from reference_apps.fraud.notes import Claim, Decision, Note, Outcome, Release

LEASE_MS = 30 * 60_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Who wants something of which case; with a `request_id` of its own, what is sent twice counts once."""

    person: Person
    case: int
    request_id: str = ""

    @property
    def id(self) -> str:
        """The note's id: request ids of different people never clash."""
        return f"{self.person.id}/{self.request_id or uuid4().hex}"


async def claim(cases: CaseDesk, asked: Asked, *, over: bool = False) -> Case:
    """Take a case for half an hour; `over`: also from who holds it (supervisors). Raises Problem (403, 404, 409)."""
    _allow(asked.person, over)
    now = cases.now_ms()
    return await _put(cases, Claim(id=asked.id, by=asked.person.id, at_ms=now, case=asked.case, until_ms=now + LEASE_MS, over=over))


async def release(cases: CaseDesk, asked: Asked, *, over: bool = False) -> Case:
    """Give a case back; `over`: also when somebody else holds it (supervisors). Raises Problem (403, 404, 409)."""
    _allow(asked.person, over)
    return await _put(cases, Release(id=asked.id, by=asked.person.id, at_ms=cases.now_ms(), case=asked.case, over=over))


async def decide(cases: CaseDesk, asked: Asked, version: int, outcome: Outcome, text: str) -> Case:
    """Say what a case, as it stood at `version`, came to. Raises Problem (404, 409)."""
    said = Decision(id=asked.id, by=asked.person.id, at_ms=cases.now_ms(), case=asked.case, version=version, outcome=outcome, text=text)
    return await _put(cases, said)


def number_of(name: str) -> int:
    """Return the number of a case's name, "case-17"."""
    return int(name.removeprefix("case-"))


async def _put(cases: CaseDesk, note: Claim | Release | Decision) -> Case:
    await cases.case(note.case)
    told = await cases.put(note)
    found = await cases.case(note.case)
    if told in (Told.DONE, Told.UNCHANGED):
        return found
    raise _refusal(told, found, note)


def _refusal(told: Told, case: Case, note: Note) -> Problem:
    named = views.name(case.id)
    match told:
        case Told.HELD:
            until = iso(case.until_ms)
            return Problem(409, "held", f"{named} is held by {case.holder} until {until}", remedy="take another case, or ask a supervisor to take it over")
        case Told.UNCLAIMED:
            return Problem(409, "not_claimed", f"{note.by} does not hold {named}", remedy="claim it, look at it again, then decide")
        case Told.STALE:
            detail = f"{named} is at version {case.version}: alerts came after what you saw"
            return Problem(409, "stale", detail, remedy="look at the case again and send its version")
        case _:
            return Problem(409, "decided", f"{named} was decided by {case.holder}: {case.outcome}", remedy="new alerts of this ring open a new case")


def _allow(person: Person, over: bool) -> None:
    if over and not person.is_supervisor:
        raise Problem(403, "not_allowed", f"over: {person.id} is {person.role}; only a supervisor takes from others", remedy="ask a supervisor")
