"""The gateway's process: in a session of its own, so that it outlives us; adopted where it runs already; started again at once when it ends."""

import logging
import os
import resource
import select
import signal
import subprocess
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

from ctl.backends.traffic import port, site
from ctl.backends.traffic.engine import Command
from ctl.backends.traffic.site import Site
from ctl.errors import BackendError, CtlError

log = logging.getLogger(__name__)
STOP_S = 3.0
STEADY_S = 2.0  # who lived so long is started again without delay
BACK_OFF_S, MOST_BACK_OFF_S = 0.1, 5.0


@dataclass(frozen=True, slots=True)
class Life:
    """One process: id, start time in clock ticks after boot, the boot, and the engine and port it serves with."""

    pid: int
    started: int
    boot: str
    engine: str
    port: int


class GatewayProcess:
    """Keeps one gateway running from start() to stop(). Between processes of one home a lock sees to it that there is never a second gateway."""

    def __init__(self, where: Site, engine: str, launch: Callable[[], Command], at: Callable[[], int]) -> None:
        self._site = where
        self._engine = engine
        self._launch = launch
        self._at = at
        self._turn = threading.Lock()
        self._child: subprocess.Popen[bytes] | None = None
        self._watch: threading.Thread | None = None
        self._ends, self._end = -1, -1
        self._short_lives = 0

    def start(self) -> None:
        """Adopt the gateway that runs, or start one, and watch over it from now on. Again: nothing happens. Raises BackendError."""
        with self._turn:
            if self._watch:
                return
            life = self._revive()
            self._ends, self._end = os.pipe2(os.O_CLOEXEC)
            self._watch = threading.Thread(target=self._watch_over, args=(life,), name="gateway-watch", daemon=True)
            self._watch.start()

    def leave(self) -> None:
        """Watch no longer; the gateway goes on."""
        with self._turn:
            if not self._watch:
                return
            os.write(self._end, b"!")
            self._watch.join(STOP_S)
            os.close(self._ends)
            os.close(self._end)
            self._watch = None

    def stop(self) -> None:
        """End the gateway of this home, whoever started it."""
        self.leave()
        with self._site.alone("process"):
            life = _alive(self._site.pid)
            if life:
                self._finish(life)
            self._site.pid.unlink(missing_ok=True)

    @property
    def pid(self) -> int | None:
        """The id of the running gateway."""
        life = _alive(self._site.pid)
        return life.pid if life else None

    def _watch_over(self, life: Life) -> None:
        while not self._wait_for_end(life):
            log.warning("the gateway (process %d) has ended, it is started again; its log is %s", life.pid, self._site.log)
            self._reap()
            began = monotonic()
            next_life = self._again()
            if next_life is None:
                return
            log.info("the gateway is process %d now, started %.0f ms after the other ended", next_life.pid, 1000 * (monotonic() - began))
            life = next_life

    def _again(self) -> Life | None:
        """Start it until that works, with growing pauses; None when it is time to end."""
        while True:
            pause_s = 0.0 if self._short_lives == 0 else min(MOST_BACK_OFF_S, BACK_OFF_S * 2 ** (self._short_lives - 1))
            if pause_s and self._is_told_to_end(pause_s):
                return None
            self._short_lives += 1
            try:
                return self._revive()
            except CtlError as error:
                log.warning("the gateway did not start: %s (%s)", error.message, error.found)

    def _wait_for_end(self, life: Life) -> bool:
        """Wait for the process to end; True when we are to end before it does."""
        try:
            descriptor = os.pidfd_open(life.pid)
        except ProcessLookupError:
            return False
        try:
            if not _is(life):
                return False
            began = monotonic()
            ready = _readable((descriptor, self._ends), None)
            if monotonic() - began >= STEADY_S:
                self._short_lives = 0
            return self._ends in ready
        finally:
            os.close(descriptor)

    def _is_told_to_end(self, within_s: float) -> bool:
        return bool(_readable((self._ends,), within_s))

    def _revive(self) -> Life:
        """Return the life of the gateway that runs with our engine and port, begun now if there is none; one with others is ended first."""
        with self._site.alone("process"):
            wanted_port, found = self._at(), _alive(self._site.pid)
            if found and (found.engine, found.port) == (self._engine, wanted_port):
                return found
            if found:
                log.info("the gateway ran as %s on port %d and is replaced by %s on port %d", found.engine, found.port, self._engine, wanted_port)
                self._finish(found)
            return self._begin(wanted_port)

    def _begin(self, at: int) -> Life:
        if not port.is_free(at):
            remedy = f"set MSXFCTL_GATEWAY_PORT, or remove {self._site.folder / 'port'} to have another chosen"
            raise BackendError(f"could not start the gateway: port {at} is taken", remedy=remedy)
        command = self._launch()
        try:
            with self._site.log.open("ab") as output:
                self._child = subprocess.Popen(
                    command.argv, cwd=self._site.run, env=dict(command.environ), stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
                )
        except OSError as error:
            raise BackendError(f"could not start the gateway ({command.argv[0]})", found=str(error)) from error
        pid = self._child.pid
        _raise_limit_of_files(pid)
        life = Life(pid=pid, started=_started(pid), boot=_boot(), engine=self._engine, port=at)
        site.replace(self._site.pid, f"{life.pid} {life.started} {life.boot} {life.engine} {life.port}\n")
        return life

    def _finish(self, life: Life) -> None:
        """End a process: ask it, then make it."""
        with suppress(ProcessLookupError):
            descriptor = os.pidfd_open(life.pid)
            try:
                for number in (signal.SIGTERM, signal.SIGKILL):
                    if not _is(life):
                        break
                    signal.pidfd_send_signal(descriptor, number)
                    _readable((descriptor,), STOP_S)
            finally:
                os.close(descriptor)
        self._reap()

    def _reap(self) -> None:
        if self._child:
            with suppress(subprocess.TimeoutExpired):
                self._child.wait(STOP_S)
            self._child = None


def _alive(path: Path) -> Life | None:
    """Return the process that the file names, if that very process still runs."""
    words = site.read(path).split()
    if len(words) != 5 or not all(words[place].isdecimal() for place in (0, 1, 4)):
        return None
    life = Life(pid=int(words[0]), started=int(words[1]), boot=words[2], engine=words[3], port=int(words[4]))
    return life if _is(life) else None


def _is(life: Life) -> bool:
    return life.boot == _boot() and _started(life.pid) == life.started


def _started(pid: int) -> int:
    """Return when a process was started, in clock ticks after boot; 0 for none, and for one that has ended but was not reaped."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        return 0
    return 0 if fields[0] in "ZX" else int(fields[19])


def _boot() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def _readable(descriptors: tuple[int, ...], within_s: float | None) -> list[int]:
    poll = select.poll()
    for descriptor in descriptors:
        poll.register(descriptor, select.POLLIN)
    return [descriptor for descriptor, _ in poll.poll(None if within_s is None else 1000 * within_s)]


def _raise_limit_of_files(pid: int) -> None:
    """A connection is an open file on each side: let the gateway have all that the machine allows."""
    with suppress(OSError):
        _, most = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (most, most))
