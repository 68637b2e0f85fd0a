"""Calls through the gateway: what is an answer, what is none, and what may be sent again."""

import asyncio
import json
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from time import monotonic

import pytest

from ctl.kit import tracing
from ctl.kit.calls import Answer, Calls, NoAnswer
from ctl.kit.identity import Identity
from tests.kit.running import free_port

IDENTITY = Identity.from_environ({"MSXF_SERVICE": "approval", "MSXF_RELEASE": "1-ab"})


class Service:
    """A server that answers what the test puts into `script` (status, content type, body, unprocessed), the last line for ever."""

    def __init__(self) -> None:
        self.script: list[tuple[int, str, bytes, bool]] = [(200, "application/json", b"{}", False)]
        self.seen: list[tuple[str, str, dict[str, str], bytes]] = []
        self.connections: set[tuple[str, int]] = set()
        self.wait = threading.Event()
        self.wait.set()
        service = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version, wbufsize = "HTTP/1.1", -1

            def do_GET(self) -> None:
                headers = {name.lower(): value for name, value in self.headers.items()}
                service.connections.add(self.client_address)
                service.seen.append((self.command, self.path, headers, self.rfile.read(int(headers.get("content-length", "0")))))
                service.wait.wait(5)
                status, kind, body, unprocessed = service.script.pop(0) if len(service.script) > 1 else service.script[0]
                self.send_response(status)
                self.send_header("content-type", kind)
                if unprocessed:
                    self.send_header("X-MSXF-Unprocessed", "1")
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_POST = do_GET

            def log_message(self, *_: object) -> None: ...

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.identity = replace(IDENTITY, gateway=f"http://127.0.0.1:{self._server.server_address[1]}")
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self) -> None:
        self.wait.set()
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def service() -> Iterator[Service]:
    service = Service()
    yield service
    service.close()


def called(identity: Identity, *asks: Callable[[Calls], object]) -> list[Answer]:
    async def story() -> list[Answer]:
        calls = Calls(identity)
        try:
            return [await ask(calls) for ask in asks]  # type: ignore[misc]
        finally:
            await calls.close()

    return asyncio.run(story())


def test_a_post_is_json_through_the_gateway(service: Service) -> None:
    service.script = [(201, "application/json; charset=utf-8", '{"name": "张"}'.encode(), False)]
    (answer,) = called(service.identity, lambda calls: calls.post("ledger", "/transfers", {"amount": 7, "to": "张"}, headers={"Idempotency-Key": "k"}))
    assert (answer.status, answer.body, answer.is_ok) == (201, {"name": "张"}, True)
    ((method, path, headers, body),) = service.seen
    assert (method, path, json.loads(body)) == ("POST", "/ledger/transfers", {"amount": 7, "to": "张"})
    assert (headers["content-type"], headers["idempotency-key"], headers["user-agent"]) == ("application/json", "k", "approval/1-ab")


def test_calls_share_connections(service: Service) -> None:
    called(service.identity, *[lambda calls: calls.get("risk", "limits/John?full=1")] * 20)
    assert {path for _, path, _, _ in service.seen} == {"/risk/limits/John?full=1"}
    assert len(service.connections) == 1


def test_any_status_is_an_answer(service: Service) -> None:
    service.script = [(404, "application/problem+json", b'{"title": "no"}', False), (500, "text/plain", b"broken", False), (204, "text/plain", b"", False)]
    answers = called(service.identity, *[lambda calls: calls.get("risk", "/x")] * 3)
    assert [(answer.status, answer.body) for answer in answers] == [(404, {"title": "no"}), (500, "broken"), (204, None)]


