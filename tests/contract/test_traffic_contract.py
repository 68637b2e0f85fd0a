"""What every Traffic must do: one in memory, the proxy, and Envoy, which is skipped where it cannot run, but fails in CI."""

import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

import pytest

from ctl.backends.clock import ManualClock
from ctl.backends.traffic.memory import MemoryTraffic
from ctl.errors import BackendError, BadInput
from ctl.model.fleet import RouteEntry, Routes
from ctl.ports import Traffic, Wakeable
from tests.e2e.gateways import apply, is_in_force, open_gateway, until

NOW = datetime(2030, 1, 1, tzinfo=UTC)


class WakingTraffic(Traffic, Wakeable, Protocol):
    """Every gateway can also say when routes got in force."""


@pytest.fixture(params=["memory", "proxy", "envoy"])
def traffic(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[WakingTraffic]:
    if request.param == "memory":
        yield MemoryTraffic(ManualClock(NOW))
        return
    gateway = open_gateway(request.param, tmp_path / "home")
    gateway.start()
    yield gateway
    gateway.close(stop=True)


def entry(release: str, weight_pct: int, *numbers: int) -> RouteEntry:
    ids, addresses = tuple(f"risk-{release}-{number}" for number in numbers), tuple(f"127.0.0.1:{30000 + number}" for number in numbers)
    return RouteEntry(release=release, weight_pct=weight_pct, instances=ids, addresses=addresses)


def routes(*entries: RouteEntry, service: str = "risk") -> Routes:
    return Routes(service=service, entries=entries)


def test_a_new_gateway_routes_nothing(traffic: WakingTraffic) -> None:
    assert dict(traffic.routes()) == {}


def test_routes_get_in_force_as_asked_and_replace_one_another(traffic: WakingTraffic) -> None:
    first = routes(entry("1.0.0-aa", 100, 1, 2))
    second = routes(entry("1.0.0-aa", 75, 1, 2), entry("1.1.0-bb", 25, 3))
    third = routes(entry("1.1.0-bb", 100, 3, 4, 5))
    for each in (first, second, third, first):
        apply(traffic, each)
    assert traffic.routes()["risk"].instance_ids == {"risk-1.0.0-aa-1", "risk-1.0.0-aa-2"}


def test_services_do_not_touch_one_another(traffic: WakingTraffic) -> None:
    names = [f"service-{number}" for number in range(8)]
    threads = [threading.Thread(target=traffic.set_routes, args=(routes(entry("a", 100, number), service=name),)) for number, name in enumerate(names)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    until("all are in force", lambda: set(traffic.routes()) == set(names))
    apply(traffic, routes(service="service-3"))
    assert all(traffic.routes()[name].entries == (entry("a", 100, number),) for number, name in enumerate(names) if number != 3)


def test_an_instance_at_a_new_address_is_another_route(traffic: WakingTraffic) -> None:
    old = RouteEntry(release="a", weight_pct=100, instances=("risk-a-1",), addresses=("127.0.0.1:30001",))
    new = RouteEntry(release="a", weight_pct=100, instances=("risk-a-1",), addresses=("127.0.0.1:30002",))
    apply(traffic, routes(old))
    apply(traffic, routes(new))


def test_equal_routes_change_nothing(traffic: WakingTraffic) -> None:
    woken: list[str] = []
    traffic.on_change(woken.append)
    apply(traffic, routes(entry("a", 60, 1, 2), entry("b", 40, 3)))
    before = traffic.routes()["risk"]
    until("the loop is woken", lambda: woken == ["risk"])
    traffic.set_routes(routes(entry("b", 40, 3), entry("a", 60, 2, 1)))
    traffic.set_routes(Routes(service="risk", entries=before.entries, revision=99))
    assert traffic.routes()["risk"] == before
    apply(traffic, routes(entry("a", 100, 1)))
    until("the loop is woken once more", lambda: woken == ["risk", "risk"])
    assert traffic.routes()["risk"].revision == before.revision + 1


def test_entries_without_traffic_are_left_out(traffic: WakingTraffic) -> None:
    traffic.set_routes(routes(entry("a", 100, 1), entry("b", 0, 2), entry("c", 0)))
    until("the entry with traffic is in force", lambda: is_in_force(traffic, routes(entry("a", 100, 1))))
    assert traffic.routes()["risk"].instance_ids == {"risk-a-1"}, "nobody waits for an instance that has no traffic"


def test_a_service_can_have_no_route_at_all(traffic: WakingTraffic) -> None:
    traffic.set_routes(routes())
    assert traffic.routes().get("risk", routes()).entries == (), "nothing was there before either"
    apply(traffic, routes(entry("a", 100, 1)))
    apply(traffic, routes())
    apply(traffic, routes(entry("a", 100, 1)))


@pytest.mark.parametrize(
    "wrong",
    [
        routes(entry("a", 60, 1), entry("b", 30, 2)),
        routes(entry("a", 60, 1), entry("b", 60, 2)),
        routes(entry("a", 60, 1), entry("b", 40)),
        routes(RouteEntry(release="a", weight_pct=100, instances=("risk-a-1", "risk-a-2"), addresses=("127.0.0.1:30001",))),
    ],
    ids=["too little", "too much", "weight on nobody", "an instance without address"],
)
def test_routes_that_make_no_sense_are_refused_and_change_nothing(traffic: WakingTraffic, wrong: Routes) -> None:
    apply(traffic, routes(entry("a", 100, 1)))
    with pytest.raises(BadInput, match="cannot route risk"):
        traffic.set_routes(wrong)
    assert is_in_force(traffic, routes(entry("a", 100, 1)))


def test_the_answer_is_a_snapshot(traffic: WakingTraffic) -> None:
    apply(traffic, routes(entry("a", 100, 1)))
    before = traffic.routes()
    apply(traffic, routes(entry("b", 100, 2)))
    assert before["risk"].entries == (entry("a", 100, 1),)


def test_callers_are_told_where_it_is(traffic: WakingTraffic) -> None:
    assert traffic.address().startswith("http://")
    assert traffic.address() == traffic.address()


def test_lag_shows_what_is_in_force_and_not_what_was_asked_for() -> None:
    clock = ManualClock(NOW)
    traffic = MemoryTraffic(clock, lag_s=2.0)
    woken: list[str] = []
    traffic.on_change(woken.append)
    first, second = routes(entry("a", 100, 1)), routes(entry("b", 100, 2))
    traffic.set_routes(first)
    clock.advance(1)
    traffic.set_routes(second)
    assert dict(traffic.routes()) == {}
    clock.advance(1)
    assert is_in_force(traffic, first)
    assert woken == ["risk"]
    clock.advance(1)
    assert is_in_force(traffic, second)
    assert woken == ["risk", "risk"]


def test_memory_fails_when_it_is_told_to() -> None:
    traffic = MemoryTraffic(ManualClock(NOW))
    traffic.reachable = False
    with pytest.raises(BackendError):
        traffic.routes()
    with pytest.raises(BackendError):
        traffic.set_routes(routes(entry("a", 100, 1)))
    traffic.reachable = True
    assert dict(traffic.routes()) == {}
