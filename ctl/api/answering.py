"""Idempotency-Key: a write that comes again under its key gets the first answer, and its effect happens once. Plain ASGI."""

import hashlib
import json
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

from starlette.concurrency import run_in_threadpool

from ctl.api import identity
from ctl.api.backing import Backing
from ctl.errors import BadInput, CtlError, Refused, problem

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]

WRITES = frozenset({"POST", "PUT", "DELETE"})
NEVER_KEPT = "/v1/tokens"  # its answer holds a secret
MOST_BYTES = 1_000_000
LONGEST_KEY = 128


class Once:
    """Wraps the API. Answers below 500 are kept with a hash of the request; another request under the same key is refused."""

    def __init__(self, app: App, backing: Backing) -> None:
        self._app = app
        self._backing = backing
        self._running: set[str] = set()

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] not in WRITES:
            await self._app(scope, receive, send)
            return
        try:
            body, key = await _body(receive), _key(scope)
        except CtlError as error:
            await _refuse(send, error)
            return
        if not key or scope["path"].startswith(NEVER_KEPT):
            await self._app(scope, _replay(body), send)
        elif key in self._running:
            await _refuse(send, Refused("a request with this Idempotency-Key is still running", remedy="ask again in a second"), {"retry-after": "1"})
        else:
            self._running.add(key)
            try:
                await self._once(key, scope, body, send)
            finally:
                self._running.discard(key)

    async def _once(self, key: str, scope: Message, body: bytes, send: Send) -> None:
        asked = hashlib.sha256(scope.get("query_string", b"") + b"\n" + body).hexdigest()
        known = await run_in_threadpool(self._backing.answers.find, key)
        if known is None:
            await self._app(scope, _replay(body), self._keeping(key, asked, send))
        elif known[0] != asked:
            await _refuse(send, BadInput("this Idempotency-Key was used for another request", remedy="use a new key for a new request"))
        else:
            kept = json.loads(known[1])
            await _answer(send, kept["status"], kept["body"], {"idempotency-replayed": "true"})

    def _keeping(self, key: str, asked: str, send: Send) -> Send:
        """Return a send that keeps the whole answer before its last part leaves."""
        status, text = 500, b""

        async def keep(message: Message) -> None:
            nonlocal status, text
            status = message.get("status", status)
            text += message.get("body", b"")
            if message["type"] == "http.response.body" and not message.get("more_body") and status < 500:
                answer = json.dumps({"status": status, "body": text.decode()})
                await run_in_threadpool(self._backing.answers.put, key, asked, answer, self._backing.clock.now())
            await send(message)

        return keep


def _key(scope: Message) -> str:
    given = dict(scope["headers"]).get(b"idempotency-key", b"").decode("latin-1")
    if len(given) > LONGEST_KEY or not given.isprintable():
        raise BadInput("the Idempotency-Key is no key", remedy=f"use up to {LONGEST_KEY} printable characters")
    return f"{identity.fingerprint(scope)} {scope['method']} {scope['path']} {given}" if given else ""


async def _body(receive: Receive) -> bytes:
    parts, size, more = [], 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            break
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        more = message.get("more_body", False)
        if size > MOST_BYTES:
            raise BadInput(f"the body is longer than {MOST_BYTES} bytes", remedy="send less")
    return b"".join(parts)


def _replay(body: bytes) -> Receive:
    sent = False

    async def receive() -> Message:
        nonlocal sent
        if sent:
            return {"type": "http.disconnect"}
        sent = True
        return {"type": "http.request", "body": body, "more_body": False}

    return receive


async def _refuse(send: Send, error: CtlError, headers: Mapping[str, str] | None = None) -> None:
    await _answer(send, error.http_status, json.dumps(problem(error)), headers or {})


async def _answer(send: Send, status: int, text: str, headers: Mapping[str, str]) -> None:
    kind = "application/problem+json" if status >= 400 else "application/json"
    known = [(name.encode(), value.encode()) for name, value in {"content-type": kind, **headers}.items()]
    await send({"type": "http.response.start", "status": status, "headers": known})
    await send({"type": "http.response.body", "body": text.encode()})
