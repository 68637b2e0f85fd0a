"""The gateway as the control plane sees it: routes asked for go to its files, routes in force come from the program itself."""

import logging
import threading
from collections.abc import Mapping
from dataclasses import replace
from time import monotonic

from ctl.backends.traffic import effective, port
from ctl.backends.traffic.book import RouteBook
from ctl.backends.traffic.engine import Command, Engine
from ctl.backends.traffic.force import InForce
from ctl.backends.traffic.process import GatewayProcess
from ctl.backends.traffic.site import Site
from ctl.errors import BackendError
from ctl.model.fleet import Routes
from ctl.ports import Wake

log = logging.getLogger(__name__)
SPACING_S = 0.1  # between two writes: the program reads all routes at each (36 ms of CPU for 312 services), so changes of many services share one
ASK_S, ASK_SELDOM_S = 0.003, 0.05
PATIENCE_S = 5.0


class Gateway:
    """Traffic through a program of this machine. The program is asked only while a change is pending; otherwise routes() answers from memory.

    A gateway that is down keeps its routes: it comes back with those in its files, and what was asked for meanwhile is pending until then.
    """

    def __init__(self, where: Site, engine: Engine, *, at_port: int = 0) -> None:
        self._site, self._engine, self._given_port = where, engine, at_port
        self._book = RouteBook(where)
        self._process = GatewayProcess(where, engine.name, self._command, self._port)
        self._turn = threading.Condition()
        self._known_port = 0
        self._expected: Mapping[str, Routes] | None = None
        self._force = InForce()
        self._unwritten: dict[str, Routes] = {}
        self._written_at = -SPACING_S
        self._confirmer: threading.Thread | None = None
        self._ends = False
        self._trouble = ""
        self._wakes: list[Wake] = []

    def start(self) -> None:
        """Adopt the gateway that runs, or start it, and watch over it. It may take connections only some 100 ms later. Raises BackendError."""
        self._process.start()

    def close(self, *, stop: bool) -> None:
        """Watch no longer; with `stop`, end the gateway too."""
        with self._turn:
            self._ends = True
            self._turn.notify_all()
        if self._confirmer:
            self._confirmer.join(PATIENCE_S)
        if stop:
            self._process.stop()
        else:
            self._process.leave()

    def on_change(self, wake: Wake) -> None:
        """Call `wake(service)` whenever routes of a service that were asked for have got in force."""
        self._wakes.append(wake)

    def address(self) -> str:
        return f"http://{port.LOOPBACK}:{self._port()}"

    @property
    def pid(self) -> int | None:
        """The process id of the gateway; None while it is down."""
        return self._process.pid

    def routes(self) -> Mapping[str, Routes]:
        if self._book.read() is not self._expected:
            with self._turn:
                self._look_again()
        return self._force.routes

    def set_routes(self, routes: Routes) -> None:
        wanted = effective.effective(routes)
        port.check(wanted)
        with self._turn:
            self._look_again()
            last = self._last_asked(routes.service)
            if effective.equal(last, wanted):
                return
            self._unwritten[routes.service] = replace(wanted, revision=last.revision + 1)
            if monotonic() - self._written_at >= SPACING_S:
                self._write_or_forget(routes.service)
            self._force.pending.add(routes.service)
            self._confirm_soon()

    def _port(self) -> int:
        if not self._known_port:
            self._known_port = port.keep(self._site, self._given_port)
        return self._known_port

    def _command(self) -> Command:
        at = self._port()
        with self._site.alone("routes"):
            return self._engine.prepare(at, self._book.read())

    def _last_asked(self, service: str) -> Routes:
        """Return what was last asked for, here or by another process of this home."""
        return self._unwritten.get(service) or self._book.read().get(service) or Routes(service=service)

    def _look_again(self) -> None:
        """Take in what the book says since we last did; what differs from what is in force is waited for.

        Whoever reads the book in between (to write, to compare) may be the first to see what another process wrote: what counts is what was expected last.
        """
        asked = self._book.read()
        if asked is self._expected:
            return
        if self._expected is None:
            self._force.begin(asked, self._ask_all())
        self._expected = asked
        self._force.expect(asked)
        self._confirm_soon()

    def _ask_all(self) -> Mapping[str, Routes] | None:
        try:
            return self._engine.in_force(None)
        except BackendError:
            return None

    def _write_or_forget(self, service: str) -> None:
        try:
            self._write()
        except BackendError:
            del self._unwritten[service]
            raise

    def _write(self) -> None:
        with self._book.changing() as asked:
            asked.update(self._unwritten)
            self._engine.write(asked)
        self._unwritten.clear()
        self._written_at = monotonic()

    def _confirm_soon(self) -> None:
        """Have a thread ask until nothing is pending; it sleeps otherwise."""
        if self._force.pending and not self._confirmer and not self._ends:
            self._confirmer = threading.Thread(target=self._confirm_all, name="gateway-confirm", daemon=True)
            self._confirmer.start()
        self._turn.notify_all()

    def _confirm_all(self) -> None:
        """Ask while anything is pending: often at first, seldom when it takes long."""
        since, is_late = 0.0, False
        while self._is_asked():
            now = monotonic()
            since, was_late = since or now, is_late
            pause_s, is_late = self._confirm(), now - since > PATIENCE_S
            if is_late and not was_late:
                self._complain()
            with self._turn:
                self._turn.wait_for(lambda: self._ends, max(pause_s, ASK_SELDOM_S) if is_late else pause_s)
                since = since if self._force.pending else 0.0

    def _is_asked(self) -> bool:
        """Sleep until something is pending; False when it is time to end."""
        with self._turn:
            self._turn.wait_for(lambda: self._force.pending or self._ends)
            return not self._ends

    def _complain(self) -> None:
        with self._turn:
            late = sorted(self._force.pending)
        why = self._trouble or f"the gateway's log is {self._site.log}"
        log.warning("routes of %s (%d in all) are not in force after %.0f s; %s", late[:3], len(late), PATIENCE_S, why)

    def _confirm(self) -> float:
        """Write what is not written, ask what is in force, say so, and return the seconds until it is worth asking again."""
        try:
            asked = self._written()
            actual = self._engine.in_force(asked) if asked else {}
        except BackendError as error:
            self._trouble = f"{error.message}: {error.found}"
            return ASK_SELDOM_S
        self._trouble = ""
        with self._turn:
            settled = {service: one for service, one in asked.items() if self._last_asked(service) == one}
            done = self._force.see(actual, settled)
        for service in done:
            self._tell(service)
        return ASK_S

    def _written(self) -> Mapping[str, Routes]:
        """Return what is pending, written; what is too young to be written is left out."""
        with self._turn:
            self._look_again()
            if self._unwritten and monotonic() - self._written_at >= SPACING_S:
                self._write()
            asked = self._book.read()
            return {service: asked[service] for service in self._force.pending if service in asked}

    def _tell(self, service: str) -> None:
        for wake in self._wakes:
            wake(service)
