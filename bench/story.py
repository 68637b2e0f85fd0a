"""How a story is told on a terminal: chapters with one line each, a live line while something happens, the measured result, a table at the end."""

import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import monotonic

from bench.report import Report

FRAMES = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
EVERY_S = 0.1


@dataclass(frozen=True, slots=True)
class Promise:
    """One line of the final table."""

    promise: str
    measured: str
    ok: bool


@dataclass(slots=True)
class Story:
    """Tells what happens as it happens; `ok` is whether every promise was kept."""

    report: Report
    promises: list[Promise] = field(default_factory=list)
    began: float = field(default_factory=monotonic)
    _chapter: int = 0

    @property
    def ok(self) -> bool:
        return all(promise.ok for promise in self.promises)

    @property
    def elapsed_s(self) -> float:
        return monotonic() - self.began

    def chapter(self, title: str) -> None:
        """Say in one line what is about to happen."""
        self._chapter += 1
        _write(f"\n{_bold(f'{self._chapter}. {title}')}\n")

    @contextmanager
    def working(self, what: str, how_far: Callable[[], str] = lambda: "") -> Iterator[None]:
        """Show a live line on a terminal while the block runs; elsewhere nothing."""
        if not sys.stdout.isatty():
            yield
            return
        ends = threading.Event()
        line = threading.Thread(target=_animate, args=(what, how_far, ends), daemon=True)
        line.start()
        try:
            yield
        finally:
            ends.set()
            line.join()

    def said(self, text: str) -> None:
        """Print a result that is not held against anything."""
        _write(f"   {text}\n")

    def kept(self, promise: str, measured: str, ok: bool) -> None:
        """Print a measured result and keep it for the table."""
        self.promises.append(Promise(promise, measured, ok))
        _write(f" {_mark(ok)} {promise}: {measured}\n")

    def table(self) -> None:
        """Print every promise with what was measured."""
        wide = max((len(one.promise) for one in self.promises), default=8)
        far = max((len(one.measured) for one in self.promises), default=8)
        _write(f"\n   {_bold('promise'):<{wide + len(_bold('promise')) - 7}}  {_bold('measured')}\n")
        for one in self.promises:
            _write(f" {_mark(one.ok)} {one.promise:<{wide}}  {one.measured:<{far}}\n")


def _animate(what: str, how_far: Callable[[], str], ends: threading.Event) -> None:
    began, number = monotonic(), 0
    while not ends.wait(EVERY_S):
        number += 1
        _write(f"\r\033[K {FRAMES[number % len(FRAMES)]} {what}  {monotonic() - began:.0f} s  {how_far()}"[:110])
    _write("\r\033[K")


def _write(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


def _colour() -> bool:
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR")


def _bold(text: str) -> str:
    return f"\033[1m{text}\033[0m" if _colour() else text


def _mark(ok: bool) -> str:
    sign, colour = ("✔", 32) if ok else ("✖", 31)
    return f"\033[{colour}m{sign}\033[0m" if _colour() else sign
