"""The desk's doors over a desk with cases that only note what was decided: tokens, sessions, marks on forms, refusals, bad input, escaped text."""

import asyncio
import html
import json
import re
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from fastapi import FastAPI

from ctl.kit.database import Database
from ctl.kit.fastapi_problems import answer_problems
from reference_apps.approval import commands
from reference_apps.approval.desk import accounts, page, store, tasks, web
from reference_apps.approval.desk.casefile import CaseFile, Check, Evidence
from reference_apps.approval.desk.people import Reviewer, Role
from reference_apps.approval.desk.store import SCHEMA
from reference_apps.approval.desk.tasks import LEASE_MS, Stay, Task
from reference_apps.approval.desk.work import Desk

HOUR = 3_600_000
EVIL = '<script>alert("x")</script>'
STAY = Stay(case_id="app-1", stage="first_review", visit=1, skill="credit", amount_fen=200_000, flow_version="loan v1", sla_ms=4 * HOUR)
PEOPLE = {
    "li": Reviewer(id="li", name="Li Wei", skills=("credit",)),
    "anna": Reviewer(id="anna", name=EVIL, skills=("credit",)),
    "low": Reviewer(id="low", name="Low", skills=("credit",), ceiling_fen=1),
    "sun": Reviewer(id="sun", name="Sun", skills=(), role=Role.SUPERVISOR),
}


@dataclass
class Cases:
    """Cases that know one customer and note what was decided and pushed on."""

    decisions: list[str] = field(default_factory=list)
    pushed: list[str] = field(default_factory=list)

    def decided(self, connection: sqlite3.Connection, task: Task, now_ms: int) -> None:
        assert task.decision is not None
        self.decisions.append(f"{task.decision.outcome} {task.decision.person}")

    async def stored(self, work: Callable[[], Any]) -> Any:
        return work()

    async def read(self, work: Callable[[], Any]) -> Any:
        return work()

    async def case_file(self, case_id: str) -> CaseFile:
        return CaseFile(
            case_id=case_id, customer=EVIL, status="manual", flow="loan v1", profile="normal", summary=f"{EVIL} asks for 2,000.00 yuan",
            applicant=(("Name", EVIL),), offer=(("Limit", "2,000.00"),), why=((EVIL, EVIL),),
            checks=(Check(at_ms=0, stage="risk", outcome="manual", reasons=((EVIL, EVIL),)),),
            evidence=(Evidence(name="Zhima", declared=EVIL),), raw={"application_id": case_id},
        )  # fmt: skip

    async def go_on(self, case_id: str) -> None:
        self.pushed.append(case_id)


@dataclass(frozen=True)
class Answer:
    """What was answered, as text."""

    status: int
    text: str
    headers: Mapping[str, str]

    @property
    def body(self) -> Any:
        return json.loads(self.text)


class World:
    """One instance; `now` is the time."""

    def __init__(self, folder: Path) -> None:
        self.now, self.cases = 0, Cases()
        self.database = Database(folder / "approval.db", SCHEMA)
        self.desk = Desk(self.database, self.cases, lambda: self.now)
        self.app = FastAPI()
        answer_problems(self.app)
        room = web.Room(self.desk, self.cases)
        web.add_routes(self.app, room)
        page.add_pages(self.app, room)
        with self.database.write() as connection:
            self.tokens = {name: accounts.add(connection, person, 0) for name, person in PEOPLE.items()}
            self.task = store.open_task(connection, tasks.opened(STAY, 0)).id

    def send(self, method: str, path: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        return asyncio.run(self._send(method, path, body, headers))

    async def _send(self, method: str, path: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        said: list[Any] = []
        path, _, query = path.partition("?")
        scope = {
            "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method, "path": path, "raw_path": path.encode(), "root_path": "",
            "query_string": query.encode(), "scheme": "http", "server": ("test", 80), "client": ("test", 1),
            "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()],
        }  # fmt: skip

        async def receive() -> Any:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Any) -> None:
            said.append(message)

        await self.app(scope, receive, send)
        text = b"".join(message.get("body", b"") for message in said[1:]).decode()
        return Answer(said[0]["status"], text, {name.decode(): value.decode() for name, value in said[0]["headers"]})

    def api(self, who: str, method: str, path: str, body: Any = None) -> Answer:
        token = self.tokens.get(who, who)
        headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}
        return self.send(method, path, b"" if body is None else json.dumps(body).encode(), headers)

    def verb(self, who: str, verb: str, body: Any = None) -> Answer:
        return self.api(who, "POST", f"/v1/tasks/{self.task}/{verb}", body)

    def browser(self, who: str) -> "Browser":
        return Browser(self, who)


