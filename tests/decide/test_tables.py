"""The worked examples of the rules, as tables: what is seen, what is decided, and the sentence that says why."""

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from ctl.decide import foresee, sizing, strategies, verbs, verdict, view
from ctl.decide import rollout as rolling
from ctl.errors import NotFound, Refused
from ctl.model.fleet import Group, Instance, InstancePhase, RouteEntry, Routes
from ctl.model.rollout import Phase, Rollout, Side
from ctl.model.service import CanaryStep, Gate, Handover, RolloutPolicy, Share, Strategy
from ctl.model.situation import Situation
from tests.decide.world import EPOCH, SERVICE

HERE = Path(__file__).parent
Row = Mapping[str, Any]
POLICY = RolloutPolicy(steps=(CanaryStep(weight_pct=10), CanaryStep(weight_pct=50)))


def table(name: str) -> Any:
    return json.loads((HERE / name).read_text())


SIZING, VERBS = table("sizing.json"), table("verbs.json")


def share(text: str) -> Share:
    return Share(value=int(text.rstrip("%")), percent=text.endswith("%"))


def rollout_in(phase: Phase, **fields: Any) -> Rollout:
    base = {"id": "risk-r2", "service": SERVICE, "revision": 2, "from_release": "old", "to_release": "new", "policy": POLICY, "actor": "ann", "reason": ""}
    times = {"phase_since": EPOCH, "started_at": EPOCH, "last_progress_at": EPOCH}
    return Rollout(**(base | times | {"phase": phase} | fields))


# --- arithmetic ---


@pytest.mark.parametrize("row", SIZING["resolve"], ids=str)
def test_surge_and_unavailable(row: Row) -> None:
    assert sizing.resolve(share(row["surge"]), share(row["unavailable"]), row["desired"]) == tuple(row["is"])


@pytest.mark.parametrize("row", SIZING["capped"], ids=str)
def test_max_total(row: Row) -> None:
    assert sizing.capped(*row["of"], row["max_total"]) == tuple(row["is"])


@pytest.mark.parametrize("row", SIZING["grown"], ids=str)
def test_grown(row: Row) -> None:
    assert sizing.grown(row["target"], row["total"], row["desired"], row["surge"]) == row["is"]


@pytest.mark.parametrize("row", SIZING["resized"], ids=str)
def test_proportional_resize(row: Row) -> None:
    sizes = [(release, size) for release, size in row["sizes"]]
    assert sizing.resized(sizes, row["desired"], row["surge"], row["last_allowed"]) == row["is"]


@pytest.mark.parametrize("row", SIZING["canary_with_split"], ids=str)
def test_canary_with_a_traffic_split(row: Row) -> None:
    assert sizing.canary_with_split(row["desired"], row["weight"]) == row["is"]


@pytest.mark.parametrize("row", SIZING["canary_without_split"], ids=str)
def test_canary_without_a_traffic_split(row: Row) -> None:
    assert sizing.canary_without_split(*row["of"]) == tuple(row["is"])


# --- rolling, tick by tick ---


@pytest.mark.parametrize("row", table("rolling.json"), ids=lambda row: str(row["trace"]))
def test_trace(row: Row) -> None:
    policy = replace(POLICY, surge=share(row["surge"]), unavailable=share(row["unavailable"]))
    rollout = rollout_in(Phase.STEPPING, policy=policy, to_release="target", desired=row["desired"], last_allowed=row.get("last_allowed", 0))
    for tick in row["ticks"]:
        groups = {release: [*tick[release], 0] for release in ("left", "old", "target") if release in tick}
        situation = seen({"groups": groups, "desired": row["desired"], "stable": "old"}, policy)
        wish, reached, why = strategies.roll(rollout, situation, view.view_of(rollout, situation))
        assert dict(wish.grow) == tick.get("grow", {}), f"{tick}: {why}"
        assert {release: count for release, count in wish.take.items() if count} == tick.get("take", {}), f"{tick}: {why}"
        assert reached == tick.get("reached", False), f"{tick}: {why}"


