"""HTTP as the kit speaks it to the gateway: every way in which an answer can end, connections that are used again, and those that must not be."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from ctl.kit.wire import Asked, Lost, Reply, Unreachable, Wire
from tests.kit.running import free_port

ASKED = Asked("GET", "/risk/x", {}, None)
POSTED = Asked("POST", "/ledger/x", {"content-type": "application/json"}, b'{"n":1}')
GOOD = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"


class Server:
    """Answers the n-th request it gets with the n-th of `script`, the last one for ever; None: it closes the connection instead."""

    def __init__(self, *script: bytes | None) -> None:
        self.script = list(script)
        self.requests: list[bytes] = []
        self.connections = 0
        self.open: set[asyncio.StreamWriter] = set()
        self.place = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.open.add(writer)
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                length = next((int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.startswith(b"content-length")), 0)
                self.requests.append(head + await reader.readexactly(length))
                answer = self.script.pop(0) if len(self.script) > 1 else self.script[0]
                if answer is None:
                    break
                writer.write(answer)
                if b"content-length" not in answer and b"chunked" not in answer:
                    await writer.drain()
                    break
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        self.open.discard(writer)
        writer.close()


def told(story: Callable[[Wire, Server], Awaitable[None]], *script: bytes | None, most: int = 256) -> None:
    async def tell() -> None:
        server = Server(*script)
        async with await asyncio.start_server(server.serve, "127.0.0.1", 0) as listening:
            server.place = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
            wire = Wire(server.place, most)
            async with asyncio.timeout(10):
                await story(wire, server)
            wire.close()

    asyncio.run(tell())


ANSWERS = {
    "with its length": (GOOD, 200, b"ok"),
    "in pieces": (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\no\r\n1\r\nk\r\n0\r\n\r\n", 200, b"ok"),
    "until the connection ends": (b"HTTP/1.1 200 OK\r\n\r\nok", 200, b"ok"),
    "after an interim one": (b"HTTP/1.1 103 Early Hints\r\nx-a: 1\r\n\r\n" + GOOD, 200, b"ok"),
    "without a body": (b"HTTP/1.1 204 No Content\r\ncontent-length: 0\r\n\r\n", 204, b""),
}


@pytest.mark.parametrize("answer, status, content", ANSWERS.values(), ids=ANSWERS)
def test_an_answer_ends_where_it_says(answer: bytes, status: int, content: bytes) -> None:
    async def story(wire: Wire, server: Server) -> None:
        for asked in (ASKED, POSTED, ASKED):
            reply = await wire.ask(asked)
            assert (reply.status, reply.content, "x-a" in reply.headers) == (status, content, False)

    told(story, answer)


@pytest.mark.parametrize("broken", [None, b"", b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf", b"SSH-2.0-OpenSSH\r\ncontent-length\r\n\r\n"])
def test_half_an_answer_is_none(broken: bytes | None) -> None:
    async def story(wire: Wire, server: Server) -> None:
        asking = asyncio.ensure_future(wire.ask(POSTED))
        while not server.requests:
            await asyncio.sleep(0)
        for writer in tuple(server.open):
            writer.close()
        with pytest.raises(Lost):
            await asking
        assert len(server.requests) == 1, "it may have been done: it is not sent again"

    told(story, broken)


def test_one_connection_serves_one_request_after_another() -> None:
    async def story(wire: Wire, server: Server) -> None:
        for _ in range(20):
            await wire.ask(POSTED)
        assert (server.connections, len(server.requests)) == (1, 20)
        await asyncio.gather(*(wire.ask(POSTED) for _ in range(5)))
        assert server.connections <= 5

    told(story, GOOD)


@pytest.mark.parametrize("asked, times", [(ASKED, 3), (POSTED, 2)], ids=["what only reads is sent again", "what may have been done is not"])
def test_an_idle_connection_that_dies_as_it_is_used(asked: Asked, times: int) -> None:
    async def story(wire: Wire, server: Server) -> None:
        await wire.ask(asked)
        try:
            assert (await wire.ask(asked)).content == b"ok"
        except Lost:
            assert asked is POSTED
        assert len(server.requests) == times

    told(story, GOOD, None, GOOD)


def test_a_closed_or_old_connection_is_not_used_again() -> None:
    async def story(wire: Wire, server: Server) -> None:
        await wire.ask(POSTED)
        for writer in tuple(server.open):
            writer.close()
        while wire._idle[0].is_open:
            await asyncio.sleep(0)
        assert (await wire.ask(POSTED)).content == b"ok"
        wire._idle[0].idle_since_s -= 15
        assert (await wire.ask(POSTED)).content == b"ok"
        assert server.connections == 3

    told(story, GOOD)


def test_who_goes_away_takes_their_connection_along() -> None:
    """The answer that comes too late must not be taken for the next one's."""

    async def story(wire: Wire, server: Server) -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await wire.ask(POSTED)
        assert (await wire.ask(POSTED)).content == b"ok"
        assert server.connections == 2

    told(story, b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nla", GOOD)


def test_two_answers_to_one_question_end_the_connection() -> None:
    async def story(wire: Wire, server: Server) -> None:
        replies = [await wire.ask(ASKED), await wire.ask(ASKED)]
        assert ([reply.content for reply in replies], server.connections) == ([b"ok", b"ok"], 2)

    told(story, GOOD + b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nbad", GOOD)


def test_no_more_connections_than_allowed() -> None:
    async def story(wire: Wire, server: Server) -> None:
        replies: list[Reply] = await asyncio.gather(*(wire.ask(POSTED) for _ in range(30)))
        assert ({reply.status for reply in replies}, len(server.requests), server.connections <= 3) == ({200}, 30, True)

    told(story, GOOD, most=3)


def test_a_path_is_quoted_and_a_header_cannot_smuggle() -> None:
    async def story(wire: Wire, server: Server) -> None:
        await wire.ask(replace(ASKED, path="/risk/a b/%2F?q=张\r\nx: 1"))
        line, *headers = server.requests[0].decode().split("\r\n")
        assert line == "GET /risk/a%20b/%2F?q=%E5%BC%A0%0D%0Ax:%201 HTTP/1.1"
        assert headers[0] == f"host: {server.place.removeprefix('http://')}"
        with pytest.raises(ValueError, match="line break"):
            await wire.ask(replace(ASKED, headers={"x-a": "1\r\nx-b: 2"}))

    told(story, GOOD)


def test_nobody_listens() -> None:
    with pytest.raises(Unreachable, match="Connection refused"):
        asyncio.run(_asked(f"http://127.0.0.1:{free_port()}"))


async def _asked(place: str) -> Reply:
    return await Wire(place).ask(ASKED)
