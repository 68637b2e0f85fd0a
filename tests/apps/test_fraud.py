"""Fraud: windows equal brute force, more bad signs are never judged milder, lists, one log for several instances, bad input named."""

import asyncio
import json
import subprocess
import sys
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reference_apps.fraud import models, web, windows
from reference_apps.fraud.judge import judge
from reference_apps.fraud.log import EventLog
from reference_apps.fraud.model import Event, Family, Judgement, Listing, ListKind, Verdict, Window
from reference_apps.fraud.models import Traits

ROOT = Path(__file__).parents[2]
NOON = datetime(2025, 3, 1, 12, tzinfo=UTC)
HOUR_MS, DAY_MS = 3_600_000, 86_400_000
Ask = Callable[..., Awaitable[Any]]


def event(number: int, at_ms: int = 0, **fields: Any) -> Event:
    given = {"id": f"e{number}", "kind": "application", "at_ms": at_ms, "account": f"a{number}", "device": f"d{number}", "phone": f"p{number}"}
    return Event(**(given | fields))


def counts(current: Event, before: Sequence[Event], family: Family = Family.ACCOUNT) -> list[int]:
    return [windows.measure(current, before)[family, length].count for length in windows.LENGTHS_MS]


def test_the_documented_example() -> None:
    events = [event(number, at_ms, account="a") for number, at_ms in enumerate((0, 30_000, 60_000))]
    assert counts(events[2], events[:2])[0] == 2, "at 60 s the event of second 0 is out: (t - w, t]"
    assert counts(event(9, 60_000, account="a"), [event(8, 60_000, account="a")])[0] == 2, "an event of the same moment that stands before counts"
    assert counts(event(9, 30_000, account="a"), [event(8, 30_001, account="a")])[0] == 1, "what happened later does not, although it stands before"


events = st.builds(
    lambda number, minutes, keys, amount, contacts, kind: event(
        number, minutes * 60_000, account=keys[0], device=keys[1], phone=keys[2], amount_fen=amount, contacts=tuple(contacts), kind=kind
    ),
    st.integers(0, 10**6),
    st.one_of(st.integers(0, 5), st.integers(0, 120), st.integers(0, 3_000)),
    st.tuples(st.sampled_from("ab"), st.sampled_from(("", "d", "e")), st.sampled_from(("", "p", "q"))),
    st.integers(0, 500),
    st.lists(st.sampled_from("xyz"), unique=True, max_size=2),
    st.sampled_from(("application", "application", "login")),
)


def brute_force(current: Event, before: Sequence[Event], family: Family, length_ms: int) -> Window:
    held = [
        each
        for each in before
        if each.kind == current.kind and each.key(family) == current.key(family) and current.at_ms - length_ms < each.at_ms and each.at_ms <= current.at_ms
    ] + [current]
    distinct = [len({each.key(by) for each in held if each.key(by)}) for by in Family]
    return Window(len(held), sum(each.amount_fen for each in held), *distinct)


@settings(deadline=None, max_examples=40)
@given(st.lists(events, min_size=1, max_size=40, unique_by=lambda each: each.id))
def test_what_the_log_serves_equals_brute_force_over_the_whole_log(tmp_path_factory: pytest.TempPathFactory, several: list[Event]) -> None:
    log = EventLog(tmp_path_factory.mktemp("log"))
    try:
        for place, current in enumerate(several):
            before = several[:place]
            said = log.check(current, as_measured)
            families = [family for family in Family if current.key(family)]
            assert said["windows"] == [asdict(brute_force(current, before, family, length)) for family in families for length in windows.LENGTHS_MS.values()]
            for place_of in range(0, 3 * len(families), 3):
                shortest, middle, longest = (window["count"] for window in said["windows"][place_of : place_of + 3])
                assert 1 <= shortest <= middle <= longest, "a longer window never counts less"
            others = {each.account for each in before if current.at_ms - DAY_MS < each.at_ms <= current.at_ms and set(each.contacts) & set(current.contacts)}
            assert said["sharing"] == len(others - {current.account})
        assert log.events() == several
    finally:
        log.close()


def as_measured(current: Event, related: Sequence[Event], _: Sequence[Listing]) -> dict[str, Any]:
    return {"windows": [asdict(window) for window in windows.measure(current, related).values()], "sharing": windows.sharing(current, related)}


def judged(current: Event, before: Sequence[Event], listings: Sequence[Listing] = ()) -> Judgement:
    return judge(Traits(current, windows.measure(current, before), windows.sharing(current, before)), listings)


def test_an_ordinary_first_application_passes() -> None:
    made = judged(event(1, contacts=("mother",)), [])
    assert (made.verdict, made.reasons) == (Verdict.PASS, ())


def test_three_accounts_on_one_device_are_reviewed_and_four_blocked() -> None:
    before = [event(number, device="d") for number in range(3)]
    assert judged(event(8, device="d"), before[:1]).verdict is Verdict.PASS
    assert judged(event(8, device="d"), before[:2]).verdict is Verdict.REVIEW
    made = judged(event(8, device="d"), before)
    assert (made.verdict, made.reasons[0].code) == (Verdict.BLOCK, "device_farm")
    assert "4 accounts and 4 phones" in made.reasons[0].text


