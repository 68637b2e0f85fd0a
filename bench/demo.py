"""The story of `make demo`: the finance platform comes up, is upgraded, gets a bad release, loses processes, and its customers notice nothing."""

import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any

from bench.lending import CUSTOMERS, Platform, loan_traffic
from bench.load import Load
from bench.machine import ROOT, Failed, Machine, wait_until
from bench.report import Report, percentile
from bench.story import Story

APPS = ("ledger", "fraud", "risk", "approval")
RATE = 30.0
FAULTY = '''"""What went wrong in this release: every fourth decision divides by zero, and all are slow."""

import asyncio
import itertools

NUMBERS = itertools.count(1)


def wrap(app):
    async def broken(scope, receive, send):
        if scope["type"] == "http" and scope["path"].startswith("/v1/decisions"):
            await asyncio.sleep(0.25)
            if next(NUMBERS) % 4 == 0:
                1 / 0
        await app(scope, receive, send)

    return broken
'''


@dataclass(slots=True)
class Stage:
    """What the chapters share: the machine, the story, the platform behind the gateway, and the load once it flows."""

    machine: Machine
    story: Story
    platform: Platform
    load: Load

    def failures(self) -> int:
        return len(self.load.tally.failures)


def run(report: Report) -> None:
    """Play the story; KEEP=1 leaves everything running."""
    keep = bool(os.environ.get("KEEP"))
    home = ROOT / ".msxfctl" / "demo" if keep else Path(tempfile.mkdtemp(prefix="demo-", dir=state_folder()))
    story, machine = Story(report), Machine(home)
    try:
        _play(story, machine)
    except (Failed, ConnectionError) as error:
        story.kept("the story could be told to its end", str(error).splitlines()[0], False)
        _blame(story, machine, str(error))
    finally:
        if not keep:
            machine.down()
            shutil.rmtree(home, ignore_errors=True)
    story.kept("from the start to here", f"{story.elapsed_s:.0f} s (goal: under 120 s)", story.elapsed_s < 120)
    story.table()
    farewell(story, machine, "demo", keep)
    report.at_least("promises kept", sum(one.ok for one in story.promises), len(story.promises), "promises")


def _play(story: Story, machine: Machine) -> None:
    stage = _come_up(story, machine)
    try:
        _customers(stage)
        _upgrade(stage)
        _bad_release(stage)
        _kill_an_instance(stage)
        _kill_the_daemon(stage)
    finally:
        stage.load.stop()
    _books(stage)


def _come_up(story: Story, machine: Machine) -> Stage:
    story.chapter("Everything comes up: a daemon, a gateway, and four finance applications in dependency order")
    began = monotonic()
    with story.working("starting the daemon and the gateway"):
        machine.up()
    services = machine.ask("services")["services"]
    for app in APPS:
        with story.working(f"building and deploying {app} 1.0.0"):
            machine.run("build", app, "--version", "1.0.0")
            machine.run("deploy", app, "--version", "1.0.0", "--reason", "the first release")
    status = machine.ask("status")
    live = f"{status['ready']} instances, {len(services)} services, {monotonic() - began:.1f} s"
    story.kept("four applications live, of a catalog of 310 or more services", live, status["ready"] >= 4 and len(services) >= 310)
    load = Load(status["gateway"], loan_traffic, RATE).start()
    story.said(f"from here on {RATE:.0f} requests a second come in through {status['gateway']}")
    return Stage(machine, story, Platform(status["gateway"]), load)


def _customers(stage: Stage) -> None:
    stage.story.chapter("Mike, John and Jane apply, get their loans, and Mike pays his first instalment")
    for customer in CUSTOMERS:
        case = stage.platform.apply(customer, customer.name.lower())
        promised = _terms(customer.limit_fen, customer.annual_rate, customer.flow)
        offer = case["offer"] or {"limit_fen": 0, "annual_rate": "0", "flow": "no"}
        given = _terms(offer["limit_fen"], offer["annual_rate"], offer["flow"])
        stage.story.kept(f"{customer.name}: {promised}", f"{given}; {case['status']}", given == promised and case["status"] == "disbursed")
        if customer is CUSTOMERS[0]:
            _first_repayment(stage, case["loan_id"])


def _terms(limit_fen: int, annual_rate: str, flow: str) -> str:
    return f"limit {limit_fen / 100:,.0f}, {float(annual_rate):.1%} a year, {flow} flow"


