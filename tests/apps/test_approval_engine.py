"""Approval as instances over one store, with neighbours that answer, fall silent or talk nonsense: every case accounted for, none paid out twice."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ctl.kit.calls import Answer, NoAnswer
from reference_apps.approval import settings, views, web
from reference_apps.approval.engine import Engine, Rhythm, now_ms
from reference_apps.approval.flow import advance
from reference_apps.approval.flow.advance import Retry
from reference_apps.approval.model import Case
from reference_apps.approval.published import Published, bundled
from reference_apps.approval.services import Patience, Services
from reference_apps.approval.store import LEASE_MS, Known, Lost, Store, noted
from tests.apps.approval_world import chief

SHOP = {"orders_12m": 3, "spend_12m_fen": 100_000}
BODY: dict[str, Any] = {
    "customer": {"id": "mike", "name": "Mike", "age": 34, "phone": "13800000001"},
    "device": "phone of mike",
    "evidence": {"zhima_score": 780, "pboc_record": "good"},
    "consent": True,
}
FLOWS = bundled()
LOAN = FLOWS[0]
OFFER = {"limit_fen": 500_000, "annual_rate": "0.10", "flow": "fast", "grade": "A"}
Ask = Callable[..., Awaitable[Any]]
Script = Callable[[str, Any], Any]


class Neighbours:
    """Fraud, risk and ledger in one object. `scripts` replaces a service's answer; a script may return (status, body) or raise NoAnswer."""

    def __init__(self) -> None:
        self.scripts: dict[str, Script] = {}
        self.asked: Counter[str] = Counter()
        self.loans: dict[str, Any] = {}
        self.pause_s = 0.0

    async def get(self, service: str, path: str, *, timeout_s: float = 2.0, headers: Mapping[str, str] | None = None) -> Answer:
        return await self._answer(service, {"path": path}, headers)

    async def post(self, service: str, path: str, body: Any, *, timeout_s: float = 2.0, headers: Mapping[str, str] | None = None) -> Answer:
        return await self._answer(service, body, headers)

    async def _answer(self, service: str, body: Any, headers: Mapping[str, str] | None) -> Answer:
        self.asked[service] += 1
        await asyncio.sleep(self.pause_s)
        plain = {"fraud": self._fraud, "risk": self._risk, "ledger": self._ledger}.get(service, self._unknown)
        status, said = self.scripts.get(service, plain)((headers or {}).get("idempotency-key", ""), body)
        return Answer(status, said, {})

    def _fraud(self, _: str, body: Any) -> Any:
        return 200, {"verdict": "pass", "event_id": body["event_id"]}

    def _risk(self, _: str, body: Any) -> Any:
        return 200, {"outcome": "pass", "offer": OFFER, "missing_evidence": [], "reasons": []}

    def _ledger(self, key: str, body: Any) -> Any:
        loan = self.loans.setdefault(key, body | {"loan_id": f"LN{len(self.loans)}"})
        return 201, loan

    def _unknown(self, _: str, body: Any) -> Any:
        return 404, {"detail": "no such service"}


def silent(*_: Any) -> Any:
    raise NoAnswer("somebody", "silence")


class Instance:
    """One instance of approval over a shared folder."""

    def __init__(self, folder: Path, neighbours: Neighbours, name: str, bureaus: Mapping[str, str] | None = None) -> None:
        self.store = Store(folder, name, f"{name}#{id(self)}")
        services = Services(neighbours, Patience(), bureaus or {})
        rhythm = Rhythm(sweep_s=0.02, patience_s=8.0, farewell_s=1.0)
        self.engine = Engine(self.store, services, Retry(attempts=4, first_ms=20, longest_ms=40), rhythm, Published(self.store, "loan", FLOWS))
        self.app = web.build(self.engine, self.store)


@pytest.fixture
def world(tmp_path: Path, ask: Ask) -> Callable[..., None]:
    """Run a story with one instance and its neighbours; `send` asks the instance's app."""

    def run(story: Callable[..., Awaitable[None]], bureaus: Mapping[str, str] | None = None) -> None:
        async def told() -> None:
            neighbours = Neighbours()
            one = Instance(tmp_path, neighbours, "approval-1", bureaus)
            token = chief(one.store)

            async def send(method: str, path: str, body: Any = None, key: str = "") -> Any:
                return await ask(one.app, method, path, body, token | ({"idempotency-key": key} if key else {}))

            await one.engine.start()
            try:
                await story(send, neighbours, one)
            finally:
                await one.engine.stop()

        asyncio.run(told())

    return run


