"""The supervisor's side of the launcher: reaches it, brings it up where there is none, and hands it orders. Blocking; for a worker thread."""

import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from ctl.backends.runtimes.local import logfiles, wire
from ctl.backends.runtimes.local.site import Site
from ctl.backends.runtimes.local.wire import Order, Outcome
from ctl.errors import BackendError

UP_S, ANSWER_S, END_S, POLL_S = 20.0, 30.0, 2.0, 0.02
MOST_PATH = 100
PROJECT = Path(__file__).resolve().parents[4]


class LauncherDoor:
    """Asks the launcher of one home. Every call opens a connection of its own, so that a new launcher is as good as the old one."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._bringing_up = threading.Lock()
        self._is_known = False

    def start(self, orders: Sequence[Order]) -> Sequence[Outcome]:
        """Start processes and return what became of each order, in order. Raises BackendError when no launcher can be reached or brought up."""
        question = {"do": "start", "orders": [wire.plain(order) for order in orders]}
        if not self._is_known:
            self.bring_up()
        try:
            answer = self._ask(question)
        except _Absent:
            self.bring_up()
            answer = self._ask(question)
        return [Outcome(**each) for each in answer["outcomes"]]

    def end(self) -> bool:
        """Have the launcher end; False when it still has children after a while. None there: it has ended. Raises BackendError."""
        deadline = time.monotonic() + END_S
        try:
            while not self._ask({"do": "end"})["ended"]:
                if time.monotonic() > deadline:
                    return False
                time.sleep(POLL_S)
        except _Absent:
            return True
        return True

    def bring_up(self) -> None:
        """Return once a launcher answers; one is begun where none does. Raises BackendError."""
        with self._bringing_up:
            if not self._answers():
                self._begin()
                self._wait()
        self._is_known = True

    def _answers(self) -> bool:
        try:
            found = self._ask({"do": "hello"})
        except _Absent:
            return False
        if found["version"] != wire.VERSION:
            remedy = "stop everything with `msxfctl down`, then try again"
            raise BackendError("could not use the launcher that is running", found="another msxfctl has started it", remedy=remedy)
        return True

    def _begin(self) -> None:
        self._site.prepare()
        command = [sys.executable, "-m", "ctl.backends.runtimes.local.launcher", "--home", str(self._site.home)]
        environment = {**os.environ, "PYTHONPATH": str(PROJECT)}
        with self._site.launcher_log.open("ab") as output:
            try:
                subprocess.run(
                    command, cwd="/", env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True, timeout=UP_S, check=True
                )
            except (OSError, subprocess.SubprocessError) as error:
                raise self._failed(str(error)) from error

    def _wait(self) -> None:
        deadline = time.monotonic() + UP_S
        while not self._answers():
            if time.monotonic() > deadline:
                raise self._failed(f"no answer within {UP_S:.0f} s")
            time.sleep(POLL_S)

    def _failed(self, found: str) -> BackendError:
        said = logfiles.last_words(self._site.launcher_log, 0)
        remedy = f"read {self._site.launcher_log}, then try again"
        return BackendError("could not bring up the launcher of instances", found=f"{found}; it said: {said}" if said else found, remedy=remedy)

    def _ask(self, question: Mapping[str, Any]) -> dict[str, Any]:
        try:
            with self._connection() as connection:
                connection.sendall(json.dumps(question).encode() + b"\n")
                with connection.makefile("rb") as lines:
                    answer: dict[str, Any] = json.loads(lines.readline() or b"{}")
        except (OSError, ValueError) as error:
            raise BackendError("could not ask the launcher of instances", found=str(error) or type(error).__name__) from error
        if not answer or "error" in answer:
            raise BackendError("the launcher of instances did not do its part", found=str(answer.get("error", "it ended before it answered")))
        return answer

    @contextmanager
    def _connection(self) -> Iterator[socket.socket]:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection, _short(self._site.launcher_socket) as path:
            connection.settimeout(ANSWER_S)
            try:
                connection.connect(path)
            except (FileNotFoundError, ConnectionRefusedError) as error:
                raise _Absent("no launcher of instances is running") from error
            yield connection


class _Absent(BackendError):
    """No launcher listens."""


@contextmanager
def _short(path: Path) -> Iterator[str]:
    """Give a name of the socket that fits a socket's address, however deep its folder is."""
    if len(str(path)) <= MOST_PATH:
        yield str(path)
        return
    try:
        folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    except FileNotFoundError as error:
        raise _Absent("no launcher of instances is running") from error
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        with suppress(OSError):
            os.close(folder)
