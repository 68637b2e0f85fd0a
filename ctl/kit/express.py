"""The straight way on the server's side: a hot route's request is taken from the connection and its answer written to it, with no ASGI messages in between.

What is out of the ordinary goes the ordinary way: an older HTTP, a body whose length is not said or too large, one that waits to be asked for, a request that
comes before the last one is answered, and whatever a handler will not read. Both ways have the same admission, figures and trace, and give the same answers.
"""

import asyncio
import logging
import re
from collections.abc import Mapping
from time import monotonic
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from ctl.kit import tracing
from ctl.kit.answer import Answer
from ctl.kit.door import CLOSE, Door, has_not_begun
from ctl.kit.problem import Problem
from ctl.kit.straight import Route, Straight, header, refusal

log = logging.getLogger("ctl.kit")
BROKEN = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
"""What would end a header before its end."""


class _Exchange:
    """A request on the straight way, and where its answer is. The server's own protocol takes it for one of its cycles."""

    __slots__ = ("content", "disconnected", "headers", "keep_alive", "response_complete", "route")

    def __init__(self, route: Route, headers: list[tuple[bytes, bytes]], *, keep_alive: bool) -> None:
        self.route, self.headers, self.keep_alive = route, headers, keep_alive
        self.content = b""
        self.disconnected = self.response_complete = False

    @property
    def message_event(self) -> "_Exchange":
        return self

    def set(self) -> None:
        """Nobody waits for a message."""


class Express(HttpToolsProtocol):
    """One connection to a Door in front of a Straight."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._door = cast(Door, self.app)
        self._hot: Mapping[tuple[bytes, bytes], Route] = cast(Straight, self._door.app).hot

    def on_message_begin(self) -> None:
        self.url, self.headers, self.expect_100_continue = b"", [], False

    def on_headers_complete(self) -> None:
        route = self._hot.get((self.parser.get_method(), self.url))
        if route is not None and self._is_ordinary(route):
            self.cycle = cast(RequestResponseCycle, _Exchange(route, self.headers, keep_alive=self.parser.should_keep_alive()))
            return
        url, headers, expects = self.url, self.headers, self.expect_100_continue
        super().on_message_begin()
        self.url, self.headers, self.expect_100_continue = url, headers, expects
        self.scope["headers"] = headers
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        exchange: Any = self.cycle
        if type(exchange) is _Exchange:
            exchange.content += body
        else:
            super().on_body(body)

    def on_message_complete(self) -> None:
        exchange: Any = self.cycle
        if type(exchange) is not _Exchange:
            super().on_message_complete()
            return
        task = self.loop.create_task(self._serve(exchange))
        task.add_done_callback(self.tasks.discard)
        self.tasks.add(task)

    def _is_ordinary(self, route: Route) -> bool:
        is_free = self.cycle is None or self.cycle.response_complete
        if not is_free or self.expect_100_continue or self.parser.get_http_version() != "1.1" or self.parser.should_upgrade():
            return False
        length = header(self.headers, b"content-length")
        return length.isdigit() and int(length) <= route.most_bytes

    async def _serve(self, exchange: _Exchange) -> None:
        """Answer one request, as the door would."""
        door, began = self._door, monotonic()
        life = door.life
        life.last_request_at = began
        if not life.is_open and not await life.may_enter():
            door.figures.turned_away()
            await self._write(exchange, door.turned_away())
            return
        life.in_flight += 1
        try:
            answer = await self._answered(exchange)
            if answer is not None:
                await self._write(exchange, answer)
        finally:
            life.in_flight -= 1
        if answer is None:
            await self._go_round(exchange)
        elif has_not_begun(answer.status, answer.headers):
            door.figures.turned_away()
        else:
            door.figures.record(answer.status, exchange.route.path, monotonic() - began)

    async def _answered(self, exchange: _Exchange) -> Answer | None:
        route, entered = exchange.route, tracing.enter(exchange.headers)
        try:
            return _whole(await route.handler(exchange.headers, exchange.content))
        except Problem as problem:
            return refusal(problem)
        except Exception as error:  # whatever a handler raises ends here: the caller gets an answer and the log the place
            log.error("%s %s failed", route.method, route.path, exc_info=error)
            return self._door.failure(entered.trace)

    async def _write(self, exchange: _Exchange, answer: Answer) -> None:
        """Write an answer, and let the connection go on to what comes next."""
        if self.flow.write_paused and not exchange.disconnected:
            await self.flow.drain()
        if exchange.disconnected:
            return
        exchange.keep_alive = exchange.keep_alive and CLOSE not in answer.headers
        self.transport.write(_written(answer, exchange.keep_alive))
        exchange.response_complete = True
        if not exchange.keep_alive:
            self.transport.close()
        self.on_response_complete()

    async def _go_round(self, exchange: _Exchange) -> None:
        """Take a request that its handler will not read to the app, whole."""
        path = exchange.route.path
        scope: Any = {
            "type": "http",
            "asgi": {"version": self.asgi_version, "spec_version": "2.3"},
            "http_version": "1.1",
            "method": exchange.route.method,
            "server": self.server,
            "client": self.client,
            "scheme": self.scheme,
            "root_path": self.root_path,
            "path": path,
            "raw_path": path.encode(),
            "query_string": b"",
            "headers": exchange.headers,
            "state": self.app_state.copy(),
        }
        whole = asyncio.Event()
        whole.set()
        cycle = RequestResponseCycle(
            scope=scope,
            transport=self.transport,
            flow=self.flow,
            logger=self.logger,
            access_logger=self.access_logger,
            access_log=self.access_log,
            default_headers=self.server_state.default_headers,
            message_event=whole,
            expect_100_continue=False,
            keep_alive=exchange.keep_alive,
            on_response=self.on_response_complete,
        )
        cycle.body, cycle.more_body, cycle.disconnected = bytearray(exchange.content), False, exchange.disconnected
        if cast(Any, self.cycle) is exchange:
            self.cycle = cycle
        await cycle.run_asgi(self.app)


def _whole(answer: Answer | None) -> Answer | None:
    """Return an answer whose headers keep to themselves. Raises ValueError."""
    for name, value in answer.headers if answer else ():
        if BROKEN.search(name + value):
            raise ValueError(f"the header {name!r}: {value!r} would break the answer")
    return answer


def _written(answer: Answer, keep_alive: bool) -> bytes:
    """Return an answer as it goes over the wire."""
    more = b"".join(b"%b: %b\r\n" % each for each in answer.headers if each != CLOSE) if answer.headers else b""
    more += b"" if keep_alive else b"connection: close\r\n"
    return b"%bcontent-type: %b\r\ncontent-length: %d\r\n%b\r\n%b" % (STATUS_LINE[answer.status], answer.kind, len(answer.content), more, answer.content)
