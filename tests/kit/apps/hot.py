"""A service with one hot route, which does all that a handler can do; its framework says what it was given."""

import asyncio
import json
from typing import Any

from ctl.kit import log, serving
from ctl.kit.answer import Answer
from ctl.kit.door import Scope, respond
from ctl.kit.problem import Problem
from ctl.kit.straight import Headers, Straight, header
from ctl.kit.tracing import current

logger = log.logger("hot")


async def framework(scope: Scope, receive: Any, send: Any) -> None:
    content, more = b"", True
    while more:
        message = await receive()
        content, more = content + message["body"], message.get("more_body", False)
    told = {name: scope[name] for name in ("type", "http_version", "method", "path", "query_string", "scheme")}
    told |= {"body": content.decode(), "headers": [[name.decode(), value.decode()] for name, value in scope["headers"]], "by": "framework"}
    scope["route"] = "/framework"
    await respond(send, 200, {name: value.decode() if isinstance(value, bytes) else value for name, value in told.items()})


async def handler(headers: Headers, content: bytes) -> Answer | None:
    match content.split(b" ")[0]:
        case b"refuse":
            raise Problem(503, "busy", "too much to do", remedy="send it again", unprocessed=True)
        case b"fail":
            raise KeyError("what it needs")
        case b"unreadable":
            return None
        case b"slow":
            await asyncio.sleep(0.3)
        case b"inject":
            return Answer(200, b"{}", headers=((b"x-name", b"a\r\nx-other: b"),))
    entered = current()
    said = {"body": content.decode(), "trace": entered.trace_id if entered and header(headers, b"traceparent") else ""}
    return Answer(201, json.dumps(said).encode(), b"text/plain", ((b"x-more", b"1"),))


serving.serve(Straight(framework, {("POST", "/fast"): handler}, most_bytes=2_000, remedy="send less"))
