"""A small instance for tests, as a process: `python upstream.py ID PORT` answers everything with who it is, and dies or refuses when told to.

Paths: /slow/<ms> answers late, /die ends the process without an answer, /refuse/<n> has the next n requests answered as not processed,
/seen answers how many requests came since its start. SIGTERM: open requests are finished, new ones are answered as not processed.
"""

import asyncio
import json
import os
import signal
import sys


class Instance:
    def __init__(self, name: str) -> None:
        self.name = name
        self.seen = 0
        self.open = 0
        self.refuses = 0
        self.is_going = False

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while line := await reader.readline():
                await self._one(line, reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # the caller went away, or we do
        finally:
            writer.close()

    async def _one(self, line: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        method, target, _ = line.decode().split(" ", 2)
        headers = dict[str, str]()
        while (header := await reader.readline()) not in (b"\r\n", b""):
            name, _, value = header.decode().partition(":")
            headers[name.strip().lower()] = value.strip()
        body = await (_chunks(reader) if "transfer-encoding" in headers else reader.readexactly(int(headers.get("content-length", "0"))))
        if self.is_going or self.refuses:
            self.refuses = max(0, self.refuses - 1)
            writer.write(b"HTTP/1.1 503 Service Unavailable\r\nx-msxf-unprocessed: 1\r\ncontent-length: 2\r\n\r\n{}")
            return
        self.open += 1
        self.seen += 1
        answer = await self._answer(method, target, headers, body)
        writer.write(answer)
        await writer.drain()
        self.open -= 1

    async def _answer(self, method: str, target: str, headers: dict[str, str], body: bytes) -> bytes:
        words = target.partition("?")[0].strip("/").split("/")
        said: dict[str, object] = {"who": self.name, "method": method, "target": target, "headers": headers, "body": body.decode()}
        match words:
            case ["slow", ms]:
                await asyncio.sleep(int(ms) / 1000)
            case ["die"]:
                os._exit(9)
            case ["refuse", count]:
                self.refuses = int(count)
            case ["seen"]:
                said = {"seen": self.seen, "open": self.open}
            case ["big", size]:
                return _chunked(int(size))
            case ["error", status]:
                return _whole(int(status), b'{"error": "on purpose"}')
            case ["nothing"]:
                return b"HTTP/1.1 204 No Content\r\n\r\n"
        return _whole(200, b"" if method == "HEAD" else json.dumps(said).encode(), length=7 if method == "HEAD" else None)


async def _chunks(reader: asyncio.StreamReader) -> bytes:
    body = b""
    while size := int(await reader.readline(), 16):
        body += await reader.readexactly(size)
        await reader.readline()
    await reader.readline()
    return body


def _whole(status: int, body: bytes, *, length: int | None = None) -> bytes:
    return b"HTTP/1.1 %d Said\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b" % (status, len(body) if length is None else length, body)


def _chunked(size: int) -> bytes:
    piece = b"x" * 65536
    whole, rest = divmod(size, len(piece))
    pieces = [piece] * whole + ([piece[:rest]] if rest else [])
    body = b"".join(b"%x\r\n%b\r\n" % (len(one), one) for one in pieces)
    return b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n" + body + b"0\r\n\r\n"


async def main(name: str, port: int) -> None:
    instance, ends = Instance(name), asyncio.Event()

    def go() -> None:
        instance.is_going = True
        ends.set()

    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, go)
    server = await asyncio.start_server(instance.talk, "127.0.0.1", port)
    sys.stdout.write("listening\n")
    sys.stdout.flush()
    await ends.wait()
    for _ in range(500):
        await asyncio.sleep(0.01)
        if not instance.open:
            break
    server.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