def _first_repayment(stage: Stage, loan: str) -> None:
    first = stage.platform.schedule(loan)["instalments"][0]
    paid = stage.platform.repay(loan, first["amount_fen"], "mike-first")
    over = paid["allocated"]["overpayment_fen"]
    stage.story.kept("the first instalment is paid in full", f"{first['amount_fen'] / 100:,.2f} paid, {over / 100:,.2f} too much", over == 0)


def _upgrade(stage: Stage) -> None:
    stage.story.chapter("All four applications are upgraded, one after the other, under load")
    before, sent = stage.failures(), stage.load.tally.sent
    for app in APPS:
        began = monotonic()
        with stage.story.working(f"{app} 1.0.0 → 1.1.0", lambda: f"{stage.load.tally.sent} requests, {stage.failures()} failed"):
            stage.machine.run("build", app, "--version", "1.1.0")
            ended = stage.machine.ask("deploy", app, "--version", "1.1.0", "--reason", "upgrade under load")
        stage.story.said(f"{app} 1.1.0 is {_phase(ended)}, {monotonic() - began:.1f} s")
    failed, carried = stage.failures() - before, stage.load.tally.sent - sent
    stage.story.kept("failed requests while four applications were upgraded", f"{failed} of {carried:,}", failed == 0)
    for _, why in stage.load.tally.failures[before : before + 3]:
        stage.story.said(why)


def _bad_release(stage: Stage) -> None:
    stage.story.chapter("A bad release of risk goes out: errors and slowness. The canary finds it; msxfctl takes it back")
    with _spoilt_source() as source:
        stage.machine.run("build", "risk", "--version", "1.2.0", "--source", str(source))
    began, failed = monotonic(), stage.failures()
    with stage.story.working("risk 1.1.0 → 1.2.0, which is broken", lambda: f"{stage.load.tally.sent} requests"):
        stage.machine.run("deploy", "risk", "--version", "1.2.0", "--reason", "a bad day", may_fail=True)
    took = monotonic() - began
    last = stage.machine.ask("history", "risk")["rollouts"][0]
    touched = _touched(last)
    found = f"{last['phase'].replace('_', ' ')} after {took:.1f} s; {last['abort_why']}"
    stage.story.kept("found and rolled back by itself", found, last["phase"] == "rolled_back")
    stage.story.said(f"it touched {touched} decisions; approval asks again for what risk could not answer: {stage.failures() - failed} customers saw an error")
    live = stage.machine.ask("show", "risk")
    stage.story.kept("risk 1.1.0 has all of the traffic again", f"{live['version']}, {live['ready']} of {live['desired']} ready", live["version"] == "1.1.0")


def _touched(rollout: dict[str, Any]) -> int:
    return sum(one["target"]["requests"] for one in rollout["measurements"])


@contextmanager
def _spoilt_source() -> Iterator[Path]:
    """Give a copy of the sources in which risk wraps its app in something broken."""
    with tempfile.TemporaryDirectory(prefix="msxfctl-spoilt-") as folder:
        source = Path(folder)
        for part in ("ctl/kit", "reference_apps/risk"):
            shutil.copytree(ROOT / part, source / part, ignore=shutil.ignore_patterns("__pycache__"))
        for file in ("ctl/__init__.py", "reference_apps/__init__.py"):
            shutil.copy(ROOT / file, source / file)
        main = source / "reference_apps/risk/__main__.py"
        main.write_text(main.read_text().replace("serving.serve(app", "from reference_apps.risk import faulty\n    serving.serve(faulty.wrap(app)"))
        (source / "reference_apps/risk/faulty.py").write_text(FAULTY)
        yield source


def _kill_an_instance(stage: Stage) -> None:
    stage.story.chapter("An instance of risk is killed (kill -9)")
    before = stage.failures()
    group = stage.machine.ask("show", "risk")["groups"][0]
    os.kill(group["instances"][0]["pid"], signal.SIGKILL)

    def whole() -> bool:
        seen = stage.machine.ask("show", "risk")["groups"][0]
        return seen["ready"] == group["ready"] and any(one["restarts"] for one in seen["instances"])

    with stage.story.working("one of three is gone"):
        took = wait_until("risk is whole again", whole, within_s=20)
    failed = stage.failures() - before
    stage.story.kept("failed requests when an instance was killed", f"{failed}; three of three again after {took:.1f} s", failed == 0)


