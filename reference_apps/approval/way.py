"""The way of one case through its flow, from where it stands to where it rests: what is asked, and when it is written.

A stretch ends where the case comes to rest or money is about to leave: up to there nothing is written, so a new application is one commit, then the
payout, then one more. What crashes in a stretch is walked again; every question has a key of its own, so that asking twice changes nothing.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ctl.kit.database import DatabaseFailed
from ctl.kit.problem import Problem
from reference_apps.approval import store as cases
from reference_apps.approval.commits import Commits
from reference_apps.approval.flow import advance, questions
from reference_apps.approval.flow.advance import Retry
from reference_apps.approval.flow.model import Flow, Kind
from reference_apps.approval.model import Case, Said, Status
from reference_apps.approval.published import Published
from reference_apps.approval.services import Services
from reference_apps.approval.store import Event, Known, Lost, Store, noted

log = logging.getLogger("approval.way")


@dataclass(frozen=True, slots=True)
class Way:
    """Carries cases: `commit` writes, `clock_ms` says what time it is."""

    store: Store
    services: Services
    retry: Retry
    flows: Published
    commit: Commits
    clock_ms: Callable[[], int]

    async def gone(self, known: Known, since: int, events: list[Event]) -> Known:
        """Carry a case as far as it goes; `since` is the version that stands in the store, 0 for a case that is not there yet."""
        case, flow = self.flows.named(known.case)
        try:
            while case.status is Status.RUNNING:
                pays, owed = flow.stages[case.stage].kind is Kind.DISBURSE, None
                if pays and since < case.version:
                    await self._write(flow, Known(case, known.body_hash), since, events)
                    owed = questions.owed(flow, case) if not since else None
                    since, events = case.version, []
                at, said = case.stage, await (self._paid(flow, case, owed) if pays else self.services.ask(case, flow.stages[case.stage]))
                case = advance.advance(flow, case, said, self.retry, self.clock_ms())
                events.append(_told(case, at, said))
            if since < case.version:
                await self._write(flow, Known(case, known.body_hash), since, events)
        except Lost as error:
            log.warning("%s", error)
            return self._winner(case.id)
        except DatabaseFailed as error:
            log.error("application %s stops at %s: %s", case.id, case.stage, error)
            raise Problem(503, "not_stored", f"application {case.id} could not be stored: {error}", remedy="send it again with the same key") from error
        if case.status not in (Status.DISBURSED, Status.REJECTED):
            log.warning("application %s is %s: %s", case.id, case.status, "; ".join(reason.en for reason in case.reasons))
        return Known(case, known.body_hash)

    async def _write(self, flow: Flow, known: Known, since: int, events: list[Event]) -> None:
        """Commit a stretch of the way. Raises Lost when somebody else was first."""
        case = known.case
        if since:
            await self.commit(lambda connection: self.store.save(connection, flow, case, since, events))
        elif await self.commit(lambda connection: self.store.begin(connection, flow, case, known.body_hash, events)) is not None:
            raise Lost(f"application {case.id} was taken in by another instance at the same time")

    async def _paid(self, flow: Flow, case: Case, owed: Mapping[str, Any] | None) -> Said:
        """Have paid out what stands in the outbox: the very words that were committed, whichever instance says them. `owed`: we have just written them."""
        return await self.services.pay(case, owed or self._owed(case.id) or questions.ledger_question(flow, case))

    def _owed(self, case_id: str) -> Mapping[str, Any] | None:
        with self.store.glance() as connection:
            return cases.owed(connection, case_id)

    def _winner(self, case_id: str) -> Known:
        with self.store.glance() as connection:
            known = cases.known(connection, case_id)
        if known is None:
            raise unknown(case_id)
        return known


def _told(case: Case, at: str, said: Said) -> Event:
    outcome = {"outcome": case.trail[-1].outcome} if case.trail and case.status is not Status.WAITING else {}
    return noted(case, said.kind, {"at": at, **outcome, **{name: getattr(said, name) for name in said.__slots__}})


def unknown(case_id: str) -> Problem:
    return Problem(404, "application_not_found", f"there is no application {case_id}", remedy="GET /v1/applications lists them")
