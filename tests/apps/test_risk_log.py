"""The decision log: durable before answered, replayed to the same bytes whatever serves now, and honest when it cannot be written."""

import asyncio
import json
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from ctl.kit.database import DatabaseFailed
from reference_apps.risk import commands
from reference_apps.risk.bodies import DecisionBody
from reference_apps.risk.deciding.decider import Decider
from reference_apps.risk.desk import Desk, InForce, bucket
from reference_apps.risk.keeping import previewing
from reference_apps.risk.keeping.committing import GroupCommit
from reference_apps.risk.keeping.log import FILE, DecisionLog, Entry, LogReader
from reference_apps.risk.keeping.replaying import Replay
from reference_apps.risk.packages import reading, writing
from reference_apps.risk.packages.faults import BadPackage
from reference_apps.risk.packages.shelf import Shelf
from tests.apps import risk_made
from tests.apps.risk_desk import JANE, MIKE, app, entries, on_desk

SHIPPED = Decider(reading.read())
Ask = Callable[..., Awaitable[Any]]


def dearer() -> Decider:
    """Return the shipped package with another price."""
    made = risk_made.documents()
    made["prices.json"]["standard"][0]["limit_fen"] = 450_000
    return Decider(risk_made.parsed(made))


def test_an_answer_is_what_the_log_holds(ask: Ask, tmp_path: Path) -> None:
    async def work(desk: Desk) -> Any:
        made = await ask(app(desk), "POST", "/v1/decisions", MIKE)
        found = await ask(app(desk), "GET", f"/v1/decisions/{made.body['decision_id']}")
        listed = await ask(app(desk), "GET", "/v1/decisions?limit=5")
        nobody = await ask(app(desk), "GET", "/v1/decisions/D0")
        return made, found, listed, nobody

    made, found, listed, nobody = on_desk(tmp_path, InForce(SHIPPED), work)
    assert found.body["decision"] == made.body
    assert found.body["frozen"]["known"]["zhima_score"] == 780
    assert found.body["logged"]["package"] == SHIPPED.package.hash
    assert [each["decision_id"] for each in listed.body["items"]] == [made.body["decision_id"]]
    assert (nobody.status, nobody.body["code"]) == (404, "decision_not_found")
    model = made.body["model"]
    assert model["bias"] + sum(each["margin"] for each in model["contributions"]) == pytest.approx(model["margin"], abs=1e-9)
    assert made.body["variables"]["zhima_score"] == {"value": 780, "from": "declared", "as_of": None}
    logged = LogReader(tmp_path / FILE).find(made.body["decision_id"])
    assert logged is not None
    assert json.loads(logged.output) == made.body


def test_the_same_question_is_logged_once(tmp_path: Path) -> None:
    async def work(desk: Desk) -> list[Entry]:
        return [await desk.decide(DecisionBody(**JANE)) for _ in range(3)]

    made = on_desk(tmp_path, InForce(SHIPPED), work)
    assert len({each.output for each in made}) == len(list(LogReader(tmp_path / FILE).entries())) == 1


@pytest.mark.parametrize("count", [2_000, pytest.param(10_000, marks=pytest.mark.nightly)])
def test_decisions_replay_to_the_same_bytes_after_a_package_change_and_a_restart(tmp_path: Path, count: int) -> None:
    log = DecisionLog(tmp_path)
    Shelf(tmp_path).keep(SHIPPED.package)
    log.append(entries(SHIPPED, count))
    log.close()
    newer = dearer()

    async def work(desk: Desk) -> Any:
        desk.swap(newer.package)
        return await desk.decide(DecisionBody(**MIKE))

    changed = on_desk(tmp_path, InForce(SHIPPED), work)
    assert changed.package == newer.package.hash
    command = [sys.executable, "-m", "reference_apps.risk", "replay", "--data", str(tmp_path)]
    again = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    assert (again.returncode, again.stdout) == (0, f"{count + 1:,} decisions decided again, 0 differ\n"), again.stderr