async def until(true: Callable[[], Awaitable[bool]], timeout_s: float = 8.0) -> None:
    async with asyncio.timeout(timeout_s):
        while not await true():
            await asyncio.sleep(0.01)


def test_an_application_and_its_history(world: Callable[..., None]) -> None:
    async def story(send: Ask, neighbours: Neighbours, one: Instance) -> None:
        made = await send("POST", "/v1/applications", BODY, key="app-1")
        assert (made.status, made.headers["location"]) == (201, "/v1/applications/app-1")
        assert (made.body["status"], made.body["loan_id"], made.body["amount_fen"], made.body["flow"]) == ("disbursed", "LN0", 500_000, "fast")
        assert neighbours.loans["disburse-app-1"]["annual_rate"] == "0.10"
        found = (await send("GET", "/v1/applications/app-1")).body
        assert [(line["kind"], line["stage"]) for line in found["history"]] == [
            ("received", "fraud"), ("fraud_said", "risk"), ("risk_said", "disburse"), ("disbursed", "done"),
        ]  # fmt: skip
        assert (await send("GET", "/v1/summary")).body == {
            "total": 1, "by_status": {"running": 0, "waiting": 0, "manual": 0, "rejected": 0, "disbursed": 1}, "open": 0, "accounted": True,
        }  # fmt: skip

    world(story)


def test_sent_again_and_again_it_is_one_case_and_one_loan(world: Callable[..., None]) -> None:
    async def story(send: Ask, neighbours: Neighbours, one: Instance) -> None:
        neighbours.pause_s = 0.02
        together = await asyncio.gather(*(send("POST", "/v1/applications", BODY, key="app-1") for _ in range(8)))
        assert {answer.status for answer in together} == {201}
        assert {answer.body["loan_id"] for answer in together} == {"LN0"}
        assert (await send("POST", "/v1/applications", BODY, key="app-1")).body == together[0].body
        other = await send("POST", "/v1/applications", BODY | {"periods": 6}, key="app-1")
        assert (other.status, other.body["code"]) == (422, "idempotency_key_reused")
        assert neighbours.asked == {"fraud": 1, "risk": 1, "ledger": 1}

    world(story)


TROUBLES: dict[str, Script] = {"silence": silent, "500": lambda *_: (500, None), "503": lambda *_: (503, {"detail": "away"}), "429": lambda *_: (429, None)}


@pytest.mark.parametrize("service", ["fraud", "risk", "ledger"])
@pytest.mark.parametrize("trouble", TROUBLES.values(), ids=TROUBLES)
def test_a_service_in_trouble_makes_the_case_wait_and_go_on_by_itself(world: Callable[..., None], service: str, trouble: Script) -> None:
    async def story(send: Ask, neighbours: Neighbours, one: Instance) -> None:
        neighbours.scripts[service] = trouble
        parked = await send("POST", "/v1/applications", BODY, key="app-1")
        assert (parked.status, parked.body["status"], parked.body["reasons"][0]["code"]) == (202, "waiting", f"{service}_unavailable")
        assert parked.body["retry_at"] is not None
        del neighbours.scripts[service]
        await until(lambda: _is(send, "app-1", "disbursed"))
        assert len(neighbours.loans) == 1

    world(story)


async def _is(send: Ask, case_id: str, status: str) -> bool:
    return bool((await send("GET", f"/v1/applications/{case_id}")).body["status"] == status)


def test_a_service_that_stays_away_hands_the_case_to_a_person_who_can_resume_it(world: Callable[..., None]) -> None:
    async def story(send: Ask, neighbours: Neighbours, one: Instance) -> None:
        neighbours.scripts["ledger"] = silent
        await send("POST", "/v1/applications", BODY, key="app-1")
        await until(lambda: _is(send, "app-1", "manual"))
        assert neighbours.asked["ledger"] == 4
        assert (await send("GET", "/v1/summary")).body["by_status"]["manual"] == 1
        del neighbours.scripts["ledger"]
        resumed = await send("POST", "/v1/applications/app-1/resume")
        assert (resumed.status, resumed.body["status"]) == (201, "disbursed")
        assert (await send("POST", "/v1/applications/app-1/resume")).body["loan_id"] == "LN0", "resuming what is done changes nothing"

    world(story)


