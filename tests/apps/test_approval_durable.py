"""Approval through crashes, storms and odd clocks: every case accounted for, at most one payout, and parked cases that any instance takes up."""

import asyncio
import contextlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from sqlite3 import Connection
from typing import Any

import pytest

from ctl.kit.database import Database, DatabaseFailed
from ctl.kit.problem import Problem
from reference_apps.approval.commits import Commits
from reference_apps.approval.flow.model import Outcome
from reference_apps.approval.model import Case, Judgement, Status
from reference_apps.approval.store import LEASE_MS
from tests.apps.approval_world import ASKED, Clock, Instance, Killed, Neighbours, doubtful, silent, until

DAY_MS = 86_400_000


def by(person: str, outcome: Outcome = Outcome.APPROVE) -> Judgement:
    return Judgement(person=person, outcome=outcome)


async def lived_through(instance: Instance, case_id: str = "app-1") -> bool:
    """Submit and return whether the instance lived to answer."""
    asking = asyncio.create_task(instance.engine.submit(case_id, ASKED, "hash"))
    await until(lambda: asking.done() or instance.store.is_dead)
    if instance.store.is_dead:
        instance.kill()
        asking.cancel()
        with contextlib.suppress(asyncio.CancelledError, Killed, Problem, DatabaseFailed):
            await asking
        return False
    return asking.result().status is Status.DISBURSED


def test_killed_at_every_use_of_its_store_the_case_is_paid_once_and_the_next_instance_ends_it(tmp_path: Path) -> None:
    async def story(dies_in: int) -> bool:
        neighbours, folder = Neighbours(), tmp_path / str(dies_in)
        first = await Instance(folder, neighbours).started()
        first.dies_in(dies_in)
        lived = await lived_through(first)
        second = await Instance(folder, neighbours).started()
        ended = await second.engine.submit("app-1", ASKED, "hash")
        assert (ended.status, ended.loan_id) == (Status.DISBURSED, "LN0")
        assert len(neighbours.loans) == 1
        history = second.store.history("app-1")
        assert [event.version for event in history] == list(range(1, ended.version + 1)), "every transition is told once"
        assert second.store.counts() == {"disbursed": 1}
        await second.engine.stop()
        first.kill()
        return lived

    lived, dies_in = False, 0
    while not lived:
        dies_in += 1
        lived = asyncio.run(story(dies_in))
    assert dies_in > 6, "there are crash points before, between and after both commits"


@pytest.mark.parametrize("moment", ["before it pays", "after it has paid"])
def test_killed_while_the_ledger_is_asked_the_next_instance_says_the_same_words_again(tmp_path: Path, moment: str) -> None:
    async def story() -> None:
        neighbours = Neighbours()
        first = await Instance(tmp_path, neighbours).started()

        def deadly(key: str, body: Any) -> Any:
            if moment == "after it has paid":
                neighbours.pay(key, body)
            first.store.is_dead = True
            raise Killed

        neighbours.scripts["ledger"] = deadly
        assert not await lived_through(first)
        del neighbours.scripts["ledger"]
        said: list[Any] = []
        neighbours.scripts["ledger"] = lambda key, body: said.append(body) or neighbours.pay(key, body)
        second = await Instance(tmp_path, neighbours).started()
        await until(lambda: second.store.counts() == {"disbursed": 1})
        assert said == [second.store.owed("app-1")]
        assert len(neighbours.loans) == 1
        await second.engine.stop()

    asyncio.run(story())


def test_a_storm_of_retries_over_three_instances_that_die_is_one_payout(tmp_path: Path) -> None:
    async def story() -> None:
        neighbours, lost = Neighbours(), iter(range(3))

        def forgetful(key: str, body: Any) -> Any:
            answer = neighbours.pay(key, body)
            return answer if next(lost, None) is None else silent()

        neighbours.scripts["ledger"], neighbours.pause_s = forgetful, 0.002
        instances = [await Instance(tmp_path, neighbours, f"approval-{number}").started() for number in range(3)]
        storm = [asyncio.create_task(instances[number % 3].engine.submit("app-1", ASKED, "hash")) for number in range(60)]
        await until(lambda: neighbours.asked["ledger"] > 0)
        instances[0].kill()
        for task in storm[::3]:
            task.cancel()
        storm += [asyncio.create_task(instances[1 + number % 2].engine.submit("app-1", ASKED, "hash")) for number in range(60)]
        instances[0] = await Instance(tmp_path, neighbours, "approval-0").started()
        await until(lambda: instances[0].store.counts() == {"disbursed": 1})
        answers = await asyncio.gather(*storm, return_exceptions=True)
        loans = {answer.loan_id for answer in answers if isinstance(answer, Case)}
        assert loans <= {"LN0", None}
        assert len(neighbours.loans) == 1
        for instance in instances:
            assert (await instance.engine.submit("app-1", ASKED, "hash")).loan_id == "LN0"
            await instance.engine.stop()

    asyncio.run(story())


