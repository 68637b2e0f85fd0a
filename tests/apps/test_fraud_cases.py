"""Fraud's cases: alerts of one ring in one case whatever came first, a pure function of the log, claimed and decided once, and what feedback brings about."""

import asyncio
import random
import subprocess
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reference_apps.approval import codec, web
from reference_apps.approval.desk import reading as approval_reading
from reference_apps.approval.flow import advance
from reference_apps.approval.flow.questions import fraud_question
from reference_apps.fraud.cases import queue, reading
from reference_apps.fraud.cases.book import Book
from reference_apps.fraud.cases.model import State, Told
from reference_apps.fraud.cases.queue import Wish
from reference_apps.fraud.keeping.log import Log
from reference_apps.fraud.keeping.people import Role
from reference_apps.fraud.model import Verdict
from reference_apps.fraud.notes import Claim, Decision, Note, Outcome, Release
from reference_apps.fraud.trying import history
from tests.apps.approval_world import BODY, FLOWS, Instance, Neighbours
from tests.apps.fraud_cases import Client, Clock, Step, check, farm, groups, opened, played, token_of, until

ROOT = Path(__file__).parents[2]
ACCOUNTS = [f"a{number}" for number in range(8)]
STEPS = st.lists(
    st.tuples(st.sampled_from(ACCOUNTS), st.lists(st.sampled_from(ACCOUNTS), max_size=2).map(tuple), st.sampled_from(Verdict)), max_size=25
).map(lambda found: [(f"e{number}", *each) for number, each in enumerate(found)])
"""Events with ids of their own."""


def components(steps: list[Step]) -> set[frozenset[str]]:
    """Return the alerts by ring, worked out the slow way: sets that grow until nothing changes."""
    rings = [{account, *linked} for _, account, linked, _ in steps]
    while True:
        joined: list[set[str]] = []
        for ring in rings:
            touched = [each for each in joined if each & ring]
            joined = [each for each in joined if not each & ring] + [set().union(ring, *touched)]
        if joined == rings:
            break
        rings = joined
    alerts = [(event_id, account) for event_id, account, _, verdict in steps if verdict >= Verdict.REVIEW]
    return {frozenset(event_id for event_id, account in alerts if account in ring) for ring in rings} - {frozenset()}


def whole_and_apart(book: Book) -> None:
    """Every alert is in exactly one case, and says which."""
    held = [(at, case.id) for case in book.kept.cases.values() for at in case.alerts]
    assert sorted(at for at, _ in held) == sorted(book.kept.alerts)
    assert all(book.kept.alerts[at].case == number for at, number in held)


@settings(max_examples=80)
@given(STEPS, st.randoms(use_true_random=False))
def test_the_order_in_which_links_and_alerts_come_never_changes_the_grouping(steps: list[Step], dice: random.Random) -> None:
    shuffled = dice.sample(steps, len(steps))
    assert groups(played(steps)) == groups(played(shuffled)) == components(steps)


def notes_of(numbers: list[int], dice: random.Random) -> list[tuple[int, Note]]:
    """Return things people might do about the cases of these positions."""
    found: list[tuple[int, Note]] = []
    for place, number in enumerate(numbers):
        told: dict[str, Any] = {"id": f"n{place}", "by": dice.choice(["li", "wang"]), "at_ms": place, "case": dice.randrange(1, 25)}
        kinds = (
            Claim(**told, until_ms=place + dice.randrange(1, 20)),
            Release(**told),
            Decision(**told, version=dice.randrange(1, 4), outcome=dice.choice(list(Outcome))),
        )
        found.append((number, dice.choice(kinds)))
    return found


@settings(max_examples=60)
@given(STEPS, st.lists(st.integers(0, 24), max_size=20), st.integers(0, 24), st.randoms(use_true_random=False))
def test_a_snapshot_and_the_rest_of_the_log_are_the_whole_log(steps: list[Step], at: list[int], cut: int, dice: random.Random) -> None:
    doings = notes_of(at, dice)
    once, again = Book(), Book()
    for book in (once, again):
        for place, step in enumerate(steps):
            position = 100 * (place + 1)
            played([step], book, position)
            for number, (_, note) in enumerate(each for each in doings if each[0] == place):
                book.note(position + number + 1, note)
            whole_and_apart(book)
            if book is again and place == cut:
                again.kept = reading.joined(reading.snapshot(again))
                again.__init__(again.kept)  # type: ignore[misc]
    assert reading.snapshot(once) == reading.snapshot(again)