def test_a_payout_whose_answer_got_lost_is_not_paid_twice(world: Callable[..., None]) -> None:
    async def story(send: Ask, neighbours: Neighbours, one: Instance) -> None:
        def lost(key: str, body: Any) -> Any:
            neighbours.loans.setdefault(key, body | {"loan_id": "LN-first"})
            raise NoAnswer("ledger", "the connection broke")

        neighbours.scripts["ledger"] = lost
        assert (await send("POST", "/v1/applications", BODY, key="app-1")).body["status"] == "waiting"
        del neighbours.scripts["ledger"]
        await until(lambda: _is(send, "app-1", "disbursed"))
        assert [loan["loan_id"] for loan in neighbours.loans.values()] == ["LN-first"]

    world(story)


NONSENSE = {
    "fraud says yes": ("fraud", (200, {"verdict": "yes"})),
    "fraud says nothing": ("fraud", (200, None)),
    "risk says a text": ("risk", (200, "fine")),
    "risk passes without saying what it misses": ("risk", (200, {"outcome": "pass", "offer": OFFER, "reasons": []})),
    "risk offers a rate of a thousand": ("risk", (200, {"outcome": "pass", "offer": OFFER | {"annual_rate": "1000"}, "missing_evidence": [], "reasons": []})),
    "risk offers half a fen": ("risk", (200, {"outcome": "pass", "offer": OFFER | {"limit_fen": 0.5}, "missing_evidence": [], "reasons": []})),
    "risk refuses the question": ("risk", (422, {"detail": "age: must be a number"})),
    "the ledger pays another amount": ("ledger", (201, {"loan_id": "LN9", "principal_fen": 1})),
    "the ledger names no loan": ("ledger", (201, {"principal_fen": 500_000})),
    "the ledger refuses": ("ledger", (409, {"detail": "exceeds_credits"})),
}


@pytest.mark.parametrize("service, answer", NONSENSE.values(), ids=NONSENSE)
def test_nonsense_goes_to_a_person_and_never_to_an_approval(world: Callable[..., None], service: str, answer: Any) -> None:
    async def story(send: Ask, neighbours: Neighbours, one: Instance) -> None:
        neighbours.scripts[service] = lambda *_: answer
        parked = await send("POST", "/v1/applications", BODY, key="app-1")
        assert (parked.status, parked.body["status"], parked.body["loan_id"]) == (202, "manual", None)
        assert parked.body["reasons"][0]["code"] == f"{service}_unusable"
        refused = await send("POST", "/v1/applications/app-1/resume")
        assert (refused.status, refused.body["code"]) == (409, "not_resumable")

    world(story)


def _needs_shopping(neighbours: Neighbours) -> Script:
    def risk(key: str, body: Any) -> Any:
        missing = [shop for shop in ("taobao", "jd") if body[shop] is None]
        return 200, {"outcome": "review" if missing else "pass", "offer": OFFER | {"flow": "extended"}, "missing_evidence": missing, "reasons": []}

    return risk


def test_shopping_data_come_from_the_bureau_else_from_the_applicant_else_a_person_looks(world: Callable[..., None]) -> None:
    async def story(send: Ask, neighbours: Neighbours, one: Instance) -> None:
        neighbours.scripts["risk"] = _needs_shopping(neighbours)
        paths: list[str] = []
        neighbours.scripts["taobao-adapter"] = lambda _, body: paths.append(body["path"]) or (200, SHOP | {"more": "than we need"})
        none = await send("POST", "/v1/applications", BODY, key="none")
        assert (none.body["status"], none.body["reasons"][0]["code"], none.body["resumable"]) == ("manual", "evidence_unavailable", True)
        stranger = BODY["customer"] | {"id": "a/b ?"}
        declared = BODY | {"customer": stranger, "evidence": {"zhima_score": 600, "jd": {"orders_12m": 1, "spend_12m_fen": 5}}}
        made = await send("POST", "/v1/applications", declared, key="declared")
        assert (made.body["status"], made.body["flow"]) == ("disbursed", "extended")
        found = (await send("GET", "/v1/applications/declared")).body["evidence"]
        assert found == {"taobao": SHOP, "jd": {"orders_12m": 1, "spend_12m_fen": 5}}
        assert paths == ["/v1/customers/mike/shopping", "/v1/customers/a%2Fb%20%3F/shopping"]
        neighbours.scripts["jd-adapter"] = lambda *_: (200, SHOP)
        assert (await send("POST", "/v1/applications/none/resume")).body["status"] == "disbursed"

    world(story, {"taobao": "taobao-adapter", "jd": "jd-adapter"})


