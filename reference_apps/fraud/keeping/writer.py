"""An instance's end of the line to its scribe: orders go out, and come back done or failed, one after another. One that died is replaced with the next."""

import asyncio
import logging
import os
import socket
import sys
from collections import deque
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import cast

from ctl.kit.database import DatabaseFailed
from reference_apps.fraud.keeping import scribe
from reference_apps.fraud.keeping.log import Appended, Item, Judged, appended, row_of
from reference_apps.fraud.keeping.scribe import HEAD, Done, Failed, Order

ROOT = Path(__file__).parents[3]
END_S = 10.0
LATE_S = 15.0
"""How long an order may take: longer than the log waits for its turn to write."""

log = logging.getLogger("fraud.log")


class ScribeGone(DatabaseFailed):
    """The scribe died over an order, or did not answer: it may have been written or not."""

    def __init__(self) -> None:
        super().__init__("the log's writer has ended over it; the next order starts another")


class Writer:
    """Writes to the log of a folder for one instance. Use it from one event loop."""

    def __init__(self, folder: Path, instance: str) -> None:
        self._folder, self._instance = folder, instance
        self._line: _Line | None = None
        self._process: asyncio.subprocess.Process | None = None
        self._starting = asyncio.Lock()

    @property
    def pid(self) -> int | None:
        """The scribe's process id; None before the first order, and after the last."""
        return self._process.pid if self._process else None

    async def open(self) -> None:
        """Start the scribe, so that the first order need not wait for it. Raises DatabaseFailed."""
        await self._open_line()

    async def append(self, items: Sequence[Item], judged: Iterable[Judged] = ()) -> list[Appended]:
        """Write items, and judgements of earlier ones, in one commit that is on the disk when this returns. What has an id that is there already is not written
        again: so should the scribe die over it, it is done once more, unless an entry of a list, which has no id, is among it. Raises DatabaseFailed."""
        rows = [row_of(item, self._instance) for item in items]
        order = scribe.ENCODER.encode(Order(rows, list(judged)))
        try:
            reply = await self._ask(order)
        except ScribeGone:
            if any(row[0] is None for row in rows):
                raise
            reply = await self._ask(order)
        if isinstance(reply, Failed):
            raise DatabaseFailed(reply.why)
        return [appended(row, *placed) for row, placed in zip(rows, reply.placed, strict=True)]

    async def close(self) -> None:
        """End the scribe once it has written everything."""
        async with self._starting:
            await self._end()

    async def _ask(self, order: bytes) -> Done | Failed:
        line = self._line if self._line is not None and self._line.is_open else await self._open_line()
        return await line.ask(order)

    async def _open_line(self) -> "_Line":
        async with self._starting:
            if self._line is None or not self._line.is_open:
                await self._end()
                self._line = await self._start()
            return self._line

    async def _start(self) -> "_Line":
        ours, theirs = socket.socketpair()
        environ = os.environ | {"PYTHONPATH": f"{ROOT}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"}
        command = (sys.executable, "-m", scribe.__name__, str(theirs.fileno()), str(self._folder.resolve()), self._instance)
        try:
            self._process = await asyncio.create_subprocess_exec(*command, pass_fds=(theirs.fileno(),), env=environ, stdin=asyncio.subprocess.DEVNULL)
            _, line = await asyncio.get_running_loop().create_connection(_Line, sock=ours)
        except OSError as error:
            ours.close()
            raise DatabaseFailed(f"the log's writer does not start: {error}") from error
        finally:
            theirs.close()
        return line

    async def _end(self) -> None:
        if self._line is not None:
            self._line.close()
            self._line = None
        if self._process is not None:
            try:
                await asyncio.wait_for(self._process.wait(), END_S)
            except TimeoutError:
                log.error("the log's writer (process %d) does not end, it is killed", self._process.pid)
                self._process.kill()
                await self._process.wait()
            self._process = None


class _Line(asyncio.Protocol):
    """Replies come in the order of the orders."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._waiting: deque[asyncio.Future[Done | Failed]] = deque()
        self._read = bytearray()

    @property
    def is_open(self) -> bool:
        return self._transport is not None and not self._transport.is_closing()

    async def ask(self, order: bytes) -> Done | Failed:
        """Send an order and wait for its reply. Raises ScribeGone, also when it is silent for too long."""
        if self._transport is None:
            raise ScribeGone()
        reply: asyncio.Future[Done | Failed] = asyncio.get_running_loop().create_future()
        self._waiting.append(reply)
        self._transport.write(scribe.framed(order))
        late = asyncio.get_running_loop().call_later(LATE_S, self._give_up)
        try:
            return await reply
        finally:
            late.cancel()

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._read += data
        while len(self._read) >= HEAD and len(self._read) >= (end := HEAD + int.from_bytes(self._read[:HEAD])):
            reply = scribe.REPLY.decode(memoryview(self._read)[HEAD:end].tobytes())
            del self._read[:end]
            waiting = self._waiting.popleft()
            if not waiting.done():
                waiting.set_result(reply)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        while self._waiting:
            waiting = self._waiting.popleft()
            if not waiting.done():
                waiting.set_exception(ScribeGone())

    def _give_up(self) -> None:
        if self._transport is not None:
            log.error("the log's writer has not answered in %g s and is given up", LATE_S)
            self._transport.abort()
