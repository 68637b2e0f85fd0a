"""What the tests of fraud's cases stand on: an app over a folder with its people, asked like a client asks, and books made of links and alerts."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from secrets import token_hex
from typing import Any

from reference_apps.fraud.app import App
from reference_apps.fraud.cases.book import Book
from reference_apps.fraud.features.graph import Ties
from reference_apps.fraud.keeping.people import Person, Role
from reference_apps.fraud.keeping.record import Record
from reference_apps.fraud.model import Verdict
from reference_apps.fraud.models.all import MODELS
from reference_apps.fraud.policy import policy
from tests.apps.conftest import ask_asgi
from tests.apps.fraud_work import event

PATIENCE_S = 20.0


def record(verdict: Verdict = Verdict.REVIEW, linked: tuple[str, ...] = (), shadow: tuple[tuple[str, str, float], ...] = ()) -> Record:
    """Return a judgement with a verdict and new links, and nothing else worth a word."""
    said = (("device_farm", "many on one device", 0.6),) if verdict >= Verdict.REVIEW else ()
    return Record(int(verdict), "p" * 16, (None,) * len(MODELS), said, shadow, ((),) * 7, Ties(linked=linked))


Step = tuple[str, str, tuple[str, ...], Verdict]
"""An event: its id, its account, what it links that to, its verdict."""


def played(steps: Iterable[Step], book: Book | None = None, first: int = 1, phone: str = "") -> Book:
    """Return a book that was shown these events."""
    made = book or Book()
    for position, (event_id, account, linked, verdict) in enumerate(steps, first):
        made.event(position, event(position, id=event_id, account=account, phone=phone, amount_fen=100), record(verdict, linked))
    return made


def groups(book: Book) -> set[frozenset[str]]:
    """Return the alerts' event ids, case by case."""
    return {frozenset(book.kept.alerts[at].event_id for at in case.alerts) for case in book.kept.cases.values() if case.alerts}


class Client:
    """Asks an app in this process, as one person."""

    def __init__(self, app: App, token: str) -> None:
        self._door, self._headers = app.door, {"authorization": f"Bearer {token}"}

    async def get(self, path: str) -> Any:
        answer = await ask_asgi(self._door, "GET", path, headers=self._headers)
        return answer.body | {"status": answer.status}

    async def post(self, path: str, body: Any) -> Any:
        answer = await ask_asgi(self._door, "POST", path, body, self._headers)
        return answer.body | {"status": answer.status}


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = datetime.now(UTC)

    def __call__(self) -> datetime:
        return self.now

    def go(self, **by: float) -> None:
        self.now += timedelta(**by)


@asynccontextmanager
async def opened(folder: Path, instance: str = "fraud-1", clock: Clock | None = None) -> AsyncIterator[App]:
    """Open an app over a folder."""
    app = App(folder, instance, policy.load(), clock or Clock())
    await app.open()
    try:
        yield app
    finally:
        await app.close()


def token_of(app: App, person_id: str, role: Role = Role.ANALYST) -> str:
    token = app.people.add(Person(id=person_id, name=person_id.title(), role=role))
    assert token is not None
    return token


RUN = token_hex(4)
NUMBERS = itertools.count()


def check(account: str, device: str, **fields: Any) -> dict[str, Any]:
    """Return an application as a caller sends it."""
    return {"event_id": f"x{RUN}-{next(NUMBERS)}", "account": account, "device": device, "phone": f"phone of {account}", "amount_fen": 50_000} | fields


async def farm(client: Client, device: str, accounts: Iterable[str]) -> list[Any]:
    """Have accounts apply on one device, one after the other, and return the answers."""
    return [await client.post("/v1/checks", check(account, device)) for account in accounts]


async def until(ask: Any, holds: Any) -> Any:
    """Ask until an answer is as it should be."""
    deadline = asyncio.get_running_loop().time() + PATIENCE_S
    while not holds(answer := await ask()):
        assert asyncio.get_running_loop().time() < deadline, answer
        await asyncio.sleep(0.05)
    return answer
