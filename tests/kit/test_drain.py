"""From SIGTERM to the end, and from the start to the first request: real processes, real connections."""

import http.client
import threading
from time import monotonic

from tests.kit.running import TURNED_AWAY, Caller, Instance, Launcher, Load, Reply, is_listening, wait_until


def asked(instance: Instance, path: str) -> tuple[threading.Thread, list[Reply]]:
    """Ask in a thread; the reply is in the list when the thread has ended."""
    replies: list[Reply] = []
    thread = threading.Thread(target=lambda: replies.append(instance.get(path)), daemon=True)
    thread.start()
    return thread, replies


def in_flight(instance: Instance) -> bool:
    return b"http_requests_in_flight 1.0" in instance.get("/metrics").body


def test_a_request_in_flight_is_finished_and_the_exit_follows_at_once(launcher: Launcher) -> None:
    instance = launcher.app("slow").wait_for("ready")
    thread, replies = asked(instance, "/sleep/1")
    wait_until(lambda: in_flight(instance))
    instance.tell_to_go()
    assert instance.exit_code() == 0
    ended = monotonic()
    thread.join(5)
    assert [reply.status for reply in replies] == [200]
    assert monotonic() - ended < 1


def test_an_idle_instance_is_gone_in_half_a_second(launcher: Launcher) -> None:
    instance = launcher.app("slow").wait_for("ready")
    idle = Caller(instance.port)
    assert idle.ask("GET", "/x").status == 200
    began = monotonic()
    instance.tell_to_go()
    assert instance.exit_code() == 0
    assert 0.2 <= monotonic() - began < 1.5
    idle.close()


def test_what_comes_while_it_drains_is_served_on_old_and_new_connections(launcher: Launcher) -> None:
    """As long as something is in flight, even after a while without a new request."""
    instance = launcher.app("slow").wait_for("ready")
    old = Caller(instance.port)
    assert old.ask("GET", "/x").status == 200
    asked(instance, "/sleep/1.5")
    wait_until(lambda: in_flight(instance))
    instance.tell_to_go()
    wait_until(lambda: instance.state() == "draining", within_s=1)
    told = monotonic()
    wait_until(lambda: monotonic() - told > 0.4)
    assert old.ask("GET", "/x").status == 200
    assert instance.get("/x").status == 200
    assert instance.exit_code() == 0
    old.close()


def test_what_comes_while_it_closes_is_answered_as_not_processed(launcher: Launcher) -> None:
    instance = launcher.app("slow", MSXF_CONFIG_STOP_S="0.6").wait_for("ready")
    old = Caller(instance.port)
    assert old.ask("GET", "/x").status == 200
    instance.tell_to_go()
    wait_until(lambda: any(line["message"] == "has drained" for line in instance.lines()))
    late = instance.get("/x")
    assert late.is_unprocessed
    assert late.headers["connection"] == "close"
    assert old.ask("GET", "/x").is_unprocessed
    assert instance.get("/healthz").status == 200
    assert b"http_requests_unprocessed_total 2.0" in instance.get("/metrics").body
    assert b'code="503"' not in instance.get("/metrics").body
    assert instance.exit_code() == 0


def test_callers_that_never_stop_cannot_keep_it_alive(launcher: Launcher) -> None:
    """They are told to go elsewhere. Only who connects in the very moment in which the port closes may be reset, by the kernel."""
    instance = launcher.app("slow").wait_for("ready")
    with Load(lambda: instance.port, callers=2) as load:
        wait_until(lambda: load.answered > 20)
        instance.tell_to_go()
        assert instance.exit_code(within_s=8) == 0
    assert len(load.lost) <= 1
    assert set(load.outcomes) == {200}
    assert load.again[TURNED_AWAY] >= 1


def test_what_comes_while_it_starts_waits_for_it(launcher: Launcher) -> None:
    instance = launcher.app("slow", MSXF_CONFIG_START_S="0.5").wait_for("starting")
    began = monotonic()
    assert instance.get("/x").status == 200
    assert monotonic() - began > 0.2
    assert instance.state() == "ready"


def test_told_to_go_while_it_starts_it_ends_well(launcher: Launcher) -> None:
    instance = launcher.app("slow", MSXF_CONFIG_START_S="0.5").wait_for("starting")
    instance.tell_to_go()
    wait_until(lambda: instance.state() == "draining", within_s=1)
    assert instance.exit_code() == 0


def test_a_start_that_fails_is_a_crash_with_a_reason(launcher: Launcher) -> None:
    instance = launcher.app("slow", MSXF_CONFIG_FAILS="start", MSXF_CONFIG_START_S="0.3")
    wait_until(lambda: is_listening(instance.port))
    held = instance.get("/x")
    assert held.is_unprocessed
    assert instance.exit_code() == 1
    (line,) = [line for line in instance.lines() if line["level"] == "error"]
    assert line["error"]["type"] == "RuntimeError"
    assert line["error"]["message"] == "the books are torn"
    assert "slow.py" in line["error"]["place"]


def test_a_stop_that_fails_is_no_good_end(launcher: Launcher) -> None:
    instance = launcher.app("slow", MSXF_CONFIG_FAILS="stop").wait_for("ready")
    instance.tell_to_go()
    assert instance.exit_code() == 1


def test_a_port_that_is_taken_is_said(launcher: Launcher) -> None:
    first = launcher.app("slow").wait_for("ready")
    second = launcher.app("slow", MSXF_PORT=str(first.port))
    assert second.exit_code() != 0
    assert any(line["level"] == "error" and "address" in line["message"].lower() for line in second.lines())
    assert first.state() == "ready"


def test_a_broken_request_gets_a_400_and_harms_nobody(launcher: Launcher) -> None:
    instance = launcher.app("slow").wait_for("ready")
    connection = http.client.HTTPConnection("127.0.0.1", instance.port, timeout=5)
    connection.putrequest("GET", "/x", skip_host=True)
    connection.putheader("content-length", "many")
    connection.endheaders()
    assert connection.getresponse().status == 400
    connection.close()
    assert instance.get("/x").status == 200
