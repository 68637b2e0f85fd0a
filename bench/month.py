"""A month of releases: 1,289 of them, 5 % bad in three ways, replayed through the real control layer in memory."""

import random
from collections import Counter
from time import perf_counter

from bench.report import Report
from bench.simulated import Simulation, catalog_of
from ctl.backends.runtimes.memory import Fault
from ctl.model.rollout import Phase

RELEASES, BAD_PCT, SERVICES, SEED = 1289, 5, 310, 20260101
MONTH_S = 30 * 86400.0
WAYS = ("errors", "crashes", "never ready")


def run(report: Report) -> None:
    """Spread the releases over a month, make 5 % of them bad, and count how each ended."""
    dice = random.Random(SEED)
    simulation = Simulation(catalog_of(SERVICES, replicas=4))
    simulation.release_everything()
    began, start = perf_counter(), simulation.now_s
    names = list(simulation.doors.catalog.snapshot().services)
    bad = {number: WAYS[place % len(WAYS)] for place, number in enumerate(dice.sample(range(RELEASES), round(RELEASES * BAD_PCT / 100)))}
    moments = sorted(dice.uniform(0, MONTH_S) for _ in range(RELEASES))
    asked: list[tuple[str, str, str]] = []
    for number, moment in enumerate(moments):
        simulation.run_to(start + moment)
        service, version = dice.choice(names), f"2.{number}"
        _spoil(simulation, service, version, bad.get(number, ""))
        rollout = simulation.plane.deploy(service, version, reason="the month")
        asked.append((rollout["id"], rollout["to_release"], bad.get(number, "")))
    simulation.run_until(lambda: not simulation.doors.rollouts.active())
    took = perf_counter() - began
    _count(report, simulation, asked, took)


def _spoil(simulation: Simulation, service: str, version: str, way: str) -> None:
    """Build the version, and make it bad in the given way before it is deployed."""
    release = simulation.build(service, version)
    match way:
        case "errors":
            simulation.traffic.error_pct[release] = 20
        case "crashes":
            simulation.runtime.break_release(service, release, Fault(crash_after_s=2.0))
        case "never ready":
            simulation.runtime.break_release(service, release, Fault(never_ready=True))
        case _:
            pass


def _count(report: Report, simulation: Simulation, asked: list[tuple[str, str, str]], took: float) -> None:
    ends = Counter[str]()
    stable = set(simulation.doors.rollouts.stable().values())
    for rollout, release, way in asked:
        phase = simulation.doors.rollouts.load(rollout).phase
        ends["lost"] += phase not in (Phase.CERTIFIED, Phase.ROLLED_BACK, Phase.SUPERSEDED)
        ends["stopped"] += bool(way) and phase is not Phase.CERTIFIED and release not in stable
        ends["good certified"] += not way and phase in (Phase.CERTIFIED, Phase.SUPERSEDED)
    bad = sum(1 for _, _, way in asked if way)
    report.at_most("a month of 1,289 releases", took, 60, "s")
    report.at_least("bad releases stopped", ends["stopped"], bad, "releases")
    report.at_least("good releases live or superseded", ends["good certified"], RELEASES - bad, "releases")
    report.at_most("releases lost", ends["lost"], 0, "releases")
    report.note("events in the journal", simulation.doors.journal.verify(), "events")
