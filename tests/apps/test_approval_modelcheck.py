"""The model check against a walk of every single path: on random flows both find the same ways to cheat, at the same distance."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from reference_apps.approval.flow import modelcheck
from reference_apps.approval.flow.model import CLEARABLE, MANDATORY, PRICED, RULES, Check, Edge, Flow, FlowId, Kind, Outcome, Stage

DEPTH, MOST_PATHS = 6, 5_000
GOOD = (Outcome.PASS, Outcome.APPROVE, Outcome.SUPPLIED)
CHAINS = (
    (Kind.FRAUD, Kind.RISK),
    (Kind.FRAUD, Kind.RISK, Kind.TAOBAO, Kind.RISK),
    (Kind.FRAUD, Kind.RISK, Kind.TAOBAO),
    (Kind.FRAUD, Kind.RISK, Kind.REVIEW, Kind.REVIEW, Kind.PRICING),
    (Kind.FRAUD, Kind.REVIEW, Kind.REVIEW, Kind.RISK),
    (Kind.RISK, Kind.FRAUD, Kind.REVIEW, Kind.REPAIR, Kind.REVIEW),
    (Kind.FRAUD, Kind.RISK, Kind.WAIT, Kind.RISK),
    (Kind.FRAUD, Kind.RISK, Kind.RISK),
    (Kind.FRAUD, Kind.RISK, Kind.FRAUD),
    (Kind.REVIEW, Kind.REVIEW, Kind.RISK),
)


@st.composite
def flows(draw: Any) -> Flow:
    """Draw a flow that is nearly sound: a chain whose good outcomes lead on and whose bad ones reject, and a few edges that lead anywhere instead."""
    kinds = draw(st.sampled_from(CHAINS))
    names = [f"s{number}" for number in range(len(kinds))]
    ahead = dict(zip(names, [*names[1:], "pay"], strict=True))
    edges = {
        (name, outcome): (Edge(to=ahead[name] if outcome in GOOD else "rejected"),)
        for name, kind in zip(names, kinds, strict=True)
        for outcome in sorted(RULES[kind].outcomes)
    }
    for at in draw(st.lists(st.sampled_from(sorted(edges)), max_size=5)):
        to = draw(st.sampled_from([*names, "pay"]))
        first = Edge(to=to, when=draw(st.sampled_from(("", "has_jd"))), most=draw(st.integers(0, 1)))
        edges[at] = (first, *edges[at]) if first.when or first.most else (first,)
    reviews = [name for name, kind in zip(names, kinds, strict=True) if kind is Kind.REVIEW]
    clears = draw(st.sampled_from((CLEARABLE, CLEARABLE, frozenset({Check.FRAUD}), frozenset[Check]())))
    stages = {
        name: Stage(
            name=name,
            kind=kind,
            edges={outcome: found for (at, outcome), found in edges.items() if at == name},
            four_eyes_with=tuple(reviews[:1]) if name in reviews[1:] else (),
            clears=clears if name in reviews[1:] else frozenset(),
        )
        for name, kind in zip(names, kinds, strict=True)
    }
    stages["pay"] = Stage(name="pay", kind=Kind.DISBURSE, edges={each: (Edge(to="done"),) for each in RULES[Kind.DISBURSE].outcomes})
    skipped = frozenset(name for name, kind in zip(names, kinds, strict=True) if kind is Kind.TAOBAO)
    return Flow(
        id=FlowId("random", 1, ""),
        start="s0",
        stages=stages,
        profiles={"fast": skipped, "slow": frozenset()},
        default_profile="slow",
        supplements=draw(st.integers(0, 2)),
    )


@dataclass(frozen=True)
class Trodden:
    """One step of a path that was walked: the stage, its outcome (None: skipped), the place of the edge."""

    stage: Stage
    outcome: Outcome | None
    place: int


Path = tuple[Trodden, ...]


def paths(flow: Flow) -> Iterator[Path]:
    """Yield every path to a payout, however long it took up to DEPTH: plain recursion, nothing remembered but the path itself."""

    def onward(at: str, profile: str, path: Path) -> Iterator[Path]:
        if at == "pay":
            yield path
        if len(path) >= DEPTH or at not in flow.stages or at == "pay":
            return
        stage = flow.stages[at]
        if at in flow.profiles[profile]:
            for place in open_edges(stage, Outcome.PASS, path):
                yield from onward(stage.edges[Outcome.PASS][place].to, profile, (*path, Trodden(stage, None, place)))
            return
        for outcome in stage.edges:
            used_up = sum(1 for trod in path if trod.outcome is Outcome.SUPPLIED) >= flow.supplements
            if stage.kind is Kind.WAIT and (outcome is Outcome.EXHAUSTED) is not used_up:
                continue
            for place in open_edges(stage, outcome, path):
                priced = stage.kind in (Kind.RISK, Kind.PRICING) and outcome in (Outcome.PASS, Outcome.MANUAL, Outcome.MISSING)
                for chosen in flow.profiles if priced else [profile]:
                    yield from onward(stage.edges[outcome][place].to, chosen, (*path, Trodden(stage, outcome, place)))

    return onward(flow.start, flow.default_profile, ())


def open_edges(stage: Stage, outcome: Outcome, path: Path) -> list[int]:
    since = max((number + 1 for number, trod in enumerate(path) if trod.outcome is Outcome.SUPPLIED), default=0)
    if outcome is Outcome.SUPPLIED:
        since = len(path)
    found = []
    for place, edge in enumerate(stage.edges[outcome]):
        taken = sum(1 for trod in path[since:] if (trod.stage.name, trod.outcome or Outcome.PASS, trod.place) == (stage.name, outcome, place))
        if since and path[since - 1].stage.name == stage.name and outcome is Outcome.SUPPLIED and path[since - 1].place == place:
            taken += 1
        if not edge.most or taken < edge.most:
            found.append(place)
            if not edge.when:
                break
    return found


def wrongs(path: Path) -> set[str]:
    """Return what is wrong with paying out at the end of a path, by reading it from its beginning."""
    found = {f"skips {check}" for check in MANDATORY if not settled(check, path)}
    found |= {f"{name} is not re-checked by a second person" for name in alone(path)}
    return found | {f"goes on although {name} failed" for name in gaps(path)}


def settled(check: Check, path: Path) -> bool:
    """Whether a check holds at the end: its last say was a pass, or two people cleared it after it had asked for them."""
    if check is Check.CONSENT:
        return True
    holds = asks = False
    for number, trod in enumerate(path):
        kind, outcome = trod.stage.kind, trod.outcome
        if outcome is None:
            continue
        if check in RULES[kind].settles:
            holds, asks = outcome is Outcome.PASS, outcome in (Outcome.MANUAL, Outcome.MISSING)
        elif check in PRICED and (outcome is Outcome.SUPPLIED or (kind is Kind.TAOBAO and outcome is Outcome.PASS)):
            holds = False
        elif asks and check in trod.stage.clears and outcome is Outcome.APPROVE and is_second(path[: number + 1]):
            holds, asks = True, False
    return holds


def is_second(path: Path) -> bool:
    """Whether the last step of a path is an approval of what somebody else approved before."""
    *before, last = path
    return last.outcome is Outcome.APPROVE and bool(alone(tuple(before)) & set(last.stage.four_eyes_with))


def alone(path: Path) -> set[str]:
    """Return the reviews whose approval nobody has re-checked at the end."""
    found: set[str] = set()
    for trod in path:
        if trod.stage.kind is not Kind.REVIEW or trod.outcome is None:
            continue
        first = found & set(trod.stage.four_eyes_with)
        found = set() if trod.outcome is not Outcome.APPROVE else found - first if first else found | {trod.stage.name}
    return found


def gaps(path: Path) -> set[str]:
    """Return the stages whose failure was never made good at the end."""
    found: set[str] = set()
    for number, trod in enumerate(path):
        if trod.outcome is Outcome.SUPPLIED or (trod.stage.kind is Kind.REVIEW and trod.outcome is Outcome.APPROVE and is_second(path[: number + 1])):
            found = set()
        elif trod.stage.is_automatic and trod.outcome in (Outcome.MISSING, Outcome.TIMEOUT, Outcome.ERROR):
            found.add(trod.stage.name)
        elif trod.outcome is Outcome.PASS:
            found.discard(trod.stage.name)
    return found


CHEATS = ("skips ", "goes on although", " is not re-checked")


def compared(flow: Flow) -> None:
    walked = list(itertools.islice(paths(flow), MOST_PATHS))
    assume(len(walked) < MOST_PATHS)
    by_hand: dict[str, int] = {}
    for path in walked:
        for wrong in wrongs(path):
            by_hand[wrong] = min(len(path), by_hand.get(wrong, DEPTH))
    found = dict(_told(finding) for finding in modelcheck.check(flow) if any(cheat in finding for cheat in CHEATS))
    assert {wrong: far for wrong, far in found.items() if far <= DEPTH} == by_hand


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(flows())
def test_the_model_check_finds_exactly_the_cheats_that_a_walk_of_every_path_finds(flow: Flow) -> None:
    compared(flow)


@pytest.mark.nightly
@pytest.mark.timeout(1_800)
@settings(deadline=None, max_examples=3_000, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(flows())
def test_the_model_check_finds_exactly_the_cheats_of_many_more_flows(flow: Flow) -> None:
    compared(flow)


def _told(finding: str) -> tuple[str, int]:
    """Return what a finding says is wrong, and after how many steps."""
    way, _, wrong = finding.partition(": ")
    return wrong.rsplit(" (profile", 1)[0], way.count(" -> ") - 1
