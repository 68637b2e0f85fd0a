"""What every Metrics must do: one in memory, and one that scrapes real servers."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Protocol

import pytest
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest

from ctl.backends.clock import SystemClock
from ctl.backends.metrics.memory import MemoryMetrics
from ctl.backends.metrics.scrape import ScrapedMetrics
from ctl.errors import BackendError
from ctl.model.fleet import Instance, InstancePhase, Reading
from ctl.ports import Metrics
from tests.e2e.gateways import until

WINDOW_S = 20.0
EDGES_S = (0.01, 0.1, 1.0)


class Stage(Protocol):
    """Metrics, and how to have instances say something to them."""

    metrics: Metrics

    def serve(self, id: str, *seconds: float, errors: int = 0) -> None:
        """Have an instance ("service-release-n") answer requests that take so long each, and `errors` more that fail at once."""


class MemoryStage:
    def __init__(self) -> None:
        self.metrics = MemoryMetrics()

    def serve(self, id: str, *seconds: float, errors: int = 0) -> None:
        service, release, _ = id.split("-")
        took = [*seconds, *[0.0] * errors]
        buckets = tuple((edge, sum(1 for one in took if one <= edge)) for edge in (*EDGES_S, float("inf")))
        said = Reading(
            service=service, release=release, instance=id, requests=len(took), errors=errors, p99_ms=1.0, window_s=5.0, at=datetime.now(UTC), buckets=buckets
        )
        self.metrics.put([said])


@dataclass
class Server:
    """An instance that has counted requests, or says something else."""

    registry: CollectorRegistry = field(default_factory=CollectorRegistry)
    says: bytes | None = None
    asked: int = 0

    def __post_init__(self) -> None:
        self.total = Counter("http_requests_total", "Requests.", ("code", "route"), registry=self.registry)
        self.took = Histogram("http_request_duration_seconds", "Time.", ("route",), buckets=EDGES_S, registry=self.registry)
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                server.asked += 1
                self.wfile.write(server.says or b"HTTP/1.1 200 OK\r\n\r\n" + generate_latest(server.registry))

            def log_message(self, format: str, *args: object) -> None:
                """Say nothing."""

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.http.serve_forever, args=(0.01,), daemon=True).start()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.http.server_address[1]}"

    def count(self, route: str, code: int, seconds: float) -> None:
        self.total.labels(str(code), route).inc()
        self.took.labels(route).observe(seconds)

    def close(self) -> None:
        self.http.shutdown()
        self.http.server_close()


class ScrapeStage:
    def __init__(self) -> None:
        self.servers: dict[str, Server] = {}
        self.instances: dict[str, Instance] = {}
        self.metrics = ScrapedMetrics(lambda: list(self.instances.values()), SystemClock())

    def serve(self, id: str, *seconds: float, errors: int = 0) -> None:
        server = self.servers.get(id) or self.start(id)
        for number, one in enumerate(seconds):
            server.count(f"/route-{number % 2}", 200, one)
        for _ in range(errors):
            server.count("/route-0", 500, 0.0)

    def start(self, id: str, *, age_s: float = 1.0) -> Server:
        service, release, _ = id.split("-")
        server = self.servers[id] = Server()
        now = datetime.now(UTC)
        self.instances[id] = Instance(
            id=id, service=service, release=release, address=server.address, phase=InstancePhase.READY, since=now, created_at=now - timedelta(seconds=age_s)
        )
        return server

    def close(self) -> None:
        self.metrics.close()
        for server in self.servers.values():
            server.close()


@pytest.fixture(params=["memory", "scrape"])
def stage(request: pytest.FixtureRequest) -> Iterator[Stage]:
    if request.param == "memory":
        yield MemoryStage()
        return
    yield from scraping()


def scraping() -> Iterator[ScrapeStage]:
    stage = ScrapeStage()
    yield stage
    stage.close()


@pytest.fixture
def scrape() -> Iterator[ScrapeStage]:
    yield from scraping()


def read(stage: Stage, *services: str, window_s: float = WINDOW_S) -> dict[str, dict[str, Reading]]:
    found = stage.metrics.read(services, window_s, datetime.now(UTC))
    return {service: {one.instance: one for one in readings} for service, readings in found.items()}


def reading(stage: Stage, id: str, *, requests: int) -> Reading:
    """Return the instance's reading once it tells of that many requests."""
    service = id.split("-")[0]
    until(f"{requests} requests of {id}", lambda: (one := read(stage, service)[service].get(id)) and one.requests == requests)
    return read(stage, service)[service][id]


def test_a_service_of_which_nothing_is_known_has_no_readings(stage: Stage) -> None:
    assert read(stage, "risk", "fraud") == {"risk": {}, "fraud": {}}


def test_each_instance_says_what_it_answered(stage: Stage) -> None:
    stage.serve("risk-a-1", *[0.005] * 98, 0.5, 0.5)
    stage.serve("risk-b-1", *[0.05] * 10, errors=5)
    stage.serve("fraud-a-1", 0.05)
    old, new = reading(stage, "risk-a-1", requests=100), reading(stage, "risk-b-1", requests=15)
    assert (old.service, old.release, old.errors) == ("risk", "a", 0)
    assert (new.service, new.release, new.errors) == ("risk", "b", 5)
    assert old.buckets == ((0.01, 98), (0.1, 98), (1.0, 100), (float("inf"), 100)), "over all routes"
    assert 0 < old.window_s <= WINDOW_S
    assert datetime.now(UTC) - old.at < timedelta(seconds=5)
    assert set(read(stage, "risk")) == {"risk"}, "nobody asked for another service"
    assert set(read(stage, "risk")["risk"]) == {"risk-a-1", "risk-b-1"}


