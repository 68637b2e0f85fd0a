"""The launcher: one long-living process per home that forks every instance from an interpreter with third-party libraries loaded already.

Run as `python -m ctl.backends.runtimes.local.launcher --home HOME`. It has one thread and no event loop, because it forks; it knows its children and
nothing else, so that it can be killed at any time: instances go on, and the next one started brings a new launcher.
"""

import argparse
import gc
import importlib
import json
import logging
import os
import selectors
import signal
import socket
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ctl.backends.runtimes.local import become, locks, processes, wire
from ctl.backends.runtimes.local.site import Site
from ctl.backends.runtimes.local.wire import Order, Outcome, Record

log = logging.getLogger(__name__)
PRELOADED = (
    *("asyncio", "uvloop", "httptools", "uvicorn", "uvicorn.protocols.http.httptools_impl", "uvicorn.lifespan.on", "uvicorn.loops.uvloop"),
    *("aiohttp", "prometheus_client", "prometheus_client.openmetrics.exposition", "pydantic", "fastapi", "fastapi.responses", "sqlite3"),
)
LOOK_S, IDLE_S, LOCK_S, ANSWER_S = 1.0, 120.0, 5.0, 5.0
BLOCK = 1 << 20


@dataclass(frozen=True, slots=True)
class Assignment:
    """What a freshly forked child has to become."""

    order: Order
    lock: int


class Caller:
    """One connection from a supervisor: whole lines in, whole lines out."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self._received = b""

    def lines(self) -> list[bytes] | None:
        """Return the lines that have become whole; None when the caller has gone."""
        try:
            block = self.connection.recv(BLOCK)
        except OSError:
            block = b""
        if not block:
            return None
        *whole, self._received = (self._received + block).split(b"\n")
        return whole

    def answer(self, data: Mapping[str, Any]) -> None:
        with suppress(OSError):  # the caller did not wait; what was asked has been done all the same, and is on record
            self.connection.sendall(json.dumps(data).encode() + b"\n")


class Launcher:
    """Serves orders until it is told to end, or has been of no use for a while."""

    def __init__(self, site: Site, lock: int) -> None:
        me = processes.identify(os.getpid())
        assert me is not None
        self.process = me
        self._site = site
        self._lock = lock
        self._children: dict[int, tuple[Record, Order]] = {}
        self._selector = selectors.DefaultSelector()
        self._callers: dict[int, Caller] = {}
        self._listener = _listen(site)
        self._woken, self._waker = socket.socketpair()
        self._last_use = time.monotonic()
        self._ending = False

    def serve(self) -> Assignment | None:
        """Return None when the launcher ends, and in each forked child what it has to become."""
        self._listen_to_signals()
        self._selector.register(self._listener, selectors.EVENT_READ)
        while not self._is_done():
            for key, _ in self._selector.select(LOOK_S):
                assignment = self._hear(key.fd)
                if assignment is not None:
                    self._let_go()
                    return assignment
            self._reap()
        log.info("the launcher ends with %d children", len(self._children))
        self._site.launcher_socket.unlink(missing_ok=True)
        return None

    def _is_done(self) -> bool:
        if self._children:
            return False
        idle_s = time.monotonic() - self._last_use
        return self._ending or idle_s > IDLE_S or not self._site.launcher_lock.exists()

    def _listen_to_signals(self) -> None:
        for end in (self._woken, self._waker):
            end.setblocking(False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self._waker.fileno(), warn_on_full_buffer=False)
        self._selector.register(self._woken, selectors.EVENT_READ)

    def _hear(self, descriptor: int) -> Assignment | None:
        if descriptor == self._woken.fileno():
            with suppress(BlockingIOError):
                self._woken.recv(BLOCK)
        elif descriptor == self._listener.fileno():
            self._welcome()
        elif descriptor in self._callers:
            return self._serve_caller(self._callers[descriptor])
        return None

    def _welcome(self) -> None:
        connection, _ = self._listener.accept()
        connection.settimeout(ANSWER_S)
        self._callers[connection.fileno()] = Caller(connection)
        self._selector.register(connection, selectors.EVENT_READ)

    def _serve_caller(self, caller: Caller) -> Assignment | None:
        self._last_use = time.monotonic()
        lines = caller.lines()
        if lines is None:
            self._selector.unregister(caller.connection)
            del self._callers[caller.connection.fileno()]
            caller.connection.close()
        for line in lines or ():
            try:
                answer = self._do(json.loads(line))
            except (KeyError, TypeError, ValueError) as error:
                answer = {"error": f"cannot be understood: {type(error).__name__}: {error}"}
            if isinstance(answer, Assignment):
                return answer
            caller.answer(answer)
        return None

    def _do(self, asked: Mapping[str, Any]) -> Mapping[str, Any] | Assignment:
        match asked["do"]:
            case "start":
                return self._start([wire.order(each) for each in asked["orders"]])
            case "end":
                self._ending = not self._children
                return {"ended": self._ending, "children": len(self._children)}
            case "hello":
                return {"pid": self.process.pid, "version": wire.VERSION, "children": len(self._children)}
        raise ValueError(f"unknown verb {asked['do']!r}")

    def _start(self, orders: Sequence[Order]) -> Mapping[str, Any] | Assignment:
        outcomes: list[Outcome] = []
        for order in orders:
            done = self._fork(order)
            if isinstance(done, Assignment):
                return done
            outcomes.append(done)
        return {"outcomes": [wire.plain(each) for each in outcomes]}

    def _fork(self, order: Order) -> Outcome | Assignment:
        try:
            lock = locks.hold(Path(order.lock))
            if lock is None:
                return Outcome(id=order.id, held=True, error="a process of this instance still lives")
            pid = os.fork()
        except OSError as error:
            return Outcome(id=order.id, error=str(error))
        if pid == 0:
            return Assignment(order, lock)
        os.close(lock)
        child = processes.identify(pid)
        assert child is not None, "a child that nobody has reaped is still there"
        self._children[pid] = (become.record(order, child, self.process, 0), order)
        return Outcome(id=order.id, pid=pid, started=child.started)

    def _reap(self) -> None:
        """Write down how children ended; what a child leaves behind in its group ends with it."""
        while self._children:
            ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            if ended is None:
                return
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(ended.si_pid, signal.SIGKILL)
            _, status = os.waitpid(ended.si_pid, 0)
            self._write_end(ended.si_pid, os.waitstatus_to_exitcode(status))

    def _write_end(self, pid: int, status: int) -> None:
        begun, order = self._children.pop(pid)
        written = wire.read_record(Path(order.record))
        record = written if written is not None and written.process == begun.process else begun
        try:
            wire.write_record(Path(order.record), replace(record, ended_at=time.time(), status=status))
        except OSError as error:
            log.warning("how %s ended (status %d) could not be written: %s", order.id, status, error)

    def _let_go(self) -> None:
        """In a child: close every object that owns a descriptor, lest it closes the number again when somebody else has it."""
        for caller in self._callers.values():
            caller.connection.close()
        signal.set_wakeup_fd(-1)
        for owner in (self._listener, self._woken, self._waker, self._selector):
            owner.close()
        os.close(self._lock)


def _listen(site: Site) -> socket.socket:
    """Listen under a relative name: a socket's path may have 107 letters only."""
    os.chdir(site.run)
    site.launcher_socket.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(site.launcher_socket.name)
    listener.listen(64)
    return listener


