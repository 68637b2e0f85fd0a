"""The output of instances: one file each, kept when the instance is gone, rotated at a start when it has grown large."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

MOST_BYTES = 16 * 1024 * 1024
BLOCK = 64 * 1024
MOST_WORDS = 200


def rotate(path: Path, most_bytes: int = MOST_BYTES) -> int:
    """Move a log that is too large to <log>.1, in place of an older one, and return the size of what is left."""
    try:
        size = path.stat().st_size
    except FileNotFoundError:
        return 0
    if size <= most_bytes:
        return size
    path.replace(_older(path))
    return 0


def tail(path: Path, last: int) -> tuple[str, ...]:
    """Return the last `last` lines, oldest first, going back into the rotated file. Raises FileNotFoundError when there is neither."""
    if not path.exists() and not _older(path).exists():
        raise FileNotFoundError(path)
    lines = _last(path, last)
    return (*_last(_older(path), last - len(lines)), *lines)


def last_words(path: Path, since: int) -> str:
    """Return the last line that was written after the first `since` bytes, or its "message" where it is a JSON event; empty when there is none."""
    try:
        if path.stat().st_size <= since:
            return ""
        line = next((each for each in reversed(_last(path, 20)) if each.strip()), "").strip()
    except OSError:
        return ""
    return _message(line)[:MOST_WORDS]


def discard(path: Path) -> None:
    for each in (path, _older(path)):
        each.unlink(missing_ok=True)


def _message(line: str) -> str:
    if line.startswith("{"):
        try:
            return str(json.loads(line).get("message", line))
        except ValueError:
            return line
    return line


def _older(path: Path) -> Path:
    return path.with_name(path.name + ".1")


def _last(path: Path, count: int) -> list[str]:
    text = b""
    for block in _blocks(path) if count > 0 and path.exists() else ():
        text = block + text
        if text.count(b"\n") > count:
            break
    return text.decode(errors="replace").removesuffix("\n").split("\n")[-count:] if text else []


def _blocks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        place = file.seek(0, os.SEEK_END)
        while place > 0:
            size = min(BLOCK, place)
            place -= size
            file.seek(place)
            yield file.read(size)
