"""What the tests of the fraud desk's pages stand on: rings, a visitor who goes by forms as far as HTTP, and an instance on a port for real browsers."""

import asyncio
import re
import threading
from collections.abc import Iterable
from html import unescape
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urljoin

import uvicorn

from reference_apps.fraud.app import App
from reference_apps.fraud.keeping.people import Role
from reference_apps.fraud.model import Event
from tests.apps.conftest import Reply, ask_asgi
from tests.apps.fraud_cases import Client, Clock, farm, opened, token_of, until

START_S = 20.0
PEOPLE = (("li", Role.ANALYST), ("wang", Role.ANALYST), ("sun", Role.SUPERVISOR))


FORM = re.compile(r'<form method="post" action="(?P<action>[^"]*)"[^>]*>(?P<inside>.*?)</form>', re.DOTALL)
HIDDEN = re.compile(r'<input type="hidden" name="(?P<name>[^"]*)" value="(?P<value>[^"]*)">')


class Visitor:
    """A browser that goes by addresses and forms, as far as HTTP: it keeps its cookie and sends what a page's forms hold."""

    def __init__(self, app: App) -> None:
        self._door, self.cookies, self.at, self.page, self.status = app.door, SimpleCookie(), "/desk/", "", 0
        self.answers: list[Reply] = []

    async def sign_in(self, token: str, **more: str) -> "Visitor":
        return await self.send("/desk/sign-in", {"token": token, **more})

    async def get(self, path: str) -> "Visitor":
        return await self._ask("GET", urljoin(self.at, path), b"")

    async def send(self, path: str, fields: dict[str, str], **headers: str) -> "Visitor":
        return await self._ask("POST", urljoin(self.at, path), urlencode(fields).encode(), **headers)

    async def press(self, verb: str, **typed: str) -> "Visitor":
        """Send the form whose action ends in this verb, with what was typed."""
        action, fields = self.form(verb)
        return await self.send(action, fields | typed)

    def form(self, verb: str) -> tuple[str, dict[str, str]]:
        found = next((form for form in FORM.finditer(self.page) if form["action"].endswith(verb)), None)
        assert found is not None, f"there is no form to {verb} on {self.at}"
        return unescape(found["action"]), {each["name"]: unescape(each["value"]) for each in HIDDEN.finditer(found["inside"])}

    @property
    def text(self) -> str:
        """The page without its marks."""
        return " ".join(unescape(re.sub(r"<[^>]*>", " ", self.page)).split())

    async def _ask(self, method: str, path: str, body: bytes, **headers: str) -> "Visitor":
        sent = {"cookie": "; ".join(f"{name}={each.value}" for name, each in self.cookies.items()), **headers}
        answer = await ask_asgi(self._door, method, path, body, sent)
        self.answers.append(answer)
        self.cookies.load(answer.headers.get("set-cookie", ""))
        if answer.status == 303:
            self.at = path
            return await self.get(answer.headers["location"])
        self.at, self.page, self.status = path, answer.body or "", answer.status
        return self


async def visitor(app: App, person_id: str, role: Role = Role.ANALYST) -> Visitor:
    """Return somebody who has signed in and sees the queue."""
    return await Visitor(app).sign_in(token_of(app, person_id, role))


async def ring(app: App, accounts: list[str], device: str = "farm") -> str:
    """Have accounts apply on one device and return the name of their case, once all alerts are in it."""
    client = Client(app, token_of(app, f"robot-{device[:20]}-{accounts[0][:20]}"))
    answers = await farm(client, device, accounts)
    alerts = [each for each in answers if "case" in each]
    name: str = alerts[0]["case"]
    found = await until(lambda: client.get(f"/v1/cases/{name}"), lambda case: case["status"] == 200 and case["alert_count"] >= len(alerts))
    return str(found["id"])


class Served:
    """An instance on a port of its own, reached directly and below /fraud as through the gateway. Use it from any thread; `clock` is its own."""

    def __init__(self, folder: Path) -> None:
        self.clock, self.tokens = Clock(), dict[str, str]()
        self._folder, self._up, self._loop = folder, threading.Event(), asyncio.new_event_loop()
        self._thread = threading.Thread(target=lambda: self._loop.run_until_complete(self._serve()), daemon=True)
        self._thread.start()
        assert self._up.wait(START_S)

    async def _serve(self) -> None:
        async with opened(self._folder, "fraud-1", self.clock) as self.app:
            self.tokens = {name: token_of(self.app, name, role) for name, role in PEOPLE}
            self.client = Client(self.app, self.tokens["li"])

            async def behind_a_prefix(scope: Any, receive: Any, send: Any) -> None:
                path = scope.get("path", "").removeprefix("/fraud")
                await self.app.door({**scope, "path": path, "raw_path": path.encode()} if scope["type"] == "http" else scope, receive, send)

            self._server = uvicorn.Server(uvicorn.Config(behind_a_prefix, port=0, log_level="warning", lifespan="off"))
            serving = asyncio.create_task(self._server.serve())
            while not self._server.started:
                await asyncio.sleep(0.01)
            self.url = f"http://127.0.0.1:{self._server.servers[0].sockets[0].getsockname()[1]}"
            self._up.set()
            await serving

    def stop(self) -> None:
        self._server.should_exit = True
        self._thread.join(START_S)

    def run(self, work: Any) -> Any:
        """Do something in the instance's own loop."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(60)

    def case(self, name: str) -> Any:
        return self.run(self.client.get(f"/v1/cases/{name}"))

    def ring(self, accounts: list[str], device: str = "farm") -> str:
        return str(self.run(ring(self.app, accounts, device)))

    def play(self, events: Iterable[Event]) -> None:
        """Take in events as they stand."""

        async def checked() -> None:
            for event in events:
                await self.app.desk.check(event)

        self.run(checked())
