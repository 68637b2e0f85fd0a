"""The HTTP door of cases: a person's bearer token on every request, one verb a route, refusals that say who has the case and what to do."""

from typing import Annotated, Any, Literal

from fastapi import Depends, FastAPI, Path, Query
from pydantic import BaseModel, ConfigDict, Field, StrictInt

from ctl.kit.problem import Problem
from reference_apps.fraud.cases import queue, views, work
from reference_apps.fraud.cases.desk import CaseDesk
from reference_apps.fraud.cases.model import Case, State
from reference_apps.fraud.cases.queue import Wish
from reference_apps.fraud.cases.work import Asked, number_of
from reference_apps.fraud.door.callers import Knock
from reference_apps.fraud.keeping.people import Person
from reference_apps.fraud.models.all import NAMES
from reference_apps.fraud.notes import Outcome

Name = Annotated[str, Path(pattern=r"^case-[1-9][0-9]{0,17}$", description="case-17")]
RequestId = Annotated[str, Field(pattern=r"^[A-Za-z0-9._:-]{8,64}$")]


class Body(BaseModel):
    """What every request may say: an id of its own, so that sent twice it counts once."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    request_id: RequestId | None = None

    def asked(self, person: Person, name: str) -> Asked:
        """Return who wants something of which case."""
        return Asked(person=person, case=number_of(name), request_id=self.request_id or "")


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
        after: Annotated[str, Query(max_length=60)] = "",
        limit: Annotated[int, Query(ge=1, le=500)] = 50,
    ) -> dict[str, Any]:
        """List cases; `after` is the `next` of the page before."""
        await cases.catch_up()
        severe = order == "severe"
        wish = Wish(state=None if state == "all" else State(state), model=model_number(model), severe=severe, after=queue.read(after, severe), limit=limit)
        found, place = queue.page(cases.book, wish)
        items = [views.line(cases.book, case, cases.now_ms()) for case in found]
        return {"items": items, "next": queue.written(place)}

    @app.get("/v1/cases/{name}", dependencies=[Depends(knock)])
    async def get_case(name: Name) -> dict[str, Any]:
        """Say a case; the name of one that was merged, or of any of its alerts, finds the case that has it now."""
        return _said(cases, await cases.case(number_of(name)))


def _working(app: FastAPI, cases: CaseDesk, knock: Knock) -> None:
    Who = Annotated[Person, Depends(knock)]

    @app.post("/v1/cases/{name}/claim")
    async def claim(name: Name, body: ClaimBody, person: Who) -> dict[str, Any]:
        """Take a case for half an hour; taken again, the half hour begins anew."""
        return _said(cases, await work.claim(cases, body.asked(person, name), over=body.over))

    @app.post("/v1/cases/{name}/release")
    async def release(name: Name, body: ClaimBody, person: Who) -> dict[str, Any]:
        """Give a case back."""
        return _said(cases, await work.release(cases, body.asked(person, name), over=body.over))

    @app.post("/v1/cases/{name}/decide")
    async def decide(name: Name, body: DecideBody, person: Who) -> dict[str, Any]:
        """Say what a case came to. Said twice, it counts once; of a confirmed fraud the accounts go on the block list for a year."""
        return _said(cases, await work.decide(cases, body.asked(person, name), body.version, body.outcome, body.note))


def _said(cases: CaseDesk, found: Case) -> dict[str, Any]:
    return views.case(cases.book, found, cases.now_ms())


def model_number(name: str | None) -> int | None:
    """Return the number of a model; None stays None. Raises Problem (422)."""
    if name is not None and name not in NAMES:
        raise Problem(422, "bad_input", f"model: there is no {name!r}", remedy=f"use one of {', '.join(NAMES)}")
    return None if name is None else NAMES.index(name)