class Browser:
    """What a browser does: keeps its cookie, follows no redirect by itself, and sends the mark of the form it sees."""

    def __init__(self, world: World, who: str) -> None:
        self.world = world
        made = world.send("POST", "/desk/sign-in", urlencode({"token": world.tokens[who]}).encode(), {})
        assert made.status == 303, made.text
        self.cookie = made.headers["set-cookie"].split(";")[0]

    def get(self, path: str) -> Answer:
        return self.world.send("GET", path, b"", {"cookie": self.cookie})

    def mark(self, verb: str) -> str:
        seen = self.get(f"/desk/tasks/{self.world.task}").text
        found = re.search(rf'action="./[^"]*/{verb}"[^>]*><input type="hidden" name="csrf" value="([0-9a-f]+)"', seen)
        assert found, f"there is no form to {verb}"
        return found[1]

    def post(self, verb: str, csrf: str | None = None, **fields: str) -> Answer:
        sent = {"csrf": self.mark(verb) if csrf is None else csrf, **fields}
        return self.world.send("POST", f"/desk/tasks/{self.world.task}/{verb}", urlencode(sent).encode(), {"cookie": self.cookie})


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.database.close()


def approve(version: int) -> dict[str, Any]:
    return {"outcome": "approve", "version": version}


def test_a_task_from_queue_to_decision(world: World) -> None:
    seen = world.api("li", "GET", "/v1/tasks").body
    assert ([each["task_id"] for each in seen["items"]], seen["total"], seen["next"]) == ([world.task], 1, None)
    held = world.verb("li", "claim").body
    assert (held["state"], held["claimed_by"], held["claimed_until"]) == ("claimed", "li", "1970-01-01T00:30:00.000+00:00")
    assert world.verb("li", "notes", {"text": "called: all is well"}).status == 201
    paper = {"name": "pay slip", "media_type": "application/pdf", "sha256": "a" * 64, "reference": "https://papers.example/1"}
    assert [each["name"] for each in world.verb("li", "attachments", paper).body["attachments"]] == ["pay slip"]
    done = world.verb("li", "decide", approve(held["version"])).body
    assert (done["applied"], done["state"], done["decision"]["outcome"], done["decision"]["by"]) == (True, "decided", "approve", "li")
    assert (world.cases.decisions, world.cases.pushed) == (["approve li"], ["app-1"])
    again = world.verb("li", "decide", approve(held["version"])).body
    assert again == done | {"applied": False}
    found = world.api("anna", "GET", f"/v1/tasks/{world.task}").body
    assert (found["case"]["application_id"], [each["text"] for each in found["notes"]]) == ("app-1", ["called: all is well"])
    kinds = [line["kind"] for line in world.api("sun", "GET", f"/v1/tasks/{world.task}/history").body["items"]]
    assert kinds == ["opened", "claimed", "decided"]
    assert len(world.cases.decisions) == 1


@pytest.mark.parametrize("authorization", ["", "Bearer", "Bearer wrong", "Basic bGk6bGk=", "Bearer " + "x" * 200])
def test_nobody_without_a_token(world: World, authorization: str) -> None:
    for method, path in (("GET", "/v1/tasks"), ("POST", f"/v1/tasks/{world.task}/claim"), ("GET", f"/v1/tasks/{world.task}/history")):
        no = world.send(method, path, b"", {"authorization": authorization})
        assert (no.status, no.body["code"], no.headers["www-authenticate"]) == (401, "not_signed_in", "Bearer")
        assert no.headers["content-type"] == "application/problem+json"
    assert authorization.removeprefix("Bearer ") not in no.text or authorization in ("", "Bearer")


def test_a_revoked_token_opens_nothing_at_once(world: World) -> None:
    browser = world.browser("li")
    assert browser.get("/desk/").status == 200
    with world.database.write() as connection:
        accounts.revoke(connection, "li")
    assert world.api("li", "GET", "/v1/tasks").status == 401
    assert (browser.get("/desk/").status, browser.get("/desk/").headers["location"]) == (303, "./sign-in")


