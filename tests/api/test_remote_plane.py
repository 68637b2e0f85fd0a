"""RemotePlane over the real API: what a caller sees is what the plane behind it says; errors come back as the same classes."""

import json
import threading
import urllib.error
import urllib.request
from collections.abc import Callable
from time import monotonic, sleep
from typing import Any

import pytest

from ctl.client import RemotePlane
from ctl.errors import BackendError, BadInput, Forbidden, NotFound, Refused, Unauthorised, UnsafePlan
from ctl.model.view import EventView, RolloutView
from tests.api.conftest import Served


def until(check: Callable[[], Any], within_s: float = 10.0) -> Any:
    deadline = monotonic() + within_s
    while not (found := check()):
        assert monotonic() < deadline, "it did not come about in time"
        sleep(0.02)
    return found


def released(plane: RemotePlane, service: str, version: str = "1.0.0") -> RolloutView:
    plane.build(service, version)
    started = plane.deploy(service, version, reason="for the test")
    return until(lambda: (view := plane.rollout(started["id"])) and not view["active"] and view)


def ask(served: Served, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any, dict[str, str]]:
    data = body if isinstance(body, bytes) else json.dumps(body).encode() if body is not None else None
    kind = {"Content-Type": "application/json"} if data else {}
    given = {key.replace("_", "-"): value for key, value in headers.items()}
    request = urllib.request.Request(served.url + path, data=data, method=method, headers={**kind, **given})
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            text, status, got = answer.read(), answer.status, dict(answer.headers)
    except urllib.error.HTTPError as error:
        text, status, got = error.read(), error.code, dict(error.headers)
    try:
        return status, json.loads(text), got
    except ValueError:
        return status, text.decode(), got


def test_a_release_travels_through_the_socket(served: Served) -> None:
    plane = served.here
    assert plane.is_there()
    assert [row["state"] for row in plane.services()] == ["absent"] * 3
    ended = released(plane, "ledger")
    assert ended["phase"] == "certified"
    assert plane.service("ledger")["groups"][0]["weight_pct"] == 100
    assert len(plane.instances("ledger")) == 2
    assert plane.status()["ready"] == 2
    assert plane.rollouts(service="ledger")[0]["id"] == ended["id"]
    assert [one["version"] for one in plane.artifacts("ledger")] == ["1.0.0"]
    assert plane.verify_journal()["intact"]
    events = plane.journal(service="ledger", kind="rollout.phase")
    assert [event["body"]["to"] for event in events][-1] == "certified"
    assert events[0]["actor"] != "test", "the journal names the user at the other end of the socket"
    assert plane.graph("front")["levels"]["front"] == 1
    assert plane.impact("ledger")["direct"] == ["front"]
    assert set(plane.catalog()["services"]) == {"ledger", "risk", "front"}
    assert all(check["state"] == "ok" for check in plane.doctor())


def test_a_person_passes_the_gate(served: Served) -> None:
    plane = served.here
    released(plane, "risk")
    plane.build("risk", "2.0.0")
    plan = plane.plan("risk", "2.0.0")
    assert plan["strategy"] == "canary"
    started = plane.deploy("risk", "2.0.0", approve=plan["checksum"][:8])
    until(lambda: plane.rollout(started["id"])["phase"] == "paused")
    with pytest.raises(Refused):
        plane.resume("risk")
    plane.promote("risk", reason="looks good")
    until(lambda: plane.rollout(started["id"])["phase"] == "certified")
    back = plane.rollback("risk", reason="did not")
    assert until(lambda: (view := plane.rollout(back["id"])) and not view["active"] and view)["to_version"] == "1.0.0"


