"""Serving: a package swapped under load tears no decision, a broken one never serves, a challenger has no effect, and a killed process loses no answer."""

import asyncio
import http.client
import itertools
import json
import signal
import threading
import time
import urllib.request
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest

from reference_apps.risk import commands
from reference_apps.risk.bodies import DecisionBody
from reference_apps.risk.deciding import probing
from reference_apps.risk.deciding.decider import Decider
from reference_apps.risk.desk import Desk, InForce, bucket
from reference_apps.risk.keeping.log import FILE, LogReader
from reference_apps.risk.keeping.replaying import Replay
from reference_apps.risk.packages import reading, writing
from reference_apps.risk.packages.shelf import Shelf
from reference_apps.risk.policy import BadPolicy
from tests.apps import risk_made
from tests.apps.conftest import Fleet, Process, Reply
from tests.apps.risk_desk import JANE, MIKE, app, body, on_desk

SHIPPED = Decider(reading.read())
Ask = Callable[..., Awaitable[Any]]


def changed(limit_fen: int = 450_000, **tables: str) -> dict[str, Any]:
    """Return the shipped documents with Mike's limit changed."""
    made = risk_made.documents()
    made["prices.json"]["standard"][0]["limit_fen"] = limit_fen
    return made


OTHER = Decider(risk_made.parsed(changed()))
LIMITS = {SHIPPED.package.hash: 500_000, OTHER.package.hash: 450_000}


