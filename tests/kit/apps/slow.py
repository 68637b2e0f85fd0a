"""A service whose requests, start and stop take as long as its config says; it fails where its config says."""

import asyncio
from typing import Any

from ctl.kit import serving
from ctl.kit.identity import config


async def app(scope: Any, receive: Any, send: Any) -> None:
    assert scope["type"] == "http"
    scope["route"] = scope["path"]
    await asyncio.sleep(float(scope["path"].removeprefix("/sleep/")) if scope["path"].startswith("/sleep/") else 0.005)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"4")]})
    await send({"type": "http.response.body", "body": b"done"})


async def start() -> None:
    await asyncio.sleep(float(config("start_s", "0")))
    if config("fails") == "start":
        raise RuntimeError("the books are torn")


async def stop() -> None:
    await asyncio.sleep(float(config("stop_s", "0")))
    if config("fails") == "stop":
        raise RuntimeError("the books do not close")


serving.serve(app, single_writer=config("single_writer") == "true", on_start=start, on_stop=stop)
