"""Desk and engine together: tasks come and go with the stages of people, a decision and its case are one commit, and nothing is lost at a restart."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from ctl.kit.calls import Answer, NoAnswer
from reference_apps.approval import codec, web
from reference_apps.approval import store as cases
from reference_apps.approval.desk import accounts, following, rights, store
from reference_apps.approval.desk.people import Reviewer, Role
from reference_apps.approval.desk.refusals import NotDone
from reference_apps.approval.desk.store import Wish
from reference_apps.approval.desk.tasks import State, Task
from reference_apps.approval.desk.work import Desk
from reference_apps.approval.engine import Engine, Rhythm
from reference_apps.approval.flow.advance import Retry
from reference_apps.approval.flow.standing import Standing
from reference_apps.approval.published import Published, bundled
from reference_apps.approval.services import Patience, Services
from reference_apps.approval.store import Store

HOUR = 3_600_000
OFFER = {"limit_fen": 400_000, "annual_rate": "0.18", "flow": "normal", "grade": "B"}
BODY: dict[str, Any] = {
    "customer": {"id": "john", "name": "John", "age": 31, "phone": "13800000002"}, "device": "d", "consent": True, "amount_fen": 300_000,
    "evidence": {"zhima_score": 650, "pboc_record": "ordinary"},
}  # fmt: skip
SKILLS = ("credit", "fraud", "operations", "payments")
LI, ANNA, BAO = (Reviewer(id=name, name=name.title(), skills=SKILLS) for name in ("li", "anna", "bao"))
SUN = Reviewer(id="sun", name="Sun", skills=(), role=Role.SUPERVISOR)
LOW = Reviewer(id="low", name="Low", skills=SKILLS, ceiling_fen=299_999)


RESUME = "/v1/applications/app-1/resume"


class Neighbours:
    """Fraud, risk and ledger; risk wants a person to look, and who is in `silent` gives no answer."""

    def __init__(self) -> None:
        self.silent: set[str] = set()
        self.fraud = "pass"
        self.loans: list[str] = []

    async def get(self, service: str, path: str, *, timeout_s: float = 2.0, headers: Mapping[str, str] | None = None) -> Answer:
        return Answer(404, {}, {})

    async def post(self, service: str, path: str, body: Any, *, timeout_s: float = 2.0, headers: Mapping[str, str] | None = None) -> Answer:
        if service in self.silent:
            raise NoAnswer(service, "silence")
        if service == "fraud":
            return Answer(200, {"verdict": self.fraud}, {})
        if service == "risk":
            return Answer(200, {"outcome": "review", "offer": OFFER, "missing_evidence": [], "reasons": []}, {})
        self.loans.append((headers or {})["idempotency-key"])
        return Answer(201, {"loan_id": "LN1", "principal_fen": body["principal_fen"]}, {})


class Instance:
    """One instance over a folder; its clock goes where it is told."""

    def __init__(self, folder: Path, neighbours: Neighbours, clock: list[int]) -> None:
        self.store = Store(folder, "approval-1", f"approval-1#{id(self)}")
        services = Services(neighbours, Patience(), {})
        flows = Published(self.store, "loan", bundled())
        self.engine = Engine(self.store, services, Retry(attempts=1), Rhythm(sweep_s=0.01, farewell_s=1.0), flows, lambda: clock[0])
        self.app = web.build(self.engine, self.store)
        self.desk = Desk(self.store, _NoCases(), lambda: clock[0])


class _NoCases:
    def decided(self, *_: Any) -> None:
        raise AssertionError("decisions go through the doors here")


class World:
    """An instance that can be ended and begun again, with people who have tokens."""

    def __init__(self, folder: Path, ask: Callable[..., Awaitable[Any]]) -> None:
        self.folder, self._ask = folder, ask
        self.neighbours, self.clock = Neighbours(), [10**12]
        self.one = Instance(folder, self.neighbours, self.clock)
        with self.one.store.write() as connection:
            self.tokens = {person.id: accounts.add(connection, person, 0) for person in (LI, ANNA, BAO, SUN, LOW)}

    async def again(self) -> None:
        await self.one.engine.stop()
        self.one = Instance(self.folder, self.neighbours, self.clock)
        await self.one.engine.start()

    async def apply(self, key: str, **more: Any) -> Any:
        return (await self._ask(self.one.app, "POST", "/v1/applications", BODY | more, {"idempotency-key": key})).body

    async def case(self, key: str) -> Any:
        return (await self._ask(self.one.app, "GET", f"/v1/applications/{key}")).body

    async def send(self, who: str, method: str, path: str, body: Any = None) -> Any:
        return await self._ask(self.one.app, method, path, body, {"authorization": f"Bearer {self.tokens[who]}"})

    def waiting(self, person: Reviewer = LI) -> list[Task]:
        return list(self.one.desk.queue(person, Wish(scope="all")).items)

    def open(self, case_id: str) -> list[Task]:
        with self.one.store.read() as connection:
            return [task for task in store.of_case(connection, case_id) if task.state in (State.OPEN, State.CLAIMED)]

    async def decide(self, who: str, task_id: str, outcome: str = "approve", **more: Any) -> Any:
        held = await self.send(who, "POST", f"/v1/tasks/{task_id}/claim")
        if held.status != 200:
            return held
        return await self.send(who, "POST", f"/v1/tasks/{task_id}/decide", {"outcome": outcome, "version": held.body["version"], **more})

    async def until(self, key: str, status: str) -> Any:
        async with asyncio.timeout(8):
            while (case := await self.case(key))["status"] != status:
                await asyncio.sleep(0.01)
        return case


@pytest.fixture
def world(tmp_path: Path, ask: Callable[..., Awaitable[Any]]) -> Callable[[Callable[[World], Awaitable[None]]], None]:
    def run(story: Callable[[World], Awaitable[None]]) -> None:
        async def told() -> None:
            made = World(tmp_path, ask)
            await made.one.engine.start()
            try:
                await story(made)
            finally:
                await made.one.engine.stop()

        asyncio.run(told())

    return run


Run = Callable[[Callable[[World], Awaitable[None]]], None]


def test_two_people_and_one_loan(world: Run) -> None:
    async def story(world: World) -> None:
        assert (await world.apply("app-1", agent="bao"))["status"] == "manual"
        [first] = world.waiting()
        assert (first.stage, first.skill, first.amount_fen, first.judges, first.acted) == (
            "first_review", "credit", 300_000, True, {"bao": "brought the application in"},
        )  # fmt: skip
        assert (world.waiting(BAO), world.waiting(LOW), world.waiting(SUN)) == ([], [], [])
        assert (await world.decide("bao", first.id)).body["code"] == "four_eyes"
        assert (await world.decide("low", first.id)).body["code"] == "above_ceiling"
        assert (await world.decide("li", first.id)).body["applied"]
        [second] = world.waiting(ANNA)
        assert (second.stage, set(second.acted)) == ("recheck", {"bao", "li"})
        assert (await world.decide("li", second.id)).body["code"] == "four_eyes"
        seen = (await world.send("anna", "GET", f"/v1/tasks/{second.id}")).body
        assert (seen["case"]["flow_version"]["name"], seen["flow_version"][:7], seen["you"]["may_decide"]) == ("loan", "loan v1", True)
        assert (await world.decide("anna", second.id)).body["applied"]
        case = await world.until("app-1", "disbursed")
        assert [(line["at"], line["person"]) for line in case["history"] if line["kind"] == "judged"] == [("first_review", "li"), ("recheck", "anna")]
        assert (world.neighbours.loans, case["amount_fen"], case["offer"]["annual_rate"]) == (["disburse-app-1"], 300_000, "0.18")
        assert world.open("app-1") == []

    world(story)


def test_after_a_supplement_others_look_and_who_brought_it_does_not(world: Run) -> None:
    async def story(world: World) -> None:
        await world.apply("app-1")
        reason = {"code": "income_proof", "text": "the last three pay slips"}
        await world.decide("li", world.waiting()[0].id, "return", **reason)
        assert (await world.until("app-1", "waiting"))["stage"] == "supplement"
        brought = {"documents": ["pay-1"], "agent": "anna", "consent": True}
        await world._ask(world.one.app, "POST", "/v1/applications/app-1/supplements", brought, {"idempotency-key": "s-1"})
        [again] = world.waiting(BAO)
        assert again.acted == {"li": "decided first_review", "anna": "supplemented the application"}
        assert {(await world.decide(who, again.id)).body.get("code") for who in ("li", "anna")} == {"four_eyes"}
        assert (await world.send("bao", "GET", f"/v1/tasks/{again.id}")).body["you"]["may_decide"]

    world(story)


def test_a_failed_step_goes_to_operations_and_is_tried_again(world: Run) -> None:
    async def story(world: World) -> None:
        world.neighbours.silent = {"fraud"}
        await world.apply("app-1")
        [trouble] = world.waiting()
        assert (trouble.stage, trouble.skill, trouble.judges) == ("trouble", "operations", False)
        await world.decide("li", trouble.id)
        async with asyncio.timeout(8):
            while not (again := world.waiting()) or again[0].id == trouble.id:
                await asyncio.sleep(0.01)
        world.neighbours.silent = set()
        assert (await world.decide("li", again[0].id)).body["applied"], "a repair is no judgement: the same person again"
        async with asyncio.timeout(8):
            while [each.stage for each in world.open("app-1")] != ["first_review"]:
                await asyncio.sleep(0.01)
        assert (world.waiting(), [each.stage for each in world.waiting(ANNA)]) == ([], ["first_review"])

    world(story)


def test_a_case_that_is_resumed_takes_its_task_back(world: Run) -> None:
    async def story(world: World) -> None:
        world.neighbours.silent = {"fraud"}
        await world.apply("app-1")
        [trouble] = world.waiting()
        held = (await world.send("li", "POST", f"/v1/tasks/{trouble.id}/claim")).body
        world.neighbours.silent = set()
        assert (await world.send("anna", "POST", RESUME)).body["code"] == "held", "who may not take the task may not go round it"
        assert (await world.send("li", "POST", RESUME)).body["stage"] == "first_review"
        late = await world.send("li", "POST", f"/v1/tasks/{trouble.id}/decide", {"outcome": "approve", "version": held["version"]})
        assert (late.status, late.body["code"]) == (409, "withdrawn")
        assert [each.stage for each in world.open("app-1")] == ["first_review"]
        history = (await world.case("app-1"))["history"]
        assert "judged" not in [line["kind"] for line in history]
        assert [line["person"] for line in history if line["kind"] == "resumed"] == ["li"]

    world(story)


def test_nobody_goes_round_a_task_that_is_not_theirs(world: Run) -> None:
    async def story(world: World) -> None:
        world.neighbours.silent = {"fraud"}
        await world.apply("app-1", agent="bao")
        stands = await world.case("app-1")
        assert (await world._ask(world.one.app, "POST", RESUME)).body["code"] == "not_signed_in"
        refused = {who: (await world.send(who, "POST", RESUME)).body["code"] for who in ("bao", "low", "sun")}
        assert refused == {"bao": "four_eyes", "low": "above_ceiling", "sun": "no_skill"}
        with world.one.store.write() as connection:
            accounts.revoke(connection, "anna")
        assert (await world.send("anna", "POST", RESUME)).status == 401
        assert await world.case("app-1") == stands
        world.neighbours.silent = set()
        assert (await world.send("li", "POST", RESUME)).body["stage"] == "first_review"
        assert (await world.send("li", "POST", RESUME)).body["code"] == "not_resumable", "a review is nothing to go round"

    world(story)


def test_who_lost_their_access_after_they_knocked_moves_nothing(world: Run) -> None:
    async def story(world: World) -> None:
        world.neighbours.silent = {"fraud"}
        await world.apply("app-1")
        with world.one.store.write() as connection:
            for who in ("li", "sun"):
                accounts.revoke(connection, who)
        with pytest.raises(NotDone, match="no longer works"):
            await world.one.engine.resume("app-1", rights.to_resume(LI, world.clock[0]))
        with pytest.raises(NotDone, match="no longer works"):
            await world.one.engine.migrate("app-1", None, rights.to_migrate(SUN))
        assert [each.stage for each in world.open("app-1")] == ["trouble"]
        with world.one.store.write() as connection:
            connection.execute("DELETE FROM tasks")
        assert (await world.send("bao", "POST", RESUME)).body["code"] == "no_task", "what nobody can be asked about is not gone round"

    world(story)


def test_only_a_supervisor_puts_a_case_under_other_rules(world: Run) -> None:
    async def story(world: World) -> None:
        await world.apply("app-1")
        path, stands = "/v1/applications/app-1/migrate", await world.case("app-1")
        assert (await world._ask(world.one.app, "POST", path, {})).status == 401
        refused = await world.send("li", "POST", path, {})
        assert (refused.status, refused.body["code"]) == (403, "not_supervisor")
        assert (await world.send("sun", "POST", path, {})).status == 202
        assert await world.case("app-1") == stands, "it is in the newest version already"

    world(story)


def test_a_payout_that_was_stopped_has_a_task_even_when_an_older_release_stopped_it(world: Run) -> None:
    async def story(world: World) -> None:
        await world.apply("app-1")
        with world.one.store.write() as connection:
            found = cases.known(connection, "app-1")
            assert found is not None
            stopped = found.case.but(stage="disburse", standing=Standing())
            row = (codec.encode(stopped), "app-1")
            connection.execute("UPDATE cases SET content = ? WHERE id = ?", row)
            connection.execute("DELETE FROM tasks")
        await world.again()
        async with asyncio.timeout(8):
            while not (tasks := world.waiting()):
                await asyncio.sleep(0.01)
        assert [(each.stage, each.skill, each.judges) for each in tasks] == [("payout_trouble", "payments", False)]
        assert (await world.case("app-1"))["reasons"][0]["code"] == "stage_skipped"
        await world.decide("li", tasks[0].id)
        [again] = world.waiting()
        assert (again.stage, again.visit > tasks[0].visit, world.neighbours.loans) == ("payout_trouble", True, [])

    world(story)


def test_a_restart_keeps_claims_and_an_old_case_without_a_task_gets_one(world: Run) -> None:
    async def story(world: World) -> None:
        await world.apply("app-1")
        [task] = world.waiting()
        held = (await world.send("li", "POST", f"/v1/tasks/{task.id}/claim")).body
        await world.apply("app-2")
        with world.one.store.write() as connection:
            connection.execute("DELETE FROM tasks WHERE case_id = 'app-2'")
            connection.execute("DELETE FROM task_events WHERE case_id = 'app-2'")
        await world.again()
        async with asyncio.timeout(8):
            while not world.open("app-2"):
                await asyncio.sleep(0.01)
        assert [each.stage for each in world.open("app-2")] == ["first_review"]
        seen = (await world.send("anna", "POST", f"/v1/tasks/{task.id}/claim")).body
        assert (seen["code"], seen["holder"]) == ("held", "Li")
        done = await world.send("li", "POST", f"/v1/tasks/{task.id}/decide", {"outcome": "approve", "version": held["version"]})
        assert done.body["applied"]

    world(story)


def test_time_escalates_and_never_approves(world: Run) -> None:
    async def story(world: World) -> None:
        await world.apply("app-1")
        [task] = world.waiting()
        await world.send("li", "POST", f"/v1/tasks/{task.id}/claim")
        world.clock[0] += 1_000 * HOUR
        async with asyncio.timeout(8):
            while not (late := world.waiting(SUN)) or late[0].level < 2:
                await asyncio.sleep(0.01)
        assert (late[0].state, late[0].decision, late[0].due_ms) == (State.OPEN, None, task.due_ms)
        world.clock[0] -= 2_000 * HOUR
        await asyncio.sleep(0.05)
        assert (await world.case("app-1"))["status"] == "manual"
        assert (await world.decide("sun", task.id)).body["applied"]

    world(story)


@pytest.mark.parametrize("gone", ["", "DROP INDEX tasks_four_eyes"])
def test_who_is_forgotten_by_one_is_known_to_the_next(world: Run, gone: str) -> None:
    """Without its list of actors the store knows from its decisions, and without those the flow knows: nothing of a refused decision stays."""

    async def story(world: World) -> None:
        await world.apply("app-1")
        [first] = world.waiting()
        await world.decide("li", first.id)
        [second] = world.waiting(ANNA)
        with world.one.store.write() as connection:
            connection.execute("DELETE FROM actors")
        no = await world.decide("li", second.id)
        assert (no.status, no.body["code"]) == (403, "four_eyes")
        with world.one.store.read() as connection:
            found = store.find(connection, second.id)
            assert found is not None
            assert (found.state, found.decision, store.actors(connection, "app-1")) == (State.CLAIMED, None, {})
        assert (await world.case("app-1"))["stage"] == "recheck"

    world(story)


def test_many_decide_at_once_over_two_instances(world: Run) -> None:
    async def story(world: World) -> None:
        await world.apply("app-1")
        [task] = world.waiting()
        held = (await world.send("li", "POST", f"/v1/tasks/{task.id}/claim")).body
        other = Instance(world.folder, world.neighbours, world.clock)
        await other.engine.start()
        asked = {"outcome": "approve", "version": held["version"]}
        headers = {"authorization": f"Bearer {world.tokens['li']}"}
        path = f"/v1/tasks/{task.id}/decide"
        answers = await asyncio.gather(*(world._ask((world.one.app, other.app)[n % 2], "POST", path, asked, headers) for n in range(12)))
        await other.engine.stop()
        assert sorted(answer.body["applied"] for answer in answers) == [False] * 11 + [True]
        history = [line["kind"] for line in (await world.case("app-1"))["history"]]
        assert history.count("judged") == 1

    world(story)


def test_the_desk_is_on_the_shelf_of_every_store(tmp_path: Path) -> None:
    """Commands open the cases without an engine; tasks follow there, too."""
    kept = Store(tmp_path, "command", "command#1")
    following.follow(kept)
    with kept.read() as connection:
        assert store.queue(connection, LI, Wish(), 0) == []
    kept.close()