def test_many_applications_of_one_account_are_stepped_up_reviewed_blocked() -> None:
    before = [event(number, account="a") for number in range(9)]
    verdicts = [judged(event(99, account="a"), before[:count]).verdict for count in (0, 2, 3, 4, 6)]
    assert verdicts == [Verdict.PASS, Verdict.PASS, Verdict.STEP_UP, Verdict.REVIEW, Verdict.BLOCK]


def test_shared_contacts_are_a_ring() -> None:
    before = [event(number, contacts=("boss", f"c{number}")) for number in range(4)]
    made = judged(event(9, contacts=("boss",)), before)
    assert (made.verdict, made.reasons[0].code) == (Verdict.REVIEW, "ring")


def test_a_burst_is_blocked_whoever_it_is() -> None:
    white = Listing(kind=ListKind.WHITE, family=Family.ACCOUNT, value="a", from_ms=0, until_ms=10, reason="staff")
    made = judged(event(99, account="a", kind="login"), [event(number, account="a", kind="login") for number in range(19)], [white])
    assert made.verdict is Verdict.BLOCK
    assert "burst_account" in [reason.code for reason in made.reasons]


@pytest.mark.parametrize("missing", ["device", "phone"])
def test_a_missing_required_input_is_never_less_than_step_up(missing: str) -> None:
    white = Listing(kind=ListKind.WHITE, family=Family.ACCOUNT, value="a1", from_ms=0, until_ms=10, reason="staff")
    for listings in ([], [white]):
        made = judged(event(1, **{missing: ""}), [], listings)
        assert made.verdict is Verdict.STEP_UP
        assert [each.model for each in made.models if each.probability is None] != []


def test_lists_block_over_grey_over_white_and_end_with_their_time() -> None:
    def listed(kind: ListKind, until_ms: int = 10) -> Listing:
        return Listing(kind=kind, family=Family.DEVICE, value="d1", from_ms=0, until_ms=until_ms, reason="seen before")

    block, grey, white = (listed(kind) for kind in (ListKind.BLOCK, ListKind.GREY, ListKind.WHITE))
    assert judged(event(1), [], [grey]).verdict is Verdict.REVIEW
    assert judged(event(1), [], [white, grey]).verdict is Verdict.PASS
    assert judged(event(1), [], [white, grey, block]).verdict is Verdict.BLOCK
    assert judged(event(1, at_ms=10), [], [block]).verdict is Verdict.PASS, "until is the first moment without it"
    assert judged(event(2), [], [block]).verdict is Verdict.PASS, "another device"
    stepped = [event(number, account="a1") for number in range(3)]
    assert (judged(event(1), stepped).verdict, judged(event(1), stepped, [white]).verdict) == (Verdict.STEP_UP, Verdict.PASS)
    reviewed = [event(number, account="a1") for number in range(4)]
    assert judged(event(1), reviewed, [white]).verdict is Verdict.REVIEW, "white lifts no review"


@settings(deadline=None, max_examples=100)
@given(st.lists(events, max_size=30), events)
def test_more_of_the_past_is_never_judged_milder(before: list[Event], current: Event) -> None:
    verdicts = [judged(current, before[:count]).verdict for count in range(len(before) + 1)]
    assert verdicts == sorted(verdicts)
    made = judged(current, before)
    assert made == judged(current, before), "the same past, the same judgement"
    assert all(each.probability is None or 0 <= each.probability <= 1 for each in made.models)
    assert len(made.reasons) <= 5
    assert {each.__name__ for each in models.MODELS} == set(models.MEDIAN) >= models.REQUIRED


CHECK = {"event_id": "e1", "account": "mike", "device": "phone of mike", "phone": "13800000001", "contacts": ["mother"], "amount_fen": 500_000}


@pytest.fixture
def send(tmp_path: Path, ask: Ask) -> Callable[..., Any]:
    log = EventLog(tmp_path)
    app = web.build(log, lambda: NOON)
    return lambda method, path, body=None: asyncio.run(ask(app, method, path, body))


def test_an_event_is_judged_once_and_the_answer_kept(send: Callable[..., Any], tmp_path: Path, ask: Ask) -> None:
    first = send("POST", "/v1/checks", CHECK)
    assert (first.status, first.body["verdict"], first.body["at"]) == (200, "pass", "2025-03-01T12:00:00.000+00:00")
    assert send("POST", "/v1/checks", CHECK).body == first.body, "asking again counts once"
    other = send("POST", "/v1/checks", CHECK | {"amount_fen": 1})
    assert (other.status, other.body["code"]) == (422, "event_id_reused")
    second = send("POST", "/v1/checks", CHECK | {"event_id": "e2"})
    assert [each["count"] for each in second.body["windows"] if each["family"] == "account"] == [2, 2, 2]
    restarted = web.build(EventLog(tmp_path), lambda: NOON + timedelta(minutes=1))
    third = asyncio.run(ask(restarted, "POST", "/v1/checks", CHECK | {"event_id": "e3"}))
    assert [each["count"] for each in third.body["windows"] if each["family"] == "account"] == [1, 3, 3], "what is known is read from the log"
    assert send("GET", "/v1/checks/e2").body == second.body
    assert send("GET", "/v1/checks/nobody").status == 404
    page = send("GET", "/v1/checks?limit=2").body
    assert [each["event_id"] for each in page["items"] + send("GET", f"/v1/checks?after={page['next']}").body["items"]] == ["e1", "e2", "e3"]


