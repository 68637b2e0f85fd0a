"""The proxy's process: `python -m ctl.backends.traffic.proxy HOME PORT` serves on loopback until SIGTERM, and says on its socket which routes it applies."""

import asyncio
import gc
import json
import os
import signal
import sys
from pathlib import Path

import uvloop

from ctl.backends.traffic.book import RouteBook
from ctl.backends.traffic.port import LOOPBACK
from ctl.backends.traffic.proxy.forward import Forwarder
from ctl.backends.traffic.proxy.inbound import Inbound
from ctl.backends.traffic.proxy.outbound import Pool
from ctl.backends.traffic.proxy.table import Table
from ctl.backends.traffic.site import SOCKET, Site
from ctl.model import codec

BACKLOG = 1024


class Desk:
    """Answers the control socket: one JSON line in, one out. Every question makes it look at the routes file first."""

    def __init__(self, book: RouteBook, table: Table, pool: Pool) -> None:
        self._book, self._table, self._pool = book, table, pool

    def load(self) -> None:
        """Apply the file's routes if it is another one than the last."""
        if self._book.has_moved():
            self._table.load(self._book.read())
            self._pool.keep_only(self._table.addresses())

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            asked = json.loads(await reader.readline())["services"]
            self.load()
            lines = self._table.lines
            routes = [lines[service].routes for service in (lines if asked is None else asked) if service in lines]
            writer.write(json.dumps({"routes": [codec.to_json(one) for one in routes]}).encode() + b"\n")
            await writer.drain()
        finally:
            writer.close()


async def serve(home: Path, port: int) -> None:
    """Serve until SIGTERM; requests under way are cut off then."""
    table, pool, ends = Table(), Pool(), asyncio.Event()
    desk, forwarder, loop = Desk(RouteBook(Site(home)), table, pool), Forwarder(table, pool), asyncio.get_running_loop()
    desk.load()
    loop.add_signal_handler(signal.SIGTERM, ends.set)
    Path(SOCKET).unlink(missing_ok=True)
    control = await asyncio.start_unix_server(desk.answer, SOCKET)
    server = await loop.create_server(lambda: Inbound(forwarder.serve), LOOPBACK, port, backlog=BACKLOG)
    gc.freeze()
    await ends.wait()
    server.close()
    control.close()


if __name__ == "__main__":
    os.umask(0o077)
    uvloop.run(serve(Path(sys.argv[1]), int(sys.argv[2])))