def test_a_swap_under_load_fails_nothing_and_tears_nothing(tmp_path: Path) -> None:
    async def asking(desk: Desk, number: int) -> dict[str, Any]:
        made: dict[str, Any] = json.loads((await desk.decide(DecisionBody(**MIKE | {"application_id": f"a{number}"}))).output)
        return made

    async def work(desk: Desk) -> list[dict[str, Any]]:
        tasks = []
        for number in range(400):
            tasks.append(asyncio.create_task(asking(desk, number)))
            if number % 40 == 20:
                desk.swap((OTHER, SHIPPED)[number // 40 % 2].package)
            await asyncio.sleep(0)
        return list(await asyncio.gather(*tasks))

    made = on_desk(tmp_path, InForce(SHIPPED), work)
    assert {each["package"] for each in made} == set(LIMITS)
    assert all(each["offer"]["limit_fen"] == LIMITS[each["package"]] for each in made), "a decision is of one package throughout"
    replay = Replay(Shelf(tmp_path))
    assert all(each.is_same for each in replay.all(LogReader(tmp_path / FILE).entries()))


def test_a_package_that_the_policy_cannot_use_does_not_come_into_force(tmp_path: Path) -> None:
    made = risk_made.documents()
    made["prices.json"] = {"careful": made["prices.json"]["careful"]}
    package = risk_made.parsed(made)

    async def work(desk: Desk) -> Any:
        with pytest.raises(BadPolicy, match=r"price.table is 'standard'; the package has careful"):
            desk.swap(package)
        return desk.in_force.decider

    assert on_desk(tmp_path, InForce(SHIPPED), work) is SHIPPED


def test_a_challenger_scores_the_same_frozen_inputs_and_has_no_effect(ask: Ask, tmp_path: Path) -> None:
    dice = Random(4)
    asked = [body(dice, number) for number in range(60)]

    def run(folder: Path, in_force: InForce) -> Any:
        async def work(desk: Desk) -> Any:
            made = [await desk.decide(each) for each in asked]
            await desk.shadowed()
            shown = await ask(app(desk), "GET", f"/v1/decisions/{made[0].decision_id}")
            return made, shown.body["logged"]["shadows"], (await ask(app(desk), "GET", "/v1/package")).body["challenger"]

        return on_desk(folder, in_force, work)

    alone, _, _ = run(tmp_path / "alone", InForce(SHIPPED))
    made, shown, named = run(tmp_path / "both", InForce(SHIPPED, OTHER, "spring", 5_000))
    assert [each.output for each in made] == [each.output for each in alone]
    assert named == OTHER.package.hash
    shadows = {each.decision_id: each for each in LogReader(tmp_path / "both" / FILE).shadows()}
    assert set(shadows) == {each.decision_id for each in made if bucket("spring", each.customer_id) < 5_000}
    assert 0 < len(shadows) < 60
    by_itself, _, _ = run(tmp_path / "promoted", InForce(OTHER))
    for champion, promoted in zip(made, by_itself, strict=True):
        if (shadow := shadows.get(champion.decision_id)) is not None:
            assert (shadow.outcome, shadow.score, shadow.probability) == (promoted.outcome, promoted.score, promoted.probability)
            assert json.loads(shadow.output) | {"decision_id": ""} == json.loads(promoted.output) | {"decision_id": ""}
    assert bool(shown) == (made[0].decision_id in shadows)


def test_a_challenger_that_breaks_or_knows_no_such_scene_changes_nothing(tmp_path: Path) -> None:
    made = risk_made.documents()
    made["routes.json"]["scenes"] = ["cash"]
    made["routes.json"]["routes"] = made["routes.json"]["routes"][2:]
    narrow = Decider(risk_made.parsed(made))
    broken = Decider(OTHER.package)
    broken.cards = {}

    async def work(desk: Desk) -> Any:
        made = [await desk.decide(DecisionBody(**MIKE | {"application_id": scene}, scene=scene)) for scene in ("rent", "cash")]
        desk.in_force = replace(desk.in_force, challenger=broken)
        made.append(await desk.decide(DecisionBody(**JANE)))
        await desk.shadowed()
        return made

    answered = on_desk(tmp_path, InForce(SHIPPED, narrow), work)
    assert len(answered) == 3
    assert [each.scene for each in LogReader(tmp_path / FILE).shadows()] == ["cash"]


@pytest.mark.parametrize(
    "rule, found",
    [({"age": "", "pboc_record": '"good"', "outcome": '"review"'}, "pboc_record 'good' gets less"), ({"zhima_score": "> 800"}, "zhima_score")],
    ids=["a rule against a good record", "a rule against high scores"],
)
def test_a_package_in_which_better_evidence_gets_less_is_not_published(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], rule: dict[str, str], found: str
) -> None:
    made = risk_made.documents()
    table = made["rules/hard.json"]["nodes"][1]["content"]
    table["inputs"].append({"id": "zhima_score", "name": "zhima_score", "field": "zhima_score"})
    table["rules"].append({"_id": "R99", "outcome": '"reject"', "reason": '"age"', **rule})
    writing.write(tmp_path / "bad", made)
    assert commands.run(["publish", str(tmp_path / "bad"), "--data", str(tmp_path / "data")]) == 3
    said = capsys.readouterr().out
    assert found in said
    assert "better evidence must never get less" in said
    assert not (tmp_path / "data").exists()


def test_the_probe_is_quiet_about_the_shipped_package_and_looks_at_every_turn() -> None:
    assert probing.faults(SHIPPED, 40) == []
    turns = probing.turns(SHIPPED.package, SHIPPED.package.variables["zhima_score"])
    assert {549, 550, 599, 600, 749, 750, 350, 950} <= set(turns)
    assert turns == sorted(turns)  # type: ignore[type-var]
    assert probing.turns(SHIPPED.package, SHIPPED.package.variables["pboc_record"]) == ["bad", "none", "ordinary", "good"]
    assert 49_999 in probing.turns(SHIPPED.package, SHIPPED.package.variables["taobao"]), "a part of a sum turns where the sum does"


class Load:
    """Asks for decisions from several threads until it is told to stop; keeps what was answered, and what was not."""

    def __init__(self, send: Callable[[dict[str, Any]], Reply], threads: int = 4) -> None:
        self._send, self.answered, self.failed = send, [], []  # type: ignore[var-annotated]
        self._ends = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(number,)) for number in range(threads)]
        for thread in self._threads:
            thread.start()

    def _run(self, thread: int) -> None:
        number = 0
        while not self._ends.is_set():
            number += 1
            asked = MIKE | {"application_id": f"{thread}-{number}-{id(self)}"}
            try:
                answer = self._send(asked)
            except (OSError, ValueError, http.client.HTTPException) as error:
                self.failed.append(str(error))
                continue
            (self.answered if answer.status == 200 else self.failed).append(answer.body)

    def stop(self) -> None:
        self._ends.set()
        for thread in self._threads:
            thread.join(20)


