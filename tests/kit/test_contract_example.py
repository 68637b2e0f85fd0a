"""The contract, checked from outside over a service without the kit (the example in the document) and one on it (the sample)."""

import re
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.kit.running import ROOT, SAMPLE, Gateway, Instance, Launcher, Load, wait_until

DOCUMENT = ROOT / "docs" / "workload-contract.md"
TRACE_ID, SPAN_ID = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
PARENT = f"00-{TRACE_ID}-{SPAN_ID}-01"
BROKEN = (
    "",
    "00",
    PARENT[:-1],
    PARENT.upper(),
    f"ff{PARENT[2:]}",
    f"00-{'0' * 32}-{SPAN_ID}-01",
    f"00-{TRACE_ID}-{'0' * 16}-01",
    f"00-{TRACE_ID}-{SPAN_ID}-zz",
    f"00-{TRACE_ID}-{SPAN_ID}",
)


def example(mark: str = "example") -> str:
    found = re.search(rf"<!-- {mark} -->\n```python\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
    assert found, f"the document has nothing marked {mark!r}"
    return found[1]


@pytest.fixture(params=["example", "sample"])
def argv(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, ...]:
    if request.param == "sample":
        return SAMPLE
    script = tmp_path / "example.py"
    script.write_text(example())
    return (str(script),)


def figures(instance: Instance) -> dict[str, Any]:
    reply = instance.get("/metrics")
    assert reply.status == 200
    assert reply.headers["content-type"].startswith("text/plain")
    return {family.name: family for family in text_string_to_metric_families(reply.body.decode())}


def requests_by_code(instance: Instance) -> dict[tuple[str, str], float]:
    return {(one.labels["code"], one.labels["route"]): one.value for one in figures(instance)["http_requests"].samples if one.name == "http_requests_total"}


def test_the_example_needs_nothing_but_the_standard_library() -> None:
    imported = set(re.findall(r"^(?:import|from) (.+?)(?: import .*)?$", example(), re.MULTILINE))
    names = {part.split(".")[0].strip() for line in imported for part in line.split(",")}
    assert names <= {"json", "os", "re", "secrets", "signal", "threading", "time", "urllib", "collections", "http"}


def test_probes_and_a_request(launcher: Launcher, argv: tuple[str, ...]) -> None:
    instance = launcher.start(*argv).wait_for("ready")
    assert instance.get("/healthz").status == 200
    assert instance.get("/work").json["release"] == "1.0.0-00000001"
    assert instance.ask("POST", "/work", b"{}").status == 200
    assert instance.get("/nothing/here").status == 404


def test_figures_count_what_was_asked_and_no_probes(launcher: Launcher, argv: tuple[str, ...]) -> None:
    instance = launcher.start(*argv).wait_for("ready")
    for path in ("/work", "/work", "/work", "/nowhere/1", "/nowhere/2"):
        instance.get(path)
    wait_until(lambda: sum(requests_by_code(instance).values()) == 5, what="five requests counted")
    assert requests_by_code(instance) == {("200", "/work"): 3, ("404", "unmatched"): 2}
    found = figures(instance)
    timings = [one for one in found["http_request_duration_seconds"].samples if one.labels["route"] == "/work"]
    buckets = [(float(one.labels["le"]), one.value) for one in timings if one.name.endswith("_bucket")]
    assert [count for _, count in sorted(buckets)] == sorted(count for _, count in buckets)
    assert max(buckets) == (float("inf"), 3)
    assert {one.name.rpartition("_")[2]: one.value for one in timings if not one.name.endswith("_bucket")}["count"] == 3
    assert found["http_requests_in_flight"].samples[0].value == 0
    assert found["http_requests_in_flight"].type == "gauge"
    assert found["http_request_duration_seconds"].type == "histogram"


def test_going_under_load_loses_nothing(launcher: Launcher, argv: tuple[str, ...]) -> None:
    goes, stays = launcher.start(*argv).wait_for("ready"), launcher.start(*argv).wait_for("ready")
    target = [goes.port]
    with Load(lambda: target[0]) as load:
        wait_until(lambda: load.answered > 50)
        goes.tell_to_go()
        wait_until(lambda: goes.state() == "draining", within_s=2, what="draining")
        assert goes.get("/healthz").status == 200
        target[0] = stays.port
        assert goes.exit_code(within_s=10) == 0
        before = load.answered
        wait_until(lambda: load.answered > before + 50)
    assert load.lost == []
    assert set(load.outcomes) == {200}


def test_a_trace_goes_on_to_whom_it_calls(launcher: Launcher, gateway: Gateway, argv: tuple[str, ...]) -> None:
    first = launcher.start(*argv, service="a", MSXF_GATEWAY=gateway.url, MSXF_DEPENDS_ON="b,c").wait_for("ready")
    gateway.ports["b"] = launcher.start(*argv, service="b").wait_for("ready").port
    assert first.get("/work", {"traceparent": PARENT, "tracestate": "rojo=1,congo=t61"}).status == 200
    assert sorted(service for service, _ in gateway.seen) == ["b", "c"]
    for _, headers in gateway.seen:
        version, trace, span, flags = headers["traceparent"].split("-")
        assert (version, trace, flags) == ("00", TRACE_ID, "01")
        assert span != SPAN_ID
        assert headers["tracestate"] == "rojo=1,congo=t61"


def test_a_broken_traceparent_begins_a_new_trace(launcher: Launcher, gateway: Gateway, argv: tuple[str, ...]) -> None:
    instance = launcher.start(*argv, MSXF_GATEWAY=gateway.url, MSXF_DEPENDS_ON="b").wait_for("ready")
    for broken in BROKEN:
        gateway.seen.clear()
        assert instance.get("/work", {"traceparent": broken, "tracestate": "rojo=1"}).status == 200
        ((_, headers),) = gateway.seen
        assert re.fullmatch(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}", headers["traceparent"]), broken
        assert TRACE_ID not in headers["traceparent"], broken
        assert "tracestate" not in headers


def test_logs_are_json_lines_with_the_trace(launcher: Launcher, argv: tuple[str, ...]) -> None:
    instance = launcher.start(*argv, MSXF_DEPENDS_ON="nobody").wait_for("ready")
    instance.get("/work", {"traceparent": PARENT})
    wait_until(lambda: any(line["trace"] == TRACE_ID for line in instance.lines()), what="a line with the trace")
    for line in instance.lines():
        assert {"at", "level", "logger", "message", "trace", "service", "instance"} <= set(line)
        assert line["level"] in ("debug", "info", "warning", "error")
        assert (line["service"], line["instance"]) == ("a", "a-1.0.0-00000001-1")
    (about,) = [line for line in instance.lines() if line["trace"] == TRACE_ID]
    assert (about["level"], "nobody" in about["message"]) == ("warning", True)
    assert instance.errors.read_text() == ""


def test_the_service_on_the_kit_in_the_document_runs(launcher: Launcher, gateway: Gateway, tmp_path: Path) -> None:
    script = tmp_path / "quotes.py"
    script.write_text(example("with the kit"))
    instance = launcher.start(str(script), service="quotes", MSXF_GATEWAY=gateway.url).wait_for("ready")
    gateway.ports["risk"] = launcher.start(*SAMPLE, service="risk").wait_for("ready").port
    answer = instance.get("/quotes/John", {"traceparent": PARENT}).json
    assert (answer["customer"], answer["limit"]["status"]) == ("John", 404)
    assert gateway.seen[0][0] == "risk"
    assert TRACE_ID in gateway.seen[0][1]["traceparent"]
    instance.tell_to_go()
    assert instance.exit_code() == 0
