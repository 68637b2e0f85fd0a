"""Approval: applications a second through the engine alone, on a real disk; then from request to loan through the real gateway and its neighbours."""

import asyncio
import gc
import tempfile
from collections.abc import Mapping
from pathlib import Path
from time import perf_counter
from typing import Any

import uvloop

from bench.demo import APPS, state_folder
from bench.lending import CUSTOMERS, application
from bench.load import Call, Load
from bench.machine import Machine, wait_until
from bench.report import Report, percentile
from ctl.kit.calls import Answer
from reference_apps.approval.__main__ import SELDOM
from reference_apps.approval.bodies import ApplicationBody
from reference_apps.approval.engine import Engine, Rhythm
from reference_apps.approval.flow import advance, conditions
from reference_apps.approval.flow.advance import Retry
from reference_apps.approval.published import Published, bundled
from reference_apps.approval.services import Patience, Services
from reference_apps.approval.store import Store

APPLICATIONS, AT_ONCE, ROUNDS, ENGINE_GOAL = 6_000, 512, 3, 3_000
RATE, SECONDS, WARM_S, P99_GOAL_MS = 100.0, 20.0, 3.0, 50.0


class Neighbours:
    """Fraud, risk and ledger as they answer a good customer, in process and at once. A payout under a key that was used is the loan of then."""

    def __init__(self) -> None:
        self.loans: dict[str, Mapping[str, Any]] = {}

    async def get(self, service: str, path: str, *, timeout_s: float = 2.0, headers: Mapping[str, str] | None = None) -> Answer:
        return Answer(404, None, {})

    async def post(self, service: str, path: str, body: Any, *, timeout_s: float = 2.0, headers: Mapping[str, str] | None = None) -> Answer:
        if service == "fraud":
            return Answer(200, {"verdict": "pass"}, {})
        if service == "risk":
            offer = {"limit_fen": 400_000, "annual_rate": "0.18", "flow": "normal", "grade": "B"}
            return Answer(200, {"outcome": "pass", "offer": offer, "missing_evidence": [], "reasons": []}, {})
        key = (headers or {})["idempotency-key"]
        return Answer(201, self.loans.setdefault(key, {"loan_id": f"LN{len(self.loans)}", "principal_fen": body["principal_fen"]}), {})


def run(report: Report) -> None:
    """Measure the engine on this disk, then the whole way."""
    gc.set_threshold(*SELDOM)  # as instances run
    best, commits = max(_round() for _ in range(ROUNDS))
    report.at_least("automatic path, engine only, durable", best, ENGINE_GOAL, "applications/s")
    report.note("applications that share a commit", 2 * APPLICATIONS / commits, "applications")
    report.note("one condition of an edge", _condition_us(), "us")
    _through_the_gateway(report)


def _round() -> tuple[float, int]:
    """Run the engine once, on the event loop that instances run on."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_engine())


async def _engine() -> tuple[float, int]:
    """Return applications a second from submission to disbursement, and the commits they took."""
    with tempfile.TemporaryDirectory(prefix="bench-approval-", dir=state_folder()) as folder:
        neighbours, store = Neighbours(), Store(Path(folder), "bench-1", "bench-1#1")
        engine = Engine(store, Services(neighbours, Patience(), {}), Retry(), Rhythm(), Published(store, "loan", bundled()))
        await engine.start()
        asked = [ApplicationBody.model_validate(application(CUSTOMERS[1], f"bench-{n}")).model_dump(mode="json") for n in range(APPLICATIONS)]
        gc.collect()
        gc.freeze()
        began = perf_counter()
        await _submitted(engine, asked)
        took = perf_counter() - began
        gc.unfreeze()
        counts, commits = store.counts(), engine.commit.count
        await engine.stop()
    if counts != {"disbursed": APPLICATIONS} or len(neighbours.loans) != APPLICATIONS:
        raise AssertionError(f"{counts} and {len(neighbours.loans)} loans of {APPLICATIONS} applications")
    return APPLICATIONS / took, commits


def _condition_us() -> float:
    """Return what it costs to decide a condition of the flow, the compiled one, with the facts gathered anew."""
    body = ApplicationBody.model_validate(application(CUSTOMERS[1], "bench")).model_dump(mode="json")
    case, times = advance.begun(bundled()[0], "bench", body, 1), 20_000
    began = perf_counter()
    for _ in range(times):
        conditions.holds("profile == 'normal' and not contains(missing, 'jd')", advance.facts(case, ()))
    return 1e6 * (perf_counter() - began) / times


async def _submitted(engine: Engine, asked: list[dict[str, Any]]) -> None:
    ahead = iter(enumerate(asked))

    async def one_after_another() -> None:
        for number, body in ahead:
            await engine.submit(f"bench-{number}", body, "hash")

    await asyncio.gather(*(one_after_another() for _ in range(AT_ONCE)))


def _through_the_gateway(report: Report) -> None:
    with tempfile.TemporaryDirectory(prefix="bench-approval-", dir=state_folder()) as folder:
        machine = Machine(Path(folder) / "home")
        machine.up()
        try:
            for app in APPS:
                machine.run("build", app, "--version", "1.0.0")
                machine.run("deploy", app, "--version", "1.0.0", "--reason", "to be measured")
            _loaded(report, machine.ask("status")["gateway"])
        finally:
            machine.down()


def _loaded(report: Report, gateway: str) -> None:
    """Send applications at a steady rate, the first seconds to warm up, and look at how long each took from request to loan."""
    _sent(gateway, "warm", WARM_S)
    tally = _sent(gateway, "bench", SECONDS)
    report.note(f"application to loan through the gateway at {RATE:.0f}/s, median", 1000 * percentile(tally.latencies_s, 0.5), "ms")
    report.at_most(f"application to loan through the gateway at {RATE:.0f}/s, p99", 1000 * percentile(tally.latencies_s, 0.99), P99_GOAL_MS, "ms")
    report.at_most("applications that failed or did not end at once", tally.sent - tally.statuses[201], 0, f"of {tally.sent}")


def _sent(gateway: str, name: str, seconds: float) -> Any:
    def apply(number: int) -> Call:
        key = f"{name}-{number}"
        return Call("POST", "/approval/v1/applications", application(CUSTOMERS[number % 3], key), {"Idempotency-Key": key})

    load = Load(gateway, apply, RATE).start()
    wait_until("the load", lambda: load.tally.answered >= RATE * seconds, within_s=seconds * 5)
    return load.stop()