def test_refusals_say_who_holds_the_task_and_until_when(world: World) -> None:
    held = world.verb("li", "claim").body
    for verb, body in (("claim", None), ("release", None), ("delegate", {"to": "li"}), ("decide", approve(held["version"]))):
        no = world.verb("anna", verb, body)
        assert (no.status, no.body["code"], no.body["holder"], no.body["until"]) == (409, "held", "Li Wei", "1970-01-01T00:30:00.000+00:00"), verb
    assert (world.verb("low", "claim").status, world.verb("low", "claim").body["code"]) == (403, "above_ceiling")
    assert world.verb("sun", "claim").body["code"] == "no_skill"
    assert world.verb("sun", "release").body["state"] == "open"
    assert world.verb("li", "decide", approve(1)).body["code"] == "not_claimed"
    assert world.verb("li", "delegate", {"to": "li"}).body["code"] == "to_oneself"
    assert world.verb("li", "delegate", {"to": "low"}).body["code"] == "above_ceiling"
    assert world.verb("li", "delegate", {"to": "nobody"}).body["code"] == "reviewer_not_found"
    assert world.verb("li", "delegate", {"to": "anna"}).body["claimed_by"] == "anna"
    with world.database.write() as connection:
        store.bar(connection, "app-1", "anna", "edited the case", 0)
    assert world.verb("anna", "claim").body["code"] == "four_eyes"
    assert world.verb("li", "delegate", {"to": "anna"}).body["code"] == "four_eyes"
    assert world.api("li", "POST", "/v1/tasks/none/claim").status == 404
    assert world.api("anna", "GET", f"/v1/tasks/{world.task}").body["you"]["may_decide"] is False


def test_a_decision_that_comes_too_late_gets_what_was_decided(world: World) -> None:
    held = world.verb("li", "claim").body
    world.now = LEASE_MS
    world.verb("anna", "claim")
    seen = world.api("anna", "GET", f"/v1/tasks/{world.task}").body
    world.verb("anna", "decide", {"outcome": "reject", "version": seen["version"], "code": "policy", "text": "no"})
    late = world.verb("li", "decide", approve(held["version"]))
    assert (late.status, late.body["code"], late.body["decision"]["outcome"], late.body["decision"]["person"]) == (409, "already_decided", "reject", "anna")
    assert world.cases.decisions == ["reject anna"]


@pytest.mark.parametrize(
    ("verb", "body", "word"),
    [
        ("decide", {"outcome": "perhaps", "version": 2}, "outcome"),
        ("decide", {"outcome": "reject", "version": 2}, "income_insufficient"),
        ("decide", {"outcome": "reject", "version": 2, "code": "policy"}, "text"),
        ("decide", {"outcome": "reject", "version": 2, "code": "policy", "text": " \n "}, "text"),
        ("decide", {"outcome": "return", "version": 2, "code": "policy", "text": "x"}, "identity_document"),
        ("decide", {"outcome": "approve", "version": 2, "code": "policy"}, "reason code"),
        ("decide", {"outcome": "approve", "version": "2"}, "version"),
        ("decide", {"outcome": "approve", "version": True}, "version"),
        ("decide", {"outcome": "approve"}, "version"),
        ("decide", {"outcome": "approve", "version": 2, "amount_fen": 1}, "amount_fen"),
        ("decide", {"outcome": "approve", "version": 2, "text": "x" * 4_001}, "text"),
        ("notes", {"text": "x" * 4_001}, "text"),
        ("notes", {"text": "  "}, "text"),
        ("notes", {"text": "a\x00b"}, "text"),
        ("notes", {"text": "\ud800"}, "text"),
        ("notes", {}, "text"),
        ("delegate", {"to": "../anna"}, "to"),
        ("attachments", {"name": "x", "media_type": "application/pdf", "sha256": "zz", "reference": "y"}, "sha256"),
        ("attachments", {"name": "x", "media_type": "pdf", "sha256": "a" * 64, "reference": "y"}, "media_type"),
        ("attachments", {"name": "x", "media_type": "a/b", "sha256": "a" * 64, "reference": "y z"}, "reference"),
    ],
)
def test_bad_input_changes_nothing(world: World, verb: str, body: Any, word: str) -> None:
    world.verb("li", "claim")
    before = world.api("li", "GET", f"/v1/tasks/{world.task}").body
    no = world.verb("li", verb, body)
    assert (no.status, no.body["code"]) == (422, "bad_input")
    assert word in no.body["detail"]
    assert world.api("li", "GET", f"/v1/tasks/{world.task}").body == before
    assert world.cases.decisions == []


