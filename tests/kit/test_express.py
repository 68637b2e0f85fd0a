"""A hot route served from the connection: whichever way a request goes, the answer is the same; and what connections do in between."""

import json
import re
import socket
from collections.abc import Iterator
from contextlib import closing
from time import sleep

import httptools
import pytest

from tests.kit.running import Instance, Launcher, wait_until

TRACE_ID = "0af7651916cd43dd8448eb211c80319c"


class Answers:
    """What comes back on one connection, answer by answer."""

    def __init__(self) -> None:
        self.found: list[tuple[int, dict[str, str], bytes]] = []
        self.interim = 0
        self._parser = httptools.HttpResponseParser(self)
        self._headers: dict[str, str] = {}
        self._body = b""

    def feed(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_message_begin(self) -> None:
        self._headers, self._body = {}, b""

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers[name.decode().lower()] = value.decode()

    def on_body(self, body: bytes) -> None:
        self._body += body

    def on_message_complete(self) -> None:
        if self._parser.get_status_code() == 100:
            self.interim += 1
        else:
            self.found.append((self._parser.get_status_code(), self._headers, self._body))


class Line:
    """One connection, on which bytes are sent as a test wants them."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=10)
        self.answers = Answers()

    def send(self, *parts: bytes) -> "Line":
        for number, part in enumerate(parts):
            if number:
                sleep(0.02)  # so that it arrives as a part of its own
            self.socket.sendall(part)
        return self

    def read(self, count: int) -> list[tuple[int, dict[str, str], bytes]]:
        """Return so many answers."""
        while len(self.answers.found) < count:
            data = self.socket.recv(65_536)
            assert data, f"closed after {len(self.answers.found)} of {count} answers"
            self.answers.feed(data)
        return self.answers.found

    def is_closed(self) -> bool:
        return self.socket.recv(1) == b""

    def close(self) -> None:
        self.socket.close()


def post(body: bytes, *headers: str, path: str = "/fast", version: str = "1.1", length: int | None = None) -> bytes:
    lines = [f"POST {path} HTTP/{version}", "Host: x", f"Content-Length: {len(body) if length is None else length}", *headers]
    return "\r\n".join([*lines, "", ""]).encode() + body


def chunked(body: bytes) -> bytes:
    pieces = b"%x\r\n%b\r\n" % (len(body), body) if body else b""
    return b"POST /fast HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" + pieces + b"0\r\n\r\n"


@pytest.fixture(scope="module")
def hot(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    launcher = Launcher(tmp_path_factory.mktemp("hot"))
    yield launcher.app("hot").wait_for("ready")
    launcher.close()


def said(hot: Instance, *parts: bytes) -> tuple[int, dict[str, str], bytes]:
    with closing(Line(hot.port)) as line:
        status, headers, body = line.send(*parts).read(1)[0]
    headers.pop("connection", None)
    return status, headers, re.sub(rb'"trace": ?"[0-9a-f]{32}"', b'"trace":"T"', body)


@pytest.mark.parametrize("body", [b"hello", b"", b"refuse it", b"fail now", b"x" * 2_000, b"x" * 2_001, b"slow one"])
def test_whichever_way_a_request_goes_the_answer_is_the_same(hot: Instance, body: bytes) -> None:
    straight = said(hot, post(body))
    assert said(hot, chunked(body)) == straight
    assert said(hot, post(body, version="1.0")) == straight
    whole = post(body)
    assert said(hot, whole[:20], whole[20:70], whole[70:]) == straight
    assert straight[0] == (503 if body.startswith(b"refuse") else 500 if body.startswith(b"fail") else 413 if len(body) > 2_000 else 201)


def test_what_a_handler_will_not_read_comes_to_the_framework_whole(hot: Instance) -> None:
    status, _, body = said(hot, post(b"unreadable text", "X-Name: y"))
    told = json.loads(body)
    assert (status, told["by"], told["body"]) == (200, "framework", "unreadable text")
    assert (told["path"], told["method"], told["http_version"]) == ("/fast", "POST", "1.1")
    assert ["x-name", "y"] in told["headers"]
    assert said(hot, post(b"unreadable text", path="/fast?a=1"))[0] == 200, "a path with a query is the framework's"


def test_a_connection_is_used_again_and_every_request_has_its_own_trace(hot: Instance) -> None:
    with closing(Line(hot.port)) as line:
        for number in range(3):
            line.send(post(b"hello", f"traceparent: 00-{TRACE_ID[:-1]}{number}-b7ad6b7169203331-01"))
            status, headers, body = line.read(number + 1)[number]
            assert (status, headers["x-more"], headers["content-type"]) == (201, "1", "text/plain")
            assert json.loads(body)["trace"] == f"{TRACE_ID[:-1]}{number}"
        line.send(post(b"bye", "Connection: close")).read(4)
        assert line.answers.found[3][1]["connection"] == "close"
        assert line.is_closed()


def test_requests_that_come_together_are_answered_in_their_order(hot: Instance) -> None:
    sent = [b"slow 1", b"unreadable 2", b"three", b"refuse 4", b"five"]
    with closing(Line(hot.port)) as line:
        line.send(b"".join(map(post, sent)))
        found = line.read(len(sent))
    assert [status for status, _, _ in found] == [201, 200, 201, 503, 201]
    assert [json.loads(body)["body"] for status, _, body in found if status != 503] == ["slow 1", "unreadable 2", "three", "five"]


def test_who_asks_to_be_told_to_go_on_is_told(hot: Instance) -> None:
    with closing(Line(hot.port)) as line:
        line.send(post(b"", "Expect: 100-continue", length=5), b"hello")
        assert json.loads(line.read(1)[0][2])["body"] == "hello"
        assert line.answers.interim == 1


def test_a_failure_is_logged_with_its_place_and_a_header_that_breaks_out_is_none(hot: Instance) -> None:
    reply = hot.ask("POST", "/fast", b"fail here", {"traceparent": f"00-{TRACE_ID}-b7ad6b7169203331-01"})
    assert (reply.status, reply.json["trace"]) == (500, TRACE_ID)
    failed = [line for line in hot.lines() if line["level"] == "error" and line["trace"] == TRACE_ID]
    assert [(line["message"], line["error"]["type"]) for line in failed] == [("POST /fast failed", "KeyError")]
    reply = hot.ask("POST", "/fast", b"inject")
    assert (reply.status, "x-other" in reply.headers) == (500, False)


def test_figures_count_both_ways_under_the_same_name(launcher: Launcher) -> None:
    hot = launcher.app("hot").wait_for("ready")
    for request in (post(b"hello"), chunked(b"hello"), post(b"refuse"), chunked(b"refuse"), post(b"fail"), post(b"unreadable")):
        said(hot, request)
    text = hot.get("/metrics").body.decode()
    assert 'http_requests_total{code="201",route="/fast"} 2.0' in text
    assert 'http_requests_total{code="500",route="/fast"} 1.0' in text
    assert 'http_requests_total{code="200",route="/framework"} 1.0' in text
    assert "http_requests_unprocessed_total 2.0" in text
    assert "http_requests_in_flight 0.0" in text


def test_a_caller_that_goes_away_leaves_nothing_behind(hot: Instance) -> None:
    for parts in ((post(b"slow one"),), (post(b"hello", length=50),), (post(b"x")[:30],)):
        with closing(Line(hot.port)) as line:
            line.send(*parts)
    wait_until(lambda: b"http_requests_in_flight 0.0" in hot.get("/metrics").body, within_s=5, what="nothing in flight")
    assert said(hot, post(b"hello"))[0] == 201
    assert not [line for line in hot.lines() if line["level"] == "error" and "Exception" in line["message"]]


def test_while_it_drains_what_is_under_way_is_answered_and_later_requests_are_turned_away(launcher: Launcher) -> None:
    hot = launcher.app("hot").wait_for("ready")
    with closing(Line(hot.port)) as busy, closing(Line(hot.port)) as idle:
        idle.send(post(b"hello")).read(1)
        busy.send(post(b"slow one"))
        wait_until(lambda: b"http_requests_in_flight 1.0" in hot.get("/metrics").body, within_s=5, what="one in flight")
        hot.tell_to_go()
        assert busy.read(1)[0][0] == 201
        assert hot.exit_code() == 0
        assert idle.is_closed()
