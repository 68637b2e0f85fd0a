"""Serves an app from start to end: listen, start, take requests, drain, stop. The one way for a managed service to run."""

import asyncio
import contextlib
import gc
import signal
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import uvicorn
import uvloop

from ctl.kit import log, writer
from ctl.kit.door import App, Door
from ctl.kit.express import Express
from ctl.kit.identity import Identity
from ctl.kit.life import Life
from ctl.kit.straight import Straight

KEEP_ALIVE_S = 75
LATE_ANSWERS_S = 5
FAILED = 1

Hook = Callable[[], Awaitable[None]]


def serve(app: App | Any, *, single_writer: bool = False, on_start: Hook | None = None, on_stop: Hook | None = None) -> None:
    """Serve `app` (any ASGI app) at 127.0.0.1:$MSXF_PORT and return when it has drained after SIGTERM or SIGINT.

    `on_start` runs while the port listens already and requests wait, and is cancelled when told to go; with `single_writer` only once the writer lock
    is held. `on_stop` runs after the last request, and before the lock is given back. Raises SystemExit when a hook fails or the port is taken.
    """
    identity = Identity.from_environ()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_Server(app, identity, _Hooks(single_writer, on_start, on_stop)).serve())


class _Hooks:
    def __init__(self, single_writer: bool, on_start: Hook | None, on_stop: Hook | None) -> None:
        self.single_writer, self.on_start, self.on_stop = single_writer, on_start, on_stop


class _Server(uvicorn.Server):
    """uvicorn, with our signals and our life of a process in the place of its main loop, which would wake up ten times a second."""

    def __init__(self, app: Any, identity: Identity, hooks: _Hooks) -> None:
        self._identity = identity
        self._hooks = hooks
        self._life = Life()
        self._lock = writer.WriterLock(identity.data_dir) if hooks.single_writer else None
        self._log = log.logger("ctl.kit")
        self._exit_code = 0
        self._was_quiet = False
        super().__init__(_config(Door(app, self._life, instance=identity.instance), identity))

    async def serve(self, sockets: Any = None) -> None:
        await super().serve(sockets)
        if self._exit_code:
            raise SystemExit(self._exit_code)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._life.go)
        yield

    async def main_loop(self) -> None:
        """Live: called by uvicorn once it listens; when it returns, uvicorn closes the port and the connections."""
        self._log.info("listens on 127.0.0.1:%d", self.servers[0].sockets[0].getsockname()[1])
        try:
            if await self._holds_lock() and await self._starts():
                gc.freeze()  # what the start has made stays: looking through it for garbage would hold requests up for tens of milliseconds
                self._life.open()
                await self._serve_and_drain()
                await self._hook(self._hooks.on_stop, "on_stop")
        finally:
            self._life.close()
            if self._lock:
                self._lock.release()
        await self._say_goodbye()
        self._log.info("ends")

    async def _serve_and_drain(self) -> None:
        """A writer stops taking requests at once, because its heir holds them already; others still serve what comes, until it is quiet."""
        await self._life.told_to_go()
        self._log.info("drains", extra={"in_flight": self._life.in_flight})
        if not self._hooks.single_writer:
            self._was_quiet = await self._life.quiet()
        self._life.close()
        await self._life.empty()
        self._log.info("has drained")

    async def _say_goodbye(self) -> None:
        """Close the port, and answer on the connections that are open still until they are quiet: each answer closes its connection."""
        for server in self.servers:
            server.close()
        if not self._was_quiet:
            await self._life.quiet()

    async def _holds_lock(self) -> bool:
        """Wait for the writer lock if we need it; False when we were told to go instead."""
        if self._lock is None:
            return True
        self._life.stand_by()
        taking = asyncio.ensure_future(self._lock.acquire())
        going = asyncio.ensure_future(self._life.told_to_go())
        await asyncio.wait((taking, going), return_when=asyncio.FIRST_COMPLETED)
        going.cancel()
        if not taking.done():
            taking.cancel()
            return False
        if (error := taking.exception()) is not None:
            self._fail("the writer lock cannot be had", error)
            return False
        self._log.info("is the writer", extra={"epoch": writer.epoch()})
        return True

    async def _starts(self) -> bool:
        """Run `on_start`; False when it failed, or when we were told to go before it was done: a standby may wait in it for long."""
        starting = asyncio.ensure_future(self._hook(self._hooks.on_start, "on_start"))
        going = asyncio.ensure_future(self._life.told_to_go())
        await asyncio.wait((starting, going), return_when=asyncio.FIRST_COMPLETED)
        going.cancel()
        if not starting.done():
            starting.cancel()
            await asyncio.gather(starting, return_exceptions=True)
            return False
        return starting.result()

    async def _hook(self, hook: Hook | None, name: str) -> bool:
        if hook is None:
            return True
        try:
            await hook()
        except Exception as error:  # whatever an app's hook raises must end in its log and in the exit code
            self._fail(f"{name} failed", error)
            return False
        return True

    def _fail(self, what: str, error: BaseException) -> None:
        self._log.error(what, exc_info=error)
        self._exit_code = FAILED


def _config(door: Door, identity: Identity) -> uvicorn.Config:
    return uvicorn.Config(
        door,
        host="127.0.0.1",
        port=identity.port,
        http=Express if isinstance(door.app, Straight) else "httptools",
        ws="none",
        interface="asgi3",
        log_config=None,
        log_level="warning",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        date_header=False,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=LATE_ANSWERS_S,
    )
