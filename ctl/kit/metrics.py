"""The figures of an instance: those of its requests, which the kit counts, and an app's own, all in prometheus_client's default registry."""

import contextlib
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import prometheus_client
from prometheus_client import GC_COLLECTOR, PLATFORM_COLLECTOR, REGISTRY, Counter, Gauge, Histogram
from prometheus_client.metrics import MetricWrapperBase

BUCKETS_S = (0.001, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.015, 0.025, 0.04, 0.06, 0.1, 0.15, 0.25, 0.4, 0.6, 1.0, 1.5, 2.5, 5.0, 10.0)
CONTENT_TYPE = b"text/plain; version=0.0.4; charset=utf-8"
MOST_ROUTES = 64
OTHER = "other"

Metric = TypeVar("Metric", bound=MetricWrapperBase)


def counter(name: str, help: str, labels: Sequence[str] = ()) -> Counter:
    """Return the counter of that name, made at the first call. Labels must have few values: never an id of a person or a thing."""
    return _once(Counter, name, help, labels)


def gauge(name: str, help: str, labels: Sequence[str] = ()) -> Gauge:
    """Return the gauge of that name, made at the first call."""
    return _once(Gauge, name, help, labels)


def histogram(name: str, help: str, labels: Sequence[str] = (), *, buckets: Sequence[float] = BUCKETS_S) -> Histogram:
    """Return the histogram of that name, made at the first call."""
    return _once(Histogram, name, help, labels, buckets=buckets)


def text() -> bytes:
    """Return all figures in Prometheus' text format."""
    return prometheus_client.generate_latest(REGISTRY)


class RequestFigures:
    """Counts requests by code and route and times them by route. One thread writes it: the event loop's."""

    def __init__(self, in_flight: Callable[[], float]) -> None:
        _only_what_is_read()
        self._total = counter("http_requests_total", "Requests answered, by status code and route template.", ("code", "route"))
        self._seconds = histogram("http_request_duration_seconds", "Time from a request's arrival to its whole answer.", ("route",))
        self._unprocessed = counter("http_requests_unprocessed_total", "Requests turned away before any work was done on them.")
        gauge("http_requests_in_flight", "Requests being worked on.").set_function(in_flight)
        self._by_code: dict[tuple[int, str], Counter] = {}
        self._by_route: dict[str, Histogram] = {}

    def record(self, code: int, route: str, seconds: float) -> None:
        """Add one answered request. A route beyond the first MOST_ROUTES is counted as "other"."""
        timed = self._by_route.get(route)
        if timed is None:
            route = route if len(self._by_route) < MOST_ROUTES else OTHER
            timed = self._by_route.setdefault(route, self._seconds.labels(route))
        counted = self._by_code.get((code, route))
        if counted is None:
            counted = self._by_code.setdefault((code, route), self._total.labels(str(code), route))
        counted.inc()
        timed.observe(seconds)

    def turned_away(self) -> None:
        """Add one request that was answered as not processed."""
        self._unprocessed.inc()


_made: dict[str, MetricWrapperBase] = {}


def _only_what_is_read() -> None:
    """Leave out the library's series that nobody reads: they would double what each of hundreds of instances is scraped for."""
    prometheus_client.disable_created_metrics()  # type: ignore[no-untyped-call]  # the library has no type for it
    for collector in (GC_COLLECTOR, PLATFORM_COLLECTOR):
        with contextlib.suppress(KeyError):  # left out already
            REGISTRY.unregister(collector)


def _once(kind: type[Metric], name: str, help: str, labels: Sequence[str], **options: Any) -> Metric:
    made = _made.get(name)
    if made is None:
        made = _made[name] = kind(name, help, labels, **options)
    if not isinstance(made, kind):
        raise ValueError(f"the metric {name} is a {type(made).__name__} already; give the {kind.__name__} another name")
    return made