def test_two_instances_take_the_same_id_in_at_once_and_the_loser_answers_with_the_winners_case(tmp_path: Path) -> None:
    async def story() -> None:
        neighbours = Neighbours()
        neighbours.pause_s = 0.05
        one, two = await Instance(tmp_path, neighbours, "approval-1").started(), await Instance(tmp_path, neighbours, "approval-2").started()
        first, second = await asyncio.gather(*(each.engine.submit("app-1", ASKED, "hash") for each in (one, two)))
        assert neighbours.asked["fraud"] == 2, "both began"
        assert first == second
        assert (first.loan_id, len(neighbours.loans)) == ("LN0", 1)
        other = await asyncio.gather(one.engine.submit("app-2", ASKED, "hash"), two.engine.submit("app-2", ASKED, "another"), return_exceptions=True)
        refused = [each for each in other if isinstance(each, Problem)]
        assert [each.code for each in refused] == ["idempotency_key_reused"]
        assert len(neighbours.loans) == 2
        for each in (one, two):
            await each.engine.stop()

    asyncio.run(story())


def test_a_parked_case_survives_a_restart_on_another_instance_and_its_deadline_holds(tmp_path: Path) -> None:
    async def story() -> None:
        neighbours, clock = Neighbours(), Clock()
        neighbours.scripts["risk"] = doubtful
        one = await Instance(tmp_path, neighbours, "approval-1", clock).started()
        await one.engine.submit("app-1", ASKED, "hash")
        waits = await one.engine.decided("app-1", "first_review", by("ann", Outcome.RETURN))
        assert (waits.status, waits.stage) == (Status.WAITING, "supplement")
        one.kill()
        clock.ahead_ms = 14 * DAY_MS - 60_000
        two = await Instance(tmp_path, neighbours, "approval-2", clock).started()
        sweeps = two.store.uses
        await until(lambda: two.store.uses > sweeps + 20)
        assert two.store.find("app-1") == waits, "not a minute before its time"
        clock.ahead_ms += 60_000
        await until(lambda: two.store.counts() == {"rejected": 1})
        assert [reason.code for reason in (await two.engine.find("app-1")).reasons] == ["supplement_expired"]
        await two.engine.stop()

    asyncio.run(story())


@pytest.mark.parametrize("jump_ms", [-3_600_000, 3_600_000])
def test_a_clock_that_jumps_does_no_harm(tmp_path: Path, jump_ms: int) -> None:
    async def story() -> None:
        neighbours, clock = Neighbours(), Clock()
        one = await Instance(tmp_path, neighbours, "approval-1", clock).started()
        neighbours.scripts["ledger"] = silent
        waits = await one.engine.submit("app-1", ASKED, "hash")
        assert waits.status is Status.WAITING
        clock.ahead_ms = jump_ms
        del neighbours.scripts["ledger"]
        assert (await one.engine.submit("app-2", ASKED, "hash")).status is Status.DISBURSED
        resumed = await one.engine.resume("app-1")
        assert (resumed.status, len(neighbours.loans)) == (Status.DISBURSED, 2)
        times = [event.at_ms for event in one.store.history("app-1")]
        assert times == sorted(times), "the time of a case never runs backwards"
        one.kill()
        with one.store._database.write() as connection:
            holder, later = "approval-9#dead", clock() + 3_600_000
            connection.execute("INSERT INTO holders VALUES (?, 'approval-9', ?)", (holder, later + LEASE_MS))
            connection.execute("UPDATE cases SET holder = ?, status = 'running' WHERE id = 'app-2'", (holder,))
        two = await Instance(tmp_path, neighbours, "approval-2", clock).started()
        assert two.store.due(clock(), 10) == ["app-2"], "a lease of a future that never was holds nothing"
        await two.engine.stop()

    asyncio.run(story())


def test_people_decide_once_and_late_or_repeated_decisions_get_the_stored_result(tmp_path: Path) -> None:
    async def story() -> None:
        neighbours, opened, left = Neighbours(), [], []
        neighbours.scripts["risk"] = doubtful
        one = await Instance(tmp_path, neighbours).started()
        one.store.on_manual = lambda connection, case, stage, now: opened.append((stage.name, stage.skill, case.entered))
        one.store.on_left = lambda connection, case, stage, entered, now: left.append((stage, entered))
        stands = await one.engine.submit("app-1", ASKED, "hash")
        assert opened == [("first_review", "credit", stands.entered)]
        both = await asyncio.gather(*(one.engine.decided("app-1", "first_review", by(who), entered=stands.entered) for who in ("ann", "bob")))
        assert both[0] == both[1]
        assert [each.person for each in both[0].judgements] == ["ann"]
        assert left == [("first_review", stands.entered)]
        with pytest.raises(Problem) as refused:
            await one.engine.decided("app-1", "recheck", by("ann"))
        assert (refused.value.status, refused.value.code) == (409, "four_eyes")
        ended = await one.engine.decided("app-1", "recheck", by("bob"))
        assert (ended.status, len(neighbours.loans)) == (Status.DISBURSED, 1)
        assert await one.engine.decided("app-1", "recheck", by("cid", Outcome.REJECT)) == ended
        assert [line for line, *_ in opened] == [line for line, _ in left] == ["first_review", "recheck"]
        with pytest.raises(Problem, match="there is no application"):
            await one.engine.decided("app-9", "recheck", by("bob"))
        await one.engine.stop()

    asyncio.run(story())


