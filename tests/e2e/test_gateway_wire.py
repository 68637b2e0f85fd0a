"""Callers as they are: old, hasty, rude, slow to read, or gone; spoken with over a bare socket."""

import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from ctl.backends.traffic.gateway import Gateway
from tests.e2e.gateways import Upstreams, answers, apply, ask, open_gateway, until

POST = b"POST /file/x HTTP/1.1\r\nhost: x\r\n"


@pytest.fixture(params=["proxy", "envoy"], scope="module")
def gateway(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    opened = open_gateway(request.param, tmp_path_factory.mktemp("wire") / "home")
    opened.start()
    until("the gateway answers", lambda: answers(opened.address()))
    yield opened
    opened.close(stop=True)


@pytest.fixture(scope="module")
def upstreams(gateway: Gateway) -> Iterator[Upstreams]:
    started = Upstreams()
    started.start("a")
    apply(gateway, started.routes("file", one=(100, ("a",))))
    yield started
    started.close()


def connect(gateway: Gateway) -> socket.socket:
    host, _, number = gateway.address().removeprefix("http://").rpartition(":")
    line = socket.create_connection((host, int(number)), timeout=15)
    line.settimeout(15)
    return line


def say(gateway: Gateway, *pieces: bytes) -> bytes:
    """Send the pieces over one connection and return all that comes back, to its end."""
    with connect(gateway) as line:
        for piece in pieces:
            line.sendall(piece)
        return read_all(line)


def read_all(line: socket.socket) -> bytes:
    got: list[bytes] = []
    with suppress(ConnectionResetError):
        while more := line.recv(1 << 20):
            got.append(more)
    return b"".join(got)


def test_an_old_caller_gets_an_answer_that_ends_with_the_connection(gateway: Gateway, upstreams: Upstreams) -> None:
    said = say(gateway, b"GET /file/big/100000 HTTP/1.0\r\nhost: x\r\n\r\n")
    head, _, body = said.partition(b"\r\n\r\n")
    assert b"chunked" not in head
    assert body == b"x" * 100_000


def test_requests_in_a_row_are_answered_in_that_order(gateway: Gateway, upstreams: Upstreams) -> None:
    asked = [b"GET /file/slow/%d?n=%d HTTP/1.1\r\nhost: x\r\n\r\n" % (ms, number) for number, ms in enumerate((60, 0, 30, *[0] * 20))]
    said = say(gateway, b"".join(asked), b"GET /file/x HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
    places = [said.index(b"?n=%d" % number) for number in range(len(asked))]
    assert places == sorted(places)
    assert said.count(b"HTTP/1.1 200") == len(asked) + 1


def test_a_body_in_chunks_arrives_whole(gateway: Gateway, upstreams: Upstreams) -> None:
    said = say(gateway, POST + b"transfer-encoding: chunked\r\nconnection: close\r\n\r\n5\r\nhello\r\n", b"6\r\n world\r\n0\r\n\r\n")
    assert b'"body": "hello world"' in said


def test_who_waits_for_leave_to_send_a_body_gets_it(gateway: Gateway, upstreams: Upstreams) -> None:
    with connect(gateway) as line:
        line.sendall(POST + b"expect: 100-continue\r\ncontent-length: 2\r\nconnection: close\r\n\r\n")
        assert line.recv(100).startswith(b"HTTP/1.1 100")
        line.sendall(b"ok")
        assert b'"body": "ok"' in read_all(line)


@pytest.mark.parametrize("rude", [b"hello\r\n\r\n", b"GET /file/x HTTP/1.1\r\nhost x\r\n\r\n", b"GET /file/x HTTP/9.9\r\n\r\n"])
def test_what_is_no_http_is_refused(gateway: Gateway, upstreams: Upstreams, rude: bytes) -> None:
    assert say(gateway, rude).split()[1] == b"400"


def test_too_much_is_refused_and_the_next_caller_served(gateway: Gateway, upstreams: Upstreams) -> None:
    headers = b"".join(b"x-%d: %b\r\n" % (number, b"y" * 1000) for number in range(99))
    assert say(gateway, b"GET /file/x HTTP/1.1\r\nhost: x\r\n" + headers + b"\r\n").split()[1] in (b"413", b"431")
    assert ask(gateway.address(), "/file/x")[0] == 200


def test_a_caller_that_goes_away_leaves_nothing_behind(gateway: Gateway, upstreams: Upstreams) -> None:
    with connect(gateway) as line:
        line.sendall(b"GET /file/slow/400 HTTP/1.1\r\nhost: x\r\n\r\n")
        until("it is under way", lambda: ask("http://" + upstreams.addresses["a"], "/seen")[1]["open"] == 2)
    assert ask(gateway.address(), "/file/x")[0] == 200
    until("it is over", lambda: ask("http://" + upstreams.addresses["a"], "/seen")[1]["open"] == 1)


def test_a_caller_that_does_not_read_costs_no_memory_and_holds_nobody_up(gateway: Gateway, upstreams: Upstreams) -> None:
    size = 60_000_000
    before_kb = memory_kb(gateway)
    with connect(gateway) as line:
        line.sendall(b"GET /file/big/%d HTTP/1.0\r\nhost: x\r\n\r\n" % size)
        assert line.recv(17).endswith(b" 200 OK\r\n")
        assert all(ask(gateway.address(), "/file/x")[0] == 200 for _ in range(20))
        assert memory_kb(gateway) - before_kb < 20_000
        assert read_all(line).endswith(b"\r\n\r\n" + b"x" * size)


def memory_kb(gateway: Gateway) -> int:
    lines = Path(f"/proc/{gateway.pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))


def test_an_answer_that_breaks_off_is_seen_to_be_broken(gateway: Gateway, upstreams: Upstreams) -> None:
    """An instance that dies in the middle of an answer must not look like one that has finished."""
    server = socket.create_server(("127.0.0.1", 0))
    upstreams.addresses["liar"] = f"127.0.0.1:{server.getsockname()[1]}"
    apply(gateway, upstreams.routes("liar", one=(100, ("liar",))))

    def lie() -> None:
        line, _ = server.accept()
        with line:
            line.recv(1000)
            line.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf")

    thread = threading.Thread(target=lie)
    thread.start()
    said = say(gateway, b"GET /liar/x HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
    thread.join(10)
    server.close()
    assert said.count(b"HTTP/1.1 200") <= 1
    assert said.endswith(b"half") or not said
