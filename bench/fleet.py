"""The story of `make fleet`: every service of the catalog as processes on this machine, traffic along depends_on, then thirty rollouts at once."""

import os
import shutil
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import monotonic, sleep

from bench.daemon import cpu_s, resident_mb
from bench.demo import RATE, farewell, state_folder
from bench.load import Call, Load
from bench.machine import Failed, Machine, wait_until
from bench.report import Report, percentile
from bench.story import Story
from ctl.client import RemotePlane
from ctl.model.view import ServiceRow

ROLLED, HEALTHY_S, HANDS = 30, 60.0, 4
SETTLING_S, WATCHED_S = 30.0, 15.0
APPS = frozenset({"risk", "fraud", "approval", "ledger"})


def run(report: Report) -> None:
    """Play the story; KEEP=1 leaves everything running."""
    keep = bool(os.environ.get("KEEP"))
    home = state_folder() / "fleet" if keep else Path(tempfile.mkdtemp(prefix="fleet-", dir=state_folder()))
    story, machine = Story(report), Machine(home)
    try:
        _play(story, machine)
    except (Failed, ConnectionError) as error:
        story.kept("the story could be told to its end", str(error).splitlines()[0], False)
    finally:
        if not keep:
            machine.down()
            shutil.rmtree(home, ignore_errors=True)
    story.table()
    farewell(story, machine, "fleet", keep)
    report.at_least("promises kept", sum(one.ok for one in story.promises), len(story.promises), "promises")


def _play(story: Story, machine: Machine) -> None:
    story.chapter("Every service of the catalog comes up as processes of its own")
    began = monotonic()
    with story.working("starting the daemon and the gateway"):
        machine.up()
    plane = RemotePlane(machine.home / "msxfctl.sock", timeout_s=60)
    names = [row["name"] for row in plane.services()]
    _all(story, "built", names, lambda name: plane.build(name, "1.0.0"))
    _all(story, "asked to be released", names, lambda name: plane.deploy(name, "1.0.0", reason="the whole catalog"))
    healthy: list[ServiceRow] = []

    def whole() -> bool:
        healthy[:] = [row for row in plane.services() if row["ready"] >= row["desired"] > 0]
        return len(healthy) == len(names)

    with story.working("waiting until every service is healthy", lambda: f"{len(healthy)} of {len(names)}"):
        wait_until("every service is healthy", whole, within_s=300, every_s=0.5)
    took = monotonic() - began
    status = plane.status()
    story.kept(f"every service healthy in under {HEALTHY_S:.0f} s", f"{len(names)} services, {status['ready']} instances, {took:.1f} s", took < HEALTHY_S)
    with story.working("waiting until every release is certified"):
        wait_until("every release is certified", lambda: not plane.status()["rolling"], within_s=120, every_s=0.5)
    _idle(story, machine)
    _roll(story, plane, names, status["gateway"])


def _idle(story: Story, machine: Machine) -> None:
    """Measure what the daemon costs while all of it runs and nothing happens; what came before has settled by then."""
    pid = machine.daemon_pid()
    with story.working("watching the daemon while nothing happens"):
        sleep(SETTLING_S)
        before, began = cpu_s(pid), monotonic()
        sleep(WATCHED_S)
        busy, memory = 100 * (cpu_s(pid) - before) / (monotonic() - began), resident_mb(pid)
    story.kept("the daemon, when nothing happens, under 2 % of a core", f"{busy:.1f} %", busy < 2)
    story.kept("the daemon's memory under 150 MB", f"{memory:.0f} MB", memory < 150)


def _roll(story: Story, plane: RemotePlane, names: Sequence[str], gateway: str) -> None:
    story.chapter(f"Traffic along the dependencies, and {ROLLED} services rolled at once")
    plain = [name for name in names if name not in APPS and plane.service(name)["spec"]["kind"] == "http"]
    chosen = plain[:: max(1, len(plain) // ROLLED)][:ROLLED]
    load = Load(gateway, lambda number: Call("GET", f"/{plain[number * 7 % len(plain)]}/work"), RATE).start()
    try:
        _all(story, "built", chosen, lambda name: plane.build(name, "1.1.0"))
        began = monotonic()
        rollouts = _all(story, "asked to be rolled", chosen, lambda name: plane.deploy(name, "1.1.0", strategy="rolling", reason="thirty at once")["id"])
        with story.working(f"{ROLLED} rollouts", lambda: f"{load.tally.sent} requests, {len(load.tally.failures)} failed"):
            wait_until("the rollouts have ended", lambda: not plane.status()["rolling"], within_s=180, every_s=0.5)
        took = monotonic() - began
    finally:
        tally = load.stop()
    ended = [plane.rollout(str(rollout)) for rollout in rollouts]
    certified = sum(1 for one in ended if one["phase"] == "certified")
    slowest = max(one["took_s"] for one in ended)
    story.kept(f"{ROLLED} rollouts at once end right", f"{certified} certified in {took:.1f} s, the slowest {slowest:.1f} s", certified == ROLLED)
    p99_ms = 1000 * percentile(tally.latencies_s, 0.99)
    story.kept("failed requests meanwhile", f"{len(tally.failures)} of {tally.sent:,}; p99 {p99_ms:.0f} ms", not tally.failures)
    for _, why in tally.failures[:3]:
        story.said(why)


def _all(story: Story, done: str, names: Sequence[str], each: Callable[[str], object]) -> list[object]:
    """Do the same for many services, a few at a time."""
    began, results = monotonic(), list[object]()
    with story.working(f"{len(names)} services are {done}", lambda: f"{len(results)} of {len(names)}"), ThreadPoolExecutor(HANDS) as hands:
        for result in hands.map(each, names):
            results.append(result)
    story.said(f"{len(names)} services {done} in {monotonic() - began:.1f} s")
    return results