@pytest.mark.parametrize("trouble", [silent, lambda *_: (200, {"who": "the sample"}), lambda *_: (500, None)], ids=["silence", "garbage", "500"])
def test_a_bureau_in_trouble_is_replaced_by_what_was_declared(world: Callable[..., None], trouble: Script) -> None:
    async def story(send: Ask, neighbours: Neighbours, one: Instance) -> None:
        neighbours.scripts |= {"risk": _needs_shopping(neighbours), "shops": trouble}
        made = await send("POST", "/v1/applications", BODY | {"evidence": {"zhima_score": 600, "taobao": SHOP, "jd": SHOP}}, key="app-1")
        assert made.body["status"] == "disbursed"

    world(story, {"taobao": "shops", "jd": "shops"})


ASKED = web.ApplicationBody.model_validate(BODY).model_dump(mode="json")


def a_case(case_id: str = "app-1", at_ms: int | None = None) -> Case:
    return advance.begun(LOAN, case_id, ASKED, now_ms() if at_ms is None else at_ms)


def taken_in(store: Store, case: Case) -> Known | None:
    with store.write() as connection:
        return store.begin(connection, LOAN, case, "hash", [noted(case, "received", {})])


def claimed(store: Store, case_id: str, at_ms: int) -> Case | None:
    with store.write() as connection:
        return store.claim(connection, case_id, at_ms)


def saved(store: Store, case: Case, since: int) -> None:
    with store.write() as connection:
        store.save(connection, LOAN, case, since, [noted(case, "fraud_said", {})])


def test_the_case_of_a_dead_instance_is_picked_up_by_another_ones_sweep(tmp_path: Path) -> None:
    async def story() -> None:
        dead = Store(tmp_path, "approval-1", "approval-1#dead")
        assert taken_in(dead, a_case(at_ms=now_ms() - LEASE_MS)) is None
        neighbours = Neighbours()
        other = Instance(tmp_path, neighbours, "approval-2")
        await other.engine.start()
        await until(lambda: _disbursed(other))
        await other.engine.stop()
        assert neighbours.asked == {"fraud": 1, "risk": 1, "ledger": 1}

    asyncio.run(story())


async def _disbursed(instance: Instance) -> bool:
    return (await instance.engine.stored(instance.store.counts)).get("disbursed") == 1


def test_a_living_holder_is_left_alone_and_its_restart_frees_its_cases_at_once(tmp_path: Path) -> None:
    first = Store(tmp_path, "approval-1", "approval-1#1")
    other = Store(tmp_path, "approval-2", "approval-2#1")
    now = now_ms()
    taken_in(first, a_case())
    assert claimed(other, "app-1", now) is None
    assert other.due(now, 10) == []
    Store(tmp_path, "approval-1", "approval-1#2").arrive()
    taken = claimed(other, "app-1", now)
    assert taken is not None
    with pytest.raises(Lost):
        saved(first, _next(taken), taken.version)
    saved(other, _next(taken), taken.version)
    assert claimed(first, "app-1", now) is None
    other.leave()
    assert claimed(first, "app-1", now) is not None, "who leaves frees what it held"


def _next(case: Case) -> Case:
    return replace(case, version=case.version + 1, stage="risk")


def test_a_slow_instance_that_lost_its_case_changes_nothing_and_answers_with_how_it_ended(tmp_path: Path) -> None:
    async def story() -> None:
        neighbours = Neighbours()
        neighbours.pause_s = 0.1
        slow, quick = Instance(tmp_path, neighbours, "approval-1"), Instance(tmp_path, neighbours, "approval-2")
        await slow.engine.start()
        await quick.engine.start()
        running = asyncio.create_task(slow.engine.submit("app-1", ASKED, "hash"))
        await until(lambda: _asked(neighbours))
        Store(tmp_path, "approval-1", "approval-1#later").arrive()
        taken = await quick.engine.submit("app-1", ASKED, "hash")
        assert views.application(taken)["status"] == "disbursed"
        await running
        assert len(neighbours.loans) == 1
        assert [event.version for event in slow.store.history("app-1")] == [1, 2, 3, 4]
        await slow.engine.stop()
        await quick.engine.stop()

    asyncio.run(story())