# --- verdicts ---


@pytest.mark.parametrize("row", table("verdicts.json"), ids=lambda row: str(row["story"]))
def test_verdict(row: Row) -> None:
    target, stable = side(row["target"]), side(row["stable"]) if row["stable"] else None
    found = verdict.doubted(verdict.measure(target, stable, Gate(), EPOCH), row.get("silent", 0))
    assert found.verdict == row["verdict"], found.why
    assert found.why == row.get("why", found.why)


def side(row: list[Any]) -> Side:
    return Side(requests=row[0], errors=row[1], p99_ms=row[2])


# --- what a person may do ---


def act(verb: str, rollout: Rollout) -> Rollout:
    later = EPOCH + timedelta(seconds=60)
    match verb:
        case "pause":
            return verbs.pause(rollout, later, "lunch")
        case "resume":
            return verbs.resume(rollout, later)
        case "promote":
            return verbs.promote(rollout, later, full=False)
        case "promote full":
            return verbs.promote(rollout, later, full=True)
        case _:
            return verbs.abort(rollout, later, "told to")


@pytest.mark.parametrize("verb", VERBS["verbs"])
@pytest.mark.parametrize("number", range(len(VERBS["phases"])), ids=VERBS["phases"])
def test_verb(verb: str, number: int) -> None:
    before = rollout_in(Phase(VERBS["phases"][number]))
    if before.phase is Phase.PAUSED:
        before = replace(before, paused_from=Phase.STEPPING, paused_why="lunch")
    expect(verb, before, VERBS["verbs"][verb][number])


@pytest.mark.parametrize("row", VERBS["paused"], ids=str)
def test_verb_while_paused(row: Row) -> None:
    steps = (CanaryStep(weight_pct=10, pause=row.get("gate", False)),)
    before = rollout_in(Phase.PAUSED, paused_from=Phase(row["from"]), paused_why="lunch", policy=replace(POLICY, steps=steps))
    expect(row["verb"], before, row["is"])


def expect(verb: str, before: Rollout, outcome: str) -> None:
    if outcome == "refused":
        with pytest.raises(Refused) as refusal:
            act(verb, before)
        assert refusal.value.remedy, "a refusal says what to do instead"
        return
    after = act(verb, before)
    assert after == before if outcome == "=" else after.phase == outcome
    if verb != "promote":
        assert act(verb, after) == after, "doing it again changes nothing"


def test_resume_goes_on_with_the_time_that_was_left() -> None:
    def ago(seconds: float) -> datetime:
        return EPOCH - timedelta(seconds=seconds)

    before = rollout_in(Phase.BAKING, last_progress_at=ago(10), unwell_since=ago(5), step_since=ago(20))
    paused = verbs.pause(before, EPOCH, "lunch")
    later = EPOCH + timedelta(hours=1)
    resumed = verbs.resume(paused, later)
    assert (later - resumed.last_progress_at, later - (resumed.unwell_since or later)) == (timedelta(seconds=10), timedelta(seconds=5))
    assert (resumed.phase, resumed.phase_since, resumed.step_since, resumed.paused_s) == (Phase.BAKING, later, later, 3600.0)
    assert (resumed.paused_from, resumed.paused_why) == (None, "")


def test_superseding() -> None:
    for name in VERBS["supersede"]["may"]:
        assert verbs.may_supersede(rollout_in(Phase(name))), name
    for name in VERBS["supersede"]["may not"]:
        assert not verbs.may_supersede(rollout_in(Phase(name))), name
    for name, may in VERBS["supersede"]["paused"].items():
        assert verbs.may_supersede(rollout_in(Phase.PAUSED, paused_from=Phase(name))) is may, name


