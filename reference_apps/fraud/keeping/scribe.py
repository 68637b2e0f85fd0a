"""The log's writer as a process: it writes what comes down the line, `scribe SOCKET FOLDER INSTANCE`, and says where that stands.

A commit is some tens of short steps, and in a thread it would fight for the interpreter's lock at each of them with the event loop that judges. The process
has no will of its own: it lives as long as the line, and what it was told last it finishes, whoever dies meanwhile.
"""

import signal
import socket
import sys
from pathlib import Path
from typing import Any

import msgspec

from ctl.kit.database import DatabaseFailed
from reference_apps.fraud.keeping.log import Judged, Log

HEAD = 4


class Order(msgspec.Struct, frozen=True, array_like=True):
    """What to write in one commit: items as the log has them, and judgements of earlier ones."""

    items: list[tuple[Any, str, bytes]]  # as Inserted: an id is text, or bytes, or nothing
    judged: list[Judged]


class Done(msgspec.Struct, frozen=True, array_like=True, tag="done"):
    """Where each item stands; with what had its id before, if anything did."""

    placed: list[tuple[int, bytes | None]]


class Failed(msgspec.Struct, frozen=True, array_like=True, tag="failed"):
    """Why nothing was written."""

    why: str


ENCODER = msgspec.msgpack.Encoder()
ORDER = msgspec.msgpack.Decoder(Order)
REPLY = msgspec.msgpack.Decoder(Done | Failed)


def framed(content: bytes) -> bytes:
    """Return it as it goes down the line: its length first."""
    return len(content).to_bytes(HEAD) + content


def obey(log: Log, order: Order) -> Done | Failed:
    """Write one order."""
    try:
        return Done(log.write(order.items, order.judged))
    except DatabaseFailed as error:
        return Failed(str(error))


def _read(line: socket.socket, size: int) -> bytes | None:
    """Return so many bytes; None: the line has ended."""
    content = bytearray()
    while len(content) < size:
        more = line.recv(size - len(content))
        if not more:
            return None
        content += more
    return bytes(content)


def main() -> None:
    """Obey until the line ends."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)  # whoever is told to go still has events to write
    line, log = socket.socket(fileno=int(sys.argv[1])), Log(Path(sys.argv[2]), sys.argv[3])
    try:
        while (head := _read(line, HEAD)) is not None and (content := _read(line, int.from_bytes(head))) is not None:
            line.sendall(framed(ENCODER.encode(obey(log, ORDER.decode(content)))))
    except ConnectionError:
        pass  # the instance has died: nobody waits for the answer
    finally:
        log.close()


if __name__ == "__main__":
    main()
