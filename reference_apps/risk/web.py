"""Risk's HTTP door: validates, decides, answers. It keeps nothing: every instance gives the same answer."""

from typing import Any

from fastapi import FastAPI

from ctl.kit.fastapi_problems import answer_problems
from reference_apps.risk import views
from reference_apps.risk.bodies import DecisionBody
from reference_apps.risk.decide import decide
from reference_apps.risk.package import Package
from reference_apps.risk.policy import Policy
from reference_apps.risk.rehearsal import Rehearsal


def build(package: Package, policy: Policy, rehearsal: Rehearsal) -> FastAPI:
    """Return the app over a checked package and policy."""
    app = FastAPI(title="risk", version="1", docs_url=None, redoc_url=None)
    answer_problems(app)

    @app.post("/v1/decisions")
    async def make(body: DecisionBody) -> dict[str, Any]:
        await rehearsal.play()
        cap = policy.cap(body.tenant)
        return views.decision(body, decide(package, policy.table, body.to_facts(), cap), package, policy.table, cap)

    @app.get("/v1/package")
    async def in_force() -> dict[str, Any]:
        return views.package(package, policy.table)

    return app
