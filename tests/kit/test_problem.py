"""Refusals: what a problem says, and that every refusal of a FastAPI app is one."""

import asyncio
import json
from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel

from ctl.kit.fastapi_problems import answer_problems
from ctl.kit.problem import Problem


class Order(BaseModel):
    count: int
    names: list[str]


def app() -> FastAPI:
    built = FastAPI()
    answer_problems(built)

    @built.post("/orders")
    async def order(body: Order) -> int:
        return body.count

    @built.get("/away")
    async def away() -> None:
        raise Problem(503, "away", "nobody is here", remedy="come back later", unprocessed=True)

    return built


def ask(method: str, path: str, body: bytes = b"") -> tuple[int, dict[str, str], Any]:
    headers = [(b"content-type", b"application/json")]
    scope = {"type": "http", "method": method, "path": path, "raw_path": path.encode(), "query_string": b"", "headers": headers}
    messages: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request", "body": body}

    async def send(message: Any) -> None:
        messages.append(message)

    asyncio.run(app()(scope, receive, send))
    return messages[0]["status"], {name.decode(): value.decode() for name, value in messages[0]["headers"]}, json.loads(messages[1]["body"])


def test_a_problem_says_what_happened_and_what_to_do() -> None:
    status, headers, body = ask("GET", "/away")
    assert (status, headers["content-type"]) == (503, "application/problem+json")
    assert (headers["x-msxf-unprocessed"], headers["retry-after"]) == ("1", "1")
    assert body == {
        "type": "about:blank", "title": "Service Unavailable", "status": 503, "code": "away", "detail": "nobody is here", "remedy": "come back later",
    }  # fmt: skip


def test_only_a_problem_that_says_so_is_unprocessed() -> None:
    assert Problem(503, "away", "half done").headers() == {"retry-after": "1"}
    assert Problem(409, "no", "no").headers() == {}
    assert "remedy" not in Problem(409, "no", "no").body()


def test_every_field_that_does_not_fit_is_named_at_once() -> None:
    status, headers, body = ask("POST", "/orders", b'{"count": "many", "names": ["a", 7]}')
    assert (status, headers["content-type"], body["code"]) == (422, "application/problem+json", "bad_input")
    assert [each["field"] for each in body["errors"]] == ["count", "names.1"]
    assert body["detail"].startswith("count: ")
    assert "; names.1: " in body["detail"]


def test_a_body_that_is_no_json_and_a_path_that_is_none() -> None:
    assert ask("POST", "/orders", b"{")[2]["errors"][0]["field"] == "body"
    status, headers, body = ask("GET", "/nowhere")
    assert (status, headers["content-type"], body["detail"]) == (404, "application/problem+json", "GET /nowhere: Not Found")
    assert ask("GET", "/orders")[0] == 405