def test_two_rings_that_become_one_put_the_younger_case_into_the_older() -> None:
    book = played([("e1", "a", (), Verdict.REVIEW), ("e2", "b", (), Verdict.BLOCK)])
    book.note(3, Claim(id="n1", by="li", at_ms=0, case=2, until_ms=1000))
    played([("e3", "c", ("a", "b"), Verdict.PASS)], book, 4)
    older, younger = book.kept.cases[1], book.kept.cases[2]
    assert (older.alerts, younger.alerts, younger.state, younger.into) == ([1, 2], [], State.MERGED, 1)
    assert (older.holder, older.version) == ("li", 2), "who was at work on the younger one holds both"
    assert book.find(2) is older


def test_a_decided_case_stays_as_it_is_and_its_ring_gets_a_new_one() -> None:
    book = played([("e1", "a", (), Verdict.REVIEW), ("e2", "b", (), Verdict.REVIEW)])
    book.note(3, Claim(id="n1", by="li", at_ms=0, case=1, until_ms=1000))
    book.note(4, Decision(id="n2", by="li", at_ms=1, case=1, version=1, outcome=Outcome.FALSE_ALARM))
    played([("e3", "a", ("b",), Verdict.REVIEW)], book, 5)
    assert groups(book) == {frozenset({"e1"}), frozenset({"e2", "e3"})}
    assert book.labels() == {"e1": False}
    assert book.kept.owed == {}


def test_alerts_that_name_one_phone_are_one_case_and_a_pass_opens_none() -> None:
    book = played([("e1", "a", (), Verdict.REVIEW), ("e2", "b", (), Verdict.STEP_UP), ("e3", "c", (), Verdict.REVIEW)], phone="shared")
    assert groups(book) == {frozenset({"e1", "e3"})}


def test_what_comes_of_a_note_is_decided_by_what_stands_before_it() -> None:
    book = played([("e1", "a", (), Verdict.REVIEW)])
    no, yes = Outcome.INCONCLUSIVE, Outcome.CONFIRMED
    doings: list[tuple[Note, Told]] = [
        (Claim(id="1", by="li", at_ms=0, case=7, until_ms=9), Told.UNKNOWN),
        (Decision(id="2", by="li", at_ms=0, case=1, version=1, outcome=no), Told.UNCLAIMED),
        (Claim(id="3", by="li", at_ms=0, case=1, until_ms=100), Told.DONE),
        (Claim(id="4", by="wang", at_ms=50, case=1, until_ms=150), Told.HELD),
        (Release(id="5", by="wang", at_ms=50, case=1), Told.HELD),
        (Claim(id="6", by="wang", at_ms=100, case=1, until_ms=200), Told.DONE),
        (Decision(id="7", by="li", at_ms=101, case=1, version=1, outcome=no), Told.HELD),
        (Decision(id="8", by="wang", at_ms=101, case=1, version=2, outcome=yes), Told.STALE),
        (Decision(id="9", by="wang", at_ms=102, case=1, version=1, outcome=yes), Told.DONE),
        (Decision(id="10", by="wang", at_ms=103, case=1, version=1, outcome=yes), Told.UNCHANGED),
        (Decision(id="11", by="wang", at_ms=104, case=1, version=1, outcome=no), Told.DECIDED),
        (Release(id="12", by="wang", at_ms=105, case=1), Told.DECIDED),
    ]
    for position, (note, expected) in enumerate(doings, 2):
        book.note(position, note)
        assert book.kept.told[note.id] is expected, note
    assert [entry.value for entry in book.kept.owed.values()] == ["a"]


@settings(max_examples=40)
@given(STEPS, st.integers(1, 4), st.booleans())
def test_pages_show_every_case_once_in_order(steps: list[Step], limit: int, severe: bool) -> None:
    book, after, seen = played(steps), (), list[int]()
    while True:
        found, place = queue.page(book, Wish(limit=limit, after=after, severe=severe))
        seen += [case.id for case in found]
        if place is None:
            break
        after = place
    opened_cases = [case for case in book.kept.cases.values() if case.state is State.OPEN]
    assert seen == [case.id for case in sorted(opened_cases, key=lambda case: queue.place_of(book, case, severe))]


def run(work: Coroutine[Any, Any, None]) -> None:
    asyncio.run(work)