def kept(tmp_path: Path, count: int = 3) -> list[Entry]:
    made = entries(SHIPPED, count)
    Shelf(tmp_path).keep(SHIPPED.package)
    log = DecisionLog(tmp_path)
    log.append(made)
    log.close()
    return made


def test_one_decision_is_replayed_by_its_id(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = kept(tmp_path)
    assert commands.run(["replay", made[1].decision_id, "--data", str(tmp_path)]) == 0
    assert "the same" in capsys.readouterr().out
    assert commands.run(["replay", made[1].decision_id, "--data", str(tmp_path), "-o", "json"]) == 0
    assert capsys.readouterr().out.encode().strip() == made[1].output
    assert commands.run(["replay", "D404", "--data", str(tmp_path)]) == 4
    assert commands.run(["replay", "D404", "--data", str(tmp_path / "nowhere")]) == 1
    assert "is no decision log" in capsys.readouterr().out


def test_a_log_that_was_changed_is_found_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = kept(tmp_path)
    connection = sqlite3.connect(tmp_path / FILE)
    forged = made[0].output.replace(b'"outcome":"reject"', b'"outcome":"pass"')
    connection.execute("UPDATE decisions SET output = ? WHERE decision_id = ?", (forged + b" ", made[0].decision_id))
    connection.commit()
    connection.close()
    assert commands.run(["replay", made[0].decision_id, "--data", str(tmp_path)]) == 8
    assert commands.run(["replay", "--data", str(tmp_path)]) == 8
    assert f"3 decisions decided again, 1 differ\n✖ {made[0].decision_id}" in capsys.readouterr().out


def test_a_kept_package_that_was_changed_does_not_decide(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = kept(tmp_path)
    place = tmp_path / "packages" / SHIPPED.package.hash.removeprefix("sha256:") / "lists.json"
    place.write_text('{"blacklist": []}')
    with pytest.raises(BadPackage, match="it was changed on the disk"):
        Replay(Shelf(tmp_path)).one(made[0])
    assert commands.run(["replay", made[0].decision_id, "--data", str(tmp_path)]) == 3
    assert "its content has the hash sha256:" in capsys.readouterr().out


def test_the_reader_gives_what_was_decided_in_a_time(tmp_path: Path) -> None:
    made = kept(tmp_path, 1_500)
    reader = LogReader(tmp_path / FILE)
    assert [each.decision_id for each in reader.entries()] == [each.decision_id for each in made]
    assert [each.at_ms for each in reader.entries(since_ms=1_100, until_ms=1_103)] == [1_100, 1_101, 1_102]
    assert [each.at_ms for each in reader.entries(last=2)] == [2_498, 2_499]
    assert next(iter(reader.entries())).facts == json.loads(made[0].frozen)["known"]
    assert list(reader.shadows()) == []
    with pytest.raises(DatabaseFailed, match="is no decision log"):
        list(LogReader(tmp_path / "gone.db").entries())


def test_those_that_wait_together_share_a_commit() -> None:
    groups: list[int] = []
    made = entries(SHIPPED, 50)

    go_on = threading.Event()

    def append(group: Sequence[Any]) -> None:
        go_on.wait(10)
        groups.append(len(group))

    async def work() -> None:
        commit = GroupCommit(append)
        tasks = [asyncio.create_task(commit.add(each)) for each in made]
        await asyncio.sleep(0)
        go_on.set()
        await asyncio.gather(*tasks)
        await commit.close()

    asyncio.run(work())
    assert sum(groups) == 50
    assert len(groups) <= 2, "while the first commit runs, all others gather for the second"


def test_what_could_not_be_logged_was_not_answered(ask: Ask, tmp_path: Path) -> None:
    def full(_: Sequence[Any]) -> None:
        raise DatabaseFailed("decisions.db: database or disk is full")

    async def work(desk: Desk) -> Any:
        fine, desk._commit = desk._commit, GroupCommit(full)
        refused = await ask(app(desk), "POST", "/v1/decisions", MIKE)
        await desk._commit.close()
        desk._commit = fine
        return refused, await ask(app(desk), "POST", "/v1/decisions", MIKE)

    refused, again = on_desk(tmp_path, InForce(SHIPPED), work)
    assert (refused.status, refused.body["code"]) == (503, "not_logged")
    assert "disk is full" in refused.body["detail"]
    assert again.status == 200
    assert len(list(LogReader(tmp_path / FILE).entries())) == 1


def test_a_preview_says_what_would_be_different(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kept(tmp_path, 400)
    folder = tmp_path / "dearer"
    made = risk_made.documents()
    made["prices.json"]["standard"][0]["limit_fen"] = 450_000
    jdm_rule = made["rules/hard.json"]["nodes"][1]["content"]["rules"][1]
    jdm_rule["age"] = "> 50"
    made["routes.json"]["scenes"].remove("3c")
    writing.write(folder, made)
    assert commands.run(["preview", str(folder), "--log", str(tmp_path / FILE), "-o", "json"]) == 8
    said = json.loads(capsys.readouterr().out)
    before = [each for each in LogReader(tmp_path / FILE).entries() if each.scene != "3c"]
    asked = [json.loads(each.frozen)["known"] for each in before]
    assert said["decided"] == len(before)
    assert sum(said["undecidable"].values()) == 400 - len(before)
    passed = [each.outcome == "pass" for each in before]
    stopped = sum(ok and facts["age"] > 50 for ok, facts in zip(passed, asked, strict=True))
    assert said["moved"]["outcome pass to reject"] == stopped > 0
    assert said["approval_rate"]["before"] == sum(passed) / len(before)
    assert said["approval_rate"]["after"] == (sum(passed) - stopped) / len(before)
    assert said["moved"]["limit down"] > 0
    assert sum(each["count"] for each in said["outcomes"]) == said["decided"]
    assert len(said["examples"]) == 10
    commands.run(["preview", str(folder), "--log", str(tmp_path / FILE)])
    assert "it has no scene 3c" in capsys.readouterr().out
    assert commands.run(["preview", str(reading.SHIPPED), "--log", str(tmp_path / FILE)]) == 0
    assert "0 would be different" in capsys.readouterr().out


def test_a_preview_counts_what_a_package_could_not_even_be_asked(tmp_path: Path) -> None:
    made = risk_made.documents()
    by_name = {each["name"]: each for each in made["variables.json"]["variables"]}
    by_name["customer_id"] |= {"type": "integer"}
    by_name["periods"] |= {"most": 12}
    log = entries(SHIPPED, 200)
    said = previewing.preview(Decider(risk_made.parsed(made)), log)
    assert said.decided == 0
    assert all("customer_id is not what it takes for one" in why and "is no integer" in why for why in said.undecidable)
    by_name["customer_id"] |= {"type": "text"}
    said = previewing.preview(Decider(risk_made.parsed(made)), log)
    assert said.decided == sum(each.facts.get("periods", 0) <= 12 for each in log) == 200 - sum(said.undecidable.values())


def test_a_bucket_sticks_to_the_customer_and_changes_with_the_salt() -> None:
    customers = [f"c{number}" for number in range(20_000)]
    first = [bucket("one", each) for each in customers]
    assert first == [bucket("one", each) for each in customers]
    assert all(0 <= each < 10_000 for each in first)
    share = sum(each < 1_000 for each in first) / len(first)
    both = sum(one < 1_000 and bucket("two", each) < 1_000 for one, each in zip(first, customers, strict=True)) / len(first)
    assert share == pytest.approx(0.1, abs=0.01)
    assert both == pytest.approx(0.01, abs=0.004), "one salt says nothing about another"
