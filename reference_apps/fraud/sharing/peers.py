"""How members ask one another what they know of events: length, then MessagePack, over loopback. A question is never passed on, so there are no loops."""

import asyncio
import contextlib
from collections import deque
from collections.abc import Awaitable, Callable, Sequence

import msgspec

from reference_apps.fraud.features.shard import Partial

ANSWER_S = 0.5
CONNECT_S = 0.2
HEAD = 4

Told = list[Partial | None]
Tell = Callable[[Sequence[int]], Awaitable[Told]]
"""Answers with what is known of the events at these positions, after having followed the log up to them."""


class Question(msgspec.Struct, frozen=True, array_like=True):
    """Which events are asked about. `token` is the one on the card of the one asked."""

    token: str
    positions: list[int]


class Ear:
    """Answers the questions of other members."""

    def __init__(self, token: str, tell: Tell) -> None:
        self._token, self._tell = token, tell
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()

    async def listen(self) -> int:
        """Begin to listen and return the port."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return int(self._server.sockets[0].getsockname()[1])

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
            for writer in list(self._open):
                writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        try:
            while True:
                question = QUESTION.decode(await _receive(reader))
                if question.token != self._token:
                    return
                _send(writer, ENCODER.encode(await self._tell(question.positions)))
        except (asyncio.IncompleteReadError, ConnectionError, msgspec.MsgspecError):
            pass
        finally:
            self._open.discard(writer)
            writer.close()


class Line:
    """A connection to one member, opened when it is needed. Answers come in the order of the questions."""

    def __init__(self, port: int, token: str) -> None:
        self._port, self._token = port, token
        self._writer: asyncio.StreamWriter | None = None
        self._waiting: deque[asyncio.Future[Told]] = deque()
        self._listening: asyncio.Task[None] | None = None
        self._opening = asyncio.Lock()

    async def ask(self, positions: Sequence[int]) -> Told:
        """Ask about events. Raises OSError or TimeoutError when no answer comes."""
        async with asyncio.timeout(ANSWER_S):
            async with self._opening:
                if self._writer is None:
                    await self._connect()
            answer: asyncio.Future[Told] = asyncio.get_running_loop().create_future()
            self._waiting.append(answer)
            assert self._writer is not None
            _send(self._writer, ENCODER.encode(Question(self._token, list(positions))))
            return await answer

    def close(self) -> None:
        if self._listening is not None:
            self._listening.cancel()
        self._fail()

    async def _connect(self) -> None:
        async with asyncio.timeout(CONNECT_S):
            reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)
        self._listening = asyncio.create_task(self._listen(reader), name="fraud line")

    async def _listen(self, reader: asyncio.StreamReader) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, OSError, msgspec.MsgspecError):
            while True:
                told = TOLD.decode(await _receive(reader))
                answer = self._waiting.popleft()
                if not answer.done():
                    answer.set_result(told)
        self._fail()

    def _fail(self) -> None:
        waiting, self._waiting = self._waiting, deque()
        writer, self._writer = self._writer, None
        for answer in waiting:
            if not answer.done():
                answer.set_exception(ConnectionResetError("the member is gone"))
        if writer is not None:
            writer.close()


def _send(writer: asyncio.StreamWriter, content: bytes) -> None:
    writer.write(len(content).to_bytes(HEAD, "big") + content)


async def _receive(reader: asyncio.StreamReader) -> bytes:
    return await reader.readexactly(int.from_bytes(await reader.readexactly(HEAD), "big"))


ENCODER = msgspec.msgpack.Encoder()
QUESTION = msgspec.msgpack.Decoder(Question)
TOLD = msgspec.msgpack.Decoder(list[Partial | None])