def _kill_the_daemon(stage: Stage) -> None:
    stage.story.chapter("The daemon is killed (kill -9) in the middle of a rollout of approval, and started again")
    before = stage.failures()
    stage.machine.run("build", "approval", "--version", "1.2.0")
    rollout = stage.machine.ask("deploy", "approval", "--version", "1.2.0", "--no-wait", "--reason", "with an interruption")["rollout"]["id"]
    wait_until("the rollout has begun to move", lambda: _moving(stage.machine), within_s=20)
    os.kill(stage.machine.daemon_pid(), signal.SIGKILL)
    with stage.story.working("no daemon; the platform goes on"):
        stage.machine.up()
    with stage.story.working("approval 1.1.0 → 1.2.0 goes on where it stopped"):
        wait_until("the rollout has ended", lambda: not stage.machine.ask("history", "approval")["rollouts"][0]["active"], within_s=60, every_s=0.3)
    last = stage.machine.ask("history", "approval")["rollouts"][0]
    right = (last["id"], last["phase"]) == (rollout, "certified")
    stage.story.kept("the rollout ends right", f"{last['id']} is {last['phase']}, {last['took_s']:.1f} s", right)
    stage.story.kept("failed requests without a daemon", str(stage.failures() - before), stage.failures() == before)


def _moving(machine: Machine) -> bool:
    groups = machine.ask("show", "approval")["groups"]
    return any(group["version"] == "1.2.0" and group["instances"] for group in groups)


def _books(stage: Stage) -> None:
    stage.story.chapter("The books are closed and every application is accounted for")
    tally = stage.load.tally
    asked = _applications(tally.sent) + len(CUSTOMERS)
    with stage.story.working("waiting for parked applications to go on"):
        wait_until("every application has come to rest", lambda: not _open(stage.platform.summary()), within_s=30, every_s=0.5)
    summary, balance = stage.platform.summary(), stage.platform.trial_balance()
    counts = ", ".join(f"{count} {status}" for status, count in summary["by_status"].items() if count)
    stage.story.kept("every application is accounted for", f"{summary['total']} of {asked}: {counts}", summary["total"] == asked)
    differences = sum(abs(each["difference_fen"]) for each in balance["ledgers"]) + abs(balance["subledger"]["difference_fen"])
    stage.story.kept("the ledger's trial balance is zero", f"{differences} fen of difference over {balance['transfers']:,} transfers", differences == 0)
    stage.story.kept("one loan for each disbursed application", f"{balance['loans']} loans", balance["loans"] == summary["by_status"].get("disbursed", 0))
    journal = stage.machine.ask("journal", "verify")
    stage.story.kept("the journal's chain is whole", f"{journal['events']:,} events", bool(journal["intact"]))
    stage.story.said(f"{tally.sent:,} requests in all, {len(tally.failures)} failed; p99 {1000 * percentile(tally.latencies_s, 0.99):.0f} ms")


def _applications(sent: int) -> int:
    return sum(1 for number in range(sent) if number % 10 != 9)


def _open(summary: dict[str, Any]) -> int:
    return int(sum(summary["by_status"].get(status, 0) for status in ("running", "waiting")))


def _phase(document: dict[str, Any]) -> str:
    return str(document["rollout"]["phase"])


def state_folder() -> Path:
    folder = ROOT / ".msxfctl"
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder


def _blame(story: Story, machine: Machine, error: str) -> None:
    for line in error.splitlines()[-20:]:
        story.said(line)
    log = machine.home / "logs" / "daemon.log"
    if log.exists():
        for line in log.read_text().splitlines()[-20:]:
            story.said(line)


def farewell(story: Story, machine: Machine, target: str, keep: bool) -> None:
    """Say how to look around: now, where it still runs, or next time."""
    if not keep:
        story.said("")
        story.said(f"make {target} KEEP=1 leaves all of it running, to look around in.")
        return
    story.said("")
    story.said(f"It is still running. Try, with MSXFCTL_HOME={os.path.relpath(machine.home)}:")
    for command in ("msxfctl status", "msxfctl show risk", "msxfctl events --follow", "msxfctl down"):
        story.said(f"  {command}")
