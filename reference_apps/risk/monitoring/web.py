"""The route of monitoring on risk's HTTP door."""

from typing import Any

from fastapi import FastAPI

from reference_apps.risk.monitoring import views
from reference_apps.risk.monitoring.watching import Watch


def add(app: FastAPI, watch: Watch) -> None:
    """Add `GET /v1/monitoring`: looks at the newest decisions now."""

    @app.get("/v1/monitoring")
    async def monitoring() -> dict[str, Any]:
        return views.as_json(await watch.look())
