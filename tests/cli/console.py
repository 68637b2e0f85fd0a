"""Runs the command line in this process against a plane in memory, as on a terminal or into a pipe."""

import io
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from typing import Any

from ctl.cli import main
from ctl.cli.asked import Asked
from ctl.cli.reach import Reached
from tests.cli.memory_plane import MemoryPlane


class Stream(io.StringIO):
    """Text in memory that may claim to be a terminal."""

    encoding = "utf-8"

    def __init__(self, text: str = "", *, terminal: bool = False) -> None:
        super().__init__(text)
        self._terminal = terminal

    def isatty(self) -> bool:
        return self._terminal


@dataclass(frozen=True)
class Ran:
    """What a command did: its exit status and what it wrote."""

    status: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        return json.loads(self.out)


@dataclass
class Console:
    """`here` says that the plane ticks in this process. Nothing waits longer than it must."""

    plane: MemoryPlane = field(default_factory=MemoryPlane)
    here: bool = False
    asked_of: list[str] = field(default_factory=list)

    def run(self, *args: str, terminal: bool = False, typed: str | None = None) -> Ran:
        """Run one command; `typed` is what a person at the terminal types (None: nobody sits there)."""
        out, err = Stream(terminal=terminal), Stream(terminal=terminal or typed is not None)
        before, sys.stdin = sys.stdin, Stream(typed or "", terminal=typed is not None)
        try:
            with redirect_stdout(out), redirect_stderr(err):
                status = main.run(args, Asked(poll_s=0.001, door=self._door))
        finally:
            sys.stdin = before
        return Ran(status, out.getvalue(), err.getvalue())

    @contextmanager
    def _door(self, server: str, token_file: str) -> Iterator[Reached]:
        self.asked_of += [server] if server else []
        yield Reached(plane=self.plane, here=self.here, where="memory")
