"""Terminal paint: colours, widths, columns and a block that repaints itself. Knows ANSI and nothing about services."""

import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TextIO

WIDEST = 100
GAP = "  "
_PAINTED = re.compile(r"(\x1b\[[0-9;]*m)")
_AMOUNT = re.compile(r"(?<=\d) (?=(?:%|ms|s|min|h|d|B|kB|MB)\b|%)")
_CODES = {"good": "32", "warn": "33", "bad": "31", "dim": "2", "bold": "1", "name": "36"}


@dataclass(frozen=True, slots=True)
class Paint:
    """Colours, or none: colours only repeat what words and symbols say already."""

    is_on: bool = False

    def __call__(self, style: str, text: str) -> str:
        """Paint `text`; an empty style, or paint that is off, leaves it as it is."""
        return f"\x1b[{_CODES[style]}m{text}\x1b[0m" if self.is_on and style and text else text


def width(text: str) -> int:
    """Return how many columns `text` (without colours) takes; wide East Asian characters take two."""
    if text.isascii():
        return len(text)
    return sum(0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text)


def plain(text: str) -> str:
    """Return `text` without control characters, so that what a service wrote cannot move our cursor."""
    return "".join(char if char.isprintable() else " " for char in text) if not text.isprintable() else text


def clip(text: str, columns: int) -> str:
    """Return `text` in at most `columns` columns, with … where something is missing."""
    if width(text) <= columns:
        return text
    kept, room = "", columns - 1
    for char in text:
        room -= width(char)
        if room < 0:
            break
        kept += char
    return kept.rstrip() + "…" if columns > 0 else ""


def pad(text: str, columns: int, *, right: bool = False) -> str:
    """Return `text` filled up with spaces to `columns`."""
    space = " " * max(0, columns - width(text))
    return space + text if right else text + space


def wrap(text: str, columns: int, indent: str = "") -> list[str]:
    """Return `text` as lines of at most `columns`, broken at spaces, but never between a number and its unit; further lines begin with `indent`."""
    body = _AMOUNT.sub("\xa0", text.lstrip(" "))
    lines, line, begun = list[str](), " " * (len(text) - len(body)), False
    for word in body.split(" "):
        longer = f"{line} {word}" if begun else line + word
        if begun and width(longer) > columns:
            lines.append(line.rstrip())
            longer = indent + word
            begun = bool(word)
        else:
            begun = True
        line = longer
    return [one.replace("\xa0", " ") for one in (*lines, line.rstrip())]


def columns(rows: Sequence[Sequence[str]], *, total: int = WIDEST, right: Iterable[int] = ()) -> list[list[str]]:
    """Return the cells padded so that columns stand under each other; the last column is clipped so that no row is wider than `total`."""
    if not rows:
        return []
    numbers = frozenset(right)
    widths = [max(width(row[column]) for row in rows) for column in range(len(rows[0]))]
    room = max(8, total - sum(widths[:-1]) - len(GAP) * (len(widths) - 1))
    return [[*(pad(cell, widths[at], right=at in numbers) for at, cell in enumerate(row[:-1])), clip(row[-1], room)] for row in rows]


def clip_painted(text: str, columns: int) -> str:
    """Return painted `text` in at most `columns` columns; every colour that is opened is closed."""
    room, kept = columns, ""
    for part in _PAINTED.split(text):
        if part.startswith("\x1b"):
            kept += part
        elif part and room > 0:
            kept += clip(part, room)
            room -= width(part)
    return kept


class Block:
    """Lines on a terminal that are painted over by the next ones; `wide` tells how wide the terminal is now."""

    def __init__(self, stream: TextIO, wide: Callable[[], int]) -> None:
        self._stream = stream
        self._wide = wide
        self._height = 0

    def repaint(self, lines: Sequence[str]) -> None:
        """Put these lines where the last ones stand, cut at the terminal's edge: one that goes on below could not be painted over."""
        up = f"\x1b[{self._height}A" if self._height else ""
        wide = self._wide()
        body = "".join(f"\x1b[2K{clip_painted(line, wide)}\n" for line in lines)
        self._stream.write(f"{up}\r{body}\x1b[0J")
        self._stream.flush()
        self._height = len(lines)

    def clear(self) -> None:
        """Take the block away; the next one begins where it stood."""
        self.repaint([])

    def settle(self) -> None:
        """Leave the block where it is; the next one begins below."""
        self._height = 0
