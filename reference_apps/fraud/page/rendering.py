"""The fraud desk's pages as answers: the queue and a case, rendered for who visits."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fastapi.responses import HTMLResponse

from ctl.kit.desk import pages
from ctl.kit.desk.pages import Form, Kept
from ctl.kit.problem import Problem
from reference_apps.fraud.cases import queue
from reference_apps.fraud.cases.desk import CaseDesk
from reference_apps.fraud.cases.model import Case
from reference_apps.fraud.cases.queue import Wish
from reference_apps.fraud.keeping.people import Person
from reference_apps.fraud.models.all import NAMES
from reference_apps.fraud.page import casefile, screens, words
from reference_apps.fraud.page.casefile import Before
from reference_apps.fraud.page.screens import Seen
from reference_apps.fraud.page.sessions import Sessions

LOOK = pages.Look(
    folder=Path(__file__).parent,
    name="Fraud desk",
    name_zh="反欺诈台",
    cookie="fraud_desk",
    thing="case",
    token_for="You got it once, when you were added as an analyst or a supervisor.",
    nobody="Nobody has this token, or it was revoked. Check it, or have `person add` make a new one.",
    styles=("ring.css",),
)
QUEUE, BELOW_CASES, BELOW_CASE = "./", "../", "../../"
"""Where the queue is, seen from the queue's own page, a case's page, and an action of a case."""

Visit = pages.Visit[Person]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """How a case is to be shown beyond what it is: the refusal, what was typed, what had been seen, from which alert on."""

    status: int = 200
    banner: Any = None
    form: Form | None = None
    before: Before | None = None
    begin: int = 0


class Pages(pages.Pages[Person]):
    """What the routes share."""

    def __init__(self, cases: CaseDesk, sessions: Sessions) -> None:
        super().__init__(LOOK, sessions)
        self.cases, self._signed = cases, sessions

    async def queue(self, visit: Visit, wish: Wish, asked: Mapping[str, str], banner: Any) -> HTMLResponse:
        """Render a page of the queue; `asked` are the filters as the form says them."""
        await self.cases.catch_up()
        seen = await self._seen(visit)
        screen = screens.queue(self.cases.book, queue.look(self.cases.book, wish), wish, seen)
        models = [(name, words.model(name)) for name in NAMES]
        return self.show("queue.html", QUEUE, visit, asked=asked, models=models, banner=banner, request_id=casefile.new_request(), **screen)

    async def case(self, visit: Visit, root: str, found: Case, shown: Shown) -> HTMLResponse:
        """Render a case, with what was typed before still in its form."""
        screen = casefile.show(self.cases.book, found, await self._seen(visit), begin=shown.begin, before=shown.before)
        return self.show("case.html", root, visit, status=shown.status, banner=shown.banner, form=Kept(shown.form or {}), **screen)

    async def refused(self, visit: Visit, found: Case, sent: Form, problem: Problem) -> HTMLResponse:
        """Render a case as it is now, with why nothing was done, and marks at what had not been seen."""
        before = casefile.read(sent.get("seen", ""))
        text = casefile.refusal(problem.code, self.cases.book, found, await self._seen(visit), before) or problem.detail
        return await self.case(visit, BELOW_CASE, found, Shown(status=problem.status, banner=pages.bad(text), form=sent, before=before))

    async def _seen(self, visit: Visit) -> Seen:
        return Seen(person=visit.person, at_ms=self.cases.now_ms(), names=await self._signed.names())