def test_signing_in_gives_a_cookie_that_scripts_and_other_sites_do_not_get(world: World) -> None:
    assert world.send("GET", "/desk", b"", {}).headers["location"] == "desk/"
    shown = world.send("GET", "/desk/sign-in?task=" + world.task, b"", {})
    assert f'value="{world.task}"' in shown.text
    no = world.send("POST", "/desk/sign-in", b"token=wrong", {})
    assert (no.status, "set-cookie" in no.headers, "wrong" in no.text) == (401, False, False)
    token = world.tokens["li"]
    yes = world.send("POST", "/desk/sign-in", urlencode({"token": token, "task": world.task}).encode(), {"x-forwarded-proto": "https"})
    assert (yes.status, yes.headers["location"]) == (303, f"./tasks/{world.task}")
    cookie = yes.headers["set-cookie"]
    assert all(part in cookie for part in ("; HttpOnly", "; SameSite=Strict", "; Secure"))
    assert "Path" not in cookie, "the browser takes the page's own folder, whatever the gateway put before it"
    assert token not in cookie
    away = world.send("POST", "/desk/sign-in", urlencode({"token": token, "task": "//evil.example/"}).encode(), {})
    assert away.headers["location"] == "./tasks/%2F%2Fevil.example%2F"
    assert world.send("POST", "/desk/sign-in", urlencode({"token": token}).encode(), {"sec-fetch-site": "cross-site"}).status == 403


def test_sessions_end(world: World) -> None:
    browser = world.browser("li")
    page_ = browser.get("/desk/")
    out = re.search(r'action="./sign-out"><input type="hidden" name="csrf" value="([0-9a-f]+)"', page_.text)
    assert out
    assert world.send("POST", "/desk/sign-out", b"csrf=no", {"cookie": browser.cookie}).status == 403
    assert world.send("POST", "/desk/sign-out", f"csrf={out[1]}".encode(), {"cookie": browser.cookie}).status == 303
    assert browser.get("/desk/").status == 303
    other = world.browser("li")
    world.now = accounts.SESSION_MS
    gone = other.get(f"/desk/tasks/{world.task}")
    assert (gone.status, gone.headers["location"]) == (303, f"../sign-in?task={world.task}")


def test_every_page_says_what_it_may_do_and_shows_text_as_text(world: World) -> None:
    browser = world.browser("li")
    browser.post("claim")
    browser.post("notes", text=EVIL)
    for path in ("/desk/", "/desk/?scope=all", f"/desk/tasks/{world.task}", "/desk/sign-in", "/desk/tasks/none"):
        shown = browser.get(path)
        assert shown.headers["content-security-policy"].startswith("default-src 'self'"), path
        assert "<script>" not in shown.text
        assert not re.search(r'(?:href|src|action)="(?:https?:)?/', shown.text), "addresses are relative: a prefix may stand before the page"
        assert not re.search(r"<[^>]*\s(?:on[a-z]+|style)=", shown.text), "no script and no style stands in the page"
    assert browser.get(f"/desk/tasks/{world.task}").text.count("&lt;script&gt;alert(&#34;x&#34;)&lt;/script&gt;") >= 7
    assert browser.get("/desk/tasks/none").status == 404


def test_a_form_without_its_mark_changes_nothing(world: World) -> None:
    li, anna = world.browser("li"), world.browser("anna")
    for mark in ("", "0" * 64, anna.mark("claim"), li.mark("notes")):
        assert li.post("claim", csrf=mark).status == 403
    assert world.api("li", "GET", f"/v1/tasks/{world.task}").body["state"] == "open"
    assert world.send("POST", f"/desk/tasks/{world.task}/claim", b"", {}).status == 303, "without a session: to sign in"
    assert li.post("claim").headers["location"] == f"../{world.task}"
    assert li.post("explode", csrf="").status == 404
    assert li.post("notes", text="x" * 70_000).status == 413
    assert world.send("POST", f"/desk/tasks/{world.task}/notes", b"csrf=%ff&a=\xff", {"cookie": li.cookie}).status == 400