def test_from_an_alert_to_the_block_list(tmp_path: Path) -> None:
    async def story() -> None:
        async with opened(tmp_path) as app:
            li, wang = Client(app, token_of(app, "li")), Client(app, token_of(app, "wang"))
            answers = await farm(li, "farm", ["a", "b", "c", "d"])
            assert [each["verdict"] for each in answers] == ["pass", "pass", "review", "block"]
            assert "case" not in answers[0]
            name = answers[2]["case"]
            listed = await until(lambda: li.get("/v1/cases"), lambda each: each["items"] and each["items"][0]["alert_count"] == 2)
            assert [(each["id"], each["accounts"], each["amount_at_risk_fen"], each["verdict"]) for each in listed["items"]] == [(name, 2, 100_000, "block")]
            assert (await li.get(f"/v1/cases/{answers[3]['case']}"))["id"] == name, "an alert's name finds the case that has it"
            held = await li.post(f"/v1/cases/{name}/claim", {})
            assert (held["status"], held["claimed_by"]) == (200, "li")
            refused = await wang.post(f"/v1/cases/{name}/claim", {})
            assert (refused["status"], refused["code"]) == (409, "held")
            assert (await wang.post(f"/v1/cases/{name}/claim", {"over": True}))["status"] == 403
            stale = await li.post(f"/v1/cases/{name}/decide", {"version": 1, "outcome": "confirmed_fraud"})
            assert (stale["status"], stale["code"]) == (409, "stale")
            decision = {"version": held["version"], "outcome": "confirmed_fraud", "note": "one device", "request_id": "click-0001"}
            first, second = await asyncio.gather(*(li.post(f"/v1/cases/{name}/decide", decision) for _ in range(2)))
            assert first == second
            assert (first["state"], first["outcome"], first["decided_by"]) == ("decided", "confirmed_fraud", "li")
            lists = await until(lambda: li.get("/v1/lists"), lambda each: len(each["items"]) == 2)
            assert [(each["value"], each["list"]) for each in lists["items"]] == [("c", "block"), ("d", "block")]
            table = history.run(tmp_path, history.Wish())
            said = {each["id"]: (each["alerts"], each["precision"]["n"]) for each in table["rules"]}
            assert (table["labelled"], said["device_farm"]) == ({"fraud": 2, "honest": 0}, (2, 2)), "the feedback is what rules are held against"
            near = await li.post("/v1/checks", check("e", "farm"))
            graph = (await li.get(f"/v1/checks/{near['event_id']}"))["graph"]
            assert graph["bad_near"] == 2, "the feedback is what the graph takes as bad"

    run(story())


def test_two_instances_say_the_same_and_a_restart_forgets_nothing(tmp_path: Path) -> None:
    async def story() -> None:
        clock = Clock()
        async with opened(tmp_path, "fraud-1", clock) as one, opened(tmp_path, "fraud-2", clock) as two:
            token = token_of(one, "li")
            here, there = Client(one, token), Client(two, token)
            name = (await farm(here, "d1", ["a", "b", "c"]))[2]["case"]
            await until(lambda: there.get(f"/v1/cases/{name}"), lambda each: each["status"] == 200)
            claims = await asyncio.gather(here.post(f"/v1/cases/{name}/claim", {}), Client(two, token_of(two, "wang")).post(f"/v1/cases/{name}/claim", {}))
            assert sorted(each["status"] for each in claims) == [200, 409]
            assert await here.get(f"/v1/cases/{name}") == await there.get(f"/v1/cases/{name}")
            clock.go(minutes=31)
            assert (await there.get("/v1/cases"))["items"][0]["claimed_by"] is None, "a lease ends by itself"
            before = await there.get(f"/v1/cases/{name}")
        assert reading.path_of(tmp_path).exists()
        log = Log(tmp_path, "look")
        assert reading.snapshot(reading.whole(log)) == reading.snapshot(reading.restored(tmp_path))
        log.close()
        reading.path_of(tmp_path).write_bytes(b"torn")
        async with opened(tmp_path, "fraud-1", clock) as again:
            assert await Client(again, token).get(f"/v1/cases/{name}") == before

    run(story())


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "said"),
    [
        ("GET", "/v1/cases?order=newest", None, 422, "order"),
        ("GET", "/v1/cases?model=astrology", None, 422, "astrology"),
        ("GET", "/v1/cases?after=1_2_3", None, 422, "no place in the order"),
        ("GET", "/v1/cases?after=x;--", None, 422, "after"),
        ("GET", "/v1/cases?limit=0", None, 422, "limit"),
        ("GET", "/v1/cases/case-99", None, 404, "case-99"),
        ("GET", "/v1/cases/case-0", None, 422, "name"),
        ("POST", "/v1/cases/case-99/claim", {}, 404, "case-99"),
        ("POST", "/v1/cases/case-1/claim", {"by": "me"}, 422, "by"),
        ("POST", "/v1/cases/case-1/decide", {"version": "1", "outcome": "false_alarm"}, 422, "version"),
        ("POST", "/v1/cases/case-1/decide", {"version": 1, "outcome": "guilty"}, 422, "outcome"),
        ("POST", "/v1/cases/case-1/decide", {"version": 1, "outcome": "false_alarm", "note": "x" * 2001}, 422, "note"),
        ("POST", "/v1/cases/case-1/decide", {"version": 1, "outcome": "false_alarm", "request_id": "a b"}, 422, "request_id"),
    ],
)
def test_bad_input_is_named_and_changes_nothing(tmp_path: Path, method: str, path: str, body: Any, status: int, said: str) -> None:
    async def story() -> None:
        async with opened(tmp_path) as app:
            client = Client(app, token_of(app, "li"))
            answer = await (client.get(path) if method == "GET" else client.post(path, body))
            assert answer["status"] == status
            assert said in answer["detail"]
            assert app.desk.log.last() == 0

    run(story())


