"""The HTTP door of cases: a person's bearer token on every request, one verb a route, refusals that say who has the case and what to do."""

from typing import Annotated, Any, Literal
from uuid import uuid4

from fastapi import Depends, FastAPI, Path, Query
from pydantic import BaseModel, ConfigDict, Field, StrictInt

from ctl.kit.problem import Problem
from reference_apps.fraud.cases import queue, views
from reference_apps.fraud.cases.desk import CaseDesk
from reference_apps.fraud.cases.model import Case, State, Told
from reference_apps.fraud.cases.queue import Wish
from reference_apps.fraud.door.callers import Knock
from reference_apps.fraud.door.views import iso
from reference_apps.fraud.keeping.people import Person
from reference_apps.fraud.models.all import NAMES
from reference_apps.fraud.notes import Claim, Decision, Note, Outcome, Release

LEASE_MS = 30 * 60_000
Name = Annotated[str, Path(pattern=r"^case-[1-9][0-9]{0,17}$", description="case-17")]
RequestId = Annotated[str, Field(pattern=r"^[A-Za-z0-9._:-]{8,64}$")]


class Body(BaseModel):
    """What every request may say: an id of its own, so that sent twice it counts once."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    request_id: RequestId | None = None

    def id_for(self, person: Person) -> str:
        """Return the note's id: request ids of different people never clash."""
        return f"{person.id}/{self.request_id or uuid4().hex}"


class ClaimBody(Body):
    """`over`: take it from who holds it (supervisors)."""

    over: bool = False


class DecideBody(Body):
    """What the case, as it stood at `version`, came to."""

    version: Annotated[StrictInt, Field(ge=1, lt=2**53)]
    outcome: Outcome
    note: Annotated[str, Field(max_length=2000)] = ""


def add_routes(app: FastAPI, cases: CaseDesk, knock: Knock) -> None:
    """Give the app the cases' routes."""
    _looking(app, cases, knock)
    _working(app, cases, knock)


def _looking(app: FastAPI, cases: CaseDesk, knock: Knock) -> None:
    @app.get("/v1/cases", dependencies=[Depends(knock)])
    async def list_cases(
        state: Literal["open", "decided", "merged", "all"] = "open",
        order: Literal["oldest", "severe"] = "oldest",
        model: str | None = None,
        after: Annotated[str, Query(pattern=r"^(-?[0-9]{1,18})?(_-?[0-9]{1,18}){0,2}$")] = "",
        limit: Annotated[int, Query(ge=1, le=500)] = 50,
    ) -> dict[str, Any]:
        """List cases; `after` is the `next` of the page before."""
        await cases.catch_up()
        wish = Wish(state=None if state == "all" else State(state), model=_model(model), severe=order == "severe", after=_place(after, order), limit=limit)
        found, place = queue.page(cases.book, wish)
        items = [views.line(cases.book, case, cases.now_ms()) for case in found]
        return {"items": items, "next": "_".join(map(str, place)) if place else None}

    @app.get("/v1/cases/{name}", dependencies=[Depends(knock)])
    async def get_case(name: Name) -> dict[str, Any]:
        """Say a case; the name of one that was merged, or of any of its alerts, finds the case that has it now."""
        return _said(cases, await cases.case(_number(name)))


def _working(app: FastAPI, cases: CaseDesk, knock: Knock) -> None:
    Who = Annotated[Person, Depends(knock)]

    @app.post("/v1/cases/{name}/claim")
    async def claim(name: Name, body: ClaimBody, person: Who) -> dict[str, Any]:
        """Take a case for half an hour; taken again, the half hour begins anew."""
        _allow_over(body, person)
        now = cases.now_ms()
        return await _put(cases, Claim(id=body.id_for(person), by=person.id, at_ms=now, case=_number(name), until_ms=now + LEASE_MS, over=body.over))

    @app.post("/v1/cases/{name}/release")
    async def release(name: Name, body: ClaimBody, person: Who) -> dict[str, Any]:
        """Give a case back."""
        _allow_over(body, person)
        return await _put(cases, Release(id=body.id_for(person), by=person.id, at_ms=cases.now_ms(), case=_number(name), over=body.over))

    @app.post("/v1/cases/{name}/decide")
    async def decide(name: Name, body: DecideBody, person: Who) -> dict[str, Any]:
        """Say what a case came to. Said twice, it counts once; of a confirmed fraud the accounts go on the block list for a year."""
        said = Decision(
            id=body.id_for(person), by=person.id, at_ms=cases.now_ms(), case=_number(name), version=body.version, outcome=body.outcome, text=body.note
        )
        return await _put(cases, said)


async def _put(cases: CaseDesk, note: Claim | Release | Decision) -> dict[str, Any]:
    """Log it, if there is such a case, and say how the case stands. Raises Problem (404, 409)."""
    await cases.case(note.case)
    told = await cases.put(note)
    found = await cases.case(note.case)
    if told in (Told.DONE, Told.UNCHANGED):
        return _said(cases, found)
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


def _said(cases: CaseDesk, found: Case) -> dict[str, Any]:
    return views.case(cases.book, found, cases.now_ms())


def _allow_over(body: ClaimBody, person: Person) -> None:
    if body.over and not person.is_supervisor:
        raise Problem(403, "not_allowed", f"over: {person.id} is {person.role}; only a supervisor takes from others", remedy="ask a supervisor")


def _number(name: str) -> int:
    return int(name.removeprefix("case-"))


def _model(name: str | None) -> int | None:
    if name is not None and name not in NAMES:
        raise Problem(422, "bad_input", f"model: there is no {name!r}", remedy=f"use one of {', '.join(NAMES)}")
    return None if name is None else NAMES.index(name)


def _place(after: str, order: str) -> queue.Place:
    place = tuple(int(each) for each in after.split("_") if each)
    if len(place) not in (0, 3 if order == "severe" else 1):
        raise Problem(422, "bad_input", f"after: {after!r} is no place in the order {order}", remedy="send the `next` of the page before, with the same order")
    return place