def preload(names: Iterable[str]) -> None:
    """Import what is installed of these, and have the collector leave it alone: pages that nobody writes stay shared with every child."""
    for name in names:
        with suppress(ImportError):
            importlib.import_module(name)
    gc.collect()
    gc.freeze()


def main() -> None:
    parser = argparse.ArgumentParser(description="Start and reap the instances of one home.")
    parser.add_argument("--home", type=Path, required=True)
    site = Site(home=parser.parse_args().home.absolute())
    if os.fork():
        os._exit(0)  # nobody's child: whoever asked for a launcher may die, or live, without caring for it
    output = _log_to_stderr()
    lock = _alone(site)
    if lock is None:
        return
    libraries = become.library_paths()
    preload(PRELOADED)
    launcher = Launcher(site, lock)
    log.info("launcher %d serves %s, %d thread(s)", launcher.process.pid, site.home, len(os.listdir("/proc/self/task")))
    assignment = launcher.serve()
    if assignment is not None:
        log.removeHandler(output)
        become.instance(assignment.order, assignment.lock, launcher.process, libraries)


def _log_to_stderr() -> logging.Handler:
    output = logging.StreamHandler()
    output.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
    log.addHandler(output)
    log.setLevel(logging.INFO)
    log.propagate = False
    return output


def _alone(site: Site) -> int | None:
    """Become the home's one launcher; None when there is another that stays."""
    os.umask(0o077)
    deadline = time.monotonic() + LOCK_S
    lock = locks.hold_signed(site.launcher_lock)
    while lock is None and time.monotonic() < deadline:
        time.sleep(0.05)
        lock = locks.hold_signed(site.launcher_lock)
    return lock


if __name__ == "__main__":
    main()