def test_errors_come_back_as_the_same_classes(served: Served) -> None:
    plane = served.here
    with pytest.raises(NotFound, match="no service 'ledgr'") as unknown:
        plane.service("ledgr")
    assert unknown.value.remedy == "did you mean ledger?"
    with pytest.raises(NotFound):
        plane.deploy("ledger", "9.9.9")
    with pytest.raises(BadInput):
        plane.build("ledger", "no version!")
    with pytest.raises(BadInput):
        plane.create_token("x", "emperor")
    released(plane, "ledger")
    plane.build("ledger", "2.0.0")
    with pytest.raises(UnsafePlan, match="moved"):
        plane.deploy("ledger", "2.0.0", approve="deadbeef")
    with pytest.raises(Refused):
        plane.scale("ledger", 1000)
    with pytest.raises(BackendError, match="no daemon answers"):
        RemotePlane(served.socket.with_name("nobody.sock")).services()
    assert not RemotePlane(served.socket.with_name("nobody.sock")).is_there()


def test_tokens_and_roles(served: Served) -> None:
    plane = served.here
    secret = plane.create_token("ci", "releaser")["secret"]
    assert secret
    assert [token["secret"] for token in plane.tokens()] == [None]
    with pytest.raises(Unauthorised):
        served.there("").services()
    with pytest.raises(Unauthorised):
        served.there("msxf_wrong").services()
    remote = served.there(secret)
    remote.build("ledger", "1.0.0")
    remote.deploy("ledger", "1.0.0")
    for forbidden in (lambda: remote.scale("ledger", 3), remote.tokens, lambda: remote.shutdown(), lambda: remote.build("ledger", "1.0.1", source="/etc")):
        with pytest.raises(Forbidden):
            forbidden()
    until(lambda: plane.journal(service="ledger", kind="rollout")[0]["actor"] == "ci")
    plane.remove_token("ci")
    with pytest.raises(Unauthorised):
        remote.services()
    short = plane.create_token("short", "viewer", ttl_s=0.05)["secret"]
    assert short
    until(lambda: _is_unauthorised(served.there(short)))
    assert secret not in json.dumps(plane.journal(limit=1000)), "no secret ever reaches the journal"


def _is_unauthorised(plane: RemotePlane) -> bool:
    try:
        plane.services()
    except Unauthorised:
        return True
    return False


def test_bad_bodies_change_nothing(served: Served) -> None:
    token = served.here.create_token("root", "admin")["secret"]
    auth = {"Authorization": f"Bearer {token}"}
    before = served.doors.journal.last(1)
    cases: list[tuple[str, str, Any, int]] = [
        ("POST", "/v1/rollouts", {"service": "ledger"}, 422),
        ("POST", "/v1/rollouts", {"service": "ledger", "version": "1", "colour": "red"}, 422),
        ("POST", "/v1/rollouts", b"{not json", 422),
        ("PUT", "/v1/services/ledger/target", {"count": "three"}, 422),
        ("PUT", "/v1/services/ledger/target", {"count": -1}, 422),
        ("PUT", "/v1/services/nobody/target", {"count": 1}, 404),
        ("GET", "/v1/services?limit=0", None, 422),
        ("GET", "/v1/events", None, 422),
        ("GET", "/v1/nothing", None, 404),
        ("PATCH", "/v1/services", None, 405),
        ("POST", "/v1/plans", b"x" * 1_000_001, 422),
    ]
    for method, path, body, wanted in cases:
        status, answer, headers = ask(served, method, path, body, **auth, **({"Last-Event-ID": "x"} if "events" in path else {}))
        assert status == wanted, (method, path, answer)
        assert headers["content-type"] == "application/problem+json"
        assert answer["code"]
        assert answer["title"]
        assert answer["remedy"]
    assert served.doors.journal.last(1) == before