def test_lists_over_http(send: Callable[..., Any]) -> None:
    entry = {"list": "block", "family": "device", "value": "phone of mike", "ttl_s": 60, "reason": "stolen"}
    made = send("POST", "/v1/lists", entry)
    assert (made.status, made.body["until"]) == (201, "2025-03-01T12:01:00.000+00:00")
    blocked = send("POST", "/v1/checks", CHECK).body
    assert (blocked["verdict"], blocked["reasons"][0]["text"]) == ("block", "the device is on the block list: stolen")
    assert send("POST", "/v1/lists", entry | {"ttl_s": 0}).status == 201
    assert send("POST", "/v1/checks", CHECK | {"event_id": "e2"}).body["verdict"] == "pass", "the newest entry is the one in force"
    assert [each["id"] for each in send("GET", "/v1/lists?limit=1").body["items"]] == [1]


@pytest.mark.parametrize(
    "path, body, named",
    [
        ("/v1/checks", b"[", "body"),
        ("/v1/checks", {"account": "a"}, "event_id: Field required"),
        ("/v1/checks", CHECK | {"account": ""}, "account"),
        ("/v1/checks", CHECK | {"kind": "dance"}, "kind"),
        ("/v1/checks", CHECK | {"amount_fen": -1}, "amount_fen"),
        ("/v1/checks", CHECK | {"at": "2025-03-01T12:00:00"}, "at: Input should have timezone info"),
        ("/v1/checks", CHECK | {"at": "2025-03-01T12:05:01Z"}, "lies in the future"),
        ("/v1/checks", CHECK | {"at": "0001-01-01T00:00:00+14:00"}, "lies before 2000-01-01"),
        ("/v1/checks", CHECK | {"contacts": ["c"] * 21}, "contacts"),
        ("/v1/checks", CHECK | {"colour": "red"}, "colour: Extra inputs"),
        ("/v1/lists", {"list": "pink", "family": "device", "value": "d", "ttl_s": 1, "reason": "r"}, "list"),
        ("/v1/lists", {"list": "block", "family": "device", "value": "d", "ttl_s": -1, "reason": "r"}, "ttl_s"),
        ("/v1/lists", {"list": "block", "family": "shoe", "value": "d", "ttl_s": 1, "reason": "r"}, "family"),
    ],
)
def test_bad_input_is_named_and_logs_nothing(send: Callable[..., Any], path: str, body: Any, named: str) -> None:
    refused = send("POST", path, body)
    assert (refused.status, refused.headers["content-type"]) == (422, "application/problem+json")
    assert named in refused.body["detail"], refused.body
    assert send("GET", "/v1/checks").body["items"] == send("GET", "/v1/lists").body["items"] == []


INSTANCE = """
import sys
from pathlib import Path
from reference_apps.fraud.log import EventLog
from reference_apps.fraud.model import Event
from reference_apps.fraud.web import judged

log = EventLog(Path(sys.argv[1]))
for number in range(50):
    print(log.check(Event(id=f"{sys.argv[2]}-{number}", kind="login", at_ms=0, account="a"), judged)["windows"][0]["count"], flush=True)
"""


def test_instances_that_share_the_log_count_every_event_once(tmp_path: Path) -> None:
    argv = [sys.executable, "-c", INSTANCE, str(tmp_path)]
    instances = [subprocess.Popen([*argv, str(number)], stdout=subprocess.PIPE, text=True, cwd=ROOT) for number in range(3)]
    counted = [int(line) for instance in instances for line in instance.communicate(timeout=30)[0].split()]
    assert sorted(counted) == list(range(1, 151)), "each of the 150 events saw exactly those that stand before it"


def test_an_event_that_was_answered_is_logged_whatever_kills_the_instance(tmp_path: Path) -> None:
    instance = subprocess.Popen([sys.executable, "-c", INSTANCE, str(tmp_path), "x"], stdout=subprocess.PIPE, text=True, cwd=ROOT)
    assert instance.stdout is not None
    seen = [int(instance.stdout.readline()) for _ in range(30)]
    instance.kill()
    seen += [int(line) for line in instance.stdout.read().split()]
    instance.wait(10)
    log = EventLog(tmp_path)
    assert len(log.events()) in (len(seen), len(seen) + 1)
    assert json.dumps(log.find("x-29"))
    log.close()
