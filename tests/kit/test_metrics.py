"""Figures: right, cheap, and never more series than routes."""

import asyncio
from collections.abc import MutableMapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from ctl.kit import door, metrics
from ctl.kit.door import Door
from ctl.kit.life import Life


def routes() -> dict[str, float]:
    metrics.RequestFigures(lambda: 0)
    families = {family.name: family for family in text_string_to_metric_families(metrics.text().decode())}
    found: dict[str, float] = {}
    for sample in families["http_requests"].samples:
        found[sample.labels["route"]] = found.get(sample.labels["route"], 0) + sample.value
    return found


def asked(paths: list[str], status: int = 200, route: Any = None) -> Door:
    """Send one request for each path through a door of its own."""

    async def app(scope: MutableMapping[str, Any], _: Any, send: Any) -> None:
        if route is not None:
            scope["route"] = route
        await door.respond(send, status, b"")

    async def story() -> Door:
        life = Life()
        entrance = Door(app, life)
        life.open()
        for path in paths:
            await entrance({"type": "http", "method": "GET", "path": path, "headers": []}, _nothing, _swallow)
        assert life.in_flight == 0
        return entrance

    return asyncio.run(story())


async def _nothing() -> MutableMapping[str, Any]:
    return {"type": "http.request"}


async def _swallow(_: MutableMapping[str, Any]) -> None: ...


def test_a_thousand_paths_are_few_series() -> None:
    before = routes()
    asked([f"/{number}/x" for number in range(1000)])
    assert len(routes()) <= len(before) + metrics.MOST_ROUTES + 1
    assert routes()["other"] - before.get("other", 0) == 1000 - metrics.MOST_ROUTES
    assert sum(routes().values()) == sum(before.values()) + 1000


def test_what_matches_no_route_shares_one_label() -> None:
    asked([f"/wp-admin/{number}" for number in range(5)], status=404)
    assert not any("wp-admin" in route for route in routes())
    assert routes()["unmatched"] >= 5


@pytest.mark.parametrize("route, label", [("/loans/{loan}", "/loans/{loan}"), (type("Route", (), {"path": "/accounts/{account}"})(), "/accounts/{account}")])
def test_the_label_is_the_template_that_the_framework_left(route: Any, label: str) -> None:
    asked(["/loans/7", "/loans/8", "/loans/9"], route=route)
    assert routes()[label] == 3
    assert "/loans/7" not in routes()


@settings(deadline=None, max_examples=50)
@given(st.text(max_size=30))
def test_any_path_gives_a_text_that_can_be_parsed(path: str) -> None:
    asked([f"/{path}"])
    assert routes()


def test_every_time_falls_into_its_bucket() -> None:
    figures = metrics.RequestFigures(lambda: 3)
    for seconds in (0.0009, 0.001, 0.0011, 0.1, 9.9, 60):
        figures.record(200, "/timed", seconds)
    families = {family.name: family for family in text_string_to_metric_families(metrics.text().decode())}
    samples = [sample for sample in families["http_request_duration_seconds"].samples if sample.labels.get("route") == "/timed"]
    below = {sample.labels["le"]: sample.value for sample in samples if sample.name.endswith("_bucket")}
    assert (below["0.001"], below["0.002"], below["0.1"], below["10.0"], below["+Inf"]) == (2, 3, 4, 5, 6)
    assert families["http_requests_in_flight"].samples[0].value == 3
    assert not any(name.endswith("_created") or name.startswith("python_") for name in families)


def test_an_apps_own_figures_are_made_once_and_shown() -> None:
    metrics.counter("loans_paid_total", "Loans paid.", ("product",)).labels("instalment").inc(2)
    metrics.counter("loans_paid_total", "Loans paid.", ("product",)).labels("instalment").inc()
    metrics.gauge("applications_open", "Applications open.").set(4)
    metrics.histogram("amount_yuan", "Amounts.", buckets=(100, 1000)).observe(300)
    text = metrics.text().decode()
    assert 'loans_paid_total{product="instalment"} 3.0' in text
    assert "applications_open 4.0" in text
    assert 'amount_yuan_bucket{le="1000.0"} 1.0' in text
    with pytest.raises(ValueError, match="loans_paid_total is a Counter already"):
        metrics.gauge("loans_paid_total", "Something else.")