def test_what_belongs_to_a_decision_is_one_commit_with_it(tmp_path: Path) -> None:
    async def story() -> None:
        neighbours = Neighbours()
        neighbours.scripts["risk"] = doubtful
        one = await Instance(tmp_path, neighbours).started()
        before = await one.engine.submit("app-1", ASKED, "hash")

        def refuses(connection: Connection, case: Case) -> None:
            connection.execute("UPDATE cases SET body_hash = 'spoilt'")
            raise Problem(409, "task_taken", "somebody else has it")

        with pytest.raises(Problem, match="somebody else has it"):
            await one.engine.decided("app-1", "first_review", by("ann"), also=refuses)
        known = one.store.known("app-1")
        assert known is not None
        assert (known.case, known.body_hash) == (before, "hash"), "nothing of it is left"
        seen: list[str] = []
        await one.engine.decided("app-1", "first_review", by("ann"), also=lambda connection, case: seen.append(case.stage))
        await one.engine.decided("app-1", "first_review", by("ann"), also=lambda connection, case: seen.append("again"))
        assert seen == ["recheck"]
        await one.engine.stop()

    asyncio.run(story())


def test_a_decision_in_a_transaction_of_somebody_elses_goes_on_when_it_is_picked_up(tmp_path: Path) -> None:
    async def story() -> None:
        neighbours = Neighbours()
        neighbours.scripts["fraud"] = lambda *_: (200, {"verdict": "review"})
        one = await Instance(tmp_path, neighbours).started()
        await one.engine.submit("app-1", ASKED, "hash")

        def judged(stage: str, person: str) -> None:
            with one.store.write() as connection:
                known = one.engine.judge(connection, "app-1", stage, by(person))
            assert known is not None

        await one.engine.stored(lambda: judged("fraud_review", "ann"))
        await one.engine.stored(lambda: judged("fraud_recheck", "bob"))
        assert (await one.engine.pick_up("app-1")).status is Status.DISBURSED
        await one.engine.stop()

    asyncio.run(story())


def test_an_open_breaker_leads_to_the_stated_fallback_without_a_call_and_never_to_an_approval(tmp_path: Path) -> None:
    async def story() -> None:
        neighbours = Neighbours()
        neighbours.scripts["risk"] = silent
        one = await Instance(tmp_path, neighbours, failures=6).started()
        for number in range(2):
            await one.engine.submit(f"app-{number}", ASKED, "hash")
        await until(lambda: one.store.counts().get("manual") == 2)
        asked = neighbours.asked["risk"]
        assert asked == 6, "it opened at the sixth failure in a row"
        await one.engine.submit("app-3", ASKED, "hash")
        await until(lambda: one.store.counts() == {"manual": 3})
        stands = await one.engine.find("app-3")
        assert (stands.stage, stands.resumable, neighbours.asked["risk"]) == ("trouble", True, asked)
        assert "it has failed too often" in stands.reasons[0].en
        assert not neighbours.loans
        await one.engine.stop()

    asyncio.run(story())


def test_a_group_of_commits_loses_only_what_fails_in_it(tmp_path: Path) -> None:
    async def story() -> None:
        database = Database(tmp_path / "x.db", "CREATE TABLE IF NOT EXISTS seen (n INTEGER PRIMARY KEY);")
        loop = asyncio.get_running_loop()
        disk = ThreadPoolExecutor(1)
        commit = Commits(database.write, disk)

        def work(number: int) -> Any:
            def done(connection: Connection) -> int:
                connection.execute("INSERT INTO seen VALUES (?)", (number % 40,))
                if number % 10 == 7:
                    raise ValueError(f"{number} is refused")
                return number

            return done

        results = await asyncio.gather(*(commit(work(number)) for number in range(50)), return_exceptions=True)
        for number, result in enumerate(results):
            wanted: Any = ValueError if number % 10 == 7 else DatabaseFailed if number >= 40 else int
            assert isinstance(result, wanted), (number, result)
        with database.read() as connection:
            assert [row[0] for row in connection.execute("SELECT n FROM seen")] == [number for number in range(40) if number % 10 != 7]
        assert commit.count <= 3, "fifty pieces shared a few transactions"
        await loop.run_in_executor(disk, database.close)
        disk.shutdown()
        with pytest.raises(DatabaseFailed):
            await commit(work(1))

    asyncio.run(story())
