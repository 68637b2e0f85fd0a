"""The ASGI door in front of an app: probes, figures, the trace, admission, and an answer when the app fails. Every request passes it, so it is cheap."""

import json
import logging
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from http import HTTPStatus
from time import monotonic
from typing import Any

from ctl.kit import metrics, tracing
from ctl.kit.answer import JSON, PROBLEM, Answer
from ctl.kit.life import Life

log = logging.getLogger("ctl.kit")

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

UNPROCESSED = (b"x-msxf-unprocessed", b"1")
CLOSE = (b"connection", b"close")
UNMATCHED = "unmatched"


class Door:
    """Wraps an app. The paths of the contract are its own; they are neither held nor counted."""

    def __init__(self, app: App, life: Life, *, instance: str = "") -> None:
        self._name = ((b"x-msxf-instance", instance.encode()),) if instance else ()
        self.app = app
        self.life = life
        self.figures = metrics.RequestFigures(lambda: life.in_flight)
        self._own = {"/healthz": self._healthz, "/readyz": self._readyz, "/metrics": self._metrics}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        own = self._own.get(scope["path"])
        if own is not None:
            await own(send)
            return
        life, began = self.life, monotonic()
        life.last_request_at = began
        if not life.is_open and not await life.may_enter():
            self.figures.turned_away()
            await _send(send, self.turned_away())
            return
        life.in_flight += 1
        answering = Answering(send)
        entered = tracing.enter(scope["headers"])
        try:
            await self.app(scope, receive, answering)
            if answering.held:
                await answering.let_go()
        except Exception as error:  # whatever an app raises ends here: the caller gets an answer and the log the place
            await self._failed(error, entered.trace, scope, answering)
        finally:
            life.in_flight -= 1
            self._count(answering, scope, monotonic() - began)

    def _count(self, answering: "Answering", scope: Scope, seconds: float) -> None:
        if answering.was_turned_away:
            self.figures.turned_away()
        else:
            code = answering.status or 500
            self.figures.record(code, route_of(scope, code), seconds)

    async def _failed(self, error: Exception, trace: tracing.Trace, scope: Scope, answering: "Answering") -> None:
        has_begun, answering.status = answering.has_begun, 500
        if has_begun:  # too late for another answer: the server breaks the connection off and logs the error
            raise error
        log.error("%s %s failed", scope["method"], scope["path"], exc_info=error)
        answering.held = []
        await _send(answering.send, self.failure(trace))

    def failure(self, trace: tracing.Trace) -> Answer:
        """Return the answer when an app failed."""
        detail = "The service failed on this request; its log has the reason under this trace."
        return Answer(500, _json(problem(500, detail, trace=trace.trace_id)), PROBLEM)

    def turned_away(self) -> Answer:
        """Return the answer to a request that may not enter."""
        is_going = self.life.is_going
        detail = "Not processed: this instance closes." if is_going else "Not processed: this instance was not ready in time."
        return Answer(503, _json(problem(503, detail)), PROBLEM, (UNPROCESSED, CLOSE) if is_going else (UNPROCESSED,))

    async def _healthz(self, send: Send) -> None:
        await respond(send, 200, {"state": "alive"})

    async def _readyz(self, send: Send) -> None:
        status, body = self.life.readiness()
        await respond(send, status, body, headers=self._name)

    async def _metrics(self, send: Send) -> None:
        await respond(send, 200, metrics.text(), kind=metrics.CONTENT_TYPE)


class Answering:
    """Passes an answer on and remembers its status.

    A 500 is held back until the app returns: a framework that answers 500 because something raised lets it through afterwards, and then the door
    answers better. A 500 that comes in pieces is let go with its first one.
    """

    __slots__ = ("has_begun", "held", "send", "status", "was_turned_away")

    def __init__(self, send: Send) -> None:
        self.send = send
        self.held: list[Message] = []
        self.status = 0
        self.has_begun = False
        self.was_turned_away = False

    def __call__(self, message: Message) -> Awaitable[None]:
        if not self.has_begun:
            if message["type"] == "http.response.start":
                self.status = status = message["status"]
                if status == 500:
                    return self._hold(message)
                self.was_turned_away = has_not_begun(status, message.get("headers", ()))
            elif self.held:
                return self._hold(message) if not message.get("more_body") else self.let_go(message)
            self.has_begun = True
        return self.send(message)

    async def let_go(self, *more: Message) -> None:
        """Send what was held back, and `more` after it."""
        self.has_begun = True
        held, self.held = self.held, []
        for message in (*held, *more):
            await self.send(message)

    async def _hold(self, message: Message) -> None:
        self.held.append(message)


def route_of(scope: Scope, code: int) -> str:
    """Return the route template that the framework or the app left in scope["route"]; else the first part of the path, or one word for what matched nothing."""
    route = scope.get("route")
    if route is not None:
        return route if isinstance(route, str) else str(getattr(route, "path", UNMATCHED))
    return UNMATCHED if code in (404, 405) else "/" + scope["path"].split("/", 2)[1]


def problem(status: int, detail: str, **more: str) -> dict[str, Any]:
    """Return a problem document (RFC 9457)."""
    return {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": detail, **more}


def has_not_begun(status: int, headers: Iterable[tuple[bytes, bytes]]) -> bool:
    """Whether an answer says that no work was done on the request, so that it may be tried elsewhere."""
    return status == 503 and UNPROCESSED in {(bytes(name).lower(), bytes(value)) for name, value in headers}


async def respond(send: Send, status: int, body: Any, *, kind: bytes = JSON, headers: tuple[tuple[bytes, bytes], ...] = ()) -> None:
    """Send a whole answer; a body that is not bytes becomes JSON."""
    content = body if isinstance(body, bytes) else _json(body)
    start = {
        "type": "http.response.start",
        "status": status,
        "headers": [(b"content-type", kind), (b"content-length", b"%d" % len(content)), *headers],
    }
    await send(start)
    await send({"type": "http.response.body", "body": content})


async def _send(send: Send, answer: Answer) -> None:
    await respond(send, answer.status, answer.content, kind=answer.kind, headers=answer.headers)


def _json(body: Any) -> bytes:
    return json.dumps(body, separators=(",", ":")).encode()