def test_what_is_older_than_the_window_is_missing(stage: Stage) -> None:
    stage.serve("risk-a-1", 0.05)
    reading(stage, "risk-a-1", requests=1)
    later = datetime.now(UTC) + timedelta(seconds=60)
    assert stage.metrics.read(["risk"], WINDOW_S, later) == {"risk": ()}


def test_memory_fails_when_it_is_told_to_and_forgets() -> None:
    stage = MemoryStage()
    stage.serve("risk-a-1", 0.05)
    stage.metrics.reachable = False
    with pytest.raises(BackendError):
        read(stage, "risk")
    stage.metrics.reachable = True
    stage.metrics.clear("risk")
    assert read(stage, "risk") == {"risk": {}}


def test_p99_is_in_milliseconds_and_unknown_without_requests(scrape: ScrapeStage) -> None:
    scrape.serve("risk-a-1", *[0.05] * 100)
    assert reading(scrape, "risk-a-1", requests=100).p99_ms == pytest.approx(99.1)
    scrape.start("risk-a-2")
    assert reading(scrape, "risk-a-2", requests=0).p99_ms is None, "a window without requests is known: nothing came"


def test_what_an_old_instance_did_before_it_was_seen_does_not_count(scrape: ScrapeStage) -> None:
    server = scrape.start("risk-a-1", age_s=3600)
    scrape.serve("risk-a-1", *[0.05] * 1000)
    until("it is asked", lambda: read(scrape, "risk") and server.asked >= 1)
    scrape.serve("risk-a-1", *[0.05] * 7)
    seen = reading(scrape, "risk-a-1", requests=7)
    assert seen.window_s < WINDOW_S / 2, "it says how much of the window it knows"


def test_a_restart_takes_nothing_back(scrape: ScrapeStage) -> None:
    scrape.serve("risk-a-1", *[0.05] * 10, errors=1)
    reading(scrape, "risk-a-1", requests=11)
    old = scrape.servers.pop("risk-a-1")
    old.close()
    before = scrape.instances["risk-a-1"]
    scrape.start("risk-a-1")
    scrape.instances["risk-a-1"] = replace(scrape.instances["risk-a-1"], generation=before.generation + 1)
    scrape.serve("risk-a-1", *[0.05] * 12)
    seen = reading(scrape, "risk-a-1", requests=23)
    assert (seen.errors, seen.buckets[-1]) == (1, (float("inf"), 23))


NONSENSE = {
    "no http": b"hello",
    "an error": b"HTTP/1.1 500 No\r\n\r\n",
    "no text": b"HTTP/1.1 200 OK\r\n\r\n\xff\xfe\xfd",
    "no number": b'HTTP/1.1 200 OK\r\n\r\nhttp_requests_total{code="200"} NaN\n',
    "less than nothing": b'HTTP/1.1 200 OK\r\n\r\nhttp_requests_total{code="200"} -1\n',
    "no edge": b'HTTP/1.1 200 OK\r\n\r\nhttp_request_duration_seconds_bucket{route="/"} 1\n',
    "half": b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\nhalf",
    "elsewhere": b"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:9/\r\n\r\n",
    "too much": b"HTTP/1.1 200 OK\r\n\r\n" + b"#" * 5_000_000,
}


def test_instances_that_talk_nonsense_are_missing_and_harm_nobody(scrape: ScrapeStage) -> None:
    for number, says in enumerate(NONSENSE.values()):
        scrape.start(f"risk-a-{number}").says = says
    scrape.serve("risk-b-1", *[0.05] * 3)
    reading(scrape, "risk-b-1", requests=3)
    bad = [server for id, server in scrape.servers.items() if id != "risk-b-1"]
    until("the bad ones were asked again", lambda: read(scrape, "risk") and all(server.asked >= 2 for server in bad))
    assert set(read(scrape, "risk")["risk"]) == {"risk-b-1"}
    scrape.serve("risk-b-1", 0.05)
    reading(scrape, "risk-b-1", requests=4)


def test_a_dead_and_a_silent_instance_harm_nobody(scrape: ScrapeStage) -> None:
    dead = scrape.start("risk-a-1")
    dead.close()
    del scrape.servers["risk-a-1"]
    scrape.start("risk-a-2").says = b"HTTP/1.1 200 OK\r\n"  # and nothing more, but the connection ends
    scrape.serve("risk-a-3", 0.05)
    reading(scrape, "risk-a-3", requests=1)
    assert set(read(scrape, "risk")["risk"]) == {"risk-a-3"}


def test_only_what_was_asked_for_is_scraped(scrape: ScrapeStage) -> None:
    risk, fraud, starting = scrape.start("risk-a-1"), scrape.start("fraud-a-1"), scrape.start("risk-b-1")
    scrape.instances["risk-b-1"] = replace(scrape.instances["risk-b-1"], phase=InstancePhase.STARTING)
    until("risk is asked twice", lambda: read(scrape, "risk") and risk.asked >= 2)
    assert (fraud.asked, starting.asked) == (0, 0)
    began = datetime.now(UTC)
    until("fraud is asked as soon as somebody wants to know", lambda: read(scrape, "fraud") and fraud.asked >= 1)
    assert datetime.now(UTC) - began < timedelta(seconds=0.9), "not only at the next full second"


def test_targets_that_cannot_be_told_end_nothing() -> None:
    stage = ScrapeStage()
    failing = threading.Event()
    failing.set()

    def targets() -> list[Instance]:
        if failing.is_set():
            raise BackendError("the runtime cannot be asked")
        return list(stage.instances.values())

    stage.metrics = ScrapedMetrics(targets, SystemClock())
    stage.serve("risk-a-1", 0.05)
    assert read(stage, "risk") == {"risk": {}}
    failing.clear()
    reading(stage, "risk-a-1", requests=1)
    stage.close()
