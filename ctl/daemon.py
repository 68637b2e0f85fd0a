"""The daemon: one a home. The loop ticks in threads, the API answers on a unix socket and on loopback; SIGTERM leaves the instances running."""

import asyncio
import fcntl
import logging
import os
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

import uvicorn
import uvloop
from fastapi import FastAPI

from ctl import settings as configuration
from ctl import wiring
from ctl.api import app as api
from ctl.api.backing import Backing
from ctl.api.identity import PeerProtocol
from ctl.errors import BackendError, CtlError, Refused
from ctl.model.access import Caller, Role
from ctl.settings import Settings

log = logging.getLogger(__name__)
GRACE_S = 3


def run(settings: Settings) -> None:
    """Serve until SIGTERM, SIGINT or a shutdown request. Raises Refused when a daemon runs already in this home."""
    with _only_one(settings.home / "run"):
        station = wiring.Station(settings, supervise=True)
        try:
            station.start()
            uvloop.run(_serve(settings, station))
        finally:
            station.close()


async def _serve(settings: Settings, station: wiring.Station) -> None:
    """Answer on both doors until it is time to end; then streams end first, and requests under way have a few seconds."""
    app = api.create(_backing(station), version("msxfctl"))
    port = _listening(settings)
    address = f"http://127.0.0.1:{port.getsockname()[1]}"
    _keep(settings.home / "run" / "api.address", address)
    servers = [_Server(_config(app, uds=str(settings.socket))), _Server(_config(app, lifespan="off"))]
    loop = asyncio.get_running_loop()
    ends = asyncio.Event()

    def stop() -> None:
        loop.call_soon_threadsafe(ends.set)

    station.on_stop(stop)
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ends.set)
    settings.socket.unlink(missing_ok=True)
    serving = [asyncio.create_task(servers[0].serve()), asyncio.create_task(servers[1].serve(sockets=[port]))]
    log.info("the API answers at %s and %s, the gateway at %s", settings.socket, address, station.doors.traffic.address())
    await asyncio.wait([*serving, asyncio.create_task(ends.wait())], return_when=asyncio.FIRST_COMPLETED)
    app.state.follower.stop()
    for server in servers:
        server.should_exit = True
    await asyncio.gather(*serving)


def _backing(station: wiring.Station) -> Backing:
    doors = station.doors
    return Backing(
        plane=station.plane(Caller(name="daemon", role=Role.ADMIN)),
        tokens=doors.tokens,
        answers=station.answers,
        journal=doors.journal,
        clock=doors.clock,
        figures=station.figures,
        is_ready=lambda: station.loop.rounds > 0,
    )


class _Server(uvicorn.Server):
    """A server that leaves signals to the daemon."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _config(app: FastAPI, *, uds: str | None = None, lifespan: str = "on") -> uvicorn.Config:
    return uvicorn.Config(
        app,
        uds=uds,
        http=PeerProtocol,
        loop="uvloop",
        ws="none",
        lifespan="on" if lifespan == "on" else "off",
        access_log=False,
        log_config=None,
        timeout_graceful_shutdown=GRACE_S,
        timeout_keep_alive=75,
        server_header=False,
    )


def _listening(settings: Settings) -> socket.socket:
    """Bind the API's port on loopback; where none is set, the one of last time if it is free, else any."""
    wished = [settings.api_port] if settings.api_port else [_last_port(settings.home / "run" / "api.address"), 0]
    for number in wished:
        port = socket.socket()
        port.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            port.bind(("127.0.0.1", number))
        except OSError as error:
            port.close()
            if number == wished[-1]:
                raise BackendError(f"cannot listen on port {number}", found=str(error), remedy="choose another with MSXFCTL_API_PORT") from error
        else:
            return port
    raise AssertionError("unreachable: the last wish either binds or raises")


def _last_port(file: Path) -> int:
    try:
        return int(file.read_text().rsplit(":", 1)[1])
    except (OSError, ValueError, IndexError):
        return 0


def _keep(file: Path, text: str) -> None:
    new = file.with_suffix(".new")
    new.write_text(text)
    new.replace(file)


@contextmanager
def _only_one(folder: Path) -> Iterator[None]:
    """Hold the home's daemon lock and keep our pid beside it."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    held = os.open(folder / "daemon.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    pid = folder / "daemon.pid"
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(held)
        there = pid.read_text().strip() if pid.exists() else "unknown"
        raise Refused(f"a daemon runs already in {folder.parent}", found=f"process {there}", remedy="msxfctl status, or msxfctl down") from error
    _keep(pid, str(os.getpid()))
    try:
        yield
    finally:
        pid.unlink(missing_ok=True)
        os.close(held)


def main() -> int:
    """Run in the foreground; python -m ctl.daemon."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s", stream=sys.stderr)
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
    try:
        run(configuration.load())
    except CtlError as error:
        log.error("%s", " ".join(filter(None, (error.message, error.found, error.remedy))))
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
