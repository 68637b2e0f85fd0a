"""A desk of risk for tests: opened on a folder, asked in process, closed; and questions for it."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

from ctl.kit.calls import Answer, NoAnswer
from reference_apps.risk import policy, rehearsal, web
from reference_apps.risk.bodies import DecisionBody
from reference_apps.risk.deciding import many
from reference_apps.risk.deciding.decider import Decider
from reference_apps.risk.desk import Desk, InForce
from reference_apps.risk.keeping import freezing
from reference_apps.risk.keeping.log import Entry
from reference_apps.risk.variables.bureaus import BUREAUS, Bureaus
from reference_apps.risk.variables.resolving import Known, Resolved
from tests.apps import risk_made

SCENES = ("cash", "3c", "rent", "beauty", "instalment")
NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)
Work = Callable[[Desk], Awaitable[Any]]
MIKE = {"application_id": "a1", "customer_id": "mike", "age": 34, "zhima_score": 780, "pboc_record": "good"}
SHOPPING = {"taobao": {"orders_12m": 40, "spend_12m_fen": 300_000}, "jd": {"orders_12m": 6, "spend_12m_fen": 120_000}}
JANE = {"application_id": "a3", "customer_id": "jane", "age": 27, "zhima_score": 600, "pboc_record": "none"}


class Said:
    """Bureaus that say what a test tells them to: an Answer, or an exception to raise."""

    def __init__(self, **said: Any) -> None:
        self.said, self.asked = said, []  # type: ignore[var-annotated]

    async def get(self, service: str, path: str, *, timeout_s: float = 2.0, headers: Mapping[str, str] | None = None) -> Answer:
        self.asked.append((service, path))
        said = self.said[service]
        if isinstance(said, Exception):
            raise said
        return said if isinstance(said, Answer) else Answer(200, said, {})


def silence(service: str) -> NoAnswer:
    return NoAnswer(service, "silence for 1 s")


def on_desk(data: Path, in_force: InForce, work: Work, calls: Said | None = None, **config: str) -> Any:
    """Open a desk, do something at it, close it. `calls` are bureaus, each a service of its own name."""
    keys = {name.replace("__", "."): value for name, value in config.items()}

    async def run() -> Any:
        services = {name: name for name in BUREAUS if calls and name in calls.said}
        bureaus = Bureaus(calls or Said(), services, dict.fromkeys(services, 1.0))
        desk = Desk(in_force, policy.load(lambda key, default: keys.get(key, default), in_force.decider.package), data, bureaus, lambda: NOW)
        await desk.start()
        try:
            return await work(desk)
        finally:
            await desk.stop()

    return asyncio.run(run())


def app(desk: Desk, more: Callable[[Any], None] = lambda _: None) -> Any:
    return web.build(desk, rehearsal.Rehearsal(), more)


def body(dice: Random, number: int) -> DecisionBody:
    """Return a question: facts as risk_made has them, in some scene."""
    known = {name: value for name, value in risk_made.facts(dice).items() if value is not None}
    shops = {shop: {"orders_12m": 3, "spend_12m_fen": known.pop(shop)} for shop in ("taobao", "jd") if shop in known}
    return DecisionBody(application_id=f"a{number}", scene=dice.choice(SCENES), **known, **shops)  # type: ignore[arg-type]


def entries(decider: Decider, count: int, seed: int = 1) -> list[Entry]:
    """Return so many decisions as the log would get them."""
    dice, frozen = Random(seed), []
    for number in range(count):
        known = {name: value for name, value in risk_made.facts(dice).items() if value is not None}
        asked = {"application_id": f"a{number}", "customer_id": known["customer_id"], "tenant": "default"}
        resolved = Resolved({name: Known(value, "declared") for name, value in known.items()}, {})
        frozen.append(freezing.freeze(asked, resolved, dice.choice(SCENES), "standard", None))
    made = many.decide_many(decider, [freezing.question(each, decider) for each in frozen])
    return [freezing.entry(each, decision, decider, 1_000 + at) for at, (each, decision) in enumerate(zip(frozen, made, strict=True))]
