"""Calls to other services, through the gateway: pooled connections, one deadline, the trace passed on, and no answer is an error of its own."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ctl.kit import tracing
from ctl.kit.identity import Identity
from ctl.kit.wire import Asked, Lost, Reply, Unreachable, Wire

UNPROCESSED = "x-msxf-unprocessed"
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.025, 0.4


@dataclass(frozen=True, slots=True)
class Answer:
    """What a service answered: `body` is decoded JSON, or text when it is not JSON, or None when empty; header names are in lower case."""

    status: int
    body: Any
    headers: Mapping[str, str]

    @property
    def is_ok(self) -> bool:
        return 200 <= self.status < 300

    @property
    def is_unprocessed(self) -> bool:
        """Whether nobody began to work on the request, so that it may be sent again whatever its method."""
        return self.status == 503 and self.headers.get(UNPROCESSED) == "1"


class NoAnswer(Exception):
    """A call got no answer. Unless `was_unprocessed`, the other side may have done the work all the same."""

    def __init__(self, service: str, why: str, *, was_unprocessed: bool = False) -> None:
        super().__init__(f"{service} gave no answer: {why}")
        self.service = service
        self.why = why
        self.was_unprocessed = was_unprocessed


class Calls:
    """The way from one service to the others. Make one a process; use it from the event loop only."""

    def __init__(self, identity: Identity) -> None:
        self._gateway = identity.gateway
        self._agent = f"{identity.service}/{identity.release}"
        self._wire: Wire | None = None

    async def get(self, service: str, path: str, *, timeout_s: float = 2.0, headers: Mapping[str, str] | None = None) -> Answer:
        """GET `path` of a service. Any status is an answer. Raises NoAnswer."""
        return await self._until_answered(service, _Request("GET", path, None, headers or {}), timeout_s)

    async def post(self, service: str, path: str, body: Any, *, timeout_s: float = 2.0, headers: Mapping[str, str] | None = None) -> Answer:
        """POST `body` as JSON (None: no body) to `path` of a service. Any status is an answer. Raises NoAnswer."""
        return await self._until_answered(service, _Request("POST", path, body, headers or {}), timeout_s)

    async def close(self) -> None:
        if self._wire is not None:
            self._wire.close()
            self._wire = None

    async def _until_answered(self, service: str, request: "_Request", timeout_s: float) -> Answer:
        """Send until the deadline, and again only what certainly nobody has begun to process."""
        if not self._gateway:
            raise NoAnswer(service, "MSXF_GATEWAY is not set, so there is no way to it", was_unprocessed=True)
        why, pause_s = "", FIRST_PAUSE_S
        try:
            async with asyncio.timeout(timeout_s):
                while True:
                    why = ""
                    answer = await self._once(service, request)
                    if not isinstance(answer, str):
                        return answer
                    why = answer
                    await asyncio.sleep(pause_s)
                    pause_s = min(LONGEST_PAUSE_S, pause_s * 2)
        except TimeoutError as error:
            raise NoAnswer(service, f"{why or 'silence'} for {timeout_s:g} s on {request}", was_unprocessed=bool(why)) from error
        except Lost as error:
            raise NoAnswer(service, f"{type(error).__name__} on {request}: {error}") from error

    async def _once(self, service: str, request: "_Request") -> Answer | str:
        """Send once; a text says why certainly nobody has begun to process it."""
        try:
            answer = await self._sent(service, request)
        except Unreachable as error:
            return f"no connection to the gateway at {self._gateway} ({error})"
        return "it took no request" if answer.is_unprocessed else answer

    async def _sent(self, service: str, request: "_Request") -> Answer:
        if self._wire is None:
            self._wire = Wire(self._gateway)
        headers = {"user-agent": self._agent, **tracing.outgoing(), **{name.lower(): value for name, value in request.headers.items()}}
        content = None if request.body is None else json.dumps(request.body, separators=(",", ":")).encode()
        if content is not None:
            headers.setdefault("content-type", "application/json")
        reply = await self._wire.ask(Asked(request.method, f"/{service}/{request.path.lstrip('/')}", headers, content))
        return Answer(reply.status, _decoded(service, reply), reply.headers)


@dataclass(frozen=True, slots=True)
class _Request:
    method: str
    path: str
    body: Any
    headers: Mapping[str, str]

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


def _decoded(service: str, reply: Reply) -> Any:
    if not reply.content:
        return None
    kind = reply.headers.get("content-type", "").partition(";")[0].strip().lower()
    if not kind.endswith(("/json", "+json")):
        return reply.content.decode(errors="replace")
    try:
        return json.loads(reply.content)
    except ValueError as error:
        raise NoAnswer(service, f"its answer ({reply.status}) says it is JSON and is not: {error}") from error