def test_nobody_sees_a_case_without_a_token_or_with_one_that_was_revoked(tmp_path: Path) -> None:
    async def story() -> None:
        async with opened(tmp_path) as app:
            token = token_of(app, "li", Role.SUPERVISOR)
            assert (await Client(app, "guess").get("/v1/cases"))["status"] == 401
            assert (await Client(app, token).get("/v1/cases"))["status"] == 200
            assert app.people.revoke("li")
            assert (await Client(app, token).get("/v1/cases"))["status"] == 401
            assert (await Client(app, token).post("/v1/cases/case-1/claim", {}))["code"] == "not_signed_in"

    run(story())


def test_killed_in_the_middle_no_decision_that_was_answered_is_lost(tmp_path: Path) -> None:
    decided: dict[str, tuple[str, int]] = {}
    dice = random.Random(8)
    for life in range(3):
        command = [sys.executable, "-m", "tests.apps.fraud_cases_crash", str(tmp_path), str(life)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(dice.randrange(4, 14))]
        process.kill()
        lines += process.stdout.read().splitlines(keepends=True)
        process.wait(10)
        for words in (line.split() for line in lines if line.endswith("\n") and line.startswith("decided")):
            assert words[2] == "200", words
            decided[words[1]] = words[3], int(words[4])
    assert decided

    async def story() -> None:
        async with opened(tmp_path) as app:
            while app.desk.follower.floor < app.desk.log.last() or app.cases.book.kept.owed:
                await asyncio.sleep(0.02)
                await app.cases.catch_up()
            cases = app.cases.book.kept.cases
            whole_and_apart(app.cases.book)
            for name, (outcome, alerts) in decided.items():
                found = cases[int(name.removeprefix("case-"))]
                assert (found.state, found.outcome, len(found.alerts)) == (State.DECIDED, outcome, alerts)
            confirmed = {app.cases.book.kept.alerts[at].account for case in cases.values() if case.outcome is Outcome.CONFIRMED for at in case.alerts}
            assert {entry.value for entry in app.desk.log.listings()} == confirmed, "also what was owed when it died"
            assert reading.snapshot(reading.whole(app.desk.log)) == reading.snapshot(app.cases.book), "snapshot and replay are the whole log"

    run(story())


def test_approval_names_the_case_that_fraud_answers_with(tmp_path: Path) -> None:
    """Both sides of the link: fraud's own answer to approval's own question, shown to the reviewer."""

    async def story() -> None:
        neighbours, body = Neighbours(), {**BODY, "device": "farm"}
        async with opened(tmp_path / "fraud") as app:
            client = Client(app, token_of(app, "li"))
            await farm(client, "farm", ["a", "b"])
            instance = await Instance(tmp_path / "approval", neighbours).started()
            asked = web.ApplicationBody.model_validate(body).model_dump(mode="json")
            question = fraud_question(advance.begun(FLOWS[0], "app-1", asked, 1))
            answer = await client.post("/v1/checks", question)
            neighbours.scripts["fraud"] = lambda *_: (200, answer)
            case = await instance.engine.submit("app-1", asked, "hash")
            await instance.engine.stop()
            shown = {each.name: each.pulled for each in approval_reading.case_file(case, ()).evidence}
            assert (answer["verdict"], shown["Case at the fraud desk"]) == ("review", answer["case"])
            assert codec.decode(codec.encode(case)).evidence["fraud_case"] == answer["case"]
            linked = await until(lambda: client.get(f"/v1/cases/{answer['case']}"), lambda each: each["status"] == 200)
            assert linked["applications"] == ["app-1"]

    run(story())
