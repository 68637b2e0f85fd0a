"""Decisions at full size: 310 services, 2,000 hosts, 6,000 instances, 100 rollouts at once; all in memory, through the real control layer."""

from time import perf_counter

from bench.report import Report, percentile
from bench.simulated import Simulation, catalog_of
from ctl.decide import rollout as rolling

SERVICES, INSTANCES, ROLLOUTS = 310, 6000, 100


def run(report: Report) -> None:
    """Roll 100 of 310 services at once and time each pure decision on the way."""
    simulation = Simulation(catalog_of(SERVICES, replicas=-(-INSTANCES // SERVICES)))
    simulation.release_everything()
    instances = sum(len(group.instances) for groups in simulation.doors.runtime.observe().values() for group in groups)
    names = list(simulation.doors.catalog.snapshot().services)[:ROLLOUTS]
    for name in names:
        simulation.build(name, "2.0.0")
        simulation.plane.deploy(name, "2.0.0")
    simulation.decision_s.clear()
    decisions = _timed_decisions(simulation)
    certified = sum(1 for name in names if simulation.doors.rollouts.history(name, 1)[0].phase.value == "certified")
    report.note("instances", instances, "instances")
    report.at_most("one decision, p99", 1000 * percentile(decisions, 0.99), 5, "ms")
    report.note("one decision, median", 1000 * percentile(decisions, 0.5), "ms")
    report.at_most("one tick with effects and journal, p99", 1000 * percentile(simulation.decision_s, 0.99), 50, "ms")
    report.at_least("rollouts certified", certified, ROLLOUTS, "rollouts")


def _timed_decisions(simulation: Simulation) -> list[float]:
    """Run the rollouts to their end; beside each round, time the pure decision of every active one on what was observed."""
    times: list[float] = []

    def over() -> bool:
        wanted, fleet = simulation.ticker.look()
        for service, rollout in wanted.current.items():
            situation = simulation.ticker.situation(service, wanted, fleet)
            began = perf_counter()
            rolling.next_step(rollout, situation)
            times.append(perf_counter() - began)
        return not wanted.current

    simulation.run_until(over)
    return times
