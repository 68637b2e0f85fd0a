"""The only place that prints: data on standard output, everything else on standard error; text for people, JSON or YAML for programs."""

import json
import os
import sys
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, TextIO

from ctl.cli.asked import Asked
from ctl.cli.look import Look
from ctl.cli.paint import WIDEST, Block, Paint

TextOf = Callable[[Look], Iterable[str]]


class Screen:
    """Where a command's answer goes, in the shape that was asked for."""

    def __init__(self, asked: Asked) -> None:
        self._asked = asked
        for stream in (sys.stdout, sys.stderr):
            _tolerate(stream)

    def answer(self, schema: str, body: Mapping[str, Any], text: TextOf) -> None:
        """Give the answer: `text` for people, else one document whose `schema` names its shape."""
        if self._asked.output == "text":
            for line in text(self.look(sys.stdout)):
                print(line)
        else:
            print(self._document(schema, body, indent=2))
        sys.stdout.flush()

    def item(self, schema: str, body: Mapping[str, Any], text: TextOf) -> None:
        """Give one item of a stream that has no end: lines for people, else one document a line (YAML: one document)."""
        if self._asked.output == "text":
            for line in text(self.look(sys.stdout)):
                print(line)
        else:
            print(self._document(schema, body, indent=None))
        sys.stdout.flush()

    def fail(self, schema: str, body: Mapping[str, Any]) -> None:
        """Tell a program, on standard error, why there is no answer."""
        print(self._document(schema, body, indent=None), file=sys.stderr)

    def raw(self, text: str) -> None:
        """Put text out as it is: a script, a schema, a secret."""
        print(text)

    def say(self, *lines: str) -> None:
        """Tell a person something that is not the answer."""
        for line in lines:
            print(line, file=sys.stderr)
        sys.stderr.flush()

    def ask(self, question: str) -> str:
        """Ask a person at the terminal; only where there is one. Returns what was typed, or nothing at the end of input."""
        print(question, end=" ", file=sys.stderr, flush=True)
        return sys.stdin.readline().strip()

    def can_ask(self) -> bool:
        """Say whether a person sits at the terminal."""
        return _is_terminal(sys.stdin) and _is_terminal(sys.stderr)

    def beside(self) -> Look:
        """Return the look of what is said on standard error."""
        return self.look(sys.stderr)

    def block(self) -> Block | None:
        """Return a block that repaints itself on standard error; None where that is no terminal."""
        return Block(sys.stderr, lambda: self.beside().wide) if _is_terminal(sys.stderr) and os.environ.get("TERM") != "dumb" else None

    def look(self, stream: TextIO) -> Look:
        """Return the look of a stream: colours only where wished, and for a terminal its width."""
        terminal = _is_terminal(stream)
        wide = min(WIDEST, _columns(stream)) if terminal else WIDEST
        return Look(now=datetime.now(UTC), paint=Paint(self._has_colour(terminal)), utc=self._asked.utc, wide=wide, is_terminal=terminal)

    def _has_colour(self, terminal: bool) -> bool:
        if self._asked.color != "auto":
            return self._asked.color == "always"
        return terminal and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"

    def _document(self, schema: str, body: Mapping[str, Any], indent: int | None) -> str:
        whole = {"schema": f"msxfctl/{schema}", **body}
        if self._asked.output == "json":
            return json.dumps(whole, ensure_ascii=False, indent=indent)
        import yaml

        said = yaml.safe_dump(whole, sort_keys=False, allow_unicode=True, width=WIDEST)
        return str(said).rstrip("\n") if indent else f"---\n{said}".rstrip("\n")


def _is_terminal(stream: TextIO) -> bool:
    return stream is not None and stream.isatty()


def _columns(stream: TextIO) -> int:
    try:
        found = os.get_terminal_size(stream.fileno()).columns
    except (OSError, ValueError):
        return WIDEST
    return found if found >= 20 else WIDEST


def _tolerate(stream: TextIO) -> None:
    """Replace what the stream's encoding cannot say instead of failing over a symbol."""
    if not str(getattr(stream, "encoding", "") or "utf-8").lower().startswith("utf") and hasattr(stream, "reconfigure"):
        stream.reconfigure(errors="replace")
