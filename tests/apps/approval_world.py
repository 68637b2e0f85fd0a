"""What the tests of approval's engine stand on: neighbours with scripts, a clock that a test moves, and instances that can be killed at any store call."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from sqlite3 import Connection
from typing import Any

from ctl.kit.breaker import Policy
from ctl.kit.calls import Answer, NoAnswer
from reference_apps.approval import web
from reference_apps.approval.desk import accounts
from reference_apps.approval.desk.people import Reviewer, Role
from reference_apps.approval.engine import Engine, Rhythm, now_ms
from reference_apps.approval.flow.advance import Retry
from reference_apps.approval.flow.model import Flow
from reference_apps.approval.published import Published, bundled
from reference_apps.approval.services import Patience, Services
from reference_apps.approval.store import Store

BODY: dict[str, Any] = {
    "customer": {"id": "mike", "name": "Mike", "age": 34, "phone": "13800000001"},
    "device": "phone of mike",
    "evidence": {"zhima_score": 780, "pboc_record": "good"},
    "consent": True,
}
ASKED = web.ApplicationBody.model_validate(BODY).model_dump(mode="json")
OFFER = {"limit_fen": 500_000, "annual_rate": "0.10", "flow": "fast", "grade": "A"}
FLOWS = bundled()
SECONDS_LONG = 20.0

Script = Callable[[str, Any], Any]


class Killed(BaseException):
    """The process is dead: nothing of it goes on."""


class Clock:
    """The wall clock of all instances: real time, and what a test puts on top of it."""

    def __init__(self) -> None:
        self.ahead_ms = 0

    def __call__(self) -> int:
        return now_ms() + self.ahead_ms


class Neighbours:
    """Fraud, risk and ledger. `scripts` replaces a service's answer: it returns (status, body) or raises NoAnswer. The ledger pays once a key."""

    def __init__(self) -> None:
        self.scripts: dict[str, Script] = {}
        self.asked: Counter[str] = Counter()
        self.loans: dict[str, Any] = {}
        self.pause_s = 0.0

    async def get(self, service: str, path: str, *, timeout_s: float = 2.0, headers: Mapping[str, str] | None = None) -> Answer:
        return await self._answer(service, {"path": path}, headers)

    async def post(self, service: str, path: str, body: Any, *, timeout_s: float = 2.0, headers: Mapping[str, str] | None = None) -> Answer:
        return await self._answer(service, body, headers)

    async def _answer(self, service: str, body: Any, headers: Mapping[str, str] | None) -> Answer:
        self.asked[service] += 1
        await asyncio.sleep(self.pause_s)
        plain = {"fraud": self._fraud, "risk": self._risk, "ledger": self.pay}.get(service, lambda *_: (404, {"detail": "no such service"}))
        status, said = self.scripts.get(service, plain)((headers or {}).get("idempotency-key", ""), body)
        return Answer(status, said, {})

    def _fraud(self, _: str, body: Any) -> Any:
        return 200, {"verdict": "pass"}

    def _risk(self, _: str, body: Any) -> Any:
        return 200, {"outcome": "pass", "offer": OFFER, "missing_evidence": [], "reasons": []}

    def pay(self, key: str, body: Any) -> Any:
        return 201, self.loans.setdefault(key, body | {"loan_id": f"LN{len(self.loans)}"})


def silent(*_: Any) -> Any:
    raise NoAnswer("somebody", "silence")


def doubtful(_: str, body: Any) -> Any:
    return 200, {"outcome": "review", "offer": OFFER, "missing_evidence": [], "reasons": []}


class MortalStore(Store):
    """A store whose process dies at its n-th use, before it (odd numbers) or after it (even ones); 0: it lives."""

    def __init__(self, folder: Path, instance: str, holder: str, dies_at: int) -> None:
        self.uses, self.dies_at = 0, dies_at
        self.is_dead = False
        super().__init__(folder, instance, holder)

    @contextmanager
    def write(self) -> Iterator[Connection]:
        self._reached()
        with super().write() as connection:
            yield connection
        self._reached()

    @contextmanager
    def read(self) -> Iterator[Connection]:
        self._reached()
        with super().read() as connection:
            yield connection
        self._reached()

    @contextmanager
    def glance(self) -> Iterator[Connection]:
        self._reached()
        with super().glance() as connection:
            yield connection
        self._reached()

    def _reached(self) -> None:
        self.uses += 1
        self.is_dead = self.is_dead or self.uses == self.dies_at
        if self.is_dead:
            raise Killed


class Instance:
    """One instance of approval over a shared folder."""

    def __init__(self, folder: Path, neighbours: Neighbours, name: str = "approval-1", clock: Callable[[], int] = now_ms, **more: Any) -> None:
        flows: tuple[Flow, ...] = more.get("flows", FLOWS)
        self.store = MortalStore(folder, name, f"{name}#{id(self)}", 0)
        patience = Patience(breaker=Policy(failures=more.get("failures", 100), first_s=60.0, longest_s=60.0))
        services = Services(neighbours, patience, more.get("bureaus", {}))
        rhythm = Rhythm(sweep_s=0.02, patience_s=8.0, farewell_s=1.0)
        self.engine = Engine(self.store, services, Retry(attempts=4, first_ms=20, longest_ms=40), rhythm, Published(self.store, "loan", flows), clock)
        self.app = web.build(self.engine, self.store)

    async def started(self) -> "Instance":
        await self.engine.start()
        return self

    def dies_in(self, uses: int) -> None:
        """Let the process die at that many uses of its store from now on."""
        self.store.dies_at = self.store.uses + uses

    def kill(self) -> None:
        """End it at once, as kill -9 does: nothing is said, nothing is given back."""
        self.store.is_dead = True
        for task in [self.engine._pulse, *self.engine._running.values()]:
            if task is not None:
                task.cancel()


def chief(store: Store) -> dict[str, str]:
    """Add a supervisor who may take any task, and return the headers of their requests."""
    person = Reviewer(id="chief", name="Chief", skills=("credit", "fraud", "operations", "payments"), role=Role.SUPERVISOR)
    with store.write() as connection:
        return {"authorization": f"Bearer {accounts.add(connection, person, 0)}"}


async def until(true: Callable[[], bool], timeout_s: float = SECONDS_LONG) -> None:
    async with asyncio.timeout(timeout_s):
        while not true():
            await asyncio.sleep(0.005)