def test_a_write_under_the_same_key_happens_once(served: Served) -> None:
    token = served.here.create_token("root", "admin")["secret"]
    auth = {"Authorization": f"Bearer {token}", "Idempotency-Key": "k1"}
    first = ask(served, "PUT", "/v1/services/ledger/target", {"count": 3, "reason": "load"}, **auth)
    again = ask(served, "PUT", "/v1/services/ledger/target", {"count": 3, "reason": "load"}, **auth)
    assert first[:2] == again[:2]
    assert again[2]["idempotency-replayed"] == "true"
    assert len(served.doors.journal.read(0, 100, kind="target.set")) == 1
    other = ask(served, "PUT", "/v1/services/ledger/target", {"count": 4}, **auth)
    assert other[0] == 422
    assert "Idempotency-Key" in other[1]["title"]
    elsewhere = ask(served, "PUT", "/v1/services/front/target", {"count": 3, "reason": "load"}, **auth)
    assert elsewhere[0] == 200, "a key belongs to its route"
    stranger = ask(served, "PUT", "/v1/services/ledger/target", {"count": 3, "reason": "load"}, Idempotency_Key="k1")
    assert stranger[0] == 401, "an answer that was kept is for its caller only"
    secret = ask(served, "POST", "/v1/tokens", {"name": "n", "role": "viewer"}, **auth)
    assert secret[0] == 201
    assert ask(served, "POST", "/v1/tokens", {"name": "n", "role": "viewer"}, **auth)[0] == 409, "answers with secrets are never kept"


def test_events_resume_by_number(served: Served) -> None:
    plane = served.here
    released(plane, "ledger")
    wanted = [event["seq"] for event in plane.journal(limit=1000)]
    seen: list[int] = []
    for event in plane.events(after=0):
        seen.append(event["seq"])
        if len(seen) == len(wanted) // 2:
            break
    for event in plane.events(after=seen[-1]):
        seen.append(event["seq"])
        if len(seen) == len(wanted):
            break
    assert seen == wanted


def test_events_come_as_they_happen_to_every_watcher(served: Served) -> None:
    plane, heard = served.here, [list[EventView]() for _ in range(5)]

    def listen(into: list[EventView]) -> None:
        for event in plane.events(after=0, service="ledger"):
            into.append(event)
            if event["kind"] == "target.set":
                return

    threads = [threading.Thread(target=listen, args=(into,), daemon=True) for into in heard]
    for thread in threads:
        thread.start()
    plane.scale("front", 3)
    plane.scale("ledger", 3, reason="more")
    for thread in threads:
        thread.join(10)
    assert all(events and events[-1]["kind"] == "target.set" and {event["service"] for event in events} == {"ledger"} for events in heard)


def test_lists_come_in_pages(served: Served) -> None:
    token = served.here.create_token("look", "viewer")["secret"]
    auth = {"Authorization": f"Bearer {token}"}
    first = ask(served, "GET", "/v1/services?limit=2", **auth)[1]
    rest = ask(served, "GET", f"/v1/services?limit=2&after={first['next']}", **auth)[1]
    assert [row["name"] for row in first["items"] + rest["items"]] == ["front", "ledger", "risk"]
    assert rest["next"] is None
    assert ask(served, "GET", "/v1/services?state=ok", **auth)[1]["items"] == []


def test_waiting_for_the_end(served: Served) -> None:
    token = served.here.create_token("ci", "releaser")["secret"]
    auth = {"Authorization": f"Bearer {token}"}
    served.here.build("ledger", "1.0.0")
    status, answer, _ = ask(served, "POST", "/v1/rollouts?wait=20", {"service": "ledger", "version": "1.0.0"}, **auth)
    assert (status, answer["phase"]) == (202, "certified")
    again = ask(served, "POST", f"/v1/rollouts/{answer['id']}/abort", {}, **auth)
    assert again[0] == 409
    assert "is over" in again[1]["title"]


def test_probes_and_figures(served: Served) -> None:
    token = served.here.create_token("look", "viewer")["secret"]
    assert ask(served, "GET", "/healthz")[0] == 200
    until(lambda: ask(served, "GET", "/readyz")[0] == 200)
    assert ask(served, "GET", "/metrics")[0] == 401
    assert "msxfctl_services 3" in ask(served, "GET", "/metrics", Authorization=f"Bearer {token}")[1]
    paths = ask(served, "GET", "/openapi.json")[1]["paths"]
    assert {"/v1/services", "/v1/rollouts", "/v1/events", "/v1/journal", "/v1/plans"} <= set(paths)


def test_shutdown_is_handed_on(served: Served) -> None:
    served.here.shutdown(instances=False)
    assert served.stopped == [False]