def test_deciding_on_the_page(world: World) -> None:
    li = world.browser("li")
    li.post("claim")
    mark = li.mark("decide")
    for fields, said in (
        ({"outcome": "reject", "version": "2", "text": "kept text"}, "choose a reason"),
        ({"outcome": "", "version": "2"}, "Nothing was recorded"),
        ({"outcome": "approve", "version": "x"}, "Nothing was recorded"),
        ({"outcome": "approve", "version": "1"}, "version 2"),
    ):
        no = li.post("decide", csrf=mark, **fields)
        assert no.status in (409, 422)
        assert said in html.unescape(no.text)
    assert "kept text" in li.post("decide", csrf=mark, outcome="reject", version="2", text="kept text").text
    fields = {"outcome": "reject", "version": "2", "code_reject": "policy", "code_return": "", "text": "outside"}
    done = li.post("decide", csrf=mark, **fields)
    assert (done.status, done.headers["location"]) == (303, f"../../?done={world.task}")
    assert li.post("decide", csrf=mark, **fields).status == 303, "a double click goes where the first click went"
    assert li.post("decide", csrf=mark, outcome="approve", version="2").status == 409
    assert world.cases.decisions == ["reject li"]
    assert "First review of app-1: rejected" in li.get(f"/desk/?done={world.task}").text
    assert "First review of app-1" not in world.browser("anna").get(f"/desk/?done={world.task}").text


def test_four_eyes_are_seen(world: World) -> None:
    li = world.browser("li")
    li.post("claim")
    li.post("decide", outcome="approve", version="2")
    with world.database.write() as connection:
        store.bar(connection, "app-1", "sun", "brought the case in", 0)
        world.task = store.open_task(connection, tasks.opened(replace(STAY, stage="recheck", visit=2), 0)).id
    mine = html.unescape(li.get(f"/desk/tasks/{world.task}").text)
    assert "First review: approved by you" in mine
    assert "You may not decide, because you have acted on this case: decided first review." in mine
    assert "Sun: brought the case in" in mine
    assert "Claim for" not in mine
    annas = html.unescape(world.browser("anna").get(f"/desk/tasks/{world.task}").text)
    assert "First review: approved by Li Wei" in annas
    assert "You may decide: you have not acted on this case." in annas
    assert "Claim for" in annas


def test_only_the_files_of_the_page_are_served(world: World) -> None:
    for name, kind in (("desk.css", "text/css"), ("desk.js", "text/javascript"), ("desk.svg", "image/svg+xml")):
        found = world.send("GET", f"/desk/static/{name}", b"", {})
        assert (found.status, found.headers["content-type"].split(";")[0]) == (200, kind)
    assert world.send("GET", "/desk/static/page.py", b"", {}).status == 404
    assert world.send("GET", "/desk/static/..%2Fpage.py", b"", {}).status == 404


def test_reviewers_from_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def run(*argv: str) -> int:
        try:
            return commands.run(["--data", str(tmp_path), "reviewer", *argv])
        except SystemExit as usage:
            return int(str(usage.code))

    assert run("list") == 0
    assert "nobody may sit at the desk" in capsys.readouterr().out
    assert run("add", "li.wei", "--name", "Li Wei", "--skill", "credit", "--skill", "fraud", "--ceiling", "500000") == 0
    token = capsys.readouterr().out.strip()
    assert re.fullmatch("[A-Za-z0-9_-]{43}", token)
    for argv, code in (
        (["add", "li.wei", "--name", "x"], 3), (["add", "Li Wei", "--name", "x"], 2), (["add", "x", "--name", "\n"], 2), (["add", "x"], 2),
        (["add", "x", "--name", "x", "--ceiling", "-1"], 2), (["revoke", "nobody"], 4), (["no"], 2),
    ):  # fmt: skip
        assert run(*argv) == code
        assert capsys.readouterr().out == ""
    assert run("list") == 0
    assert capsys.readouterr().out == "● li.wei  Li Wei  reviewer  credit, fraud  up to 5,000.00 yuan\n"
    database = Database(tmp_path / "approval.db", SCHEMA)
    with database.read() as connection:
        assert accounts.by_token(connection, token) == Reviewer(id="li.wei", name="Li Wei", skills=("credit", "fraud"), ceiling_fen=500_000)
    database.close()
    assert run("revoke", "li.wei") == 0
    assert run("list") == 0
    assert "○ revoked li.wei" in capsys.readouterr().out
