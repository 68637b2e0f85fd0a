"""Fraud: more bad signs are never judged milder, lists, one answer for an event, bad input named."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reference_apps.fraud.door import callers, web
from reference_apps.fraud.features.graph import Ties
from reference_apps.fraud.features.shard import Shard
from reference_apps.fraud.features.spec import NOTHING
from reference_apps.fraud.keeping.people import People, Person, Role
from reference_apps.fraud.model import Event, Family, Judgement, Listing, ListKind, Verdict
from reference_apps.fraud.models.all import MODELS, NAMES
from reference_apps.fraud.models.scoring import Look
from reference_apps.fraud.policy import policy
from reference_apps.fraud.policy.judge import judge
from reference_apps.fraud.policy.lists import Lists
from reference_apps.fraud.serving.desk import Desk
from tests.apps.fraud_work import BEGIN_MS, event

NOON = datetime(2025, 3, 1, 12, tzinfo=UTC)
POLICY = policy.load()
Ask = Callable[..., Awaitable[Any]]


def judged(current: Event, before: Sequence[Event], listings: Sequence[Listing] = ()) -> Judgement:
    """Judge an event that comes after others, with the lists as they stand then."""
    shard = Shard()
    for position, each in enumerate(before, 1):
        shard.apply(position, each)
    late_ms = shard.late_ms(current)
    known = shard.apply(len(before) + 1, current)
    figures = tuple(NOTHING if found is None else found for found in known.figures)
    return judge(POLICY, Look(current, figures, known.ties or Ties()), Lists(listings).in_force(current), late_ms)


def test_an_ordinary_first_application_passes() -> None:
    made = judged(event(1, contacts=("mother",)), [])
    assert (made.verdict, made.reasons) == (Verdict.PASS, ())


def test_three_accounts_on_one_device_are_reviewed_and_four_blocked() -> None:
    before = [event(number, device="d") for number in range(3)]
    assert judged(event(8, device="d"), before[:1]).verdict is Verdict.PASS
    assert judged(event(8, device="d"), before[:2]).verdict is Verdict.REVIEW
    made = judged(event(8, device="d"), before)
    assert (made.verdict, made.reasons[0].code) == (Verdict.BLOCK, "device_farm")
    assert "4 accounts on this device in 24 h; 4 phones" in made.reasons[0].text.replace("; 4 accounts on this device in 1 h", "")


def test_many_applications_of_one_account_are_stepped_up_reviewed_blocked() -> None:
    before = [event(number, account="a") for number in range(9)]
    verdicts = [judged(event(99, account="a"), before[:count]).verdict for count in (0, 2, 3, 4, 6)]
    assert verdicts == [Verdict.PASS, Verdict.PASS, Verdict.STEP_UP, Verdict.REVIEW, Verdict.BLOCK]


def test_shared_contacts_are_a_ring() -> None:
    before = [event(number, contacts=("boss", f"c{number}")) for number in range(4)]
    made = judged(event(9, contacts=("boss",)), before)
    assert (made.verdict, made.reasons[0].code) == (Verdict.REVIEW, "ring")


def test_a_burst_is_blocked_whoever_it_is() -> None:
    white = Listing(kind=ListKind.WHITE, family=Family.ACCOUNT, value="a", from_ms=BEGIN_MS, until_ms=BEGIN_MS + 10, reason="staff")
    made = judged(event(99, account="a", kind="login"), [event(number, account="a", kind="login") for number in range(19)], [white])
    assert made.verdict is Verdict.BLOCK
    assert "burst_account" in [reason.code for reason in made.reasons]


@pytest.mark.parametrize("missing", ["device", "phone"])
def test_a_missing_required_input_is_never_less_than_step_up(missing: str) -> None:
    white = Listing(kind=ListKind.WHITE, family=Family.ACCOUNT, value="a1", from_ms=BEGIN_MS, until_ms=BEGIN_MS + 10, reason="staff")
    for listings in ([], [white]):
        made = judged(event(1, **{missing: ""}), [], listings)
        assert made.verdict is Verdict.STEP_UP
        assert made.probabilities[NAMES.index("device_cluster" if missing == "device" else "application_velocity")] is None
        assert [each.code for each in made.reasons] == [f"no_score_{'device_cluster' if missing == 'device' else 'application_velocity'}"]


def test_lists_block_over_grey_over_white_and_end_with_their_time() -> None:
    def listed(kind: ListKind, until_ms: int = BEGIN_MS + 10) -> Listing:
        return Listing(kind=kind, family=Family.DEVICE, value="d1", from_ms=BEGIN_MS, until_ms=until_ms, reason="seen before")

    block, grey, white = (listed(kind) for kind in (ListKind.BLOCK, ListKind.GREY, ListKind.WHITE))
    assert judged(event(1), [], [grey]).verdict is Verdict.REVIEW
    assert judged(event(1), [], [white, grey]).verdict is Verdict.PASS
    assert judged(event(1), [], [white, grey, block]).verdict is Verdict.BLOCK
    assert judged(event(1, at_ms=BEGIN_MS + 10), [], [block]).verdict is Verdict.PASS, "until is the first moment without it"
    assert judged(event(2), [], [block]).verdict is Verdict.PASS, "another device"
    stepped = [event(number, account="a1") for number in range(3)]
    assert (judged(event(1), stepped).verdict, judged(event(1), stepped, [white]).verdict) == (Verdict.STEP_UP, Verdict.PASS)
    reviewed = [event(number, account="a1") for number in range(4)]
    assert judged(event(1), reviewed, [white]).verdict is Verdict.REVIEW, "white lifts no review"


events = st.builds(
    lambda number, minutes, keys, contacts, kind: event(number, BEGIN_MS + minutes * 60_000, contacts=tuple(contacts), kind=kind, **keys),
    st.integers(0, 10**6),
    st.integers(0, 1_400),
    st.fixed_dictionaries(
        {
            "account": st.sampled_from("ab"),
            "device": st.sampled_from(("", "d", "e")),
            "phone": st.sampled_from(("", "p", "q")),
            "amount_fen": st.integers(0, 500),
        }
    ),
    st.lists(st.sampled_from("xyz"), unique=True, max_size=2),
    st.sampled_from(("application", "application", "login")),
)


@settings(deadline=None, max_examples=60)
@given(st.lists(events, max_size=30), events)
def test_more_of_the_past_is_never_judged_milder(before: list[Event], current: Event) -> None:
    verdicts = [judged(current, before[:count]).verdict for count in range(len(before) + 1)]
    assert verdicts == sorted(verdicts)
    made = judged(current, before)
    assert made == judged(current, before), "the same past, the same judgement"
    assert all(each is None or 0 <= each <= 1_000_000 for each in made.probabilities)
    assert len(made.reasons) <= 5
    assert len(MODELS) == len(set(NAMES)) == 11


CHECK = {"event_id": "e1", "account": "mike", "device": "phone of mike", "phone": "13800000001", "contacts": ["mother"], "amount_fen": 500_000}


class Place:
    """One instance over a folder, in a loop of its own."""

    def __init__(self, folder: Path, ask: Ask, at: datetime = NOON) -> None:
        self._runner = asyncio.Runner()
        self._ask = ask
        self.at, self.is_closed = at, False
        self.desk = Desk(folder, "fraud-1", POLICY)
        self.people = People(folder)
        self.token = self.people.add(Person(id=f"li-{len(self.people.everybody())}", name="Li", role=Role.ANALYST)) or ""
        self.app = web.build(self.desk, lambda: self.at, lambda app: web.add_lists(app, self.desk, lambda: self.at, callers.knock(self.people)))
        self.run(self.desk.open())

    def __call__(self, method: str, path: str, body: Any = None) -> Any:
        return self.run(self._ask(self.app, method, path, body, {"authorization": f"Bearer {self.token}"}))

    def run(self, work: Coroutine[Any, Any, Any] | Awaitable[Any]) -> Any:
        return self._runner.run(work)  # type: ignore[arg-type]

    def close(self) -> None:
        if not self.is_closed:
            self.run(self.desk.close())
            self.people.close()
            self._runner.close()
        self.is_closed = True


@pytest.fixture
def send(tmp_path: Path, ask: Ask) -> Iterator[Place]:
    place = Place(tmp_path, ask)
    yield place
    place.close()


def counts(send: Place, event_id: str, family: str = "account") -> list[int]:
    """Ask for what a judgement was made of."""
    return [each["count"] for each in send("GET", f"/v1/checks/{event_id}").body["windows"] if each["family"] == family]


def test_an_event_is_judged_once_and_the_answer_kept(send: Place, tmp_path: Path, ask: Ask) -> None:
    first = send("POST", "/v1/checks", CHECK)
    assert (first.status, first.body["verdict"], first.body["at"]) == (200, "pass", "2025-03-01T12:00:00.000+00:00")
    send.at += timedelta(seconds=20)
    assert send("POST", "/v1/checks", CHECK).body == first.body, "asking again counts once"
    other = send("POST", "/v1/checks", CHECK | {"amount_fen": 1})
    assert (other.status, other.body["code"]) == (422, "event_id_reused")
    second = send("POST", "/v1/checks", CHECK | {"event_id": "e2"})
    assert counts(send, "e2") == [2] * 6
    send.close()
    again = Place(tmp_path, ask, NOON + timedelta(minutes=1))
    again("POST", "/v1/checks", CHECK | {"event_id": "e3"})
    assert counts(again, "e3") == [2, 3, 3, 3, 3, 3], "what is known is read from the log"
    whole = again("GET", "/v1/checks/e2").body
    assert whole | second.body == whole, "asked for later it says the same, and what it was made of"
    assert {each["model"]: each["probability"] for each in whole["models"]} == second.body["probabilities"]
    assert again("POST", "/v1/checks", CHECK).body == first.body
    assert again("GET", "/v1/checks/nobody").status == 404
    page = again("GET", "/v1/checks?limit=2").body
    assert [each["event_id"] for each in page["items"] + again("GET", f"/v1/checks?after={page['next']}").body["items"]] == ["e1", "e2", "e3"]
    again.close()


def test_many_at_once_share_a_commit_and_one_id_is_one_event(send: Place, ask: Ask) -> None:
    async def all_at_once() -> list[Any]:
        return await asyncio.gather(*(ask(send.app, "POST", "/v1/checks", CHECK | {"event_id": f"e{number % 10}"}) for number in range(40)))

    answers = send.run(all_at_once())
    assert {answer.status for answer in answers} == {200}
    assert sorted(answer.body["position"] for answer in answers) == sorted([*range(1, 11)] * 4)
    assert sorted(counts(send, f"e{number}")[0] for number in range(10)) == list(range(1, 11)), "each saw exactly those that stand before it"


def test_lists_over_http(send: Place) -> None:
    entry = {"list": "block", "family": "device", "value": "phone of mike", "ttl_s": 60, "reason": "stolen"}
    made = send("POST", "/v1/lists", entry)
    assert (made.status, made.body["until"]) == (201, "2025-03-01T12:01:00.000+00:00")
    blocked = send("POST", "/v1/checks", CHECK).body
    assert (blocked["verdict"], blocked["reasons"][0]["text"]) == ("block", "the device is on the block list: stolen, by li-0")
    assert send("POST", "/v1/lists", entry | {"ttl_s": 0}).status == 201
    assert send("POST", "/v1/checks", CHECK | {"event_id": "e2"}).body["verdict"] == "pass", "the newest entry is the one in force"
    assert [each["id"] for each in send("GET", "/v1/lists?limit=1").body["items"]] == [1]


def test_lists_are_for_people_only_and_events_for_whoever_has_them(send: Place) -> None:
    token, send.token = send.token, "guess"
    entry = {"list": "white", "family": "account", "value": "mike", "ttl_s": 60, "reason": "friend"}
    for refused in (send("POST", "/v1/lists", entry), send("GET", "/v1/lists")):
        assert (refused.status, refused.body["code"], refused.headers["content-type"]) == (401, "not_signed_in", "application/problem+json")
    assert send("POST", "/v1/checks", CHECK).status == 200
    send.token = token
    assert send("GET", "/v1/lists").body["items"] == []


@pytest.mark.parametrize(
    "path, body, named",
    [
        ("/v1/checks", b"[", "body"),
        ("/v1/checks", {"account": "a"}, "event_id: Object missing required field"),
        ("/v1/checks", CHECK | {"account": ""}, "account"),
        ("/v1/checks", CHECK | {"kind": "dance"}, "kind"),
        ("/v1/checks", CHECK | {"amount_fen": -1}, "amount_fen"),
        ("/v1/checks", CHECK | {"at": "2025-03-01T12:00:00"}, "at: Expected `datetime` with a timezone component"),
        ("/v1/checks", CHECK | {"at": "2025-03-01T12:05:01Z"}, "lies in the future"),
        ("/v1/checks", CHECK | {"at": "0001-01-01T00:00:00+14:00"}, "lies before 2000-01-01"),
        ("/v1/checks", CHECK | {"contacts": ["c"] * 21}, "contacts"),
        ("/v1/checks", CHECK | {"contacts": [""]}, "contacts[0]: Expected `str` of length >= 1"),
        ("/v1/checks", CHECK | {"amount_fen": "12"}, 'amount_fen: Expected `int`, got `str`; found "12"'),
        ("/v1/checks", CHECK | {"face_score": 1.5}, "face_score: Expected `float` <= 1.0; found 1.5"),
        ("/v1/checks", CHECK | {"proxy": 1}, "proxy: Expected `bool | null`, got `int`; found 1"),
        ("/v1/checks", CHECK | {"ip": "300.1.1.1"}, "ip: '300.1.1.1' is no IP address"),
        ("/v1/checks", [CHECK], "body: Expected `object`, got `array`"),
        ("/v1/checks", b'{"event_id": "\xff"}', "body: it is no JSON object"),
        ("/v1/checks", CHECK | {"colour": "red"}, "colour: Object contains unknown field"),
        ("/v1/lists", {"list": "pink", "family": "device", "value": "d", "ttl_s": 1, "reason": "r"}, "list"),
        ("/v1/lists", {"list": "block", "family": "device", "value": "d", "ttl_s": -1, "reason": "r"}, "ttl_s"),
        ("/v1/lists", {"list": "block", "family": "shoe", "value": "d", "ttl_s": 1, "reason": "r"}, "family"),
    ],
)
def test_bad_input_is_named_and_logs_nothing(send: Place, path: str, body: Any, named: str) -> None:
    refused = send("POST", path, body)
    assert (refused.status, refused.headers["content-type"]) == (422, "application/problem+json")
    assert named in refused.body["detail"], refused.body
    assert send("GET", "/v1/checks").body["items"] == send("GET", "/v1/lists").body["items"] == []