async def _asked(neighbours: Neighbours) -> bool:
    return neighbours.asked["fraud"] > 0


def test_pages_and_filters(world: Callable[..., None]) -> None:
    async def story(send: Ask, neighbours: Neighbours, one: Instance) -> None:
        for number in range(5):
            neighbours.scripts["fraud"] = lambda *_, n=number: (200, {"verdict": "block" if n % 2 else "pass"})
            await send("POST", "/v1/applications", BODY, key=f"app-{number}")
        seen: list[str] = []
        after: str | None = ""
        while after is not None:
            page = (await send("GET", f"/v1/applications?limit=2&after={after}")).body
            seen += [each["application_id"] for each in page["items"]]
            after = page["next"]
        assert seen == [f"app-{number}" for number in range(5)]
        rejected = (await send("GET", "/v1/applications?status=rejected")).body["items"]
        assert [(each["application_id"], each["reasons"][0]["code"]) for each in rejected] == [("app-1", "fraud_block"), ("app-3", "fraud_block")]

    world(story)


def changed(**fields: Any) -> dict[str, Any]:
    return BODY | fields


BAD = {
    "no key": (BODY, "", "idempotency-key"),
    "a key that is no id": (BODY, "a b", "idempotency-key"),
    "not JSON": (b"{", "k", "body"),
    "no customer": ({name: value for name, value in BODY.items() if name != "customer"}, "k", "customer: Field required"),
    "no consent": (changed(consent=False), "k", "consent: Input should be True"),
    "a phone that is none": (changed(customer=BODY["customer"] | {"phone": "call me"}), "k", "customer.phone"),
    "an age of text": (changed(customer=BODY["customer"] | {"age": "34"}), "k", "customer.age"),
    "no money": (changed(amount_fen=0), "k", "amount_fen"),
    "half a fen": (changed(amount_fen=0.5), "k", "amount_fen"),
    "a score beyond the scale": (changed(evidence={"zhima_score": 1000}), "k", "evidence.zhima_score"),
    "half a shop": (changed(evidence={"jd": {"orders_12m": 1}}), "k", "evidence.jd.spend_12m_fen: Field required"),
    "an unknown field": (changed(bribe=1), "k", "bribe: Extra inputs"),
    "no periods": (changed(periods=0), "k", "periods"),
}


@pytest.mark.parametrize("body, key, named", BAD.values(), ids=BAD)
def test_bad_input_is_named_and_makes_no_case(world: Callable[..., None], body: Any, key: str, named: str) -> None:
    async def story(send: Ask, neighbours: Neighbours, one: Instance) -> None:
        refused = await send("POST", "/v1/applications", body, key=key)
        assert (refused.status, refused.headers["content-type"]) == (422, "application/problem+json")
        assert named in refused.body["detail"], refused.body
        assert (await send("GET", "/v1/summary")).body["total"] == 0
        assert not neighbours.asked

    world(story)


def test_what_is_not_there_is_404_and_a_status_that_is_none_422(world: Callable[..., None]) -> None:
    async def story(send: Ask, neighbours: Neighbours, one: Instance) -> None:
        assert (await send("GET", "/v1/applications/nobody")).status == 404
        assert (await send("POST", "/v1/applications/nobody/resume")).status == 404
        assert "query.status" in (await send("GET", "/v1/applications?status=lucky")).body["detail"]

    world(story)


def test_settings_name_the_key_that_is_wrong() -> None:
    chosen = settings.load(lambda key, default: {"retry.attempts": "3", "bureau.jd": "jd-adapter"}.get(key, default))
    assert (chosen.retry.attempts, chosen.bureaus["taobao"], chosen.bureaus["jd"], chosen.patience.timeouts.ledger_s) == (3, "", "jd-adapter", 8.0)
    with pytest.raises(ValueError, match=r"timeout\.risk_s is 'soon'"):
        settings.load(lambda key, default: "soon" if key == "timeout.risk_s" else default)
