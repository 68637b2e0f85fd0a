"""The journal as server-sent events: one thread reads, any number of watchers get each event once, in order, from where they left off."""

import asyncio
import json
import threading
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from starlette.concurrency import run_in_threadpool

from ctl.control import views
from ctl.errors import CtlError
from ctl.model.event import Event
from ctl.ports import Journal

PAGE = 500
MOST_WAITING = 1000
HEARTBEAT_S = 15.0
LOOK_S = 1.0


@dataclass(eq=False)
class Watcher:
    """One listener: a bounded queue on its event loop; one that is too slow is cut off and resumes by its last number."""

    loop: asyncio.AbstractEventLoop
    queue: "asyncio.Queue[Event | None]" = field(default_factory=lambda: asyncio.Queue(MOST_WAITING))

    def offer(self, event: Event | None) -> None:
        """Called on the watcher's loop."""
        if self.queue.full():
            while not self.queue.empty():
                self.queue.get_nowait()
            event = None
        self.queue.put_nowait(event)


class Follower:
    """Reads the journal's end in a thread of its own while anybody watches."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._watchers: set[Watcher] = set()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._stopping = threading.Event()

    def stop(self) -> None:
        """Let every stream end."""
        self._stopping.set()
        self._hand_out([None])

    async def stream(self, after: int, service: str) -> AsyncIterator[bytes]:
        """Yield events with seq > `after` (of one service, or all) as SSE text: first what is stored, then what comes; comments keep the line alive."""
        watcher = Watcher(asyncio.get_running_loop())
        self._join(watcher)
        try:
            yield b": the journal follows\n\n"
            while page := await run_in_threadpool(self._journal.read, after, PAGE, service):
                for event in page:
                    after = event.seq
                    yield _sse(event)
            while not self._stopping.is_set():
                coming = await self._next(watcher)
                if coming is None:
                    return
                if isinstance(coming, Event) and coming.seq > after and service in ("", coming.service):
                    after = coming.seq
                    yield _sse(coming)
                elif coming == "":
                    yield b": still here\n\n"
        finally:
            with self._lock:
                self._watchers.discard(watcher)

    async def _next(self, watcher: Watcher) -> "Event | str | None":
        try:
            return await asyncio.wait_for(watcher.queue.get(), HEARTBEAT_S)
        except TimeoutError:
            return ""

    def _join(self, watcher: Watcher) -> None:
        with self._lock:
            self._watchers.add(watcher)
            if self._thread is None:
                newest = self._journal.last(1)
                self._thread = threading.Thread(target=self._read, args=(newest[-1].seq if newest else 0,), name="follower", daemon=True)
                self._thread.start()

    def _read(self, after: int) -> None:
        while not self._stopping.is_set():
            try:
                if not self._journal.wait(after, LOOK_S):
                    continue
                events = self._journal.read(after, PAGE)
            except CtlError:
                self._stopping.wait(LOOK_S)
                continue
            after = events[-1].seq if events else after
            self._hand_out(list(events))

    def _hand_out(self, events: "list[Event | None]") -> None:
        with self._lock:
            watchers = list(self._watchers)
        for watcher in watchers:
            for event in events:
                watcher.loop.call_soon_threadsafe(watcher.offer, event)


def _sse(event: Event) -> bytes:
    return f"id: {event.seq}\nevent: {event.kind}\ndata: {json.dumps(views.event(event), ensure_ascii=False)}\n\n".encode()
