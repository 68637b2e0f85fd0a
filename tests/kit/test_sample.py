"""The generic workload: it calls along the catalog's edges within bounds, and behaves as badly as its config says, no worse."""

import pytest

from reference_apps.sample.app import digest, within
from tests.kit.running import SAMPLE, Gateway, Instance, Launcher, wait_until


def graph(launcher: Launcher, gateway: Gateway, edges: dict[str, str], **config: str) -> dict[str, Instance]:
    """Start one sample for each service of `edges` (service -> what it depends on, separated by commas)."""
    found = {name: launcher.start(*SAMPLE, service=name, MSXF_GATEWAY=gateway.url, MSXF_DEPENDS_ON=needs, **config) for name, needs in edges.items()}
    for name, instance in found.items():
        gateway.ports[name] = instance.wait_for("ready").port
    return found


def test_it_says_who_it_is(launcher: Launcher) -> None:
    instance = launcher.start(*SAMPLE, service="quotes", MSXF_DEPENDS_ON="risk,price").wait_for("ready")
    expected = {"service": "quotes", "release": "1.0.0-00000001", "instance": "quotes-1.0.0-00000001-1", "environment": "local", "zone": "z1"}
    assert instance.get("/").json == {**expected, "depends_on": ["risk", "price"]}
    assert instance.ask("PUT", "/work").status == 405
    assert instance.ask("POST", "/").status == 405


def test_work_asks_every_dependency_and_says_who_answered(launcher: Launcher, gateway: Gateway) -> None:
    services = graph(launcher, gateway, {"a": "b,c", "b": "", "c": "d", "d": ""})
    found = services["a"].get("/work").json
    assert [(one["service"], one["release"]) for one in found["answers"]] == [("b", "1.0.0-00000001"), ("c", "1.0.0-00000001")]
    assert all(one["latency_ms"] > 0 for one in found["answers"])
    assert found["degraded"] == []
    assert sorted(service for service, _ in gateway.seen) == ["b", "c"]


def test_depth_bounds_the_calls(launcher: Launcher, gateway: Gateway) -> None:
    """Two of these services call each other: without a bound one request would never end."""
    services = graph(launcher, gateway, {"a": "b,leaf", "b": "c,leaf", "c": "b,leaf", "leaf": ""})
    for depth, reached in {"0": 0, "1": 2, "2": 4, "3": 6, "99": 6, "-1": 0, "nan": 2, "many": 2}.items():
        gateway.seen.clear()
        assert services["a"].get("/work", {"x-msxf-depth": depth}).status == 200
        assert len(gateway.seen) == reached, depth


def test_a_dependency_that_is_down_or_broken_is_a_fact_and_no_failure(launcher: Launcher, gateway: Gateway) -> None:
    services = graph(launcher, gateway, {"a": "b,broken,gone", "b": ""})
    gateway.ports["broken"] = launcher.start(*SAMPLE, service="broken", MSXF_CONFIG_SAMPLE_ERROR_PCT="100").wait_for("ready").port
    for _ in range(3):
        reply = services["a"].get("/work")
        assert reply.status == 200
        assert [one["service"] for one in reply.json["answers"]] == ["b"]
        assert {one["service"]: one["why"] for one in reply.json["degraded"]} == {"broken": "it answered 500", "gone": "it answered 503"}
    warned = [line["message"] for line in services["a"].lines() if line["level"] == "warning"]
    assert sorted(warned) == ["broken does not answer: it answered 500", "gone does not answer: it answered 503"]
    gateway.ports["gone"] = gateway.ports["b"]
    services["a"].get("/work")
    wait_until(lambda: any(line["message"] == "gone answers again" for line in services["a"].lines()))


def test_the_budget_bounds_the_time(launcher: Launcher, gateway: Gateway) -> None:
    services = graph(launcher, gateway, {"a": "slow"})
    gateway.ports["slow"] = launcher.start(*SAMPLE, service="slow", MSXF_CONFIG_SAMPLE_LATENCY_MS="2000").wait_for("ready").port
    found = services["a"].get("/work", {"x-msxf-budget-ms": "150"}).json
    assert 100 < found["latency_ms"] < 1500
    assert "silence" in found["degraded"][0]["why"]
    assert services["a"].get("/work", {"x-msxf-budget-ms": "1"}).json["degraded"] == [{"service": "slow", "why": "no time was left to ask it"}]


def test_a_slow_release_is_slow_by_its_config(launcher: Launcher) -> None:
    slow = launcher.start(*SAMPLE, MSXF_CONFIG_SAMPLE_LATENCY_MS="80").wait_for("ready")
    assert slow.get("/work").json["latency_ms"] >= 80
    assert slow.get("/").status == 200


def test_a_failing_release_fails_the_same_requests_when_it_is_seeded(launcher: Launcher) -> None:
    def statuses(seed: str) -> list[int]:
        instance = launcher.start(*SAMPLE, MSXF_CONFIG_SAMPLE_ERROR_PCT="30", MSXF_CONFIG_SAMPLE_SEED=seed).wait_for("ready")
        return [instance.get("/work").status for _ in range(60)]

    first = statuses("7")
    assert set(first) == {200, 500}
    assert 5 <= first.count(500) <= 35
    assert statuses("7") == first
    assert statuses("8") != first


def test_a_release_that_is_never_ready(launcher: Launcher) -> None:
    instance = launcher.start(*SAMPLE, MSXF_CONFIG_SAMPLE_UNREADY="the table is missing").wait_for("unready")
    assert instance.get("/readyz").json["reason"] == "the table is missing"


def test_a_release_that_starts_slowly(launcher: Launcher) -> None:
    launcher.start(*SAMPLE, MSXF_CONFIG_SAMPLE_START_MS="400").wait_for("starting").wait_for("ready")


@pytest.mark.parametrize("key, value", [("ERROR_PCT", "101"), ("LATENCY_MS", "slow"), ("DEPTH", "4"), ("BUDGET_MS", "-1"), ("LATENCY_MS", "nan")])
def test_a_config_that_makes_no_sense_is_a_crash_that_says_why(launcher: Launcher, key: str, value: str) -> None:
    instance = launcher.start(*SAMPLE, **{f"MSXF_CONFIG_SAMPLE_{key}": value})
    assert instance.exit_code() == 1
    assert f"sample.{key.lower()} is '{value}'" in instance.errors.read_text()


def test_work_is_the_same_for_the_same_request() -> None:
    assert digest(b"x", "a") == digest(b"x", "a")
    assert len({digest(b"x", "a"), digest(b"y", "a"), digest(b"x", "b")}) == 3


@pytest.mark.parametrize("text, value", [(None, 5), (b"3", 3), (b"99", 10), (b"-1", 0), (b"x", 5), (b"nan", 5), (b"inf", 10)])
def test_a_header_is_kept_within_bounds(text: bytes | None, value: float) -> None:
    assert within(text, 5, 10) == value
