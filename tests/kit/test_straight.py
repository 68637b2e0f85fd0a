"""The way past the framework: which requests go it, what comes back to the framework, and what is refused at once."""

import asyncio
import json
from typing import Any

import pytest

from ctl.kit.answer import Answer
from ctl.kit.door import Message, Scope, respond
from ctl.kit.problem import Problem
from ctl.kit.straight import Headers, Straight, header


async def framework(scope: Scope, receive: Any, send: Any) -> None:
    """Say what body it was given, all of it, and whether the caller was still there afterwards."""
    content, more = b"", True
    while more:
        message = await receive()
        content, more = content + message["body"], message.get("more_body", False)
    await respond(send, 200, {"by": "framework", "body": content.decode(), "then": (await receive())["type"]})


async def handler(headers: Headers, content: bytes) -> Answer | None:
    if content == b"refuse":
        raise Problem(503, "busy", "too much to do", remedy="send it again", unprocessed=True)
    if content == b"unreadable":
        return None
    return Answer(201, content, header(headers, b"content-type"), ((b"x-more", b"1"),))


APP = Straight(framework, {("POST", "/fast"): handler}, most_bytes=10, remedy="send ten bytes")


def ask(method: str, path: str, *parts: bytes) -> tuple[int, dict[bytes, bytes], bytes, Scope]:
    scope: Scope = {"type": "http", "method": method, "path": path, "headers": [(b"content-type", b"text/plain")]}
    incoming: list[Message] = [{"type": "http.request", "body": part, "more_body": number < len(parts) - 1} for number, part in enumerate(parts)]
    sent: list[Message] = []

    async def receive() -> Message:
        return incoming.pop(0) if incoming else {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        sent.append(message)

    asyncio.run(APP(scope, receive, send))
    return sent[0]["status"], dict(sent[0]["headers"]), b"".join(each.get("body", b"") for each in sent), scope


def test_a_hot_route_is_answered_from_bytes_and_counted_under_its_path() -> None:
    status, headers, content, scope = ask("POST", "/fast", b"he", b"llo")
    assert (status, content, scope["route"]) == (201, b"hello", "/fast")
    assert (headers[b"content-type"], headers[b"content-length"], headers[b"x-more"]) == (b"text/plain", b"5", b"1")


@pytest.mark.parametrize("method, path, parts", [("GET", "/fast", (b"hello",)), ("POST", "/slow", (b"hel", b"lo")), ("POST", "/fast", (b"unread", b"able"))])
def test_the_framework_takes_the_rest_and_sees_the_whole_body(method: str, path: str, parts: tuple[bytes, ...]) -> None:
    status, _, content, _ = ask(method, path, *parts)
    assert (status, json.loads(content)) == (200, {"by": "framework", "body": b"".join(parts).decode(), "then": "http.disconnect"})


def test_a_refusal_is_a_problem_with_its_headers() -> None:
    status, headers, content, _ = ask("POST", "/fast", b"refuse")
    assert (status, headers[b"content-type"], json.loads(content)["remedy"]) == (503, b"application/problem+json", "send it again")
    assert (headers[b"retry-after"], headers[b"x-msxf-unprocessed"]) == (b"1", b"1")


def test_a_body_too_large_is_refused_before_it_has_all_come() -> None:
    status, _, content, _ = ask("POST", "/fast", b"123456", b"789012", b"never read")
    assert (status, json.loads(content)["remedy"]) == (413, "send ten bytes")