@pytest.mark.parametrize("row", table("undo.json"), ids=lambda row: str(row["story"]))
def test_undo(row: Row) -> None:
    now = EPOCH + timedelta(days=30)
    history = [
        rollout_in(Phase(phase), id=f"r{revision}", revision=revision, to_release=release, finished_at=now - timedelta(days=days))
        for revision, release, phase, days in row["history"]
    ]
    if row["to"] is None:
        with pytest.raises(NotFound):
            verbs.undo_target(history, row["current"])
        return
    target = verbs.undo_target(history, row["current"])
    assert target.to_release == row["to"]
    assert verbs.is_known_good(target, history[0].revision, now) is row["known_good"]


# --- whole decisions ---


@pytest.mark.parametrize("row", table("decisions.json"), ids=lambda row: str(row["story"]))
def test_decision(row: Row) -> None:
    shares = {name: share(value) for name, value in row.get("policy", {}).items() if isinstance(value, str)}
    policy = replace(POLICY, strategy=Strategy(row.get("strategy", "rolling")), min_ready_s=0.0, **(row.get("policy", {}) | shares))
    situation = seen(row, policy)
    if row["rollout"] is None:
        decision = rolling.steady(situation)
        assert decision.next_state is None
    else:
        before = stored(row["rollout"], situation)
        decision = rolling.next_step(before, situation)
        assert decision.next_state
        assert decision.next_state.phase == row["phase"], decision.why
        assert decision.next_state.from_release == row.get("from", before.from_release)
    assert [foresee.describe(action) for action in decision.actions] == row["actions"], decision.why
    assert decision.why == row.get("why", decision.why)


def stored(fields: Row, situation: Situation) -> Rollout:
    times = {name[:-2]: situation.now - timedelta(seconds=value) for name, value in fields.items() if name.endswith("_since_s")}
    plain = {name: value for name, value in fields.items() if name != "phase" and not name.endswith("_since_s")}
    if "paused_from" in plain:
        plain["paused_from"] = Phase(plain["paused_from"])
    now = {"phase_since": situation.now, "last_progress_at": situation.now}
    return rollout_in(Phase(fields["phase"]), **(now | plain | times | {"policy": situation.policy}))


def seen(row: Row, policy: RolloutPolicy) -> Situation:
    """Build a situation from groups given as [size, available, weight]; `routed` says how many of a group have the traffic (else all available)."""
    now = EPOCH + timedelta(days=1)
    groups = tuple(group(release, numbers, row, now) for release, numbers in row["groups"].items())
    return Situation(
        service=SERVICE,
        policy=replace(policy, min_ready_s=0.0),
        handover=Handover(row.get("handover", "none")),
        desired=row["desired"],
        stable=row["stable"],
        groups=groups,
        routes=Routes(service=SERVICE, entries=tuple(entry(one, row) for one in groups if row["groups"][one.release][2])),
        registered=None,
        queued=row.get("queued", False),
        now=now,
    )


def group(release: str, numbers: list[int], row: Row, now: Any) -> Group:
    size, available, _ = numbers
    age = {"left": 3, "old": 2}.get(release, 1)
    up = InstancePhase.STANDBY if release in row.get("standby", ()) else InstancePhase.READY
    instances = tuple(
        Instance(
            id=f"{release}-{number}",
            service=SERVICE,
            release=release,
            address=f"{release}:{number}",
            phase=up if number <= available else InstancePhase.UNREADY,
            since=now - timedelta(hours=age) if number <= available else now - timedelta(seconds=row.get("unready_s", 0)),
            created_at=now - timedelta(hours=age),
        )
        for number in range(1, size + 1)
    )
    return Group(service=SERVICE, release=release, desired=row.get("asked", {}).get(release, size), instances=instances)


def entry(one: Group, row: Row) -> RouteEntry:
    size, available, weight = row["groups"][one.release]
    routed = one.instances[: row.get("routed", {}).get(one.release, available or size)]
    return RouteEntry(release=one.release, weight_pct=weight, instances=tuple(each.id for each in routed), addresses=tuple(each.address for each in routed))
