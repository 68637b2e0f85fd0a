"""One request on its way: choose an instance, pass the request on, and try again elsewhere while nobody has begun to answer it."""

import asyncio
import random
from contextlib import suppress
from time import monotonic

from ctl.backends.traffic.proxy import message
from ctl.backends.traffic.proxy.inbound import Inbound
from ctl.backends.traffic.proxy.message import Head, Request
from ctl.backends.traffic.proxy.outbound import Lost, Pool, Upstream, connect
from ctl.backends.traffic.proxy.table import Table

TIMEOUT_S = 30.0
RETRIES = 24
BASE_S, MOST_PAUSE_S = 0.025, 0.5
UNKNOWN = {"type": "about:blank", "title": "Not Found", "status": 404, "detail": "no service of that name takes traffic here"}


class Forwarder:
    """Answers requests out of `table`, over connections of `pool`."""

    def __init__(self, table: Table, pool: Pool) -> None:
        self._table, self._pool = table, pool

    async def serve(self, request: Request, caller: Inbound) -> None:
        """Answer one request, whatever happens."""
        service, target = request.split()
        if service not in self._table.lines:
            _say(caller, request, *message.answer(404, UNKNOWN, kind=message.PROBLEM))
            return
        try:
            async with asyncio.timeout(TIMEOUT_S):
                await self._try(service, request.forwarded(target), request, caller)
        except TimeoutError:
            if caller.has_begun:
                caller.break_off()
            else:
                _say(caller, request, *message.answer(504, {"error": f"{service} did not answer in time"}))

    async def _try(self, service: str, data: bytes, request: Request, caller: Inbound) -> None:
        tried: list[str] = []
        for attempt in range(RETRIES + 1):
            if attempt:
                await asyncio.sleep(random.uniform(0, min(MOST_PAUSE_S, BASE_S * (2**attempt - 1))))
            address = self._table.choose(service, tried, monotonic()) if service in self._table.lines else None
            if address is None:
                _say(caller, request, *message.answer(503, {"error": f"no instance of {service} takes traffic"}))
                return
            tried.append(address)
            if await self._attempt(address, data, request, caller, is_last=attempt == RETRIES):
                return
        _say(caller, request, *message.answer(503, {"error": f"no instance of {service} answers"}))

    async def _attempt(self, address: str, data: bytes, request: Request, caller: Inbound, *, is_last: bool) -> bool:
        """Try one instance; True when the caller has an answer."""
        try:
            connection, head = await self._ask(address, data, is_head=request.is_head)
        except Lost:
            self._table.lost(address, monotonic())
            return False
        self._table.answered(address)
        if head.is_unprocessed and not is_last:
            connection.close()
            return False
        await self._pass_on(head, address, connection, (request, caller))
        return True

    async def _ask(self, address: str, data: bytes, *, is_head: bool) -> tuple[Upstream, Head]:
        """Ask over an idle connection, or over a new one where that was closed meanwhile, which says nothing about the instance. Raises Lost."""
        idle = self._pool.take(address)
        if idle:
            with suppress(Lost):
                return idle, await _asked(idle, data, is_head=is_head)
        connection = await connect(address)
        return connection, await _asked(connection, data, is_head=is_head)

    async def _pass_on(self, head: Head, address: str, connection: Upstream, exchange: tuple[Request, Inbound]) -> None:
        request, caller = exchange
        caller.begin(head, request, connection)
        try:
            await connection.pour(caller)
        except Lost:
            caller.break_off()
            return
        finally:
            self._pool.give_back(address, connection)
        caller.end()


async def _asked(connection: Upstream, data: bytes, *, is_head: bool) -> Head:
    head: Head | None = None
    try:
        head = await connection.ask(data, is_head=is_head)
        return head
    finally:
        if head is None:
            connection.close()


def _say(caller: Inbound, request: Request, head: Head, body: bytes) -> None:
    caller.begin(head, request, None)
    if head.has_body(request):
        caller.write_body(body)
    caller.end()
