"""Metrics scraped from the instances themselves: once a second, and only of services that somebody asked for a moment ago."""

import asyncio
import contextlib
import logging
import threading
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from time import monotonic
from typing import TYPE_CHECKING

from ctl.backends.metrics import exposition, series
from ctl.backends.metrics.exposition import Counts
from ctl.backends.metrics.series import Increase, Series
from ctl.errors import BackendError
from ctl.model.fleet import Instance, InstancePhase, Reading
from ctl.ports import Clock

if TYPE_CHECKING:
    import aiohttp

log = logging.getLogger(__name__)
EVERY_S, TIMEOUT_S = 1.0, 0.9
INTEREST_S = 30.0
KEPT_S = 600.0
MOST_BYTES = 4 << 20
MOST_AT_ONCE = 64
SILENT = (InstancePhase.STARTING, InstancePhase.GONE)

Targets = Callable[[], Iterable[Instance]]


class ScrapedMetrics:
    """Asks every instance of the services read of late for its /metrics, in a thread that begins with the first read() and sleeps while nobody asks."""

    def __init__(self, targets: Targets, clock: Clock) -> None:
        self._targets, self._clock = targets, clock
        self._turn = threading.Lock()
        self._asked_at: dict[str, float] = {}
        self._series: dict[str, dict[str, tuple[Instance, Series]]] = {}
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._wanted = asyncio.Event()
        self._ends = False

    def read(self, services: Iterable[str], window_s: float, now: datetime) -> Mapping[str, tuple[Reading, ...]]:
        names = tuple(services)
        with self._turn:
            is_new = self._show_interest(names)
            known = {service: tuple(self._series.get(service, {}).values()) for service in names}
            found = {service: [(one, line.over(window_s, now.timestamp())) for one, line in lines] for service, lines in known.items()}
        if is_new:
            self._wake()
        return {service: tuple(_reading(one, increase) for one, increase in lines if increase) for service, lines in found.items()}

    def close(self) -> None:
        """Scrape no more."""
        self._ends = True
        self._wake()
        if self._thread:
            self._thread.join(2 * TIMEOUT_S)

    def _show_interest(self, services: tuple[str, ...]) -> bool:
        """Note who was asked for; True when one of them is not scraped yet."""
        now = monotonic()
        is_new = any(now - self._asked_at.get(service, -INTEREST_S) >= INTEREST_S for service in services)
        self._asked_at.update(dict.fromkeys(services, now))
        if not self._thread and services and not self._ends:
            self._thread = threading.Thread(target=self._run, name="scrape", daemon=True)
            self._thread.start()
        return is_new

    def _wake(self) -> None:
        loop = self._loop
        if loop:
            with contextlib.suppress(RuntimeError):  # it has ended
                loop.call_soon_threadsafe(self._wanted.set)

    def _run(self) -> None:
        asyncio.run(self._scrape_on())

    async def _scrape_on(self) -> None:
        import aiohttp

        self._loop = asyncio.get_running_loop()
        connector, timeout = aiohttp.TCPConnector(limit=MOST_AT_ONCE, keepalive_timeout=4.0), aiohttp.ClientTimeout(total=TIMEOUT_S)
        async with aiohttp.ClientSession(connector=connector, timeout=timeout, cookie_jar=aiohttp.DummyCookieJar()) as session:
            while not self._ends:
                began = monotonic()
                interesting = self._interesting()
                self._wanted.clear()
                await asyncio.gather(*(self._scrape(session, one) for one in self._instances(interesting)))
                rest_s = max(0.0, EVERY_S - (monotonic() - began)) if interesting else None
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._wanted.wait(), rest_s)

    def _interesting(self) -> frozenset[str]:
        """Return whose services were asked for of late, and forget what nobody will ask for again."""
        with self._turn:
            now, oldest_s = monotonic(), self._clock.now().timestamp() - KEPT_S
            self._asked_at = {service: at for service, at in self._asked_at.items() if now - at < INTEREST_S}
            for service, lines in list(self._series.items()):
                self._series[service] = {id: kept for id, kept in lines.items() if kept[1].newest_s > oldest_s}
                if not self._series[service]:
                    del self._series[service]
            return frozenset(self._asked_at)

    def _instances(self, services: frozenset[str]) -> list[Instance]:
        if not services:
            return []
        try:
            return [one for one in self._targets() if one.service in services and one.phase not in SILENT]
        except BackendError as error:
            log.warning("nothing is scraped, the instances are not known: %s", error.message)
            return []

    async def _scrape(self, session: "aiohttp.ClientSession", instance: Instance) -> None:
        """Take a sample; an instance that does not give one has none, whatever the reason."""
        try:
            counts = await _ask(session, instance.address)
        except (OSError, TimeoutError, ValueError) as error:
            log.debug("%s gave no metrics: %s", instance.id, error)
            return
        at_s, born_s = self._clock.now().timestamp(), instance.created_at.timestamp()
        with self._turn:
            lines = self._series.setdefault(instance.service, {})
            line = lines[instance.id][1] if instance.id in lines else Series()
            line.add(at_s, counts, generation=instance.generation, born_s=born_s)
            lines[instance.id] = (instance, line)


async def _ask(session: "aiohttp.ClientSession", address: str) -> Counts:
    """Return what an instance counted. Raises OSError, TimeoutError, ValueError."""
    import aiohttp

    try:
        async with session.get(f"http://{address}/metrics", allow_redirects=False) as answer:
            body = await answer.content.read(MOST_BYTES) if answer.status == 200 else b""
            while body and len(body) < MOST_BYTES and (more := await answer.content.read(MOST_BYTES)):
                body += more
    except aiohttp.ClientError as error:
        raise OSError(str(error)) from error
    if answer.status != 200 or len(body) >= MOST_BYTES:
        raise ValueError(f"answer {answer.status} of {len(body)} bytes")
    return exposition.parse(body.decode())


def _reading(instance: Instance, increase: Increase) -> Reading:
    return Reading(
        service=instance.service,
        release=instance.release,
        instance=instance.id,
        requests=increase.requests,
        errors=increase.errors,
        p99_ms=series.quantile_ms(increase.buckets, 0.99),
        window_s=increase.to_s - increase.from_s,
        at=datetime.fromtimestamp(increase.to_s, UTC),
        buckets=increase.buckets,
    )
