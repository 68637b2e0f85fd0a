"""What the applicant sees and brings, and cases that move to another version of their flow: through the HTTP door."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from reference_apps.approval import commands, shelf
from reference_apps.approval.flow import reading
from reference_apps.approval.flow.model import Flow, Outcome
from reference_apps.approval.model import Judgement
from reference_apps.approval.published import BUNDLED
from tests.apps.approval_world import BODY, FLOWS, OFFER, Clock, Instance, Neighbours, chief, doubtful, silent, until

Ask = Callable[..., Awaitable[Any]]
TEXT = (BUNDLED / "loan.yaml").read_text()
SHOP = {"orders_12m": 3, "spend_12m_fen": 100_000}
CLOCK = Clock()


@pytest.fixture
def world(tmp_path: Path, ask: Ask) -> Callable[..., None]:
    """Run a story with one instance; `send` asks its app."""

    def run(story: Callable[..., Awaitable[None]], **more: Any) -> None:
        async def told() -> None:
            neighbours, CLOCK.ahead_ms = Neighbours(), 0
            one = await Instance(tmp_path, neighbours, clock=CLOCK, **more).started()
            token = chief(one.store)

            async def send(method: str, path: str, body: Any = None, key: str = "") -> Any:
                headers = token | ({"idempotency-key": key} if key else {})
                return await ask(one.app, method, f"/v1/applications{path}".replace("/applications/..", ""), body, headers)

            try:
                await story(send, neighbours, one)
            finally:
                await one.engine.stop()

        asyncio.run(told())

    return run


async def returned(one: Instance, case_id: str = "app-1", stage: str = "first_review") -> None:
    await one.engine.decided(case_id, stage, Judgement(person="ann", outcome=Outcome.RETURN))


def test_the_applicant_is_told_what_to_bring_and_the_case_goes_on_with_it(world: Callable[..., None]) -> None:
    async def story(send: Ask, neighbours: Neighbours, one: Instance) -> None:
        neighbours.scripts["risk"] = lambda _, body: (doubtful(_, body) if body["zhima_score"] < 800 else neighbours._risk(_, body))
        await send("POST", "", BODY, key="app-1")
        seen = (await send("GET", "/app-1/applicant")).body
        assert (seen["status"], seen["supplement"], seen["retry_on"], seen["loan_id"]) == ("with_reviewer", None, None, None)
        refused = await send("POST", "/app-1/supplements", {"evidence": {"zhima_score": 820}, "consent": True}, key="s-0")
        assert (refused.status, refused.body["code"]) == (409, "not_asked")
        await returned(one)
        asked = (await send("GET", "/app-1/applicant")).body
        assert (asked["status"], asked["said"]["zh"], asked["supplement"]["times_left"]) == ("needs_you", "需要您补充资料后才能继续。", 3)
        assert [each["field"] for each in asked["supplement"]["asks"]] == ["zhima_score", "pboc_record", "taobao", "jd", "document"]
        again = await send("POST", "/app-1/supplements", {"evidence": {"zhima_score": 790}, "consent": True}, key="s-1")
        assert (again.status, again.body["status"]) == (202, "with_reviewer")
        twice = await send("POST", "/app-1/supplements", {"evidence": {"zhima_score": 790}, "consent": True}, key="s-1")
        assert (twice.status, twice.body) == (202, again.body), "the same key again changes nothing"
        await returned(one)
        paid = await send("POST", "/app-1/supplements", {"evidence": {"zhima_score": 820}, "documents": ["doc-7"], "consent": True}, key="s-2")
        assert (paid.status, paid.body["status"], paid.body["loan_id"], paid.body["amount_fen"]) == (201, "paid", "LN0", 500_000)
        stands = (await one.engine.find("app-1")).application
        assert (stands["evidence"]["zhima_score"], stands["evidence"]["pboc_record"], stands["documents"]) == (820, "good", ["doc-7"])
        same = await send("POST", "", BODY, key="app-1")
        assert (same.status, same.body["loan_id"]) == (201, "LN0"), "the application as it was first sent is still this case"

    world(story)


def test_the_fourth_time_is_too_often_and_too_late_is_too_late(world: Callable[..., None]) -> None:
    async def story(send: Ask, neighbours: Neighbours, one: Instance) -> None:
        neighbours.scripts["risk"] = doubtful
        for case_id in ("app-1", "app-2"):
            await send("POST", "", BODY, key=case_id)
            await returned(one, case_id)
        for number in range(3):
            brought = await send("POST", "/app-1/supplements", {"evidence": {"jd": SHOP}, "consent": True}, key=f"s-{number}")
            assert brought.body["status"] == "with_reviewer"
            await returned(one)
        ended = (await send("GET", "/app-1/applicant")).body
        assert (ended["status"], ended["reasons"][0]["code"], ended["supplement"]) == ("declined", "supplements_exhausted", None)
        CLOCK.ahead_ms = 15 * 86_400_000
        await until(lambda: one.store.counts() == {"rejected": 2})
        late = (await send("GET", "/app-2/applicant")).body
        assert (late["status"], late["reasons"][0]["code"]) == ("declined", "supplement_expired")
        assert late["retry_on"] > late["updated_at"][:10], "a day to try again is named"

    world(story)


SUPPLEMENTS = {
    "nothing": ({"consent": True}, "brings nothing"),
    "no consent": ({"evidence": {"jd": SHOP}}, "consent: Field required"),
    "another name": ({"customer": {"name": "x"}, "consent": True}, "customer: Extra inputs"),
    "an absurd score": ({"evidence": {"zhima_score": 9_999}, "consent": True}, "evidence.zhima_score"),
}


@pytest.mark.parametrize("body, said", SUPPLEMENTS.values(), ids=SUPPLEMENTS)
def test_a_supplement_that_is_none_is_refused_and_counts_for_nothing(world: Callable[..., None], body: Any, said: str) -> None:
    async def story(send: Ask, neighbours: Neighbours, one: Instance) -> None:
        neighbours.scripts["risk"] = doubtful
        await send("POST", "", BODY, key="app-1")
        await returned(one)
        refused = await send("POST", "/app-1/supplements", body, key="s-1")
        assert (refused.status, said in refused.body["detail"]) == (422, True), refused.body
        assert (await send("GET", "/app-1/applicant")).body["supplement"]["times_left"] == 3

    world(story)


def test_what_fraud_and_the_services_say_stays_inside(world: Callable[..., None]) -> None:
    async def story(send: Ask, neighbours: Neighbours, one: Instance) -> None:
        verdicts = iter(["block", "review", "step-up"])
        neighbours.scripts["fraud"] = lambda *_: (200, {"verdict": next(verdicts), "reasons": [{"code": "ring_of_devices"}]})
        for number in range(3):
            await send("POST", "", BODY, key=f"app-{number}")
        neighbours.scripts = {"risk": silent}
        await send("POST", "", BODY, key="app-3")
        seen = [(await send("GET", f"/app-{number}/applicant")).body for number in range(4)]
        assert [each["status"] for each in seen] == ["declined", "with_reviewer", "with_reviewer", "in_progress"]
        assert [each["reasons"][0]["code"] for each in seen] == ["declined", "checking", "checking", "delayed"]
        assert seen[0]["retry_on"] is not None
        assert not [word for word in ("fraud", "ring", "silence", "block", "risk") if word in str(seen)]
        assert (await send("GET", "/nobody/applicant")).status == 404

    world(story)


def test_a_reason_that_time_does_not_heal_refers_to_people_instead_of_a_date(world: Callable[..., None]) -> None:
    async def story(send: Ask, neighbours: Neighbours, one: Instance) -> None:
        reason = {"code": "too_old", "en": "The applicant is older than 60.", "zh": "申请人超过60周岁。"}
        neighbours.scripts["risk"] = lambda *_: (200, {"outcome": "reject", "offer": None, "missing_evidence": [], "reasons": [reason]})
        await send("POST", "", BODY, key="app-1")
        seen = (await send("GET", "/app-1/applicant")).body
        assert (seen["status"], seen["reasons"], seen["retry_on"]) == ("declined", [reason], None)
        assert "advise" in seen["refer"]["en"]

    world(story)


def version(number: int, *changes: tuple[str, str]) -> Flow:
    text = TEXT.replace("version: 1", f"version: {number}")
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    return reading.read(text, f"v{number}")


PATIENT = version(2, ("sla_s: 14400", "sla_s: 28800"))
STRICT = version(
    3,
    ("edges: {pass: risk, manual: fraud_review", "edges: {pass: bureau, manual: fraud_review"),
    ("{pass: taobao, missing: trouble", "{pass: risk, missing: trouble"),
    ("        - {to: bureau, when: \"contains(missing, 'pboc_record')\", most: 1}\n", ""),
)


def publish(one: Instance, *flows: Flow) -> None:
    with one.store.write() as connection:
        for flow in flows:
            assert shelf.publish(connection, flow, CLOCK())


def test_a_case_keeps_its_version_and_moves_only_where_its_history_fits(world: Callable[..., None]) -> None:
    async def story(send: Ask, neighbours: Neighbours, one: Instance) -> None:
        neighbours.scripts["risk"] = doubtful
        await send("POST", "", BODY, key="app-1")
        publish(one, PATIENT)
        await until(lambda: one.engine.flows.newest == PATIENT)
        fresh = await send("POST", "", BODY, key="app-2")
        old = (await send("GET", "/app-1")).body
        assert (old["flow_version"]["version"], fresh.body["flow_version"]["version"]) == (1, 2)
        listed = (await send("GET", "/../flows")).body
        assert ([each["version"] for each in listed["items"]], listed["newest"]["hash"]) == ([1, 2], PATIENT.id.hash)
        moved = await send("POST", "/app-1/migrate", {})
        assert (moved.status, moved.body["flow_version"]["hash"], moved.body["stage"]) == (202, PATIENT.id.hash, "first_review")
        assert (await send("POST", "/app-1/migrate", {"version": 2})).body == moved.body, "there already"
        publish(one, STRICT)
        refused = await send("POST", "/app-1/migrate", {"version": 3})
        assert (refused.status, refused.body["code"]) == (409, "history")
        assert f"after fraud pass {STRICT.id} goes to bureau, and the case went to risk" in refused.body["detail"]
        assert (await send("POST", "/app-1/migrate", {"version": 9})).body["code"] == "flow_not_found"
        for person, stage in (("ann", "first_review"), ("bob", "recheck")):
            ended = await one.engine.decided("app-1", stage, Judgement(person=person, outcome=Outcome.APPROVE))
        assert ended.loan_id == "LN0", "it ends under the version that it was moved to"
        assert (await send("POST", "/app-1/migrate", {"version": 1})).body["code"] == "not_at_rest"
        kinds = [line["kind"] for line in (await send("GET", "/app-1")).body["history"]]
        assert kinds == ["received", "fraud_said", "risk_said", "migrated", "judged", "judged", "still_priced", "disbursed"]

    world(story)


def test_a_case_that_was_sent_back_by_hand_can_be_moved_and_the_command_says_so(world: Callable[..., None], tmp_path: Path, capsys: Any) -> None:
    async def story(send: Ask, neighbours: Neighbours, one: Instance) -> None:
        neighbours.scripts["risk"] = lambda *_: (
            200, {"outcome": "review", "offer": OFFER | {"flow": "extended"}, "missing_evidence": ["taobao"], "reasons": []},
        )  # fmt: skip
        await send("POST", "", BODY | {"evidence": {"zhima_score": 700, "jd": SHOP}}, key="app-1")
        neighbours.scripts["taobao-adapter"] = lambda *_: (200, SHOP)
        neighbours.scripts["risk"] = doubtful
        assert (await send("POST", "/app-1/resume")).body["stage"] == "first_review"
        publish(one, PATIENT, STRICT)

        def command(*argv: str) -> tuple[int, str]:
            code = commands.run(["--data", str(tmp_path), "case", "migrate", *argv])
            said = capsys.readouterr()
            return code, said.out + said.err

        assert command("app-1", "--to", "2") == (0, f"{PATIENT.id} accepts application app-1 at first_review; --yes moves it there\n")
        assert command("app-1", "--to", "3")[0] == 3
        assert command("app-1", "--to", "9")[0] == command("app-9")[0] == 4
        assert (await one.engine.find("app-1")).flow == FLOWS[0].id
        assert command("app-1", "--to", "2", "--yes") == (0, f"application app-1 is in {PATIENT.id} now, at first_review\n")
        stands = await one.engine.find("app-1")
        assert (stands.flow, stands.stage, stands.passed) == (PATIENT.id, "first_review", ("fraud", "taobao", "jd"))

    world(story, bureaus={"taobao": "taobao-adapter"})
