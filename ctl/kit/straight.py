"""The way past the framework for the few routes that carry an app's load: from the body's bytes to the answer's, at a third of the cost.

A framework's own route stays beside each of them: it describes the request in the OpenAPI, and names what is wrong with a body that the fast one will not read.
"""

import json
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass

from ctl.kit.answer import PROBLEM, Answer
from ctl.kit.door import App, Message, Receive, Scope, Send, respond
from ctl.kit.problem import Problem

MOST_BYTES = 256 * 1024
REMEDY = "send less at once; nothing was changed"

Headers = Iterable[tuple[bytes, bytes]]
"""As they came, names in lower case."""


Handler = Callable[[Headers, bytes], Awaitable[Answer | None]]
"""Takes a request's headers and body. None: the framework's route is to take it. Raises Problem."""


@dataclass(frozen=True, slots=True)
class Route:
    """A hot route."""

    method: str
    path: str
    handler: Handler
    most_bytes: int


class Straight:
    """An app whose `routes` (method, path without parameters) are taken straight; all else goes to `rest`.

    A body over `most_bytes` is refused as it comes, with `remedy`.
    """

    def __init__(self, rest: App, routes: Mapping[tuple[str, str], Handler], *, most_bytes: int = MOST_BYTES, remedy: str = REMEDY) -> None:
        self.rest, self._most_bytes, self._remedy = rest, most_bytes, remedy
        self._routes = dict(routes)
        self.hot = {(method.encode(), path.encode()): Route(method, path, handler, most_bytes) for (method, path), handler in routes.items()}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        handler = self._routes.get((scope["method"], scope["path"])) if scope["type"] == "http" else None
        if handler is None:
            await self.rest(scope, receive, send)
            return
        scope["route"] = scope["path"]
        content = b""
        try:
            content = await self._body(receive)
            answer = await handler(scope["headers"], content)
        except Problem as problem:
            answer = refusal(problem)
        if answer is None:
            await self.rest(scope, _again(content, receive), send)
        else:
            await respond(send, answer.status, answer.content, kind=answer.kind, headers=answer.headers)

    async def _body(self, receive: Receive) -> bytes:
        message = await receive()
        content: bytes = message.get("body", b"")
        while message.get("more_body") and len(content) <= self._most_bytes:
            message = await receive()
            content += message.get("body", b"")
        if len(content) > self._most_bytes:
            raise Problem(413, "too_large", f"the body has more than {self._most_bytes} bytes", remedy=self._remedy)
        return content


def refusal(problem: Problem) -> Answer:
    """Return a problem as an answer."""
    headers = tuple((name.encode(), value.encode()) for name, value in problem.headers().items())
    return Answer(problem.status, json.dumps(problem.body(), separators=(",", ":"), ensure_ascii=False).encode(), PROBLEM, headers)


def header(headers: Headers, name: bytes) -> bytes:
    """Return the value of a header, `name` in lower case; empty when it did not come."""
    return next((value for known, value in headers if known == name), b"")


def _again(content: bytes, receive: Receive) -> Receive:
    """Return a `receive` that begins with a body that was read already."""
    whole: list[Message] = [{"type": "http.request", "body": content, "more_body": False}]

    async def again() -> Message:
        return whole.pop() if whole else await receive()

    return again
