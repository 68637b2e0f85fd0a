"""The gateway under load, with real instances behind it: weights, instances that come, go and die, a gateway that dies, and one that is taken over."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from time import monotonic

import pytest

from bench.load import Call, Load, Tally
from ctl.backends.traffic import port
from ctl.backends.traffic.gateway import Gateway
from ctl.errors import BackendError
from ctl.model.fleet import Routes
from tests.e2e.gateways import ROOT, Upstreams, answers, apply, ask, is_in_force, open_gateway, raw, until

RATE = 200.0
KINDS = ("proxy", "envoy")


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def gateway(kind: str, tmp_path: Path) -> Iterator[Gateway]:
    opened = open_gateway(kind, tmp_path / "home")
    opened.start()
    until("the gateway answers", lambda: answers(opened.address()))
    yield opened
    opened.close(stop=True)


@pytest.fixture
def upstreams() -> Iterator[Upstreams]:
    started = Upstreams()
    yield started
    started.close()


def steady(gateway: Gateway, path: str = "/risk/x") -> Load:
    """Send every other request as a POST: neither kind may fail."""
    return Load(gateway.address(), lambda number: Call("POST", path, {"n": number}) if number % 2 else Call("GET", path), RATE).start()


def run_for(load: Load, requests: int) -> None:
    before = load.tally.answered
    until(f"{requests} more answers", lambda: load.tally.answered >= before + requests, within_s=60)


def assert_none_failed(tally: Tally) -> None:
    assert tally.failures == []
    assert set(tally.statuses) == {200}
    assert tally.statuses[200] == tally.sent


def test_traffic_is_split_as_asked(gateway: Gateway, upstreams: Upstreams) -> None:
    upstreams.start("a", "b", "c", "d")
    apply(gateway, upstreams.routes("risk", old=(93, ("a", "b", "c")), new=(7, ("d",))))
    counts = Counter(ask(gateway.address(), "/risk/x")[1]["who"] for _ in range(600))
    assert counts["d"] == pytest.approx(42, abs=6), "7 % to within 1 %"
    assert all(counts[name] == pytest.approx(186, abs=6) for name in "abc"), "instances of one release share evenly"


def test_a_rollout_under_load_fails_no_request(gateway: Gateway, upstreams: Upstreams) -> None:
    """Weights 0, 10, 50, 100; then each old instance is told to go as soon as the gateway says that it has no more traffic."""
    upstreams.start("old-1", "old-2")
    apply(gateway, upstreams.routes("risk", old=(100, ("old-1", "old-2"))))
    load = steady(gateway)
    run_for(load, 60)
    upstreams.start("new-1", "new-2")
    for weight in (10, 50):
        apply(gateway, upstreams.routes("risk", old=(100 - weight, ("old-1", "old-2")), new=(weight, ("new-1", "new-2"))))
        run_for(load, 60)
    apply(gateway, upstreams.routes("risk", new=(100, ("new-1", "new-2"))))
    for name in ("old-1", "old-2"):
        had = upstreams.seen(name)
        run_for(load, 60)
        assert upstreams.seen(name) == had + 1, "nothing but the question itself reached it after routes() left it out"
        upstreams.signal(name, signal.SIGTERM)
    run_for(load, 60)
    assert_none_failed(load.stop())


def test_instances_that_come_and_go_fail_no_request(gateway: Gateway, upstreams: Upstreams) -> None:
    upstreams.start("a", "b", "c")
    apply(gateway, upstreams.routes("risk", one=(100, ("a", "b"))))
    load = steady(gateway)
    for leaving, staying in (("a", ("b", "c")), ("b", ("c", "a")), ("c", ("a", "b"))) * 3:
        apply(gateway, upstreams.routes("risk", one=(100, staying)))
        upstreams.signal(leaving, signal.SIGTERM)
        upstreams.processes[leaving].wait(10)
        upstreams.start(leaving)
    assert_none_failed(load.stop())


def test_a_killed_instance_fails_no_request(gateway: Gateway, upstreams: Upstreams) -> None:
    upstreams.start("a", "b", "c")
    apply(gateway, upstreams.routes("risk", one=(100, ("a", "b", "c"))))
    load = steady(gateway, "/risk/slow/5")
    run_for(load, 60)
    upstreams.kill("b")
    run_for(load, 200)
    assert_none_failed(load.stop())


def test_all_but_one_instance_killed_fail_no_request(gateway: Gateway, upstreams: Upstreams) -> None:
    upstreams.start("a", "b", "c", "d")
    apply(gateway, upstreams.routes("risk", old=(50, ("a", "b")), new=(50, ("c", "d"))))
    load = steady(gateway)
    run_for(load, 40)
    for name in "abc":
        upstreams.kill(name)
    run_for(load, 200)
    assert_none_failed(load.stop())


def test_an_only_instance_that_restarts_loses_no_request(gateway: Gateway, upstreams: Upstreams) -> None:
    upstreams.start("a")
    apply(gateway, upstreams.routes("risk", one=(100, ("a",))))
    load = steady(gateway)
    run_for(load, 40)
    upstreams.kill("a")
    sent = load.tally.sent
    until("two seconds of requests are held", lambda: load.tally.sent >= sent + 2 * RATE)
    upstreams.start("a")
    run_for(load, 200)
    assert_none_failed(load.stop())


def test_a_request_in_flight_outlives_the_route(gateway: Gateway, upstreams: Upstreams) -> None:
    upstreams.start("a", "b")
    apply(gateway, upstreams.routes("risk", one=(100, ("a",))))
    got: list[int] = []
    asking = threading.Thread(target=lambda: got.append(ask(gateway.address(), "/risk/slow/700")[0]))
    asking.start()
    until("the request is there", lambda: ask("http://" + upstreams.addresses["a"], "/seen")[1]["open"] == 2)
    apply(gateway, upstreams.routes("risk", one=(100, ("b",))))
    assert not got, "it is in flight while its instance leaves"
    upstreams.signal("a", signal.SIGTERM)
    asking.join(10)
    assert got == [200]


def test_what_was_not_processed_is_repeated_whatever_its_method(gateway: Gateway, upstreams: Upstreams) -> None:
    upstreams.start("a")
    apply(gateway, upstreams.routes("ledger", one=(100, ("a",))))
    ask("http://" + upstreams.addresses["a"], "/refuse/3")
    status, said = ask(gateway.address(), "/ledger/postings?dry=1", method="POST", body=b'{"amount": 100}')
    assert (status, said["method"], said["target"], said["body"]) == (200, "POST", "/postings?dry=1", '{"amount": 100}')


def test_what_was_refused_by_one_goes_to_another(gateway: Gateway, upstreams: Upstreams) -> None:
    upstreams.start("a", "b")
    apply(gateway, upstreams.routes("ledger", one=(100, ("a", "b"))))
    ask("http://" + upstreams.addresses["a"], "/refuse/1000")
    began = monotonic()
    who = {ask(gateway.address(), "/ledger/x", method="PUT", body=b"1")[1]["who"] for _ in range(10)}
    assert who == {"b"}
    assert monotonic() - began < 5


def test_an_error_of_the_application_is_passed_on_and_counts_for_nothing(gateway: Gateway, upstreams: Upstreams) -> None:
    upstreams.start("a", "b")
    apply(gateway, upstreams.routes("risk", old=(50, ("a",)), new=(50, ("b",))))
    for _ in range(20):
        assert ask(gateway.address(), "/risk/error/503") == (503, {"error": "on purpose"})
    counts = Counter(ask(gateway.address(), "/risk/x")[1]["who"] for _ in range(20))
    assert counts == {"a": 10, "b": 10}, "a bad answer is the judge's business, not the gateway's"


def test_where_a_request_goes_and_what_goes_along(gateway: Gateway, upstreams: Upstreams) -> None:
    upstreams.start("a", "b")
    apply(gateway, upstreams.routes("risk", one=(100, ("a",))))
    apply(gateway, upstreams.routes("risk-bureau", one=(100, ("b",))))
    trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    base = gateway.address()
    said = ask(base, "/risk/v1/limits?who=mike&x=%2F", headers={"traceparent": trace, "x-request-id": "mine", "idempotency-key": "k"})[1]
    assert (said["who"], said["target"]) == ("a", "/v1/limits?who=mike&x=%2F")
    assert {name: said["headers"][name] for name in ("traceparent", "x-request-id", "idempotency-key")} == {
        "traceparent": trace,
        "x-request-id": "mine",
        "idempotency-key": "k",
    }
    assert [ask(base, path)[1]["target"] for path in ("/risk", "/risk/", "/risk?x=1", "/risk//x")] == ["/", "/", "/?x=1", "//x"]
    assert ask(base, "/risk-bureau/x")[1]["who"] == "b"
    assert len(ask(base, "/risk/x")[1]["headers"]["x-request-id"]) >= 32, "made where the caller has none"


def test_what_the_gateway_itself_says(gateway: Gateway, upstreams: Upstreams) -> None:
    upstreams.addresses["dead"] = f"127.0.0.1:{port.choose()}"
    apply(gateway, upstreams.routes("fraud", one=(100, ("dead",))))
    apply(gateway, Routes(service="fraud"))
    apply(gateway, upstreams.routes("ledger", one=(100, ("dead",))))
    status, headers, body = raw(gateway.address(), "/nobody/x")
    assert (status, headers["content-type"], json.loads(body)["status"]) == (404, "application/problem+json", 404)
    assert ask(gateway.address(), "/fraud/x") == (503, {"error": "no instance of fraud takes traffic"})
    assert ask(gateway.address(), "/ledger/x", method="POST", body=b"1") == (503, {"error": "no instance of ledger answers"})


@pytest.mark.parametrize("size", [0, 1, 200_000, 3_000_000])
def test_bodies_of_any_size_pass_both_ways(gateway: Gateway, upstreams: Upstreams, size: int) -> None:
    upstreams.start("a")
    apply(gateway, upstreams.routes("file", one=(100, ("a",))))
    status, said = ask(gateway.address(), "/file/x", method="POST", body=b"y" * size)
    assert (status, len(said["body"])) == (200, size)
    assert raw(gateway.address(), f"/file/big/{size}")[2] == b"x" * size


def test_answers_without_a_body(gateway: Gateway, upstreams: Upstreams) -> None:
    upstreams.start("a")
    apply(gateway, upstreams.routes("file", one=(100, ("a",))))
    status, headers, body = raw(gateway.address(), "/file/x", method="HEAD")
    assert (status, headers["content-length"], body) == (200, "7", b"")
    assert raw(gateway.address(), "/file/nothing")[::2] == (204, b"")


def test_a_killed_gateway_is_back_with_its_port_and_routes(gateway: Gateway, upstreams: Upstreams) -> None:
    upstreams.start("a")
    routes = upstreams.routes("risk", one=(100, ("a",)))
    apply(gateway, routes)
    address, first = gateway.address(), gateway.pid
    assert first
    os.kill(first, signal.SIGKILL)
    down_s = until("the gateway serves again", lambda: gateway.pid not in (None, first) and answers(address))
    assert down_s < 2, "under a second on a machine with time; this one may have other work"
    assert ask(address, "/risk/x")[1]["who"] == "a", "it came back with its routes"
    assert is_in_force(gateway, routes)


def test_routes_set_while_the_gateway_is_down_are_pending_until_it_is_back(gateway: Gateway, upstreams: Upstreams) -> None:
    upstreams.start("a", "b")
    before, after = upstreams.routes("risk", one=(100, ("a",))), upstreams.routes("risk", one=(100, ("b",)))
    apply(gateway, before)
    first = gateway.pid
    assert first
    os.kill(first, signal.SIGSTOP)  # it runs, but does nothing
    gateway.set_routes(after)
    assert is_in_force(gateway, before), "what was asked for is not in force"
    os.kill(first, signal.SIGKILL)
    until("the new gateway applies them", lambda: is_in_force(gateway, after))
    assert ask(gateway.address(), "/risk/x")[1]["who"] == "b"


SUPERVISOR = """
import sys, time
from pathlib import Path
from ctl.backends.traffic import envoy, localproxy
home, kind, templates = Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3])
gateway = envoy.gateway(home, templates) if kind == "envoy" else localproxy.gateway(home)
gateway.start()
print(gateway.pid, flush=True)
time.sleep(600)
"""


def test_a_gateway_outlives_its_supervisor_and_is_adopted(kind: str, tmp_path: Path, upstreams: Upstreams) -> None:
    home = tmp_path / "home"
    gateway = open_gateway(kind, home)
    supervisor = subprocess.Popen([sys.executable, "-c", SUPERVISOR, str(home), kind, str(ROOT / "templates")], stdout=subprocess.PIPE, text=True, cwd=ROOT)
    try:
        assert supervisor.stdout is not None
        first = int(supervisor.stdout.readline())
        upstreams.start("a")
        routes = upstreams.routes("risk", one=(100, ("a",)))
        apply(gateway, routes)
        load = steady(gateway)
        run_for(load, 20)
        supervisor.kill()
        supervisor.wait(10)
        heir = open_gateway(kind, home)
        assert is_in_force(heir, routes), "it asks the gateway, not its own memory"
        heir.start()
        assert heir.pid == first
        run_for(load, 40)
        assert_none_failed(load.stop())
        os.kill(first, signal.SIGKILL)
        until("its heir starts it again", lambda: heir.pid not in (None, first) and answers(heir.address()))
    finally:
        supervisor.kill()
        supervisor.wait(10)
        assert supervisor.stdout is not None
        supervisor.stdout.close()
        gateway.close(stop=True)
    heir.close(stop=True)
    assert heir.pid is None


def test_two_supervisors_have_one_gateway(gateway: Gateway, kind: str, tmp_path: Path) -> None:
    second = open_gateway(kind, tmp_path / "home")
    second.start()
    first_pid = gateway.pid
    assert first_pid
    assert second.pid == first_pid
    os.kill(first_pid, signal.SIGKILL)
    until("one is back", lambda: gateway.pid not in (None, first_pid) and answers(gateway.address()))
    assert second.pid == gateway.pid
    assert len(processes_of(tmp_path / "home")) == 1
    second.close(stop=False)
    assert gateway.pid, "leaving is not stopping"


def processes_of(home: Path) -> list[Path]:
    """Return the processes whose command names the home."""
    found = []
    for command in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):  # it has ended meanwhile
            found += [command] if str(home).encode() in command.read_bytes() else []
    return found


def test_two_processes_change_routes_of_one_home(gateway: Gateway, kind: str, tmp_path: Path, upstreams: Upstreams) -> None:
    upstreams.addresses |= {"a": "127.0.0.1:9", "b": "127.0.0.1:10"}
    second = open_gateway(kind, tmp_path / "home")
    risk, fraud = upstreams.routes("risk", one=(100, ("a",))), upstreams.routes("fraud", one=(100, ("b",)))
    gateway.set_routes(risk)
    second.set_routes(fraud)
    until("each sees both", lambda: all(is_in_force(one, routes) for one in (gateway, second) for routes in (risk, fraud)))
    second.close(stop=False)


def test_another_kind_takes_over_the_port_and_the_routes(gateway: Gateway, kind: str, tmp_path: Path, upstreams: Upstreams) -> None:
    upstreams.start("a")
    routes = upstreams.routes("risk", one=(100, ("a",)))
    apply(gateway, routes)
    gateway.close(stop=False)
    other = open_gateway(next(one for one in KINDS if one != kind), tmp_path / "home")
    other.start()
    until("it serves", lambda: answers(other.address()))
    assert other.address() == gateway.address()
    assert ask(other.address(), "/risk/x")[1]["who"] == "a"
    until("it says so", lambda: is_in_force(other, routes))
    other.close(stop=True)


def test_a_port_that_is_taken_is_an_error_that_says_so(kind: str, tmp_path: Path, upstreams: Upstreams) -> None:
    upstreams.start("a")
    taken = int(upstreams.addresses["a"].rpartition(":")[2])
    gateway = open_gateway(kind, tmp_path / "home", at_port=taken)
    with pytest.raises(BackendError, match=f"port {taken} is taken"):
        gateway.start()
    gateway.close(stop=True)


def test_no_answer_is_lost_while_an_instance_closes_idle_connections(gateway: Gateway, upstreams: Upstreams) -> None:
    """The instance is restarted between requests, so that every kept connection is dead when it is used again."""
    upstreams.start("a")
    apply(gateway, upstreams.routes("risk", one=(100, ("a",))))
    for _ in range(5):
        assert ask(gateway.address(), "/risk/x", method="POST", body=b"1")[0] == 200
        upstreams.kill("a")
        upstreams.start("a")
