"""The generic workload: says who it is, does a little work, and calls what it depends on, so that a whole fleet carries real traffic."""

import asyncio
import hashlib
import json
from collections.abc import Awaitable, Callable, MutableMapping
from random import Random
from time import monotonic
from typing import TYPE_CHECKING, Any

from ctl.kit import log
from ctl.kit.identity import Identity
from reference_apps.sample.settings import Behaviour

if TYPE_CHECKING:  # the HTTP client is imported only by a sample that has somebody to call
    from ctl.kit.calls import Calls

DEPTH, BUDGET_MS = b"x-msxf-depth", b"x-msxf-budget-ms"
DEEPEST = 3
MARGIN_MS = 20.0
ROUNDS = 20

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


class BadRelease(Exception):
    """Raised on as many requests as sample.error_pct asks for."""


class Sample:
    """A plain ASGI app. A dependency that fails is a fact in the answer, not a failure of this service."""

    def __init__(self, identity: Identity, behaviour: Behaviour) -> None:
        self._identity = identity
        self._behaviour = behaviour
        self._dice = Random(behaviour.seed or None)
        self._calls: Calls | None = None
        self._log = log.logger("sample")
        self._silent: set[str] = set()
        self._name = {"service": identity.service, "release": identity.release, "instance": identity.instance}

    async def start(self) -> None:
        if self._identity.depends_on:
            from ctl.kit.calls import Calls

            self._calls = Calls(self._identity)
        await asyncio.sleep(self._behaviour.start_ms / 1000)

    async def stop(self) -> None:
        if self._calls:
            await self._calls.close()

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise NotImplementedError(f"the sample speaks http, not {scope['type']}")
        method, path = scope["method"], scope["path"]
        if path not in ("/", "/work"):
            await _answer(send, 404, {"title": "Not Found", "status": 404, "detail": f"there is no {path}; try / or /work"})
            return
        scope["route"] = path
        if method not in (("GET", "HEAD", "POST") if path == "/work" else ("GET", "HEAD")):
            await _answer(send, 405, {"title": "Method Not Allowed", "status": 405, "detail": f"{path} has no {method}"})
            return
        await _answer(send, 200, self._who() if path == "/" else await self._work(scope, receive))

    def _who(self) -> dict[str, Any]:
        one = self._identity
        return {**self._name, "environment": one.environment, "zone": one.zone, "depends_on": one.depends_on}

    async def _work(self, scope: MutableMapping[str, Any], receive: Receive) -> dict[str, Any]:
        began, headers = monotonic(), dict(scope["headers"])
        proof = digest(await _body(receive), self._identity.service)
        if self._behaviour.latency_ms:
            await asyncio.sleep(self._behaviour.latency_ms / 1000)
        if self._behaviour.error_pct and self._dice.random() * 100 < self._behaviour.error_pct:
            raise BadRelease(f"{self._identity.release} fails {self._behaviour.error_pct:g} % of its requests on purpose")
        depth = int(within(headers.get(DEPTH), self._behaviour.depth, DEEPEST))
        left_ms = within(headers.get(BUDGET_MS), self._behaviour.budget_ms, self._behaviour.budget_ms) - (monotonic() - began) * 1000
        answers = await self._ask_all(depth, left_ms) if depth else []
        degraded = [answer for answer in answers if "why" in answer]
        served = [answer for answer in answers if "why" not in answer]
        return {**self._name, "proof": proof, "latency_ms": since_ms(began), "answers": served, "degraded": degraded}

    async def _ask_all(self, depth: int, left_ms: float) -> list[dict[str, Any]]:
        return list(await asyncio.gather(*(self._ask(service, depth, left_ms) for service in self._identity.depends_on)))

    async def _ask(self, service: str, depth: int, left_ms: float) -> dict[str, Any]:
        """Ask one dependency and say who answered, or why nobody did. It gets what is left of the time and one level less to reach."""
        if left_ms <= MARGIN_MS:
            return {"service": service, "why": "no time was left to ask it"}
        began = monotonic()
        answer = await self._called(service, {DEPTH.decode(): str(depth - 1), BUDGET_MS.decode(): f"{left_ms - MARGIN_MS:.0f}"}, left_ms)
        self._note(service, answer if isinstance(answer, str) else "")
        return {"service": service, "latency_ms": since_ms(began), **({"why": answer} if isinstance(answer, str) else answer)}

    async def _called(self, service: str, headers: dict[str, str], left_ms: float) -> dict[str, Any] | str:
        from ctl.kit.calls import NoAnswer

        if self._calls is None:
            return "this sample has not started"
        try:
            answer = await self._calls.get(service, "/work", timeout_s=left_ms / 1000, headers=headers)
        except NoAnswer as error:
            return error.why
        if not answer.is_ok or not isinstance(answer.body, dict):
            return f"it answered {answer.status}"
        return {key: answer.body.get(key) for key in self._name}

    def _note(self, service: str, why: str) -> None:
        """Log that a dependency fell silent or speaks again: once each, not on every request."""
        if why and service not in self._silent:
            self._silent.add(service)
            self._log.warning("%s does not answer: %s", service, why)
        elif not why and service in self._silent:
            self._silent.remove(service)
            self._log.info("%s answers again", service)


def digest(body: bytes, salt: str) -> str:
    """Do the work: a hash over the request, the same for the same request."""
    value = salt.encode() + body
    for _ in range(ROUNDS):
        value = hashlib.sha256(value).digest()
    return value.hex()[:16]


def within(text: bytes | None, default: float, most: float) -> float:
    """Return the number a header gives, from 0 to `most`; the default when it gives none."""
    try:
        value = float(text) if text is not None else default
    except ValueError:
        return default
    return min(max(value, 0.0), most) if value == value else default


def since_ms(began: float) -> float:
    return round((monotonic() - began) * 1000, 3)


async def _body(receive: Receive) -> bytes:
    parts = []
    while True:
        message = await receive()
        parts.append(message.get("body", b""))
        if not message.get("more_body"):
            return b"".join(parts)


async def _answer(send: Send, status: int, body: dict[str, Any]) -> None:
    content = json.dumps(body).encode()
    kind = b"application/json" if status == 200 else b"application/problem+json"
    headers = [(b"content-type", kind), (b"content-length", b"%d" % len(content))]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": content})
