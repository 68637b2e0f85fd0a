"""A real API over a control plane in memory: a unix socket and a TCP port, the loop ticking, instances that are up in no time."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from time import monotonic, sleep

import pytest
import uvicorn

from ctl.api import app as api
from ctl.api.backing import Backing
from ctl.api.identity import PeerProtocol
from ctl.backends.clock import SystemClock
from ctl.backends.runtimes.memory import MemoryRuntime
from ctl.backends.store.memory import MemoryAnswers
from ctl.client import RemotePlane
from ctl.control.desired import Desired
from ctl.control.doors import Doors, Signals
from ctl.control.fences import Fences
from ctl.control.loop import Loop
from ctl.control.plane import ControlPlane
from ctl.control.tick import Ticker
from ctl.model.access import Caller, Role
from ctl.model.service import ArtifactSource, CanaryStep, CatalogSnapshot, Gate, Kind, RolloutPolicy, Service, Share, Strategy
from ctl.wiring import memory_doors

QUICK = RolloutPolicy(surge=Share(value=1), unavailable=Share(value=0), min_ready_s=0, bake_s=0, drain_s=1, abort_scale_down_delay_s=0.1)
WAITING = replace(QUICK, strategy=Strategy.CANARY, steps=(CanaryStep(weight_pct=50, pause=True),), gate=Gate(window_s=1))


def _service(name: str, policy: RolloutPolicy, *depends_on: str) -> Service:
    source = ArtifactSource(include=("app",), command=("app",))
    return Service(name=name, domain="test", owner="us", tier=1, kind=Kind.HTTP, artifact=source, replicas=2, depends_on=depends_on, rollout=policy)


CATALOG = CatalogSnapshot(
    services={one.name: one for one in (_service("ledger", QUICK), _service("risk", WAITING), _service("front", QUICK, "ledger", "risk"))}, revision="r1"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """A running API: its doors, where it answers, and the plane behind it. `stopped` holds what shutdown was asked for."""

    doors: Doors
    plane: ControlPlane
    socket: Path
    url: str
    stopped: list[bool]

    @property
    def here(self) -> RemotePlane:
        return RemotePlane(self.socket, timeout_s=10)

    def there(self, token: str) -> RemotePlane:
        return RemotePlane(url=self.url, token=token, timeout_s=10)


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    (tmp_path / "app").write_text("#!/bin/sh\n")
    clock = SystemClock()
    runtime = MemoryRuntime(clock, start_s=0.01, drain_s=0.01)
    doors = replace(memory_doors(CATALOG, clock), runtime=runtime, root=tmp_path)
    desired, fences = Desired(doors), Fences(doors)
    ticker = Ticker(doors, desired, fences)
    loop, stopped = Loop(ticker), list[bool]()
    signals = Signals(wake=loop.wake, stop=stopped.append, why=ticker.why)
    plane = ControlPlane(doors, desired, fences, signals, Caller(name="test", role=Role.ADMIN))
    backing = Backing(
        plane=plane,
        tokens=doors.tokens,
        answers=MemoryAnswers(),
        journal=doors.journal,
        clock=clock,
        figures=lambda: {"msxfctl_services": 3.0},
        is_ready=lambda: loop.rounds > 0,
    )
    loop.start()
    try:
        with _listening(backing, tmp_path / "api.sock") as url:
            yield Served(doors=doors, plane=plane, socket=tmp_path / "api.sock", url=url, stopped=stopped)
    finally:
        loop.stop()


@contextmanager
def _listening(backing: Backing, socket: Path) -> Iterator[str]:
    app = api.create(backing, "test")
    common = {"http": PeerProtocol, "ws": "none", "log_level": "warning", "timeout_graceful_shutdown": 2}
    servers = [uvicorn.Server(uvicorn.Config(app, uds=str(socket), **common)), uvicorn.Server(uvicorn.Config(app, port=0, lifespan="off", **common))]

    async def serve() -> None:
        await asyncio.gather(*(server._serve() for server in servers))

    thread = threading.Thread(target=lambda: asyncio.run(serve()), daemon=True)
    thread.start()
    deadline = monotonic() + 10
    while not all(server.started for server in servers) and monotonic() < deadline:
        sleep(0.01)
    port = servers[1].servers[0].sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        app.state.follower.stop()
        for server in servers:
            server.should_exit = True
        thread.join(10)