def straight_to(*processes: Process) -> Callable[[dict[str, Any]], Reply]:
    """Return a way to ask one of these processes without a gateway, so that a broken answer is seen as such."""
    turn = itertools.count()

    def send(asked: dict[str, Any]) -> Reply:
        port = processes[next(turn) % len(processes)].port
        headers = {"content-type": "application/json"}
        request = urllib.request.Request(f"http://127.0.0.1:{port}/v1/decisions", json.dumps(asked).encode(), headers)
        with urllib.request.urlopen(request, timeout=5) as answer:
            return Reply(answer.status, json.loads(answer.read()), {})

    return send


def until(what: Callable[[], bool], within_s: float = 20.0) -> None:
    deadline = time.monotonic() + within_s
    while not what():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)


def test_a_published_package_is_followed_under_load_and_a_broken_one_is_not(fleet: Fleet, tmp_path: Path) -> None:
    data = tmp_path / "risk"
    risk = fleet.begin("risk", PACKAGE_FOLLOW="true")
    fleet.ready(risk)

    def in_force() -> str:
        return str(fleet.ask("GET", "/risk/v1/package").body["package"])

    load = Load(lambda asked: fleet.ask("POST", "/risk/v1/decisions", asked))
    try:
        assert in_force() == SHIPPED.package.hash
        writing.write(tmp_path / "other", changed())
        assert commands.run(["publish", str(tmp_path / "other"), "--data", str(data)]) == 0
        until(lambda: in_force() == OTHER.package.hash)
        shelf, broken = Shelf(data), risk_made.parsed(changed(440_000))
        shelf.keep(broken)
        (data / "packages" / broken.hash.removeprefix("sha256:") / "routes.json").write_text("{}")
        shelf.point_at(broken.hash)
        until(lambda: "is refused" in (tmp_path / "risk-1.log").read_text())
        assert in_force() == OTHER.package.hash, "the old one stays"
        shelf.point_at(SHIPPED.package.hash)
        until(lambda: in_force() == SHIPPED.package.hash)
    finally:
        load.stop()
    assert load.failed == []
    assert {each["package"] for each in load.answered} == set(LIMITS)
    assert all(each["offer"]["limit_fen"] == LIMITS[each["package"]] for each in load.answered)


def test_kill_9_under_load_loses_no_answered_decision(fleet: Fleet, tmp_path: Path) -> None:
    answered: list[dict[str, Any]] = []
    for _ in range(2):
        first, second = fleet.begin("risk", 1), fleet.begin("risk", 2)
        fleet.ready(first, second)
        load, before = Load(straight_to(first, second)), len(answered)
        until(lambda load=load: len(load.answered) > 40)  # type: ignore[misc]
        fleet.end(first, signal.SIGKILL)
        fleet.end(second, signal.SIGKILL)
        load.stop()
        answered += load.answered
        assert len(answered) > before + 40
    logged = {each.decision_id: json.loads(each.output) for each in LogReader(tmp_path / "risk" / FILE).entries()}
    assert [each["decision_id"] for each in answered if logged.get(each["decision_id"]) != each] == []
    replay = Replay(Shelf(tmp_path / "risk"))
    assert all(each.is_same for each in replay.all(LogReader(tmp_path / "risk" / FILE).entries()))


@pytest.mark.parametrize(
    "config, found",
    [
        ({"CHALLENGER_PACKAGE": "gone"}, "it cannot be read"),
        ({"CHALLENGER_BUCKETS": "10001"}, "challenger.buckets is '10001'"),
    ],
)
def test_a_wrong_configuration_does_not_start(fleet: Fleet, tmp_path: Path, config: dict[str, str], found: str) -> None:
    process = fleet.begin("risk", **config)
    assert process.popen.wait(30) == 1
    assert found in (tmp_path / "risk-1.log").read_text()
    assert "risk does not start" in (tmp_path / "risk-1.log").read_text()