def test_the_trace_is_passed_on(service: Service) -> None:
    async def story() -> str:
        trace = tracing.enter([(b"traceparent", b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"), (b"tracestate", b"a=1")]).trace
        calls = Calls(service.identity)
        await calls.get("risk", "/x")
        await calls.close()
        return trace.traceparent

    expected = asyncio.run(story())
    assert service.seen[0][2]["traceparent"] == expected
    assert service.seen[0][2]["tracestate"] == "a=1"


def test_what_was_not_processed_is_sent_again_even_a_post(service: Service) -> None:
    service.script = [(503, "text/plain", b"", True)] * 3 + [(200, "application/json", b"1", False)]
    (answer,) = called(service.identity, lambda calls: calls.post("ledger", "/x", {"n": 1}))
    assert (answer.status, answer.body) == (200, 1)
    assert [json.loads(body) for *_, body in service.seen] == [{"n": 1}] * 4


def test_a_plain_503_is_an_answer_and_sent_once(service: Service) -> None:
    service.script = [(503, "text/plain", b"no healthy upstream", False)]
    (answer,) = called(service.identity, lambda calls: calls.post("ledger", "/x", {"n": 1}))
    assert answer.status == 503
    assert len(service.seen) == 1


def test_nobody_ever_takes_it(service: Service) -> None:
    service.script = [(503, "text/plain", b"", True)]
    began = monotonic()
    with pytest.raises(NoAnswer, match=r"ledger gave no answer: it took no request for 0.3 s on POST /x") as caught:
        called(service.identity, lambda calls: calls.post("ledger", "/x", None, timeout_s=0.3))
    assert caught.value.was_unprocessed
    assert 0.3 <= monotonic() - began < 2
    assert len(service.seen) < 20


def test_silence_is_no_answer_and_may_have_been_processed(service: Service) -> None:
    service.wait.clear()
    with pytest.raises(NoAnswer, match=r"ledger gave no answer: silence for 0.2 s on POST /x") as caught:
        called(service.identity, lambda calls: calls.post("ledger", "/x", {}, timeout_s=0.2))
    assert not caught.value.was_unprocessed
    assert caught.value.service == "ledger"
    assert len(service.seen) == 1


def test_no_gateway_is_no_answer() -> None:
    nobody = replace(IDENTITY, gateway=f"http://127.0.0.1:{free_port()}")
    with pytest.raises(NoAnswer, match=r"risk gave no answer: no connection to the gateway at http://127\.0\.0\.1:\d+ \(Connection refused\) for") as caught:
        called(nobody, lambda calls: calls.get("risk", "/x", timeout_s=0.2))
    assert caught.value.was_unprocessed
    with pytest.raises(NoAnswer, match="MSXF_GATEWAY is not set"):
        called(IDENTITY, lambda calls: calls.get("risk", "/x"))


def test_a_gateway_that_comes_back_in_time_is_never_noticed(service: Service) -> None:
    """The port is taken, so that connecting fails, until the server listens."""
    port = free_port()
    later = ThreadingHTTPServer(("127.0.0.1", port), service._server.RequestHandlerClass, bind_and_activate=False)

    async def story() -> Answer:
        calls = Calls(replace(IDENTITY, gateway=f"http://127.0.0.1:{port}"))
        asked = asyncio.ensure_future(calls.post("ledger", "/x", {"n": 1}))
        await asyncio.sleep(0.1)
        later.server_bind()
        later.server_activate()
        threading.Thread(target=later.serve_forever, args=(0.05,), daemon=True).start()
        try:
            return await asked
        finally:
            await calls.close()

    assert asyncio.run(story()).status == 200
    assert len(service.seen) == 1
    later.shutdown()
    later.server_close()


def test_a_connection_that_breaks_is_no_answer() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def break_off() -> None:
            connection, _ = listener.accept()
            connection.recv(100)
            connection.close()

        threading.Thread(target=break_off, daemon=True).start()
        breaking = replace(IDENTITY, gateway=f"http://127.0.0.1:{listener.getsockname()[1]}")
        with pytest.raises(NoAnswer, match=r"ledger gave no answer: .* on POST /x") as caught:
            called(breaking, lambda calls: calls.post("ledger", "/x", {}))
        assert not caught.value.was_unprocessed


def test_json_that_is_none_is_no_answer(service: Service) -> None:
    service.script = [(200, "application/json", b"<html>", False)]
    with pytest.raises(NoAnswer, match="says it is JSON and is not"):
        called(service.identity, lambda calls: calls.get("risk", "/x"))
